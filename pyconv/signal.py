# SPDX-License-Identifier: BSD-3-Clause
"""
SciPy's convolutions of `scipy.signal`, with its signatures and results, by pyconv's kernels.

Put ``from pyconv import signal`` in the place of ``from scipy import signal``; every other name of
`scipy.signal` is here, too, and is SciPy's own.

Notes
-----
Results are SciPy's but for the rounding of floats, which is bounded as follows:

- `convolve2d`, `correlate2d`, and `convolve` and `correlate` where SciPy would take ``method="direct"``: by
  pyconv's class strict, float32 in float32 and the rest in float64. A NaN reaches the outputs of its window.
- `fftconvolve`, `oaconvolve`, and `convolve` and `correlate` where SciPy would take ``method="fft"``: by
  pyconv's class standard. What isn't finite is left to SciPy, whose transforms spread it over the result.
- Integers are SciPy's exactly: computed here where every sum is exact in float64, by SciPy otherwise.

SciPy is called for small arrays, complex numbers, arrays of other libraries, convolutions over more than two
axes or axes that lie apart, and inputs of which neither is the larger one along every axis. `pyconv.config`
bounds threads and workspace; beside that workspace a call keeps bands of rows of about half a megabyte each.
"""

from types import SimpleNamespace

import numpy as np
import scipy.signal

from ._filters import passes
from ._filters.borders import Border
from ._filters.numbers import DOUBLE, SINGLE
from ._filters.passes import Pass, number, plain, positions

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]

# Multiplications per pixel that SciPy's transforms are worth, when it is about the cost of calls.
TRANSFORM = 16

# SciPy's transforms of whole images are faster where a kernel is longer than this part of both axes: of
# 512 x 512, 64 x 64 takes 0.5 to 0.8 of their time here, 200 x 200 0.7 to 1.5.
LARGEST_SHARE = 0.25

# SciPy's words for what stands beyond the first input of convolve2d, and ours.
BOUNDARIES = {
    "fill": "constant",
    "pad": "constant",
    "wrap": "wrap",
    "circular": "wrap",
    "symm": "reflect",
    "symmetric": "reflect",
}


# SciPy's own, whatever is put in their place later: these, for example.
_theirs = SimpleNamespace(
    **{name: getattr(scipy.signal, name) for name in (*__all__, *("choose_conv_method",))}
)


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(scipy.signal, name)


def __dir__():
    return sorted({*globals(), *dir(scipy.signal)})


