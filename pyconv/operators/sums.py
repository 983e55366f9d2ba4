# SPDX-License-Identifier: BSD-3-Clause
"""The gradient of a bias: sums over all but the channels, in pairs, or in blocks and then the blocks."""

import math

import numpy as np

from .._kernels import as_array, as_operand, computed_in, deliver, new_output, refuse_overlap, take_out

BLOCK = 128  # rows that are added one after another, as many as NumPy adds of a line of numbers
NARROW = 32  # columns below which rows are too short to be added as they are


def _column_sums(rows, dtype):
    """Of a matrix, as `dtype`."""
    while len(rows) > BLOCK:
        whole = len(rows) // BLOCK * BLOCK
        blocks = rows[:whole].reshape(-1, BLOCK, rows.shape[1]).sum(1, dtype=dtype)
        rows = np.concatenate([blocks, rows[whole:].sum(0, dtype=dtype, keepdims=True)])
    return rows.sum(0, dtype=dtype)


def channel_sums(dy, axis, axes, out):
    """The sum for each channel, which `axis` counts, of images with 2 axes or signals with 1."""
    dy = as_array(dy, "dy")
    inner = computed_in(dy.dtype, "dy", "dy")
    if dy.ndim <= axes:
        sizes = ("filters, length", "filters, rows, columns")[axes - 1]
        raise ValueError(f"dy must have at least {axes + 1} dimensions ({sizes}), has shape {dy.shape}")
    channels = dy.shape[axis]
    dtype = dy.dtype.newbyteorder("=")
    if out is None:
        y = new_output((channels,), dtype)
    else:
        y = take_out(out, dtype.num, (channels,))
        refuse_overlap(y, "out", (("dy", dy),))
    values = as_operand(dy, "dy")
    with np.errstate(all="ignore"):
        if axis != -1:
            before, pixels = math.prod(dy.shape[:axis]), math.prod(dy.shape[axis + 1 :])
            sums = values.reshape(before, channels, pixels).sum(2, dtype=inner)
        else:
            sums = values.reshape(math.prod(dy.shape[:-1]), channels)
            if channels < NARROW:
                sums = np.ascontiguousarray(sums.T).sum(1, dtype=inner)[None]
        y[...] = _column_sums(sums, inner)
    return deliver(out, y, y)
