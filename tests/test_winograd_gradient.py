# SPDX-License-Identifier: BSD-3-Clause
"""The gradient of a weight by Winograd: every form against the definition, its class, its bounds."""

import itertools

import numpy as np
import pytest
from helpers import ULP, normal
from test_backward_weight import LAYOUTS, gradient, outputs, run

import pyconv

FORMS = {
    "winograd_f4k3": [(3, 3), (1, 3), (3, 1)],
    "winograd_f2k3": [(3, 3)],
    "winograd_f2k5": [(5, 5)],
    "winograd_f3k2": [(2, 2)],
}
STRIDED = [
    ("winograd_f3k2", (3, 3), 2),
    ("winograd_f3k2", (4, 3), 2),
    ("winograd_f3k2", (2, 4), (1, 2)),
    ("winograd_f4k3", (5, 6), 2),
    ("winograd_f2k3", (5, 5), 2),
    ("winograd_f4k3", (3, 6), (1, 2)),
]
EACH = [(name, kernel) for name, kernels in FORMS.items() for kernel in kernels]
SIZES = [(5, 5), (7, 13), (23, 18)]  # less than a tile, a tail of each, several
CHANNELS = [(1, 1), (5, 3), (17, 33), (40, 15)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name, kernel", EACH)
def test_every_form_against_the_definition(name, kernel, layout, dtype):
    """Tiles, tails, channels, groups, interleaved images; workspace and result are poisoned and fenced."""
    cases = itertools.product(SIZES, CHANNELS, (0, 1, ((0, 2), (1, 0))), (1, (2, 1)))
    for number, (size, (icg, ocg), padding, dilation) in enumerate(cases):
        groups, threads = 1 + number % 2, 1 + number % 3
        keywords = {"padding": padding, "dilation": dilation, "groups": groups}
        if name == "winograd_f2k5" and size[0] < 9:
            dilation = keywords["dilation"] = 1  # else the kernel is larger
        x_shape, weight_shape = (1 + number % 4, groups * icg, *size), (groups * ocg, icg, *kernel)
        if groups > 1 and icg == ocg == 1 and name != "winograd_f4k3":
            continue
        x, dy = normal(x_shape, dtype), normal(outputs(x_shape, weight_shape, keywords), dtype, 1)
        dw = run(x, weight_shape, dy, layout, threads, algorithm=name, **keywords)
        exact = gradient(x, weight_shape, dy, **keywords)
        scale = np.sqrt(
            (gradient(np.square(x, dtype="f8"), weight_shape, np.square(dy, dtype="f8"), **keywords)).max()
        )
        ulp = ULP["float32" if dtype == "float16" else dtype]
        bound = 400 * ulp * scale + (ULP["float16"] * np.abs(exact) if dtype == "float16" else 0)
        assert (np.abs(dw - exact) <= bound).all(), (number, np.abs(dw - exact).max() / scale / ulp)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name, kernel, stride", STRIDED)
def test_strides_are_phases(name, kernel, stride, layout):
    for number, (size, (icg, ocg), padding) in enumerate(
        itertools.product([(8, 9), (13, 22), (31, 18)], CHANNELS, (0, 1, ((0, 2), (3, 0))))
    ):
        groups, threads = 1 + number % 2, 1 + number % 3
        if icg == 1:
            groups = 1  # else depthwise
        keywords = {"padding": padding, "stride": stride, "groups": groups}
        x_shape, weight_shape = (1 + number % 4, groups * icg, *size), (groups * ocg, icg, *kernel)
        x, dy = normal(x_shape), normal(outputs(x_shape, weight_shape, keywords), seed=1)
        dw = run(x, weight_shape, dy, layout, threads, algorithm=name, **keywords)
        exact = gradient(x, weight_shape, dy, **keywords)
        scale = np.sqrt((gradient(np.square(x, dtype="f8"), weight_shape, np.square(dy), **keywords)).max())
        assert (np.abs(dw - exact) <= 400 * ULP["float32"] * scale).all(), number


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_blocks(layout):
    """More tiles than a block takes, more sums than a cache holds: the same bits for all threads."""
    for n, channels, filters, size, name in (
        (3, 8, 20, 97, "winograd_f4k3"),
        (1, 3, 5, 300, "winograd_f2k3"),
        (2, 130, 140, 14, "winograd_f4k3"),
        (1, 4, 70, (3, 5000), "winograd_f4k3"),
    ):
        size = size if isinstance(size, tuple) else (size, size)
        x, dy = normal((n, channels, *size)), normal((n, filters, *size), seed=1)
        exact = gradient(x, (filters, channels, 3, 3), dy, padding=1)
        first = run(x, (filters, channels, 3, 3), dy, layout, 1, padding=1, algorithm=name)
        assert np.linalg.norm(first - exact) < 3e-6 * np.linalg.norm(exact)
        for threads in (2, 3):
            again = run(x, (filters, channels, 3, 3), dy, layout, threads, padding=1, algorithm=name)
            np.testing.assert_array_equal(again, first)


def test_a_constant_is_summed_exactly_by_two_tiles_a_side():
    """Points 0, 1, -1 and infinity leave small whole numbers whole."""
    rng = np.random.default_rng(0)
    x, dy = (rng.integers(-4, 5, (2, 7, 12, 9)).astype(np.float32) for _ in range(2))
    dw = pyconv.conv2d_backward_weight(x, (7, 7, 3, 3), dy, padding=1, algorithm="winograd_f2k3")
    np.testing.assert_array_equal(dw, gradient(x, (7, 7, 3, 3), dy, padding=1))


def test_auto_takes_it_where_it_pays_and_class_and_budget_allow():
    shape, weight = (8, 64, 56, 56), (64, 64, 3, 3)
    plan = pyconv.plan_conv2d_backward_weight(shape, weight, padding=1, threads=1)
    assert plan.algorithm == "winograd_f4k3" and plan.accuracy == "standard"
    assert plan.multiplications == 8 * 14 * 14 * 36 * 64 * 64
    strict = pyconv.plan_conv2d_backward_weight(shape, weight, padding=1, threads=1, accuracy="strict")
    assert strict.algorithm == "implicit_gemm" and strict.accuracy == "strict"
    less = plan.workspace_bytes - 1
    tight = pyconv.plan_conv2d_backward_weight(shape, weight, padding=1, threads=1, max_workspace=less)
    assert tight.algorithm != "winograd_f4k3" and tight.workspace_bytes <= less


def test_refuses_by_name_with_the_reason():
    def plan(weight=(4, 4, 3, 3), **keywords):
        return pyconv.plan_conv2d_backward_weight((1, 4, 9, 9), weight, **keywords)

    with pytest.raises(
        pyconv.UnsupportedError, match=r"'fft' can't make the gradient of weight .* implicit_gemm"
    ):
        plan(algorithm="fft")
    with pytest.raises(pyconv.UnsupportedError, match="its strides are 1 and 2"):
        plan(algorithm="winograd_f4k3", stride=3)
    with pytest.raises(pyconv.UnsupportedError, match="of a stride and a dilation one must be 1"):
        plan(algorithm="winograd_f3k2", stride=2, dilation=2)
    with pytest.raises(pyconv.UnsupportedError, match="kernels of 3x3, 1x3 and 3x1"):
        plan((4, 4, 5, 5), algorithm="winograd_f4k3")
    with pytest.raises(pyconv.UnsupportedError, match="class is 'standard', 'strict' is asked for"):
        plan(algorithm="winograd_f4k3", accuracy="strict")
    with pytest.raises(pyconv.UnsupportedError, match="one channel and one filter a group"):
        plan(algorithm="depthwise")
    with pytest.raises(ValueError, match=r"unknown|must be one of"):
        plan(algorithm="winograd")
