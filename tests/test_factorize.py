# SPDX-License-Identifier: BSD-3-Clause
"""Filters split into columns and rows: exact where they come apart, the stated error elsewhere."""

import numpy as np
import pytest
from helpers import Guarded, assert_close, normal, relative_error, rng

import pyconv


def gaussian(size, sigma=1.5, dtype="float32"):
    bell = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    return np.outer(bell, bell).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_a_gaussian_comes_apart_exactly(dtype):
    pair = pyconv.factorize(gaussian(15, dtype=dtype)[None, None])
    assert pair.rank == 1 and pair.vertical.shape == (1, 1, 15, 1) and pair.horizontal.shape == (1, 1, 1, 15)
    assert pair.error <= 2 * np.finfo(dtype).eps, "two factors, each rounded once"
    assert (pair.original_parameters, pair.parameters) == (225, 30)
    assert pair.vertical.dtype == pair.horizontal.dtype == dtype


def test_every_filter_of_a_bank_has_a_column_and_a_row_of_its_own():
    """Depthwise: Gaussians of different width share nothing, and are exact at rank 1 all the same."""
    weight = np.stack([gaussian(7, sigma) for sigma in (0.5, 1, 2, 4)])[:, None]
    pair = pyconv.factorize(weight, groups=4)
    assert pair.rank == 1 and pair.error < 1e-7
    x = normal((2, 4, 20, 22))
    y = pair.plan(x.shape, padding="same")(x)
    assert_close(y, x, weight, padding="same", groups=4)


def test_filters_of_many_channels_come_apart_together():
    """One kernel times a matrix of rank 2 across channels: 2 channels between are enough."""
    r = rng(3)
    mix = r.standard_normal((6, 2)) @ r.standard_normal((2, 5))
    weight = (mix[:, :, None, None] * gaussian(5, dtype="float64")).astype("float64")
    pair = pyconv.factorize(weight)
    assert pair.rank == 2 and pair.error < 1e-15
    assert pair.vertical.shape == (2, 5, 5, 1) and pair.horizontal.shape == (6, 2, 1, 5)


@pytest.mark.parametrize(
    ("shape", "groups"), [((4, 1, 5, 3), 1), ((6, 1, 3, 5), 3), ((8, 6, 3, 5), 1), ((6, 4, 3, 3), 3)]
)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("rank", [None, 1, 2])
def test_the_plan_convolves_with_the_filters_it_stands_for(shape, groups, layout, rank):
    weight = normal(shape, seed=1)
    pair = pyconv.factorize(weight, rank, groups=groups)
    image = (2, shape[1] * groups, 14, 17) if layout == "NCHW" else (2, 14, 17, shape[1] * groups)
    x, bias = normal(image, seed=2), normal(shape[0], seed=3)
    geometry = {"stride": (2, 1), "padding": ((1, 2), (3, 0)), "padding_mode": "reflect", "layout": layout}
    plan = pair.plan(x.shape, bias, **geometry, activation="relu")
    residual = normal(plan.output_shape, seed=4)
    y = plan(x, residual=residual)
    effective = pair.weight()
    # The factors' sums of absolute values exceed the filters'.
    assert_close(y, x, effective.astype("float32"), bias, residual=residual, activation="relu",
                 groups=groups, units=16, **geometry)  # fmt: skip
    if rank is None:
        assert pair.error < 2e-7
        assert_close(
            y, x, weight, bias, residual=residual, activation="relu", groups=groups, units=16, **geometry
        )


def test_dilation():
    weight = gaussian(3)[None, None]
    x = normal((1, 1, 15, 16))
    y = pyconv.factorize(weight).plan(x.shape, dilation=(2, 3), padding="same")(x)
    assert_close(y, x, weight, dilation=(2, 3), padding="same")


def test_the_error_is_the_least_possible():
    """Eckart and Young: the singular values left out; and more rank never errs more."""
    weight = normal((1, 1, 7, 7), "float64")
    values = np.linalg.svd(weight[0, 0], compute_uv=False)
    errors = [pyconv.factorize(weight, rank).error for rank in range(1, 8)]
    left = [np.linalg.norm(values[rank:]) / np.linalg.norm(values) for rank in range(1, 8)]
    assert errors == pytest.approx(left, abs=1e-14)
    assert errors[0] > 0.3 > errors[-1]
    pair = pyconv.factorize(weight, 2)
    assert relative_error(pair.weight(), weight) == pytest.approx(pair.error)


def test_zero_filters():
    pair = pyconv.factorize(np.zeros((2, 3, 3, 3), np.float32))
    assert pair.rank == 1 and pair.error == 0 and not pair.weight().any()


def test_cost_stands_beside_the_original():
    pair = pyconv.factorize(gaussian(9)[None, None])
    plan = pair.plan((1, 1, 40, 50), padding="same")
    assert plan.multiplications == 40 * 50 * 18 and plan.original_multiplications == 40 * 50 * 81
    assert "81 -> 18" in str(pair) and "36,000 instead of 162,000" in str(plan)
    assert plan.packed_bytes == plan.vertical.packed_bytes + plan.horizontal.packed_bytes


