# SPDX-License-Identifier: BSD-3-Clause
"""conv1d, depthwise_conv2d, pointwise_conv2d and partial_conv2d against the reference."""

import numpy as np
import pytest
from helpers import assert_close, integers, normal, reference
from hypothesis import given
from hypothesis import strategies as st

import pyconv

LAYOUTS = ["NCHW", "NHWC"]


def last(a, layout):
    """An array of images in NCHW, put into the layout."""
    return np.ascontiguousarray(np.moveaxis(a, -3, -1)) if layout == "NHWC" else a


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout", ["NCL", "NLC"])
@given(
    lead=st.sampled_from([(), (1,), (3,), (2, 2)]),
    groups=st.integers(1, 3),
    size=st.integers(9, 40),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.integers(0, 4) | st.sampled_from(["valid", "same", "same_lower", "full", (1, 3)]),
)
def test_conv1d(dtype, layout, lead, groups, size, kernel, stride, dilation, padding):
    x = normal((*lead, 2 * groups, size), dtype)
    w, b = normal((3 * groups, 2, kernel), dtype, 1), normal(3 * groups, dtype, 2)
    given_x = x if layout == "NCL" else np.ascontiguousarray(x.swapaxes(-1, -2))
    y = pyconv.conv1d(
        given_x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups, layout=layout
    )
    if layout == "NLC":
        y = y.swapaxes(-1, -2)
    rows = padding if isinstance(padding, str) else ((0, 0), np.broadcast_to(padding, 2))
    assert_close(
        y[..., None, :], x[..., None, :], w[:, :, None, :], b,
        stride=(1, stride), dilation=(1, dilation), padding=rows, groups=groups, units=16,
    )  # fmt: skip


def test_conv1d_by_torch():
    torch = pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")
    x, w, b = normal((3, 16, 101)), normal((24, 4, 7), seed=1), normal(24, seed=2)
    theirs = torch.nn.functional.conv1d(*map(torch.from_numpy, (x, w, b)), 2, 3, 2, 4).numpy()
    ours = pyconv.conv1d(x, w, b, stride=(2,), padding=(3,), dilation=(2,), groups=4)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_conv1d_writes_out_and_adds_residual():
    x, w = integers((2, 3, 20)), integers((4, 3, 5), seed=1)
    plain = pyconv.conv1d(x, w)
    residual, out = integers(plain.shape, seed=2), np.full(plain.shape, np.nan, np.float32)
    assert pyconv.conv1d(x, w, residual=residual, out=out, activation="relu") is out
    np.testing.assert_array_equal(out, np.maximum(plain + residual, 0))
    row = pyconv.plan((2, 3, 1, 20), w[:, :, None, :])
    workspace = row.new_workspace()
    np.testing.assert_array_equal(pyconv.conv1d(x, w, workspace=workspace, algorithm=row.algorithm), plain)


def test_conv1d_takes_numpy_integers():
    x, w = integers((2, 3, 20)), integers((4, 3, 5), seed=1)
    expected = pyconv.conv1d(x, w, stride=2, padding=(1, 1), dilation=2)
    for padding in (np.int64(1), np.array(1), np.array([1, 1])):
        y = pyconv.conv1d(x, w, stride=np.array(2), padding=padding, dilation=np.uint8(2))
        np.testing.assert_array_equal(y, expected)


def test_conv1d_refuses():
    x, w = np.zeros((2, 3, 20), np.float32), np.zeros((4, 3, 5), np.float32)
    with pytest.raises(ValueError, match=r"weight must have 3 dimensions .* has shape \(4, 3\)"):
        pyconv.conv1d(x, w[..., 0])
    with pytest.raises(ValueError, match=r"x must have at least 2 dimensions .* has shape \(20,\)"):
        pyconv.conv1d(x[0, 0], w)
    with pytest.raises(ValueError, match="stride must be one int, has 2 values"):
        pyconv.conv1d(x, w, stride=(1, 2))
    with pytest.raises(ValueError, match=r"padding must be an int, \(left, right\) or a word"):
        pyconv.conv1d(x, w, padding=(1, 2, 3))
    with pytest.raises(ValueError, match="layout must be one of 'NCL', 'NLC', is 'NCHW'"):
        pyconv.conv1d(x, w, layout="NCHW")
    with pytest.raises(ValueError, match=r"a kernel of length 5 .* is longer than the input of length 4"):
        pyconv.conv1d(x[..., :4], w)
    with pytest.raises(TypeError, match=r"weight must be .*, is int64: pass weight\.astype"):
        pyconv.conv1d(x, w.astype(int))
    with pytest.raises(ValueError, match=r"out has shape \(2, 4, 15\), wanted \(2, 4, 16\)"):
        pyconv.conv1d(x, w, out=np.empty((2, 4, 15), np.float32))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_depthwise(layout, multiplier, lead):
    x, w, b = normal((*lead, 5, 13, 11)), normal((5 * multiplier, 1, 3, 5), seed=1), normal(5 * multiplier)
    keywords = {"stride": (1, 2), "padding": "same", "activation": "relu6", "layout": layout}
    y = pyconv.depthwise_conv2d(last(x, layout), w, b, **keywords)
    assert_close(y, last(x, layout), w, b, groups=5, units=16, **keywords)


