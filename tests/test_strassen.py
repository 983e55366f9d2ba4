# SPDX-License-Identifier: BSD-3-Clause
"""Strassen's recursion: odd sides, several levels, what it holds and multiplies, counted by hand."""

import numpy as np
import pytest
from helpers import Guarded, integers, normal, reference, relative_error

import pyconv


def strassen(x, w, **keywords):
    return pyconv.conv2d(x, w, algorithm="strassen", accuracy="fast", **keywords)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("filters", [2, 3, 8, 9])
@pytest.mark.parametrize("columns", [2, 3, 8, 11])
@pytest.mark.parametrize("channels", [2, 3, 8, 13])
def test_odd_sides_are_peeled_off(filters, columns, channels, layout):
    """Sums of small integers are exact in any order: the result is, too."""
    x, w = integers((2, channels, 1, columns)), integers((filters, channels, 1, 1), seed=1)
    exact = reference(x, w)
    if layout == "NHWC":
        x, exact = np.ascontiguousarray(x.transpose(0, 2, 3, 1)), exact.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(strassen(x, w, layout=layout), exact)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_two_levels_with_odd_sides_at_both(layout):
    """8195 filters, 8199 channels, 83x99 = 8217 pixels; halves of 4097, 4099 and 4108."""
    x, w = integers((8199, 83, 99), density=0.1), integers((8195, 8199, 1, 1), seed=1, density=0.1)
    expected = np.tensordot(w[:, :, 0, 0], x, 1)
    if layout == "NHWC":
        x, expected = np.ascontiguousarray(x.transpose(1, 2, 0)), expected.transpose(1, 2, 0)
    plan = pyconv.plan(x.shape, w, layout=layout, algorithm="strassen", accuracy="fast")
    np.testing.assert_array_equal(plan(x), expected)
    m, n, k = (8195, 8217, 8199) if layout == "NCHW" else (8217, 8195, 8199)
    temporaries = sum((m >> e) * max(k >> e, n >> e) + (k >> e) * (n >> e) for e in (1, 2))
    patches = 0 if layout == "NCHW" else -(-4 * 8199 * 8217 // 64) * 64
    assert plan.workspace_bytes == patches + 4 * temporaries
    leaf = (m >> 2) * (n >> 2) * (k >> 2)
    first = m * n * k - 8 * (m >> 1) * (n >> 1) * (k >> 1)
    second = (m >> 1) * (n >> 1) * (k >> 1) - 8 * leaf
    assert plan.multiplications == first + 7 * second + 49 * leaf


def test_an_eighth_of_the_multiplications_is_saved():
    plan = pyconv.plan((3, 8, 6, 6), normal((4, 8, 3, 3)), algorithm="strassen", accuracy="fast")
    assert plan.multiplications == 3 * 7 * 2 * 8 * 36  # quadrants 2 x 8 of filters by pixels, 36 deep
    assert plan.workspace_bytes == 4 * (72 * 16 + 2 * 36 + 36 * 8)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("filters, channels", [(40, 6), (6, 40), (40, 40)])
def test_fewer_pixels_than_filters_or_channels(filters, channels, layout):
    """y is filters by pixels in NCHW, pixels by filters in NHWC, and its temporaries are so, too."""
    x, w = integers((channels, 2, 4)), integers((filters, channels, 1, 1), seed=1)
    exact = reference(x, w)
    if layout == "NHWC":
        x, exact = np.ascontiguousarray(x.transpose(1, 2, 0)), exact.transpose(1, 2, 0)
    plan = pyconv.plan(x.shape, w, layout=layout, algorithm="strassen", accuracy="fast")
    m, n, k = (filters, 8, channels) if layout == "NCHW" else (8, filters, channels)
    patches = 0 if layout == "NCHW" else 4 * channels * 8
    assert plan.workspace_bytes == patches + (m // 2 * max(k, n) // 2 + k // 2 * n // 2) * 4
    workspace = Guarded(plan.workspace_bytes, np.uint8, 0xFF)
    np.testing.assert_array_equal(plan(x, workspace=workspace.array), exact)
    assert workspace.intact()


def test_typical_error():
    x, w = normal((1, 600, 20, 21)), normal((520, 600, 1, 1), seed=1)
    exact = reference(x, w)
    im2col = relative_error(pyconv.conv2d(x, w, algorithm="im2col"), exact)
    assert relative_error(strassen(x, w), exact) <= 16 * im2col


def test_it_says_why_not():
    with pytest.raises(pyconv.UnsupportedError, match="side of 1"):
        strassen(normal((1, 4, 9, 9)), normal((1, 4, 3, 3)))
    with pytest.raises(pyconv.UnsupportedError, match="fast"):
        pyconv.conv2d(normal((1, 4, 9, 9)), normal((2, 4, 3, 3)), algorithm="strassen")


def test_a_nan_stays_in_its_image_and_group():
    x, w = normal((3, 8, 9, 9)), normal((8, 4, 3, 3), seed=1)
    x[1, 0, 4, 4] = np.nan
    y = strassen(x, w, groups=2)
    assert np.isnan(y[1, :4, 2:5, 2:5]).all()
    assert np.isfinite(y[[0, 2]]).all() and np.isfinite(y[1, 4:]).all()
