# SPDX-License-Identifier: BSD-3-Clause
"""The error of every algorithm against the bound that it states, over data of every kind."""

import pathlib
import sys
from functools import cache, partial

import numpy as np
import pytest
from helpers import class_bound, normal, plans, rng
from helpers import reference as conv2d
from reference import error_scale, roundings, scale_name, wider

import pyconv

sys.path.append(str(pathlib.Path(__file__).parents[1] / "bench"))
from lib.kinds import DATA

sys.path.pop()

LAYERS = {
    "3x3": ((1, 16, 23, 22), (9, 16, 3, 3), {"padding": 1}),
    "3x3, one channel": ((2, 1, 17, 18), (3, 1, 3, 3), {}),
    "3x3, few channels": ((1, 3, 15, 40), (5, 3, 3, 3), {"padding": 1}),
    "3x3, many channels": ((1, 300, 8, 9), (5, 300, 3, 3), {"padding": 1}),
    "3x3, depthwise": ((1, 8, 20, 21), (8, 1, 3, 3), {"groups": 8, "padding": 1}),
    "3x3, groups, dilated": ((2, 12, 17, 16), (6, 6, 3, 3), {"groups": 2, "padding": 2, "dilation": 2}),
    "3x3, full": ((1, 4, 39, 3), (4, 4, 3, 3), {"padding": "full", "activation": ("clip", -1, 1)}),
    "3x3, circular": ((1, 4, 5, 9), (4, 4, 3, 3), {"padding": 2, "padding_mode": "circular"}),
    "2x2": ((1, 5, 16, 17), (4, 5, 2, 2), {}),
    "3x3/2": ((1, 9, 20, 21), (4, 9, 3, 3), {"padding": 1, "stride": 2}),
    "4x4": ((1, 6, 19, 18), (4, 6, 4, 4), {"padding": 2, "padding_mode": "reflect"}),
    "5x5": ((1, 7, 18, 19), (4, 7, 5, 5), {"padding": 2}),
    "7x7/2": ((1, 32, 29, 28), (5, 32, 7, 7), {"padding": 3, "stride": 2}),
    "1x3": ((1, 3, 9, 19), (4, 3, 1, 3), {"padding": (0, 1)}),
    "5x1": ((1, 3, 19, 9), (4, 3, 5, 1), {"padding": (2, 0)}),
    "1x7": ((1, 10, 9, 19), (4, 10, 1, 7), {"padding": (0, 3), "padding_mode": "replicate"}),
    "15x15": ((1, 2, 40, 61), (3, 2, 15, 15), {"padding": 7}),
    "31x31, depthwise": ((1, 2, 33, 36), (2, 1, 31, 31), {"padding": 15, "groups": 2}),
    "1x1": ((2, 70, 9, 8), (13, 70, 1, 1), {}),
}


def made(kind, layer, dtype, layout):
    """x, weight and keywords of a layer."""
    x_shape, w_shape, keywords = LAYERS[layer]
    draw_x, draw_w = DATA[kind]
    x, w = draw_x(x_shape, 1).astype(dtype), draw_w(w_shape, 2).astype(dtype)
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    return x, w, {**keywords, "layout": layout}


def judge(x, w, keywords):
    """A function of a plan: by how many roundings of A or E its result is off."""
    exact = conv2d(x, w, dtype=wider(x.dtype), **keywords)
    scale = cache(partial(error_scale, x=x, weight=w, dtype=x.dtype, **keywords))
    return lambda plan: roundings(plan(x), exact, scale(scale_name(plan.algorithm)), x.dtype)


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dtype, layout", [("f4", "NCHW"), ("f4", "NHWC"), ("f8", "NCHW")])
def test_every_algorithm_keeps_its_bound(kind, layer, dtype, layout):
    x, w, keywords = made(kind, layer, dtype, layout)
    shapes = {k: v for k, v in keywords.items() if k != "activation"}
    rows = pyconv.explain(x.shape, w.shape, dtype=dtype, accuracy="fast", **shapes).rows
    stated = {row["algorithm"]: row["error_bound"] for row in rows}
    judged = judge(x, w, keywords)
    for plan in plans(x.shape, w, **keywords):
        worst = judged(plan)
        assert worst <= stated[plan.algorithm], plan.algorithm
        assert stated[plan.algorithm] <= class_bound(plan.accuracy, w), plan.algorithm


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("layer", ["3x3", "3x3, full", "7x7/2", "15x15"])
@pytest.mark.parametrize("accuracy", ["strict", "standard", "fast"])
def test_auto_keeps_to_the_class_asked_for(kind, layer, accuracy):
    for layout in ("NCHW", "NHWC"):
        x, w, keywords = made(kind, layer, "f4", layout)
        plan = pyconv.plan(x.shape, w, accuracy=accuracy, **keywords)
        assert judge(x, w, keywords)(plan) <= class_bound(accuracy, w), plan.algorithm


