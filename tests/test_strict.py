# SPDX-License-Identifier: BSD-3-Clause
"""The strict class: |y - exact| <= c(K) eps A of each output's own window, on all data and kernels."""

import os
from functools import cache

import numpy as np
import pytest
from helpers import ULP, integers, normal, plans, reference, rng
from test_isa import available

import pyconv
from pyconv import _kernels

LAYOUTS = ["NCHW", "NHWC"]

# Long sums of every algorithm and of every form of it: x, weight, geometry.
LONG = {
    "depthwise 31x31": ((1, 4, 62, 62), (4, 1, 31, 31), {"groups": 4, "padding": 15}),
    "depthwise 63x63": ((1, 2, 96, 96), (2, 1, 63, 63), {"groups": 2, "padding": 31}),
    "depthwise 7x200": ((1, 2, 9, 420), (2, 1, 7, 200), {"groups": 2}),
    "depthwise 5x90/2": ((1, 2, 9, 300), (2, 1, 5, 90), {"groups": 2, "stride": 2}),
    "depthwise 1x3000": ((1, 2, 1, 6100), (2, 1, 1, 3000), {"groups": 2}),
    "depthwise 1000x1": ((1, 3, 2010, 1), (3, 1, 1000, 1), {"groups": 3}),
    "depthwise 200x2/2": ((1, 17, 500, 5), (17, 1, 200, 2), {"groups": 17, "stride": 2}),
    "depthwise 150x3": ((1, 16, 310, 9), (16, 1, 150, 3), {"groups": 16, "padding": 1}),
    "depthwise 3x300/3": ((1, 16, 5, 700), (16, 1, 3, 300), {"groups": 16, "stride": 3, "dilation": (1, 2)}),
    "depthwise 25x33 dilated": ((1, 16, 90, 90), (16, 1, 25, 33), {"groups": 16, "dilation": 2}),
    "depthwise small planes": ((1, 18, 17, 17), (18, 1, 17, 17), {"groups": 18, "padding": 8}),
    "depthwise, three filters": ((1, 2, 62, 62), (6, 1, 31, 31), {"groups": 2, "padding": 15}),
    "2 channels to 1, 13x13": ((1, 8, 30, 30), (4, 2, 13, 13), {"groups": 4}),
    "8 channels to 2, 9x9": ((1, 16, 30, 30), (4, 8, 9, 9), {"groups": 2}),
    "16 channels, 15x15": ((1, 16, 40, 40), (6, 16, 15, 15), {"padding": 7}),
    "4 channels, 1 filter, 17x17": ((1, 4, 36, 36), (1, 4, 17, 17), {}),
    "1 channel, 63x63": ((1, 1, 96, 96), (2, 1, 63, 63), {"padding": 31}),
    "64 channels, 5x5": ((1, 64, 12, 12), (33, 64, 5, 5), {"padding": 2}),
    "512 channels, 3x3": ((1, 512, 8, 8), (20, 512, 3, 3), {"padding": 1}),
    "512 channels, 3x3/2": ((1, 512, 9, 9), (20, 512, 3, 3), {"padding": 1, "stride": 2}),
    "20 channels, 16x16": ((1, 20, 20, 20), (3, 20, 16, 16), {"padding": 8}),
    "1x1 of 4608": ((1, 4608, 5, 7), (30, 4608, 1, 1), {}),
    "1x1/2 of 4608": ((1, 4608, 5, 9), (30, 4608, 1, 1), {"stride": 2}),
    "1x1 of 100000": ((1, 100000, 2, 3), (3, 100000, 1, 1), {}),
    "9 channels, 1x400": ((1, 9, 1, 900), (5, 9, 1, 400), {}),
    "3 channels, 300x2": ((1, 3, 700, 3), (3, 3, 300, 2), {}),
    "3 channels, 250x1": ((1, 3, 600, 1), (3, 3, 250, 1), {}),
}


@pytest.fixture(
    params=[*(pytest.param(name, marks=pytest.mark.slow) for name in available()[:-1]), available()[-1]]
)
def isa(request):
    yield _kernels.set_isa(request.param)
    _kernels.set_isa(os.environ.get("PYCONV_ISA") or None)


