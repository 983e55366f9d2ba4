# SPDX-License-Identifier: BSD-3-Clause
"""A plan: what it tells about itself, that nothing changes it, that it can be used again and again."""

import copy
import gc
import weakref

import numpy as np
import pytest
from helpers import CLASSES, integers, plans

import pyconv

X_SHAPE, W_SHAPE = (2, 4, 9, 11), (6, 2, 3, 3)
KEYWORDS = {"padding": 1, "stride": (2, 1), "groups": 2}


@pytest.fixture
def plan():
    return pyconv.plan(X_SHAPE, integers(W_SHAPE), integers(6, seed=1), algorithm="im2col", **KEYWORDS)


def test_attributes(plan):
    assert plan.algorithm == "im2col"
    assert plan.input_shape == X_SHAPE
    assert plan.output_shape == (2, 6, 5, 11)
    assert plan.dtype == np.float32
    assert plan.multiplications == 2 * 6 * 5 * 11 * 2 * 3 * 3
    assert plan.threads >= 1
    assert plan.accuracy in CLASSES
    for name in ("workspace_bytes", "packed_bytes", "multiplications", "threads"):
        assert type(getattr(plan, name)) is int and getattr(plan, name) >= 0
    for shape in (plan.input_shape, plan.output_shape):
        assert type(shape) is tuple and all(type(n) is int for n in shape)


def test_attributes_of_every_algorithm():
    for plan in plans(X_SHAPE, integers(W_SHAPE), **KEYWORDS):
        assert plan.algorithm in pyconv.algorithms()
        assert plan.output_shape == (2, 6, 5, 11)
        if plan.algorithm in ("direct", "im2col", "im2row", "mec"):
            assert plan.multiplications == 2 * 6 * 5 * 11 * 2 * 3 * 3


def test_multiplications_of_the_textbook_example():
    """16x16, 3x3, 128 filters on one channel."""
    plan = pyconv.plan((1, 1, 16, 16), integers((128, 1, 3, 3)), algorithm="direct")
    assert plan.multiplications == 225_792


def test_print_shows_everything(plan):
    text = str(plan)
    for fact in (plan.algorithm, plan.workspace_bytes, plan.packed_bytes, plan.multiplications, "float32"):
        assert str(fact) in text.replace(",", ""), f"{fact} is missing from {text}"
    for size in (*X_SHAPE, *plan.output_shape):
        assert str(size) in text
    assert "im2col" in repr(plan)


def test_auto_names_what_it_chose():
    plan = pyconv.plan(X_SHAPE, integers(W_SHAPE), **KEYWORDS)
    assert plan.algorithm in pyconv.algorithms()


def test_algorithms_are_named_in_a_fresh_list():
    names = pyconv.algorithms()
    assert names[0] == "direct" and {"im2col", "im2row", "mec"} <= set(names)
    assert len(set(names)) == len(names) and all(type(n) is str for n in names)
    names.clear()
    assert pyconv.algorithms()


@pytest.mark.parametrize("name", ["algorithm", "output_shape", "workspace_bytes", "threads", "something_new"])
def test_attributes_can_not_be_set(plan, name):
    with pytest.raises(AttributeError):
        setattr(plan, name, 1)


def test_arrays_may_change_or_vanish_after_planning():
    x, w, b = integers(X_SHAPE), integers(W_SHAPE, seed=1), integers(6, seed=2)
    expected = pyconv.conv2d(x, w, b, algorithm="direct", **KEYWORDS)
    weight, bias = w.copy(), b.copy()
    made = list(plans(X_SHAPE, weight, bias, accuracy="strict", **KEYWORDS))
    weight[...] = np.nan
    bias[...] = np.nan
    del weight, bias
    gc.collect()
    for plan in made:
        np.testing.assert_array_equal(plan(x), expected, err_msg=plan.algorithm)


def test_plan_keeps_no_argument_alive():
    class Weight(np.ndarray):
        pass

    weight, x = integers(W_SHAPE).view(Weight), integers(X_SHAPE).view(Weight)
    gone = weakref.ref(weight), weakref.ref(x)
    plan = pyconv.plan(X_SHAPE, weight, **KEYWORDS)
    plan(x)
    del weight, x
    gc.collect()
    assert [r() for r in gone] == [None, None]


def test_result_outlives_the_plan():
    x, w = integers(X_SHAPE), integers(W_SHAPE, seed=1)
    expected = pyconv.conv2d(x, w, **KEYWORDS)
    y = pyconv.plan(X_SHAPE, w, **KEYWORDS)(x)
    gc.collect()
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("width", range(3, 20))
def test_a_new_output_starts_on_a_cache_line(width):
    x = integers((1, 2, 3, width))
    plan = pyconv.plan(x.shape, integers((5, 2, 1, 1)))
    outputs = [plan(x), pyconv.conv_transpose2d(x, integers((2, 5, 2, 2)), stride=2)]
    assert [y.ctypes.data % 64 for y in outputs] == [0, 0]
    assert all(y.flags.c_contiguous and y.flags.writeable and y.flags.aligned for y in outputs)


def test_reuse_with_changing_input_and_one_workspace():
    w = integers(W_SHAPE, seed=1)
    for plan in plans(X_SHAPE, w, accuracy="strict", **KEYWORDS):
        workspace, out = plan.new_workspace(), np.empty(plan.output_shape, "f4")
        for seed in range(5):
            x = integers(X_SHAPE, seed=seed)
            expected = pyconv.conv2d(x, w, algorithm="direct", **KEYWORDS)
            assert plan(x, out=out, workspace=workspace) is out
            np.testing.assert_array_equal(out, expected, err_msg=plan.algorithm)


