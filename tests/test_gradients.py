# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of conv2d and conv1d, every border: against float64, differences, PyTorch."""

import math
import pickle

import numpy as np
import pytest
from helpers import ULP, Guarded, integers, normal, reference
from hypothesis import given
from hypothesis import strategies as st
from judge import torch_border
from reference import pad, pair, sides

import pyconv

LAYOUTS = ["NCHW", "NHWC"]
MODES = ["zeros", "reflect", "replicate", "circular", "symmetric", ("constant", 2.0)]
CONTINUING = MODES[1:5]


def last(a, layout):
    return np.ascontiguousarray(np.moveaxis(a, -3, -1)) if layout == "NHWC" else a


def first(a, layout):
    return np.moveaxis(a, -1, -3) if layout == "NHWC" else a


def taps(padded, kernel, shape, stride, dilation):
    """(r, s, the pixels that this tap meets, a view of the padded images)"""
    (sh, sw), (dh, dw) = pair(stride), pair(dilation)
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            yield r, s, padded[..., r * dh :: sh, s * dw :: sw][..., : shape[0], : shape[1]]


def input_gradient(x_shape, w, dy, *, stride=1, padding=0, dilation=1, groups=1, padding_mode="zeros"):
    """Each tap of each output is added to the pixel that it meets; NumPy says which stands where."""
    w, dy = np.asarray(w, np.float64), np.asarray(dy, np.float64)
    n, c, h, width = x_shape
    around = sides(padding, (h, width), w.shape[2:], pair(stride), pair(dilation))
    apart = padding_mode == "zeros" or isinstance(padding_mode, tuple)
    pixel = np.arange(h * width).reshape(1, 1, h, width)
    pixel = pad(pixel, *around, ("constant", -1) if apart else padding_mode)[0, 0]
    canvas = np.zeros((n, groups, c // groups, *pixel.shape))
    dy = dy.reshape(n, groups, -1, *dy.shape[2:])
    w = w.reshape(groups, -1, *w.shape[1:])
    for r, s, part in taps(canvas, w.shape[3:], dy.shape[3:], stride, dilation):
        part += np.einsum("ngoij,goc->ngcij", dy, w[..., r, s])
    dx = np.zeros((n, c, h * width))
    inside = pixel >= 0
    np.add.at(dx, (..., pixel[inside]), canvas.reshape(n, c, *pixel.shape)[..., inside])
    return dx.reshape(x_shape)


def weight_gradient(x, w_shape, dy, *, stride=1, padding=0, dilation=1, groups=1, padding_mode="zeros"):
    x, dy = np.asarray(x, np.float64), np.asarray(dy, np.float64)
    around = sides(padding, x.shape[2:], w_shape[2:], pair(stride), pair(dilation))
    x = pad(x, *around, padding_mode)
    x = x.reshape(len(x), groups, -1, *x.shape[2:])
    dy = dy.reshape(len(dy), groups, -1, *dy.shape[2:])
    dw = np.empty(w_shape)
    for r, s, part in taps(x, w_shape[2:], dy.shape[3:], stride, dilation):
        dw[..., r, s] = np.einsum("ngoij,ngcij->goc", dy, part).reshape(w_shape[:2])
    return dw


def outputs(x_shape, w_shape, keywords):
    return reference(np.zeros(x_shape), np.zeros(w_shape), **keywords).shape


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_references_are_the_derivatives_of_the_reference(mode):
    """conv2d is linear in each of its operands, so that differences are derivatives."""
    x, w = normal((2, 4, 5, 6), "f8"), normal((6, 2, 3, 2), "f8", 1)
    keywords = {"stride": (2, 1), "padding": ((3, 7), (2, 0)), "dilation": (1, 2), "groups": 2}
    keywords["padding_mode"] = mode
    y = reference(x, w, **keywords)
    dy = normal(y.shape, "f8", 2)
    dx, dw = input_gradient(x.shape, w, dy, **keywords), weight_gradient(x, w.shape, dy, **keywords)
    rng = np.random.default_rng(0)
    for _ in range(20):
        at, tap = (tuple(rng.integers(0, n) for n in a.shape) for a in (x, w))
        more, other = x.copy(), w.copy()
        more[at] += 1
        other[tap] += 1
        assert dx[at] == pytest.approx(((reference(more, w, **keywords) - y) * dy).sum(), abs=1e-10)
        assert dw[tap] == pytest.approx(((reference(x, other, **keywords) - y) * dy).sum(), abs=1e-10)


def by_plan(plan, operands, shape, dtype):
    """The result of a plan, with memory around workspace and result looked after."""
    assert plan.output_shape == shape
    results = []
    for poison in (0xFF, 0xA5):
        workspace, out = Guarded(plan.workspace_bytes, np.uint8, poison), Guarded(shape, dtype, 0xFF)
        assert plan(*operands, out.array, workspace.array) is out.array
        assert out.intact() and workspace.intact()
        results.append(out.array)
    assert results[0].tobytes() == results[1].tobytes()
    return results[0]


def backward_input(x_shape, w, dy, layout, **keywords):
    shape = last(np.empty(x_shape, np.int8), layout).shape
    plan = pyconv.plan_conv2d_backward_input(shape, w, layout=layout, **keywords)
    assert isinstance(plan, pyconv.TransposedPlan)
    return first(by_plan(plan, (last(dy, layout),), shape, w.dtype), layout)


def backward_weight(x, w_shape, dy, layout, **keywords):
    x, dy = last(x, layout), last(dy, layout)
    plan = pyconv.plan_conv2d_backward_weight(x.shape, w_shape, dtype=x.dtype, layout=layout, **keywords)
    return by_plan(plan, (x, dy), w_shape, x.dtype)


def assert_near(given, exact, size, dtype, terms=16):
    inner = "float32" if dtype == "float16" else dtype
    bound = terms * ULP[inner] * np.linalg.norm(size)
    if dtype == "float16":
        bound += ULP["float16"] * np.linalg.norm(exact) + 2.0**-24 * exact.size**0.5
    assert given.shape == exact.shape and given.dtype == dtype
    assert np.linalg.norm(given.astype("f8") - exact) <= bound


@given(
    dtype=st.sampled_from(["float32", "float64", "float16"]),
    layout=st.sampled_from(LAYOUTS),
    mode=st.sampled_from(MODES),
    n=st.integers(1, 3),
    groups=st.sampled_from([1, 1, 2, 3]),
    channels=st.tuples(st.sampled_from([1, 2, 5, 17]), st.sampled_from([1, 2, 5, 15])),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.sampled_from(
        ["valid", "same", "same_lower", "full", 1, 4, ((0, 2), (1, 0)), ((9, 0), (3, 13))]
    ),
    more=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_whole_parameter_space(
    dtype, layout, mode, n, groups, channels, kernel, stride, dilation, padding, more
):
    icg, ocg = channels
    size = [(k - 1) * d + 1 + m for k, d, m in zip(kernel, dilation, more, strict=True)]
    x_shape, w_shape = (n, groups * icg, *size), (groups * ocg, icg, *kernel)
    keywords = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    keywords["padding_mode"] = mode
    x, w = normal(x_shape, dtype), normal(w_shape, dtype, 1)
    dy = normal(outputs(x_shape, w_shape, keywords), dtype, 2)
    positive = keywords | ({"padding_mode": ("constant", 2.0)} if isinstance(mode, tuple) else {})
    dx = backward_input(x_shape, w, dy, layout, **keywords)
    exact = input_gradient(x_shape, w, dy, **keywords)
    assert_near(dx, exact, input_gradient(x_shape, np.abs(w), np.abs(dy), **positive), dtype)
    dw = backward_weight(x, w_shape, dy, layout, **keywords)
    exact = weight_gradient(x, w_shape, dy, **keywords)
    assert_near(dw, exact, weight_gradient(np.abs(x), w_shape, np.abs(dy), **positive), dtype)


PROBLEMS = [
    ((2, 7, 13, 11), (9, 7, 3, 3), {"padding": 1}),
    ((1, 3, 17, 20), (8, 3, 5, 5), {"padding": 2, "stride": 2}),
    ((2, 20, 9, 9), (20, 1, 3, 3), {"padding": 1, "groups": 20}),
    ((2, 4, 3, 2), (6, 2, 2, 3), {"padding": ((7, 0), (2, 11)), "groups": 2, "dilation": (2, 1)}),
    ((1, 16, 1, 30), (16, 16, 1, 7), {"padding": (0, 3)}),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("x_shape, w_shape, keywords", PROBLEMS)
def test_exact_on_integers_for_any_threads(x_shape, w_shape, keywords, mode, layout):
    keywords = keywords | {"padding_mode": mode, "accuracy": "strict"}
    geometry = {key: value for key, value in keywords.items() if key != "accuracy"}
    x, w = integers(x_shape), integers(w_shape, seed=1)
    dy = integers(outputs(x_shape, w_shape, geometry), seed=2)
    for threads in (1, 2, 3):
        dx = backward_input(x_shape, w, dy, layout, threads=threads, **keywords)
        np.testing.assert_array_equal(dx, input_gradient(x_shape, w, dy, **geometry))
        dw = backward_weight(x, w_shape, dy, layout, threads=threads, **keywords)
        np.testing.assert_array_equal(dw, weight_gradient(x, w_shape, dy, **geometry))


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("x_shape, w_shape, keywords", PROBLEMS[:3])
def test_gradients_are_differences(x_shape, w_shape, keywords, mode):
    """As torch.autograd.gradcheck: what steps in random directions change."""
    keywords = keywords | {"padding_mode": mode}
    x, w = normal(x_shape, "f8"), normal(w_shape, "f8", 1)
    y = pyconv.conv2d(x, w, **keywords)
    dy = normal(y.shape, "f8", 2)
    dx = pyconv.conv2d_backward_input(x_shape, w, dy, **keywords)
    dw = pyconv.conv2d_backward_weight(x, w_shape, dy, **keywords)
    for seed in range(3, 8):
        step, turn = normal(x_shape, "f8", seed), normal(w_shape, "f8", seed)
        ahead, behind = (pyconv.conv2d(x + e * step, w, **keywords) for e in (0.5, -0.5))
        assert ((ahead - behind) * dy).sum() == pytest.approx((step * dx).sum(), rel=1e-10, abs=1e-9)
        ahead, behind = (pyconv.conv2d(x, w + e * turn, **keywords) for e in (0.5, -0.5))
        assert ((ahead - behind) * dy).sum() == pytest.approx((turn * dw).sum(), rel=1e-10, abs=1e-9)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular", ("constant", -3.0)], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("x_shape, w_shape, keywords", [*PROBLEMS[:3], PROBLEMS[4]])
def test_by_torch(x_shape, w_shape, keywords, layout, mode):
    torch = pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")
    x, w = (torch.from_numpy(normal(s, "f8", i)).requires_grad_() for i, s in enumerate((x_shape, w_shape)))
    around = sides(keywords["padding"], x_shape[2:], w_shape[2:], (1, 1), (1, 1))
    rest = {key: value for key, value in keywords.items() if key != "padding"}
    y = torch.nn.functional.conv2d(torch_border(x, *around, mode), w, **rest)
    dy = normal(tuple(y.shape), "f8", 2)
    theirs = [g.numpy() for g in torch.autograd.grad(y, (x, w), torch.from_numpy(dy))]
    keywords = keywords | {"padding_mode": mode}
    for dtype, bound in (("f8", 1e-13), ("f4", 1e-5)):
        x_, w_, dy_ = (a.astype(dtype) for a in (x.detach().numpy(), w.detach().numpy(), dy))
        ours = (
            backward_input(x_shape, w_, dy_, layout, **keywords),
            backward_weight(x_, w_shape, dy_, layout, **keywords),
        )
        for a, b in zip(ours, theirs, strict=True):
            assert np.linalg.norm(a - b) < bound * np.linalg.norm(b)


def test_plan_of_the_input_gradient():
    w, dy = normal((6, 4, 3, 3)), normal((2, 6, 8, 8), seed=1)
    plan = pyconv.plan_conv2d_backward_input((2, 4, 8, 8), w, padding=1, padding_mode="reflect")
    assert plan.input_shape == dy.shape and plan.output_shape == (2, 4, 8, 8)
    assert plan.dtype == plan.weight_dtype == plan.out_dtype == np.float32
    expected = pyconv.conv2d_backward_input((2, 4, 8, 8), w, dy, padding=1, padding_mode="reflect")
    np.testing.assert_array_equal(plan(dy), expected)
    copy = pickle.loads(pickle.dumps(plan))
    np.testing.assert_array_equal(copy(dy), expected)
    assert pyconv.plan_conv2d_backward_input((1, 3, 3), [[[[1, 2.5]]]] * 2, dtype="f8").dtype == np.float64
    swapped = w.astype(">f4")
    np.testing.assert_array_equal(
        pyconv.plan_conv2d_backward_input(
            (2, 4, 8, 8), swapped, dtype="f4", padding=1, padding_mode="reflect"
        )(dy),
        expected,
    )
    with pytest.raises(TypeError, match="dtype is float64, weight is float32: dtypes must match"):
        pyconv.plan_conv2d_backward_input((2, 4, 8, 8), w, dtype="f8")
    with pytest.raises(ValueError, match=r"dy has shape \(2, 6, 7, 8\), wanted \(2, 6, 8, 8\)"):
        plan(dy[:, :, 1:])


@pytest.mark.parametrize("mode", ["zeros", "circular"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_weight_gradient_plan_pickles(mode, dtype):
    x, dy = normal((2, 4, 8, 8), dtype), normal((2, 6, 8, 8), dtype, 1)
    plan = pyconv.plan_conv2d_backward_weight(
        x.shape, (6, 4, 3, 3), dtype=dtype, padding=1, padding_mode=mode, max_workspace="1MB"
    )
    copy = pickle.loads(pickle.dumps(plan))
    assert copy.workspace_bytes == plan.workspace_bytes
    np.testing.assert_array_equal(copy(x, dy), plan(x, dy))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("of", ["input", "weight"])
def test_borders_stay_within_max_workspace(of, dtype):
    x, w = normal((2, 4, 8, 8), dtype), normal((6, 4, 3, 3), dtype, 1)
    dy = normal((2, 6, 10, 10), dtype, 2)
    keywords = {"padding": 2, "padding_mode": "replicate", "accuracy": "strict"}

    def planned(**more):
        if of == "input":
            return pyconv.plan_conv2d_backward_input(x.shape, w, **keywords, **more)
        return pyconv.plan_conv2d_backward_weight(x.shape, w.shape, dtype=dtype, **keywords, **more)

    free = planned()
    need = free.workspace_bytes + getattr(free, "packed_bytes", 0)
    assert free.workspace_bytes > 2 * 4 * 12 * 12 * x.itemsize
    operands = (dy,) if of == "input" else (x, dy)
    np.testing.assert_array_equal(planned(max_workspace=need)(*operands), free(*operands))
    with pytest.raises(
        pyconv.UnsupportedError, match=r"needs \d+ bytes of workspace.*max_workspace allows 300"
    ):
        planned(max_workspace=300)


def test_lists_are_arrays():
    w, dy = np.ones((1, 1, 2, 2), np.float32), [[[[1.0, 2], [3, 4]]]]
    dx = pyconv.conv2d_backward_input((1, 1, 3, 3), w, dy)
    assert dx.dtype == np.float32 and dx.sum() == 40
    assert pyconv.conv2d_backward_input((1, 1, 3, 3), w.tolist(), dy).dtype == np.float64
    assert pyconv.conv2d_backward_weight(np.ones((1, 1, 3, 3), np.float32), (1, 1, 2, 2), dy).sum() == 40
    assert pyconv.conv2d_backward_bias(dy) == 10


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(
    "shape",
    [
        (2, 5, 7, 9),
        (70, 33, 3, 3),
        (1, 40, 61, 67),
        (300, 3, 5, 5),
        (2, 0, 3, 4, 4),
        (3, 130, 9, 8),
        (1, 2, 65, 66),
    ],
)
def test_bias(shape, dtype, layout):
    dy = normal(shape, dtype)
    given = last(dy, layout)
    db = pyconv.conv2d_backward_bias(given, layout=layout)
    exact = np.moveaxis(dy, -3, 0).astype("f8").reshape(shape[-3], dy.size // shape[-3])
    assert db.shape == (shape[-3],) and db.dtype == dtype
    ulp = ULP["float32" if dtype == "float16" else dtype]
    bound = 16 * ulp * np.abs(exact).sum(1)
    if dtype == "float16":
        bound += ULP["float16"] * np.abs(exact.sum(1)) + 2.0**-24
    assert (np.abs(db - exact.sum(1)) <= bound).all()
    for threads in (1, 2, 3):
        again = pyconv.conv2d_backward_bias(given, layout=layout, threads=threads)
        np.testing.assert_array_equal(again, db)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 4, 64])
def test_bias_of_many_pixels_is_accurate(layout, channels):
    """Half a million tenths, one after another, would be off by 1e-3."""
    shape = (2, channels, 512, 512) if channels < 64 else (2, channels, 64, 64)
    dy = np.full(shape, 0.1, np.float32)
    db = pyconv.conv2d_backward_bias(last(dy, layout), layout=layout)
    np.testing.assert_allclose(db, math.prod(shape) / channels * float(np.float32(0.1)), rtol=1e-6)


def test_bias_is_exact_on_integers_and_takes_any_array():
    dy = integers((3, 6, 10, 14))[..., ::2]
    out = np.full(12, np.nan, np.float32)[::2]
    assert pyconv.conv2d_backward_bias(dy, out=out) is out
    np.testing.assert_array_equal(out, dy.sum((0, 2, 3)))
    np.testing.assert_array_equal(pyconv.conv2d_backward_bias(dy[0].astype(">f4")), dy[0].sum((1, 2)))
    np.testing.assert_array_equal(pyconv.conv2d_backward_bias(dy, layout="NHWC"), dy.sum((0, 1, 2)))


def test_bias_refuses():
    dy = np.zeros((2, 3, 4, 5), np.float32)
    with pytest.raises(TypeError, match=r"dy must be float32, float64 or float16, is int64: pass dy.astype"):
        pyconv.conv2d_backward_bias(dy.astype(int))
    with pytest.raises(ValueError, match=r"dy must have at least 3 dimensions .* has shape \(4, 5\)"):
        pyconv.conv2d_backward_bias(dy[0, 0])
    with pytest.raises(ValueError, match=r"out has shape \(5,\), wanted \(3,\)"):
        pyconv.conv2d_backward_bias(dy, out=np.zeros(5, np.float32))
    with pytest.raises(ValueError, match="out overlaps dy in memory"):
        pyconv.conv2d_backward_bias(dy, out=dy[0, 0, 0, :3])
    with pytest.raises(ValueError, match="layout must be one of 'NCHW', 'NHWC', is 'NCL'"):
        pyconv.conv2d_backward_bias(dy, layout="NCL")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("lead", [(), (3,), (2, 2)])
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("layout", ["NCL", "NLC"])
def test_conv1d_is_conv2d_of_one_row(layout, mode, lead, dtype):
    x, w = integers((*lead, 4, 19), dtype), integers((6, 2, 3), dtype, 1)
    along = {"stride": 2, "padding": (3, 1), "dilation": 2, "groups": 2, "padding_mode": mode}
    rows = {"stride": (1, 2), "padding": ((0, 0), (3, 1)), "dilation": (1, 2), "groups": 2}
    rows |= {"padding_mode": mode, "accuracy": "strict"}

    def turned(a):
        return np.ascontiguousarray(a.swapaxes(-1, -2)) if layout == "NLC" else a

    y = pyconv.conv1d(x, w, **along)
    dy = integers(y.shape, dtype, 2)
    dx = pyconv.conv2d_backward_input((*lead, 4, 1, 19), w[:, :, None], dy[..., None, :], **rows)
    dw = pyconv.conv2d_backward_weight(x[..., None, :], (6, 2, 1, 3), dy[..., None, :], **rows)
    more = {"layout": layout, "accuracy": "strict", **along}
    given = pyconv.conv1d_backward_input(turned(x).shape, w, turned(dy), **more)
    np.testing.assert_array_equal(given, turned(dx[..., 0, :]))
    found = pyconv.conv1d_backward_weight(turned(x), w.shape, turned(dy), **more)
    np.testing.assert_array_equal(found, dw[:, :, 0])
    out, into = np.full_like(given, np.nan)[::-1], np.full((6, 3, 2), np.nan, dtype).swapaxes(1, 2)
    assert pyconv.conv1d_backward_input(turned(x).shape, w, turned(dy), out=out, **more) is out
    np.testing.assert_array_equal(out, given)
    assert pyconv.conv1d_backward_weight(turned(x), w.shape, turned(dy), out=into, **more) is into
    np.testing.assert_array_equal(into, found)
    db = pyconv.conv1d_backward_bias(turned(dy), layout=layout)
    np.testing.assert_array_equal(db, np.moveaxis(dy, -2, 0).reshape(6, -1).sum(1))


def test_conv1d_gradients_by_torch():
    torch = pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")
    arrays = (normal((3, 16, 101)), normal((24, 4, 7), seed=1), normal(24, seed=2))
    leaves = [torch.from_numpy(a.astype("f8")).requires_grad_() for a in arrays]
    y = torch.nn.functional.conv1d(*leaves, 2, 3, 2, 4)
    dy = normal(tuple(y.shape), seed=3)
    theirs = torch.autograd.grad(y, leaves, torch.from_numpy(dy.astype("f8")))
    keywords = {"stride": (2,), "padding": (3,), "dilation": (2,), "groups": 4}
    ours = (
        pyconv.conv1d_backward_input(arrays[0].shape, arrays[1], dy, **keywords),
        pyconv.conv1d_backward_weight(arrays[0], arrays[1].shape, dy, **keywords),
        pyconv.conv1d_backward_bias(dy),
    )
    for a, b in zip(ours, theirs, strict=True):
        assert np.linalg.norm(a - b.numpy()) < 1e-5 * np.linalg.norm(b.numpy())


X, W = np.zeros((2, 4, 8, 8), np.float32), np.zeros((6, 4, 3, 3), np.float32)
DY = np.zeros((2, 6, 6, 6), np.float32)
SIGNAL, TAPS = X[:, :, 0], W[:, :, 0]
SAID = (
    r"^dy has shape \(2, 6, 5, 6\), wanted \(2, 6, 3, 4\), that of the result for x \(2, 4, 8, 8\), "
    r"weight \(6, 4, 3, 3\), stride \(2, 2\), padding \(\(0, 0\), \(1, 1\)\), dilation \(1, 1\)$"
)
to_input, to_weight = pyconv.conv2d_backward_input, pyconv.conv2d_backward_weight
row_to_input, row_to_weight = pyconv.conv1d_backward_input, pyconv.conv1d_backward_weight
BAD = [
    (lambda: to_input(X.shape, W, DY[:, :, 1:], stride=2, padding=(0, 1)), ValueError, SAID),
    (lambda: to_weight(X, W.shape, DY[:, :, 1:], stride=2, padding=(0, 1)), ValueError, SAID),
    (lambda: row_to_input(SIGNAL.shape, TAPS, SIGNAL), ValueError,
     r"^dy has shape \(2, 4, 8\), wanted \(2, 6, 6\), that of the result for x \(2, 4, 8\), weight "
     r"\(6, 4, 3\), stride \(1,\), padding \(\(0, 0\),\), dilation \(1,\)$"),
    (lambda: row_to_weight(SIGNAL, TAPS.shape, SIGNAL), ValueError, r"wanted \(2, 6, 6\)"),
    (lambda: row_to_weight(SIGNAL, W.shape, SIGNAL), ValueError,
     r"^weight_shape must have 3 sizes \(filters, channels / groups, length\), is \(6, 4, 3, 3\)"),
    (lambda: row_to_input(X.shape, TAPS, SIGNAL), ValueError, "groups|channels"),
    (lambda: row_to_input(SIGNAL.shape, W, SIGNAL), ValueError, "weight must have 3 dimensions"),
    (lambda: to_input(X.shape, W, DY, padding_mode="torus"), ValueError,
     "^padding_mode must be one of 'zeros'"),
    (lambda: to_weight(X, W.shape, DY, padding_mode=("constant", "x")), TypeError, "number"),
    (lambda: to_input(X.shape, W, DY, algorithm="winograd_f9k9"), ValueError,
     "^algorithm must be one of 'auto'"),
    (lambda: to_weight(X, W.shape, DY, algorithm="winograd_f9k9"), ValueError,
     "^algorithm must be one of 'auto'"),
    (lambda: to_weight(X, W.shape, DY, accuracy="loose"), ValueError, "^accuracy must be"),
    (lambda: to_weight(X.astype("u1"), W.shape, DY), TypeError,
     "^x must be float32, float64 or float16, is uint8: pass x.astype"),
    (lambda: to_input(X.shape, W, None), TypeError, "^dy must be an array, is None"),
    (lambda: to_weight(X, W.shape, None), TypeError, "^dy must be an array, is None"),
    (lambda: row_to_input(SIGNAL.shape, TAPS, DY[:, :, 0], out=SIGNAL[..., 1:]), ValueError,
     r"^out has shape \(2, 4, 7\), wanted \(2, 4, 8\)"),
    (lambda: pyconv.conv1d_backward_bias(TAPS[0, 0]), ValueError, r"2 dimensions \(filters, length\)"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, words", BAD, ids=[f"{i}: {bad[2][:40]}" for i, bad in enumerate(BAD)])
def test_what_is_wrong_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("target", ["out", "workspace"])
@pytest.mark.parametrize("victim", ["weight", "dy"])
def test_signals_may_not_be_overwritten(target, victim):
    memory = np.zeros(1 << 16, np.uint8)
    memory = memory[-memory.ctypes.data % 64 :]
    arrays = {"weight": integers((6, 4, 3)), "dy": integers((2, 6, 6))}
    arrays[victim] = memory.view("f4")[: arrays[victim].size].reshape(arrays[victim].shape)
    given = memory.view("f4")[:64].reshape(2, 4, 8) if target == "out" else memory
    with pytest.raises(ValueError, match=f"{target} overlaps {victim} in memory"):
        pyconv.conv1d_backward_input(
            (2, 4, 8), **arrays, padding=0, padding_mode="reflect", **{target: given}
        )
