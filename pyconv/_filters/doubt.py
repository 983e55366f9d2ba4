# SPDX-License-Identifier: BSD-3-Clause
"""
Integers cut from sums whose weights are multiples of nothing, as Gaussians of bytes into bytes are.

SciPy cuts ``v = sum of weights[i] * x[i]`` in double precision, rounded in its own order. Here v is computed
in float32, and cut twice: a bound of all errors below it, and as much above. Where both are the same integer
it is SciPy's. Elsewhere v is within rounding of an integer, and SciPy decides: of windows of one value, as
clipped highlights are, by a table; of others window by window, once double precision leaves a doubt.
"""

import numpy as np
import scipy.ndimage

from .borders import Border, fill_rows
from .numbers import DOUBLE, SINGLE, extremes, in_single
from .whole import filter_whole, is_whole

# Windows in doubt that hold more elements together than so many times x's are left to SciPy; of those that it
# is asked for one by one, each a line of as many results, as many as x has elements.
FEW = 2
correlate1d = scipy.ndimage.correlate1d  # its own, whatever is put in its place later


def _bound(weights, most, dtype):
    """
    More than the distance between v - 1/2 in `dtype` and SciPy's.

    The strict class allows taps + 3 roundings, weights are within two of their own, and SciPy's sum takes
    taps + 1, with weights that differ from their mirror images by up to 2**-52 taken as those.
    """
    taps, rounding = weights.size, float(np.finfo(dtype).eps) / 2
    size = float(weights.sum()) * most + 1
    return 1.25 * (((taps + 6) * rounding + (taps + 2) * 2.0**-53) * size + taps * 2.0**-52 * most)


def _flat(line, taps):
    """Whether each window of `taps` along the second axis is of one value."""
    same = line[:, 1:] == line[:, :-1]
    span, needed = 1, taps - 1
    while span < needed:
        step = min(span, needed - span)
        same = same[:, :-step] & same[:, step:]
        span += step
    return same if needed else np.ones(line.shape, bool)


def _decide(windows, weights, most, y_dtype, few):
    """SciPy's integers of windows (count, taps), or None where more than a `few` are near one."""
    sums = windows @ weights
    result = np.floor(sums).astype(y_dtype)
    near = np.flatnonzero(np.abs(sums - np.rint(sums)) <= _bound(weights, most, DOUBLE))
    if near.size > few:
        return None
    if near.size:
        cut = correlate1d(windows[near], weights, 1, y_dtype, mode="nearest")
        result[near] = cut[:, weights.size // 2]
    return result


def cut_sums(x, y, weights, border, most):
    """
    SciPy's `correlate1d` along the second axis of x, into y.

    Parameters
    ----------
    x, y : ndarray
        ``(images, rows, 1, inner)``, of integers of which `whole.is_whole` holds, apart in memory.
    weights : ndarray
        Not negative.
    border : Border
    most : int
        x is within 0 and this.

    Returns
    -------
    int or None
        The largest number that y may hold; None where y isn't filled.
    """
    taps, dtype = weights.size, SINGLE if most < 256 and in_single(weights) else DOUBLE
    most = max(most, border.value) if border.mode == "constant" else most
    highest, bound = float(weights.sum()) * most, _bound(weights, most, dtype)
    negative = weights.min() < 0 or (border.mode == "constant" and border.value < 0)
    if negative or not is_whole(x.dtype, y.dtype) or bound > 0.01:
        return None
    if highest + 2 * bound >= extremes(y.dtype)[1] + 1:
        return None
    above, line = np.empty_like(y), np.empty((x.shape[0], x.shape[1] + taps - 1, *x.shape[2:]), x.dtype)
    column, borders = weights[:, None], (border, Border())
    for into, bias in (y, -0.5 - bound), (above, -0.5 + bound):
        if not filter_whole(x, into, column, borders, dtype, bias=bias):
            return None
    doubt = y != above
    if not doubt.any():
        return int(highest + bound)
    fill_rows(line, x, -border.before, border)
    flat = _flat(line, taps)
    flat &= doubt
    if flat.any():
        values = np.arange(int(most) + 1).astype(x.dtype)
        table = correlate1d(values[:, None], weights, 1, y.dtype, mode="nearest")[:, 0]
        if np.array_equal(table, values):
            np.copyto(y, above, where=flat)
        else:
            where = np.flatnonzero(flat)
            y.reshape(-1)[where] = table[x.reshape(-1)[where].astype(np.intp)]
    doubt ^= flat
    where = np.flatnonzero(doubt)
    if where.size * taps > FEW * x.size:
        return None
    if where.size:
        image, row, zero, inner = (index[:, None] for index in np.unravel_index(where, x.shape))
        decided = _decide(
            line[image, row + np.arange(taps), zero, inner], weights, most, y.dtype, x.size // taps
        )
        if decided is None:
            return None
        y.reshape(-1)[where] = decided
    return int(highest + bound)
