# SPDX-License-Identifier: BSD-3-Clause
"""Objects that lie about themselves, or change arrays while they are asked: an error, or the right result."""

import contextlib
import copy
import sys

import numpy as np
import pytest
from helpers import aligned, integers, normal

import pyconv
from pyconv import _kernels

X, W, B = integers((1, 4, 8, 8)), integers((4, 4, 3, 3), seed=1), integers(4, seed=2)


class Liar(np.ndarray):
    """A subclass with attributes of another array's."""

    told = np.zeros((1, 4, 6, 6), "f4")
    shape = property(lambda self: self.told.shape)
    dtype = property(lambda self: self.told.dtype)
    flags = property(lambda self: self.told.flags)
    strides = property(lambda self: self.told.strides)
    ndim = property(lambda self: self.told.ndim)
    size = property(lambda self: self.told.size)
    nbytes = property(lambda self: self.told.nbytes)
    data = property(lambda self: self.told.data)
    __array_interface__ = property(lambda self: self.told.__array_interface__)

    def reshape(self, *_, **__):
        return self.told

    view = reshape
    __getitem__ = reshape


def liars():
    """Arrays that say they are float32 of shape (1, 4, 6, 6), and are not."""
    yield np.zeros(3, "f4").view(Liar)
    yield np.zeros((1, 4, 6, 5), "f4").view(Liar)
    yield np.zeros((1, 4, 6, 6), "f2").view(Liar)
    yield np.zeros((1, 4, 6, 6), np.dtype("f4").newbyteorder()).view(Liar)
    fixed = np.zeros((1, 4, 6, 6), "f4")
    fixed.flags.writeable = False
    yield fixed.view(Liar)


