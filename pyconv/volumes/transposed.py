# SPDX-License-Identifier: BSD-3-Clause
"""
Transposed convolution of volumes, slice by slice of the result.

y[o, d*sd + t*dd - pd] += the transposed convolution of slice d of x with tap t: output slice a is reached by
the taps t with t*dd = a + pd modulo sd, so that the slices of x that reach it are so many more channels of
one transposed convolution of two axes, and the outputs of one phase of the stride have the same taps.
"""

from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np

from .._kernels import UnsupportedError, copy_array, type_words
from ..operators.composed import ComposedPlan, aligned_bytes, carve, memory_for
from ..operators.phases import TransposedPlan
from .plans import VolumePlan, flattened, image_problem
from .windows import fill, window_weight


class DepthPhase(NamedTuple):
    """
    Output slices first, first + sd, ... and the taps that reach them, in the order of the slices that they
    read.
    """

    first: int
    taps: list
    plan: TransposedPlan | None  # None without taps
    window: tuple  # shape


class TransposedVolumePlan(ComposedPlan):
    """
    A transposed convolution of volumes made ready for one input shape.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
    dtype, weight_dtype, out_dtype : numpy.dtype
        Of input; of weights and bias; of output.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes; it does not grow with the depth of the volume.
    packed_bytes : int
        Bytes of packed weights.
    multiplications : int
    """

    def __init__(self, forward, x_shape, weight, bias=None, argument="x"):
        """`forward` describes the conv3d whose gradient this is: of volumes such as the result."""
        v = forward
        self._settle(
            _argument=argument,
            _forward=v,
            dtype=v.flat.dtype,
            weight_dtype=v.flat.weight_dtype,
            out_dtype=v.flat.out_dtype,
            input_shape=x_shape,
            output_shape=v.x_shape,
        )
        flat = flattened(v)
        # Padding at the end of the result may let the conv3d give more than x has.
        if flat is not None and x_shape == v.y_shape and v.channels and v.filters:
            self._settle_images(flat, weight, bias)
        elif not self._settle_turned(weight, bias):
            self._settle_slices(weight, bias)

    def _settle_images(self, flat, weight, bias):
        v = self._forward
        described = image_problem(v, flat)
        if flat.merged and bias is not None:
            bias = np.repeat(bias, v.size[0])
        plan = TransposedPlan(
            described, described.y_shape, weight.reshape(described.weight_shape), bias, self._argument
        )
        self._settle(
            _plan=plan,
            _run=self._run_images,
            _operands=plan._operands,
            workspace_bytes=plan.workspace_bytes,
            packed_bytes=plan.packed_bytes,
            multiplications=plan.multiplications,
        )

    def _settle_turned(self, weight, bias):
        """As the conv3d with turned kernels, if it is one: at stride 1, where less is cut than they reach."""
        v = self._forward
        size = self.input_shape[-4:-1] if v.channels_last else self.input_shape[-3:]
        reach = [(k - 1) * d for k, d in zip(v.kernel, v.dilation, strict=True)]
        before = [r - side[0] for r, side in zip(reach, v.padding, strict=True)]
        after = [o - i + r - b for o, i, r, b in zip(v.size, size, reach, before, strict=True)]
        if max(v.stride) > 1 or min(before + after) < 0 or not v.channels or not v.filters:
            return False
        groups, per_group = v.flat.groups, v.filters // v.flat.groups
        flat = v.flat.derive(
            x_shape=v.in_layout(v.filters, 1, 1), weight_shape=(v.channels, per_group, 1, 1), x=self._argument
        )
        turned = replace(
            v,
            x_shape=self.input_shape,
            weight_shape=(v.channels, per_group, *v.kernel),
            y_shape=self.output_shape,
            size=size,
            outputs=v.size,
            padding=tuple(zip(before, after, strict=True)),
            flat=flat,
        )
        with memory_for(weight.nbytes, "the kernels turned round"):
            kernels = weight.reshape(groups, per_group, *weight.shape[1:]).swapaxes(1, 2)
            kernels = np.ascontiguousarray(kernels[..., ::-1, ::-1, ::-1]).reshape(turned.weight_shape)
        plan = VolumePlan(turned, kernels, bias)
        held = plan.packed_bytes or kernels.nbytes
        if v.flat.max_workspace is not None and plan.workspace_bytes + held > v.flat.max_workspace:
            return False
        self._settle(
            _run=plan._run,
            workspace_bytes=plan.workspace_bytes,
            packed_bytes=held,
            multiplications=plan.multiplications,
        )
        return True

    def _settle_slices(self, weight, bias):
        v = self._forward
        budget, groups = v.flat.max_workspace, v.flat.groups
        stride, dilation, before = v.stride[0], v.dilation[0], v.padding[0][0]
        taps = [
            [t for t in reversed(range(v.kernel[0])) if (first + before - t * dilation) % stride == 0]
            for first in range(min(stride, v.size[0]))
        ]
        size = self.input_shape[-4:-1] if v.channels_last else self.input_shape[-3:]
        windows = [v.in_layout(len(t) * v.filters, *size[1:]) for t in taps]
        slice_shape = v.in_layout(v.channels, *v.size[1:])
        slice_bytes = 0 if v.channels_last else aligned_bytes(slice_shape, self.out_dtype)
        extra = max(aligned_bytes(window, self.dtype) for window in windows) + slice_bytes
        if budget is not None:
            if budget < extra:
                raise UnsupportedError(
                    f"a transposed convolution of {self._argument} {self.input_shape} to {self.output_shape} "
                    f"needs {extra} bytes of workspace for the slices that reach one of the result, "
                    f"max_workspace allows {budget}"
                )
            budget = (budget - extra) // max(sum(map(bool, taps)), 1)
        phases, workspace = [], 0
        for first, (reaching, window) in enumerate(zip(taps, windows, strict=True)):
            plan = None
            if reaching:
                kernel = window_weight(weight[:, :, reaching], groups, v.channels_last, 0)
                described = v.flat.derive(
                    x_shape=slice_shape,
                    weight_shape=kernel.shape,
                    stride=v.stride[1:],
                    dilation=v.dilation[1:],
                    padding=(*v.padding[1], *v.padding[2]),
                    max_workspace=budget,
                )
                plan = TransposedPlan(described, window, kernel, bias, self._argument)
                workspace = max(workspace, plan.workspace_bytes)
            phases.append(DepthPhase(first, reaching, plan, window))
        counts = [len(range(phase.first, v.size[0], stride)) for phase in phases]
        plans = [(phase.plan, n) for phase, n in zip(phases, counts, strict=True) if phase.plan is not None]
        self._settle(
            _run=self._run_slices,
            _depth=size[0],
            _phases=tuple(phases),
            _slice=slice_shape,
            _constant=self._untouched(bias),
            _threads=v.flat.threads or 1,
            workspace_bytes=extra + workspace,
            packed_bytes=sum(plan.packed_bytes for plan, _ in plans),
            multiplications=v.batch * sum(plan.multiplications * n for plan, n in plans),
        )

    def _untouched(self, bias):
        """What a slice without any tap holds, shaped for it."""
        v = self._forward
        value = np.zeros(v.channels) if bias is None else bias.astype(np.float64)
        value = np.clip(value, *v.flat.bounds)
        if self.out_dtype.kind in "iu":
            info = np.iinfo(self.out_dtype)
            value = np.clip(np.rint(np.where(np.isnan(value), 0, value)), info.min, info.max)
        with np.errstate(all="ignore"):  # bounds beyond float16 become infinities, as in a convolution
            value = value.astype(self.out_dtype)
        return value if v.channels_last else value[:, None, None]

    def __call__(self, x, out=None, workspace=None):
        """
        Convolve x.

        Parameters
        ----------
        x : array_like
            Of `input_shape` and `dtype`.
        out : ndarray, optional
            Array of `output_shape` and `out_dtype` that does not overlap x; of any strides, as in
            `pyconv.Plan`.
        workspace : buffer, optional
            Writable, aligned to 64 bytes, of at least `workspace_bytes`; see `new_workspace`.

        Returns
        -------
        ndarray
            `out`, or a new array of `output_shape`.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As in `pyconv.Plan`.
        """
        return self._call(x, out, workspace, None)

    def _run_images(self, x, _residual, out, workspace):
        plan = self._plan
        plan(x.reshape(plan.input_shape), out.reshape(plan.output_shape), workspace)

    def _run_slices(self, x, _residual, out, workspace):
        v = self._forward
        x, out = x.reshape(v.batch, *x.shape[-4:]), out.reshape(v.batch, *out.shape[-4:])
        for phase in self._phases:
            window, rest = carve(workspace, phase.window, self.dtype)
            if not v.channels_last:
                result, rest = carve(rest, self._slice, self.out_dtype)
            for n, a in product(range(v.batch), range(phase.first, v.size[0], v.stride[0])):
                target = out[n, a] if v.channels_last else out[n, :, a]
                if phase.plan is None:
                    target[...] = self._constant
                    continue
                reading = [(a + v.padding[0][0] - t * v.dilation[0]) // v.stride[0] for t in phase.taps]
                places = [i if 0 <= i < self._depth else -1 for i in reading]
                fill(window, x[n], places, v.flat.groups, v.channels_last, 0, self._threads)
                if v.channels_last:
                    phase.plan(window, target, rest)
                else:
                    phase.plan(window, result, rest)
                    copy_array(result, target, self._threads)

    def __repr__(self):
        types = type_words(self.dtype, self.weight_dtype, self.out_dtype)
        return f"<pyconv.TransposedVolumePlan {types} {self.input_shape} -> {self.output_shape}>"
