# SPDX-License-Identifier: BSD-3-Clause
"""
What training needs of conv3d: the gradients of its input and of its weight.

dw[:, :, t] = sum over slices d of the gradient of two axes, between slice d of dy and slice d*sd + t*dd - pd
of x
"""

import math
from itertools import product

import numpy as np

from .._arguments import checked_shape
from .._kernels import (
    UnsupportedError,
    WeightGradientPlan,
    as_array,
    as_operand,
    check_operand,
    copy_array,
    deliver,
    take_buffers,
    workspace_array,
)
from ..operators.composed import ComposedPlan, aligned_bytes, carve
from .describe import volume
from .plans import flattened, image_problem
from .transposed import TransposedVolumePlan
from .windows import sources

BUFFERED = 4 << 20  # bytes of slices that are convolved together, at most, unless one takes more


def conv3d_backward_input(
    x_shape,
    weight,
    dy,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCDHW",
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    Gradient with respect to `x` of a scalar whose gradient with respect to ``conv3d(x, weight)`` is `dy`.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of `x`.
    weight : array_like
        The filters of `conv3d`, shape ``(K, C / groups, T, R, S)``.
    dy : array_like
        Of the shape of the result of `conv3d`, and the dtype of `weight`.
    stride, padding, dilation, groups, layout
        Those of `conv3d`; its ``padding_mode`` must have been ``"zeros"``.
    algorithm, max_workspace, accuracy, threads, out, workspace
        As in `conv_transpose3d`.

    Returns
    -------
    ndarray
        Of shape `x_shape`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> dy = np.ones((1, 1, 1, 2, 2), np.float32)
    >>> pyconv.conv3d_backward_input((1, 1, 2, 3, 3), np.ones((1, 1, 2, 2, 2), np.float32), dy)[0, 0, 1]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]], dtype=float32)
    """
    weight, dy = as_array(weight, "weight"), as_array(dy, "dy")
    forward = volume(
        checked_shape(x_shape, "x_shape"),
        weight.dtype,
        weight.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype_of="weight",
    )
    check_operand(dy, "dy", weight.dtype.num, forward.y_shape, "weight")
    prepared = TransposedVolumePlan(forward, forward.y_shape, weight, argument="dy")
    return prepared._once({"weight": weight}, dy, out, workspace)


class _Chunk:
    """
    Some slices of dy and the slices of x under them, gathered in the type that is computed in.

    slices of x [n][image], of dy [n][image]; tap t reads every sd-th slice of x from t*dd on.
    """

    def __init__(self, v, dtype, count):
        flat = v.flat.derive(
            x_shape=(count, *v.in_layout(v.channels, *v.size[1:])),
            dtype=dtype,
            weight_dtype=dtype,
            out_dtype=dtype,
            weight_shape=(v.filters, v.weight_shape[1], *v.kernel[1:]),
            stride=v.stride[1:],
            dilation=v.dilation[1:],
            padding=(*v.padding[1], *v.padding[2]),
            max_workspace=None,
        )
        self.count = count
        self.plan = WeightGradientPlan(flat)
        # Slices of x that taps share; where taps read every second one, each tap has its own.
        self.shared = v.stride[0] == 1
        read = count + (v.kernel[0] - 1) * v.dilation[0] if self.shared else count
        self.x_shape = (read, *flat.x_shape[1:])
        self.dy_shape = flat.y_shape
        self.workspace_bytes = (
            aligned_bytes(self.x_shape, dtype)
            + aligned_bytes(self.dy_shape, dtype)
            + self.plan.workspace_bytes
        )


class VolumeWeightGradientPlan(ComposedPlan):
    """The gradient of conv3d's weight made ready for one input shape."""

    def __init__(self, v):
        dtype = v.flat.dtype
        if dtype != v.flat.weight_dtype or dtype.kind != "f":
            raise TypeError(f"x must be float32, float64 or float16 for a gradient, is {dtype}")
        inner = np.dtype(np.float64 if dtype == np.float64 else np.float32)
        self._settle(
            _volume=v,
            dtype=dtype,
            _inner=inner,
            x_shape=v.x_shape,
            dy_shape=v.y_shape,
            output_shape=v.weight_shape,
        )
        budget = v.flat.max_workspace
        flat = flattened(v)
        if flat is not None and v.channels and v.filters:
            plan = WeightGradientPlan(image_problem(v, flat))
            self._settle(
                _plan=plan, workspace_bytes=plan.workspace_bytes, multiplications=plan.multiplications
            )
            return
        sums = (v.kernel[0], v.filters, v.weight_shape[1], *v.kernel[1:])
        own = aligned_bytes(sums, inner) + aligned_bytes(sums[1:], inner)
        images = math.prod(v.size[1:]) * v.channels + math.prod(v.outputs[1:]) * v.filters
        count = max(1, min(v.outputs[0], BUFFERED // max(images * inner.itemsize, 1)))
        chunks = self._chunks(count)
        while budget is not None and own + max(c.workspace_bytes for c in chunks) > budget and count > 1:
            count //= 2
            chunks = self._chunks(count)
        size = own + max(c.workspace_bytes for c in chunks)
        if budget is not None and size > budget:
            raise UnsupportedError(
                f"the gradient of weight {v.weight_shape} needs {size} bytes of workspace for x {v.x_shape}, "
                f"max_workspace allows {budget}"
            )
        places = sources(v.size[0], *v.padding[0], v.flat.padding_mode)
        self._settle(
            _plan=None,
            _chunks=chunks,
            _sums=sums,
            _threads=v.flat.threads or 1,
            _places=places.tolist(),
            workspace_bytes=size,
            multiplications=math.prod(v.y_shape) * math.prod(v.weight_shape[1:]),
        )

    def _chunks(self, count):
        """Of so many slices, and of those that are left."""
        v = self._volume
        rest = v.outputs[0] % count
        return [_Chunk(v, self._inner, n) for n in ((count, rest) if rest else (count,))]

    def __call__(self, x, dy, out=None, workspace=None):
        """The gradient for one x and one dy; as `pyconv.WeightGradientPlan`."""
        x, dy = as_array(x, "x"), as_array(dy, "dy")
        block = None if workspace is None else workspace_array(workspace)
        check_operand(x, "x", self.dtype.num, self.x_shape, "the plan")
        check_operand(dy, "dy", self.dtype.num, self.dy_shape, "x")
        size = self.workspace_bytes
        operands = (("x", x), ("dy", dy))
        y, target, block = take_buffers(out, self.output_shape, self.dtype, block, size, operands)
        x, dy = as_operand(x, "x"), as_operand(dy, "dy")
        if self._plan is not None:
            plan = self._plan
            plan(
                x.reshape(plan.x_shape),
                dy.reshape(plan.dy_shape),
                target.reshape(plan.output_shape),
                block[:size],
            )
        else:
            self._add_slices(x, dy, target, block[:size])
        return deliver(out, y, target)

    def _add_slices(self, x, dy, out, workspace):
        v = self._volume
        sums, workspace = carve(workspace, self._sums, self._inner)
        sums.fill(0)
        x, dy = (a.reshape(v.batch, *a.shape[-4:]) for a in (x, dy))
        if not v.channels_last:
            x, dy = x.swapaxes(1, 2), dy.swapaxes(1, 2)
        for n, d in product(range(v.batch), range(0, v.outputs[0], self._chunks[0].count)):
            chunk = self._chunks[0 if d + self._chunks[0].count <= v.outputs[0] else 1]
            self._add_chunk(chunk, x[n], dy[n], d, sums, workspace)
        out[...] = np.moveaxis(sums, 0, 2)

    def _add_chunk(self, chunk, x, dy, first, sums, workspace):
        """What slices of dy from the first on add to the sums; x and dy are one volume each, slices first."""
        v = self._volume
        stride, dilation = v.stride[0], v.dilation[0]
        part, rest = carve(workspace, sums.shape[1:], self._inner)
        slices, rest = carve(rest, chunk.x_shape, self._inner)
        results, rest = carve(rest, chunk.dy_shape, self._inner)
        self._copy(dy[first : first + chunk.count], results)
        if chunk.shared:
            self._gather(x, self._places[first : first + len(slices)], slices)
        for t in range(v.kernel[0]):
            start = t * dilation
            if not chunk.shared:
                start += first * stride
                self._gather(x, self._places[start : start + chunk.count * stride : stride], slices)
                start = 0
            chunk.plan(slices[start : start + chunk.count], results, part, rest)
            np.add(sums[t], part, sums[t])

    def _gather(self, x, places, slices):
        for place, target in zip(places, slices, strict=True):
            if place < 0:
                target.fill(self._volume.flat.border)
            else:
                self._copy(x[place], target)

    def _copy(self, source, target):
        if source.dtype == target.dtype:
            copy_array(source, target, self._threads)
        else:
            target[...] = source


def conv3d_backward_weight(
    x,
    weight_shape,
    dy,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCDHW",
    padding_mode="zeros",
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    Gradient of a scalar with respect to the weight of ``conv3d(x, weight)``, from `dy`, that to its result.

    Each slice of the kernel is the sum of the gradients of two axes between slices of `dy` and the slices of
    `x` that it met, some slices together, of float16 in float32.

    Parameters
    ----------
    x : array_like
        The input of `conv3d`.
    weight_shape : tuple of int
        ``(K, C / groups, T, R, S)``.
    dy : array_like
        Of the shape of the result of `conv3d`, and the dtype of `x`.
    stride, padding, dilation, groups, layout, padding_mode
        Those of `conv3d`.
    algorithm, accuracy
        As in `conv2d_backward_weight`.
    max_workspace : int or str, optional
        Bytes, or ``"64MB"``, that the workspace may take.
    threads : int, optional
        As in `conv2d`. The result does not depend on it.
    out : ndarray, optional
        Of shape `weight_shape` and the dtype of `x`, overlapping neither `x` nor `dy`; of any strides, as in
        `conv2d`.
    workspace : buffer, optional
        Writable, aligned to 64 bytes, as long as a call needs: a ValueError names the bytes if it is shorter.

    Returns
    -------
    ndarray
        Of shape `weight_shape`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.arange(27, dtype=np.float32).reshape(1, 1, 3, 3, 3)
    >>> dy = np.ones((1, 1, 2, 2, 2), np.float32)
    >>> pyconv.conv3d_backward_weight(x, (1, 1, 2, 2, 2), dy)[0, 0, 0]
    array([[ 52.,  60.],
           [ 76.,  84.]], dtype=float32)
    """
    x = as_array(x, "x")
    shape = checked_shape(weight_shape, "weight_shape")
    if len(shape) != 5:
        raise ValueError(
            f"weight_shape must have 5 sizes (filters, channels / groups, slices, rows, columns), is {shape}"
        )
    prepared = VolumeWeightGradientPlan(
        volume(
            x.shape,
            x.dtype,
            shape,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            layout=layout,
            padding_mode=padding_mode,
            algorithm=algorithm,
            max_workspace=max_workspace,
            accuracy=accuracy,
            threads=threads,
        )
    )
    return prepared(x, dy, out, workspace)