CALLS = {
    "conv2d": lambda y: pyconv.conv2d(X, W, B, out=y),
    "plan": lambda y: pyconv.plan(X.shape, W)(X, out=y),
    "separable": lambda y: pyconv.separable_conv2d(X, W[:, :1], W[..., 0, 0], out=y),
    "separable NHWC": lambda y: pyconv.separable_conv2d(
        np.ones((1, 6, 8, 4), "f4"), W[:, :1], np.ones((6, 4), "f4"), layout="NHWC", out=y
    ),
    "transpose": lambda y: pyconv.conv_transpose2d(X[..., :4, :4], W, out=y),
    "backward_input": lambda y: pyconv.conv2d_backward_input((1, 4, 6, 6), W, X[..., :4, :4], out=y),
    "backward_weight": lambda y: pyconv.conv2d_backward_weight(X, (1, 4, 6, 6), X[:, :1, :3, :3], out=y),
    "partial": lambda y: pyconv.partial_conv2d(X[..., :6, :6], W, out=y),
    "factorized": lambda y: pyconv.factorize(W).plan(X.shape)(X, out=y),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_an_out_that_lies_is_read_through_the_c_struct(name):
    CALLS[name](np.zeros((1, 4, 6, 6), "f4"))
    for out in liars():
        before = np.ndarray.tobytes(out)
        with pytest.raises(ValueError, match="out "):
            CALLS[name](out)
        assert np.ndarray.tobytes(out) == before


def test_an_out_that_lies_and_fits_is_written():
    out = np.full((1, 4, 6, 6), 9, "f4").view(Liar)
    assert pyconv.conv2d(X, W, B, out=out) is out
    np.testing.assert_array_equal(np.asarray(out), pyconv.conv2d(X, W, B))
    assert not Liar.told.any()


@pytest.mark.parametrize("name", ["x", "weight", "bias", "residual"])
def test_an_operand_that_lies(name):
    given = {"x": X, "weight": W, "bias": B, "residual": np.ones((1, 4, 6, 6), "f4")}
    expected = pyconv.conv2d(**given)
    np.testing.assert_array_equal(pyconv.conv2d(**{**given, name: given[name].view(Liar)}), expected)
    with pytest.raises(ValueError):
        pyconv.conv2d(**{**given, name: np.zeros(1, "f4").view(Liar)})


class Resizes:
    """An array that shrinks another while it is converted."""

    def __init__(self, a, victim, shape=(1,)):
        self.a, self.victim, self.shape = a, victim, shape

    def __array__(self, dtype=None, copy=None):
        self.victim.resize(self.shape, refcheck=False)
        return self.a

    def __index__(self):
        self.victim.resize(self.shape, refcheck=False)
        return 1


RESIDUAL = np.ones((1, 4, 6, 6), "f4")


def large():
    """Weights that are freed to the system when they shrink: what still reads them crashes."""
    return np.ones((512, 1024, 3, 3), "f4")


RESIZING = {
    "bias shrinks weight": lambda x, w: pyconv.conv2d(x, w, Resizes(np.ones(512, "f4"), w)),
    "bias shrinks weight of a plan": lambda x, w: pyconv.plan(x.shape, w, Resizes(np.ones(512, "f4"), w)),
    "residual shrinks weight": lambda x, w: pyconv.conv2d(
        x, w, residual=Resizes(np.ones((512, 6, 6), "f4"), w)
    ),
    "residual shrinks x": lambda x, w: pyconv.conv2d(x, w, residual=Resizes(np.ones((512, 6, 6), "f4"), x)),
    "residual shrinks weight that direct reads": lambda x, w: pyconv.conv2d(
        x, w, residual=Resizes(np.ones((512, 6, 6), "f4"), w), max_workspace=0
    ),
    "stride shrinks weight": lambda x, w: pyconv.conv2d(x, w, stride=(Resizes(None, w), 1)),
    "padding shrinks x": lambda x, w: pyconv.conv2d(x, w, padding=(Resizes(None, x), 1)),
    "groups shrinks weight": lambda x, w: pyconv.conv2d(x, w, groups=Resizes(None, w)),
    "threads shrinks x": lambda x, w: pyconv.conv2d(x, w, threads=Resizes(None, x)),
    "a plan's own weight": lambda x, w: (
        lambda plan: (w.resize(1, refcheck=False), plan(x))
    )(pyconv.plan(x.shape, w, max_workspace=0)),
    "bias shrinks weight of conv_transpose2d": lambda x, w: pyconv.conv_transpose2d(
        np.ones((512, 4, 4), "f4"), w, Resizes(np.ones(1024, "f4"), w)
    ),
    "weight shrinks dy": lambda x, w: pyconv.conv2d_backward_input((1024, 8, 8), Resizes(large(), x), x),
    "dy shrinks x of a gradient": lambda x, w: pyconv.conv2d_backward_weight(
        x, (512, 1024, 3, 3), Resizes(np.ones((512, 6, 6), "f4"), x)
    ),
    "bias shrinks pointwise_weight": lambda x, w: (
        lambda m: pyconv.separable_conv2d(
            x, np.ones((1024, 1, 3, 3), "f4"), m, Resizes(np.ones(2048, "f4"), m)
        )
    )(np.ones((2048, 1024), "f4")),
    "bias shrinks weight of pointwise_conv2d": lambda x, w: (
        lambda m: pyconv.pointwise_conv2d(x, m, Resizes(np.ones(2048, "f4"), m))
    )(np.ones((2048, 1024), "f4")),
    "stride shrinks weight of pointwise_conv2d": lambda x, w: (
        lambda m: pyconv.pointwise_conv2d(x, m, stride=(Resizes(None, m), 1))
    )(np.ones((2048, 1024), "f4")),
    "padding shrinks pointwise_weight": lambda x, w: (
        lambda m: pyconv.separable_conv2d(
            x, np.ones((1024, 1, 3, 3), "f4"), m, padding=(Resizes(None, m), 1)
        )
    )(np.ones((2048, 1024), "f4")),
    "residual shrinks depthwise_weight": lambda x, w: (
        lambda k: pyconv.separable_conv2d(
            x, k, np.ones((4, 1024), "f4"), residual=Resizes(np.ones((4, 6, 6), "f4"), k),
            max_workspace=150_000,
        )
    )(np.ones((1024, 1, 3, 3), "f4")),
}  # fmt: skip


@pytest.mark.parametrize("name", RESIZING)
def test_an_operand_that_resizes_another_is_refused_or_harmless(name):
    try:
        y = RESIZING[name](np.ones((1024, 8, 8), "f4"), large())
    except ValueError as error:
        assert any(word in str(error) for word in ("shape", "sizes", "resized"))
    else:
        assert name.startswith("residual shrinks") and not name.endswith(" x"), (
            "weights that were packed before"
        )
        assert (y == y.flat[0]).all() and y.flat[0] > 1024


def test_weights_that_a_plan_reads_in_place_may_not_shrink():
    w = large()
    plan = pyconv.plan((1024, 8, 8), w, max_workspace=0)
    assert plan.packed_bytes == 0
    with pytest.raises(ValueError, match="reference"):
        w.resize(1)
    w.resize(3, refcheck=False)
    for _ in range(2):
        with pytest.raises(ValueError, match="weight, which this plan reads in place, has been resized"):
            plan(np.ones((1024, 8, 8), "f4"))


def composed():
    yield pyconv.plan_separable_conv2d((1, 8, 8, 16), normal((16, 1, 3, 3)), normal((8, 16)), layout="NHWC")
    yield pyconv.plan_separable_conv2d((1, 4, 8, 8), W[:, :1], W[..., 0, 0])
    yield pyconv.plan_conv_transpose2d((1, 4, 8, 8), W, stride=2)
    yield pyconv.factorize(W).plan((1, 4, 8, 8))


def every_plan():
    yield from composed()
    yield pyconv.plan(X.shape, W)
    yield pyconv.plan_conv2d_backward_weight((1, 4, 8, 8), (4, 4, 3, 3))


@pytest.mark.parametrize("plan", list(every_plan()), ids=lambda p: type(p).__name__)
def test_plans_are_read_only(plan):
    x = normal(getattr(plan, "input_shape", None) or plan.x_shape)
    arguments = (x, normal(plan.dy_shape)) if hasattr(plan, "dy_shape") else (x,)
    before = plan(*arguments)
    names = [name for name in dir(plan) if not name.startswith("__") and not callable(getattr(plan, name))]
    assert {"output_shape", "dtype", "workspace_bytes", "multiplications"} <= set(names)
    for name in (*names, "anything"):
        with pytest.raises(AttributeError):
            setattr(plan, name, 0)
        with pytest.raises(AttributeError):
            delattr(plan, name)
    np.testing.assert_array_equal(plan(*arguments), before)


@pytest.mark.parametrize("plan", list(every_plan()), ids=lambda p: type(p).__name__)
def test_copies_of_a_plan_are_the_plan(plan):
    """It is immutable."""
    assert copy.copy(plan) is plan and copy.deepcopy(plan) is plan and copy.deepcopy([plan])[0] is plan


@pytest.mark.parametrize("name, value", [
    ("output_shape", (1, 1, 1, 1)), ("input_shape", (1, 1, 1, 16)), ("workspace_bytes", 0), ("fused", False),
    ("fused", True), ("dtype", np.dtype("f8")), ("out_dtype", np.dtype("f8")),
    ("weight_dtype", np.dtype("u1")),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_a_plan_forced_open_corrupts_nothing(name, value, dtype):
    """Past __setattr__, into its __dict__: what does not fit is refused further down."""
    kernels, matrix = integers((16, 1, 3, 3), dtype, 1), integers((8, 16), dtype, 2)
    x = integers((1, 8, 8, 16), dtype)
    plan = pyconv.plan_separable_conv2d(x.shape, kernels, matrix, layout="NHWC")
    expected = plan(x)
    vars(plan)[name] = value
    for operand in (x, x[:, :1, :1], x.astype("f8")):
        try:
            y = plan(operand)
        except (ValueError, TypeError):
            continue
        assert y.shape == expected.shape and (name == "_inner" or (y == expected).all())


PROBLEM = (X.shape, np.dtype("f4"), W.shape, 0, (1, 1), (0, 0, 0, 0), (1, 1), 1, 0, (-np.inf, np.inf), -1, 1,
           None, None, 2, "x", "x")  # fmt: skip
PLAN = (_kernels.Problem(*PROBLEM), W, None, False, False)
GRADIENT = PLAN[:1]


class Evil:
    def __index__(self):
        raise RuntimeError("asked")

    __float__ = __int__ = __index__


GARBAGE = [
    None, (), (1,), (1, 2), (1, 2, 3), (-1, -1, -1), (10**30,) * 4, ("a",) * 4, (Evil(),) * 4, (2**62,) * 4,
    (1,) * 70, (1.5,) * 4, [], "", b"x", 7, -7, 10**30, 1.5, Evil(), object(), np.zeros(3),
    np.zeros((2, 2)), np.zeros((4, 4, 3, 3)), np.dtype("i4"), np.dtype("V8"), np.dtype("f2"), np.nan, True,
]  # fmt: skip


def described(*words):
    """What plans say that are made of a problem."""
    problem = _kernels.Problem(*words)
    said = [str(problem.derive(groups=problem.groups).stride), str(_kernels.explain_rows(problem))]
    for make in (
        lambda: _kernels.Plan(problem, np.zeros(problem.weight_shape, problem.dtype)),
        lambda: _kernels.WeightGradientPlan(problem),
    ):
        with contextlib.suppress(MemoryError, ValueError):
            said.append(str(make()))
    return said


@pytest.mark.parametrize(
    "make, good", [(described, PROBLEM), (_kernels.Plan, PLAN), (_kernels.WeightGradientPlan, GRADIENT)]
)
def test_plans_made_of_garbage_are_exceptions(make, good):
    make(*good)
    for cls in {_kernels.Problem, _kernels.Plan, _kernels.WeightGradientPlan}:
        with pytest.raises(TypeError):
            cls()
        with pytest.raises(TypeError):
            cls.__new__(cls)
    made = 0
    for i in range(len(good)):
        for value in GARBAGE:
            try:
                plan = make(*good[:i], value, *good[i + 1 :])
            except (TypeError, ValueError, OverflowError, RuntimeError):
                continue
            made += 1
            assert plan if make is described else plan.workspace_bytes >= 0 and str(plan)
    assert made or make is _kernels.WeightGradientPlan


def test_a_problem_is_immutable():
    problem = _kernels.Problem(*PROBLEM)
    for name in ("x_shape", "stride", "max_workspace", "axes", "anything"):
        with pytest.raises(AttributeError):
            setattr(problem, name, (1, 1))
    with pytest.raises(TypeError):
        problem.derive(strides=(1, 1))
    wide = problem.derive(padding=(1, 1, 2, 2), max_workspace=7)
    assert (wide.padding, wide.max_workspace, wide.stride) == ((1, 1, 2, 2), 7, (1, 1))
    assert problem.padding == (0, 0, 0, 0) and problem.max_workspace is None
    assert wide.y_shape == (1, 4, problem.y_shape[-2] + 2, problem.y_shape[-1] + 4)


def test_problem_of_no_shape():
    for shape in ((), (4,), (4, 8)):
        with pytest.raises(ValueError, match="x must have at least 3 dimensions"):
            _kernels.Problem(shape, *PROBLEM[1:])
    for weight in (W[0], W[0, 0], W[None]):
        with pytest.raises(ValueError, match="weight must have 4 dimensions"):
            _kernels.Problem(*PROBLEM[:2], weight.shape, *PROBLEM[3:])
        with pytest.raises(ValueError, match="weight has shape"):
            _kernels.Plan(PLAN[0], weight)
    for axes in (-1, 0, 3):
        with pytest.raises(ValueError, match="axes"):
            _kernels.Problem(*PROBLEM[:14], axes)


def test_native_entry_points_check_their_arrays():
    five = np.zeros((1, 2, 3, 4, 5), "f4")
    for src, dst in (
        (five[(None,) * 4], five[(None,) * 4]),
        (five, np.zeros((1, 2, 3, 4, 6), "f4")),
        (five, five.astype("f8")),
        (five.astype("c8"), five.astype("c8")),
        (np.zeros((1, 1, 1, 1, 9), "u1").view("V9"), np.zeros((1, 1, 1, 1, 1), "V9")),
        (five, np.broadcast_to(np.zeros(5, "f4"), five.shape)),
        (five, np.ndarray(five.shape, "f4", aligned(600), 1)),
    ):
        with pytest.raises(ValueError, match="can't copy"):
            _kernels.copy_array(src, dst, 1)
    for threads in (-1, 0, 1, 2):
        to = np.zeros_like(five)
        _kernels.copy_array(five + 1, to, threads)
        assert (to == 1).all()
    first = pyconv.plan(
        (1, 8, 8, 16), normal((16, 1, 3, 3)), groups=16, layout="NHWC", padding=1, algorithm="depthwise"
    )
    second = pyconv.plan((1, 8, 8, 16), normal((24, 16, 1, 1)), layout="NHWC", algorithm="pointwise")
    with pytest.raises(ValueError, match="the first plan makes"):
        _kernels.FusedPair(second, second)
    with pytest.raises(TypeError):
        _kernels.FusedPair(None, second)
    pair = _kernels.FusedPair(first, second)
    x, y, workspace = (
        np.ones((1, 8, 8, 16), "f4"),
        np.zeros((1, 8, 8, 24), "f4"),
        _kernels.fresh_workspace(pair.workspace_bytes),
    )
    if pair.serves:
        pair.run(x, None, y, workspace)
        np.testing.assert_array_equal(y, second(first(x)))
        for bad in (
            (x[..., :15], None, y, workspace), (x, x, y, workspace), (x, None, y[..., :23], workspace),
            (x, None, y.astype("f8"), workspace), (x, None, y, workspace[:-64]), (x, None, y, workspace[1:]),
            (x.astype("f8"), None, y, workspace), (x[:, ::-1], None, y, workspace),
        ):  # fmt: skip
            with pytest.raises(ValueError):
                pair.run(*bad)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ of Python classes")
def test_a_workspace_that_resizes_an_operand():
    class Workspace:
        def __buffer__(self, flags):
            x.resize(1, refcheck=False)
            return memoryview(aligned(1 << 20))

    x = np.ones((1, 4, 8, 8), "f4")
    with pytest.raises(ValueError, match="x has shape"):
        pyconv.plan(X.shape, W, algorithm="im2col")(x, workspace=Workspace())
