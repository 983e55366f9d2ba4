# SPDX-License-Identifier: BSD-3-Clause
"""The right values in float64, from the formulas alone: one product of matrices for each group."""

import numpy as np


def index(size, before, after, mode):
    """Which line of the image stands at each line of the padded one; -1 for a line of a constant."""
    at = np.arange(-before, size + after)
    if mode == "zeros" or isinstance(mode, tuple):
        return np.where((at < 0) | (at >= size), -1, at)
    if mode == "replicate":
        return np.clip(at, 0, size - 1)
    if mode == "circular":
        return at % size
    if mode == "symmetric":
        return np.minimum(at % (2 * size), 2 * size - 1 - at % (2 * size))
    period = max(2 * (size - 1), 1)
    return np.minimum(at % period, -at % period)  # reflect


def pad(x, rows, columns, mode):
    """x (n, c, ih, iw) -> (n, c, ih + padding, iw + padding)"""
    if not (any(rows) or any(columns)):
        return x
    if mode == "zeros" or isinstance(mode, tuple):
        n, c, ih, iw = x.shape
        wide = np.full((n, c, ih + sum(rows), iw + sum(columns)), 0.0 if mode == "zeros" else float(mode[1]))
        wide[:, :, rows[0] : rows[0] + ih, columns[0] : columns[0] + iw] = x
        return wide
    return x.take(index(x.shape[2], *rows, mode), 2).take(index(x.shape[3], *columns, mode), 3)


def patches(x, kernel, stride, dilation, size):
    """x (n, c, h, w), padded -> (n, c, kh, kw, oh, ow), x[n, c, i*sh + r*dh, j*sw + s*dw]"""
    (n, c), (sn, sc, sh, sw) = x.shape[:2], x.strides
    strides = (sn, sc, sh * dilation[0], sw * dilation[1], sh * stride[0], sw * stride[1])
    return np.lib.stride_tricks.as_strided(x, (n, c, *kernel, *size), strides)


def correlate(x, w, g):
    """x (n, ic, ih, iw), w (oc, ic/g, kh, kw) -> y (n, oc, oh, ow); g is a problems.Geometry."""
    n = x.shape[0]
    oc, icg, kh, kw = w.shape
    p = patches(pad(x, g.rows, g.columns, g.mode), (kh, kw), g.stride, g.dilation, g.size)
    # (g, oc/g, k) by (n, g, k, oh*ow)
    y = w.reshape(g.groups, oc // g.groups, icg * kh * kw) @ p.reshape(
        n, g.groups, icg * kh * kw, g.size[0] * g.size[1]
    )
    return y.reshape(n, oc, *g.size)


def weight_gradient(x, dy, w_shape, g):
    """dw[o, c, r, s] = sum of dy[n, o, i, j] * x[n, c, i*sh + r*dh, j*sw + s*dw]"""
    n, oc = dy.shape[:2]
    _, icg, kh, kw = w_shape
    p = patches(pad(x, g.rows, g.columns, g.mode), (kh, kw), g.stride, g.dilation, g.size)
    pixels = n * g.size[0] * g.size[1]
    a = dy.reshape(n, g.groups, oc // g.groups, pixels // max(n, 1)).transpose(1, 2, 0, 3)
    b = p.reshape(n, g.groups, icg * kh * kw, pixels // max(n, 1)).transpose(1, 0, 3, 2)
    a, b = a.reshape(g.groups, oc // g.groups, pixels), b.reshape(g.groups, pixels, icg * kh * kw)
    return (a @ b).reshape(w_shape)


def fold(canvas, rows, columns, size, mode):
    """The adjoint of `pad`: (n, c, *size) from (n, c, h, w): lines go to where they came from."""
    for axis, (sides, lines) in enumerate(zip((rows, columns), size, strict=True), 2):
        at = index(lines, *sides, mode)
        folded = np.zeros((*canvas.shape[:axis], lines, *canvas.shape[axis + 1 :]))
        for i, source in enumerate(at):
            if source >= 0:
                folded[(slice(None),) * axis + (source,)] += canvas.take(i, axis)
        canvas = folded
    return canvas


def paint(x, w, g, size, cut):
    """
    Transposed: y[n, k, i*sh + r*dh - cut, j*sw + s*dw - cut] += x[n, c, i, j] * w[c, k, r, s]

    x (n, ic, ih, iw), w (ic, k/g, kh, kw) -> (n, k, *size)
    """
    n, ic, ih, iw = x.shape
    _, kg, kh, kw = w.shape
    (sh, sw), (dh, dw) = g.stride, g.dilation
    tall = max((ih - 1) * sh + (kh - 1) * dh + 1, cut[0] + size[0])
    wide = max((iw - 1) * sw + (kw - 1) * dw + 1, cut[1] + size[1])
    canvas = np.zeros((n, g.groups * kg, tall, wide))
    if x.size:
        a = x.reshape(n, g.groups, ic // g.groups, ih * iw)
        b = w.reshape(g.groups, ic // g.groups, kg * kh * kw).transpose(0, 2, 1)
        # (n, g, k/g, kh, kw, ih, iw)
        taps = (b @ a).reshape(n, g.groups * kg, kh, kw, ih, iw)
        for r in range(kh):
            for s in range(kw):
                canvas[
                    :, :, r * dh : r * dh + (ih - 1) * sh + 1 : sh, s * dw : s * dw + (iw - 1) * sw + 1 : sw
                ] += taps[:, :, r, s]
    return canvas[:, :, cut[0] : cut[0] + size[0], cut[1] : cut[1] + size[1]]
