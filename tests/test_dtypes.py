# SPDX-License-Identifier: BSD-3-Clause
"""The dtype is kept; float32 and float64 are computed as they are, float16 in float32."""

import numpy as np
import pytest
from helpers import normal, plans, reference, relative_error

import pyconv

DTYPES = ["float16", "float32", "float64"]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype, limit", [("float16", 2.0**-11), ("float32", 4e-7), ("float64", 1e-15)])
def test_dtype_and_its_precision_are_kept(dtype, limit, layout):
    x = normal((2, 16, 11, 11) if layout == "NCHW" else (2, 11, 11, 16), dtype)
    w, b = normal((8, 16, 3, 3), dtype, 1), normal(8, dtype, 2)
    exact = reference(x, w, b, layout=layout)
    for plan in plans(x.shape, w, b, accuracy="strict", layout=layout):
        y = plan(x)
        assert y.dtype == plan.dtype == dtype
        assert relative_error(y, exact) < limit, plan.algorithm


def test_float16_is_summed_in_float32():
    """3000 ones: a float16 sum would stick at 2048."""
    x, w = np.ones((1, 3000, 2, 2), "f2"), np.ones((1, 3000, 1, 1), "f2")
    for plan in plans(x.shape, w):
        np.testing.assert_array_equal(plan(x), np.full((1, 1, 2, 2), 3000, "f2"), err_msg=plan.algorithm)


def test_float16_is_rounded_once_to_nearest_even():
    """2048 + 1 and 2048 + 3 lie halfway between neighbours; 65520 is the first number to overflow."""
    x = np.array([[2048, 1], [2048, 3], [65504, 15], [65504, 16], [2.0**-24, 2.0**-24], [-65504, -16]], "f2")
    w = np.ones((1, 2, 1, 1), "f2")
    expected = np.array([2048, 2052, 65504, np.inf, 2.0**-23, -np.inf], "f2")
    for plan in plans((6, 2, 1, 1), w, accuracy="strict"):
        y = plan(x.reshape(6, 2, 1, 1))
        np.testing.assert_array_equal(y.ravel(), expected, err_msg=plan.algorithm)


def test_every_float16_survives():
    """A 1x1 kernel of one returns all 65536 patterns: subnormals, infinities, NaN."""
    x = np.arange(65536, dtype=np.uint16).view("f2").reshape(1, 1, 256, 256)
    for plan in plans(x.shape, np.ones((1, 1, 1, 1), "f2"), accuracy="strict"):
        np.testing.assert_array_equal(plan(x), x, err_msg=plan.algorithm)


def test_float16_out_and_residual():
    x, w = normal((1, 3, 9, 9), "float16"), normal((4, 3, 3, 3), "float16", 1)
    r, b = normal((1, 4, 7, 7), "float16", 2), normal(4, "float16", 3)
    exact = reference(x, w, b, residual=r, activation="relu")
    for plan in plans(x.shape, w, b, activation="relu"):
        out = np.full(plan.output_shape, np.nan, "f2")
        assert plan(x, out=out, residual=r) is out
        assert relative_error(out, exact) < 2.0**-11, plan.algorithm


def test_float64_is_not_routed_through_float32():
    x, w = np.full((1, 1, 1, 2), 1.0), np.array([[[[1.0, 2.0**-40]]]])
    for plan in plans(x.shape, w, accuracy="strict"):
        assert plan(x).item() == 1 + 2.0**-40, plan.algorithm


def test_subnormal_numbers_are_kept():
    x = np.full((1, 1, 4, 4), 1e-40, "f4")
    for plan in plans(x.shape, np.ones((1, 1, 1, 1), "f4"), accuracy="strict"):
        np.testing.assert_array_equal(plan(x), x, err_msg=plan.algorithm)


@pytest.mark.parametrize("dtype", DTYPES)
def test_plan_takes_the_dtype_of_the_weight(dtype):
    plan = pyconv.plan((1, 2, 4, 4), normal((2, 2, 3, 3), dtype))
    assert plan.dtype == np.dtype(dtype)
