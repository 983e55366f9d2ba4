# SPDX-License-Identifier: BSD-3-Clause
"""conv2d_backward_weight: against the definition in float64, and PyTorch."""

import numpy as np
import pytest
from helpers import ULP, Guarded, integers, normal, reference
from hypothesis import given
from hypothesis import strategies as st
from reference import pair, sides

import pyconv

LAYOUTS = ["NCHW", "NHWC"]


def gradient(x, weight_shape, dy, *, stride=1, padding=0, dilation=1, groups=1):
    """dw[o, c, r, s] = sum of dy[n, o, i, j] * x[n, c, i*sh + r*dh, j*sw + s*dw], a tap at a time."""
    x, dy = np.asarray(x, np.float64), np.asarray(dy, np.float64)
    oc, icg, kh, kw = weight_shape
    (sh, sw), (dh, dw) = pair(stride), pair(dilation)
    rows, columns = sides(padding, x.shape[2:], (kh, kw), (sh, sw), (dh, dw))
    x = np.pad(x, ((0, 0), (0, 0), rows, columns))
    n, oh, ow = len(x), *dy.shape[2:]
    dy = dy.reshape(n, groups, oc // groups, oh, ow)
    result = np.empty(weight_shape)
    for r in range(kh):
        for s in range(kw):
            tap = x[..., r * dh :: sh, s * dw :: sw][..., :oh, :ow].reshape(n, groups, icg, oh, ow)
            result[..., r, s] = np.einsum("ngoij,ngcij->goc", dy, tap).reshape(oc, icg)
    return result


def test_gradient_is_the_adjoint_of_the_reference():
    """<conv2d(x, w), dy> = <w, gradient(x, dy)>."""
    x, w = normal((2, 4, 9, 11), "f8"), normal((6, 2, 3, 4), "f8", 1)
    keywords = {"stride": (2, 3), "padding": ((1, 2), (0, 3)), "dilation": (2, 1), "groups": 2}
    y = reference(x, w, **keywords)
    dy = normal(y.shape, "f8", 2)
    np.testing.assert_allclose((y * dy).sum(), (w * gradient(x, w.shape, dy, **keywords)).sum())


def last(a, layout):
    return np.ascontiguousarray(np.moveaxis(a, -3, -1)) if layout == "NHWC" else a


def outputs(x_shape, weight_shape, keywords):
    return reference(np.zeros(x_shape), np.zeros(weight_shape), **keywords).shape


def run(x, weight_shape, dy, layout, threads=None, **keywords):
    """The gradient, with memory around workspace and result looked after."""
    x, dy = last(x, layout), last(dy, layout)
    plan = pyconv.plan_conv2d_backward_weight(
        x.shape, weight_shape, dtype=x.dtype, layout=layout, threads=threads, **keywords
    )
    assert plan.dy_shape == dy.shape and plan.output_shape == weight_shape
    workspace, out = Guarded(plan.workspace_bytes, np.uint8, 0xFF), Guarded(weight_shape, x.dtype, 0xFF)
    assert plan(x, dy, out.array, workspace.array) is out.array
    assert out.intact() and workspace.intact()
    return out.array


@given(
    dtype=st.sampled_from(["float32", "float64", "float16"]),
    layout=st.sampled_from(LAYOUTS),
    n=st.integers(1, 4),
    groups=st.sampled_from([1, 1, 2, 3]),
    channels=st.tuples(st.sampled_from([1, 2, 5, 17, 33]), st.sampled_from([1, 2, 5, 15, 30])),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.integers(0, 3) | st.sampled_from(["valid", "same", "same_lower", "full", ((0, 2), (1, 0))]),
    more=st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
def test_whole_parameter_space(dtype, layout, n, groups, channels, kernel, stride, dilation, padding, more):
    icg, ocg = channels
    size = [(k - 1) * d + 1 + m for k, d, m in zip(kernel, dilation, more, strict=True)]
    x_shape, weight_shape = (n, groups * icg, *size), (groups * ocg, icg, *kernel)
    keywords = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = normal(x_shape, dtype)
    dy = normal(outputs(x_shape, weight_shape, keywords), dtype, 1)
    dw = run(x, weight_shape, dy, layout, **keywords)
    exact = gradient(x, weight_shape, dy, **keywords)
    size = np.linalg.norm(gradient(np.abs(x), weight_shape, np.abs(dy), **keywords))
    bound = 16 * ULP["float32" if dtype == "float16" else dtype] * size
    if dtype == "float16":
        bound += ULP["float16"] * np.linalg.norm(exact) + 2.0**-24 * exact.size**0.5
    assert np.linalg.norm(dw.astype("f8") - exact) <= bound


BLOCKED = [
    ((2, 70, 30, 33), (45, 70, 3, 3), {"padding": 1}),
    ((9, 5, 7, 7), (33, 5, 3, 3), {"padding": 1}),
    ((1, 3, 70, 75), (40, 3, 7, 7), {"stride": 2, "padding": 3}),
    ((1, 2, 3, 2500), (3, 2, 3, 3), {"padding": 1}),
    ((1, 2, 2500, 3), (3, 2, 3, 3), {"padding": 1}),
    ((3, 40, 20, 20), (130, 40, 1, 1), {}),
    ((2, 40, 21, 21), (30, 40, 1, 1), {"stride": 2}),
    ((2, 64, 15, 15), (64, 4, 3, 3), {"padding": 1, "groups": 16}),
    ((2, 37, 40, 41), (37, 1, 3, 3), {"padding": 1, "groups": 37}),
    ((2, 20, 23, 21), (20, 1, 5, 7), {"padding": 3, "groups": 20, "stride": 2}),
    ((1, 20, 23, 21), (40, 1, 3, 3), {"groups": 20, "dilation": 2}),
    ((1, 17, 40, 40), (17, 1, 31, 31), {"padding": "same", "groups": 17}),
    ((30, 16, 16, 16), (16, 16, 3, 3), {"padding": 1}),
    ((9, 40, 7, 7), (130, 40, 1, 1), {}),
    ((1, 2, 2100, 400), (6, 1, 1, 1), {"groups": 2}),
    ((140, 2, 30, 70), (2, 1, 3, 3), {"padding": 1, "groups": 2}),
    ((2, 19, 7, 600), (19, 1, 3, 5), {"padding": 2, "groups": 19, "stride": (1, 2)}),
    ((40, 18, 5, 6), (18, 1, 4, 9), {"padding": 4, "groups": 18, "stride": 2}),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("x_shape, weight_shape, keywords", BLOCKED)
def test_exact_on_integers_and_for_any_threads(x_shape, weight_shape, keywords, layout):
    x, dy = integers(x_shape), integers(outputs(x_shape, weight_shape, keywords), seed=1)
    exact = gradient(x, weight_shape, dy, **keywords)
    for threads in (1, 2, 3):
        dw = run(x, weight_shape, dy, layout, threads, accuracy="strict", **keywords)
        np.testing.assert_array_equal(dw, exact)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_threads_give_the_same_bits(layout):
    x, dy = normal((2, 40, 30, 30)), normal((2, 50, 30, 30), seed=1)
    one = run(x, (50, 40, 3, 3), dy, layout, 1, padding=1)
    for threads in (2, 2, 3):
        np.testing.assert_array_equal(run(x, (50, 40, 3, 3), dy, layout, threads, padding=1), one)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("x_shape, weight_shape, keywords", BLOCKED[:4] + BLOCKED[7:9])
def test_by_torch(x_shape, weight_shape, keywords, layout):
    torch = pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")
    x, dy = normal(x_shape), normal(outputs(x_shape, weight_shape, keywords), seed=1)
    w = torch.zeros(weight_shape, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.conv2d(torch.from_numpy(x.astype("f8")), w, **keywords).backward(
        torch.from_numpy(dy.astype("f8"))
    )
    theirs, ours = w.grad.numpy(), run(x, weight_shape, dy, layout, **keywords)
    assert np.linalg.norm(ours - theirs) < 3e-6 * np.linalg.norm(theirs)


@pytest.mark.parametrize("lead", [(), (2, 2), (0,), (2, 0)])
def test_leading_dimensions_act_as_batch(lead):
    x, dy = integers((*lead, 3, 9, 9)), integers((*lead, 4, 7, 7), seed=1)
    dw = pyconv.conv2d_backward_weight(x, (4, 3, 3, 3), dy, accuracy="strict")
    exact = (
        gradient(x.reshape(-1, 3, 9, 9), (4, 3, 3, 3), dy.reshape(-1, 4, 7, 7))
        if x.size
        else np.zeros((4, 3, 3, 3))
    )
    np.testing.assert_array_equal(dw, exact)


def test_takes_any_arrays_and_leaves_them():
    x, dy = integers((2, 3, 9, 18))[..., ::2], integers((2, 4, 7, 7), seed=1)[::-1].astype(">f4")
    before = x.copy(), dy.copy()
    dw = pyconv.conv2d_backward_weight(x, [4, 3, 3, 3], dy, accuracy="strict")
    np.testing.assert_array_equal(dw, gradient(x, (4, 3, 3, 3), dy))
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dy, before[1])


def test_refuses():
    x, dy = np.zeros((2, 4, 8, 8), np.float32), np.zeros((2, 6, 6, 6), np.float32)
    with pytest.raises(ValueError, match=r"dy has shape \(2, 6, 6, 6\), wanted \(2, 6, 8, 8\)"):
        pyconv.conv2d_backward_weight(x, (6, 4, 3, 3), dy, padding=1)
    with pytest.raises(
        ValueError, match="weight has 3 input channels per group, x has 4 channels / 1 groups"
    ):
        pyconv.conv2d_backward_weight(x, (6, 3, 3, 3), dy)
    with pytest.raises(ValueError, match=r"weight_shape must have 4 sizes .* is \(6, 4, 3\)"):
        pyconv.conv2d_backward_weight(x, (6, 4, 3), dy)
    with pytest.raises(TypeError, match="weight_shape must be a tuple of ints"):
        pyconv.conv2d_backward_weight(x, np.zeros((6, 4, 3, 3)), dy)
    with pytest.raises(TypeError, match="dy is float64, x is float32"):
        pyconv.conv2d_backward_weight(x, (6, 4, 3, 3), dy.astype("f8"))
    with pytest.raises(TypeError, match="x must be float32, float64 or float16, is int64"):
        pyconv.conv2d_backward_weight(x.astype("i8"), (6, 4, 3, 3), dy)
    with pytest.raises(ValueError, match=r"a 9x9 kernel .* is larger than the 8x8 input"):
        pyconv.conv2d_backward_weight(x, (6, 4, 9, 9), dy)
    with pytest.raises(ValueError, match="the sizes overflow"):
        pyconv.plan_conv2d_backward_weight((1, 2**40, 8, 8), (2**40, 2**40, 8, 8))
    with pytest.raises(
        pyconv.UnsupportedError, match=r"bytes of workspace for x .* max_workspace allows 100"
    ):
        pyconv.conv2d_backward_weight(x, (6, 4, 3, 3), dy, max_workspace=100)
    plan = pyconv.plan_conv2d_backward_weight(x.shape, (6, 4, 3, 3))
    with pytest.raises(ValueError, match=f"workspace has 64 bytes, this plan needs {plan.workspace_bytes}"):
        plan(x, dy, workspace=np.zeros(64, np.uint8))
    with pytest.raises(ValueError, match="out overlaps dy in memory"):
        plan(x, dy, dy.reshape(-1)[: 6 * 4 * 9].reshape(6, 4, 3, 3))
