# SPDX-License-Identifier: BSD-3-Clause
"""In which type a filter is computed, and how its results become what SciPy's double precision makes.

A float result is computed in float32 where input and result fit in it, else in float64. An integer result has
to be SciPy's to the last bit: it is computed in float32 if every sum is provably exact there, else in float64
if it is there, else not here.
"""

import math
from typing import NamedTuple

import numpy as np

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
EXACT = {SINGLE: 2.0**24, DOUBLE: 2.0**52}  # integers up to these are exact, and in double all bounds, too
FRACTION = 2.0**24  # integer results are computed of weights that are multiples of 1 / FRACTION
REGISTER = 2.0**31  # SciPy converts doubles beyond an int32 to short integers in no way of their own


class Linear(NamedTuple):
    """One step, ``sum of weights * x, / divisor``, as far as numbers are concerned."""

    weights: np.ndarray
    divisor: int = 1


class Numbers(NamedTuple):
    """The type to compute in, and for each step whether its result wraps, None where it may stay as it is."""

    dtype: np.dtype
    wraps: tuple


def is_input(dtype):
    """Whether arrays of this type are filtered here, in any order of bytes."""
    return dtype.kind in "bui" or (dtype.kind == "f" and dtype.itemsize in (4, 8))


def is_output(dtype):
    """Whether arrays of this type are filled here."""
    return dtype.isnative and dtype.kind != "b" and is_input(dtype)


def is_short(dtype):
    """Whether these are integers that float32 holds exactly, all of them."""
    return dtype.kind in "bui" and dtype.itemsize <= 2


def in_single(*values):
    """Whether float32 holds numbers like these: none overflows, and none loses bits at the lower end."""
    for value in values:
        size = np.abs(value)
        size[size == 0] = 1
        if size.min() < 2.0**-100 or size.max() > 2.0**100:
            return False
    return True


def rounded(weights, dtype):
    """
    Weights of `dtype`, each within a unit in the last place, of nearly the sum of `weights`.

    Rounded to nearest, a Gaussian's sum may be off by some 2**-25 in all outputs alike: an image would lose
    brightness. Here, from the largest weight to the smallest, equal ones alike, each takes over what those
    before it have left.
    """
    result = np.array(weights, dtype, order="C")
    if result.dtype == DOUBLE or np.array_equal(result, weights):
        return result
    values, where, counts = np.unique(weights, return_inverse=True, return_counts=True)
    chosen, left = values.copy(), 0.0
    for i in np.argsort(-np.abs(values), kind="stable"):
        value, count = float(values[i]), int(counts[i])
        unit = math.ldexp(1.0, math.frexp(value)[1] - 24)
        below = math.floor(value / unit) * unit
        chosen[i] = below if value == below or value + left / count - below < unit / 2 else below + unit
        left += count * (value - float(chosen[i]))
    result[...] = chosen[where].reshape(weights.shape)
    return result


def floating(x_dtype, y_dtype, steps, cval):
    """Numbers of a float result."""
    single = y_dtype == SINGLE and ((x_dtype.kind, x_dtype.itemsize) == ("f", 4) or is_short(x_dtype))
    single = single and (cval == 0 or not math.isfinite(cval) or 2.0**-100 < abs(cval) < 2.0**100)
    single = single and in_single(*(step.weights for step in steps))
    return Numbers(SINGLE if single else DOUBLE, (None,) * len(steps))


def extremes(dtype):
    """The least and the largest of an integer type."""
    return (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def unit_of(weights):
    """The largest power of two that all weights are multiples of, or None below ``1 / FRACTION``."""
    scaled = weights * FRACTION
    if not np.all(np.abs(scaled) < 2.0**62) or np.any(scaled != np.rint(scaled)):
        return None
    divisor = int(np.gcd.reduce(scaled.astype(np.int64), axis=None)) or 1
    return (divisor & -divisor) / FRACTION


def _wraps(low, high, y_dtype, steps, units, bound, cval, saturates):
    """`wraps` of steps whose input is within low and high; None if a sum may pass `bound`."""
    least, most = extremes(y_dtype)
    size, wraps = max(-low, high), []
    for step, unit in zip(steps, units, strict=True):
        low, high, size = min(low, cval), max(high, cval), max(size, abs(cval))
        size *= float(np.abs(step.weights).sum())
        if size / unit >= bound:
            return None
        up, down = float(step.weights.clip(0).sum()), float(step.weights.clip(None, 0).sum())
        low, high = (up * low + down * high) / step.divisor, (up * high + down * low) / step.divisor
        wrap = low <= least - 1 or high >= most + 1
        if wrap and (saturates(y_dtype) or (y_dtype.itemsize <= 2 and max(-low, high) >= REGISTER)):
            return None
        stays = not wrap and step.divisor == 1 and unit >= 1
        wraps.append(None if stays else wrap)
        if not stays:
            low, high = (least, most) if wrap else (math.trunc(low), math.trunc(high))
            size = max(-low, high)
    return tuple(wraps)


def whole(x, y_dtype, steps, cval, saturates):
    """
    Numbers of an integer result of integers, or None where its sums may not be exact.

    `saturates` says of which integer types SciPy's function doesn't wrap what is out of their range; where
    that may happen it isn't done here.
    """
    units = [unit_of(step.weights) for step in steps]
    if None in units or cval != math.floor(cval) or abs(cval) >= EXACT[DOUBLE]:
        return None

    def attempt(dtype, limits):
        wraps = _wraps(*limits, y_dtype, steps, units, EXACT[dtype], cval, saturates)
        return None if wraps is None else Numbers(dtype, wraps)

    found = attempt(SINGLE, extremes(x.dtype)) if is_short(x.dtype) else None
    if found is None:
        limits = int(x.min()), int(x.max())
        found = attempt(SINGLE, limits) or attempt(DOUBLE, limits)
    return found


def _store_exact(result, y):
    np.copyto(y, result, casting="unsafe")


def _store_wrapped(result, y):
    whole = (
        np.int32 if result.dtype == SINGLE else np.int64
    )  # float to a shorter or unsigned integer isn't defined
    np.copyto(y, result.astype(whole), casting="unsafe")


def storing(wrap, divisor, y_dtype):
    """The function (result, y) that stores a step's result: divided, rounded to 0, wrapped into `y_dtype`.

    y is of `y_dtype`, or the result itself: then it passes through an array of `y_dtype`.
    """
    convert = _store_wrapped if wrap else _store_exact

    def store(result, y):
        if divisor != 1:
            result /= divisor
        if y is not result:
            convert(result, y)
            return
        between = np.empty(y.shape, y_dtype)
        convert(result, between)
        y[...] = between

    return store


def numbers(x, y_dtype, steps, cval=0.0, saturates=lambda dtype: False):
    """The `Numbers` of a filter of x, or None."""
    if y_dtype.kind == "f":
        return floating(x.dtype, y_dtype, steps, cval)
    if x.dtype.kind == "f" or not math.isfinite(cval):
        return None
    return whole(x, y_dtype, steps, cval, saturates)
