# SPDX-License-Identifier: BSD-3-Clause
"""The fft algorithm: tiles and their borders, what it holds, how far it may be off, how far a NaN reaches."""

import numpy as np
import pytest
import scipy.signal
from helpers import Guarded, normal, reference, relative_error, run_python

import pyconv


def fft(x, w, b=None, **keywords):
    return pyconv.conv2d(x, w, b, algorithm="fft", **keywords)


@pytest.mark.parametrize("size", [15, 16, 17, 40, 53, 54, 55, 107, 108, 109, 163])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_tiles_meet_at_their_borders(size, layout):
    """One tile, exactly full tiles, one output more, an odd number of tiles: each output against float64."""
    x, w, b = normal((2, 1, size, size + 3)), normal((2, 1, 11, 11), seed=1), normal(2, seed=2)
    exact = reference(x, w, b, padding=5, activation="relu")
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        exact = exact.transpose(0, 2, 3, 1)
    y = fft(x, w, b, padding=5, activation="relu", layout=layout)
    np.testing.assert_allclose(y, exact, atol=3e-5)


@pytest.mark.parametrize("case", [
    ((1, 1, 9, 600), (1, 1, 3, 31), {}),
    ((1, 2, 530, 20), (3, 2, 400, 2), {}),
    ((1, 1, 40, 41), (1, 1, 512, 1), {"padding": (511, 0)}),
    ((1, 3, 50, 60), (9, 3, 5, 7), {"dilation": (4, 6), "padding": ((0, 9), (3, 1))}),
    ((3, 8, 30, 31), (20, 4, 9, 9), {"groups": 2, "padding": "full"}),
    ((1, 6, 20, 20), (12, 1, 13, 13), {"groups": 6, "padding": 6, "padding_mode": "reflect"}),
])  # fmt: skip
@pytest.mark.parametrize("dtype, bound", [("float32", 1e-6), ("float64", 2e-15)])
@pytest.mark.parametrize("threads", [1, 3])
def test_shapes_of_every_kind(case, dtype, bound, threads):
    x_shape, w_shape, keywords = case
    x, w = normal(x_shape, dtype), normal(w_shape, dtype, 1)
    y = fft(x, w, threads=threads, **keywords)
    assert y.dtype == dtype
    assert relative_error(y, reference(x, w, **keywords)) < bound


def test_a_filter_of_one_tap_shifts():
    x, w = normal((1, 1, 64, 64)), np.zeros((1, 1, 21, 21), "f4")
    w[0, 0, 3, 17] = 1
    np.testing.assert_allclose(fft(x, w)[0, 0], x[0, 0, 3:47, 17:61], atol=2e-6)


