# SPDX-License-Identifier: BSD-3-Clause
"""Kernels: SciPy's Gaussians, kernels that come apart into two, two that are better made one."""

import functools

import numpy as np
from scipy.ndimage import gaussian_filter1d

# A pass over R x S taps costs as much as two over R and S where R S = JOINT (R + S): measured on 1920 columns
# with AVX-512, between 7 x 7 and 9 x 9.
JOINT = 3.5

# The time of SciPy's running sums doesn't depend on the length of the box: on 1080 x 1920 pixels, 31 x 31
# takes 0.4 (float32) to 0.9 (bytes) of it here, 61 x 61 0.9 to 1.3.
LONGEST_BOX = 31


@functools.lru_cache(maxsize=64)
def gaussian(sigma, order, truncate, radius):
    """The weights of SciPy's `gaussian_filter1d`, for correlation: its response to an impulse, turned."""
    reach = int(truncate * sigma + 0.5) if radius is None else radius
    impulse = np.zeros(2 * reach + 1)
    impulse[reach] = 1.0
    weights = gaussian_filter1d(
        impulse, sigma, order=order, mode="constant", truncate=truncate, radius=radius
    )[::-1].copy()
    weights.flags.writeable = False
    return weights


def join(columns, rows):
    """Whether one pass over all taps of two kernels of one axis each is cheaper than one over each."""
    return columns * rows <= JOINT * (columns + rows)


def factors(weights):
    """
    Weights of one row each whose outer product is `weights` (R, S), to rounding, or None.

    Of integer weights, both are integers, so that their products are the weights themselves.
    """
    i, j = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    pivot = weights[i, j]
    column, row = weights[:, j], weights[i]
    if pivot == 0:
        return None
    if np.all(weights == np.rint(weights)) and abs(pivot) < 2.0**52:
        divisor = int(np.gcd.reduce(column.astype(np.int64)))
        column, row = column / divisor, row * divisor / pivot
        close = np.all(row == np.rint(row)) and np.array_equal(np.multiply.outer(column, row), weights)
    else:
        column = column / pivot
        close = np.all(np.abs(np.multiply.outer(column, row) - weights) <= 2.0**-50 * np.abs(weights))
    return (column, row) if close else None


def apart(weights):
    """Weights of one axis each whose product is `weights` of three, as `factors`, or None."""
    size = weights.size
    if size <= JOINT * sum(weights.shape):
        return None
    first = factors(weights.reshape(len(weights), -1))
    rest = first and factors(first[1].reshape(weights.shape[1:]))
    return (first[0], *rest) if rest else None
