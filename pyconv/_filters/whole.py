# SPDX-License-Identifier: BSD-3-Clause
"""A stage of an image as one plan that reads and writes their own types, borders included."""

import numpy as np

from .._api import plan
from .numbers import DOUBLE, SINGLE, rounded

# What a plan calls SciPy's borders; "constant" stands for itself.
MODES = {"reflect": "symmetric", "mirror": "reflect", "nearest": "replicate", "wrap": "circular"}
TYPES = frozenset(map(np.dtype, ("uint8", "int8", "uint16", "int16", "float32", "float64")))
CHANNELS = 8  # so many elements of a pixel are channels; rows of more are one long row


def mode_of(borders, x_dtype, dtype):
    """The padding mode of a plan in `dtype` that is that of all `borders`, or None."""
    modes = {
        ("constant", border.value) if border.mode == "constant" else MODES[border.mode]
        for border in borders
        if border.before or border.after
    }
    if len(modes) > 1:
        return None
    mode = modes.pop() if modes else "zeros"
    if mode[0] != "constant":
        return mode
    with np.errstate(all="ignore"):
        held = np.float64(mode[1]).astype(x_dtype)
    exact = float(held) == mode[1] or (x_dtype == dtype == SINGLE and np.isfinite(held))
    return ("constant", float(held)) if exact else None


def form(x, weight, borders):
    """
    ``(shape, weight, padding, layout, groups)`` of the plan for x (images, rows, columns, inner), or None.

    One axis is the rows of pixels of `inner` channels, or the columns of long rows.
    """
    images, rows, columns, inner = x.shape
    sides = [(border.before, border.after) for border in borders]
    if inner <= CHANNELS:
        if columns == 1 and weight.shape[1] == 1:
            images, rows, columns = 1, images, rows
            weight, sides = weight.T, [sides[1], sides[0]]
        shape, layout, groups = (images, rows, columns, inner), "NHWC", inner
        if inner == 1:
            shape, layout = (images, 1, rows, columns), "NCHW"
    elif columns == 1 and weight.shape[1] == 1:
        shape, layout, groups = (images, 1, rows, inner), "NCHW", 1
    else:
        return None
    return shape, np.broadcast_to(weight, (groups, 1, *weight.shape)), tuple(sides), layout, groups


def is_whole(x_dtype, y_dtype):
    """Whether a plan reads and writes these types."""
    return (x_dtype.kind == "b" or x_dtype in TYPES) and y_dtype in TYPES


def filter_whole(x, y, weight, borders, dtype, *, bias=None, accuracy="strict"):
    """
    ``y = round(correlation of x + bias)``, of rows and columns bordered by `borders`.

    Parameters
    ----------
    x, y : ndarray
        ``(images, rows, columns, inner)``, of types of which `is_whole` holds, apart in memory.
    weight : ndarray
        Of rows and columns, float64.
    dtype : numpy.dtype
        float32 or float64: computed in. Integers in y are rounded half to even.

    Returns
    -------
    bool
        Whether y is filled: it isn't where no plan is made of this.
    """
    x = x.view(np.uint8) if x.dtype == bool else x
    mode, made = mode_of(borders, x.dtype, dtype), form(x, rounded(weight, dtype), borders)
    if mode is None or made is None:
        return False
    shape, weight, padding, layout, groups = made
    add = None if bias is None else np.full(groups, bias, dtype)
    keywords = {"layout": layout, "groups": groups, "padding": padding, "padding_mode": mode}
    keywords |= {"dtype": x.dtype, "out_dtype": y.dtype, "accuracy": accuracy}
    ready = plan(shape, weight, add, **keywords)
    ready(x.reshape(shape), y.reshape(ready.output_shape))
    return True


def cut(weights, divisor, unit, y_dtype, least, most, dtypes=(SINGLE, DOUBLE)):
    """
    ``(weights, bias, dtype)`` with which rounding cuts sums of numbers within `least` and `most`, or None.

    The sums are multiples of q = unit / divisor, so that ``floor(v) = round(v - 1/2 + q/2)``, by q / 2 from
    where rounding turns. `dtype` is the first in which that is exact, or off by half as much at most. Where
    the results of a signed type may be negative, cutting isn't floor; below an unsigned type's 0 both give 0.
    """
    q = unit / divisor
    down = weights.clip(None, 0).sum() * most + weights.clip(0).sum() * least
    if down < 0 and y_dtype.kind != "u":
        return None
    size = float(np.abs(weights).sum()) * max(abs(least), abs(most)) / divisor + 1
    for dtype in dtypes:
        eps = float(np.finfo(dtype).eps) / 2
        exact = divisor == 1 and size / q < 1 / (4 * eps) and 0.5 / q < 1 / (4 * eps)
        if exact or (weights.size + 4) * eps * size <= q / 4:
            return weights / divisor, q / 2 - 0.5, dtype
    return None
