# SPDX-License-Identifier: BSD-3-Clause
"""No channels, no filters, no images: sums of nothing are 0, results of nothing are empty."""

import itertools

import numpy as np
import pytest
from helpers import Guarded, normal
from helpers import reference as conv2d_reference

import pyconv
from pyconv import _explain

DTYPES = ["float32", "float64", "float16"]
LAYOUTS = ["NCHW", "NHWC"]
# batch, channels, filters, groups
COUNTS = [
    (1, 0, 3, 1),
    (2, 0, 6, 3),
    (1, 3, 0, 1),
    (2, 6, 0, 3),
    (1, 0, 0, 1),
    (0, 0, 3, 1),
    (0, 3, 0, 1),
    (0, 4, 6, 2),
]


def last(a, layout):
    return np.ascontiguousarray(np.moveaxis(a, -3, -1)) if layout == "NHWC" else a


def of_nothing(shape, bias, residual, activation, layout):
    """bias + residual, clipped: what is left of a convolution without channels, or without filters."""
    y = np.zeros(shape) + bias.astype("f8").reshape((-1, 1, 1) if layout == "NCHW" else (-1,))
    y = y + (0 if residual is None else residual.astype("f8"))
    return np.maximum(y, 0) if activation == "relu" else y


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_conv2d(counts, layout, dtype):
    n, c, k, groups = counts
    x, w, b = (
        last(normal((n, c, 8, 9), dtype), layout),
        normal((k, c // groups, 3, 2), dtype),
        normal(k, dtype, 2),
    )
    keywords = {"groups": groups, "layout": layout, "padding": 1, "activation": "relu"}
    for mode, algorithm in itertools.product(["zeros", "reflect", "circular"], ["auto", "direct"]):
        plan = pyconv.plan(x.shape, w, b, padding_mode=mode, algorithm=algorithm, **keywords)
        assert plan.output_shape == ((n, k, 8, 10) if layout == "NCHW" else (n, 8, 10, k))
        residual = normal(plan.output_shape, dtype, 3)
        expected = of_nothing(plan.output_shape, b, residual, "relu", layout).astype(dtype)
        out, workspace = (
            Guarded(plan.output_shape, dtype, 0xFF),
            Guarded((plan.workspace_bytes,), np.uint8, 0xFF),
        )
        assert plan(x, out.array, workspace.array, residual) is out.array
        assert out.intact() and workspace.intact()
        np.testing.assert_array_equal(out.array, expected)
        y = pyconv.conv2d(x, w, b, residual=residual, padding_mode=mode, algorithm=algorithm, **keywords)
        np.testing.assert_array_equal(y, expected)
        assert y.dtype == dtype and str(plan) and plan.multiplications == 0


@pytest.mark.parametrize("counts", [c for c in COUNTS if 0 in c[1:3]])
@pytest.mark.parametrize("name", [name for name in pyconv.algorithms() if name != "direct"])
def test_other_algorithms_are_refused_with_the_reason(name, counts):
    n, c, k, groups = counts
    with pytest.raises(pyconv.UnsupportedError, match=rf"{name} can't serve x .* without (channels|filters)"):
        pyconv.plan(
            (n, c, 8, 8), np.ones((k, c // groups, 3, 3)), groups=groups, algorithm=name, accuracy="fast"
        )


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("max_workspace", [None, 0])
def test_explain(counts, dtype, max_workspace, monkeypatch):
    fastest = _explain._fastest
    monkeypatch.setattr(_explain, "_fastest", lambda run, seconds: fastest(run, 0))
    n, c, k, groups = counts
    report = pyconv.explain(
        (n, c, 8, 8),
        (k, c // groups, 3, 3),
        groups=groups,
        dtype=dtype,
        max_workspace=max_workspace,
        measure=True,
    )
    rows = {row["algorithm"]: row for row in report.rows}
    assert rows["direct"]["eligible"] and rows["direct"]["multiplications"] == 0
    if 0 in (c, k):
        assert rows["direct"]["chosen"] and not rows["im2col"]["eligible"]
    assert str(report) and report._repr_html_()


@pytest.mark.parametrize("layout", ["NCL", "NLC"])
@pytest.mark.parametrize("counts", COUNTS)
def test_conv1d(counts, layout):
    n, c, k, groups = counts
    x, w, b = (
        normal((n, c, 9) if layout == "NCL" else (n, 9, c)),
        normal((k, c // groups, 3)),
        normal(k, seed=2),
    )
    y = pyconv.conv1d(x, w, b, groups=groups, layout=layout)
    assert y.shape == ((n, k, 7) if layout == "NCL" else (n, 7, k))
    np.testing.assert_array_equal(y, np.zeros_like(y) + (b[:, None] if layout == "NCL" else b))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_depthwise_pointwise_separable_partial(dtype, layout):
    x = last(np.ones((2, 0, 8, 8), dtype), layout)
    empty, kernels = x[..., :6, :] if layout == "NCHW" else x[:, :6], np.ones((0, 1, 3, 1), dtype)
    y = pyconv.depthwise_conv2d(x, kernels, np.ones(0, dtype), layout=layout)
    assert y.shape == empty.shape and y.dtype == dtype
    b = normal(3, dtype)
    plain = np.zeros(last(np.ones((2, 3, 8, 8)), layout).shape) + (
        b[:, None, None] if layout == "NCHW" else b
    )
    np.testing.assert_array_equal(pyconv.pointwise_conv2d(x, np.ones((3, 0), dtype), b, layout=layout), plain)
    y = pyconv.separable_conv2d(
        x, kernels, np.ones((3, 0), dtype), b, padding=((1, 1), (0, 0)), layout=layout
    )
    np.testing.assert_array_equal(y, plain)
    some = last(normal((2, 4, 8, 8), dtype), layout)
    y = pyconv.separable_conv2d(
        some, np.ones((4, 1, 3, 3), dtype), np.ones((0, 4), dtype), depthwise_activation="relu", layout=layout
    )
    assert y.shape == last(np.ones((2, 0, 6, 6)), layout).shape and y.dtype == dtype
    np.testing.assert_array_equal(
        pyconv.partial_conv2d(some, np.ones((0, 0, 3, 3), dtype), layout=layout), some
    )
    with pytest.raises(ValueError, match="4 filters of weight do not divide by the 0 channels of x"):
        pyconv.depthwise_conv2d(x, np.ones((4, 1, 3, 3), dtype), layout=layout)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stride", [1, 2])
def test_conv_transpose2d(counts, layout, dtype, stride):
    n, c, k, groups = counts
    x, w, b = (
        last(np.ones((n, c, 5, 6), dtype), layout),
        np.ones((c, k // groups, 3, 3), dtype),
        normal(k, dtype),
    )
    y = pyconv.conv_transpose2d(x, w, b, stride=stride, groups=groups, layout=layout, activation="relu")
    assert y.dtype == dtype and y.shape[0] == n and y.size == n * k * (4 * stride + 3) * (5 * stride + 3)
    np.testing.assert_array_equal(y, of_nothing(y.shape, b, None, "relu", layout))


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_zeros(counts, layout, dtype):
    n, c, k, groups = counts
    x, dy = last(np.ones((n, c, 8, 8), dtype), layout), last(np.ones((n, k, 3, 3), dtype), layout)
    keywords = {"groups": groups, "stride": 2, "layout": layout}
    shape = (k, c // groups, 3, 3)
    plan = pyconv.plan_conv2d_backward_weight(x.shape, shape, dtype=dtype, **keywords)
    out = Guarded(shape, dtype, 0xFF)
    assert (
        plan(x, dy, out.array, plan.new_workspace()) is out.array
        and out.intact()
        and plan.multiplications == 0
    )
    dx = pyconv.conv2d_backward_input(x.shape, np.ones(shape, dtype), dy, **keywords)
    assert dx.shape == x.shape and dx.dtype == dtype and not dx.any() and not out.array.any()


@pytest.mark.parametrize(
    "x, weight", [((1, 3, 0, 8), (4, 3, 3, 3)), ((1, 0, 8, 0), (4, 0, 3, 3)), ((1, 3, 8, 8), (0, 3, 0, 3))]
)
@pytest.mark.parametrize("padding", [0, 2])
def test_images_and_kernels_have_rows_and_columns(x, weight, padding):
    """As in PyTorch, which serves no image without pixels, however much is padded."""
    with pytest.raises(ValueError, match="at least one row and column"):
        pyconv.conv2d(np.ones(x), np.ones(weight), padding=padding)


def test_the_reference_agrees():
    x, w, b = normal((2, 0, 8, 8), "float64"), normal((3, 0, 3, 3), "float64"), normal(3, "float64")
    np.testing.assert_array_equal(pyconv.conv2d(x, w, b), conv2d_reference(x, w, b))
