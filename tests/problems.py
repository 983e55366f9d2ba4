# SPDX-License-Identifier: BSD-3-Clause
"""A hypothesis strategy for the whole parameter space of conv2d, and a list of shapes that break kernels."""

from dataclasses import dataclass

import numpy as np
from elements import AVAILABLE, as_element
from helpers import element, integers, normal, reference
from hypothesis import strategies as st


@dataclass(frozen=True)
class Problem:
    """Shapes and keywords of one call; `arrays` fills them with reproducible data."""

    x_shape: tuple
    w_shape: tuple
    geometry: dict  # stride, padding, padding_mode, dilation, groups, layout
    dtype: str = "float32"  # of weight and bias
    bias: bool = False
    residual: bool = False
    activation: object = None
    seed: int = 0
    x_dtype: str | None = None  # that of the weight
    out_dtype: str | None = None  # that of the weight

    def arrays(self, fill=normal):
        """Return x, weight, bias or None, residual or None."""
        x, w = (
            self._filled(fill, self.x_shape, self.x_dtype, 0),
            fill(self.w_shape, self.dtype, self.seed + 1),
        )
        b = fill(self.w_shape[0], self.dtype, self.seed + 2) if self.bias else None
        if not self.residual:
            return x, w, b, None
        shape = reference(np.zeros(self.x_shape), np.zeros(self.w_shape), **self.geometry).shape
        return x, w, b, self._filled(fill, shape, self.out_dtype, 3)

    def _filled(self, fill, shape, dtype, number):
        """Integer types hold whole numbers, of some size where they are random."""
        if dtype is None:
            return fill(shape, self.dtype, self.seed + number)
        dtype, values = element(dtype), fill(shape, "float64", self.seed + number)
        if dtype.kind in "iu":
            values = values if fill is integers else values * 32
            values = np.abs(values) if dtype.kind == "u" else values
        return as_element(values, dtype)

    def exact(self):
        """Return small-integer arrays and the exact result."""
        x, w, b, r = self.arrays(integers)
        return (x, w, b, r), reference(x, w, b, residual=r, activation=self.activation, **self.geometry)


def _pair(values):
    return st.one_of(values, st.tuples(values, values))


def _both(value):
    return value if isinstance(value, tuple) else (value, value)


def borders(element_type="float32"):
    """Padding modes; constants that the element type can hold."""
    constants = [-2, 3, 100] if element_type[0] != "u" else [1, 3, 200]
    words = ["zeros", "reflect", "replicate", "circular", "symmetric"]
    return st.sampled_from([*words, *(("constant", value) for value in constants)])


