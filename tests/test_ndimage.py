# SPDX-License-Identifier: BSD-3-Clause
"""`pyconv.ndimage` beside `scipy.ndimage`: the same results, types, outputs and errors."""

import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest
import scipy
import scipy.ndimage
from helpers import ULP, normal, rng
from hypothesis import given
from hypothesis import strategies as st

import pyconv
from pyconv import ndimage
from pyconv._filters import bands, doubt, numbers, passes, whole

MODES = ["reflect", "mirror", "nearest", "wrap", "constant", "grid-mirror", "grid-wrap", "grid-constant"]
INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FLOATS = ["float32", "float64"]

# A call of each function: positional arguments, keywords.
CALLS = {
    "correlate1d": (([1.0, -2.0, 3.0, 0.5],), {"axis": 0}),
    "convolve1d": (([1.0, -2.0, 3.0, 0.5],), {"axis": 0}),
    "correlate": (([[1.0, -2.0, 0.0], [0.25, 3.0, 1.0]],), {}),
    "convolve": (([[1.0, -2.0, 0.0], [0.25, 3.0, 1.0]],), {}),
    "gaussian_filter1d": ((1.5,), {"order": 1}),
    "gaussian_filter": ((1.5,), {}),
    "uniform_filter1d": ((4,), {"axis": 0}),
    "uniform_filter": ((5,), {}),
    "prewitt": ((), {"axis": 0}),
    "sobel": ((), {}),
    "laplace": ((), {}),
    "gaussian_laplace": ((1.5,), {}),
    "gaussian_gradient_magnitude": ((1.5,), {}),
}
EXACT = ("correlate1d", "correlate", "uniform_filter1d", "uniform_filter", "prewitt", "sobel", "laplace")


takes_axes = pytest.mark.skipif(
    any(
        "axes" not in inspect.signature(getattr(scipy.ndimage, name)).parameters
        for name in ("correlate", "laplace", "gaussian_laplace")
    ),
    reason="this SciPy's functions don't take axes",
)


@pytest.fixture(autouse=True)
def small_arrays(monkeypatch):
    """Arrays of any size are filtered here, in bands of a few rows."""
    monkeypatch.setattr(passes, "SMALL", 0)
    monkeypatch.setattr(bands, "BAND", 2000)


def numbers_of(dtype, shape, seed=0):
    """Numbers of the whole range of 8 and 16 bits, else up to 1000; floats are normal."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return normal(shape, dtype, seed)
    if dtype.kind == "b":
        return rng(seed).random(shape) < 0.5
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    low, high = (low, high) if dtype.itemsize <= 2 else (max(low, -1000), 1000)
    return rng(seed).integers(low, high, shape, dtype=dtype, endpoint=True)


def both(name, x, *arguments, **keywords):
    """The result of pyconv's function and that of SciPy's."""
    return tuple(getattr(place, name)(x, *arguments, **keywords) for place in (ndimage, scipy.ndimage))


def assert_equal(y, theirs, size=1.0, units=60):
    """Of integers, equal; of floats, within so many roundings of numbers of `size`."""
    assert type(y) is type(theirs)
    assert y.dtype == theirs.dtype and y.shape == theirs.shape
    if y.dtype.kind == "f":
        np.testing.assert_allclose(y, theirs, rtol=0, atol=units * ULP[y.dtype.name] * size)
    else:
        np.testing.assert_array_equal(y, theirs)


def test_every_call_is_listed():
    assert sorted(CALLS) == sorted(ndimage.__all__)


@pytest.mark.parametrize("name", ndimage.__all__)
def test_signature_is_scipys(name):
    ours = inspect.signature(getattr(ndimage, name)).parameters
    theirs = inspect.signature(getattr(scipy.ndimage, name)).parameters
    if tuple(map(int, scipy.__version__.split(".")[:2])) >= (1, 16):
        assert list(ours.values()) == list(theirs.values())
    else:  # those of newer versions may have come
        common = [p for p in ours.values() if p.name in theirs]
        assert common == list(theirs.values())
        assert all(p.kind is p.KEYWORD_ONLY for p in ours.values() if p.name not in theirs)


def test_other_names_are_scipys():
    assert ndimage.median_filter is scipy.ndimage.median_filter
    assert "median_filter" in dir(ndimage) and "sobel" in dir(ndimage)
    with pytest.raises(AttributeError, match="no_such"):
        _ = ndimage.no_such
    with pytest.raises(AttributeError, match="no_such"):
        _ = pyconv.no_such


def test_imported_when_used(tmp_path):
    """`import pyconv` alone takes no time for SciPy's modules."""
    program = (
        "import sys, pyconv\n"
        "assert not {'scipy.ndimage', 'scipy.signal', 'pyconv.ndimage'} & set(sys.modules)\n"
        "assert pyconv.ndimage.sobel and pyconv.signal.convolve2d and 'scipy.ndimage' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ndimage.__all__)
@pytest.mark.parametrize("dtype", FLOATS)
def test_floats(name, dtype, mode, served):
    x = normal((23, 17), dtype)
    arguments, keywords = CALLS[name]
    y, theirs = both(name, x, *arguments, mode=mode, cval=1.5, **keywords)
    assert served and all(served)
    assert_equal(y, theirs, 8 * np.abs(x).max())


@pytest.mark.parametrize("output", INTEGERS)
@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@pytest.mark.parametrize("name", EXACT)
def test_integers_are_equal(name, dtype, output, served):
    x = numbers_of(dtype, (11, 14))
    arguments, keywords = CALLS[name]
    if name == "correlate1d":
        arguments = ([1.0, -2.0, 3.0, 5.0],)
    for mode in ("reflect", "grid-wrap", "constant"):
        assert_equal(*both(name, x, *arguments, mode=mode, cval=-3, output=output, **keywords))
    wide = np.dtype(dtype).itemsize > 2 and np.dtype(output).itemsize < 4
    if not wide and output not in (
        "int32",
        "uint64",
    ):  # not wrapped; too large for the next axis
        assert served and all(served)


@pytest.mark.parametrize("output", [*INTEGERS, *FLOATS])
@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS, "bool"])
def test_output_types(dtype, output):
    x = numbers_of(dtype, (9, 12))
    size = 4 * float(np.abs(x.astype(float)).max())
    for name in ("correlate", "gaussian_filter", "sobel"):
        arguments, keywords = CALLS[name]
        for form in (output, np.dtype(output), np.dtype(output).type, np.empty(x.shape, output)):
            y, theirs = both(name, x, *arguments, output=form, **keywords)
            assert_equal(y, theirs, size)
            assert y is form or not isinstance(form, np.ndarray)


