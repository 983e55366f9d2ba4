# SPDX-License-Identifier: BSD-3-Clause
"""Winograd: accuracy beside im2col's, exactness of F(2, 3), counts, edges of tiles, blocks, NaN, forms."""

import numpy as np
import pytest
from helpers import TYPICAL, assert_close, integers, normal, reference, relative_error

import pyconv

# Outputs of a tile along each axis, and the class whose typical error is not exceeded.
SIZES = {"winograd_f2k3": (2, "strict"), "winograd_f4k3": (4, "standard"), "winograd_f6k3": (6, "fast")}


def run(name, x, w, b=None, **keywords):
    return pyconv.conv2d(x, w, b, algorithm=name, accuracy="fast", **keywords)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("channels", [12, 16, 64, 512])
def test_error_beside_im2col(name, channels):
    """|y - exact| / |exact| on normal data."""
    side = 26 if channels < 512 else 13
    x, w = normal((1, channels, side, side)), normal((24, channels, 3, 3), seed=1)
    exact = reference(x, w, padding=1)
    own = relative_error(run("im2col", x, w, padding=1), exact)
    assert relative_error(run(name, x, w, padding=1), exact) <= TYPICAL[SIZES[name][1]] * own


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_error_in_float64(name, layout):
    shape = (2, 19, 21, 13) if layout == "NHWC" else (2, 13, 19, 21)
    x, w = normal(shape, "f8"), normal((9, 13, 3, 3), "f8", seed=1)
    y = run(name, x, w, layout=layout, padding=1)
    assert y.dtype == "f8" and relative_error(y, reference(x, w, layout=layout, padding=1)) < 2e-14


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("height", range(1, 16))
def test_f2_is_exact_on_small_integers_at_every_edge(height, layout):
    for width in range(1, 16):
        shape = (2, height, width, 17) if layout == "NHWC" else (2, 17, height, width)
        x, w, b = integers(shape), integers((33, 17, 3, 3), seed=1), integers(33, seed=2)
        exact = reference(x, w, b, layout=layout, padding=((1, 2), (2, 0)), activation="relu")
        residual = integers(exact.shape, seed=3)
        for r in (None, residual):
            keywords = {"layout": layout, "padding": ((1, 2), (2, 0)), "activation": "relu", "residual": r}
            y = run("winograd_f2k3", x, w, b, **keywords)
            np.testing.assert_array_equal(y, reference(x, w, b, **keywords))


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("side", range(1, 20))
def test_every_edge_of_the_larger_tiles(name, side, layout):
    shape = (3, side, side + 4, 18) if layout == "NHWC" else (3, 18, side, side + 4)
    x, w, b = normal(shape), normal((34, 18, 3, 3), seed=1), normal(34, seed=2)
    keywords = {"layout": layout, "padding": 1, "activation": ("clip", -20, 15)}
    exact = reference(x, w, b, **keywords)
    residual = normal(exact.shape, seed=3)
    assert relative_error(run(name, x, w, b, **keywords), exact) < 1e-5
    y = run(name, x, w, b, residual=residual, **keywords)
    assert relative_error(y, reference(x, w, b, residual=residual, **keywords)) < 1e-5


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    "shape, filters, groups",
    [
        ((9, 13, 5, 5), 5, 1),  # several whole images in a block
        ((1, 12, 150, 150), 7, 1),  # rectangles of one image
        ((1, 600, 9, 9), 70, 1),  # channels in more than one block
        ((2, 320, 30, 30), 330, 1),  # weights larger than the cache
        ((2, 36, 14, 14), 18, 3),
        ((1, 480, 14, 14), 80, 40),
    ],
    ids=lambda v: "x".join(map(str, v)) if isinstance(v, tuple) else None,
)
def test_blocks(name, shape, filters, groups, layout):
    """And each output is summed in the same order whatever the number of threads."""
    x, w = integers(shape), integers((filters, shape[1] // groups, 3, 3), seed=1)
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    exact = reference(x, w, groups=groups, padding=1, layout=layout)
    results = [run(name, x, w, groups=groups, padding=1, layout=layout, threads=t) for t in (1, 2, 3)]
    assert relative_error(results[0], exact) < 1e-5
    for y in results[1:]:
        np.testing.assert_array_equal(y, results[0])


@pytest.mark.parametrize("name", SIZES)
def test_multiplications_of_whole_tiles(name):
    """16x16, 128 filters: 14x14 outputs; F(4, 3) takes 73,728 a channel."""
    m, channels = SIZES[name][0], 12
    weight = normal((128, channels, 3, 3))
    plan = pyconv.plan((1, channels, 16, 16), weight, algorithm=name, accuracy="fast")
    across = -(-14 // m)
    assert plan.multiplications == across**2 * (m + 2) ** 2 * 128 * channels
    if m == 4:
        assert plan.multiplications == 73_728 * channels


@pytest.mark.parametrize("name", SIZES)
def test_workspace_does_not_grow_with_the_image(name):
    weight = normal((64, 64, 3, 3))
    small, large = (
        pyconv.plan((1, 64, n, n), weight, algorithm=name, accuracy="fast", threads=1).workspace_bytes
        for n in (200, 2000)
    )
    assert large < 1.5 * small


@pytest.mark.parametrize("name", SIZES)
def test_a_nan_stays_in_its_tiles(name):
    m = SIZES[name][0]
    x, w = normal((2, 13, 25, 26)), normal((4, 13, 3, 3), seed=1)
    x[1, 2, 11, 13] = np.nan
    y = run(name, x, w)
    reached = np.zeros_like(y, bool)
    for row in range((11 - 2) // m * m, 11 + 1, m):
        for col in range((13 - 2) // m * m, 13 + 1, m):
            reached[1, :, row : row + m, col : col + m] = True
    assert np.isnan(y[1, :, 9:12, 11:14]).all()
    assert np.isfinite(y[~reached]).all()


@pytest.mark.parametrize("channels, groups", [(2, 1), (3, 1), (6, 2)])
def test_rows_of_few_channels(channels, groups):
    """NCHW: two outputs of a row in 4 products for each kernel row; every edge, exact on small integers."""
    w, b = integers((16 * groups, channels // groups, 3, 3), seed=1), integers(16 * groups, seed=2)
    for height, width in [(1, 1), (2, 3), (3, 16), (5, 31), (4, 33), (40, 65), (9, 1100)]:
        x = integers((2, channels, height, width))
        keywords = {"groups": groups, "padding": ((1, 2), (1, 3)), "activation": ("clip", -9, 11)}
        residual = integers(reference(x, w, b, **keywords).shape, seed=3)
        for keywords["residual"] in (None, residual):
            exact = reference(x, w, b, **keywords)
            for threads in (1, 3):
                y = run("winograd_f2k3", x, w, b, threads=threads, **keywords)
                np.testing.assert_array_equal(y, exact)
    x, v = normal((1, channels, 26, 26)), normal(w.shape, seed=4)
    own, error = (
        relative_error(run(a, x, v, groups=groups), reference(x, v, groups=groups))
        for a in ("im2col", "winograd_f2k3")
    )
    assert error <= TYPICAL["strict"] * own
    plan = pyconv.plan((1, channels, 16, 17), w, groups=groups, algorithm="winograd_f2k3")
    assert plan.multiplications == 14 * 8 * 4 * 3 * (channels // groups) * 16 * groups


def test_a_nan_stays_in_its_pair_of_a_row():
    x, w = normal((1, 3, 25, 26)), normal((4, 3, 3, 3), seed=1)
    x[0, 2, 11, 13] = np.nan
    y = run("winograd_f2k3", x, w)
    reached = np.zeros_like(y, bool)
    reached[:, :, 9:12, 10:14] = True
    assert np.isnan(y[:, :, 9:12, 11:14]).all()
    assert np.isfinite(y[~reached]).all()


# Every form beside 3x3 of stride 1: algorithm, kernel, keywords.
FORMS = {
    "1x3": ("winograd_f4k3", (1, 3), {"padding": (0, 1)}),
    "3x1": ("winograd_f4k3", (3, 1), {"padding": (1, 0)}),
    "3x1, d3": ("winograd_f4k3", (3, 1), {"padding": (3, 0), "dilation": 3}),
    "3x3, d2": ("winograd_f4k3", (3, 3), {"padding": 2, "dilation": 2}),
    "3x3, d2,1": ("winograd_f2k3", (3, 3), {"padding": (2, 1), "dilation": (2, 1)}),
    "3x3, d3": ("winograd_f6k3", (3, 3), {"padding": ((3, 0), (1, 2)), "dilation": 3}),
    "5x5/2": ("winograd_f4k3", (5, 5), {"padding": 2, "stride": 2}),
    "6x5/2": ("winograd_f2k3", (6, 5), {"padding": 2, "stride": 2}),
    "11x11/4": ("winograd_f4k3", (11, 11), {"stride": 4}),
    "5x3/2,1": ("winograd_f6k3", (5, 3), {"padding": 1, "stride": (2, 1)}),
    "2x2": ("winograd_f3k2", (2, 2), {}),
    "2x2, f2": ("winograd_f2k2", (2, 2), {"padding": 1}),
    "3x3/2": ("winograd_f2k2", (3, 3), {"padding": 1, "stride": 2}),
    "3x3/2, f3": ("winograd_f3k2", (3, 3), {"padding": 1, "stride": 2}),
    "3x4/2,3": ("winograd_f2k2", (3, 4), {"padding": (2, 1), "stride": (2, 3)}),
    "4x4/2": ("winograd_f3k2", (4, 4), {"padding": 1, "stride": 2}),
    "2x2, d3": ("winograd_f3k2", (2, 2), {"padding": 2, "dilation": 3}),
    "4x4": ("winograd_f3k4", (4, 4), {"padding": 2}),
    "7x7/2": ("winograd_f3k4", (7, 7), {"padding": 3, "stride": 2}),
    "5x5": ("winograd_f2k5", (5, 5), {"padding": 2}),
    "5x5, d2": ("winograd_f2k5", (5, 5), {"padding": 4, "dilation": 2}),
    "1x5": ("winograd_f2k5", (1, 5), {"padding": (0, 2)}),
    "5x1": ("winograd_f2k5", (5, 1), {"padding": (2, 0)}),
    "1x7": ("winograd_f2k7", (1, 7), {"padding": (0, 3)}),
    "7x1": ("winograd_f2k7", (7, 1), {"padding": (3, 0)}),
}
# The class whose typical error is not exceeded.
BOUNDS = {
    **{name: accuracy for name, (_, accuracy) in SIZES.items()},
    **dict.fromkeys(
        ("winograd_f2k2", "winograd_f3k2", "winograd_f3k4", "winograd_f2k5", "winograd_f2k7"), "standard"
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [16, 64, 512])
def test_error_of_each_form_beside_im2col(form, channels):
    name, kernel, keywords = FORMS[form]
    side = 29 if channels < 512 else 15
    x, w = normal((1, channels, side, side)), normal((24, channels, *kernel), seed=1)
    exact = reference(x, w, **keywords)
    own = relative_error(run("im2col", x, w, **keywords), exact)
    assert relative_error(run(name, x, w, **keywords), exact) <= TYPICAL[BOUNDS[name]] * own


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype, bound", [("f4", 2e-5), ("f8", 4e-14)])
def test_each_form_at_every_edge(form, layout, dtype, bound):
    """Small images, channels and filters that fill vectors in part, whole images in a block."""
    name, kernel, keywords = FORMS[form]
    w, b = normal((35, 19, *kernel), dtype, seed=1), normal(35, dtype, seed=2)
    for side in range(11, 24):
        shape = (2, side, 35 - side, 19) if layout == "NHWC" else (2, 19, side, 35 - side)
        x = normal(shape, dtype, seed=3)
        exact = reference(x, w, b, layout=layout, **keywords)
        residual = normal(exact.shape, dtype, seed=4)
        exact = np.clip(exact + residual, -20, 15)
        y = run(
            name,
            x,
            w,
            b,
            residual=residual,
            layout=layout,
            activation=("clip", -20, 15),
            threads=2,
            **keywords,
        )
        assert relative_error(y, exact) < bound


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("shape, filters, groups", [((1, 18, 90, 101), 40, 1), ((2, 150, 26, 31), 66, 2)])
def test_blocks_of_each_form(form, shape, filters, groups, layout):
    """Rectangles of an image, bands of a part of the channels; the same sums for any number of threads."""
    name, kernel, keywords = FORMS[form]
    x, w = normal(shape), normal((filters, shape[1] // groups, *kernel), seed=1)
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    keywords = {"groups": groups, "layout": layout, **keywords}
    results = [run(name, x, w, threads=t, **keywords) for t in (1, 2, 3)]
    assert relative_error(results[0], reference(x, w, **keywords)) < 1e-5
    for y in results[1:]:
        np.testing.assert_array_equal(y, results[0])


@pytest.mark.parametrize(
    "name, side, kernel, keywords, per_channel",
    [
        ("winograd_f4k3", 55, (1, 3), {"padding": (0, 1)}, 55 * 14 * 6),
        ("winograd_f2k7", 17, (7, 1), {"padding": (3, 0)}, 17 * 9 * 8),
        ("winograd_f2k5", 14, (5, 5), {"padding": 2}, 7 * 7 * 36),
        ("winograd_f4k3", 16, (3, 3), {"padding": 2, "dilation": 2}, 4 * 2 * 2 * 36),
        ("winograd_f3k4", 48, (7, 7), {"padding": 3, "stride": 2}, 8 * 8 * 11 * 11),
        ("winograd_f3k2", 25, (2, 2), {}, 8 * 8 * 16),
        ("winograd_f3k2", 48, (3, 3), {"padding": 1, "stride": 2}, 8 * 8 * 7 * 7),
        ("winograd_f2k2", 48, (3, 3), {"padding": 1, "stride": 2}, 12 * 12 * 5 * 5),
        ("winograd_f2k2", 25, (2, 2), {}, 12 * 12 * 9),
        ("winograd_f3k2", 50, (4, 4), {"stride": 2}, 8 * 8 * 4 * 16),
        ("winograd_f4k3", 32, (5, 5), {"padding": 2, "stride": 2}, 4 * 4 * 11 * 11),
    ],
)
def test_multiplications_of_each_form(name, side, kernel, keywords, per_channel):
    """Phases of a strided kernel that lack the last tap have no product at the point of infinity."""
    weight = normal((8, 32, *kernel))
    plan = pyconv.plan((1, 32, side, side), weight, algorithm=name, **keywords)
    assert plan.multiplications == per_channel * 32 * 8


def test_a_nan_stays_in_its_tiles_of_a_dilated_image():
    x, w = normal((1, 5, 24, 24)), normal((4, 5, 3, 3), seed=1)
    x[0, 2, 11, 13] = np.nan
    y = run("winograd_f2k3", x, w, padding=2, dilation=2)
    same = np.zeros_like(y, bool)
    same[:, :, 1::2, 1::2] = True
    assert np.isnan(y[0, :, 9:14:2, 11:16:2]).all()
    assert np.isfinite(y[~same]).all()


@pytest.mark.parametrize("name", SIZES)
def test_refused_when_every_output_must_keep_to_its_window(name):
    with pytest.raises(pyconv.UnsupportedError):
        pyconv.plan((1, 8, 16, 16), normal((8, 8, 3, 3)), algorithm=name, accuracy="strict")


EVERY_FORM = {**FORMS, **{name: (name, (3, 3), {}) for name in SIZES}}


@pytest.mark.parametrize("form", EVERY_FORM)
@pytest.mark.parametrize("data", ["normal", "relu", "smoothing"])
@pytest.mark.parametrize("channels", [1, 2, 5, 13])
def test_error_of_short_sums(form, data, channels):
    """Batches of small images: as after a ReLU under any filters, or any images under positive ones."""
    name, kernel, keywords = EVERY_FORM[form]
    side = max(kernel) + 9
    x, w = normal((8, channels, side, side)), normal((16, channels, *kernel), seed=1)
    x, w = (np.maximum(x, 0) if data == "relu" else x), (abs(w) if data == "smoothing" else w)
    units = 16 if name == "winograd_f6k3" else 6
    assert_close(run(name, x, w, **keywords), x, w, units=units, label=form, **keywords)


@pytest.mark.parametrize(
    "kernel, keywords, reason",
    [
        ((5, 5), {}, "3x3"),
        ((3, 3), {"stride": 2}, "stride"),
        ((5, 5), {"stride": 2, "dilation": 2}, "dilation"),
        ((3, 5), {}, "3x3"),
        ((51, 51), {"stride": 17, "padding": 25}, "stride"),
    ],
)
def test_refused_with_a_reason(kernel, keywords, reason):
    for name in SIZES:
        with pytest.raises(pyconv.UnsupportedError, match=reason):
            pyconv.plan(
                (1, 16, 16, 16), normal((8, 16, *kernel)), algorithm=name, accuracy="fast", **keywords
            )
