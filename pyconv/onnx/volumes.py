# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of volumes, slice by slice."""

import numpy as np

from .._api import conv2d
from ..operators.transpose import conv_transpose2d
from .window import Window


def conv3d(x, w, b, window, **keywords):
    """
    One two-dimensional convolution of slices whose channels are those of all slices under the kernel.

    x (N, C, D, H, W), w (K, C / groups, KD, KH, KW)
    slices (N OD, C KD, H, W), w (K, C / groups KD, KH, KW)
    """
    n, c, depth, *image = x.shape
    (before, after), *sides = window.padding
    reach, step = w.shape[2], window.dilation[0]
    [deep] = Window(window.stride[:1], (step,), ((before, after),)).outputs((depth,), (reach,))
    if deep < 1:
        raise ValueError(f"no output is left: {depth} slices, {reach} of the kernel {step} apart")
    padded = np.pad(x, ((0, 0), (0, 0), (before, after), (0, 0), (0, 0))) if before or after else x
    taken = (np.arange(deep) * window.stride[0])[:, None] + np.arange(reach) * step
    slices = np.moveaxis(padded[:, :, taken], 2, 1).reshape(n * deep, c * reach, *image)
    flat = w.reshape(w.shape[0], w.shape[1] * reach, *w.shape[3:])
    y = conv2d(
        slices,
        flat,
        b,
        stride=window.stride[1:],
        padding=tuple(sides),
        dilation=window.dilation[1:],
        groups=window.groups,
        **keywords,
    )
    return np.ascontiguousarray(np.moveaxis(y.reshape(n, deep, *y.shape[1:]), 1, 2))


def conv_transpose3d(x, w, b, window, extra):
    """Each slice of the kernel, transposed in two dimensions, added to the slices that it reaches."""
    n, _, depth, *_ = x.shape
    (before, after), *sides = window.padding
    step, apart = window.stride[0], window.dilation[0]
    slices = np.moveaxis(x, 2, 1).reshape(n * depth, x.shape[1], *x.shape[3:])
    whole = None
    for d in range(w.shape[2]):
        part = conv_transpose2d(
            slices,
            np.ascontiguousarray(w[:, :, d]),
            stride=window.stride[1:],
            padding=tuple(sides),
            output_padding=extra[1:],
            dilation=window.dilation[1:],
            groups=window.groups,
        )
        if whole is None:
            deep = (depth - 1) * step + (w.shape[2] - 1) * apart + 1 + extra[0]
            whole = np.zeros((n, deep, *part.shape[1:]), part.dtype)
        whole[:, d * apart :: step][:, :depth] += part.reshape(n, depth, *part.shape[1:])
    y = np.ascontiguousarray(np.moveaxis(whole[:, before : whole.shape[1] - after], 1, 2))
    return y if b is None else y + b.reshape(-1, 1, 1, 1)