def test_the_workspace_is_enough_and_no_more_is_touched():
    pair = pyconv.factorize(normal((6, 4, 3, 3)), 2)
    x = normal((1, 4, 12, 13))
    plan = pair.plan(x.shape, padding=1)
    workspace = Guarded((plan.workspace_bytes,), np.uint8, 0xA5)
    out = Guarded(plan.output_shape, np.float32, 0xFF)
    before = x.copy()
    assert plan(x, out.array, workspace.array) is out.array
    assert workspace.intact() and out.intact() and (x == before).all()
    assert (out.array == plan(x)).all()
    with pytest.raises(ValueError, match=f"this plan needs {plan.workspace_bytes}"):
        plan(x, workspace=workspace.array[:-64])
    with pytest.raises(ValueError, match="out overlaps x"):
        same = pyconv.factorize(normal((4, 4, 3, 3)), 2).plan(x.shape, padding=1)
        same(x, x)


@pytest.mark.parametrize("budget", [20_000, 100_000, "1MB"])
def test_the_budget_bounds_the_pair(budget):
    pair = pyconv.factorize(normal((16, 16, 3, 3)), 4)
    plan = pair.plan((1, 16, 24, 24), padding=1, max_workspace=budget)
    assert plan.workspace_bytes + plan.packed_bytes <= pyconv._arguments.parse_bytes(budget)
    with pytest.raises(pyconv.UnsupportedError, match=r"9216 are the image between"):
        pair.plan((1, 16, 24, 24), padding=1, max_workspace=5000)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "words"),
    [
        ((np.ones((2, 2, 3, 3), "int32"),), {}, TypeError, "is int32"),
        ((np.ones((3, 3)),), {}, ValueError, "4 dimensions"),
        ((np.ones((2, 0, 3, 3)),), {}, ValueError, "at least 1"),
        ((np.ones((2, 2, 3, 5)), 0), {}, ValueError, "rank must be from 1 to 6 .* is 0"),
        ((np.ones((2, 1, 3, 5)), 4), {}, ValueError, "rank must be from 1 to 3 .* is 4"),
        ((np.ones((2, 2, 3, 5)), 1.5), {}, TypeError, "rank must be .*ints?, is 1.5"),
        ((np.ones((2, 2, 3, 5)),), {"groups": "2"}, TypeError, "groups must be .*ints?, is '2'"),
        ((np.full((2, 2, 3, 5), np.nan),), {}, ValueError, "NaN"),
        (
            (np.ones((3, 2, 3, 5)),),
            {"groups": 2},
            ValueError,
            "3 filters of weight do not divide by groups=2",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, keywords, error, words):
    with pytest.raises(error, match=words):
        pyconv.factorize(*arguments, **keywords)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_float16_is_float32_between_the_parts(layout):
    """Columns that overflow float16 cancel in the rows, but for the rounding of float32."""
    rounding = 2.0**-23 * 8 * 60000
    sobel = pyconv.factorize(np.outer([1, 2, 1], [1, 0, -1])[None, None].astype("f2"))
    x = np.full((1, 1, 9, 9), 60000, "f2").reshape((1, 1, 9, 9) if layout == "NCHW" else (1, 9, 9, 1))
    plan = sobel.plan(x.shape, layout=layout)
    assert plan.dtype == "f2" and (abs(plan(x)) <= rounding).all()
    r = np.full(plan.output_shape, 1.5, "f2")
    out, workspace = Guarded(plan.output_shape, "f2", 0xFF), Guarded((plan.workspace_bytes,), np.uint8, 0xFF)
    assert (abs(plan(x, out.array, workspace.array, r) - 1.5) <= rounding + 2.0**-10).all()
    assert out.intact() and workspace.intact()


def test_float16_is_rounded_once():
    weight, x, bias = (
        normal((6, 4, 3, 3), "float16"),
        normal((2, 4, 12, 13), "float16", 1),
        normal(6, "float16", 2),
    )
    pair = pyconv.factorize(weight)
    together = pair.weight().astype("f4")
    assert_close(pair.plan(x.shape, bias)(x), x, together, bias, units=64, out_dtype="f2")
    bounded = pair.plan(x.shape, bias, max_workspace=100_000)
    assert bounded.workspace_bytes + bounded.packed_bytes <= 100_000


def test_the_plan_speaks_of_the_filters_it_stands_for():
    pair = pyconv.factorize(np.ones((2, 2, 3, 3), "f2"))
    with pytest.raises(TypeError, match="bias is float32, weight is float16"):
        pair.plan((1, 2, 8, 8), np.ones(2, "f4"))
    with pytest.raises(ValueError, match=r"a 3x3 kernel .* is larger than the 2x8 input"):
        pair.plan((1, 2, 2, 8))
    with pytest.raises(
        ValueError, match="weight has 2 input channels per group, x has 3 channels / 1 groups"
    ):
        pair.plan((1, 3, 8, 8))