def test_plans_of_different_problems_don_t_interfere():
    problems = [((1, 3, 8, 8), (4, 3, 3, 3)), ((2, 3, 5, 9), (4, 3, 1, 3)), ((1, 8, 4, 4), (2, 8, 1, 1))]
    made = [(plan, s, w) for s, w in problems for plan in plans(s, integers(w), accuracy="strict")]
    for plan, x_shape, w_shape in made[::-1]:
        x = integers(x_shape, seed=3)
        expected = pyconv.conv2d(x, integers(w_shape), algorithm="direct")
        np.testing.assert_array_equal(plan(x), expected, err_msg=plan.algorithm)


def test_shape_may_be_any_sequence_of_integers():
    for shape in (list(X_SHAPE), np.array(X_SHAPE), tuple(np.int32(n) for n in X_SHAPE)):
        assert pyconv.plan(shape, integers(W_SHAPE), **KEYWORDS).input_shape == X_SHAPE


def test_integers_of_any_kind_are_parameters():
    x, w = integers(X_SHAPE), integers(W_SHAPE, seed=1)
    y = pyconv.conv2d(
        x, w, stride=np.int64(2), padding=[np.uint8(1), 1], dilation=np.array([1, 2]), groups=np.int8(2)
    )
    np.testing.assert_array_equal(y, pyconv.conv2d(x, w, stride=2, padding=1, dilation=(1, 2), groups=2))


def test_conv2d_is_plan_and_run():
    x, w, b = integers(X_SHAPE), integers(W_SHAPE, seed=1), integers(6, seed=2)
    for plan in plans(X_SHAPE, w, b, **KEYWORDS):
        y = pyconv.conv2d(x, w, b, algorithm=plan.algorithm, accuracy="fast", **KEYWORDS)
        np.testing.assert_array_equal(y, plan(x), err_msg=plan.algorithm)


def test_conv2d_with_out_and_workspace():
    x, w = integers(X_SHAPE), integers(W_SHAPE, seed=1)
    for plan in plans(X_SHAPE, w, accuracy="strict", **KEYWORDS):
        out = np.full(plan.output_shape, np.nan, "f4")
        keywords = {"algorithm": plan.algorithm, "accuracy": "strict", **KEYWORDS}
        assert pyconv.conv2d(x, w, out=out, workspace=plan.new_workspace(), **keywords) is out
        np.testing.assert_array_equal(out, plan(x), err_msg=plan.algorithm)


@pytest.mark.parametrize(
    "x_shape, w_shape, keywords",
    [
        ((1, 3, 4, 1), (5, 3, 3, 3), {"stride": 2, "padding": "full"}),
        ((1, 4, 15, 5), (2, 4, 15, 5), {"stride": 3}),
        ((1, 2, 1, 4), (4, 2, 1, 4), {}),
        ((1, 3, 16, 8), (9, 3, 7, 7), {"stride": 2, "padding": 3}),
        ((1, 16, 26, 3), (21, 3, 6, 3), {"layout": "NHWC"}),
    ],
)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_conv2d_takes_the_workspace_that_plan_says(x_shape, w_shape, keywords, dtype):
    """One call pays for packing weights and may choose otherwise; not where the caller brings the memory."""
    x, w = integers(x_shape, dtype), integers(w_shape, dtype, seed=1)
    plan = pyconv.plan(x.shape, w, **keywords)
    y = pyconv.conv2d(x, w, workspace=plan.new_workspace(), **keywords)
    np.testing.assert_array_equal(y, plan(x))


def test_everything_but_the_arrays_is_keyword_only():
    x, w, b = integers(X_SHAPE), integers((6, 4, 3, 3)), integers(6)
    with pytest.raises(TypeError):
        pyconv.conv2d(x, w, b, 1)
    with pytest.raises(TypeError):
        pyconv.plan(X_SHAPE, w, b, 1)


def test_choosing_is_a_pure_function():
    w = integers(W_SHAPE)
    chosen = {pyconv.plan(X_SHAPE, w, **KEYWORDS).algorithm for _ in range(20)}
    assert len(chosen) == 1


def test_auto_stays_in_its_class():
    """The algorithm that auto takes under a class also serves by name under that class."""
    for x_shape, w_shape in (((1, 64, 28, 28), (64, 64, 3, 3)), ((1, 2, 64, 64), (2, 2, 15, 15))):
        w = integers(w_shape)
        for accuracy in CLASSES:
            chosen = pyconv.plan(x_shape, w, accuracy=accuracy).algorithm
            named = pyconv.plan(x_shape, w, accuracy=accuracy, algorithm=chosen)
            assert named.algorithm == chosen


def test_a_copy_is_the_plan_itself():
    """Nothing changes it, so nothing tells a copy from it."""
    w = integers((4, 4, 3, 3))
    gradient = pyconv.plan_conv2d_backward_weight((1, 4, 8, 8), w.shape)
    for plan in (pyconv.plan((1, 4, 8, 8), w), gradient):
        assert copy.copy(plan) is plan and copy.deepcopy([plan])[0] is plan
    network = copy.deepcopy({"up": pyconv.plan_conv_transpose2d((1, 4, 8, 8), w, stride=2)})
    assert network["up"](integers((1, 4, 8, 8))).shape == (1, 4, 17, 17)


def test_a_plan_may_be_the_key_of_a_weak_dictionary(plan):
    outputs = weakref.WeakKeyDictionary({plan: plan.output_shape})
    assert outputs[plan] == plan.output_shape