@pytest.mark.parametrize("name", ndimage.__all__)
def test_default_output_type(name):
    for dtype in (*INTEGERS, *FLOATS):
        x = numbers_of(dtype, (8, 9))
        assert_equal(
            *both(name, x, *CALLS[name][0], **CALLS[name][1]), 4 * float(np.abs(x.astype(float)).max())
        )
    assert getattr(ndimage, name)([[1, 2], [3, 4]], *CALLS[name][0], **CALLS[name][1]).dtype == np.int64


def absolute(x, kernels, mode="reflect"):
    """The filter of absolute values along the axes, exactly."""
    for axis, kernel in enumerate(kernels):
        x = scipy.ndimage.correlate1d(np.abs(np.float64(x)), np.abs(kernel), axis, mode=mode)
    return x


@pytest.mark.parametrize("dtype", ["float32", "uint8", "uint16"])
def test_float32_is_within_its_bound(dtype, served):
    """What the documentation states of float32, kernel by kernel, on numbers whose sums cancel."""
    x = numbers_of(dtype, (60, 70)) * (normal((60, 70)) if dtype == "float32" else 1)
    for seed, (rows, columns) in enumerate([(1, 5), (3, 3), (7, 7), (9, 4), (15, 15), (31, 40)]):
        u, v = normal(rows, "float64", seed), normal(columns, "float64", seed + 9)
        size = absolute(x, (u, v))
        exact = scipy.ndimage.correlate1d(np.float64(x), u, 0)
        exact = scipy.ndimage.correlate1d(exact, v, 1)
        y = ndimage.correlate1d(ndimage.correlate1d(x, u, 0, "float32"), v, 1)
        assert (np.abs(y - exact) <= (rows + columns + 14) * ULP["float32"] * size).all()
        y = ndimage.correlate(x, np.outer(u, v), "float32")  # comes apart
        assert (np.abs(y - exact) <= (rows + columns + 14) * ULP["float32"] * size).all()
        w = normal((rows, columns), "float64", seed)
        y, exact = ndimage.correlate(x, w, "float32"), scipy.ndimage.correlate(x, w, "float64")
        size = scipy.ndimage.correlate(np.abs(np.float64(x)), np.abs(w))
        assert (np.abs(y - exact) <= (rows * columns + 14) * ULP["float32"] * size).all()
    for sigma in (0.7, 2.0, 5.0):
        y, exact = (
            f.gaussian_filter(x, sigma, output=t)
            for f, t in ((ndimage, "float32"), (scipy.ndimage, "float64"))
        )
        taps = 2 * (2 * int(4 * sigma + 0.5) + 1)
        size = scipy.ndimage.gaussian_filter(np.abs(np.float64(x)), sigma)
        assert (np.abs(y - exact) <= (taps + 14) * ULP["float32"] * size).all()
    assert served and all(served)


