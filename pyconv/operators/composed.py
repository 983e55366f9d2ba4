# SPDX-License-Identifier: BSD-3-Clause
"""What plans made of other plans share: buffers, immutability."""

import math
from contextlib import contextmanager
from types import GenericAlias

from .._kernels import (
    as_array,
    as_operand,
    as_optional,
    check_operand,
    deliver,
    fresh_workspace,
    take_buffers,
    workspace_array,
)


@contextmanager
def memory_for(nbytes, what):
    """Tells how many bytes of what a MemoryError inside is about."""
    try:
        yield
    except MemoryError:
        raise MemoryError(f"cannot allocate {nbytes} bytes for {what}") from None


def aligned_bytes(shape, dtype):
    """Of an array in a workspace, which another follows: a multiple of 64."""
    return -(-math.prod(shape) * dtype.itemsize // 64) * 64


def carve(workspace, shape, dtype):
    """An array at the beginning of a workspace, and the workspace behind it."""
    array = workspace[: math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
    return array, workspace[aligned_bytes(shape, dtype) :]


class ComposedPlan:
    """
    A plan of several parts, with arrays between them at the beginning of its workspace.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
    dtype, weight_dtype, out_dtype : numpy.dtype
        Of input; of weights and biases; of output and residual.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes.
    packed_bytes : int
        Bytes of packed weights.
    multiplications : int
    """

    _argument = "x"  # what the caller's function calls it
    _origin = None  # what a pickle remakes it from, see `_pickling`
    _operands = ()  # names and arrays, besides those of a call, that out and workspace may not overlap

    @classmethod
    def __class_getitem__(cls, dtype):
        """``SeparablePlan[numpy.float32]``, for annotations."""
        return GenericAlias(cls, dtype)

    def _settle(self, **attributes):
        """The only way to set them: threads share plans."""
        vars(self).update(attributes)

    def __setattr__(self, name, value):
        raise AttributeError(f"a {type(self).__name__} is immutable, {name} can't be set")

    def __delattr__(self, name):
        raise AttributeError(f"a {type(self).__name__} is immutable, {name} can't be deleted")

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        if self._origin is None:
            raise TypeError("this plan is part of another and can't be pickled by itself")
        return self._origin.reduced()

    def _once(self, operands, *arguments):
        """The only call of a plan made for it, where `operands`, by name, are still the caller's own."""
        own = tuple((name, as_array(a, name)) for name, a in operands.items() if a is not None)
        self._settle(_operands=own)
        return self(*arguments)

    def new_workspace(self):
        """A fresh buffer for one call at a time: uint8, aligned to 64, exactly `workspace_bytes` long."""
        return fresh_workspace(self.workspace_bytes)

    def _call(self, x, out, workspace, residual):
        """`Plan.__call__` around `_run`, which takes contiguous arrays."""
        x = as_array(x, self._argument)
        residual = as_optional(residual, "residual")
        block = None if workspace is None else workspace_array(workspace)
        check_operand(x, self._argument, self.dtype.num, self.input_shape, "the plan")
        if residual is not None:
            check_operand(residual, "residual", self.out_dtype.num, self.output_shape, "the result")
        operands = (*self._operands, (self._argument, x), ("residual", residual))
        size = self.workspace_bytes
        y, target, block = take_buffers(out, self.output_shape, self.out_dtype, block, size, operands)
        if residual is not None:
            residual = as_operand(residual, "residual")
        self._run(as_operand(x, self._argument), residual, target, block[:size])
        return deliver(out, y, target)


class ChainedPlan(ComposedPlan):
    """One plan after the other; what stands between them is of the type that is computed in."""

    def __call__(self, x, out=None, workspace=None, residual=None):
        """
        Convolve x.

        Parameters
        ----------
        x : array_like
            Of `input_shape` and `dtype`.
        out : ndarray, optional
            Array of `output_shape` and `out_dtype` that overlaps no operand; of any strides, as in
            `pyconv.Plan`.
        workspace : buffer, optional
            Writable, aligned to 64 bytes, of at least `workspace_bytes`; see `new_workspace`.
        residual : array_like, optional
            Of `output_shape` and `out_dtype`, added before the activation.

        Returns
        -------
        ndarray
            `out`, or a new array of `output_shape` and `out_dtype`.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As in `pyconv.Plan`.
        """
        return self._call(x, out, workspace, residual)