@st.composite
def problems(draw, dtypes=("float32", "float64", "float16"), groups=(1, 2, 3), elements=False, **fixed):
    """
    Any legal problem of a size that a test can afford. Keywords fix members of `geometry`.

    elements: x and the result are of any element types.
    """
    types = st.sampled_from(AVAILABLE)
    x_dtype, out_dtype = (draw(types), draw(st.none() | types)) if elements else (None, None)
    g = draw(st.sampled_from(groups))
    ic, oc = g * draw(st.integers(1, 6)), g * draw(st.integers(1, 9))
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)) | st.just((3, 3)) | st.just((1, 1)))
    geometry = {
        "stride": draw(_pair(st.integers(1, 3))),
        "dilation": draw(_pair(st.integers(1, 3))),
        "padding_mode": draw(borders(x_dtype or "float32")),
        "layout": draw(st.sampled_from(["NCHW", "NHWC"])),
        "groups": g,
        **fixed,
    }
    amounts = st.integers(0, 4)
    forms = st.sampled_from(["valid", "same", "same_lower", "full"])
    geometry.setdefault("padding", draw(amounts | st.tuples(_pair(amounts), _pair(amounts)) | forms))

    # The smallest image that the kernel admits, and up to 16 more.
    size = []
    for axis in (0, 1):
        extent = (kernel[axis] - 1) * _both(geometry["dilation"])[axis] + 1
        padding = geometry["padding"]
        if isinstance(padding, str):
            least = extent if padding == "valid" else 1
        else:
            least = max(1, extent - sum(_both(_both(padding)[axis])))
        size.append(least + draw(st.integers(0, 16)))

    lead = draw(st.sampled_from([(), (1,), (2,), (3,), (2, 2), (1, 1, 2)]))
    image = (ic, *size) if geometry["layout"] == "NCHW" else (*size, ic)
    return Problem(
        x_shape=(*lead, *image),
        w_shape=(oc, ic // g, *kernel),
        geometry=geometry,
        dtype=draw(st.sampled_from(dtypes)),
        bias=draw(st.booleans()),
        residual=draw(st.booleans()),
        activation=draw(st.sampled_from([None, "relu", "relu6", ("clip", -1.5, 2.0)])),
        seed=draw(st.integers(0, 1000)),
        x_dtype=x_dtype,
        out_dtype=out_dtype,
    )


def _fixed(n, ic, ih, iw, oc, kh, kw, **geometry):
    return Problem((n, ic, ih, iw), (oc, ic // geometry.get("groups", 1), kh, kw), geometry)


# Sizes one below, at and above the widths of vectors and tiles (4 8 14 16 32), primes, ones, and lone rows.
EDGE_CASES = [
    _fixed(1, 1, 1, 1, 1, 1, 1),
    _fixed(1, 1, 7, 7, 1, 3, 3),
    _fixed(2, 3, 5, 5, 2, 5, 5),
    _fixed(1, 3, 8, 8, 4, 3, 3, padding=1),
    _fixed(1, 4, 1, 37, 5, 1, 3, padding=(0, 1)),
    _fixed(1, 4, 37, 1, 5, 3, 1, padding=(1, 0)),
    _fixed(3, 5, 11, 13, 7, 3, 3, padding=1),
    _fixed(1, 13, 14, 14, 13, 3, 3, padding=1),
    _fixed(1, 14, 15, 17, 14, 3, 3, padding=1),
    _fixed(1, 15, 16, 16, 15, 3, 3, padding=1),
    _fixed(2, 16, 16, 16, 16, 3, 3, padding=1),
    _fixed(1, 17, 18, 19, 17, 3, 3, padding=1),
    _fixed(1, 31, 9, 9, 31, 3, 3),
    _fixed(1, 32, 10, 10, 32, 3, 3),
    _fixed(1, 33, 11, 11, 33, 3, 3),
    _fixed(1, 64, 7, 7, 65, 3, 3, padding=1),
    _fixed(1, 127, 7, 7, 29, 1, 1),
    _fixed(2, 16, 4, 8, 32, 1, 1),
    _fixed(2, 9, 13, 13, 33, 1, 1, stride=2),
    _fixed(1, 300, 3, 3, 15, 1, 1),
    _fixed(1, 3, 23, 23, 16, 7, 7, stride=2, padding=3),
    _fixed(1, 3, 35, 35, 17, 11, 11, stride=4),
    _fixed(1, 8, 13, 13, 12, 5, 5, padding=2),
    _fixed(1, 6, 17, 17, 10, 1, 7, padding=(0, 3)),
    _fixed(1, 6, 17, 17, 10, 7, 1, padding=(3, 0)),
    _fixed(1, 5, 19, 21, 9, 3, 3, stride=2, padding=1),
    _fixed(1, 5, 20, 21, 9, 3, 3, stride=(2, 3), padding=((0, 1), (2, 0))),
    _fixed(1, 4, 20, 21, 9, 3, 3, padding=2, dilation=2),
    _fixed(1, 4, 20, 30, 9, 2, 4, padding=(1, 5), dilation=(1, 4)),
    _fixed(1, 16, 14, 14, 16, 3, 3, padding=1, groups=16),
    _fixed(2, 17, 15, 13, 17, 3, 3, padding=1, groups=17, stride=2),
    _fixed(1, 7, 15, 40, 7, 5, 5, padding=2, groups=7),
    _fixed(1, 5, 9, 33, 15, 3, 3, padding=1, groups=5),
    _fixed(1, 16, 9, 9, 16, 3, 3, padding=1, groups=4),
    _fixed(1, 12, 9, 9, 18, 3, 3, padding=1, groups=3),
    _fixed(1, 1, 40, 41, 3, 15, 15, padding=7),
    _fixed(1, 3, 33, 33, 3, 31, 31, padding=15, groups=3),
    _fixed(1, 2, 2, 2, 3, 5, 5, padding=2),
    _fixed(1, 2, 3, 50, 3, 3, 3, padding=5),
    _fixed(5, 2, 6, 6, 3, 6, 6),
]

# Larger than one block of a blocked product in channels, in filters or in pixels.
BLOCKED_CASES = [
    _fixed(1, 300, 7, 9, 131, 3, 3, padding=1),
    _fixed(1, 70, 20, 23, 300, 3, 3, padding=1),
    _fixed(1, 5, 121, 133, 33, 3, 3, padding=1),
    _fixed(1, 3, 150, 170, 35, 7, 7, stride=2, padding=3),
    _fixed(2, 1030, 6, 7, 270, 1, 1),
    _fixed(1, 33, 90, 101, 50, 1, 1),
    _fixed(3, 260, 15, 15, 140, 1, 1, stride=2),
    _fixed(1, 130, 30, 33, 260, 3, 3, padding=((0, 2), (1, 0)), groups=2),
    _fixed(2, 70, 57, 59, 70, 3, 3, padding=1, groups=70),
    _fixed(1, 40, 61, 60, 80, 5, 5, padding=2, stride=2, groups=40),
    _fixed(1, 24, 40, 43, 33, 3, 3, padding=3, dilation=3),
]
