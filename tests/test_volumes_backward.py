# SPDX-License-Identifier: BSD-3-Clause
"""
conv_transpose1d, conv_transpose3d and the gradients of conv3d: against the definition in float64, and
PyTorch.
"""

import numpy as np
import pytest
from helpers import Guarded, integers, normal
from hypothesis import given
from hypothesis import strategies as st
from reference import convolve, paint

import pyconv
from pyconv.volumes.describe import volume
from pyconv.volumes.gradients import VolumeWeightGradientPlan
from pyconv.volumes.transposed import TransposedVolumePlan

LAYOUTS = ["NCDHW", "NDHWC"]


def last(a, layout):
    """An array of volumes in NCDHW, put into the layout."""
    return np.ascontiguousarray(np.moveaxis(a, -4, -1)) if layout == "NDHWC" else a


def first(a, layout):
    return np.moveaxis(a, -1, -4) if layout == "NDHWC" else a


def test_paint_is_the_adjoint_of_the_reference():
    """<convolve(x), dy> = <x, paint(dy)>."""
    x, w = normal((2, 4, 5, 6, 7), "f8"), normal((6, 2, 2, 3, 2), "f8", 1)
    keywords = {"stride": (2, 1, 3), "dilation": (1, 2, 1), "groups": 2}
    y = convolve(x, w, padding=(1, 2, 0), **keywords)
    dy = normal(y.shape, "f8", 2)
    dx = paint(dy, w, (5, 6, 7), before=(1, 2, 0), **keywords)
    np.testing.assert_allclose((y * dy).sum(), (x * dx).sum())


triples = st.tuples(*[st.integers(1, 3)] * 3)


