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


def relative_error(y, expected):
    """Relative L2 error."""
    return float(np.linalg.norm(np.ravel(y - expected)) / max(np.linalg.norm(np.ravel(expected)), 1e-300))
