# SPDX-License-Identifier: BSD-3-Clause
"""How far a NaN or Inf of the input or of a weight reaches: in the strict class, as far as in plain sums.

Zeros of the padding take part in them: 0 NaN = 0 Inf = NaN.
"""

import c_api
import numpy as np
import pytest
from c_api import C
from helpers import aligned, normal, plans, reference

import pyconv

CASES = {
    "3x3": ((2, 5, 9, 11), (7, 5, 3, 3), {"padding": 1}),
    "3x3/2": ((2, 5, 9, 11), (7, 5, 3, 3), {"padding": 1, "stride": 2}),
    "dilated": ((1, 3, 12, 12), (4, 3, 3, 3), {"padding": 2, "dilation": 2}),
    "reflect": ((1, 3, 9, 9), (4, 3, 3, 3), {"padding": 2, "padding_mode": "reflect"}),
    "1x1": ((2, 17, 5, 7), (33, 17, 1, 1), {}),
    "1x1/2": ((2, 17, 5, 7), (15, 17, 1, 1), {"stride": 2}),
    "depthwise": ((2, 6, 9, 21), (6, 1, 3, 3), {"groups": 6, "padding": 1}),
    "grouped": ((1, 8, 9, 9), (12, 4, 3, 3), {"groups": 2}),
    "15x15": ((1, 1, 30, 30), (2, 1, 15, 15), {"padding": 7}),
}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", CASES)
def test_reach_is_the_window(case, poison, layout):
    shape, w_shape, geometry = CASES[case]
    n, c, h, w = shape
    weight = np.abs(normal(w_shape, seed=1)) + 0.1
    for place in [
        (n - 1, c // 2, h // 2, w // 2),
        (0, 0, 0, 0),
        (n - 1, c - 1, h - 1, w - 1),
        (0, c - 1, 0, w // 3),
    ]:
        x = np.zeros(shape, "f4")
        x[place] = 1
        reached = reference(x, weight, **geometry) != 0
        x = normal(shape)
        x[place] = poison
        if layout == "NHWC":
            x, reached = np.ascontiguousarray(x.transpose(0, 2, 3, 1)), reached.transpose(0, 2, 3, 1)
        for plan in plans(x.shape, weight, accuracy="strict", layout=layout, **geometry):
            y = plan(x)
            np.testing.assert_array_equal(~np.isfinite(y), reached, err_msg=plan.algorithm)
        y = pyconv.conv2d(x, weight, accuracy="strict", layout=layout, **geometry)
        np.testing.assert_array_equal(~np.isfinite(y), reached)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_whole_image_of_nan_stays_in_its_image(layout):
    x, w = normal((3, 8, 8, 8)), normal((5, 8, 3, 3), seed=1)
    x[1] = np.nan
    for plan in plans(x.shape, w, padding=1, layout=layout):
        y = plan(x)
        assert np.isnan(y[1]).all() and np.isfinite(y[[0, 2]]).all(), plan.algorithm


def test_a_nan_in_one_filter_stays_in_its_output_channel():
    x, w, b = normal((2, 6, 9, 9)), normal((9, 6, 3, 3), seed=1), normal(9, seed=2)
    w[4, 2, 1, 1] = np.nan
    for plan in plans(x.shape, w, b, accuracy="strict"):
        y = plan(x)
        assert np.isnan(y[:, 4]).all() and np.isfinite(np.delete(y, 4, axis=1)).all(), plan.algorithm


def test_infinity_keeps_its_sign():
    x, w = np.ones((1, 2, 6, 6), "f4"), np.ones((3, 2, 3, 3), "f4")
    x[0, 1, 3, 3] = -np.inf
    for plan in plans(x.shape, w, accuracy="strict", names=("direct", "im2col", "im2row", "mec")):
        assert (plan(x)[:, :, 1:4, 1:4] == -np.inf).all(), plan.algorithm


def test_padding_adds_no_nan_to_an_infinite_border():
    """Zeros of the padding meet finite weights only: the sum is the infinity, not NaN."""
    x, w = np.full((1, 1, 4, 4), np.inf, "f4"), np.ones((1, 1, 3, 3), "f4")
    for plan in plans(x.shape, w, padding=1, names=("direct", "im2col", "im2row", "mec")):
        assert (plan(x) == np.inf).all(), plan.algorithm


WEIGHTS = {
    "3x3": ((2, 5, 9, 11), (7, 5, 3, 3), {"padding": 1}),
    "3x3/2": ((2, 5, 9, 11), (7, 5, 3, 3), {"padding": ((1, 0), (0, 2)), "stride": 2}),
    "dilated": ((1, 3, 12, 12), (4, 3, 3, 3), {"padding": 3, "dilation": (3, 2)}),
    "full": ((1, 9, 4, 5), (17, 9, 3, 4), {"padding": "full"}),
    "taps beyond": ((1, 2, 2, 3), (3, 2, 5, 5), {"padding": 6}),
    "1x1": ((2, 17, 5, 7), (33, 17, 1, 1), {"padding": (2, 1)}),
    "depthwise": ((2, 6, 9, 21), (6, 1, 3, 3), {"groups": 6, "padding": 1}),
    "depthwise, two filters": ((2, 3, 9, 21), (6, 1, 3, 5), {"groups": 3, "padding": 2}),
    "grouped": ((1, 8, 9, 9), (12, 4, 3, 3), {"groups": 2, "padding": 1}),
    "many channels": ((1, 40, 9, 20), (24, 40, 3, 3), {"padding": 1}),
    "no padding": ((1, 3, 9, 9), (4, 3, 3, 3), {}),
    "reflect": ((1, 3, 9, 9), (4, 3, 3, 3), {"padding": 2, "padding_mode": "reflect"}),
}


def last(a, layout):
    return np.ascontiguousarray(np.moveaxis(a, -3, -1)) if layout == "NHWC" else a


def poisoned(shape, dtype, poison, seed=1):
    """Positive, so that infinities don't cancel; one tap of the first filter, the corners of the last."""
    w = np.abs(normal(shape, dtype, seed)) + np.asarray(0.1, dtype)
    w[0, shape[1] // 2, shape[2] // 2, 0] = poison
    w[-1, 0, 0, 0] = w[-1, -1, -1, -1] = poison
    return w


def agree(y, expected, label):
    y = np.asarray(y, "f8")
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected), err_msg=label)
    np.testing.assert_allclose(y, expected, rtol=2e-3, atol=2e-3, err_msg=label)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", WEIGHTS)
def test_padding_takes_part(case, poison, dtype, layout):
    shape, w_shape, geometry = WEIGHTS[case]
    x = np.abs(normal(shape, dtype)) + np.asarray(0.1, dtype)
    w, b = poisoned(w_shape, dtype, poison), normal(w_shape[0], dtype, 2)
    with np.errstate(invalid="ignore"):
        expected = last(reference(x, w, b, activation="relu6", **geometry), layout)
    x, keywords = last(x, layout), {"layout": layout, "activation": "relu6", **geometry}
    for plan in plans(x.shape, w, b, accuracy="strict", **keywords):
        agree(plan(x), expected, plan.algorithm)
        one_call = pyconv.conv2d(x, w, b, algorithm=plan.algorithm, **keywords)
        np.testing.assert_array_equal(one_call, plan(x), err_msg=plan.algorithm)
    agree(pyconv.conv2d(x, w, b, accuracy="strict", max_workspace=0, **keywords), expected, "no memory")
    agree(pyconv.plan(x.shape, w, b, max_workspace=0, **keywords)(x), expected, "plan without memory")


def test_a_record_of_such_taps_counts_as_weights():
    x, w = normal((1, 9, 12, 12)), normal((20, 9, 3, 3), seed=1)
    spoilt = w.copy()
    spoilt[3, 1, 2, 2] = np.inf
    for name in ("implicit_gemm", "direct_simd", "mec"):
        keywords = {"padding": 1, "algorithm": name}
        plan, other = pyconv.plan(x.shape, w, **keywords), pyconv.plan(x.shape, spoilt, **keywords)
        assert other.packed_bytes == plan.packed_bytes + 64  # 180 bits
        assert pyconv.plan(x.shape, spoilt, algorithm=name).packed_bytes == plan.packed_bytes  # no padding
        least = plan.workspace_bytes + plan.packed_bytes
        assert pyconv.plan(x.shape, w, max_workspace=least, **keywords).packed_bytes == plan.packed_bytes
        with pytest.raises(pyconv.UnsupportedError, match=f"NaN or infinite.* {other.packed_bytes} bytes"):
            pyconv.plan(x.shape, spoilt, max_workspace=least, **keywords)
        roomy = pyconv.plan(x.shape, spoilt, max_workspace=least + 64, **keywords)
        with np.errstate(invalid="ignore"):
            agree(roomy(x), reference(x, spoilt, padding=1), name)


@pytest.mark.parametrize("name", ["direct", "implicit_gemm", "kn2row"])
def test_the_c_level_api(name):
    x, w = normal((1, 4, 6, 7)), poisoned((5, 4, 3, 3), "float32", np.nan)
    d = c_api.Conv2d(n=1, ic=4, ih=6, iw=7, oc=5, kh=3, kw=3, ph0=1, ph1=1, pw0=1, pw1=1, g=1)
    d.algorithm, d.accuracy = c_api.algorithm(name.encode()), C["PYCONV_STRICT"]
    status, plan = c_api.create(d, w)
    assert status == "OK"
    y = np.empty((1, 5, 6, 7), "f4")
    assert c_api.run(plan, x, y, aligned(c_api.plan_workspace_bytes(plan))) == "OK"
    c_api.plan_destroy(plan)
    agree(y, reference(x, w, padding=1), name)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("where", ["depthwise", "pointwise"])
def test_separable(where, layout):
    """The pointwise part has no padding; what the depthwise part spoils, it spreads over all filters."""
    x = normal((1, 16, 20, 24))
    depthwise, pointwise = normal((16, 1, 3, 3), seed=1), normal((24, 16, 1, 1), seed=2)
    if where == "depthwise":
        depthwise[5, 0, 0, 1] = np.nan
    else:
        pointwise[7, 3] = np.nan
    middle = reference(x, depthwise, padding=1, groups=16)
    expected = last(reference(middle, pointwise), layout)
    y = pyconv.separable_conv2d(
        last(x, layout), depthwise, pointwise, padding=1, layout=layout, accuracy="strict"
    )
    agree(y, expected, where)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_partial(layout):
    x, w = normal((1, 6, 9, 9)), poisoned((4, 4, 3, 3), "float32", np.nan)
    expected = np.concatenate([reference(x[:, :4], w, padding=1), x[:, 4:]], 1)
    agree(
        pyconv.partial_conv2d(last(x, layout), w, padding=1, layout=layout, accuracy="strict"),
        last(expected, layout),
        layout,
    )


def zero_surrounded(dy, w, size, stride, padding):
    """The gradient of the input where dy goes on as zeros on all sides."""
    n, oc, oh, ow = dy.shape
    _, ic, kh, kw = w.shape
    result = np.zeros((n, ic, *size))
    for h in range(size[0]):
        for v in range(size[1]):
            for i in range(kh):
                for j in range(kw):
                    r, q = (h + padding - i) / stride, (v + padding - j) / stride
                    if r == int(r) and q == int(q):
                        inside = 0 <= r < oh and 0 <= q < ow
                        values = dy[:, :, int(r), int(q)] if inside else np.zeros((n, oc))
                        result[:, :, h, v] += values @ w[:, :, i, j]
    return result


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", ["auto", "direct", "im2col", "implicit_gemm", "kn2row", "mec"])
def test_the_gradient_of_the_input_surrounds_dy_with_zeros(name, stride):
    """So does conv_transpose2d, which crops where a convolution pads."""
    size, w = (9, 10), np.abs(normal((6, 4, 3, 3), seed=1)) + 0.1
    w[2, 1, 0, 2] = np.nan
    shape = reference(np.zeros((1, 4, *size)), w * 0, stride=stride, padding=1).shape
    dy = normal(shape, seed=3)
    expected = zero_surrounded(dy, w, size, stride, 1)
    keywords = {"stride": stride, "padding": 1, "accuracy": "strict", "algorithm": name}
    dx = pyconv.conv2d_backward_input((1, 4, *size), w, dy, **keywords)
    agree(dx, expected, name)
    extra = [(size[0] - 1) % stride, (size[1] - 1) % stride] if stride > 1 else 0
    y = pyconv.conv_transpose2d(dy, w, output_padding=extra, **keywords)
    agree(y, zero_surrounded(dy, w, y.shape[2:], stride, 1), name)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("groups", [1, 6])
def test_the_gradient_of_the_weight(groups, layout):
    """A NaN in dy reaches all taps of its filter, padding or not; one in x the taps that meet it."""
    x, dy = normal((2, 6, 7, 8)), normal((2, 6, 7, 8), seed=1)
    keywords = {"padding": 1, "groups": groups, "layout": layout, "accuracy": "strict"}
    spoilt = dy.copy()
    spoilt[1, 4, 0, 0] = np.nan
    dw = pyconv.conv2d_backward_weight(
        last(x, layout), (6, 6 // groups, 3, 3), last(spoilt, layout), **keywords
    )
    assert np.isnan(dw[4]).all() and np.isfinite(np.delete(dw, 4, 0)).all()
    spoilt = x.copy()
    spoilt[0, 2, 0, 0] = np.nan
    dw = pyconv.conv2d_backward_weight(
        last(spoilt, layout), (6, 6 // groups, 3, 3), last(dy, layout), **keywords
    )
    expected = np.zeros(dw.shape, bool)
    filters, channel = (slice(None), 2) if groups == 1 else (2, 0)
    expected[filters, channel, :2, :2] = True
    np.testing.assert_array_equal(np.isnan(dw), expected)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_looser_classes_spoil_the_whole_filter(layout):
    """Transforms mix the taps; strassen mixes filters, too."""
    x, w = last(normal((1, 32, 24, 24)), layout), normal((32, 32, 3, 3), seed=1)
    w[5, 2, 0, 0] = np.nan
    seen = 0
    for plan in plans(x.shape, w, padding=1, layout=layout):
        if plan.accuracy == "strict":
            continue
        y = np.moveaxis(plan(x), -1, -3) if layout == "NHWC" else plan(x)
        assert np.isnan(y[:, 5]).all(), plan.algorithm
        if plan.algorithm != "strassen":
            assert np.isfinite(np.delete(y, 5, 1)).all(), plan.algorithm
        seen += 1
    assert seen > 3


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_auto_finds_room_for_weights_that_are_not_finite(layout):
    """A budget that has room for packed weights, not for the record of those that aren't finite."""
    x, w = np.ones((1, 16, 16, 16), "f4"), np.ones((8, 16, 3, 3), "f4")
    free = pyconv.plan(x.shape, w, padding=1, layout=layout, accuracy="strict")
    budget = free.workspace_bytes + free.packed_bytes
    w[2, 3, 0, 0] = np.nan
    plan = pyconv.plan(x.shape, w, padding=1, layout=layout, accuracy="strict", max_workspace=budget)
    assert plan.workspace_bytes + plan.packed_bytes <= budget
    right = pyconv.plan(x.shape, w, padding=1, layout=layout, accuracy="strict")(x)
    np.testing.assert_array_equal(np.isnan(plan(x)), np.isnan(right))
    with pytest.raises(pyconv.UnsupportedError, match="NaN or infinite"):
        pyconv.plan(x.shape, w, padding=1, layout=layout, algorithm=free.algorithm, max_workspace=budget)
