# SPDX-License-Identifier: BSD-3-Clause
"""MEC's published example and layers: the size of L, both solutions; random data expose a wrong partition."""

import numpy as np
import pytest
from helpers import integers, normal, reference, relative_error

import pyconv

# The twelve layers of the paper: ic, ih = iw, oc, kh = kw, stride.
CV = {
    "cv1": (3, 227, 96, 11, 4),
    "cv2": (3, 231, 96, 11, 4),
    "cv3": (3, 227, 64, 7, 2),
    "cv4": (64, 224, 64, 7, 2),
    "cv5": (96, 24, 256, 5, 1),
    "cv6": (256, 12, 512, 3, 1),
    "cv7": (3, 224, 64, 3, 1),
    "cv8": (64, 112, 128, 3, 1),
    "cv9": (64, 56, 64, 3, 1),
    "cv10": (128, 28, 128, 3, 1),
    "cv11": (256, 14, 256, 3, 1),
    "cv12": (512, 7, 512, 3, 1),
}


def layer(name, layout, n=1):
    ic, size, oc, k, stride = CV[name]
    x_shape = (n, ic, size, size) if layout == "NCHW" else (n, size, size, ic)
    return x_shape, (oc, ic, k, k), {"stride": stride, "layout": layout}


def mec(x, w, bias=None, **keywords):
    return pyconv.conv2d(x, w, bias, algorithm="mec", **keywords)


def assert_exact(x_shape, w_shape, seed=0, **keywords):
    x, w = integers(x_shape, seed=seed), integers(w_shape, seed=seed + 1)
    np.testing.assert_array_equal(mec(x, w, **keywords), reference(x, w, **keywords))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_basic_form(layout):
    """One 7x7 image, one 3x3 kernel: L is 5 x 21, five overlapping partitions of it give the 5x5 output."""
    x_shape = (1, 1, 7, 7) if layout == "NCHW" else (1, 7, 7, 1)
    plan = pyconv.plan(x_shape, normal((1, 1, 3, 3)), algorithm="mec", layout=layout)
    assert plan.workspace_bytes == 5 * 21 * 4
    for seed in range(20):
        assert_exact(x_shape, (1, 1, 3, 3), seed, layout=layout)
    x, w = normal(x_shape), normal((1, 1, 3, 3), seed=1)
    assert relative_error(mec(x, w, layout=layout), reference(x, w, layout=layout)) < 3e-7


@pytest.mark.parametrize("dtype, size", [("f4", 4), ("f8", 8)])
@pytest.mark.parametrize("n, layout", [(1, "NCHW"), (3, "NCHW"), (1, "NHWC"), (3, "NHWC")])
def test_lowered_matrix_is_n_ow_ih_kw_ic(n, layout, dtype, size):
    x_shape = (n, 5, 13, 11) if layout == "NCHW" else (n, 13, 11, 5)
    for stride, ow in ((1, 8), ((2, 3), 3)):
        plan = pyconv.plan(
            x_shape, normal((7, 5, 3, 4), dtype), algorithm="mec", layout=layout, stride=stride
        )
        assert plan.workspace_bytes == n * ow * 13 * 4 * 5 * size


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_memory_over_the_twelve_layers(layout):
    """im2col / MEC is 3.26 in sum."""
    total = {"im2col": 0, "mec": 0}
    for name in CV:
        x_shape, w_shape, keywords = layer(name, layout)
        ic, size, _, k, stride = CV[name]
        ow = (size - k) // stride + 1
        for algorithm in total:
            weight = np.broadcast_to(np.float32(0), w_shape)
            total[algorithm] += pyconv.plan(x_shape, weight, algorithm=algorithm, **keywords).workspace_bytes
        plan = pyconv.plan(x_shape, weight, algorithm="mec", **keywords)
        assert plan.workspace_bytes == ow * size * k * ic * 4, name
    if layout == "NCHW":
        assert round(total["im2col"] / total["mec"], 2) == 3.26


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in ("cv4", "cv8") else []) for name in CV
])  # fmt: skip
def test_layer_of_the_paper_equals_im2col(name, layout):
    x_shape, w_shape, keywords = layer(name, layout)
    x, w = normal(x_shape), normal(w_shape, seed=1)
    ours, theirs = mec(x, w, **keywords), pyconv.conv2d(x, w, algorithm="im2col", **keywords)
    assert relative_error(ours, theirs) < 1e-6
    xi, wi = integers(x_shape, seed=2), integers(w_shape, seed=3, density=0.2)
    exact = pyconv.conv2d(xi, wi, algorithm="im2col", **keywords)
    np.testing.assert_array_equal(mec(xi, wi, **keywords), exact)


# Solution A asks for ow <= T and |O| <= |L|; the others leave these bounds on one side or the other.
SOLUTIONS = {
    "narrow, few filters": ((4, 8, 12, 10), (3, 8, 3, 3)),
    "narrow, many filters": ((4, 2, 12, 10), (200, 2, 3, 3)),
    "wide, few filters": ((2, 3, 6, 700), (2, 3, 3, 3)),
    "wide, many filters": ((2, 2, 6, 300), (64, 2, 3, 3)),
    "one output row": ((3, 4, 3, 20), (5, 4, 3, 3)),
    "one output column": ((3, 4, 20, 3), (5, 4, 3, 3)),
    "one output": ((3, 4, 3, 3), (5, 4, 3, 3)),
    "flat kernel": ((2, 4, 9, 9), (5, 4, 1, 5)),
    "tall kernel": ((2, 4, 9, 9), (5, 4, 5, 1)),
    "1x1": ((2, 4, 9, 9), (5, 4, 1, 1)),
    "one channel": ((2, 1, 9, 9), (5, 1, 3, 3)),
    "one filter": ((2, 4, 9, 9), (1, 4, 3, 3)),
    "one image": ((1, 4, 9, 9), (6, 4, 3, 3)),
    "many images": ((33, 2, 5, 5), (3, 2, 3, 3)),
}
OPTIONS = [
    {},
    {"padding": 1},
    {"padding": ((0, 2), (1, 0)), "padding_mode": "replicate"},
    {"padding": "same", "stride": 2},
    {"padding": "full", "stride": (3, 2)},
    {"padding": 4, "dilation": 2},
    {"padding": 4, "dilation": (1, 3), "stride": (2, 1)},
]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shapes", SOLUTIONS)
def test_both_solutions(shapes, options, layout):
    (n, c, h, w), w_shape = SOLUTIONS[shapes]
    x_shape = (n, c, h, w) if layout == "NCHW" else (n, h, w, c)
    assert_exact(x_shape, w_shape, layout=layout, **options)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("groups", [2, 4])
def test_groups(groups, layout):
    x_shape = (3, 8, 9, 10) if layout == "NCHW" else (3, 9, 10, 8)
    assert_exact(x_shape, (12, 8 // groups, 3, 3), groups=groups, layout=layout, padding=1)
