# SPDX-License-Identifier: BSD-3-Clause
"""depthwise on channels-last images: exact integers, and the memory around workspace and output watched."""

import numpy as np
import pytest
from helpers import Guarded, integers, normal, reference
from hypothesis import given
from hypothesis import strategies as st

import pyconv


def check(shape, kernel, dtype="float32", bias=False, residual=False, activation=None, threads=1, **geometry):
    """The plan's result, from a workspace and into an output of NaN, bit for bit."""
    c = shape[-1]
    x, w = integers(shape, dtype, density=0.9), integers((c, 1, *kernel), dtype, 1, density=0.9)
    b = integers(c, dtype, 2) if bias else None
    geometry = {"groups": c, "layout": "NHWC", **geometry}
    exact = reference(x, w, b, activation=None, **geometry)
    r = integers(exact.shape, dtype, 3) if residual else None
    if residual or activation:
        exact = reference(x, w, b, residual=r, activation=activation, **geometry)
    plan = pyconv.plan(
        shape,
        w,
        b,
        algorithm="depthwise",
        accuracy="strict",
        activation=activation,
        threads=threads,
        **geometry,
    )
    workspace, out = Guarded(plan.workspace_bytes, np.uint8, 0xFF), Guarded(plan.output_shape, dtype, 0xFF)
    plan(x, out.array, workspace.array, r)
    wrong = np.argwhere(out.array != exact)
    assert not wrong.size, f"{len(wrong)} wrong, first at {wrong[0]}"
    assert out.intact() and workspace.intact()


pairs = st.tuples(st.integers(0, 6), st.integers(0, 6))


@given(
    dtype=st.sampled_from(["float32", "float64"]),
    n=st.integers(1, 2),
    channels=st.integers(1, 20),
    kernel=st.tuples(st.integers(1, 11), st.integers(1, 11)),
    stride=st.sampled_from([1, 1, 1, 2, 3, (2, 1), (1, 2), (3, 1)]),
    dilation=st.sampled_from([1, 1, 1, 2, 3, (2, 1), (1, 3)]),
    padding=st.tuples(pairs, pairs),
    room=st.tuples(st.integers(0, 40), st.integers(0, 90)),
    bias=st.booleans(),
    residual=st.booleans(),
    activation=st.sampled_from([None, "relu", ("clip", -20, 31)]),
    threads=st.integers(1, 2),
)
def test_whole_parameter_space(n, channels, kernel, stride, dilation, padding, room, **keywords):
    """`room` is what the image has beyond the smallest that the kernel admits."""
    steps = dilation if isinstance(dilation, tuple) else (dilation, dilation)
    size = [
        max(1, (k - 1) * d + 1 - sum(p)) + more
        for k, d, p, more in zip(kernel, steps, padding, room, strict=True)
    ]
    check((n, *size, channels), kernel, stride=stride, dilation=dilation, padding=padding, **keywords)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", range(1, 10))
def test_every_kernel(channels, dtype):
    """Images most of which is read where it stands, and images that go through bands."""
    for k in range(1, 12):
        check((1, 41, 67, channels), (k, k), dtype, bias=True, residual=True, padding=k // 2)
        check((2, 9, 13, channels), (k, 12 - k), dtype, padding=((k // 2, 5), (0, 11 - k)), activation="relu")


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
@pytest.mark.parametrize(
    ("size", "kernel", "geometry"),
    [
        ((1, 1), (1, 1), {}),
        ((1, 700), (1, 3), {"padding": (0, 1)}),
        ((700, 1), (3, 1), {"padding": (1, 0)}),
        ((40, 1500), (3, 3), {"padding": 1}),
        ((64, 31), (7, 5), {"padding": ((0, 6), (4, 0))}),
        ((50, 60), (5, 5), {"dilation": (4, 3), "padding": (8, 6)}),
        ((90, 70), (31, 31), {"padding": 15}),
        ((20, 700), (1, 600), {"padding": (0, 8)}),
        ((700, 20), (300, 2), {}),
        ((70, 90), (5, 5), {"stride": (2, 1), "padding": 2}),
        ((71, 91), (3, 3), {"stride": (3, 1), "dilation": (2, 1)}),
        ((8, 9), (3, 3), {"padding": ((30, 2), (3, 40))}),
    ],
)
def test_far_shapes(size, kernel, geometry, channels):
    check((1, *size, channels), kernel, bias=True, threads=2, **geometry)


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_nan_stays_in_its_window(channels):
    """Neighbours in a vector are other channels, rows follow each other in memory: neither gets it."""
    x, w = normal((1, 40, 50, channels)), normal((channels, 1, 5, 3), seed=1)
    x[0, 17, 0, 0] = x[0, 20, 49, channels - 1] = np.nan
    y = pyconv.conv2d(
        x, w, groups=channels, padding=(2, 1), layout="NHWC", algorithm="depthwise", accuracy="strict"
    )
    exact = reference(x, w, groups=channels, padding=(2, 1), layout="NHWC")
    assert np.isnan(exact).sum() == 2 * 5 * 2
    assert np.array_equal(np.isnan(y), np.isnan(exact))


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_weights_that_are_not_finite(channels):
    """They spoil what lies over the padding in their own channel alone."""
    x, w = integers((1, 40, 50, channels)), integers((channels, 1, 3, 3), seed=1)
    w[channels - 1, 0, 0, 2] = np.inf
    y = pyconv.conv2d(
        x, w, groups=channels, padding=1, layout="NHWC", algorithm="depthwise", accuracy="strict"
    )
    with np.errstate(invalid="ignore"):
        exact = reference(x, w, groups=channels, padding=1, layout="NHWC")
    assert np.array_equal(y, exact, equal_nan=True)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 540, 200, 3), (3, 64, 64, 2), (2, 33, 33, 5)])
def test_threads_do_not_change_the_sums(shape, threads):
    x, w = normal(shape), normal((shape[-1], 1, 5, 5), seed=1)
    keywords = {"groups": shape[-1], "padding": 2, "layout": "NHWC", "algorithm": "depthwise"}
    one = pyconv.plan(shape, w, threads=1, **keywords)(x)
    assert np.array_equal(pyconv.plan(shape, w, threads=threads, **keywords)(x), one)
