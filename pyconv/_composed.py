# SPDX-License-Identifier: BSD-3-Clause
"""What plans made of other plans share: their buffers."""

import math

from ._kernels import as_array, fresh_workspace, take_buffers


def aligned_bytes(shape, dtype):
    """Of an array in a workspace, which another follows: a multiple of 64."""
    return -(-math.prod(shape) * dtype.itemsize // 64) * 64


class ComposedPlan:
    """
    A plan with an array between its parts, at the beginning of its workspace.

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

    _operands = ()  # names and arrays, besides those of a call, that out and workspace may not overlap

    def _once(self, operands, *arguments):
        """The only call of a plan made for it, where `operands`, by name, are still the caller's own."""
        self._operands = tuple((name, as_array(a, name)) for name, a in operands.items() if a is not None)
        return self(*arguments)

    def new_workspace(self):
        """A fresh buffer for one call at a time: uint8, aligned to 64, exactly `workspace_bytes` long."""
        return fresh_workspace(self.workspace_bytes)

    def _buffers(self, out, workspace, operands):
        """Both as `Plan` takes them; the names and arrays of operands must not overlap them."""
        size, operands = self.workspace_bytes, (*self._operands, *operands)
        out, workspace = take_buffers(out, self.output_shape, self.dtype, workspace, size, operands)
        return out, workspace[:size]

    def _between(self, workspace, shape):
        """The array between the parts, and the workspace behind it."""
        array = workspace[: math.prod(shape) * self.dtype.itemsize].view(self.dtype).reshape(shape)
        return array, workspace[aligned_bytes(shape, self.dtype) :]
