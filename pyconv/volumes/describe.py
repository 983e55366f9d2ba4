# SPDX-License-Identifier: BSD-3-Clause
"""
A convolution of volumes in a caller's words, as what plans are made of: sizes of three axes, and a `Problem`
of two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._arguments import _same, integer, parse_word
from .._kernels import Problem
from .._problem import problem

LAYOUTS_3D = {"NCDHW": "NCHW", "NDHWC": "NHWC"}  # and those of the slices
LARGEST_BITS, LARGEST_BATCH_BITS, LARGEST_ARRAY_BITS = 40, 44, 49  # as in core/problem.pxd

Triple = tuple[int, int, int]
SixSides = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def triple(value: Any, name: str) -> Triple:
    """``2`` or ``(1, 2, 2)`` as (slices, rows, columns)."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if isinstance(value, (tuple, list)):
        if len(value) != 3:
            raise ValueError(f"{name} must be an int or three, has {len(value)} values")
        return integer(value[0], name), integer(value[1], name), integer(value[2], name)
    value = integer(value, name)
    return value, value, value


def six_sides(
    value: Any, size: Sequence[int], kernel: Sequence[int], stride: Triple, dilation: Triple
) -> SixSides:
    """Every form of padding as ((front, back), (top, bottom), (left, right))."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if isinstance(value, str):
        axes = zip(size, kernel, stride, dilation, strict=True)
        if value == "valid":
            sides = [(0, 0)] * 3
        elif value in ("same", "same_lower"):
            sides = [_same(*axis, value == "same") for axis in axes]
        elif value == "full":
            sides = [((k - 1) * d, (k - 1) * d) for _, k, _, d in axes]
        else:
            raise ValueError(
                "padding must be an int, three, ((front, back), (top, bottom), (left, right)), 'valid', "
                f"'same', 'same_lower' or 'full', is {value!r}"
            )
    elif isinstance(value, (tuple, list)):
        if len(value) != 3 or any(isinstance(v, (tuple, list)) and len(v) != 2 for v in value):
            raise ValueError(
                "padding must be an int, three or ((front, back), (top, bottom), (left, right)), "
                f"is {value!r}"
            )
        pairs = [v if isinstance(v, (tuple, list)) else (v, v) for v in value]
        sides = [(integer(a, "padding"), integer(b, "padding")) for a, b in pairs]
    else:
        both = integer(value, "padding")
        sides = [(both, both)] * 3
    slices, rows, columns = sides
    return slices, rows, columns


def check_volume(x_shape, weight_shape, x="x"):
    """Raises unless volumes and filters have three axes."""
    if len(x_shape) < 4:
        raise ValueError(
            f"{x} must have at least 4 dimensions (channels, slices, rows, columns), has shape {x_shape}"
        )
    if len(x_shape) > 32:
        raise ValueError(f"{x} has {len(x_shape)} dimensions, at most 32 are possible")
    if len(weight_shape) != 5:
        raise ValueError(
            "weight must have 5 dimensions (filters, channels / groups, slices, rows, columns), "
            f"has shape {weight_shape}"
        )


@dataclass(frozen=True)
class Volume:
    """
    A convolution of volumes, validated; of slices, rows and columns where three numbers stand.

    `flat` is the same without its first axis, which carries what the axes don't change: groups, types,
    border, activation, algorithm, accuracy, budget and threads.
    """

    x_shape: tuple
    weight_shape: tuple
    y_shape: tuple
    channels_last: bool
    batch: int
    size: Triple
    kernel: Triple
    outputs: Triple
    stride: Triple
    dilation: Triple
    padding: SixSides
    flat: Problem

    @property
    def channels(self):
        return self.weight_shape[1] * self.flat.groups

    @property
    def filters(self):
        return self.weight_shape[0]

    def is_thin(self, axis):
        """Whether the convolution does nothing along an axis."""
        return self.kernel[axis] == self.stride[axis] == 1 and self.padding[axis] == (0, 0)

    @property
    def numbers(self):
        """Of the axes, for the extension."""
        before = tuple(side[0] for side in self.padding)
        return (self.batch, *self.size, *self.kernel, *self.outputs, *self.stride, *self.dilation, *before)

    @property
    def is_depthwise(self):
        """Whether each channel has one filter."""
        return self.channels == self.filters == self.flat.groups

    def slice_problem(self, taps, **changes):
        """One slice of the result, under so many slices of x as channels."""
        words = {
            "x_shape": self.in_layout(taps * self.channels, *self.size[1:]),
            "weight_shape": (self.filters, taps * self.weight_shape[1], *self.kernel[1:]),
            "stride": self.stride[1:],
            "dilation": self.dilation[1:],
            "padding": (*self.padding[1], *self.padding[2]),
        }
        return self.flat.derive(**words | changes)

    def in_layout(self, channels, *image):
        return (*image, channels) if self.channels_last else (channels, *image)


def _check_axes(x, size, channels, weight_shape, stride, dilation, padding):
    """The rules of `problem_init`, of three axes."""
    kernel = weight_shape[2:]
    if min(size) < 1:
        raise ValueError(
            f"{x} needs at least one slice, row and column, has {channels} channels of "
            f"{'x'.join(map(str, size))}"
        )
    if min(kernel) < 1:
        raise ValueError(f"weight needs at least one slice, row and column, has shape {weight_shape}")
    if min(stride) < 1:
        raise ValueError(f"stride must be positive, is {stride}")
    if min(dilation) < 1:
        raise ValueError(f"dilation must be positive (1 means none), is {dilation}")
    if min(map(min, padding)) < 0:
        raise ValueError(f"padding must not be negative, is {padding}")


def _overflows(batch, channels, size, weight_shape, stride, dilation, padding, groups):
    """
    Whether a size, or the elements of an array, are more than the sums and products of sizes leave room for.
    """
    kernel = weight_shape[2:]
    padded = [i + sum(p) for i, p in zip(size, padding, strict=True)]
    reach = [k * d for k, d in zip(kernel, dilation, strict=True)]
    sizes = (channels, weight_shape[0], groups, *size, *stride, *reach, *padded)
    return (
        batch >> LARGEST_BATCH_BITS
        or max(sizes) >> LARGEST_BITS
        or math.prod((max(batch, 1), max(channels, 1), *padded)) >> LARGEST_ARRAY_BITS
        or math.prod(max(s, 1) for s in weight_shape) >> LARGEST_ARRAY_BITS
    )


def volume(
    x_shape,
    dtype,
    weight_shape,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCDHW",
    x="x",
    **words,
):
    """A `Volume` of the keywords of `pyconv.conv3d`; further ones are those of `pyconv._problem.problem`."""
    flat_layout = parse_word(layout, LAYOUTS_3D, "layout")
    stride, dilation = triple(stride, "stride"), triple(dilation, "dilation")
    groups = integer(groups, "groups")
    check_volume(x_shape, weight_shape, x)
    last = flat_layout == "NHWC"
    size, kernel = x_shape[-4:-1] if last else x_shape[-3:], weight_shape[2:]
    channels = x_shape[-1 if last else -4]
    sides = six_sides(padding, size, kernel, stride, dilation)
    _check_axes(x, size, channels, weight_shape, stride, dilation, sides)
    batch = math.prod(x_shape[:-4])
    overflow = ValueError(
        f"the sizes overflow: {x} {x_shape}, weight {weight_shape}, stride {stride}, dilation {dilation}, "
        f"padding {sides}, groups {groups}"
    )
    if _overflows(batch, channels, size, weight_shape, stride, dilation, sides, groups):
        raise overflow
    # Of one row and column, which any kernel fits: what is wrong with the axes is said below, in
    # three numbers.
    flat = problem(
        (1, 1, channels) if last else (channels, 1, 1),
        dtype,
        (*weight_shape[:2], 1, 1),
        groups=groups,
        layout=flat_layout,
        x=x,
        **words,
    )
    outputs = tuple(
        (i + sum(p) - d * (k - 1) - 1) // s + 1
        for i, k, s, d, p in zip(size, kernel, stride, dilation, sides, strict=True)
    )
    if min(outputs) < 1:
        raise ValueError(
            f"a {'x'.join(map(str, kernel))} kernel with dilation {dilation} is larger than the "
            f"{'x'.join(map(str, size))} input with padding {sides}"
        )
    if math.prod((max(batch, 1), max(weight_shape[0], 1), *outputs)) >> LARGEST_ARRAY_BITS:
        raise overflow
    filters = weight_shape[0]
    shape = (*x_shape[:-4], *outputs, filters) if last else (*x_shape[:-4], filters, *outputs)
    return Volume(
        x_shape, weight_shape, shape, last, batch, size, kernel, outputs, stride, dilation, sides, flat
    )
