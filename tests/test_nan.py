# SPDX-License-Identifier: BSD-3-Clause
"""How far a NaN or Inf of the input reaches: if ``accuracy="strict"``, the outputs whose window holds it."""

import numpy as np
import pytest
from helpers import normal, plans, reference

import pyconv

CASES = {
    "3x3": ((2, 5, 9, 11), (7, 5, 3, 3), {"padding": 1}),
    "3x3/2": ((2, 5, 9, 11), (7, 5, 3, 3), {"padding": 1, "stride": 2}),
    "dilated": ((1, 3, 12, 12), (4, 3, 3, 3), {"padding": 2, "dilation": 2}),
    "reflect": ((1, 3, 9, 9), (4, 3, 3, 3), {"padding": 2, "padding_mode": "reflect"}),
    "1x1": ((2, 17, 5, 7), (33, 17, 1, 1), {}),
    "1x1/2": ((2, 17, 5, 7), (15, 17, 1, 1), {"stride": 2}),
    "depthwise": ((2, 6, 9, 21), (6, 1, 3, 3), {"groups": 6, "padding": 1}),
    "grouped": ((1, 8, 9, 9), (12, 4, 3, 3), {"groups": 2}),
    "15x15": ((1, 1, 30, 30), (2, 1, 15, 15), {"padding": 7}),
}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", CASES)
def test_reach_is_the_window(case, poison, layout):
    shape, w_shape, geometry = CASES[case]
    n, c, h, w = shape
    weight = np.abs(normal(w_shape, seed=1)) + 0.1
    for place in [
        (n - 1, c // 2, h // 2, w // 2),
        (0, 0, 0, 0),
        (n - 1, c - 1, h - 1, w - 1),
        (0, c - 1, 0, w // 3),
    ]:
        x = np.zeros(shape, "f4")
        x[place] = 1
        reached = reference(x, weight, **geometry) != 0
        x = normal(shape)
        x[place] = poison
        if layout == "NHWC":
            x, reached = np.ascontiguousarray(x.transpose(0, 2, 3, 1)), reached.transpose(0, 2, 3, 1)
        for plan in plans(x.shape, weight, accuracy="strict", layout=layout, **geometry):
            y = plan(x)
            np.testing.assert_array_equal(~np.isfinite(y), reached, err_msg=plan.algorithm)
        y = pyconv.conv2d(x, weight, accuracy="strict", layout=layout, **geometry)
        np.testing.assert_array_equal(~np.isfinite(y), reached)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_whole_image_of_nan_stays_in_its_image(layout):
    x, w = normal((3, 8, 8, 8)), normal((5, 8, 3, 3), seed=1)
    x[1] = np.nan
    for plan in plans(x.shape, w, padding=1, layout=layout):
        y = plan(x)
        assert np.isnan(y[1]).all() and np.isfinite(y[[0, 2]]).all(), plan.algorithm


def test_a_nan_in_one_filter_stays_in_its_output_channel():
    x, w, b = normal((2, 6, 9, 9)), normal((9, 6, 3, 3), seed=1), normal(9, seed=2)
    w[4, 2, 1, 1] = np.nan
    for plan in plans(x.shape, w, b, accuracy="strict"):
        y = plan(x)
        assert np.isnan(y[:, 4]).all() and np.isfinite(np.delete(y, 4, axis=1)).all(), plan.algorithm


def test_infinity_keeps_its_sign():
    x, w = np.ones((1, 2, 6, 6), "f4"), np.ones((3, 2, 3, 3), "f4")
    x[0, 1, 3, 3] = -np.inf
    for plan in plans(x.shape, w, accuracy="strict", names=("direct", "im2col", "im2row", "mec")):
        assert (plan(x)[:, :, 1:4, 1:4] == -np.inf).all(), plan.algorithm


def test_padding_adds_no_nan_to_an_infinite_border():
    """Zeros of the padding meet finite weights only: the sum is the infinity, not NaN."""
    x, w = np.full((1, 1, 4, 4), np.inf, "f4"), np.ones((1, 1, 3, 3), "f4")
    for plan in plans(x.shape, w, padding=1, names=("direct", "im2col", "im2row", "mec")):
        assert (plan(x) == np.inf).all(), plan.algorithm