def test_output_of_doubles_is_of_doubles():
    x = normal((40, 50))
    y, theirs = both("gaussian_filter", x, 2.0, output=np.float64)
    assert np.abs(y - theirs).max() < 1e-15


def test_brightness_stays():
    """The float32 weights of a Gaussian have its sum, and an image keeps its mean."""
    x = rng().random((300, 300), np.float32)
    for sigma in (0.6, 1.0, 2.3, 3.0, 7.7):
        y, theirs = both("gaussian_filter", x, sigma)
        assert abs(y.mean(dtype=float) / theirs.mean(dtype=float) - 1) < 2.0**-25
        impulse = np.zeros(201)
        impulse[100] = 1
        weights = scipy.ndimage.gaussian_filter1d(impulse, sigma)
        weights = weights[weights > 0]
        single = numbers.rounded(weights, np.float32)
        left = abs(single.sum(dtype=float) - weights.sum())
        assert left <= abs(weights.astype(np.float32).sum(dtype=float) - weights.sum())
        assert left < 2.0**-40 or sigma < 2  # few taps leave little choice
        assert (np.abs(single - weights) <= 2.0**-23 * weights).all()
        np.testing.assert_array_equal(single, single[::-1])


@pytest.mark.parametrize(
    "weights", [[0.1, -0.1], [1 / 3], [0.0, 0.0], [1.0, 2.0, 3.0], [[0.1, 0.7], [0.7, -0.1]]]
)
def test_rounded_weights(weights):
    weights = np.array(weights)
    single = numbers.rounded(weights, np.float32)
    assert single.dtype == np.float32 and single.shape == weights.shape
    assert (np.abs(single - weights) <= 2.0**-23 * np.abs(weights)).all()
    nearest = weights.astype(np.float32)
    assert abs(single.sum(dtype=float) - weights.sum()) <= abs(nearest.sum(dtype=float) - weights.sum())


