# SPDX-License-Identifier: BSD-3-Clause
"""Small integers: float32 sums them exactly in any order, so strict algorithms agree bit for bit.

The strict class holds what is exact on integers, so neither FFT nor Winograd's larger tiles.
"""

from dataclasses import replace

import numpy as np
import pytest
from helpers import plans
from hypothesis import given
from problems import BLOCKED_CASES, EDGE_CASES, problems


def check(problem, **keywords):
    (x, w, b, r), exact = problem.exact()
    keywords = {**keywords, **problem.geometry, "activation": problem.activation}
    for plan in plans(x.shape, w, b, accuracy="strict", **keywords):
        y = plan(x, residual=r)
        wrong = np.argwhere(y != exact)
        assert y.dtype == x.dtype and not wrong.size, (
            f"{plan.algorithm}: {len(wrong)} wrong, first at {wrong[0]}"
        )


def in_layout(problem, layout):
    n, c, h, w = problem.x_shape
    shape = (n, c, h, w) if layout == "NCHW" else (n, h, w, c)
    return replace(problem, x_shape=shape, geometry={**problem.geometry, "layout": layout})


def name(problem):
    g = problem.geometry
    options = " ".join(f"{k[0]}{v}" for k, v in g.items())
    return (
        "x".join(map(str, problem.x_shape))
        + "_"
        + "x".join(map(str, problem.w_shape))
        + ("_" + options) * bool(g)
    )


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("problem", EDGE_CASES, ids=name)
def test_edge_cases(problem, layout):
    problem = in_layout(problem, layout)
    check(problem)
    check(replace(problem, bias=True, residual=True, activation="relu", seed=7))


@pytest.mark.parametrize("problem", EDGE_CASES, ids=name)
def test_edge_cases_in_float64(problem):
    check(replace(problem, dtype="float64", bias=True, activation="relu6"))


@pytest.mark.parametrize(
    "threads", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("problem", BLOCKED_CASES, ids=name)
def test_more_than_one_block(problem, layout, threads):
    check(in_layout(replace(problem, bias=True, residual=True, activation="relu"), layout), threads=threads)


@given(problems(dtypes=("float32", "float64")))
def test_whole_parameter_space(problem):
    check(problem)


@pytest.mark.parametrize("ow", range(1, 36))
def test_every_width(ow):
    """Every tail of every vector width, 3x3 and 1x1, with as many channels as columns."""
    for k in (1, 3):
        check(replace(EDGE_CASES[0], x_shape=(1, ow, 3, ow + k - 1), w_shape=(ow, ow, k, k), bias=True))


@pytest.mark.slow
@pytest.mark.parametrize("channels", range(1, 68))
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_every_channel_count(channels, layout):
    """Run with ``pytest -m slow``: channels in, channels out and groups around every tile size."""
    for filters in (1, 13, 15, 33):
        for stride in (1, 2):
            shape = (1, channels, 9, 9) if layout == "NCHW" else (1, 9, 9, channels)
            geometry = {"stride": stride, "padding": 1, "layout": layout}
            check(replace(EDGE_CASES[0], x_shape=shape, w_shape=(filters, channels, 3, 3), geometry=geometry))
    geometry = {"padding": 1, "layout": layout, "groups": channels}
    check(replace(EDGE_CASES[0], x_shape=shape, w_shape=(channels * 2, 1, 3, 3), geometry=geometry))
