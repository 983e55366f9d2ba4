# SPDX-License-Identifier: BSD-3-Clause
"""The fft algorithm: tiles and their borders, what it holds, how far it may be off, how far a NaN reaches."""

import numpy as np
import pytest
from helpers import normal, reference, relative_error

import pyconv


def fft(x, w, b=None, **keywords):
    return pyconv.conv2d(x, w, b, algorithm="fft", **keywords)


@pytest.mark.parametrize("size", [15, 16, 17, 40, 53, 54, 55, 107, 108, 109, 163])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_tiles_meet_at_their_borders(size, layout):
    """One tile, exactly full tiles, one output more, an odd number of tiles: each output against float64."""
    x, w, b = normal((2, 1, size, size + 3)), normal((2, 1, 11, 11), seed=1), normal(2, seed=2)
    exact = reference(x, w, b, padding=5, activation="relu")
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        exact = exact.transpose(0, 2, 3, 1)
    y = fft(x, w, b, padding=5, activation="relu", layout=layout)
    np.testing.assert_allclose(y, exact, atol=3e-5)


@pytest.mark.parametrize("case", [
    ((1, 1, 9, 600), (1, 1, 3, 31), {}),
    ((1, 2, 530, 20), (3, 2, 400, 2), {}),
    ((1, 1, 40, 41), (1, 1, 512, 1), {"padding": (511, 0)}),
    ((1, 3, 50, 60), (9, 3, 5, 7), {"dilation": (4, 6), "padding": ((0, 9), (3, 1))}),
    ((3, 8, 30, 31), (20, 4, 9, 9), {"groups": 2, "padding": "full"}),
    ((1, 6, 20, 20), (12, 1, 13, 13), {"groups": 6, "padding": 6, "padding_mode": "reflect"}),
])  # fmt: skip
@pytest.mark.parametrize("dtype, bound", [("float32", 1e-6), ("float64", 2e-15)])
@pytest.mark.parametrize("threads", [1, 3])
def test_shapes_of_every_kind(case, dtype, bound, threads):
    x_shape, w_shape, keywords = case
    x, w = normal(x_shape, dtype), normal(w_shape, dtype, 1)
    y = fft(x, w, threads=threads, **keywords)
    assert y.dtype == dtype
    assert relative_error(y, reference(x, w, **keywords)) < bound


def test_a_filter_of_one_tap_shifts():
    x, w = normal((1, 1, 64, 64)), np.zeros((1, 1, 21, 21), "f4")
    w[0, 0, 3, 17] = 1
    np.testing.assert_allclose(fft(x, w)[0, 0], x[0, 0, 3:47, 17:61], atol=2e-6)


def test_what_it_holds():
    """A 31x31 kernel on 56x56 pixels: two tiles of 64x96, the real and the imaginary part of one."""
    plan = pyconv.plan(
        (1, 4, 56, 56), normal((4, 1, 31, 31)), padding=15, groups=4, algorithm="fft", threads=1
    )
    spectrum = 2 * 64 * 96
    scratch = 2 * 64 * (96 + 16) + 6 * 96 * 16
    assert plan.workspace_bytes == 4 * (scratch + 2 * spectrum)
    assert plan.packed_bytes == 4 * (4 * spectrum + 2 * (64 + 96) + scratch)
    # 64 points are two passes of 8: 7 butterflies of the first have 7 roots, all 16 have four products
    points_64 = 7 * 7 * 4 + 16 * 4
    # 96 are 4, 8, 3: 23 butterflies with 3 roots; 8 of 12 with 7 roots and four products each; 32 with four
    points_96 = 23 * 3 * 4 + 8 * 7 * 4 + 12 * 4 + 32 * 4
    assert plan.multiplications == 4 * 4 * 64 * 96 + 8 * (96 * points_64 + 64 * points_96)


@pytest.mark.parametrize("keywords, reason", [
    ({"stride": (1, 2)}, "stride 1 only"),
    ({"dilation": (1, 52)}, "more than 512"),
])  # fmt: skip
def test_it_says_why_not(keywords, reason):
    with pytest.raises(pyconv.UnsupportedError, match=reason):
        pyconv.plan((1, 1, 600, 600), normal((1, 1, 11, 11)), algorithm="fft", **keywords)


def test_a_nan_stays_in_its_image_and_its_group():
    x, w = normal((3, 4, 90, 90)), normal((4, 2, 9, 9), seed=1)
    x[1, 0, 40, 40] = np.nan
    y = fft(x, w, groups=2)
    assert np.isnan(y[1, :2, 32:41, 32:41]).all()
    assert np.isfinite(y[[0, 2]]).all() and np.isfinite(y[1, 2:]).all()


def test_strict_never_takes_it():
    x_shape, w = (1, 1, 256, 256), normal((1, 1, 31, 31))
    assert pyconv.plan(x_shape, w, padding=15).algorithm == "fft"
    assert pyconv.plan(x_shape, w, padding=15, accuracy="strict").algorithm != "fft"