def test_one_scale_serves_algorithms_of_one_name():
    x, w, keywords = made("normal", "3x3", "f4", "NHWC")
    keywords = {**keywords, "residual": normal((1, 23, 22, 9))}
    for name in pyconv.algorithms():
        own, shared = (error_scale(n, x, w, dtype=x.dtype, **keywords) for n in (name, scale_name(name)))
        np.testing.assert_array_equal(own, shared)
    assert [scale_name(n) for n in ("winograd_f4k3", "fft", "im2col")] == ["winograd_f4", "fft", "direct"]


def test_the_judge_refuses_what_is_off():
    """One output off by twice the bound, one NaN."""
    x, w, keywords = made("normal", "3x3", "f4", "NCHW")
    exact = conv2d(x, w, **keywords)
    for name in ("im2col", "winograd_f4k3", "fft"):
        scale = error_scale(name, x, w, dtype=x.dtype, **keywords)
        assert roundings(exact.astype("f8"), exact, scale, "f4") < 1e-3
        y = exact.copy()
        y[0, 3, 5, 7] += 200 * 2.0**-24 * scale[0, 3, 5, 7]
        assert 199 < roundings(y, exact, scale, "f4") < 201
        y[0, 3, 5, 7] = np.nan
        assert roundings(y, exact, scale, "f4") == np.inf


def test_what_the_scale_holds():
    """One tap of 3 under one pixel of 2: A of its window, E of a tile, E of the image."""
    x, w = np.zeros((1, 1, 13, 13), "f4"), np.zeros((1, 1, 3, 3), "f4")
    x[0, 0, 6, 7], w[0, 0, 1, 1] = 2, 3
    window, tile, image = (
        error_scale(name, x, w, dtype="f4") > 1 for name in ("im2col", "winograd_f4k3", "fft")
    )
    assert window[0, 0, 5, 6] and window.sum() == 1
    assert tile[0, 0, 4:8, 4:8].all() and tile.sum() == 16
    assert image.all()
    for name in ("im2col", "winograd_f4k3", "fft"):
        assert error_scale(name, x, w, dtype="f4").max() == pytest.approx(6)


# F(m, r): the finite points, and roundings of one transform in and one out.
FORMS = {
    "winograd_f2k2": (2, 2, (0, 1), 2),
    "winograd_f2k3": (2, 3, (0, 1, -1), 3),
    "winograd_f3k2": (3, 2, (0, 1, -1), 3),
    "winograd_f4k3": (4, 3, (0, 5 / 8, -5 / 8, 25 / 16, -25 / 16), 8),
    "winograd_f3k4": (3, 4, (0, 5 / 8, -5 / 8, 25 / 16, -25 / 16), 8),
    "winograd_f2k5": (2, 5, (0, 5 / 8, -5 / 8, 25 / 16, -25 / 16), 8),
    "winograd_f6k3": (6, 3, (0, 1, -1, 2, -2, 1 / 2, -1 / 2), 10),
    "winograd_f2k7": (2, 7, (0, 1, -1, 2, -2, 1 / 2, -1 / 2), 10),
}