def bound(k):
    """c(K): the longest chain, the partial sums, bias and residual."""
    return min(k, 256) + -(-k // 128) + 2


def last(a, layout):
    return np.ascontiguousarray(np.moveaxis(a, -3, -1)) if layout == "NHWC" else a


@cache
def sums_around_a_one(name, channel):
    """x of zeros but for a 1 amid a channel; the sums that hold it, and how many other terms each sum has."""
    x_shape, w_shape, geometry = LONG[name]
    one, w = np.zeros(x_shape), np.ones(w_shape)
    one[0, channel, x_shape[2] // 2, x_shape[3] // 2] = 1
    return one, reference(one, w, **geometry), reference(1 - one, w, **geometry)


def longest_chain(name, layout, dtype, channel):
    """By algorithm: how many eps a sum loses that holds a 1 somewhere among them.

    1 + eps rounds to 1, so each addition to the 1 is an error of eps A: the bound is reached.
    """
    _, w_shape, geometry = LONG[name]
    eps, w = ULP[dtype], np.ones(w_shape, dtype)
    one, holds_it, others = sums_around_a_one(name, channel)
    x = last(np.maximum(one, eps).astype(dtype), layout)
    lost = {}
    for plan in plans(x.shape, w, accuracy="strict", layout=layout, threads=1, **geometry):
        y = np.moveaxis(plan(x), -1, -3) if layout == "NHWC" else plan(x)
        error = (y - holds_it.astype(dtype)) / eps - others
        lost[plan.algorithm] = np.abs(error / (holds_it + others * eps))[holds_it > 0].max()
        assert not error[holds_it == 0].any()
    return lost


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LONG)
def test_the_longest_chain(isa, name, dtype, layout):
    x_shape, w_shape, _ = LONG[name]
    k, channels = int(np.prod(w_shape[1:])), x_shape[1]
    for channel in {0, channels // 3}:
        for algorithm, lost in longest_chain(name, layout, dtype, channel).items():
            assert lost <= bound(k), f"{algorithm}: a chain of {lost:.0f}, K = {k}"


def test_one_chain_would_be_seen():
    """The measure itself: a plain loop over float32 loses all terms but the first."""
    total = np.float32(0)
    for term in [1, *[ULP["float32"]] * 999]:
        total += np.float32(term)
    assert total == 1


def sparse(shape, dtype, seed=0):
    return normal(shape, dtype, seed) * (rng(seed + 9).random(shape) < 0.01).astype(dtype)


def one_pixel(shape, dtype, seed=0):
    a = np.zeros(shape, dtype)
    a[(0, 0, *(n // 2 for n in shape[2:]))] = 1.2345
    return a


def positive(shape, dtype, seed=0):
    return rng(seed).random(shape).astype(dtype)


def zero_sum(shape, dtype, seed=0):
    w = normal(shape, "f8", seed)
    return (w - w.mean((1, 2, 3), keepdims=True)).astype(dtype)


def scaled(fill, factor, add=0):
    return lambda shape, dtype, seed=0: (fill(shape, "f8", seed) * factor + add).astype(dtype)


# Of x and of weight. The largest: |x| * |w| ends below 3.4e38.
DATA = {
    "normal": (normal, normal),
    "positive": (positive, positive),
    "mean 1000": (scaled(normal, 1, 1000), zero_sum),
    "sparse": (sparse, normal),
    "one pixel": (one_pixel, normal),
    "integers": (integers, integers),
    "constant": (lambda shape, dtype, seed: np.full(shape, 255, dtype), zero_sum),
    "denormal": (scaled(normal, 1e-40), normal),
    "denormal weights": (normal, scaled(normal, 1e-40)),
    "large": (scaled(normal, 3e37), scaled(normal, 1e-3)),
    "largest, of both signs": (
        scaled(normal, 3e37),
        lambda shape, dtype, seed=0: (np.sign(normal(shape, "f8", seed)) * 2 / np.prod(shape[1:])).astype(
            dtype
        ),
    ),
}

ORDINARY = {
    "3x3": ((2, 20, 9, 11), (17, 20, 3, 3), {"padding": 1}),
    "3x3/2": ((1, 5, 12, 40), (7, 5, 3, 3), {"padding": 1, "stride": 2}),
    "1x1": ((2, 300, 5, 7), (33, 300, 1, 1), {}),
    "depthwise": ((1, 17, 14, 14), (17, 1, 5, 5), {"groups": 17, "padding": 2}),
    "depthwise 31x31": ((1, 3, 33, 40), (3, 1, 31, 31), {"groups": 3, "padding": 15}),
    "depthwise, two filters": ((1, 5, 9, 33), (10, 1, 3, 3), {"groups": 5, "padding": 1}),
    "grouped": ((1, 16, 9, 9), (16, 4, 3, 3), {"groups": 4, "padding": 1}),
    "few channels": ((1, 3, 30, 30), (8, 3, 7, 7), {"padding": 3}),
    "one row": ((1, 2, 1, 300), (3, 2, 1, 65), {"padding": (0, 32)}),
    "circular": ((1, 8, 5, 9), (9, 8, 3, 3), {"padding": 1, "padding_mode": "circular"}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", ORDINARY)
def test_each_output_within_the_bound_of_its_window(isa, name, data, layout):
    x_shape, w_shape, geometry = ORDINARY[name]
    x, w = DATA[data][0](x_shape, "float32", 0), DATA[data][1](w_shape, "float32", 1)
    assert np.isfinite(x).all() and np.isfinite(w).all()
    exact = last(reference(x, w, **geometry), layout)
    k = int(np.prod(w_shape[1:]))
    size = last(reference(np.abs(x), np.abs(w), **geometry), layout)
    assert size.max() < np.finfo("f4").max
    allowed = bound(k) * ULP["float32"] * size
    allowed = allowed + k * 2.0**-150 * (allowed > 0)  # products that underflow
    for plan in plans(last(x, layout).shape, w, accuracy="strict", layout=layout, **geometry):
        error = np.abs(plan(last(x, layout)).astype("f8") - exact)
        assert (error <= allowed).all(), f"{plan.algorithm}: {(error / np.maximum(allowed, 1e-300)).max()}"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bias_and_residual_are_two_more_terms(layout):
    x, w, b = normal((2, 8, 9, 9)), normal((7, 8, 3, 3), seed=1), 1e6 * normal(7, seed=2)
    r = 1e6 * normal((2, 7, 9, 9), seed=3)
    exact = last(reference(x, w, b, residual=r, padding=1), layout)
    size = last(reference(*map(np.abs, (x, w, b)), residual=np.abs(r), padding=1), layout)
    for plan in plans(last(x, layout).shape, w, b, accuracy="strict", layout=layout, padding=1):
        error = np.abs(plan(last(x, layout), residual=last(r, layout)) - exact)
        assert (error <= bound(72) * ULP["float32"] * size).all(), plan.algorithm


@pytest.mark.parametrize("layout", LAYOUTS)
def test_auto_keeps_it(layout):
    """A 0/1 mask under a box: outputs that no one reaches are 0, none is negative."""
    x = np.zeros((1, 1, 120, 160), "f4")
    x[0, 0, 30:60, 50:90] = 1
    box = np.full((1, 1, 15, 15), np.float32(1 / 225))
    y = pyconv.conv2d(last(x, layout), box, padding=7, layout=layout, accuracy="strict")
    exact = last(reference(x, box, padding=7), layout)
    assert (y[exact == 0] == 0).all() and (y >= 0).all()
    assert (np.abs(y - exact) <= bound(225) * ULP["float32"] * exact).all()


# The gradient of a weight sums over images and pixels: blocks of at most 384, or one row of them, in batches.
GRADIENTS = {
    "3x3": ((9, 5, 60, 61), (7, 5, 3, 3), {"padding": 1}),
    "1x1": ((3, 20, 224, 224), (9, 20, 1, 1), {}),
    "small images": ((700, 3, 7, 7), (4, 3, 3, 3), {"padding": 1}),
    "groups": ((4, 6, 100, 150), (6, 3, 3, 3), {"groups": 2}),
    "depthwise": ((4, 17, 100, 150), (17, 1, 3, 3), {"groups": 17, "padding": 1}),
    "depthwise column": ((2, 3, 60000, 1), (3, 1, 2, 1), {"groups": 3}),
    "long rows": ((2, 2, 3, 70000), (2, 2, 1, 3), {}),
    "depthwise rows": ((2, 2, 3, 70000), (2, 1, 1, 3), {"groups": 2}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GRADIENTS)
def test_chains_of_the_weights_gradient(name, dtype, layout):
    """As above: a 1 among the eps of dy, and x of ones; every tap's sum holds it or not."""
    x_shape, w_shape, geometry = GRADIENTS[name]
    shape = reference(np.zeros((1, *x_shape[1:])), np.zeros(w_shape), **geometry).shape
    shape = (x_shape[0], *shape[1:])
    eps, pixels = ULP[dtype], shape[0] * shape[2] * shape[3]
    x = last(np.ones(x_shape, dtype), layout)
    for image, row, column in [
        (0, shape[2] // 4, 0),
        (shape[0] // 2, 1, shape[3] // 3),
        (shape[0] - 1, shape[2] - 2, shape[3] - 1),
    ]:
        dy = np.full(shape, eps, dtype)
        dy[image, :, row, column] = 1
        dw = pyconv.conv2d_backward_weight(
            x, w_shape, last(dy, layout), layout=layout, accuracy="strict", **geometry
        )
        (ph, pw) = (geometry.get("padding", 0),) * 2
        for i in range(w_shape[2]):
            for j in range(w_shape[3]):
                h, v = np.arange(shape[2]) - ph + i, np.arange(shape[3]) - pw + j
                inside = np.outer((h >= 0) & (h < x_shape[2]), (v >= 0) & (v < x_shape[3]))
                holds_it = bool(inside[row, column])
                others = shape[0] * inside.sum() - holds_it
                error = np.abs((dw[..., i, j] - holds_it) / eps - others)
                allowed = min(pixels, 256) + 512 + pixels // 192 if holds_it else 0
                assert (error <= allowed * (1 + others * eps)).all(), (name, i, j, error.max(), allowed)
