# SPDX-License-Identifier: BSD-3-Clause
"""NCHW, NHWC, no batch, extra leading dimensions: the same numbers in another order."""

import numpy as np
import pytest
from helpers import integers, plans

import pyconv

GEOMETRIES = [
    {},
    {"padding": 1, "stride": 2},
    {"padding": "same", "dilation": 2, "padding_mode": "reflect"},
    {"padding": ((0, 2), (1, 0)), "groups": 2},
]


@pytest.fixture
def x():
    return integers((6, 4, 9, 11))


@pytest.fixture(params=GEOMETRIES, ids=str)
def geometry(request):
    return request.param


@pytest.fixture
def weight(geometry):
    return integers((6, 4 // geometry.get("groups", 1), 3, 3), seed=1)


def channels_last(a):
    return np.ascontiguousarray(np.moveaxis(a, -3, -1))


def test_layouts_agree(x, weight, geometry):
    expected = channels_last(pyconv.conv2d(x, weight, algorithm="direct", **geometry))
    last = channels_last(x)
    for plan in plans(last.shape, weight, layout="NHWC", accuracy="strict", **geometry):
        np.testing.assert_array_equal(plan(last), expected, err_msg=plan.algorithm)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("lead", [(), (6,), (2, 3), (1, 6, 1), (3, 1, 2, 1)])
def test_leading_dimensions_act_as_batch(x, weight, geometry, lead, layout):
    if layout == "NHWC":
        x = channels_last(x)
    batch = x if lead else x[:1]
    expected = pyconv.conv2d(batch, weight, algorithm="direct", layout=layout, **geometry)
    shaped = batch.reshape(*lead, *x.shape[1:])
    for plan in plans(shaped.shape, weight, layout=layout, accuracy="strict", **geometry):
        y = plan(shaped)
        assert y.shape == plan.output_shape == (*lead, *expected.shape[1:])
        np.testing.assert_array_equal(y, expected.reshape(y.shape), err_msg=plan.algorithm)


@pytest.mark.parametrize("layout, shape", [("NCHW", (0, 4, 9, 11)), ("NHWC", (2, 0, 9, 11, 4))])
def test_empty_batch_gives_an_empty_result(weight, geometry, layout, shape):
    x = np.empty(shape, np.float32)
    one = pyconv.conv2d(np.zeros(shape[-3:], np.float32), weight, layout=layout, **geometry)
    for plan in plans(shape, weight, layout=layout, **geometry):
        y = plan(x)
        assert y.shape == (*shape[:-3], *one.shape) and y.size == 0 and y.dtype == np.float32
    assert pyconv.conv2d(x, weight, layout=layout, **geometry).shape == y.shape


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_out_and_residual_have_the_layout_of_x(layout):
    x = integers((2, 4, 9, 11) if layout == "NCHW" else (2, 9, 11, 4))
    w, bias = integers((6, 4, 3, 3), seed=1), integers(6, seed=2)
    for plan in plans(x.shape, w, bias, layout=layout, accuracy="strict"):
        plain = plan(x)
        residual = integers(plain.shape, seed=3)
        out = np.full(plain.shape, np.nan, np.float32)
        assert plan(x, out=out, residual=residual) is out
        np.testing.assert_array_equal(out, plain + residual, err_msg=plan.algorithm)