@pytest.mark.parametrize("name", FORMS)
def test_bounds_of_winograd_follow_from_its_matrices(name):
    m, r, points, passes = FORMS[name]
    a = np.array([[p**i for p in points] + [i == m - 1] for i in range(m)], "f8")
    g = np.zeros((len(points) + 1, r))
    g[-1, -1] = 1
    b = np.zeros((len(points) + 1, len(points) + 1))
    b[-1] = np.poly(points)[::-1]
    for i, p in enumerate(points):
        others = [q for q in points if q != p]
        g[i] = [p**k / np.prod([p - q for q in others]) for k in range(r)]
        b[i, :-1] = np.poly(others)[::-1]
    d, taps = normal(m + r - 1, "f8"), normal(r, "f8", 1)
    np.testing.assert_allclose(a @ ((g @ taps) * (b @ d)), np.correlate(d, taps), atol=1e-12)
    growth = (abs(a) @ (np.linalg.norm(b, axis=1) * np.linalg.norm(g, axis=1))).max()
    for axes, kernel in [(1, (1, r)), (2, (r, r))]:
        for channels in (8, 600):
            rows = pyconv.explain((1, channels, 32, 32), (4, channels, *kernel), accuracy="fast").rows
            stated = {row["algorithm"]: row["error_bound"] for row in rows}[name]
            if stated is not None:
                chain = min(channels, 128) + -(-channels // 128) + 1
                least = growth**axes * (axes * passes + 1 + chain + 2)
                assert least <= stated <= 1.01 * least


def test_explain_states_bounds():
    """c(K) of the strict class; within the class for the others; None for what can't serve."""
    for w_shape in ((8, 64, 3, 3), (8, 64, 7, 7), (64, 1, 15, 15)):
        x_shape, groups = (1, 64, 40, 40), 64 // w_shape[1]
        for row in pyconv.explain(x_shape, w_shape, groups=groups, padding=1, accuracy="fast").rows:
            if not row["eligible"]:
                assert row["error_bound"] is None
            else:
                allowed = class_bound(row["accuracy"], np.empty(w_shape))
                assert 0 < row["error_bound"] <= allowed
                assert row["accuracy"] != "strict" or row["error_bound"] == allowed


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_strict_is_exact_where_transforms_make_noise(layout):
    """A 0/1 mask under a box: zeros and counts. A constant under filters that add up to zero: zeros."""
    mask, box = (rng(0).random((1, 1, 90, 90)) < 0.002).astype("f4"), np.ones((1, 1, 15, 15), "f4")
    flat = np.full((1, 32, 20, 20), 255, "f4")
    edge = rng(1).integers(-9, 10, (8, 32, 4, 4)).astype("f4")
    edge[:, :, 3, 3] -= edge.sum((2, 3))
    for x, w in ((mask, box), (flat, edge)):
        x = x if layout == "NCHW" else np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        exact = conv2d(x, w, layout=layout)
        assert (exact == 0).any()
        y = pyconv.conv2d(x, w, layout=layout, accuracy="strict")
        np.testing.assert_array_equal(y, exact)
    noisy = pyconv.conv2d(mask, box, algorithm="fft")
    assert (noisy[conv2d(mask, box) == 0] != 0).any(), "fft rounds zeros: what the documentation says"


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("kernel, channels", [(3, 12), (4, 12), (5, 12), (7, 3), (15, 3)])
def test_no_transform_overflows_below_its_range(layout, kernel, channels):
    """x up to 3e37 and of one sign; then weights as large in place of pixels."""
    x, w = np.full((1, channels, 40, 41), 3e37), 1e-3 * normal((6, channels, kernel, kernel), "f8")
    x[:, :, ::3] = -1e37
    x, w = x.astype("f4"), w.astype("f4")
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for a, b in ((x, w), (x / 2**100, w * 2.0**100)):
        exact = conv2d(a, b, layout=layout)
        assert np.abs(exact).max() > 1e34
        for plan in plans(a.shape, b, layout=layout):
            assert np.isfinite(plan(a)).all(), plan.algorithm
        assert np.isfinite(pyconv.conv2d(a, b, layout=layout)).all()
