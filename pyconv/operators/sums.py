# SPDX-License-Identifier: BSD-3-Clause
"""The gradient of a bias: sums over all but the channels."""

import math

import numpy as np

from .._config import thread_count
from .._kernels import (
    as_array,
    as_operand,
    computed_in,
    deliver,
    new_output,
    refuse_overlap,
    sum_channels,
    take_out,
)


def channel_sums(dy, axis, axes, threads, out):
    """The sum for each channel, which `axis` counts, of images with 2 axes or signals with 1."""
    dy = as_array(dy, "dy")
    inner = computed_in(dy.dtype, "dy", "dy")
    threads = thread_count(threads)
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
    last = axis == -1
    if last:
        n, pixels = 1, math.prod(dy.shape[:-1])
    else:
        n, pixels = math.prod(dy.shape[:axis]), math.prod(dy.shape[axis + 1 :])
    values = as_operand(dy.astype(inner, copy=False), "dy")
    values = values.reshape((n, pixels, channels) if last else (n, channels, pixels))
    with np.errstate(all="ignore"):  # infinities, as in a convolution
        y[...] = sum_channels(values, n, channels, pixels, last, threads or 0)
    return deliver(out, y, y)