@given(
    dtype=st.sampled_from(["float32", "float64", "float16"]),
    layout=st.sampled_from(LAYOUTS),
    n=st.integers(0, 2),
    groups=st.sampled_from([1, 1, 2]),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    size=st.tuples(*[st.integers(1, 5)] * 3),
    kernel=triples | st.sampled_from([(1, 2, 2), (2, 1, 1), (1, 1, 1)]),
    stride=triples,
    dilation=triples,
    padding=st.tuples(*[st.integers(0, 2)] * 3),
    extra=st.tuples(*[st.integers(0, 2)] * 3),
    bias=st.booleans(),
    activation=st.sampled_from([None, "relu", ("clip", 1.0, 3.0)]),
)
def test_transpose(
    dtype, layout, n, groups, channels, size, kernel, stride, dilation, padding, extra, bias, activation
):
    """Small integers, whose sums are exact in any order: bit for bit."""
    extra = tuple(min(e, max(s, d) - 1) for e, s, d in zip(extra, stride, dilation, strict=True))
    x = integers((n, groups * channels[0], *size), dtype)
    w = integers((groups * channels[0], channels[1], *kernel), dtype, 1, top=2)
    b = integers(groups * channels[1], dtype, 2) if bias else None
    keywords = {
        "stride": stride, "padding": padding, "output_padding": extra, "dilation": dilation, "groups": groups,
        "layout": layout, "activation": activation, "accuracy": "strict",
    }  # fmt: skip
    axes = zip(size, stride, padding, dilation, kernel, extra, strict=True)
    image = tuple((i - 1) * s - 2 * p + d * (k - 1) + e + 1 for i, s, p, d, k, e in axes)
    if min(image) < 1:
        with pytest.raises(ValueError, match="no output is left"):
            pyconv.conv_transpose3d(last(x, layout), w, b, **keywords)
        return
    exact = paint(x, w, image, stride=stride, before=padding, dilation=dilation, groups=groups)
    if bias:
        exact = exact + b.astype("f8")[:, None, None, None]
    if activation is not None:
        exact = np.clip(exact, *((0, np.inf) if activation == "relu" else activation[1:]))
    y = pyconv.conv_transpose3d(last(x, layout), w, b, **keywords)
    assert y.dtype == dtype
    np.testing.assert_array_equal(first(y, layout), exact.astype(dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stride", [1, 2, (3, 1, 2)])
def test_transposed_plans_keep_to_their_memory(stride, layout):
    w = integers((4, 2, 2, 3, 3), seed=1, top=2)
    shape = (2, 6, 5, 8, 9)
    forward = volume(
        last(np.zeros(shape), layout).shape, w.dtype, (4, 6, 2, 3, 3), stride=stride, padding=1, layout=layout
    )
    w = integers((4, 6, 2, 3, 3), seed=1, top=2)
    plan = TransposedVolumePlan(forward, forward.y_shape, w)
    x = integers(first(np.zeros(forward.y_shape), layout).shape)
    workspace, out = Guarded(plan.workspace_bytes, np.uint8, 0xFF), Guarded(plan.output_shape, "f4", 0xFF)
    assert plan(last(x, layout), out.array, workspace.array) is out.array
    assert workspace.intact() and out.intact()
    stride = np.broadcast_to(stride, 3).tolist()
    exact = paint(x, w, shape[2:], stride=stride, before=(1, 1, 1), dilation=(1, 1, 1))
    np.testing.assert_array_equal(first(out.array, layout), exact.astype("f4"))
    assert "TransposedVolumePlan" in repr(plan)


def test_outputs_that_no_tap_reaches():
    """Hold the bias, after the activation, as integers within their range."""
    x, w, b = np.ones((1, 1, 2, 2, 2), "f4"), np.ones((1, 3, 1, 1, 1), "f4"), np.array([300.0, -2, 2.5], "f4")
    y = pyconv.conv_transpose3d(x, w, b, stride=2, activation="relu", out_dtype=np.uint8)
    assert y.dtype == np.uint8 and y[0, :, 1, 1, 1].tolist() == [255, 0, 2]
    assert y[0, :, 0, 0, 0].tolist() == [255, 0, 4]
    half = pyconv.conv_transpose3d(x, w, b * 1000, stride=2, out_dtype=np.float16)
    assert half[0, :, 1, 1, 1].tolist() == [np.inf, -2000, 2500]


@pytest.mark.parametrize("layout", ["NCL", "NLC"])
@pytest.mark.parametrize(
    "stride, padding, extra, dilation", [(1, 0, 0, 1), (3, (1, 2), 1, 2), ((2,), "same", 0, 1)]
)
def test_transpose_1d(stride, padding, extra, dilation, layout):
    x, w, b = integers((2, 4, 9)), integers((4, 3, 5), seed=1), integers(6, seed=2)
    given_x = np.ascontiguousarray(x.swapaxes(1, 2)) if layout == "NLC" else x
    keywords = {
        "stride": stride,
        "padding": padding,
        "output_padding": extra,
        "dilation": dilation,
        "groups": 2,
    }
    y = pyconv.conv_transpose1d(given_x, w, b, layout=layout, **keywords)
    step = stride[0] if isinstance(stride, tuple) else stride
    before = 1 if padding == (1, 2) else 1 if padding == "same" else 0
    length = (
        18 if padding == "same" else 8 * step - sum(np.broadcast_to(padding, 2)) + 4 * dilation + extra + 1
    )
    exact = (
        paint(x, w, (length,), stride=(step,), before=(before,), dilation=(dilation,), groups=2) + b[:, None]
    )
    exact = exact.swapaxes(1, 2) if layout == "NLC" else exact
    np.testing.assert_array_equal(y, exact.astype("f4"))
    out = np.full((*y.shape[:2], 2 * y.shape[2]), np.nan, "f4")[..., ::2]
    assert pyconv.conv_transpose1d(given_x, w, b, layout=layout, out=out, **keywords) is out
    np.testing.assert_array_equal(out, y)
    with pytest.raises(ValueError, match=r"out has shape \(1,\), wanted \(2, "):
        pyconv.conv_transpose1d(given_x, w, layout=layout, out=out[0, 0, :1], **keywords)
    with pytest.raises(ValueError, match="weight must have 3 dimensions"):
        pyconv.conv_transpose1d(given_x, w[0], layout=layout)


GRADIENTS = {
    "n": st.integers(1, 2),
    "groups": st.sampled_from([1, 1, 2, 3]),
    "channels": st.tuples(st.integers(1, 3), st.integers(1, 4)),
    "kernel": triples | st.sampled_from([(1, 2, 2), (2, 1, 1), (1, 1, 1)]),
    "stride": triples,
    "dilation": triples,
    "padding": st.integers(0, 2) | st.sampled_from(["valid", "same", "full", ((0, 2), (1, 0), (2, 1))]),
    "more": st.tuples(*[st.integers(0, 4)] * 3),
}


def problem_of(dtype, layout, n, groups, channels, kernel, stride, dilation, padding, more):
    """x, weight, dy in NCDHW, and the keywords."""
    size = [(k - 1) * d + 1 + m for k, d, m in zip(kernel, dilation, more, strict=True)]
    x = integers((n, groups * channels[0], *size), dtype)
    w = integers((groups * channels[1], channels[0], *kernel), dtype, 1, top=2)
    keywords = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    dy = integers(convolve(x, w, **keywords).shape, dtype, 2, top=2)
    return x, w, dy, keywords


@given(
    dtype=st.sampled_from(["float32", "float64", "float16"]),
    layout=st.sampled_from(LAYOUTS),
    mode=st.sampled_from(["zeros", "zeros", "reflect", "circular", ("constant", 2)]),
    **GRADIENTS,
)
def test_gradients_are_adjoint(dtype, layout, mode, **words):
    """
    <convolve(x, w), dy> = <x, dx> = <w, dw>, for every x and w: for unit vectors, one by one, by linearity.
    """
    x, w, dy, keywords = problem_of(dtype, layout, **words)
    shared = {"layout": layout, "accuracy": "strict"}
    dx = pyconv.conv3d_backward_input(last(x, layout).shape, w, last(dy, layout), **shared, **keywords)
    border = {**keywords, "padding_mode": mode}
    dw = pyconv.conv3d_backward_weight(last(x, layout), w.shape, last(dy, layout), **shared, **border)
    assert dx.dtype == dw.dtype == dtype and dw.shape == w.shape
    r = np.random.default_rng(0)
    for _ in range(3):
        at = tuple(r.integers(s) for s in x.shape)
        unit = np.zeros(x.shape)
        unit[at] = 1
        assert first(dx, layout)[at] == (convolve(unit, w, **keywords) * dy).sum().astype(dtype)
        at = tuple(r.integers(s) for s in w.shape)
        unit = np.zeros(w.shape)
        unit[at] = 1
        assert dw[at] == (convolve(x, unit, **border) * dy).sum().astype(dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bound", [None, 60_000])
def test_the_weights_gradient_in_chunks(bound, stride, layout, monkeypatch):
    """Of slices that don't divide the depth, in poisoned and guarded memory."""
    monkeypatch.setattr("pyconv.volumes.gradients.BUFFERED", 9_000 // stride)
    x, w = integers((2, 3, 13, 8, 9)), integers((5, 3, 3, 2, 2), seed=1)
    y = convolve(x, w, stride=stride, padding=1)
    dy = integers(y.shape, seed=2, top=2)
    v = volume(
        last(x, layout).shape,
        x.dtype,
        w.shape,
        stride=stride,
        padding=1,
        layout=layout,
        max_workspace=bound,
        accuracy="strict",
    )
    plan = VolumeWeightGradientPlan(v)
    assert plan._chunks[0].count < y.shape[2] and (len(plan._chunks) == 2 or bound)
    workspace, out = Guarded(plan.workspace_bytes, np.uint8, 0xFF), Guarded(w.shape, "f4", 0xFF)
    assert plan(last(x, layout), last(dy, layout), out.array, workspace.array) is out.array
    assert workspace.intact() and out.intact() and (bound is None or plan.workspace_bytes <= bound)
    np.testing.assert_allclose((w * out.array).sum(dtype="f8"), (y * dy).sum())
    with pytest.raises(pyconv.UnsupportedError, match="max_workspace allows 100"):
        pyconv.conv3d_backward_weight(
            last(x, layout),
            w.shape,
            last(dy, layout),
            stride=stride,
            padding=1,
            layout=layout,
            max_workspace=100,
        )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "stride, padding, dilation, groups", [(1, 1, 1, 1), (2, 1, 1, 2), ((1, 2, 2), (0, 1, 2), 1, 1)]
)
def test_gradients_by_torch(stride, padding, dilation, groups, layout):
    torch = pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")
    x, w = normal((2, 8, 7, 10, 11)), normal((12, 8 // groups, 3, 3, 3), seed=1)
    leaves = [torch.from_numpy(a).requires_grad_() for a in (x, w)]
    y = torch.nn.functional.conv3d(*leaves, None, stride, padding, dilation, groups)
    dy = normal(tuple(y.shape), seed=3)
    exact = [g.numpy() for g in torch.autograd.grad(y, leaves, torch.from_numpy(dy))]
    keywords = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "layout": layout,
    }
    dx = pyconv.conv3d_backward_input(last(x, layout).shape, w, last(dy, layout), **keywords)
    dw = pyconv.conv3d_backward_weight(last(x, layout), w.shape, last(dy, layout), **keywords)
    np.testing.assert_allclose(first(dx, layout), exact[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(dw, exact[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda x, w: pyconv.conv_transpose3d(x[0, 0], w), "x must have at least 4 dimensions"),
        (lambda x, w: pyconv.conv_transpose3d(x[:, :3], w), "weight has 4 filters, x has 3 channels"),
        (
            lambda x, w: pyconv.conv_transpose3d(x, w, output_padding=1),
            r"output_padding must be less .* is \(1, 1, 1\)",
        ),
        (
            lambda x, w: pyconv.conv_transpose3d(x, w, padding=4),
            "no output is left: x of 5x5x5, kernel .* make -1x-1x-1",
        ),
        (
            lambda x, w: pyconv.conv_transpose3d(x, w, padding="same", output_padding=1, stride=2),
            "settles the size",
        ),
        (
            lambda x, w: pyconv.conv3d_backward_input((1, 4, 5, 5, 5), w, x),
            r"dy has shape .* wanted \(1, 4, 3, 3, 3\)",
        ),
        (
            lambda x, w: pyconv.conv3d_backward_weight(x, (4, 4, 3, 3), x),
            r"weight_shape must have 5 sizes .* is \(4, 4, 3, 3\)",
        ),
        (
            lambda x, w: pyconv.conv3d_backward_weight(x, w.shape, x),
            r"dy has shape .* wanted \(1, 4, 3, 3, 3\)",
        ),
    ],
)
def test_errors_say_the_numbers(call, text):
    with pytest.raises(ValueError, match=text):
        call(np.zeros((1, 4, 5, 5, 5), np.float32), np.zeros((4, 4, 3, 3, 3), np.float32))


def test_gradients_of_integers_are_refused():
    with pytest.raises(TypeError, match=r"float32, float64 or float16"):
        pyconv.conv3d_backward_weight(
            np.zeros((1, 1, 3, 3, 3), "u1"), (1, 1, 2, 2, 2), np.zeros((1, 1, 2, 2, 2), "u1")
        )
