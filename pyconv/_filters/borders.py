# SPDX-License-Identifier: BSD-3-Clause
"""What stands beyond an image, in SciPy's words."""

import functools
from typing import NamedTuple

import numpy as np

# SciPy's modes, and the word that stands for each here.
MODES = {mode: mode for mode in ("reflect", "mirror", "nearest", "wrap", "constant")} | {
    "grid-mirror": "reflect",
    "grid-wrap": "wrap",
    "grid-constant": "constant",
}


class Border(NamedTuple):
    """So many pixels before and after an axis; `value` is theirs if `mode` is "constant"."""

    before: int = 0
    after: int = 0
    mode: str = "constant"
    value: float = 0.0


@functools.lru_cache(maxsize=256)
def sources(mode, size, first, last):
    """Which of `size` pixels stands at each position ``first <= i < last``, for modes but "constant".

    Kept, since the same few are asked for by every band; not to be changed.
    """
    i = np.arange(first, last)
    if mode == "nearest":
        return i.clip(0, size - 1)
    if mode == "wrap":
        return i % size
    if mode == "reflect":  # d c b a | a b c d | d c b a
        i %= 2 * size
        return np.minimum(i, 2 * size - 1 - i)
    period = max(2 * size - 2, 1)  # mirror: d c b | a b c d | c b a
    i %= period
    return np.minimum(i, period - i)


def outside(first, count, size):
    """Positions ``first <= i < first + count`` that are not in ``0 <= i < size``, as two ranges."""
    last = first + count
    return (first, min(last, 0)), (max(first, size), last)


def fill_rows(band, x, first, border):
    """``band[:, i] = x[:, first + i]``, for rows beyond the image as `border` says. Converts the type.

    band: (images, rows, columns, inner), x: (images, height, columns, inner).
    """
    rows, height = band.shape[1], x.shape[1]
    top, bottom = max(first, 0), min(first + rows, height)
    if top < bottom:
        band[:, top - first : bottom - first] = x[:, top:bottom]
    for start, stop in outside(first, rows, height):
        if start < stop:
            constant = border.mode == "constant"
            band[:, start - first : stop - first] = (
                border.value if constant else x[:, sources(border.mode, height, start, stop)]
            )


def fill_columns(band, border):
    """The columns of `band` (images, rows, before + columns + after, inner) around those that are filled."""
    before, width = border.before, band.shape[2] - border.before - border.after
    inside = band[:, :, before : before + width]
    for start, stop in (-before, 0), (width, width + border.after):
        if start < stop:
            constant = border.mode == "constant"
            band[:, :, before + start : before + stop] = (
                border.value if constant else inside[:, :, sources(border.mode, width, start, stop)]
            )
