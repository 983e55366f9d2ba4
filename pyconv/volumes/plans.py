# SPDX-License-Identifier: BSD-3-Clause
"""
VolumePlan: the third axis as what it is, without copying volumes.

y[k, d] = sum over t of the convolution of slice d*sd + t*dd - pd of x with tap t of the weight

Where the kernel has one tap along the depth, or one along rows and columns, volumes are images:

  1 x kh x kw of NDHWC     N*D images of H x W
  kd x 1 x 1               images of D rows and H*W columns, kernel kd x 1
  1 x 1 x kw               images of D*H rows and W columns, kernel 1 x kw
  all slices at once       of NCDHW with one output slice: C*D channels

Elsewhere the slices under a slice of the result are so many more channels of one image: in a buffer where
these overlap (native/volume_slices.pxd), or, for groups and what goes by BLAS, one after another.
Depthwise kernels add up slices where they stand (native/volume_depthwise.pxd).
"""

import math
from itertools import product
from typing import NamedTuple

import numpy as np

from .._kernels import (
    ALGORITHM_NAMES,
    LAYOUTS,
    SLICED,
    Plan,
    UnsupportedError,
    VolumeDepthwise,
    VolumeSlices,
    as_operand,
    border_words,
    copy_array,
    type_words,
    volume_direct,
)
from ..operators.composed import ChainedPlan, aligned_bytes, carve, memory_for
from .windows import fill, sources, window_weight

DIRECT = ALGORITHM_NAMES.index("direct")


class Flat(NamedTuple):
    """A volume as images: what x, weight and result are reshaped to, and how the kernel lies in them."""

    image: tuple  # rows, columns
    axes: tuple  # of the volume along rows and columns, None for one that the kernel does not extend along
    images: bool  # whether slices count as a batch
    merged: bool  # or as channels


def flattened(v):
    """How a volume is images as it stands, or None."""
    depth, rows, columns = v.size
    if v.is_thin(1) and v.is_thin(2):
        return Flat((depth, rows * columns), (0, None), False, False)
    if v.is_thin(0) and v.is_thin(1):
        return Flat((depth * rows, columns), (None, 2), False, False)
    if v.is_thin(0) and (v.channels_last or v.channels == v.filters == 1 or depth == 1):
        return Flat((rows, columns), (1, 2), True, False)
    if v.channels_last or v.is_depthwise or v.dilation[0] > 1:
        return None
    if v.kernel[0] == depth and v.padding[0] == (0, 0):
        return Flat((rows, columns), (1, 2), False, True)
    return None