def _sides(size, mode, late):
    """Pixels before and after an image that a kernel of `size` taps reaches."""
    if mode == "full":
        return size - 1, size - 1
    if mode == "valid":
        return 0, 0
    return ((size - 1) // 2, size // 2) if late else (size // 2, (size - 1) // 2)


def _pair(in1, in2):
    """Both inputs as arrays that are served here, of as many dimensions, or None."""
    a, b = plain(in1), plain(in2)
    served = a is not None and b is not None and a.ndim == b.ndim and bool not in (a.dtype, b.dtype)
    return (a, b) if served else None


def _filter(a, b, mode, dtype, axes=None, *, border="constant", value=0.0, late=False, accuracy="strict"):
    """
    The convolution of a and b, of `dtype`, or None where SciPy is to be asked.

    The larger one is the image: ``y[i] = sum over j of flip(b)[j] a[i + j - before]``. Of "same", the middle
    of an even kernel is the first tap of its second half, if `late` the last of its first. With the accuracy
    of transforms, what isn't finite is left to SciPy.
    """
    if mode not in ("full", "same", "valid"):
        return None
    pairs = list(zip(a.shape, b.shape, strict=True))
    if any(m < n for m, n in pairs):
        outside = border != "constant" or value != 0
        if mode == "same" or (mode == "full" and outside) or any(m > n for m, n in pairs):
            return None
        a, b = b, a
    along = [axis for axis, size in enumerate(b.shape) if size > 1] or [a.ndim - 1]
    allowed = positions(axes, a.ndim)
    if (
        allowed is None
        or not set(along) <= set(allowed)
        or len(along) > 2
        or along[-1] - along[0] >= len(along)
    ):
        return None
    weights = np.flip(b).astype(np.float64).reshape([b.shape[axis] for axis in along])
    if not np.isfinite(weights).all():
        return None
    sides = [_sides(size, mode, late) for size in weights.shape]
    if border != "constant" and any(max(s) > a.shape[axis] for s, axis in zip(sides, along, strict=True)):
        return None  # SciPy goes on in a way of its own
    borders = tuple(Border(*s, border, value) for s in sides)
    shape = list(a.shape)
    for axis, (before, after), size in zip(along, sides, weights.shape, strict=True):
        shape[axis] += before + after - size + 1
    y = np.empty(shape, dtype)
    served = passes.fill(
        a, y, [Pass(tuple(along), weights, borders)], finite=accuracy != "strict", accuracy=accuracy
    )
    return y if served else None


def _direct(pair, mode, **keywords):
    """A convolution that keeps the type of its inputs, summed directly, or None."""
    a, b = pair
    work = a.size * b.size
    if work < (passes.SMALL if a.ndim > 1 else passes.SMALL_LINE):
        return None
    return _filter(a, b, mode, np.result_type(a, b), **keywords)


def _transformed(pair, mode, axes=None):
    """A convolution of floats as by transforms, or None."""
    a, b = pair
    if max(a.size, b.size) * TRANSFORM < passes.SMALL or min(a.size, b.size) == 1:
        return None
    shares = [min(m, n) / max(m, n) for m, n in zip(a.shape, b.shape, strict=True) if min(m, n) > 1]
    if len(shares) > 1 and min(shares) > LARGEST_SHARE:
        return None
    return _filter(a, b, mode, SINGLE if a.dtype == b.dtype == SINGLE else DOUBLE, axes, accuracy="standard")


def _chosen(in1, in2, turn, mode, method):
    """The convolution of in1 and, if `turn`, in2 reversed, as `convolve` and `correlate` choose; or None."""
    pair = _pair(in1, in2)
    if pair is None or method not in ("auto", "direct", "fft") or mode not in ("full", "same", "valid"):
        return None
    a, b = pair
    pair = a, np.flip(b) if turn else b
    floats = np.result_type(a, b).kind == "f"
    if method == "auto" and floats and a.ndim <= 2:
        method = _theirs.choose_conv_method(*pair, mode=mode)
    if method != "fft":
        return _direct(pair, mode)
    return _transformed(pair, mode) if a.dtype == b.dtype and floats else None


def convolve(in1, in2, mode="full", method="auto"):
    """
    Convolution of two arrays, as `scipy.signal.convolve`.

    Parameters
    ----------
    in1, in2 : array_like
        Of as many dimensions.
    mode : {"full", "valid", "same"}
        Every overlap, complete overlaps, or as many outputs as `in1` has, from the middle.
    method : {"auto", "direct", "fft"}
        Whose accuracy is wanted, and whose way with NaN; for "auto", that which SciPy would choose.

    Returns
    -------
    ndarray

    Notes
    -----
    What differs from SciPy in the last bits of floats is said at the head of `pyconv.signal`.
    """
    y = _chosen(in1, in2, False, mode, method)
    return _theirs.convolve(in1, in2, mode, method) if y is None else y


def correlate(in1, in2, mode="full", method="auto"):
    """
    Correlation of two arrays, as `scipy.signal.correlate`.

    Parameters
    ----------
    in1, in2, mode, method
        As in `convolve`.

    Returns
    -------
    ndarray
    """
    y = _chosen(in1, in2, True, mode, method)
    return _theirs.correlate(in1, in2, mode, method) if y is None else y


def fftconvolve(in1, in2, mode="full", axes=None):
    """
    Convolution of two arrays as by transforms, as `scipy.signal.fftconvolve`.

    Parameters
    ----------
    in1, in2, mode
        As in `convolve`.
    axes : int or sequence of int, optional
        Those to convolve over, all by default. Along the others the arrays are broadcast.

    Returns
    -------
    ndarray
        float32 if both inputs are, else float64.

    Notes
    -----
    pyconv takes the algorithm that costs least, transforms or not; the error is within its class standard.
    """
    pair = _pair(in1, in2)
    y = pair and _transformed(pair, mode, axes)
    return _theirs.fftconvolve(in1, in2, mode, axes) if y is None else y


def oaconvolve(in1, in2, mode="full", axes=None):
    """
    Convolution of two arrays as by transforms of parts, as `scipy.signal.oaconvolve`.

    Parameters
    ----------
    in1, in2, mode, axes
        As in `fftconvolve`.

    Returns
    -------
    ndarray
    """
    pair = _pair(in1, in2)
    y = pair and _transformed(pair, mode, axes)
    return _theirs.oaconvolve(in1, in2, mode, axes) if y is None else y


def _image(in1, in2, turn, mode, boundary, fillvalue):
    """The convolution of in1 and, if `turn`, in2 reversed, both of two axes; or None."""
    pair = _pair(in1, in2)
    value = number(fillvalue)
    known = isinstance(boundary, str) and boundary in BOUNDARIES
    if pair is None or value is None or not known or pair[0].ndim != 2:
        return None
    a, b = pair
    if np.result_type(a, b).kind != "f" and value != int(value):
        return None
    return _direct((a, np.flip(b) if turn else b), mode, border=BOUNDARIES[boundary], value=value, late=turn)


def convolve2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    """
    Convolution of two images, as `scipy.signal.convolve2d`.

    Parameters
    ----------
    in1, in2 : array_like
        Of two dimensions.
    mode
        As in `convolve`.
    boundary : {"fill", "wrap", "symm"}
        What stands beyond `in1`.
    fillvalue : number
        That, of "fill".

    Returns
    -------
    ndarray
    """
    y = _image(in1, in2, False, mode, boundary, fillvalue)
    return _theirs.convolve2d(in1, in2, mode, boundary, fillvalue) if y is None else y


def correlate2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    """
    Correlation of two images, as `scipy.signal.correlate2d`.

    Parameters
    ----------
    in1, in2, mode, boundary, fillvalue
        As in `convolve2d`.

    Returns
    -------
    ndarray
    """
    y = _image(in1, in2, True, mode, boundary, fillvalue)
    return _theirs.correlate2d(in1, in2, mode, boundary, fillvalue) if y is None else y
