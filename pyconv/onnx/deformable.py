# SPDX-License-Identifier: BSD-3-Clause
"""DeformConv: pixels gathered between the points of the grid, then one matrix product for each group."""

import numpy as np

from .window import conv_window


def _between(image, rows, columns):
    """image (C, H, W) at points between its pixels, bilinear, 0 outside: (C, *rows.shape)."""
    c, h, w = image.shape
    top, left = np.floor(rows), np.floor(columns)
    down, right = rows - top, columns - left
    flat, total = image.reshape(c, h * w), np.zeros((c, *rows.shape), image.dtype)
    for row, row_share in ((top, 1 - down), (top + 1, down)):
        for column, column_share in ((left, 1 - right), (left + 1, right)):
            inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
            at = np.where(inside, row * w + column, 0).astype(np.intp)
            total += flat[:, at] * np.where(inside, row_share * column_share, 0)
    return total


def deform_conv(x, w, offset, b=None, mask=None, *, offset_group=None, **attributes):
    """
    DeformConv of images.

    x (N, C, H, W), w (K, C / group, R, S), offset (N, offset_group R S 2, OH, OW) of (row, column) pairs,
    mask (N, offset_group R S, OH, OW)
    """
    if x.ndim != 4:
        raise ValueError(f"DeformConv is served for images (N, C, H, W) alone, x has shape {x.shape}")
    window = conv_window(x.shape[2:], w.shape[2:], **attributes)
    (n, c), (kh, kw), parts = x.shape[:2], w.shape[2:], int(offset_group or 1)
    oh, ow = window.outputs(x.shape[2:], w.shape[2:])
    groups, filters = window.groups, w.shape[0]
    if c != w.shape[1] * groups or filters % groups or c % parts:
        raise ValueError(f"x {x.shape}, weight {w.shape} do not fit group {groups}, offset_group {parts}")
    if offset.shape != (n, parts * kh * kw * 2, oh, ow):
        raise ValueError(f"offset has shape {offset.shape}, wanted {(n, parts * kh * kw * 2, oh, ow)}")
    if mask is not None and mask.shape != (n, parts * kh * kw, oh, ow):
        raise ValueError(f"mask has shape {mask.shape}, wanted {(n, parts * kh * kw, oh, ow)}")
    offset = offset.reshape(n, parts, kh, kw, 2, oh, ow)
    starts = (
        (np.arange(o) * s - p) for o, s, (p, _) in zip((oh, ow), window.stride, window.padding, strict=True)
    )
    row, column = (np.asarray(start, x.dtype) for start in starts)
    taps = (np.arange(k) * d for k, d in zip((kh, kw), window.dilation, strict=True))
    down, right = (np.asarray(tap, x.dtype) for tap in taps)
    rows = offset[:, :, :, :, 0] + down[:, None, None, None] + row[:, None]
    columns = offset[:, :, :, :, 1] + right[:, None, None] + column
    gathered = np.empty((n, c, kh, kw, oh, ow), x.dtype)
    each = c // parts
    for i in range(n):
        for part in range(parts):
            channels = slice(part * each, (part + 1) * each)
            gathered[i, channels] = _between(x[i, channels], rows[i, part], columns[i, part])
            if mask is not None:
                gathered[i, channels] *= mask[i].reshape(parts, kh, kw, oh, ow)[part]
    # (groups, K / groups, C / groups R S) @ (N, groups, C / groups R S, OH OW)
    y = w.reshape(groups, filters // groups, -1) @ gathered.reshape(n, groups, -1, oh * ow)
    y = y.reshape(n, filters, oh, ow)
    return y if b is None else y + b.reshape(-1, 1, 1)
