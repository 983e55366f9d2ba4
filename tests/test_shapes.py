# SPDX-License-Identifier: BSD-3-Clause
"""The whole parameter space: every algorithm against the reference in float64."""

import pytest
from helpers import TYPICAL, assert_close, normal, plans, reference, relative_error
from hypothesis import given
from problems import problems

import pyconv

# Roundings of the sum of absolute values that a result may be off by, per accuracy class.
UNITS = {"strict": 4, "standard": 16, "fast": 64}


def check(problem):
    x, w, b, r = problem.arrays()
    keywords = {**problem.geometry, "activation": problem.activation}
    for accuracy, units in UNITS.items():
        for plan in plans(x.shape, w, b, accuracy=accuracy, **keywords):
            y = plan(x, residual=r)
            assert_close(y, x, w, b, residual=r, label=plan.algorithm, units=units, **keywords)


@given(problems())
def test_every_algorithm(problem):
    check(problem)


@given(problems(dtypes=("float32",), dilation=1, padding_mode="zeros"))
def test_every_algorithm_on_common_layers(problem):
    check(problem)


@given(problems(dtypes=("float32",), groups=(8, 16, 17), padding_mode="zeros"))
def test_every_algorithm_on_many_groups(problem):
    check(problem)


@given(problems(), problems())
def test_auto(problem, other):
    """`conv2d` with its defaults, twice, so that one call can't disturb the next."""
    for p in (problem, other, problem):
        x, w, b, r = p.arrays()
        keywords = {**p.geometry, "residual": r, "activation": p.activation}
        assert_close(pyconv.conv2d(x, w, b, **keywords), x, w, b, units=UNITS["standard"], **keywords)


LAYERS = [
    pytest.param((1, 64, 28, 28), (64, 64, 3, 3), {"padding": 1}, id="3x3"),
    pytest.param((2, 3, 64, 64), (32, 3, 7, 7), {"padding": 3, "stride": 2}, id="7x7/2"),
    pytest.param((1, 256, 14, 14), (64, 256, 1, 1), {}, id="1x1"),
    pytest.param((1, 64, 28, 28), (64, 1, 3, 3), {"padding": 1, "groups": 64}, id="depthwise"),
    pytest.param((1, 48, 28, 28), (64, 48, 5, 5), {"padding": 2}, id="5x5"),
    pytest.param((1, 64, 28, 28), (64, 64, 2, 2), {}, id="2x2"),
    pytest.param((1, 64, 28, 28), (64, 64, 3, 3), {"padding": 2, "dilation": 2}, id="3x3, dilated"),
    pytest.param((1, 64, 17, 17), (64, 64, 1, 7), {"padding": (0, 3)}, id="1x7"),
    pytest.param((1, 4, 96, 96), (8, 4, 15, 15), {"padding": 7}, id="15x15"),
]


@pytest.mark.parametrize("x_shape, w_shape, keywords", LAYERS)
def test_typical_error_beside_im2col(x_shape, w_shape, keywords):
    """Relative L2 error on normal data; test_bounds.py has short sums, which im2col rounds little."""
    x, w = normal(x_shape), normal(w_shape, seed=1)
    exact = reference(x, w, **keywords)
    im2col = relative_error(pyconv.conv2d(x, w, algorithm="im2col", **keywords), exact)
    assert im2col < 1e-6
    for accuracy, factor in TYPICAL.items():
        for plan in plans(x_shape, w, accuracy=accuracy, **keywords):
            if plan.accuracy != "strict" and w[0].size < 108:
                continue
            error = relative_error(plan(x), exact)
            assert error <= factor * im2col + 2.0**-24, (
                f"{plan.algorithm} as {accuracy}: {error / im2col:.2f} x im2col"
            )


def test_every_algorithm_serves_some_layer():
    served = set()
    for case in LAYERS:
        x_shape, w_shape, keywords = case.values
        served |= {plan.algorithm for plan in plans(x_shape, normal(w_shape), **keywords)}
    assert served == set(pyconv.algorithms())


@pytest.mark.slow
@given(problems())
def test_every_algorithm_at_length(problem):
    """Run with ``pytest -m slow --hypothesis-profile=slow``."""
    check(problem)
