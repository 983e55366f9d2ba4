# SPDX-License-Identifier: BSD-3-Clause
"""What several test files share: data, error bounds, guarded buffers, the sweep over algorithms."""

import os
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from elements import computing
from reference import conv2d as reference
from reference import magnitudes

import pyconv

# Accuracy classes, strictest first.
CLASSES = ("strict", "standard", "fast")

# L2 error of an algorithm of each class over im2col's, at most, on normal data and for long sums.
TYPICAL = {"strict": 1.5, "standard": 5, "fast": 16}

# These serve every ordinary problem; any other algorithm may decline with UnsupportedError.
UNIVERSAL = ("direct", "im2col", "im2row", "mec")

# Half a unit in the last place, relative: the error of one rounding.
ULP = {"bfloat16": 2.0**-9, "float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}
# Half the smallest number: the error of one rounding of what is smaller.
TINY = {"bfloat16": 2.0**-134, "float16": 2.0**-25, "float32": 2.0**-150, "float64": 0.0}


def element(name):
    """The dtype of an element type; without ml_dtypes, which bfloat16 is of, the test is skipped."""
    if name == "bfloat16":
        return np.dtype(pytest.importorskip("ml_dtypes", reason="bfloat16 is of ml_dtypes").bfloat16)
    return np.dtype(name)


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(shape, dtype="float32", seed=0):
    """Random normal numbers."""
    return rng(seed).standard_normal(shape).astype(dtype)


def integers(shape, dtype="float32", seed=0, top=4, density=0.5):
    """Small integers, sparse, so that sums of products are exact in any order."""
    r = rng(seed)
    return (r.integers(-top, top + 1, shape) * (r.random(shape) < density)).astype(dtype)


def relative_error(y, exact):
    """``|y - exact| / |exact|`` in the L2 norm, in float64; 0 for two zeros."""
    exact = np.asarray(exact, np.float64)
    difference, size = np.linalg.norm(np.asarray(y, np.float64) - exact), np.linalg.norm(exact)
    return difference / size if size else float(difference)


def class_bound(accuracy, weight):
    """What a class allows, in roundings of A or E (see ``accuracy`` in `pyconv.conv2d`)."""
    k = weight[0].size
    strict = min(k, 256) + -(-k // 128) + 2
    return {"strict": strict, "standard": 160 * (strict + 24), "fast": 640 * (strict + 24)}[accuracy]


def assert_close(
    y, x, weight, bias=None, *, label="", units=4, residual=None, activation=None, out_dtype=None, **geometry
):
    """Assert ``|y - exact| <= units`` roundings of the sum of the absolute values of all terms, in L2 norm.

    That scale stays meaningful where the terms cancel. One more rounding is granted to results of another
    type than is computed in. The outputs that a stride leaves out are part of what "fft" computes.
    """
    weight = np.asarray(weight)
    inner, out = computing(weight.dtype), np.dtype(weight.dtype if out_dtype is None else out_dtype)
    x = np.asarray(x).astype(inner)
    exact = reference(x, weight, bias, residual=residual, activation=activation, **geometry)
    sizes = [None if a is None else np.abs(np.asarray(a, np.float64)) for a in (x, weight, bias, residual)]
    positive = magnitudes(geometry)
    size = np.linalg.norm(reference(*sizes[:3], residual=sizes[3], **positive))
    if label == "fft" and geometry.get("stride", 1) != 1:
        size += np.linalg.norm(reference(*sizes[:2], **{**positive, "stride": 1}))
    bound = units * ULP[inner.name] * size
    if out.kind in "iu":
        exact = np.clip(exact, np.iinfo(out).min, np.iinfo(out).max)
        bound += 0.5 * exact.size**0.5
    elif out.itemsize < inner.itemsize:
        bound += ULP[out.name] * np.linalg.norm(exact) + TINY[out.name] * exact.size**0.5
    assert y.shape == exact.shape, f"{label}: shape {y.shape}, expected {exact.shape}"
    assert y.dtype == out, f"{label}: dtype {y.dtype}, expected {out}"
    error = np.linalg.norm(y.astype(np.float64) - exact)
    assert error <= bound, f"{label}: error {error:.3g} exceeds {bound:.3g}"


def plans(x_shape, weight, bias=None, *, names=None, accuracy="fast", **keywords):
    """Yield a plan of each algorithm (or of those named) that can serve; the universal ones must."""
    for name in names or pyconv.algorithms():
        try:
            yield pyconv.plan(x_shape, weight, bias, algorithm=name, accuracy=accuracy, **keywords)
        except pyconv.UnsupportedError:
            assert name not in UNIVERSAL, f"{name} must serve every ordinary problem"


def aligned(nbytes, align=64, offset=0):
    """Fresh zeroed bytes whose address is `offset` past a multiple of `align`."""
    raw = np.zeros(nbytes + align + offset, np.uint8)
    start = -raw.ctypes.data % align + offset
    return raw[start : start + nbytes]


class Guarded:
    """An array between two runs of known bytes; ``intact()`` tells whether these are still as they were.

    `fill` is the byte the array starts with: 0xFF makes every float a NaN, 0xA5 is recognisable garbage.
    """

    MARGIN, BYTE = 4096, 0x5C

    def __init__(self, shape, dtype, fill):
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self._bytes = aligned(nbytes + 2 * self.MARGIN)
        self._bytes[:] = self.BYTE
        inner = self._bytes[self.MARGIN : self.MARGIN + nbytes]
        inner[:] = fill
        self.array = inner.view(dtype).reshape(shape)

    def intact(self):
        return bool(
            (self._bytes[: self.MARGIN] == self.BYTE).all()
            and (self._bytes[-self.MARGIN :] == self.BYTE).all()
        )


class HasArray:
    """An array that shows itself through ``__array__`` only."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return self.a if dtype is None else self.a.astype(dtype)


class HasDLPack:
    """An array that shows itself through DLPack only."""

    def __init__(self, a):
        self.a = a

    def __dlpack__(self, **keywords):
        return self.a.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.a.__dlpack_device__()


def run_python(script, *args, timeout=120, **environment):
    """Run `script` in a fresh interpreter and return what it printed; fail with its errors.

    Its folder is not the checkout, whose source folder would be imported instead of the package. It leads a
    session of its own, so that a hang ends with its forked children too.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        cwd=tempfile.gettempdir(),
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        raise AssertionError(f"still running after {timeout} s\n{output}\n{errors}") from None
    assert process.returncode == 0, f"exit code {process.returncode}\n{output}\n{errors}"
    return output
