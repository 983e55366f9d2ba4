# SPDX-License-Identifier: BSD-3-Clause
"""The helpers must notice what they are there to notice."""

import os
import sys
import time

import numpy as np
import pytest
from elements import as_element
from helpers import (
    Guarded,
    aligned,
    assert_close,
    integers,
    normal,
    plans,
    reference,
    relative_error,
    run_python,
)

import pyconv


def test_relative_error_is_relative():
    assert relative_error([3.0, 4.0], [3.0, 4.0]) == 0
    assert relative_error([3.3, 4.4], [3.0, 4.0]) == pytest.approx(0.1)
    assert relative_error([0.0], [0.0]) == 0
    assert relative_error([2.0], [0.0]) == 2


def test_integers_are_small_sparse_and_whole():
    a = integers((100, 100))
    assert np.array_equal(a, np.round(a)) and np.abs(a).max() == 4
    assert 0.3 < np.mean(a == 0) < 0.7


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_assert_close_accepts_rounding_and_refuses_more(dtype):
    x, w, b = normal((2, 8, 9, 9), dtype), normal((5, 8, 3, 3), dtype, 1), normal(5, dtype, 2)
    y = reference(x, w, b).astype(dtype)
    assert_close(y, x, w, b)
    wrong = y.copy()
    wrong[0, 0, 0, 0] += 0.1
    with pytest.raises(AssertionError, match="exceeds"):
        assert_close(wrong, x, w, b)


def test_assert_close_checks_shape_dtype_and_nan():
    x, w = normal((1, 2, 5, 5)), normal((3, 2, 3, 3), seed=1)
    y = reference(x, w).astype("float32")
    with pytest.raises(AssertionError, match="shape"):
        assert_close(y[0], x, w)
    with pytest.raises(AssertionError, match="dtype"):
        assert_close(y.astype("float64"), x, w)
    y[0, 0, 0, 0] = np.nan
    with pytest.raises(AssertionError, match="exceeds"):
        assert_close(y, x, w)


def test_as_element_rounds_half_to_even_and_saturates():
    values = np.array([-0.5, 0.5, 1.5, 2.5, 254.5, 255.5, 300, -1, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(as_element(values, "u1"), [0, 0, 2, 2, 254, 255, 255, 0, 0, 255, 0])
    np.testing.assert_array_equal(as_element(values, "i1"), [0, 0, 2, 2, 127, 127, 127, -1, 0, 127, -128])
    np.testing.assert_array_equal(as_element(values, "f2"), values.astype("f2"))


@pytest.mark.parametrize("out_dtype", ["uint8", "float16", "float64"])
def test_assert_close_grants_the_rounding_of_the_result(out_dtype):
    x, w = (normal((2, 8, 9, 9)) * 9).astype("i1"), normal((5, 8, 3, 3), seed=1)
    y = as_element(reference(x, w), out_dtype)
    assert_close(y, x, w, out_dtype=out_dtype)
    wrong = y.copy()
    wrong[:, :2] += np.array(5, out_dtype)
    with pytest.raises(AssertionError, match="exceeds"):
        assert_close(wrong, x, w, out_dtype=out_dtype)


def test_guarded_notices_a_write_on_either_side():
    for offset in (-1, 24):
        guard = Guarded((2, 3), "float32", 0xFF)
        assert guard.array.shape == (2, 3) and np.isnan(guard.array).all()
        guard.array[:] = 1
        assert guard.intact()
        guard._bytes[guard.MARGIN + offset] ^= 1
        assert not guard.intact()


def test_guarded_is_aligned_and_filled():
    guard = Guarded(100, np.uint8, 0xA5)
    assert guard.array.ctypes.data % 64 == 0 and (guard.array == 0xA5).all()


@pytest.mark.parametrize("offset", [0, 1, 4, 63])
def test_aligned_has_the_offset_asked_for(offset):
    a = aligned(1000, 64, offset)
    assert a.nbytes == 1000 and a.ctypes.data % 64 == offset


def test_plans_covers_every_universal_algorithm():
    served = [p.algorithm for p in plans((1, 4, 9, 9), normal((4, 4, 3, 3)))]
    assert set(served) >= {"direct", "im2col", "im2row", "mec"}
    assert [n for n in pyconv.algorithms() if n in served] == served


def test_run_python_returns_output_and_reports_failure():
    assert run_python("import sys; print(sys.argv[1])", 7) == "7\n"
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_python("1/0")


HANGS = """
import os, time
if os.fork() == 0:
    print(os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_run_python_ends_a_hanging_family():
    with pytest.raises(AssertionError, match="still running after 2 s") as caught:
        run_python(HANGS, timeout=2)
    child = int(str(caught.value).split()[5])
    deadline = time.monotonic() + 5
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:  # until init has reaped it
            os.kill(child, 0)
            time.sleep(0.05)
