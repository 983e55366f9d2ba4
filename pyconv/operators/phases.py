# SPDX-License-Identifier: BSD-3-Clause
"""
Transposed convolution without a zero in between: one convolution of stride 1 for each phase of the stride.

y[o, i*sh + r*dh - ph, j*sw + s*dw - pw] += x[c, i, j] * weight[c, o, r, s]

Outputs a, a + sh, a + 2*sh, ... of an axis are reached by the taps r with r*dh = a + ph modulo sh alone,
which stand sh/gcd(sh, dh) apart: a correlation of x with these taps, turned round, dilated by dh/gcd(sh, dh).
"""

import math
from collections import defaultdict
from itertools import product
from typing import NamedTuple

import numpy as np

from .._kernels import (
    LAYOUTS,
    Plan,
    Problem,
    UnsupportedError,
    as_operand,
    copy_array,
    pick_kernel,
    strided,
    type_words,
)
from .composed import ComposedPlan, aligned_bytes, carve, memory_for
from .together import choose, pack

MOST_PHASES = 8  # of a row of pixels, that are computed together
FEW_FILTERS = 32  # per group: then phases share one convolution, which fills its tiles better


class Phase(NamedTuple):
    """Outputs first, first + stride, ... of one axis, `outputs` of them, as a convolution of stride 1."""

    first: int
    outputs: int
    taps: slice  # of the kernel, turned round
    length: int  # taps
    dilation: int
    before: int  # padding; where negative, the convolution makes so many outputs too many
    after: int


