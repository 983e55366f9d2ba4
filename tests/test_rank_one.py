# SPDX-License-Identifier: BSD-3-Clause
"""Depthwise kernels of rank one, which plans run down the columns and then along the rows."""

import itertools

import numpy as np
import pytest
from helpers import Guarded, integers, normal

import pyconv

GEOMETRIES = {
    "plain": {"padding": ((2, 1), (3, 0))},
    "symmetric": {"padding": "same", "padding_mode": "symmetric"},
    "constant": {"padding": 4, "padding_mode": ("constant", 3)},
    "strided": {"padding": 3, "stride": (2, 3)},
    "dilated": {"padding": ((4, 0), (1, 5)), "dilation": (2, 3), "padding_mode": "circular"},
}


def kernels(filters, kh, kw, seed, scale=1):
    """(filters, 1, kh, kw), each a product of whole numbers by `scale`."""
    u, v = integers((filters, kh), seed=seed), integers((filters, kw), seed=seed + 1)
    u[:, 0] = v[:, -1] = 1  # so that none is 0
    return ((u[:, :, None] * v[:, None, :])[:, None] * scale).astype(np.float32)


def photograph(layout, channels, size, dtype):
    shape = (2, channels, *size) if layout == "NCHW" else (2, *size, channels)
    return np.abs(integers(shape, seed=5)).astype(dtype)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("types", [("float32", "float32"), ("uint8", "int16"), ("float64", "uint8")], ids=str)
def test_whole_numbers_are_exact_in_the_strict_class(geometry, layout, types):
    passes = []
    for channels, each, (kh, kw), threads in itertools.product((1, 3), (1, 2), ((13, 11), (9, 15)), (1, 2)):
        size = (171, 223) if "stride" in geometry else (61, 53)  # small ones aren't looked at
        x = photograph(layout, channels, size, types[0])
        w, b = kernels(channels * each, kh, kw, seed=kh), integers(channels * each, seed=3)
        keywords = {
            "groups": channels,
            "layout": layout,
            "threads": threads,
            "out_dtype": types[1],
            **geometry,
        }
        plan = pyconv.plan(
            x.shape,
            w,
            b,
            algorithm="depthwise",
            accuracy="strict",
            dtype=types[0],
            activation="relu",
            **keywords,
        )
        residual = np.abs(integers(plan.output_shape, seed=9)).astype(types[1])
        out = Guarded(plan.output_shape, np.dtype(types[1]), 0xFF)
        workspace = Guarded(plan.workspace_bytes, np.uint8, 0xA5)
        plan(x, out.array, workspace.array, residual)
        right = pyconv.conv2d(x, w, b, algorithm="direct", activation="relu", residual=residual, **keywords)
        np.testing.assert_array_equal(out.array, right)
        assert out.intact() and workspace.intact()
        passes.append(plan.passes)
        if plan.passes == 2:
            assert plan.multiplications < np.prod(plan.output_shape) * kh * kw / 2
    assert passes.count(2) > len(passes) / 2  # where one is as fast, one it is


def test_it_is_found_to_rounding_but_in_the_strict_class():
    g = np.exp(-(np.arange(-6, 7) ** 2) / 8)
    gauss = np.outer(g, g / g.sum() ** 2).astype(np.float32)[None, None]
    x = normal((1, 1, 300, 400))
    plan = pyconv.plan(x.shape, gauss, padding="same")
    assert plan.passes == 2 and plan.algorithm == "depthwise" and plan.accuracy == "standard"
    assert "rank one" in str(plan)
    strict = pyconv.plan(x.shape, gauss, padding="same", accuracy="strict")
    assert strict.passes == 1 and strict.accuracy == "strict"
    np.testing.assert_allclose(plan(x), strict(x), atol=2e-6)


@pytest.mark.parametrize("spoil", [1e-4, np.nan, np.inf])
def test_other_kernels_are_left_alone(spoil):
    w = kernels(4, 13, 13, seed=1)
    shape = (1, 4, 200, 200)
    assert pyconv.plan(shape, w, groups=4, algorithm="depthwise").passes == 2
    w[3, 0, 2, 3] += spoil
    plan = pyconv.plan(shape, w, groups=4, algorithm="depthwise")
    assert plan.passes == 1
    x = normal(shape)
    right = pyconv.conv2d(x, w, groups=4, algorithm="direct")
    np.testing.assert_allclose(plan(x), right, rtol=1e-4, atol=1e-3)


def test_a_nan_reaches_its_window():
    x, w = normal((1, 1, 200, 210)), kernels(1, 11, 13, seed=4)
    x[0, 0, 50, 60] = np.nan
    plan = pyconv.plan(x.shape, w, algorithm="depthwise")
    assert plan.passes == 2
    hit = np.isnan(plan(x)[0, 0])
    assert hit.sum() == 11 * 13 and hit[40:51, 48:61].all()


def test_the_bound_of_memory_holds():
    w = kernels(3, 13, 13, seed=2)
    shape = (1, 400, 500, 3)
    free = pyconv.plan(shape, w, groups=3, layout="NHWC")
    assert free.passes == 2
    for budget in (0, 1000, free.workspace_bytes + free.packed_bytes - 1):
        plan = pyconv.plan(shape, w, groups=3, layout="NHWC", max_workspace=budget)
        assert plan.workspace_bytes + plan.packed_bytes <= budget


def test_large_numbers_do_not_overflow_between_the_passes():
    x = np.full((1, 1, 200, 300), 3e38, np.float32)
    w = np.full((1, 1, 13, 13), 1 / 256, np.float32)
    plan = pyconv.plan(x.shape, w, algorithm="depthwise")
    assert plan.passes == 2
    np.testing.assert_allclose(plan(x), np.float32(3e38) * (169 / 256), rtol=1e-6)
