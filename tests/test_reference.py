# SPDX-License-Identifier: BSD-3-Clause
"""The reference against sums worked by hand, against SciPy, and against PyTorch in float64."""

import numpy as np
import pytest
import scipy.signal
from helpers import normal, reference, relative_error
from hypothesis import given
from judge import torch_conv2d
from problems import problems
from reference import pad, sides


def test_one_pixel():
    y = reference(np.full((1, 2, 1, 1), 3.0), np.array([[[[2.0]], [[5.0]]]]), np.array([1.0]))
    assert y.shape == (1, 1, 1, 1) and y.item() == 3 * 2 + 3 * 5 + 1


def test_cross_correlation_not_convolution():
    w = np.arange(4.0).reshape(1, 1, 2, 2)
    for tap in np.ndindex(2, 2):
        x = np.zeros((1, 1, 2, 2))
        x[(0, 0, *tap)] = 1
        assert reference(x, w).item() == w[(0, 0, *tap)]


def test_single_channel_is_scipy_correlate():
    x, w = normal((20, 23), "float64"), normal((5, 4), "float64", 1)
    for mode in ("valid", "full"):
        ours = reference(x[None], w[None, None], padding=mode)[0]
        assert relative_error(ours, scipy.signal.correlate2d(x, w, mode)) < 1e-14


# size, kernel, stride, dilation -> (before, after) for "same": ceil(size / stride) outputs, by hand
SAME = [
    ((5, 3, 1, 1), (1, 1)),
    ((5, 2, 1, 1), (0, 1)),
    ((5, 4, 1, 1), (1, 2)),
    ((6, 3, 2, 1), (0, 1)),
    ((5, 3, 2, 1), (1, 1)),
    ((7, 3, 1, 2), (2, 2)),
    ((224, 7, 2, 1), (2, 3)),
    ((9, 1, 3, 1), (0, 0)),
    ((10, 2, 3, 3), (1, 2)),
]


@pytest.mark.parametrize("case, expected", SAME)
def test_same_padding(case, expected):
    args = [(a, a) for a in case]
    assert sides("same", *args)[0] == expected
    assert sides("same_lower", *args)[1] == expected[::-1]


def test_other_paddings():
    args = ((9, 9), (3, 4), (1, 1), (2, 3))
    assert sides("valid", *args) == ((0, 0), (0, 0))
    assert sides("full", *args) == ((4, 4), (9, 9))
    assert sides(2, *args) == ((2, 2), (2, 2))
    assert sides((1, 2), *args) == ((1, 1), (2, 2))
    assert sides(((1, 2), (3, 4)), *args) == ((1, 2), (3, 4))
    assert sides((1, (3, 4)), *args) == ((1, 1), (3, 4))


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("zeros", [0, 0, 0, 0, 0, 1, 2, 3, 0, 0]),
        ("replicate", [1, 1, 1, 1, 1, 1, 2, 3, 3, 3]),
        ("reflect", [2, 1, 2, 3, 2, 1, 2, 3, 2, 1]),
        ("symmetric", [2, 3, 3, 2, 1, 1, 2, 3, 3, 2]),
        ("circular", [2, 3, 1, 2, 3, 1, 2, 3, 1, 2]),
        (("constant", 7), [7, 7, 7, 7, 7, 1, 2, 3, 7, 7]),
    ],
    ids=str,
)
def test_borders(mode, expected):
    """5 lines before and 2 after an image of 3, along either axis."""
    x = np.array([1.0, 2, 3])
    np.testing.assert_array_equal(pad(x.reshape(1, 1, 1, 3), (0, 0), (5, 2), mode).ravel(), expected)
    np.testing.assert_array_equal(pad(x.reshape(1, 1, 3, 1), (5, 2), (0, 0), mode).ravel(), expected)


def test_activation_keeps_nan():
    x = np.array([-1.0, 9.0, np.nan]).reshape(1, 1, 3)
    for activation, expected in (
        ("relu", [0, 9, np.nan]),
        ("relu6", [0, 6, np.nan]),
        (("clip", 1, 2), [1, 2, np.nan]),
    ):
        np.testing.assert_array_equal(
            reference(x, np.ones((1, 1, 1, 1)), activation=activation).ravel(), expected
        )


@given(problems(dtypes=("float64",)))
def test_against_torch(problem):
    x, w, b, r = problem.arrays()
    ours = reference(x, w, b, residual=r, activation=problem.activation, **problem.geometry)
    theirs = torch_conv2d(x, w, b, residual=r, activation=problem.activation, **problem.geometry)
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-12)
