# SPDX-License-Identifier: BSD-3-Clause
"""Bias, then residual, then activation: fused in the last pass, equal to the steps made one by one."""

from itertools import product

import numpy as np
import pytest
from helpers import integers, plans

import pyconv

ACTIVATIONS = [
    None,
    "relu",
    "relu6",
    ("clip", -3, 5),
    ("clip", 0.5, 0.5),
    ("clip", -np.inf, 2),
    ("clip", 1, np.inf),
]
CASES = {
    "3x3": ((2, 5, 9, 11), (7, 5, 3, 3), {"padding": 1}),
    "1x1": ((2, 17, 5, 7), (33, 17, 1, 1), {}),
    "1x1/2": ((2, 17, 5, 7), (33, 17, 1, 1), {"stride": 2}),
    "depthwise": ((2, 6, 9, 11), (6, 1, 3, 3), {"groups": 6}),
    "grouped": ((2, 8, 9, 11), (12, 2, 3, 3), {"groups": 4, "padding": 1}),
    "one output": ((2, 3, 3, 3), (5, 3, 3, 3), {}),
    "7x7/2": ((1, 3, 20, 20), (16, 3, 7, 7), {"padding": 3, "stride": 2}),
}


def by_steps(y, bias, residual, activation, layout):
    if bias is not None:
        y = y + (bias if layout == "NHWC" else bias[:, None, None])
    if residual is not None:
        y = y + residual
    bounds = {None: (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6)}
    return np.clip(y, *(bounds[activation] if activation in bounds else activation[1:])).astype(y.dtype)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_fused_is_step_by_step(case, activation, layout):
    shape, w_shape, geometry = CASES[case]
    if layout == "NHWC":
        shape = (shape[0], *shape[2:], shape[1])
    x, w, b = integers(shape), integers(w_shape, seed=1), integers(w_shape[0], seed=2)
    plain = pyconv.conv2d(x, w, algorithm="direct", layout=layout, **geometry)
    r = integers(plain.shape, seed=3, top=9)
    for bias, residual in product((None, b), (None, r)):
        expected = by_steps(plain, bias, residual, activation, layout)
        keywords = {"layout": layout, "activation": activation, **geometry}
        for plan in plans(x.shape, w, bias, accuracy="strict", **keywords):
            np.testing.assert_array_equal(plan(x, residual=residual), expected, err_msg=plan.algorithm)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_nan_passes_every_activation(activation, layout):
    x, w = np.ones((1, 3, 3, 3), "f4"), np.ones((3, 3, 1, 1), "f4")
    for residual in (None, np.ones_like(x)):
        for plan in plans(x.shape, w, np.full(3, np.nan, "f4"), layout=layout, activation=activation):
            assert np.isnan(plan(x, residual=residual)).all(), plan.algorithm
        for plan in plans(x.shape, w, layout=layout, activation=activation):
            y = plan(x, residual=np.full_like(x, np.nan))
            assert np.isnan(y).all(), plan.algorithm


def test_infinities_are_clipped():
    x, w = np.array([np.inf, -np.inf, 1], "f4").reshape(1, 1, 1, 3), np.ones((1, 1, 1, 1), "f4")
    for plan in plans(x.shape, w, accuracy="strict", activation="relu6"):
        assert plan(x).ravel().tolist() == [6, 0, 1], plan.algorithm


def test_clip_bounds_are_rounded_to_the_dtype():
    x, w = np.full((1, 1, 2, 2), 9, "f4"), np.ones((1, 1, 1, 1), "f4")
    for plan in plans(x.shape, w, activation=("clip", -0.1, 0.1)):
        assert (plan(x) == np.float32(0.1)).all(), plan.algorithm


def test_residual_is_not_modified_and_may_be_any_view():
    x, w = integers((1, 3, 6, 6)), integers((4, 3, 3, 3), seed=1)
    r = integers((1, 4, 4, 4), seed=2)
    views = [
        r.copy(order="F"),
        r[..., ::-1].copy()[..., ::-1],
        np.repeat(r, 2, -1)[..., ::2],
        r.astype(">f4"),
    ]
    views.append(np.broadcast_to(r[:, :1], r.shape))
    for residual in views:
        before = residual.copy()
        for plan in plans(x.shape, w, accuracy="strict"):
            expected = pyconv.conv2d(x, w, algorithm="direct") + residual
            np.testing.assert_array_equal(plan(x, residual=residual), expected, err_msg=plan.algorithm)
        np.testing.assert_array_equal(residual, before)


def test_each_call_has_its_own_residual():
    x, w = integers((1, 3, 6, 6)), integers((4, 3, 3, 3), seed=1)
    for plan in plans(x.shape, w, accuracy="strict"):
        plain = plan(x)
        for seed in range(3):
            r = integers(plain.shape, seed=seed)
            np.testing.assert_array_equal(plan(x, residual=r), plain + r, err_msg=plan.algorithm)
        np.testing.assert_array_equal(plan(x), plain, err_msg=plan.algorithm)