def test_divisions_are_exact():
    """Sums of boxes are divided in float32 and cut, as if they were in float64."""
    for size in (3, 7, 10, 63):
        sums = np.arange(2**24 - 300_000, 2**24, dtype=np.int64)
        single = (sums.astype(np.float32) / np.float32(size)).astype(np.int64)
        np.testing.assert_array_equal(single, sums // size)
    x = numbers_of("uint8", (50, 60))
    for size in range(2, 40):
        assert_equal(*both("uniform_filter", x, size))
        assert_equal(*both("uniform_filter1d", x.view("int8"), size))


def test_origins():
    x = normal((12, 15), "float64")
    for size in range(1, 8):
        w = normal(size, "float64", size)
        for origin in range(-(size // 2), (size - 1) // 2 + 1):
            for name in ("correlate1d", "convolve1d"):
                assert_equal(*both(name, x, w, axis=0, origin=origin))
            assert_equal(*both("uniform_filter1d", x, size, axis=0, origin=origin))
            for name in ("correlate", "convolve"):
                assert_equal(*both(name, x, np.outer(w, w) + 1, origin=origin), 20)
                assert_equal(*both(name, x, np.outer(w, [1, 2, 3]), origin=(origin, -1)), 20)


@takes_axes
def test_axes(served):
    x = normal((5, 6, 7, 3))
    w = normal((3, 4), "float64")
    for axes in itertools.combinations(range(4), 2):
        assert_equal(*both("correlate", x, w, axes=axes), 8)
        assert_equal(*both("convolve", x, w, axes=tuple(axis - 4 for axis in axes)), 8)
        assert_equal(*both("gaussian_filter", x, (1.0, 2.0), axes=axes, mode=("wrap", "reflect")), 8)
        assert_equal(*both("gaussian_filter", x, 1.0, axes=axes[::-1], order=(1, 0)), 8)
        assert_equal(*both("uniform_filter", x, (3, 4), axes=axes, origin=(1, -1)), 8)
        assert_equal(*both("laplace", x, axes=axes), 8)
        assert_equal(*both("gaussian_laplace", x, (1.0, 2.0), axes=axes, truncate=3.0), 8)
        assert_equal(*both("gaussian_gradient_magnitude", x, 1.0, axes=axes), 8)
    for axis in range(-4, 4):
        for name in ("correlate1d", "convolve1d"):
            assert_equal(*both(name, x, w[0], axis), 8)
        for name in ("sobel", "prewitt"):
            assert_equal(*both(name, x, axis, mode=("wrap", "reflect", "nearest", "mirror")), 200)
        assert_equal(*both("gaussian_filter1d", x, 1.0, axis, radius=2, order=2), 8)
    assert_equal(*both("correlate", x[0], normal((3, 1, 1), "float64")))
    assert_equal(*both("correlate", x[0], normal((3, 2, 2), "float64")), 8)
    assert_equal(*both("gaussian_filter", x, (0, 1, 1e-20, 2)), 8)
    assert len(served) == 100 and all(served)


def test_channels_last_are_not_mixed(served):
    x = numbers_of("uint8", (30, 40, 3))
    y = ndimage.correlate(x, np.ones((3, 5)), "int32", axes=(0, 1))
    for channel in range(3):
        np.testing.assert_array_equal(
            y[..., channel], scipy.ndimage.correlate(x[..., channel], np.ones((3, 5)), "int32")
        )
    assert served == [True]


@pytest.mark.parametrize(
    "view", ["reversed", "transposed", "every other", "read-only", "unaligned", "swapped"]
)
def test_views(view, served):
    x = normal((20, 24), "float64")
    x = {
        "reversed": lambda: x[::-1, ::-1],
        "transposed": lambda: x.T,
        "every other": lambda: x[::2, 1::3],
        "read-only": lambda: x.copy(),
        "unaligned": lambda: (
            np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(np.float64).reshape(x.shape)
        ),
        "swapped": lambda: x.astype(x.dtype.newbyteorder()),
    }[view]()
    if view == "read-only":
        x.flags.writeable = False
    before = x.copy()
    for name, (arguments, keywords) in CALLS.items():
        assert_equal(*both(name, x, *arguments, **keywords), 8)
    np.testing.assert_array_equal(x, before)
    assert served and all(served)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int16"])
@pytest.mark.parametrize("name", ndimage.__all__)
def test_in_place(name, dtype):
    """Into the input itself; SciPy's sums of derivatives read what they have written, and so do ours."""
    arguments, keywords = CALLS[name]
    x = numbers_of(dtype, (16, 13))
    ours, theirs = x.copy(), x.copy()
    assert getattr(ndimage, name)(ours, *arguments, output=ours, **keywords) is ours
    getattr(scipy.ndimage, name)(theirs, *arguments, output=theirs, **keywords)
    assert_equal(ours, theirs, 30 * float(np.abs(x.astype(float)).max()))


def test_output_of_any_strides():
    x = normal((10, 12))
    expected = scipy.ndimage.gaussian_filter(x, 1.0)
    frame = np.full((14, 40), 7.0, np.float32)
    for y in (frame[2:12, 3:15], frame[12:2:-1, 3:39:3], np.zeros((12, 10), np.float32).T):
        assert ndimage.gaussian_filter(x, 1.0, output=y) is y
        assert_equal(y, expected, 4)
    assert (frame[0] == 7).all() and (frame[:, :3] == 7).all() and (frame[13] == 7).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ndimage.__all__)
def test_what_is_not_finite_spreads_as_in_scipy(name, value, dtype):
    arguments, keywords = CALLS[name]
    x = normal((30, 33), dtype)
    x[7, 9] = value
    x[20, 30] = np.inf
    with np.errstate(all="ignore"):
        y, theirs = both(name, x, *arguments, **keywords)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(theirs))
    np.testing.assert_array_equal(np.isposinf(y), np.isposinf(theirs))
    assert_equal(np.where(np.isfinite(y), y, 0), np.where(np.isfinite(theirs), theirs, 0), 20)


def test_weights_that_are_not_finite_or_count_as_none():
    x = normal((9, 8), "float64")
    for odd in (np.nan, np.inf, 1e-17, 1e300, 1e-300):
        for dtype in FLOATS:
            with np.errstate(all="ignore"):
                y, theirs = both("correlate", x.astype(dtype), [[1.0, odd, 2.0]])
                np.testing.assert_allclose(y, theirs, rtol=1e-6)
                y, theirs = both("correlate1d", x.astype(dtype), [1.0, odd, 2.0])
                np.testing.assert_allclose(y, theirs, rtol=1e-5)


def test_integers_out_of_reach_are_scipys(served):
    """Where sums may not be exact, or don't wrap, SciPy computes; the results are equal in any case."""
    wide = np.array([[2**62, 3, -5, 2**53 + 1], [1, 2, 3, 4]])
    assert_equal(*both("correlate1d", wide, [1.0, 2.0, 1.0]))
    assert_equal(*both("correlate1d", np.int64([[3e9, -3e9, 5]]), [1.0, 2.0], output="int32"))
    assert_equal(*both("correlate1d", numbers_of("uint8", (5, 6)), [0.1, 0.2], output="uint8"))
    assert_equal(*both("correlate1d", numbers_of("uint8", (5, 6)), [1.0, 2.0], mode="constant", cval=0.5))
    assert_equal(*both("correlate1d", normal((5, 6)), [1.0, 2.0], output="int16"))
    assert served == []
    assert_equal(*both("correlate1d", np.int64([[3e9, -3e9, 5]]), [1.0, 2.0]))
    assert_equal(*both("correlate1d", numbers_of("uint8", (5, 6)), [0.25, 0.5, 0.25]))
    assert served == [True, True]


def picture(dtype, shape=(90, 110)):
    """Noise, clipped highlights and shadows, a flat area, and lines of two alternating values."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return (normal(shape) > 0) | (np.arange(shape[1]) > 70)
    most = np.iinfo(dtype).max
    x = (most * (0.5 + 0.4 * normal(shape, "float64"))).clip(0, most)
    x[20:50, 10:60], x[40:70, 40:100], x[60:80, :30] = most, 0, most // 3
    x[80:, :50] = (most // 2) * (np.arange(50) % 2)
    return x.astype(dtype)


@pytest.fixture
def cuts(monkeypatch):
    """What became of each axis that was cut here: the largest number, or None."""
    ends, cut_sums = [], passes.cut_sums

    def spy(*arguments):
        ends.append(cut_sums(*arguments))
        return ends[-1]

    monkeypatch.setattr(passes, "cut_sums", spy)
    return ends


@pytest.mark.parametrize("wider", [1, 3000], ids=["few in doubt", "many in doubt"])
@pytest.mark.parametrize("output", ["uint8", "int16", "uint16"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "bool"])
def test_gaussians_of_bytes_are_scipys(dtype, output, wider, cuts, monkeypatch):
    """Cut from sums in float32 where that is safe; SciPy's where a sum may be an integer but for rounding."""
    bound = doubt._bound
    monkeypatch.setattr(
        doubt, "_bound", lambda w, most, t: min(0.004, bound(w, most, t) * (wider if t == np.float32 else 1))
    )
    x = picture(dtype)
    x = x if output != "uint8" or dtype != "uint16" else x // 257
    for sigma in (0.4, 1.0, 2.3, 5.0):
        for mode, cval in (("reflect", 0), ("wrap", 0), ("constant", 1), ("nearest", 0), ("mirror", 0)):
            assert_equal(*both("gaussian_filter", x, sigma, output=output, mode=mode, cval=cval))
    colours = np.stack([x, x[::-1], x[:, ::-1]], -1)
    assert_equal(*both("gaussian_filter", colours, (1.0, 1.0, 0), output=output))
    assert_equal(*both("correlate1d", x, [0.1, 0.3, 0.2, 0.1], 0, output, origin=1))
    fits = dtype == "bool" or np.iinfo(output).max >= np.iinfo(dtype).max
    served = [end is not None for end in cuts]
    assert (all(served) if wider == 1 else any(served)) if fits else not any(served)


def test_sums_that_are_near_integers_are_scipys(cuts):
    """Of ramps all sums are; weights that aren't quite symmetric are taken as symmetric by SciPy."""
    ramp = np.add.outer(np.arange(60), np.arange(80)).astype("uint8")
    assert_equal(*both("gaussian_filter", ramp, 1.5))
    assert None in cuts
    weights = np.array([0.3, 0.4, 0.3 + 2.0**-53])
    assert_equal(*both("correlate1d", picture("uint8"), weights))
    assert_equal(*both("correlate1d", picture("uint8"), [1 / 3] * 3))
    assert_equal(*both("correlate1d", picture("uint8"), [1 / 3] * 3, output="int8"))
    assert_equal(*both("correlate1d", picture("uint8"), [-0.1, 1.2, -0.1]))


def test_flat_windows_are_found():
    line = rng().integers(0, 2, (3, 40, 1, 2)).astype("uint8")
    for taps in range(1, 12):
        windows = np.lib.stride_tricks.sliding_window_view(line, taps, 1)
        np.testing.assert_array_equal(doubt._flat(line, taps), windows.min(-1) == windows.max(-1))


def test_rounding_with_a_bias_cuts():
    """Of sums in multiples of any unit, and divided by any size."""
    for unit, divisor in ((1 / 4096, 1), (0.5, 1), (1, 3), (1, 31), (0.25, 7)):
        weights, bias, dtype = whole.cut(np.array([unit, 3 * unit]), divisor, unit, np.dtype("u1"), 0, 255)
        sums = np.arange(1021, dtype=dtype) * dtype.type(unit) / dtype.type(divisor)
        cut = np.rint(sums + dtype.type(bias))
        np.testing.assert_array_equal(cut.clip(0), np.arange(1021) * unit // divisor)
        np.testing.assert_allclose(weights, np.array([unit, 3 * unit]) / divisor)
    negative = np.array([1.5, -0.5])
    assert whole.cut(negative, 1, 0.5, np.dtype("i2"), 0, 255) is None  # -0.5 is cut to 0
    assert whole.cut(negative, 1, 0.5, np.dtype("u1"), 0, 255) is not None


@pytest.mark.parametrize("inner", [1, 3, 8, 9])
def test_one_plan_serves_one_pass(inner, monkeypatch):
    """Types and borders are the plan's, but for several borders, values x can't hold and wide pixels."""
    made, plan = [], whole.plan
    monkeypatch.setattr(whole, "plan", lambda *a, **k: made.append(k) or plan(*a, **k))
    x = numbers_of("uint8", (20, 30, inner))
    w = normal((3, 5), "float64")
    for mode in MODES:
        y, theirs = both("correlate1d", x, w[0], 1, output="float32", mode=mode, cval=7)
        assert_equal(y, theirs, 3000)
    assert len(made) == len(MODES) and {k["dtype"] for k in made} == {x.dtype}
    assert all(k["out_dtype"] == np.float32 and k["accuracy"] == "strict" for k in made)
    assert_equal(*both("correlate1d", x, w[0], 1, output="float32", mode="constant", cval=-7), 3000)
    assert_equal(*both("correlate1d", x, w[0], 1, output="float32", mode="constant", cval=0.5), 3000)
    assert len(made) == len(MODES)
    assert_equal(*both("correlate1d", x, [1.0, 2.0, -1.0], 0, output="int16"))
    assert_equal(*both("uniform_filter1d", x, 5, 0))
    assert made[-1]["out_dtype"] == x.dtype and len(made) == len(MODES) + 2


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@given(
    shape=SIZES,
    size=st.integers(1, 12),
    mode=st.sampled_from(MODES),
    dtype=st.sampled_from([*INTEGERS, *FLOATS]),
    axis=st.integers(0, 3),
    band=st.sampled_from([1, 300, 1 << 19]),
    seed=st.integers(0, 9),
)
def test_any_shape_along_one_axis(shape, size, mode, dtype, axis, band, seed):
    """Kernels longer than the array, too."""
    x, axis = numbers_of(dtype, shape, seed), axis % len(shape)
    w = rng(seed).integers(-3, 4, size).astype(float)
    scale = float(np.abs(x.astype(float)).max()) * max(np.abs(w).sum(), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "SMALL", 0)
        patch.setattr(bands, "BAND", band)
        assert_equal(*both("correlate1d", x, w, axis, mode=mode, cval=2), scale)
        assert_equal(*both("uniform_filter1d", x, size, axis, mode=mode, cval=2), scale)


@takes_axes
@given(
    shape=SIZES,
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    mode=st.sampled_from(MODES),
    dtype=st.sampled_from([*INTEGERS, *FLOATS]),
    cval=st.sampled_from([0, 3]),
    band=st.sampled_from([1, 300, 1 << 19]),
    seed=st.integers(0, 9),
)
def test_any_shape_along_two_axes(shape, kernel, mode, dtype, cval, band, seed):
    shape = shape if len(shape) > 1 else [*shape, 5]
    x = numbers_of(dtype, shape, seed)
    w = rng(seed).integers(-3, 4, kernel).astype(float)
    axes = (seed % (len(shape) - 1), seed % (len(shape) - 1) + 1)
    scale = float(np.abs(x.astype(float)).max()) * max(np.abs(w).sum(), 9)
    keywords = {"mode": mode, "cval": cval, "axes": axes}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "SMALL", 0)
        patch.setattr(bands, "BAND", band)
        assert_equal(*both("correlate", x, w, **keywords), scale)
        assert_equal(*both("convolve", x, np.outer(w[:, 0], w[0]), **keywords), 9 * scale)
        assert_equal(*both("uniform_filter", x, kernel, **keywords), scale)
        assert_equal(*both("gaussian_filter", x, 0.8, **keywords), scale)


@takes_axes
@given(
    shape=st.lists(st.integers(1, 7), min_size=3, max_size=5),
    kernel=st.tuples(*[st.integers(1, 5)] * 3),
    mode=st.sampled_from(MODES),
    dtype=st.sampled_from([*INTEGERS, *FLOATS, "bool"]),
    cval=st.sampled_from([0, 3]),
    seed=st.integers(0, 9),
)
def test_any_shape_along_three_axes(shape, kernel, mode, dtype, cval, seed):
    """Kernels of rank one are passes along each axis, where that pays; others are convolutions of volumes."""
    x = numbers_of(dtype, shape, seed)
    w = rng(seed).integers(-3, 4, kernel).astype(float)
    at = seed % (len(shape) - 2)
    scale = float(np.abs(x.astype(float)).max()) * max(np.abs(w).sum(), 9)
    keywords = {"mode": mode, "cval": cval, "axes": (at, at + 1, at + 2)}
    product = np.multiply.outer(w[:, 0, 0], np.outer(w[0, :, 0], w[0, 0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "SMALL", 0)
        for output in (None, "float32"):
            assert_equal(*both("correlate", x, w, output, **keywords), scale)
            assert_equal(*both("convolve", x, product, output, **keywords), 27 * scale)
        assert_equal(*both("uniform_filter", x, kernel, **keywords), scale)
        assert_equal(*both("gaussian_filter", x, 0.8, **keywords), scale)


def test_kernels_of_three_axes_are_served(served):
    x, w = normal((9, 10, 11)), normal((3, 3, 3), "float64")
    for name in ("correlate", "convolve"):
        assert_equal(*both(name, x, w), 30)
        assert_equal(*both(name, x, w, origin=(1, 0, -1), mode="constant", cval=1.5), 30)
        assert_equal(*both(name, numbers_of("uint8", (9, 10, 11)), np.rint(w * 4), "int32"))
        assert_equal(*both(name, x, np.multiply.outer(np.arange(5), np.ones((5, 5)))), 2000)
        if "axes" in inspect.signature(getattr(scipy.ndimage, name)).parameters:  # not in SciPy 1.13
            assert_equal(*both(name, normal((5, 6, 7, 3)), w, axes=(0, 1, 2)), 30)
    assert len(served) >= 8 and all(served)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (0, 4), (1,), (1, 1)])
def test_sizes_zero_and_one(shape):
    x = np.ones(shape)
    for name in ("correlate", "gaussian_filter", "uniform_filter", "laplace"):
        arguments = (np.ones((1,) * len(shape)),) if name == "correlate" else CALLS[name][0]
        ours, theirs = outcome(ndimage, name, x, *arguments), outcome(scipy.ndimage, name, x, *arguments)
        assert type(ours) is type(theirs)
        if not isinstance(ours, Exception):
            assert_equal(np.asarray(ours), np.asarray(theirs))


def outcome(place, name, *arguments, **keywords):
    try:
        return getattr(place, name)(*arguments, **keywords)
    except Exception as error:
        return error


X = np.ones((6, 7))
READ_ONLY = np.ones((6, 7))
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    "name, arguments, keywords",
    [
        ("correlate1d", (X, []), {}),
        ("correlate1d", (X, [[1, 2]]), {}),
        ("correlate1d", (X, [1, 2, 3]), {"axis": 2}),
        ("correlate1d", (X, [1, 2, 3]), {"axis": None}),
        ("correlate1d", (X, [1, 2, 3]), {"axis": 0.5}),
        ("correlate1d", (X, [1, 2, 3]), {"mode": "symmetric"}),
        ("correlate1d", (X, [1, 2, 3]), {"mode": None}),
        ("correlate1d", (X, [1, 2, 3]), {"origin": 2}),
        ("correlate1d", (X, [1, 2, 3]), {"origin": -2}),
        ("correlate1d", (X, [1, 2, 3]), {"cval": "0"}),
        ("correlate1d", (X, [1, 2, 3]), {"output": "bool"}),
        ("correlate1d", (X, [1, 2, 3]), {"output": "nothing"}),
        ("correlate1d", (X, [1, 2, 3]), {"output": np.ones((7, 6))}),
        ("correlate1d", (X, [1, 2, 3]), {"output": READ_ONLY}),
        ("correlate1d", (X.astype("float16"), [1, 2, 3]), {}),
        ("correlate1d", (X.astype(object), [1, 2, 3]), {}),
        ("correlate1d", (["a", "b"], [1, 2, 3]), {}),
        ("convolve1d", (X, [1, 2]), {"origin": 1}),
        ("convolve1d", (X, [1, 2]), {"origin": 0.5}),
        ("correlate", (X, [1, 2, 3]), {}),
        ("correlate", (X, np.ones((3, 3, 3))), {}),
        ("correlate", (X, np.ones((3, 0))), {}),
        ("correlate", (X, np.ones((3, 3))), {"mode": ("reflect", "wrap")}),
        ("correlate", (X, np.ones((3, 3))), {"origin": (0, 0, 0)}),
        ("correlate", (X, np.ones((3, 3))), {"origin": (0, 2)}),
        ("correlate", (X, np.ones((3, 3))), {"axes": (0, 0)}),
        ("correlate", (X, np.ones((3, 3))), {"axes": (0, 2)}),
        ("correlate", (X, np.ones((3, 3))), {"axes": 1.5}),
        ("convolve", (X, np.ones((3, 3))), {"cval": 1j}),
        ("gaussian_filter1d", (X, 1.0), {"order": -1}),
        ("gaussian_filter1d", (X, 1.0), {"radius": -1}),
        ("gaussian_filter1d", (X, 1.0), {"radius": 1.5}),
        ("gaussian_filter1d", (X, "wide"), {}),
        ("gaussian_filter", (X, (1.0, 2.0, 3.0)), {}),
        ("gaussian_filter", (X, 1.0), {"mode": ("reflect",)}),
        ("gaussian_filter", (X, 1.0), {"radius": (1, 2, 3)}),
        ("uniform_filter1d", (X, 0), {}),
        ("uniform_filter1d", (X, 3), {"origin": 2}),
        ("uniform_filter", (X, (3, 3, 3)), {}),
        ("sobel", (X, 2), {}),
        ("sobel", (X,), {"mode": ("reflect",) * 3}),
        pytest.param("laplace", (X,), {"axes": (0, 0)}, marks=takes_axes),
        ("laplace", (X,), {"mode": ("reflect",) * 3}),
        ("gaussian_laplace", (X, (1.0,) * 3), {}),
        ("gaussian_laplace", (X, 1.0), {"axes": (0, 5)}),
        ("gaussian_gradient_magnitude", (X, 1.0), {"no": 1}),
    ],
)
def test_errors_are_scipys(name, arguments, keywords):
    theirs = outcome(scipy.ndimage, name, *arguments, **keywords)
    ours = outcome(ndimage, name, *arguments, **keywords)
    assert isinstance(theirs, Exception) and type(ours) is type(theirs)
    assert str(ours).replace("pyconv", "scipy") == str(theirs)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_are_scipys(dtype):
    x = (normal((8, 9)) + 1j * normal((8, 9), seed=1)).astype(dtype)
    for name in ("correlate1d", "convolve1d", "uniform_filter1d"):
        np.testing.assert_array_equal(*both(name, x, *CALLS[name][0]))
    for name in ("correlate", "convolve"):
        np.testing.assert_array_equal(*both(name, x.real, np.array(CALLS[name][0][0]) * 1j))