def judge(x, w, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """The convolution of NCHW arrays by SciPy's transforms in float64: the reference takes long for these."""
    x, w = x.astype("f8"), w.astype("f8")
    reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    spread = np.zeros((*w.shape[:2], *reach))
    spread[:, :, :: dilation[0], :: dilation[1]] = w
    spread = spread[:, :, ::-1, ::-1]
    icg, ocg = w.shape[1], w.shape[0] // groups
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    rows, columns = (slice(r - 1, n, s) for r, n, s in zip(reach, x.shape[2:], stride, strict=True))
    y = [
        sum(scipy.signal.fftconvolve(image[o // ocg * icg + c], spread[o, c]) for c in range(icg))[
            rows, columns
        ]
        for image in x
        for o in range(len(w))
    ]
    return np.reshape(y, (len(x), len(w), *y[0].shape))


def assert_within_bound(y, want, x, w):
    """Every output is within 4 + log2(points of a transform) roundings of |x| |w|, norms of image and filter.

    A proof gives 18 times the logarithm (fft_bound in algorithms/fft.pxd), random data a tenth of that.
    """
    images = np.linalg.norm(x.reshape(len(x), -1).astype("f8"), axis=1).max()
    filters = np.linalg.norm(w.reshape(len(w), -1).astype("f8"), axis=1).max()
    points = np.log2(2 * (x[0].size // x.shape[1] + w[0, 0].size))
    eps = np.finfo(y.dtype).eps / 2
    error = np.abs(y.astype("f8") - want).max()
    assert error <= eps * (4 + points) * images * filters, error / (eps * images * filters)


# Lengths of a signal and of its kernel around every switch of scheme: one transform of 512 samples and one
# more than fits, tiles, a shared tile of many, primes, a kernel as long as the signal or over half of it.
LENGTHS = [
    (100, 65), (447, 66), (448, 66), (512, 512), (513, 512), (997, 101), (5000, 257), (7919, 7919),
    (30000, 65), (50021, 4001), (131072, 65536), (200000, 513), (300007, 150001),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length, taps", LENGTHS)
@pytest.mark.parametrize("column", [False, True], ids=["row", "column"])
def test_lines(length, taps, column, dtype):
    """A row or a column of samples, all paddings, kept whole or every third, by one thread and by two."""
    x, w = normal((1, 1, 1, length), dtype), normal((1, 1, 1, taps), dtype, 1)
    for padding, stride, threads in [(0, 1, 1), (taps // 2, 1, 2), (taps - 1, 3, 1), (taps // 3, 5, 2)]:
        want = judge(x, w, padding=(0, padding), stride=(1, stride))
        if column:
            y = fft(x.mT, w.mT, padding=(padding, 0), stride=(stride, 1), threads=threads).mT
        else:
            y = fft(x, w, padding=(0, padding), stride=(1, stride), threads=threads)
        assert y.shape == want.shape
        assert_within_bound(y, want, x, w)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [
    ((1, 1, 400, 400), (1, 1, 256, 255), {"padding": (0, 0)}),
    ((1, 1, 800, 800), (1, 1, 512, 512), {"padding": (256, 255)}),
    ((1, 1, 311, 523), (1, 1, 311, 523), {"padding": (310, 522)}),
    ((1, 1, 1200, 40), (1, 1, 700, 3), {"padding": (0, 1)}),
    ((1, 1, 40, 1200), (1, 1, 3, 700), {"padding": (1, 699)}),
    ((2, 3, 7, 3000), (2, 3, 1, 700), {"padding": (0, 350)}),
    ((2, 4, 200, 300), (10, 2, 33, 65), {"groups": 2, "padding": (16, 0)}),
    ((1, 2, 500, 600), (9, 2, 300, 2), {"padding": (7, 1), "stride": (2, 1)}),
    ((1, 3, 1, 9000), (3, 1, 1, 90), {"groups": 3, "dilation": (1, 41), "padding": (0, 90)}),
    ((1, 1, 90, 6000), (1, 1, 2, 130), {"dilation": (70, 43), "stride": (3, 2)}),
    ((3, 2, 1, 20000), (17, 2, 1, 300), {"stride": (1, 4), "padding": (0, 3)}),
    ((1, 2, 6, 4000), (2, 2, 1, 333), {"stride": (4, 3), "padding": (1, 20)}),
])  # fmt: skip
def test_long_kernels(case, dtype, layout):
    x_shape, w_shape, keywords = case
    x, w, b = normal(x_shape, dtype), normal(w_shape, dtype, 1), normal(w_shape[0], dtype, 2)
    want = np.maximum(judge(x, w, **keywords) + b[:, None, None].astype("f8"), 0)
    image = x if layout == "NCHW" else np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for threads in (1, 2, 3):
        plan = pyconv.plan(
            image.shape, w, b, activation="relu", layout=layout, threads=threads, algorithm="fft", **keywords
        )
        workspace, out = (
            Guarded(plan.workspace_bytes, np.uint8, 0xFF),
            Guarded(plan.output_shape, dtype, 0xFF),
        )
        plan(image, out=out.array, workspace=workspace.array)
        y = out.array if layout == "NCHW" else out.array.transpose(0, 3, 1, 2)
        assert_within_bound(y, want, x, w)
        assert out.intact() and workspace.intact()


LEVELS = """
import numpy as np, scipy.signal, pyconv
r = np.random.default_rng(0)
for dtype, bound in (("f4", 6e-7), ("f8", 1.2e-15)):
    for x_shape, w_shape in (
        ((1, 70000), (1, 999)), ((1, 70000), (1, 40001)), ((300, 280), (129, 140)), ((60, 60), (9, 70))
    ):
        x, w = r.standard_normal(x_shape).astype(dtype), r.standard_normal(w_shape).astype(dtype)
        padding = tuple(k - 1 for k in w_shape)
        want = scipy.signal.fftconvolve(x.astype("f8"), w[::-1, ::-1].astype("f8"))
        for threads in (1, 2):
            keywords = dict(padding=padding, threads=threads, algorithm="fft")
            y = pyconv.conv2d(x[None, None], w[None, None], **keywords)[0, 0]
            assert np.linalg.norm(y - want) < bound * np.linalg.norm(want), (dtype, x_shape, w_shape)
print("fine")
"""


@pytest.mark.parametrize("isa", ["scalar", "avx2", "avx512"])
def test_long_kernels_by_every_instruction_set(isa):
    """Those this machine lacks fall back to the next."""
    assert "fine" in run_python(LEVELS, PYCONV_ISA=isa)


def test_residual_and_activation_reach_strided_outputs():
    x, w, r = normal((1, 1, 1, 5000)), normal((2, 1, 1, 200), seed=1), normal((1, 2, 1, 1601), seed=2)
    want = np.clip(judge(x, w, stride=(1, 3)) + r, -1, 2)
    y = fft(x, w, stride=(1, 3), residual=r, activation=("clip", -1, 2))
    np.testing.assert_allclose(y, want, atol=3e-5)


@pytest.mark.parametrize("x_shape, w_shape, padding", [
    ((1, 1, 1, 480_000), (1, 1, 1, 96_000), 0),
    ((1, 1, 1, 1_000_000), (1, 1, 1, 257), (0, 128)),
    ((1, 1, 800, 800), (1, 1, 512, 512), 0),
    ((1, 1, 800, 800), (1, 1, 511, 511), 255),
])  # fmt: skip
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("threads", [1, 2])
def test_auto_takes_it_for_long_kernels(x_shape, w_shape, padding, layout, threads):
    if layout == "NHWC":
        x_shape = (x_shape[0], *x_shape[2:], x_shape[1])
    plan = pyconv.plan(x_shape, np.zeros(w_shape, "f4"), padding=padding, layout=layout, threads=threads)
    assert plan.algorithm == "fft"


def test_a_short_budget_keeps_it_away():
    w = np.ones((1, 1, 1, 5000), "f4")
    plan = pyconv.plan((1, 1, 1, 200_000), w)
    assert plan.algorithm == "fft"
    need = plan.workspace_bytes + plan.packed_bytes
    assert pyconv.plan((1, 1, 1, 200_000), w, max_workspace=need).algorithm == "fft"
    assert pyconv.plan((1, 1, 1, 200_000), w, max_workspace=need - 1).algorithm != "fft"


def test_what_a_shared_tile_holds():
    """800x800 samples and 512x512 taps, valid: one tile of 2*fh x fw pixels that both threads work on."""
    plan = pyconv.plan((1, 1, 800, 800), normal((1, 1, 512, 512)), algorithm="fft", threads=2)
    fh, fw = 400, 800
    tile, passes, strip = 2 * fh * (fw + 16), 6 * fw * 16, 2 * fh * (64 + 16)
    assert plan.workspace_bytes == 4 * (2 * tile + 2 * (passes + strip))
    assert plan.packed_bytes == 4 * (2 * fh * fw + 2 * (3 * fh + fw) + tile + passes)


def test_what_it_holds():
    """A 31x31 kernel on 56x56 pixels: one tile of 2*48x80, which wraps around onto padding."""
    plan = pyconv.plan(
        (1, 4, 56, 56), normal((4, 1, 31, 31)), padding=15, groups=4, algorithm="fft", threads=1
    )
    spectrum = 2 * 48 * 80
    scratch = 2 * 48 * (80 + 16) + 6 * 80 * 16
    assert plan.workspace_bytes == 4 * (scratch + 2 * spectrum)
    assert plan.packed_bytes == 4 * (4 * spectrum + 2 * (3 * 48 + 80) + scratch)
    # 48 are 4, 4, 3: 11 butterflies of the first pass, 8 of the second have 3 roots; 16 have four products
    points_48 = 11 * 3 * 4 + 8 * 3 * 4 + 16 * 4
    # 80 are 4, 4, 5: 19 and 16 have 3 roots, 16 have twelve products
    points_80 = 19 * 3 * 4 + 16 * 3 * 4 + 16 * 12
    assert plan.multiplications == 4 * 4 * 48 * 80 + 8 * (80 * points_48 + 48 * points_80 + 4 * 48 * 80)


@pytest.mark.parametrize("keywords, reason", [
    ({"dilation": (1, 820)}, "more than 16384 rows or 8192"),
    ({"dilation": (1640, 1)}, "more than 16384 rows or 8192"),
])  # fmt: skip
def test_it_says_why_not(keywords, reason):
    with pytest.raises(pyconv.UnsupportedError, match=reason):
        pyconv.plan((1, 1, 16500, 8300), normal((1, 1, 11, 11)), algorithm="fft", **keywords)


def test_huge_sizes_have_huge_needs():
    """No product of sizes wraps around, and nothing is divided by what has become zero."""
    for x_shape, w_shape, keywords in [
        ((1 << 40, 1, 1, 12), (1, 1, 1, 3), {}),
        ((1, 1, 1, (1 << 40) - 1), (1, 1, 1, 1 << 27), {"padding": (0, 1 << 26)}),
        ((1, 1, 1 << 20, 1 << 20), (1, 1, 8000, 8000), {}),
        ((1, 1, 1, 1 << 39), (1, 1, 1, 2), {"dilation": (1, 1 << 38)}),
        (
            (1, 1 << 20, 1 << 14, 1),
            (1 << 4, 1 << 20, 1, 1),
            {"padding": (1 << 14, 0), "stride": (1 << 13, 1)},
        ),
    ]:
        row = next(r for r in pyconv.explain(x_shape, w_shape, **keywords).rows if r["algorithm"] == "fft")
        if "dilation" in keywords:
            assert "16384 rows" in row["reason"]
        elif "stride" in keywords:
            assert "bound of its error" in row["reason"]  # a million channels are one chain
        else:
            assert row["workspace_bytes"] > 0 and row["packed_bytes"] > 0 and row["predicted_seconds"] > 0


def test_a_nan_stays_in_its_image_and_its_group():
    x, w = normal((3, 4, 90, 90)), normal((4, 2, 9, 9), seed=1)
    x[1, 0, 40, 40] = np.nan
    y = fft(x, w, groups=2)
    assert np.isnan(y[1, :2, 32:41, 32:41]).all()
    assert np.isfinite(y[[0, 2]]).all() and np.isfinite(y[1, 2:]).all()


def test_strict_never_takes_it():
    x_shape, w = (1, 1, 256, 256), normal((1, 1, 31, 31))
    assert pyconv.plan(x_shape, w, padding=15).algorithm == "fft"
    assert pyconv.plan(x_shape, w, padding=15, accuracy="strict").algorithm != "fft"
