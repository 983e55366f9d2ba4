# SPDX-License-Identifier: BSD-3-Clause
"""`pyconv.signal` beside `scipy.signal`: the same results, types and errors."""

import inspect
import warnings

import numpy as np
import pytest
import scipy
import scipy.signal
from helpers import ULP, normal, rng
from hypothesis import given
from hypothesis import strategies as st

import pyconv
from pyconv import signal
from pyconv._filters import bands, passes, whole

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FLOATS = ["float32", "float64"]
IMAGES = ["convolve2d", "correlate2d"]
SPECTRA = ["fftconvolve", "oaconvolve"]


@pytest.fixture(autouse=True)
def small_arrays(monkeypatch):
    """Arrays of any size are convolved here, in bands of a few rows."""
    monkeypatch.setattr(passes, "SMALL", 0)
    monkeypatch.setattr(passes, "SMALL_LINE", 0)
    monkeypatch.setattr(bands, "BAND", 2000)
    monkeypatch.setattr(signal, "LARGEST_SHARE", 1)


def numbers_of(dtype, shape, seed=0):
    """Numbers of the whole range of 8 bits, else up to 100; floats are normal."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return normal(shape, dtype, seed)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    low, high = (low, high) if dtype.itemsize == 1 else (max(low, -100), 100)
    return rng(seed).integers(low, high, shape, dtype=dtype, endpoint=True)


def outcome(place, name, *arguments, **keywords):
    try:
        return getattr(place, name)(*arguments, **keywords)
    except Exception as error:
        return error


def assert_same(name, a, b, **keywords):
    """pyconv's result is SciPy's: of integers equal, of floats within roundings of the sums, errors alike."""
    theirs = outcome(scipy.signal, name, a, b, **keywords)
    ours = outcome(signal, name, a, b, **keywords)
    assert type(ours) is type(theirs)
    if isinstance(theirs, Exception):
        assert str(ours) == str(theirs)
        return
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs)
        return
    least = "float32" if np.float32 in (a.dtype, b.dtype) else "float64"  # SciPy transforms each in its type
    size = max(np.abs(a).max(), abs(keywords.get("fillvalue", 0))) * np.abs(b.astype(float)).sum()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=60 * ULP[least] * max(size, 1))


@pytest.mark.parametrize("name", signal.__all__)
def test_signature_is_scipys(name):
    ours, theirs = (inspect.signature(getattr(place, name)) for place in (signal, scipy.signal))
    assert ours == theirs


def test_other_names_are_scipys():
    assert signal.firwin is scipy.signal.firwin
    assert "firwin" in dir(signal) and "convolve" in dir(signal)
    with pytest.raises(AttributeError, match="no_such"):
        _ = signal.no_such


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(
    "shapes", [((19, 23), (4, 5)), ((9, 40), (9, 1)), ((6, 7), (6, 7)), ((3, 4), (8, 9)), ((31,), (6,))]
)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [n for n in signal.__all__ if n not in IMAGES])
def test_floats(name, dtype, shapes, mode, served):
    a, b = (normal(shape, dtype, seed) for seed, shape in enumerate(shapes))
    assert_same(name, a, b, mode=mode)
    assert (served == [True]) or (mode == "same" and a.size < b.size)


@pytest.mark.parametrize("boundary", ["fill", "pad", "wrap", "circular", "symm", "symmetric"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
@pytest.mark.parametrize("name", IMAGES)
def test_images(name, dtype, mode, boundary, served):
    a = numbers_of(dtype, (19, 23))
    for shape in ((3, 3), (4, 6), (19, 2), (1, 1)):
        for fillvalue in (0, 3):
            b = numbers_of(dtype, shape, seed=1)
            assert_same(name, a, b, mode=mode, boundary=boundary, fillvalue=fillvalue)
    assert len(served) >= 4 and all(served)


@pytest.mark.parametrize("second", [*INTEGERS, *FLOATS])
@pytest.mark.parametrize("first", [*INTEGERS, *FLOATS])
def test_types(first, second, served):
    a, b = numbers_of(first, (12, 13)), numbers_of(second, (3, 4), seed=1)
    for name in signal.__all__:
        assert_same(name, a, b, mode="same")
    for name in ("convolve", "correlate"):
        assert_same(name, a, b, method="direct")
    assert len(served) >= 4 and all(served)


@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_methods(name, method):
    for dtype in (*INTEGERS, *FLOATS):
        for shape, kernel in (((300,), (40,)), ((20, 30), (5, 6)), ((5, 12, 13), (1, 3, 4))):
            a, b = numbers_of(dtype, shape) // 10, numbers_of(dtype, kernel, seed=1) // 10
            assert_same(name, a, b, method=method)


@pytest.mark.parametrize("name", SPECTRA)
def test_axes(name, served):
    a = normal((3, 14, 15), "float64")
    for b in (normal((1, 4, 5), "float64", 1), normal((1, 1, 6), "float64", 1)):
        for axes in ((1, 2), (-1, 1), [2, 1], None):
            assert_same(name, a, b, axes=axes)
    assert served == [True] * 8
    for b, axes in ((normal((3, 4, 5), "float64", 1), (1, 2)), (normal((1, 4, 5), "float64", 1), 2)):
        assert_same(name, a, b, axes=axes)
    assert served == [True] * 8


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", signal.__all__)
def test_what_is_not_finite_spreads_as_in_scipy(name, value):
    a, b = normal((20, 30), "float64"), normal((3, 4), "float64", 1)
    a[7, 9] = value
    methods = ("auto", "direct", "fft") if name in ("convolve", "correlate") else ()
    for keywords in [{"method": method} for method in methods] or [{}]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            theirs = getattr(scipy.signal, name)(a, b, **keywords)
            y = getattr(signal, name)(a, b, **keywords)
        np.testing.assert_array_equal(np.isfinite(y), np.isfinite(theirs))
        finite = np.isfinite(y)
        np.testing.assert_allclose(y[finite], theirs[finite], atol=1e-13)


def test_warning_of_transforms_is_scipys():
    a = np.full((60, 60), np.nan)
    with pytest.warns(RuntimeWarning, match="Use of fft convolution"):
        signal.convolve(a, np.ones((20, 20)), method="fft")


@given(
    first=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    second=st.lists(st.integers(1, 5), min_size=3, max_size=3),
    name=st.sampled_from(signal.__all__),
    mode=st.sampled_from(["full", "same", "valid"]),
    dtype=st.sampled_from([*INTEGERS, *FLOATS]),
    band=st.sampled_from([1, 300, 1 << 19]),
    seed=st.integers(0, 9),
)
def test_any_shapes(first, second, name, mode, dtype, band, seed):
    a, b = numbers_of(dtype, first, seed), numbers_of(dtype, second[: len(first)], seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "SMALL", 0)
        patch.setattr(passes, "SMALL_LINE", 0)
        patch.setattr(bands, "BAND", band)
        assert_same(name, a, b, mode=mode)


@pytest.mark.parametrize("name", signal.__all__)
def test_views(name):
    a, b = normal((20, 22), "float64"), normal((6, 8), "float64", 1)
    a.flags.writeable = b.flags.writeable = False
    assert_same(name, a[::-2, ::-1], b.T[::2])
    assert_same(name, a.T, b[:, ::-1])
    assert_same(name, a.astype(">f8"), b.astype(">f8"))


@pytest.mark.parametrize("name", signal.__all__)
def test_errors_are_scipys(name):
    a, b = np.ones((5, 6)), np.ones((3, 3))
    for arguments in (
        (a, b[0]),
        (a, b, "some"),
        (a, b, None),
        (a, np.ones((2, 7)), "valid"),
    ):
        theirs, ours = outcome(scipy.signal, name, *arguments), outcome(signal, name, *arguments)
        assert isinstance(theirs, Exception) and type(ours) is type(theirs) and str(ours) == str(theirs)
    last = "boundary" if name in IMAGES else "axes" if name in SPECTRA else "method"
    for value in ("some", (0, 0), 9, ()):
        assert_same(name, a, b, **{last: value})


@pytest.mark.parametrize("name", signal.__all__)
def test_what_is_left_to_scipy(name, served):
    a, b = np.ones((5, 6)), np.ones((3, 3))
    for x, y in (
        (a * 1j, b),
        (a, b * 1j),
        (a.astype("longdouble"), b),
        (a > 0, b > 0),
        (a, b * np.nan),
        (a[:0], b[:0]),
        (np.ones((5, 1)), np.ones((1, 5))),
    ):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            theirs, ours = outcome(scipy.signal, name, x, y), outcome(signal, name, x, y)
        assert type(ours) is type(theirs)
        if not isinstance(theirs, Exception):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
    assert served == []


def test_lists():
    np.testing.assert_array_equal(signal.convolve([1, 2, 3], [1, 1]), [1, 3, 5, 3])
    np.testing.assert_array_equal(signal.correlate2d([[1, 2], [3, 4]], [[1, 0]], "same"), [[1, 2], [3, 4]])


def test_small_arrays_are_scipys(served, monkeypatch):
    monkeypatch.setattr(passes, "SMALL", 10**6)
    monkeypatch.setattr(passes, "SMALL_LINE", 10**6)
    for name in signal.__all__:
        assert_same(name, normal((9, 8)), normal((3, 3), seed=1))
    assert served == []


def test_large_kernels_are_scipys(served, monkeypatch):
    monkeypatch.setattr(signal, "LARGEST_SHARE", 0.25)
    a = normal((40, 60))
    for shape, here in (((10, 60), True), ((11, 15), True), ((11, 16), False), ((40, 60), False)):
        served.clear()
        assert_same("fftconvolve", a, normal(shape, seed=1))
        assert served == [True] * here
    assert_same("fftconvolve", a[:1], normal((1, 50), seed=1))
    assert served == [True]


def test_config_is_obeyed(monkeypatch):
    made, plan = [], whole.plan
    monkeypatch.setattr(whole, "plan", lambda *a, **k: made.append(plan(*a, **k)) or made[-1])
    with pyconv.config(threads=1, max_workspace=0):
        assert_same("fftconvolve", normal((40, 50)), normal((9, 9), seed=1))
    assert len(made) == 1
    assert (made[0].threads, made[0].workspace_bytes + made[0].packed_bytes) == (1, 0)