def test_depthwise_refuses():
    x = np.zeros((2, 4, 8, 8), np.float32)
    with pytest.raises(ValueError, match=r"weight must have shape .* has shape \(4, 2, 3, 3\)"):
        pyconv.depthwise_conv2d(x, np.zeros((4, 2, 3, 3), np.float32))
    with pytest.raises(ValueError, match="6 filters of weight do not divide by the 4 channels of x"):
        pyconv.depthwise_conv2d(x, np.zeros((6, 1, 3, 3), np.float32))
    with pytest.raises(TypeError, match="groups"):
        pyconv.depthwise_conv2d(x, np.zeros((4, 1, 3, 3), np.float32), groups=2)
    with pytest.raises(ValueError, match=r"x must have at least 3 dimensions .* has shape \(8, 8\)"):
        pyconv.depthwise_conv2d(x[0, 0], np.zeros((4, 1, 3, 3), np.float32))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_pointwise(layout, dtype):
    x, w, b = normal((2, 6, 7, 9), dtype), normal((10, 3), dtype, 1), normal(10, dtype, 2)
    keywords = {"stride": 2, "groups": 2, "layout": layout}
    y = pyconv.pointwise_conv2d(last(x, layout), w, b, **keywords)
    assert_close(y, last(x, layout), w[:, :, None, None], b, units=16, **keywords)
    same = pyconv.pointwise_conv2d(last(x, layout), w[:, :, None, None], b, **keywords)
    np.testing.assert_array_equal(same, y)


@pytest.mark.parametrize("shape", [(10,), (10, 6, 1), (10, 6, 3, 1)])
def test_pointwise_refuses(shape):
    with pytest.raises(ValueError, match=r"weight must have shape \(filters, channels / groups\) or "):
        pyconv.pointwise_conv2d(np.zeros((2, 6, 7, 9), np.float32), np.zeros(shape, np.float32))


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("lead", [(), (1,), (3,), (2, 2)])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_partial(in_place, layout, dtype, lead, count):
    x, w, b = normal((*lead, 8, 9, 10), dtype), normal((count, count, 3, 3), dtype, 1), normal(count, dtype)
    given_x = last(x, layout).copy()
    out = given_x if in_place else np.full_like(given_x, np.nan)
    assert pyconv.partial_conv2d(given_x, w, b, layout=layout, activation="relu", out=out) is out
    y = np.moveaxis(out, -1, -3) if layout == "NHWC" else out
    first, others = (
        (..., slice(count), slice(None), slice(None)),
        (..., slice(count, None), slice(None), slice(None)),
    )
    np.testing.assert_array_equal(y[others], x[others])
    assert_close(y[first], x[first], w, b, padding=1, activation="relu", units=16)
    if not in_place:
        np.testing.assert_array_equal(given_x, last(x, layout))
        np.testing.assert_array_equal(
            pyconv.partial_conv2d(given_x, w, b, layout=layout, activation="relu"), out
        )


def test_partial_in_place_of_a_subclass():
    class Subclass(np.ndarray):
        pass

    x, w = integers((2, 4, 8, 8)), integers((3, 3, 3, 3), seed=1)
    expected = pyconv.partial_conv2d(x, w)
    x = x.view(Subclass)
    assert pyconv.partial_conv2d(x, w, out=x) is x
    np.testing.assert_array_equal(x, expected)


def test_partial_takes_any_geometry_that_keeps_the_size():
    x, w = integers((2, 6, 12, 12)), integers((4, 2, 3, 5), seed=1)
    keywords = {"dilation": (2, 1), "groups": 2, "padding_mode": "reflect"}
    y = pyconv.partial_conv2d(x, w, padding=(2, 2), **keywords)
    np.testing.assert_array_equal(y[:, :4], reference(x[:, :4], w, padding=(2, 2), **keywords))
    np.testing.assert_array_equal(y[:, 4:], x[:, 4:])


def test_partial_refuses():
    x, w = np.zeros((2, 4, 8, 8), np.float32), np.zeros((3, 3, 3, 3), np.float32)
    with pytest.raises(ValueError, match="weight convolves 5 channels, x has 4"):
        pyconv.partial_conv2d(x, np.zeros((5, 5, 3, 3), np.float32))
    with pytest.raises(
        ValueError, match="weight has 2 input channels per group, x has 3 channels / 1 groups"
    ):
        pyconv.partial_conv2d(x, w[:, :2])
    with pytest.raises(
        ValueError, match=r"keep the size of the image, 0 makes \(2, 3, 6, 6\) of \(2, 3, 8, 8\)"
    ):
        pyconv.partial_conv2d(x, w, padding=0)
    with pytest.raises(ValueError, match="out overlaps x in memory"):
        pyconv.partial_conv2d(x, w, out=x[:])
    with pytest.raises(ValueError, match=r"out has shape \(4, 8, 8\), wanted \(2, 4, 8, 8\)"):
        pyconv.partial_conv2d(x, w, out=x[0])
    with pytest.raises(TypeError, match=r"x must be .* or bfloat16, is int64: pass x\.astype"):
        pyconv.partial_conv2d(x.astype(int), w)
    with pytest.raises(ValueError, match="out is float64, wanted float32"):
        pyconv.partial_conv2d(x, w.astype("f8"), out=x.astype("f8"))
    with pytest.raises(TypeError, match="residual"):
        pyconv.partial_conv2d(x, w, residual=x)
