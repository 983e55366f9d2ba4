# SPDX-License-Identifier: BSD-3-Clause
"""Right or wrong: bit for bit where sums are exact, else within a bound of A = |x| * |w|."""

import numpy as np
from elements import as_element, computing

from .arrays import TINY
from .operators import ULP
from .problems import out_dtype


def verdict(y, truth, p, strict):
    """None, or what is wrong with y."""
    value, dtype = truth.value, out_dtype(p)
    if y.shape != value.shape:
        return f"shape {y.shape}, right is {value.shape}"
    if y.dtype != dtype:
        return f"dtype {y.dtype}, right is {dtype}"
    if not y.size:
        return None
    if not strict and p["data"] == "nan_weight":
        return None
    if p["data"] == "nan_weight" and p["op"] in (
        "conv_transpose2d",
        "conv2d_backward_input",
        "conv1d_backward_input",
    ):
        return None
    with np.errstate(all="ignore"):
        return _values(y, truth, p, strict, dtype)


def _values(y, truth, p, strict, dtype):
    value, size, name = truth.value, truth.size, p["dtype"]
    finite = np.isfinite(value) & np.isfinite(size) & np.isfinite(truth.inherited)
    wide = y.astype(np.float64)
    if strict and p["data"] == "integers" and p["op"] != "factorize":
        right = as_element(value, dtype)
        wrong = y != right
        return _show(wrong, y, right, "exact") if wrong.any() else None
    computed = np.finfo(computing(name))
    if strict:
        nan = np.isnan(value)
        wrong = nan & (y != 0) if dtype.kind in "iu" else nan != np.isnan(wide)
        if wrong.any():
            return _show(wrong, y, value, "NaN only where a window holds one")
        bound = size * truth.terms
    else:
        # An image with a value that isn't finite may be lost as a whole, the others not.
        finite = finite & _alone(finite, p)
        largest = _largest(np.where(np.isfinite(size), size, 0), p)
        if truth.cap is not None:
            # What transforms carry along though no output shows it.
            whole = truth.cap.reshape(largest.shape)
            inside = whole < computed.max / 17  # the range that README names
            finite, largest = finite & inside, largest + np.where(inside, whole, 0)
        bound = np.broadcast_to(largest, y.shape) * (8 * truth.terms + 400)
    bound = (bound * 1.01 + truth.inherited) * ULP[name]
    # Products that underflow, once each. F(6x6,3x3) rounds each point twice on the way in, and multiplies
    # that by up to 66 along each axis on the way out: the largest row of |A|, 1 + 1 + 32 + 32 and fractions.
    least = TINY["float32" if name == "float16" else name]
    bound = bound + least * truth.terms * truth.fan * (1 if strict else 2 * 66**2)
    # Partial sums that may leave the range are no one's promise.
    finite &= size * (truth.terms if not strict else 1) < computed.max
    low, high = as_element(value - bound, dtype), as_element(value + bound, dtype)  # rounding is monotone
    wrong = finite & ~((wide >= low.astype(np.float64)) & (wide <= high.astype(np.float64)))
    if not wrong.any():
        return None
    times = np.abs(wide - value)[wrong] / np.maximum(np.broadcast_to(bound, y.shape)[wrong], TINY["float64"])
    return _show(wrong, y, value, f"up to {times.max():.3g} times the bound off")


def _images(a, p):
    """The axes of one image of the result, or the whole result where sums run over the batch."""
    if p["op"].endswith(("backward_weight", "backward_bias")):
        return tuple(range(a.ndim))
    return tuple(range(a.ndim - (2 if p["op"].startswith("conv1d") else 3), a.ndim))


def _alone(finite, p):
    return finite.all(axis=_images(finite, p), keepdims=True)


def _largest(a, p):
    return a.max(axis=_images(a, p), keepdims=True)


def _show(wrong, y, right, what):
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    count = f"{int(wrong.sum())} of {wrong.size} values"
    return f"{count}, {what}; at {first}: {y[first]!r}, right is {right[first]!r}"