def test_subclasses_are_scipys(served):
    masked = np.ma.masked_array(normal((8, 9)), normal((8, 9), seed=1) > 0)
    y, theirs = both("gaussian_filter", masked, 1.0)
    assert type(y) is type(theirs)
    np.testing.assert_array_equal(y, theirs)
    assert served == []


def test_small_arrays_are_scipys(served, monkeypatch):
    monkeypatch.undo()
    np.testing.assert_array_equal(*both("gaussian_filter", normal((8, 9)), 1.0))


@pytest.mark.parametrize(
    "settings", [{"threads": 1}, {"threads": 3}, {"max_workspace": 0}, {"accuracy": "fast"}]
)
def test_config_is_obeyed(settings, monkeypatch):
    x, made, plan = normal((40, 50)), [], bands.plan
    monkeypatch.setattr(bands, "plan", lambda *a, **k: made.append(plan(*a, **k)) or made[-1])
    expected = scipy.ndimage.gaussian_filter(x, 3.0)
    with pyconv.config(**settings):
        assert_equal(ndimage.gaussian_filter(x, 3.0), expected, 4)
    assert made
    for each in made:
        assert each.threads <= settings.get("threads", 64)
        assert each.accuracy == "strict"
        assert each.workspace_bytes + each.packed_bytes <= settings.get("max_workspace", 1 << 30)