def phases(size, outputs, kernel, stride, dilation, padding):
    """The phases of one axis that have taps: `size` inputs, `padding` before the first."""
    common = math.gcd(stride, dilation)
    step = stride // common
    found = []
    for tap in range(min(step, kernel)):
        first = (tap * dilation - padding) % stride
        if first >= outputs:
            continue
        count = (outputs - first - 1) // stride + 1
        length = (kernel - tap - 1) // step + 1
        reach = (length - 1) * (dilation // common)
        base = (first + padding - tap * dilation) // stride
        last = tap + (length - 1) * step
        taps = slice(last, tap - step if tap >= step else None, -step)
        found.append(Phase(first, count, taps, length, dilation // common, reach - base, count + base - size))
    return found


def cut_phases(forward, x_shape):
    """
    The phases of the gradient of `forward`, a conv2d of results of `x_shape`.

    Returns
    -------
    Problem
        `forward`; of images of a single row, or column, no two paintings overlap, so there the stride is as
        long as a kernel, and each output has one tap.
    (int, int)
        Rows and columns of the input.
    (list of Phase, list of Phase)
    dict
        Values: lists of the phases (rows, columns) that would share a convolution.
    """
    lines = slice(-2, None) if forward.layout == LAYOUTS["NCHW"] else slice(-3, -1)
    size, kernel = x_shape[lines], forward.weight_shape[2:]
    stride = tuple(
        max(s, d * (k - 1) + 1) if length == 1 and d * (k - 1) < MOST_PHASES else s
        for s, d, k, length in zip(forward.stride, forward.dilation, kernel, size, strict=True)
    )
    if stride != forward.stride:
        forward = forward.derive(stride=stride)
    ends = forward.x_shape[lines], kernel, stride, forward.dilation, forward.padding[::2]
    axes = [phases(*axis) for axis in zip(size, *ends, strict=True)]
    shared = defaultdict(list)
    for rows, columns in product(*axes):
        few = forward.weight_shape[1] <= FEW_FILTERS
        alike = (rows.length, columns.length) if few else (rows.first, columns.first)
        shared[alike].append((rows, columns))
    return forward, size, axes, shared


def padding_of(parts):
    """What phases that share a convolution need together: (top, bottom), (left, right)."""
    return tuple(
        (max(0, *(part[axis].before for part in parts)), max(0, *(part[axis].after for part in parts)))
        for axis in (0, 1)
    )


def result_bytes(forward, x_shape, size, parts):
    """Of the convolution that some phases share, before it is spread; to a multiple of 64."""
    outputs = [
        inputs + sum(padding) - (axis.length - 1) * axis.dilation
        for inputs, padding, axis in zip(size, padding_of(parts), parts[0], strict=True)
    ]
    channels = forward.groups * len(parts) * forward.weight_shape[1]
    return aligned_bytes((*x_shape[:-3], channels, *outputs), forward.out_dtype)


def in_place(forward, shared):
    """Whether the one convolution there is writes the result itself: it makes no output too many."""
    return forward.stride == (1, 1) and all(
        axis.before >= 0 and axis.after >= 0 for parts in shared.values() for axis in parts[0]
    )


def describe(forward, x_shape, parts, budget=None, argument="x"):
    """The convolution of some phases that share it."""
    rows, columns = padding_of(parts)
    filters, channels = forward.weight_shape[:2]
    return forward.derive(
        x_shape=x_shape,
        weight_shape=(
            forward.groups * len(parts) * channels,
            filters // forward.groups,
            *(axis.length for axis in parts[0]),
        ),
        stride=(1, 1),
        padding=(*rows, *columns),
        dilation=tuple(axis.dilation for axis in parts[0]),
        max_workspace=budget,
        x=argument,
    )


class Bundle(NamedTuple):
    """Neighbouring parts of a convolution whose outputs stand side by side; `columns` is the first's."""

    first: int
    parts: int  # how many
    rows: Phase
    columns: Phase


def bundles(parts, stride):
    """
    All parts, at strides of 3 or more in bundles: one by one they would fill each line of the result many
    times. At stride 2 there is a loop for it.
    """
    found = []
    for i, (rows, columns) in enumerate(parts):
        if found and stride[1] > 2:
            first, count, above, left = found[-1]
            if (
                rows is above
                and columns[:2] == (left.first + count, left.outputs)
                and columns.before == left.before
            ):
                found[-1] = Bundle(first, count + 1, above, left)
                continue
        found.append(Bundle(i, 1, rows, columns))
    return tuple(found)


class Job(NamedTuple):
    """One convolution and the phases (rows, columns) whose filters it holds, in this order in each group."""

    problem: Problem
    plan: Plan | None  # None: of weights that there is no room to keep, made at each call
    bias: np.ndarray | None
    parts: tuple
    bundles: tuple


class TransposedPlan(ComposedPlan):
    """
    A transposed convolution made ready for one input shape: packed weights for each phase of the stride.

    All phases are computed in one pass over the input, or one after the other, as is predicted to be faster.

    Made by `pyconv.plan_conv_transpose2d`. Immutable, so that threads may share it; each concurrent call
    needs a workspace of its own.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
    dtype, weight_dtype, out_dtype : numpy.dtype
        Of input; of weights and bias; of output.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes.
    packed_bytes : int
        Bytes of weights that the plan keeps. Where `max_workspace` has no room for them, each call picks them
        from the caller's array anew.
    multiplications : int
    """

    def __init__(self, forward, x_shape, weight, bias=None, argument="x", once=False):
        """
        `forward` describes the conv2d whose gradient this is: of images such as the result.

        `once` reckons with the packing of the weights, for one call.
        """
        forward, size, axes, shared = cut_phases(forward, x_shape)
        nchw, stride, groups = forward.layout == LAYOUTS["NCHW"], forward.stride, forward.groups
        ocg = weight.shape[1]
        self._settle(
            _argument=argument,
            _nchw=nchw,
            _groups=groups,
            _ocg=ocg,
            _stride=stride,
            _engine=None,
            dtype=forward.dtype,
            weight_dtype=forward.weight_dtype,
            out_dtype=forward.out_dtype,
            input_shape=x_shape,
            output_shape=forward.x_shape,
        )

        def described(parts, budget=None):
            return describe(forward, x_shape, parts, budget, argument)

        if shared and self._together(forward, size, axes, shared, described, once, weight, bias):
            return
        direct = in_place(forward, shared)
        budget = forward.max_workspace
        results = [result_bytes(forward, x_shape, size, parts) for parts in shared.values()]
        result = 0 if direct else max(results, default=0)
        if budget is not None:
            if budget < result:
                raise UnsupportedError(
                    f"a transposed convolution of {argument} {self.input_shape} to {self.output_shape} needs "
                    f"{result} bytes of workspace for one phase, max_workspace allows {budget}"
                )
            budget = (budget - result) // max(len(shared), 1)
        jobs, threads, workspace, packed, multiplications = [], 1, 0, 0, 0
        for parts in shared.values():
            kernel = self._kernel(weight, parts)
            several = bias if bias is None else np.stack([bias.reshape(groups, ocg)] * len(parts), 1).ravel()
            described_part = described(parts, budget)
            # A plan without packed weights reads the kernel, which is kept for it.
            prepared = Plan(described_part, kernel, several, borrow=once)
            held = prepared.packed_bytes or kernel.nbytes
            keeps = budget is None or prepared.workspace_bytes + held <= budget
            jobs.append(
                Job(
                    described_part, prepared if keeps else None, several, tuple(parts), bundles(parts, stride)
                )
            )
            threads = max(threads, prepared.threads)
            workspace = max(workspace, prepared.workspace_bytes)
            packed += held if keeps else 0
            multiplications += prepared.multiplications
        picks = any(job.plan is None for job in jobs)
        self._settle(
            _direct=direct,
            _constant=self._untouched(axes, bias, forward.bounds),
            _jobs=tuple(jobs),
            _threads=threads,
            _operands=(("weight", weight),) if picks else (),
            _weight=weight if picks else None,
            workspace_bytes=result + workspace,
            packed_bytes=packed,
            multiplications=multiplications,
        )

    @classmethod
    def of_one_call(cls, *arguments):
        """What `once` makes."""
        return cls(*arguments, once=True)

    def _together(self, forward, size, axes, shared, described, once, weight, bias):
        """Whether all phases are computed in one pass; then that is all there is to the plan."""
        engine, alone = choose(forward, size, axes, once, described, shared.values())

        def pick(parts):
            return self._kernel(weight, parts)

        if engine is None or not pack(engine, forward, axes, alone, once, described, pick, weight, bias):
            return False
        self._settle(
            _engine=engine,
            workspace_bytes=engine.workspace_bytes,
            packed_bytes=engine.packed_bytes,
            multiplications=engine.multiplications,
        )
        return True

    def _kernel(self, weight, parts):
        """
        The filters of phases that share a convolution: for each group, each phase, each output channel.

        kernel[g, i, o, c] = weight[g * icg + c, o], at the taps of phase i; the phases are all pairs
        of some rows and columns.
        """
        groups, channels = self._groups, weight.shape[0] // self._groups
        weight = as_operand(weight, "weight")
        rows, columns = (
            list({phase.first: phase for phase in axis}.values()) for axis in zip(*parts, strict=True)
        )
        shape = (groups, len(rows), len(columns), self._ocg, channels, rows[0].length, columns[0].length)
        with memory_for(math.prod(shape) * weight.itemsize, "the weights of a phase"):
            kernel = np.empty(shape, weight.dtype)
        firsts = (tuple(phase.taps.start for phase in axis) for axis in (rows, columns))
        pick_kernel(weight, *firsts, (-rows[0].taps.step, -columns[0].taps.step), kernel)
        return kernel.reshape(groups * len(parts) * self._ocg, *shape[4:])

    def _in_layout(self, channels, rows, columns):
        return (channels, rows, columns) if self._nchw else (rows, columns, channels)

    def _untouched(self, axes, bias, bounds):
        """What outputs without any tap hold, shaped for the result, or None where there are none."""
        image = self.output_shape[-2:] if self._nchw else self.output_shape[-3:-1]
        if len(axes[0]) * len(axes[1]) == math.prod(map(min, self._stride, image)):
            return None
        oc = self._groups * self._ocg
        constant = np.zeros(oc) if bias is None else bias.astype(np.float64)
        if constant.size == 0:
            return None
        constant = np.clip(constant, *bounds)
        if self.out_dtype.kind in "iu":
            ends = np.iinfo(self.out_dtype)
            constant = np.clip(np.rint(np.nan_to_num(constant)), ends.min, ends.max)
        with np.errstate(all="ignore"):  # bounds beyond float16 become infinities, as in a convolution
            return constant.astype(self.out_dtype).reshape(self._in_layout(oc, 1, 1))

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

    def _run(self, x, _residual, out, workspace):
        if self._engine is not None:
            self._engine.run(x, out, workspace)
            return
        if self._constant is not None:
            out[...] = self._constant
        for job in self._jobs:
            prepared = job.plan or Plan(job.problem, self._kernel(self._weight, job.parts), job.bias)
            if self._direct:
                prepared(x, out, workspace)
                continue
            result, rest = carve(workspace, prepared.output_shape, self.out_dtype)
            prepared(x, result, rest)
            self._spread(job, result, out)

    def _spread(self, job, result, out):
        """Puts the phases of one convolution where they belong in the output."""
        batch, count = math.prod(self.input_shape[:-3]), len(job.parts)
        sh, sw = self._stride
        if self._nchw:
            result = result.reshape(batch, self._groups, count, self._ocg, *result.shape[-2:])
            out = out.reshape(batch, self._groups, self._ocg, *out.shape[-2:])
        else:
            result = result.reshape(batch, *result.shape[-3:-1], self._groups, count, self._ocg)
            out = out.reshape(batch, *out.shape[-3:-1], self._groups, self._ocg)
        (above, _), (left, _) = padding_of(job.parts)
        for first, count, rows, columns in job.bundles:
            h = slice(above - rows.before, above - rows.before + rows.outputs)
            w = slice(left - columns.before, left - columns.before + columns.outputs)
            these = first if count == 1 else slice(first, first + count)
            if self._nchw:
                part, target = result[:, :, these, :, h, w], out[..., rows.first :: sh, columns.first :: sw]
            else:
                part, target = result[:, h, w, :, these], out[:, rows.first :: sh, columns.first :: sw]
            if count > 1:
                order = (0, 1, 3, 4, 5, 2) if self._nchw else (0, 1, 2, 4, 3, 5)
                at, step = (5, out.strides[-1]) if self._nchw else (3, out.strides[2])
                part, strides = part.transpose(order), target.strides
                target = strided(target, part.shape, (*strides[:at], step, *strides[at:]))
            copy_array(part, target, self._threads)

    def __repr__(self):
        types = type_words(self.dtype, self.weight_dtype, self.out_dtype)
        return f"<pyconv.TransposedPlan {types} {self.input_shape} -> {self.output_shape}>"
