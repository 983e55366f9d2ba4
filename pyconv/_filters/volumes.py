# SPDX-License-Identifier: BSD-3-Clause
"""A pass over three axes, of a kernel that doesn't come apart: one convolution, channel by channel."""

import numpy as np

from ..volumes.convolve import plan_conv3d
from .numbers import rounded
from .whole import TYPES, mode_of


def filter_volume(x, y, weight, borders, dtype, store, accuracy):
    """
    ``y = store(correlation of x)``, of slices, rows and columns bordered by `borders`.

    Parameters
    ----------
    x : ndarray
        ``(volumes, slices, rows, columns, inner)``, of any real type that `dtype` holds, apart from y.
    y : ndarray
        C-contiguous.
    dtype : numpy.dtype
        float32 or float64: computed in.
    store : callable, optional
        Of the result and y; None of floats, which are y's when rounded.

    Returns
    -------
    bool
        Whether y is filled: it isn't where no plan is made of this.
    """
    x = x.view(np.uint8) if x.dtype == bool else x
    x = x if x.dtype in TYPES else x.astype(dtype)
    mode = mode_of(borders, x.dtype, dtype)
    if mode is None:
        return False
    inner = x.shape[-1]
    shape = x.shape if inner > 1 else (x.shape[0], 1, *x.shape[1:-1])
    ready = plan_conv3d(
        shape,
        np.broadcast_to(rounded(weight, dtype), (inner, 1, *weight.shape)),
        groups=inner,
        layout="NDHWC" if inner > 1 else "NCDHW",
        padding=tuple((border.before, border.after) for border in borders),
        padding_mode=mode,
        accuracy=accuracy,
        dtype=x.dtype,
        out_dtype=y.dtype if store is None else dtype,
    )
    if store is None:
        ready(x.reshape(shape), y.reshape(ready.output_shape))
    else:
        result = ready(x.reshape(shape))
        store(result, y.reshape(result.shape))
    return True
