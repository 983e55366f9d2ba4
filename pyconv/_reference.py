# SPDX-License-Identifier: BSD-3-Clause
"""conv2d in plain NumPy and float64: slow, small and obviously right. What the tests judge by."""

from math import prod

import numpy as np

_PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pair(value):
    """One value, or one per axis (height, width), as a tuple of two."""
    return (value, value) if np.isscalar(value) else tuple(value)


def sides(padding, size, kernel, stride, dilation):
    """Resolve any form of `padding` to ``((top, bottom), (left, right))``; the other arguments are pairs."""
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "valid":
        return ((0, 0), (0, 0))
    if padding == "full":
        return tuple((e - 1, e - 1) for e in extent)
    if padding in ("same", "same_lower"):
        # ceil(size / stride) outputs; the odd line of an odd total is last in "same", first in "same_lower"
        totals = [max((-(-i // s) - 1) * s + e - i, 0) for i, s, e in zip(size, stride, extent, strict=True)]
        return tuple((t // 2, t - t // 2) if padding == "same" else (t - t // 2, t // 2) for t in totals)
    return tuple(pair(p) for p in pair(padding))


def activate(y, activation):
    """Clamp `y` to the activation's range; NaN stays NaN."""
    if activation is None:
        return y
    _, lo, hi = {"relu": (None, 0, np.inf), "relu6": (None, 0, 6)}.get(activation, activation)
    return np.clip(y, lo, hi)


def conv2d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    padding_mode="zeros",
    activation=None,
    residual=None,
):
    """Cross-correlate: ``y[n,k,i,j] = sum over c,r,s of x[n, c, i*sh + r*dh, j*sw + s*dw] * w[k,c,r,s]``.

    The parameters are those of `pyconv.conv2d`; they are trusted, nothing is validated here.
    Returns a float64 array in the layout of `x`.
    """
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    lead = x.shape[:-3]
    x = x.reshape(prod(lead), *x.shape[-3:])
    if layout == "NHWC":
        x = x.transpose(0, 3, 1, 2)
    n, ic, ih, iw = x.shape
    oc, _, kh, kw = weight.shape
    (sh, sw), (dh, dw) = pair(stride), pair(dilation)
    rows, columns = sides(padding, (ih, iw), (kh, kw), (sh, sw), (dh, dw))
    x = np.pad(x, ((0, 0), (0, 0), rows, columns), mode=_PAD_MODES[padding_mode])
    oh = (x.shape[2] - (kh - 1) * dh - 1) // sh + 1
    ow = (x.shape[3] - (kw - 1) * dw - 1) // sw + 1

    # w: (g, oc/g, ic/g, kh, kw)   tap: (n, g, ic/g, oh*ow)   y: (n, g, oc/g, oh*ow)
    w = weight.reshape(groups, oc // groups, ic // groups, kh, kw)
    y = np.zeros((n, groups, oc // groups, oh * ow))
    for r in range(kh):
        for s in range(kw):
            tap = x[..., r * dh :: sh, s * dw :: sw][..., :oh, :ow]
            y += w[..., r, s] @ tap.reshape(n, groups, ic // groups, oh * ow)

    y = y.reshape(n, oc, oh, ow)
    if bias is not None:
        y = y + np.asarray(bias, np.float64)[:, None, None]
    if layout == "NHWC":
        y = y.transpose(0, 2, 3, 1)
    y = y.reshape(*lead, *y.shape[1:])
    if residual is not None:
        y = y + np.asarray(residual, np.float64)
    return activate(y, activation)
