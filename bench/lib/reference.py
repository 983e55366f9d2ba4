# SPDX-License-Identifier: BSD-3-Clause
"""The answer every library is held to: float64, from the definition, sharing no code with any of them."""

import numpy as np

PATCH_BYTES = 1 << 26


def conv2d(layer, x, weight, bias):
    """y[n,k,i,j] = bias[k] + sum over c,r,s of weight[k,c,r,s] x[n,c,i*sh+r*dh-ph,j*sw+s*dw-pw], in float64.

    Patches are gathered in blocks of about ``PATCH_BYTES``, each multiplied by the weights of its group.
    """
    n, oc, oh, ow = layer.y_shape
    k = weight[0].size
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (layer.ph,) * 2, (layer.pw,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (layer.dh * (layer.kh - 1) + 1, layer.dw * (layer.kw - 1) + 1), (2, 3)
    )[:, :, :: layer.sh, :: layer.sw, :: layer.dh, :: layer.dw]
    windows = windows.reshape(n, layer.g, -1, *windows.shape[2:])  # n g ic/g oh ow kh kw
    matrices = weight.astype(np.float64).reshape(layer.g, oc // layer.g, k)
    y = np.empty((n, layer.g, oc // layer.g, oh, ow))
    rows = max(1, PATCH_BYTES // (8 * layer.g * k * ow))
    for image in range(n):
        for i in range(0, oh, rows):
            patches = windows[image, :, :, i : i + rows].transpose(0, 1, 4, 5, 2, 3).reshape(layer.g, k, -1)
            y[image, :, :, i : i + rows] = (matrices @ patches).reshape(layer.g, oc // layer.g, -1, ow)
    return y.reshape(layer.y_shape) + bias.astype(np.float64)[:, None, None]


def _taps(layer, padded):
    """(r, s, pixels (n, g, ic/g, oh, ow) that tap r, s of the filters meets, a view of the padded images)."""
    n, _, oh, ow = layer.y_shape
    grouped = padded.reshape(n, layer.g, -1, *padded.shape[2:])
    for r in range(layer.kh):
        for s in range(layer.kw):
            pixels = grouped[..., r * layer.dh :: layer.sh, s * layer.dw :: layer.sw]
            yield r, s, pixels[..., :oh, :ow]


def input_gradient(layer, weight, dy):
    """dx[n,c,i*sh+r*dh-ph,j*sw+s*dw-pw] = sum over k,i,j,r,s of weight[k,c,r,s] dy[n,k,i,j], in float64."""
    padded = np.zeros((layer.n, layer.ic, layer.ih + 2 * layer.ph, layer.iw + 2 * layer.pw))
    dy = dy.astype(np.float64).reshape(layer.n, layer.g, -1, layer.oh * layer.ow)
    matrices = weight.astype(np.float64).reshape(layer.g, -1, *weight.shape[1:])
    for r, s, pixels in _taps(layer, padded):
        pixels += (matrices[..., r, s].swapaxes(1, 2) @ dy).reshape(pixels.shape)
    return padded[..., layer.ph : layer.ph + layer.ih, layer.pw : layer.pw + layer.iw]


def weight_gradient(layer, x, dy):
    """dw[k,c,r,s] = sum over n,i,j of dy[n,k,i,j] x[n,c,i*sh+r*dh-ph,j*sw+s*dw-pw], in float64."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (layer.ph,) * 2, (layer.pw,) * 2))
    dy = dy.astype(np.float64).reshape(layer.n, layer.g, -1, layer.oh * layer.ow)
    dw = np.empty((layer.g, layer.oc // layer.g, *layer.w_shape[1:]))
    for r, s, pixels in _taps(layer, padded):
        dw[..., r, s] = (dy @ pixels.reshape(*pixels.shape[:3], -1).swapaxes(2, 3)).sum(0)
    return dw.reshape(layer.w_shape)


def relative_error(y, expected):
    """Relative L2 error."""
    return float(np.linalg.norm(np.ravel(y - expected)) / max(np.linalg.norm(np.ravel(expected)), 1e-300))
