# SPDX-License-Identifier: BSD-3-Clause
"""What plans made of other plans share: buffers, float32 between the parts of float16, immutability."""

import math
from contextlib import contextmanager
from types import GenericAlias

import numpy as np

from .._kernels import (
    as_array,
    as_operand,
    as_optional,
    check_operand,
    convert_half,
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


def widened(array, name):
    """Weights of float16 as float32, in which the parts of a plan compute; others as they are."""
    if array is None or array.dtype.num != np.dtype(np.float16).num:
        return array
    with memory_for(array.size * 4, f"{name} in float32"):
        return array.astype(np.float32)


def held_bytes(part, weight, given):
    """Of weights that a part packs or, where those given had to be widened, reads in place."""
    return part.packed_bytes if part.packed_bytes or weight is given else weight.nbytes


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
    dtype : numpy.dtype
        Of input, weights and output.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes.
    packed_bytes : int
        Bytes of packed weights.
    multiplications : int
    """

    _argument = "x"  # what the caller's function calls it
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
        raise TypeError(
            "a plan holds weights packed for this machine and can't be pickled: make it anew from the weights"
        )

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
            check_operand(residual, "residual", self.dtype.num, self.output_shape, "the plan")
        operands = (*self._operands, (self._argument, x), ("residual", residual))
        size = self.workspace_bytes
        y, target, block = take_buffers(out, self.output_shape, self.dtype, block, size, operands)
        if residual is not None:
            residual = as_operand(residual, "residual")
        self._run(as_operand(x, self._argument), residual, target, block[:size])
        return deliver(out, y, target)


class WidenedPlan(ComposedPlan):
    """A composed plan whose parts compute float16 in float32: nothing between them overflows."""

    def __call__(self, x, out=None, workspace=None, residual=None):
        """
        Convolve x.

        Parameters
        ----------
        x : array_like
            Of `input_shape` and `dtype`.
        out : ndarray, optional
            Array of `output_shape` and `dtype` that overlaps no operand; of any strides, as in `pyconv.Plan`.
        workspace : buffer, optional
            Writable, aligned to 64 bytes, of at least `workspace_bytes`; see `new_workspace`.
        residual : array_like, optional
            Of `output_shape`, added before the activation.

        Returns
        -------
        ndarray
            `out`, or a new array of `output_shape`.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As in `pyconv.Plan`.
        """
        return self._call(x, out, workspace, residual)

    @staticmethod
    def _copies(x_shape, y_shape, dtype):
        """Bytes of x, y and residual in float32, where they come in float16."""
        if dtype.num != np.dtype(np.float16).num:
            return 0
        single = np.dtype(np.float32)
        return aligned_bytes(x_shape, single) + 2 * aligned_bytes(y_shape, single)

    def _run(self, x, residual, target, workspace):
        if self._inner == self.dtype:
            self._compute(x, residual, target, workspace)
            return
        single, workspace = carve(workspace, self.input_shape, self._inner)
        y, workspace = carve(workspace, self.output_shape, self._inner)
        extra, workspace = carve(workspace, self.output_shape, self._inner)
        convert_half(x, single, self._threads)
        if residual is None:
            extra = None
        else:
            convert_half(residual, extra, self._threads)
        self._compute(single, extra, y, workspace)
        convert_half(y, target, self._threads)
