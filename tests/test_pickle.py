# SPDX-License-Identifier: BSD-3-Clause
"""A plan pickles as the problem and the weights, and is packed anew where it arrives."""

import multiprocessing
import pickle

import numpy as np
import pytest
from helpers import integers

import pyconv

X, W, B = integers((2, 4, 9, 8)), integers((6, 4, 3, 3), seed=1), integers(6, seed=2)
UP = integers((4, 6, 3, 3), seed=3)
COLUMN, MATRIX = integers((8, 1, 3, 3), seed=4), integers((6, 8), seed=5)


def planned(name, bound=None, x_shape=X.shape):
    """A plan of each kind, made of the arrays above."""
    match name:
        case "plan":
            words = {"stride": (2, 1), "padding": ((0, 1), (2, 0)), "activation": "relu6"}
            return pyconv.plan(x_shape, W, B, **words, padding_mode="reflect", max_workspace=bound)
        case "types":
            words = {"dtype": np.uint8, "out_dtype": np.int16, "padding": 1}
            return pyconv.plan(x_shape, W, padding_mode=("constant", 3), max_workspace=bound, **words)
        case "named":
            return pyconv.plan(x_shape, W, B, algorithm="direct", accuracy="strict", max_workspace=bound)
        case "transposed":
            return pyconv.plan_conv_transpose2d(x_shape, UP, B, stride=2, padding=1, max_workspace=bound)
        case "separable":
            return pyconv.plan_separable_conv2d(x_shape, COLUMN, MATRIX, B, max_workspace=bound)
        case "factorized":
            return FACTORS.plan(x_shape, B, padding=1, max_workspace=bound)


FACTORS = pyconv.factorize(W.astype(np.float64))
B64 = B.astype(np.float64)
NAMES = ["plan", "types", "named", "transposed", "separable"]


def image(plan):
    return X.astype(plan.dtype)


def twin(plan):
    return pickle.loads(pickle.dumps(plan))


@pytest.mark.parametrize("bound", [None, 0, "1MB"])
@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_is_the_same_plan(name, bound):
    if (name == "transposed" and bound == 0) or (name == "separable" and bound == 0):
        bound = 20_000
    plan = planned(name, bound)
    other = twin(plan)
    assert type(other) is type(plan) and other is not plan and repr(other) == repr(plan)
    for fact in ("input_shape", "output_shape", "dtype", "out_dtype", "workspace_bytes", "packed_bytes"):
        assert getattr(other, fact) == getattr(plan, fact), fact
    assert str(other) == str(plan) or name != "plan"
    np.testing.assert_array_equal(other(image(plan)), plan(image(plan)))


def test_a_pickle_of_a_pickle():
    plan = planned("plan")
    np.testing.assert_array_equal(twin(twin(plan))(X), plan(X))


def test_a_pickled_pair_of_factors():
    plan = FACTORS.plan(X.shape, B64, padding=1, activation="relu")
    x = X.astype(np.float64)
    np.testing.assert_array_equal(twin(plan)(x), plan(x))


def test_a_pickled_plan_of_gradients():
    plan = pyconv.plan_conv2d_backward_weight(X.shape, W.shape, padding=1, threads=1)
    dy = integers(plan.dy_shape, seed=6)
    assert twin(plan).workspace_bytes == plan.workspace_bytes
    np.testing.assert_array_equal(twin(plan)(X, dy), plan(X, dy))


@pytest.mark.parametrize("given", [W.tolist(), W[:, :, ::-1], W.astype(">f4"), memoryview(W)], ids=type)
def test_weights_of_any_kind_are_remembered(given):
    plan = pyconv.plan(X.shape, given, B.tolist())
    np.testing.assert_array_equal(twin(plan)(X), plan(X))


def test_what_becomes_of_the_arrays_does_not_matter():
    w, b = W.copy(), B.copy()
    plan = pyconv.plan(X.shape, w, b)
    expected = plan(X)
    w[...], b[...] = 7, 7
    np.testing.assert_array_equal(twin(plan)(X), expected)
    del w, b
    np.testing.assert_array_equal(twin(plan)(X), expected)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_a_bound_has_no_room_for_a_copy(layout):
    """So the caller's arrays must be as they were."""
    w = np.array(W, order=layout)
    plan = pyconv.plan(X.shape, w, max_workspace="1MB")
    assert plan.packed_bytes
    np.testing.assert_array_equal(twin(plan)(X), plan(X))
    w[1, 0] = w[0, 1].copy()
    with pytest.raises(pickle.PicklingError, match=r"shape \(6, 4, 3, 3\) have been changed since"):
        pickle.dumps(plan)


def test_defaults_travel_with_the_plan():
    with pyconv.config(accuracy="strict", threads=1):
        plan = pyconv.plan(X.shape, W)
    other = twin(plan)
    assert other.accuracy == "strict" and other.threads == 1 and other.algorithm == plan.algorithm


def test_parts_and_plans_of_one_call_are_not_for_pickling():
    with pytest.raises(TypeError, match="part of another"):
        pickle.dumps(FACTORS.plan(X.shape, B64).vertical)


def called(plan):
    return plan(X)


def test_another_process_runs_it():
    plan = planned("plan")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.map(called, [plan])[0], plan(X))