def image_problem(v, flat):
    """The convolution of these images."""
    lead, channels = v.x_shape[:-4], v.channels

    def along(value, neutral):
        return tuple(neutral if axis is None else value[axis] for axis in flat.axes)

    if flat.images:
        lead = (*lead, v.size[0])
    elif flat.merged:
        channels *= v.size[0]
    return v.flat.derive(
        x_shape=(*lead, *v.in_layout(channels, *flat.image)),
        weight_shape=(v.filters, channels // v.flat.groups, *along(v.kernel, 1)),
        stride=along(v.stride, 1),
        dilation=along(v.dilation, 1),
        padding=sum(along(v.padding, (0, 0)), ()),
    )


def window_bytes(v):
    """Of a window, and of a slice of the result and of the residual that doesn't stand together in them."""
    window = v.in_layout(v.kernel[0] * v.channels, *v.size[1:])
    parts = 0 if v.channels_last else 2 * aligned_bytes((v.filters, *v.outputs[1:]), v.flat.out_dtype)
    return aligned_bytes(window, v.flat.dtype) + parts


class VolumePlan(ChainedPlan):
    """
    A convolution of volumes made ready for one input shape.

    Made by `pyconv.plan_conv3d`. Immutable, so that threads may share it; each concurrent call needs a
    workspace of its own.

    Attributes
    ----------
    algorithm : str
        Of the convolutions of two axes that it is made of.
    input_shape, output_shape : tuple of int
    dtype, weight_dtype, out_dtype : numpy.dtype
        Of input; of weights and bias; of output and residual.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes; it does not grow with the depth of the volume unless
        slices are images or channels as they stand.
    packed_bytes : int
        Bytes of packed weights.
    multiplications : int
        Of one call, batch included.
    threads : int
        Of one call, at most.
    accuracy : str
        Error class of the algorithm.
    """

    def __init__(self, v, weight, bias=None, single=False):
        """`single`: for one call, for which weights may be read in place."""
        self._settle(
            _volume=v,
            dtype=v.flat.dtype,
            weight_dtype=v.flat.weight_dtype,
            out_dtype=v.flat.out_dtype,
            input_shape=v.x_shape,
            output_shape=v.y_shape,
        )
        budget = v.flat.max_workspace
        flat = flattened(v)
        if v.flat.algorithm == DIRECT or not v.channels or not v.filters:
            self._settle_direct(weight, bias)
        elif flat is not None:
            self._settle_images(flat, weight, bias, single)
        elif v.flat.algorithm >= 0 or budget is None:
            self._settle_slices(weight, bias)
        else:
            try:
                self._settle_slices(weight, bias)
            except UnsupportedError:
                self._settle_direct(weight, bias)

    def _settle_direct(self, weight, bias):
        """The plain loop, which takes no workspace; the weight is copied where the bound has room for it."""
        v = self._volume
        budget = v.flat.max_workspace
        keeps = budget is None or weight.nbytes <= budget
        if keeps:
            with memory_for(weight.nbytes, "packed weights"):
                weight = weight.astype(v.flat.weight_dtype, "C", copy=True)
        self._settle(
            _run=self._run_direct,
            _weight=weight,
            _bias=None if bias is None else bias.astype(v.flat.weight_dtype, "C", copy=True),
            _operands=() if keeps else (("weight", weight),),
            algorithm="direct",
            accuracy="strict",
            threads=v.flat.threads or 0,
            workspace_bytes=0,
            packed_bytes=weight.nbytes if keeps else 0,
            multiplications=math.prod(v.y_shape) * math.prod(v.weight_shape[1:]),
        )

    def _settle_plan(self, plan, weight, count, extra):
        """Of `count` runs of a plan, whose workspace follows `extra` bytes of our own."""
        borrows = plan.packed_bytes == 0
        self._settle(
            _plan=plan,
            _operands=(("weight", weight),) if borrows else (),
            algorithm=plan.algorithm,
            accuracy=plan.accuracy,
            threads=plan.threads,
            workspace_bytes=extra + plan.workspace_bytes,
            packed_bytes=plan.packed_bytes,
            multiplications=count * plan.multiplications,
        )

    def _settle_images(self, flat, weight, bias, single):
        described = image_problem(self._volume, flat)
        plan = Plan(described, weight.reshape(described.weight_shape), bias, single, single)
        self._settle(_run=self._run_images)
        self._settle_plan(plan, weight, 1, 0)

    def _settle_slices(self, weight, bias):
        """By kernels for volumes if they can; else slice by slice, which any algorithm can."""
        v = self._volume
        name = "auto" if v.flat.algorithm < 0 else ALGORITHM_NAMES[v.flat.algorithm]
        if v.is_depthwise and name in ("auto", "depthwise"):
            try:
                self._settle_native(self._depthwise(weight, bias))
                return
            except UnsupportedError:
                pass
        if v.flat.groups == 1 and (name == "auto" or name in SLICED):
            self._settle_native(self._slices(weight, bias))
        else:
            self._settle_windows(weight, bias)

    def _depthwise(self, weight, bias):
        v = self._volume
        if not np.isfinite(weight).all():
            raise UnsupportedError("taps that are not finite meet the zeros before and behind the volume")
        planes = v.channels == 1  # lie alike in both layouts
        plane = {"layout": LAYOUTS["NCHW"], "x_shape": (1, *v.size[1:])} if planes else {}
        described = v.slice_problem(1, **plane)
        dtype = self.weight_dtype
        with memory_for(weight.nbytes, "packed weights"):
            bias = None if bias is None else bias.astype(dtype, "C", copy=True)
            return VolumeDepthwise(described, v.numbers, weight.astype(dtype, "C", copy=True), bias)

    def _slices(self, weight, bias):
        v = self._volume
        described = v.slice_problem(v.kernel[0])
        dtype = np.float64 if self.weight_dtype == np.float64 else np.float32
        with memory_for(weight.nbytes, "the weights of a window"):
            taps = np.ascontiguousarray(weight.swapaxes(1, 2), dtype)
            bias = None if bias is None else np.ascontiguousarray(bias, dtype)
        return VolumeSlices(described, v.numbers, taps, bias)

    def _settle_native(self, native):
        self._settle(
            _run=native.run,
            algorithm=native.algorithm,
            accuracy=native.accuracy,
            threads=native.threads,
            workspace_bytes=native.workspace_bytes,
            packed_bytes=native.packed_bytes,
            multiplications=native.multiplications,
        )

    def _settle_windows(self, weight, bias):
        v = self._volume
        window = v.in_layout(v.kernel[0] * v.channels, *v.size[1:])
        extra = window_bytes(v)
        budget = v.flat.max_workspace
        if budget is not None and budget < extra:
            raise UnsupportedError(
                f"{v.flat.x} {v.x_shape} needs {extra} bytes of workspace for the slices under one of the "
                f"result, max_workspace allows {budget}"
            )
        described = v.slice_problem(v.kernel[0], max_workspace=None if budget is None else budget - extra)
        with memory_for(weight.nbytes, "the weights of a window"):
            kernel = window_weight(weight, v.flat.groups, v.channels_last, 1)
        plan = Plan(described, kernel, bias)
        if budget is not None and not plan.packed_bytes and not np.may_share_memory(kernel, weight):
            raise UnsupportedError(
                f"the weights of a window take {kernel.nbytes} bytes beside "
                f"{extra + plan.workspace_bytes} of workspace, max_workspace allows {budget}"
            )
        places = sources(v.size[0], *v.padding[0], v.flat.padding_mode).tolist()
        self._settle(_run=self._run_windows, _places=places, _window=window)
        self._settle_plan(plan, weight, v.batch * v.outputs[0], extra)

    def _run_direct(self, x, residual, out, _workspace):
        v, weight = self._volume, as_operand(self._weight, "weight")
        volume_direct(v.flat, v.numbers, x, weight, self._bias, residual, out)

    def _run_images(self, x, residual, out, workspace):
        plan = self._plan
        if residual is not None:
            residual = residual.reshape(plan.output_shape)
        plan(x.reshape(plan.input_shape), out.reshape(plan.output_shape), workspace, residual)

    def _run_windows(self, x, residual, out, workspace):
        """Slice by slice of the result: the window of slices under it, as channels of one image."""
        v, plan = self._volume, self._plan
        window, workspace = carve(workspace, self._window, self.dtype)
        x, out = x.reshape(v.batch, *v.x_shape[-4:]), out.reshape(v.batch, *v.y_shape[-4:])
        if residual is not None:
            residual = residual.reshape(out.shape)
        if not v.channels_last:
            slice_out, workspace = carve(workspace, plan.output_shape, self.out_dtype)
            slice_residual, workspace = carve(workspace, plan.output_shape, self.out_dtype)
        for n, d in product(range(v.batch), range(v.outputs[0])):
            self._fill(window, x[n], d)
            extra = None
            if v.channels_last:
                plan(window, out[n, d], workspace, None if residual is None else residual[n, d])
                continue
            if residual is not None:
                extra = slice_residual
                copy_array(residual[n, :, d], extra, self.threads)
            plan(window, slice_out, workspace, extra)
            copy_array(slice_out, out[n, :, d], self.threads)

    def _fill(self, window, x, d):
        """The slices under slice d of the result."""
        v = self._volume
        first = d * v.stride[0]
        places = self._places[first : first + (v.kernel[0] - 1) * v.dilation[0] + 1 : v.dilation[0]]
        fill(window, x, places, v.flat.groups, v.channels_last, v.flat.border, self.threads)

    def __str__(self):
        v = self._volume
        kernel = "x".join(map(str, v.kernel))
        return "\n".join(
            (
                f"{self.algorithm}: {self.input_shape} -> {self.output_shape}, "
                f"{type_words(self.dtype, self.weight_dtype, self.out_dtype)}, "
                f"{'NDHWC' if v.channels_last else 'NCDHW'}",
                f"  kernel {kernel}, {v.filters} filters of {v.weight_shape[1]} channels, "
                f"groups {v.flat.groups}, stride {v.stride}, dilation {v.dilation}, padding {v.padding} "
                f"{border_words(v.flat.padding_mode, v.flat.border)}",
                f"  workspace {self.workspace_bytes:,} bytes, packed weights {self.packed_bytes:,} bytes",
                f"  multiplications {self.multiplications:,}",
                f"  threads {self.threads}, accuracy {self.accuracy}",
            )
        )

    def __repr__(self):
        types = type_words(self.dtype, self.weight_dtype, self.out_dtype)
        return f"<pyconv.VolumePlan {self.algorithm} {types} {self.input_shape} -> {self.output_shape}>"
