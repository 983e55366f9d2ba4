# SPDX-License-Identifier: BSD-3-Clause
"""
conv2d, and conv of any axes, in plain NumPy and float64: slow, small and obviously right. What the tests
judge by.
"""

import re
from itertools import product
from math import prod

import numpy as np

PAD_MODES = {
    "zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap",
    "symmetric": "symmetric",
}  # fmt: skip


def pair(value):
    """One value, or one per axis (height, width), as a tuple of two."""
    return (value, value) if np.isscalar(value) else tuple(value)


def sides(padding, size, kernel, stride, dilation):
    """
    Resolve any form of `padding` to ``((top, bottom), (left, right))``; the other arguments are pairs, or
    longer.
    """
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "valid":
        return ((0, 0),) * len(extent)
    if padding == "full":
        return tuple((e - 1, e - 1) for e in extent)
    if padding in ("same", "same_lower"):
        # ceil(size / stride) outputs; the odd line of an odd total is last in "same", first in "same_lower"
        totals = [max((-(-i // s) - 1) * s + e - i, 0) for i, s, e in zip(size, stride, extent, strict=True)]
        return tuple((t // 2, t - t // 2) if padding == "same" else (t - t // 2, t // 2) for t in totals)
    return tuple(pair(p) for p in ((padding,) * len(extent) if np.isscalar(padding) else padding))


def pad(x, *margins_and_mode):
    """`x` of shape (n, c, h, w), or more axes, with what stands around it: a word, or ("constant", value)."""
    *margins, mode = margins_and_mode
    widths = ((0, 0), (0, 0), *margins)
    if isinstance(mode, tuple):
        return np.pad(x, widths, constant_values=mode[1])
    return np.pad(x, widths, mode=PAD_MODES[mode])


def magnitudes(geometry):
    """The geometry for the absolute values of x."""
    mode = geometry.get("padding_mode")
    if not isinstance(mode, tuple):
        return geometry
    return {**geometry, "padding_mode": (mode[0], abs(mode[1]))}


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
    dtype=np.float64,
):
    """Cross-correlate: ``y[n,k,i,j] = sum over c,r,s of x[n, c, i*sh + r*dh, j*sw + s*dw] * w[k,c,r,s]``.

    The parameters are those of `pyconv.conv2d`; they are trusted, nothing is validated here.
    Returns an array of `dtype`, in which everything is summed, in the layout of `x`.
    """
    x, weight = np.asarray(x, dtype), np.asarray(weight, dtype)
    lead = x.shape[:-3]
    x = x.reshape(prod(lead), *x.shape[-3:])
    if layout == "NHWC":
        x = x.transpose(0, 3, 1, 2)
    n, ic, ih, iw = x.shape
    oc, _, kh, kw = weight.shape
    (sh, sw), (dh, dw) = pair(stride), pair(dilation)
    rows, columns = sides(padding, (ih, iw), (kh, kw), (sh, sw), (dh, dw))
    x = pad(x, rows, columns, padding_mode)
    oh = (x.shape[2] - (kh - 1) * dh - 1) // sh + 1
    ow = (x.shape[3] - (kw - 1) * dw - 1) // sw + 1

    # w: (kh, kw, g, oc/g, ic/g)   tap: (n, g, ic/g, oh*ow)   y: (n, g, oc/g, oh*ow)
    w = weight.transpose(2, 3, 0, 1).reshape(kh, kw, groups, oc // groups, ic // groups)
    y = np.zeros((n, groups, oc // groups, oh * ow), dtype)
    for r in range(kh):
        for s in range(kw):
            tap = x[..., r * dh :: sh, s * dw :: sw][..., :oh, :ow]
            y += w[r, s] @ tap.reshape(n, groups, ic // groups, oh * ow)

    y = y.reshape(n, oc, oh, ow)
    if bias is not None:
        y = y + np.asarray(bias, dtype)[:, None, None]
    if layout == "NHWC":
        y = y.transpose(0, 2, 3, 1)
    y = y.reshape(*lead, *y.shape[1:])
    if residual is not None:
        y = y + np.asarray(residual, dtype)
    return activate(y, activation)


def convolve(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    channels_last=False,
    padding_mode="zeros",
    activation=None,
    residual=None,
    dtype=np.float64,
):
    """`conv2d` along as many axes as the weight has, with any leading dimensions."""
    x, weight = np.asarray(x, dtype), np.asarray(weight, dtype)
    axes = weight.ndim - 2
    lead, oc, kernel = x.shape[: -axes - 1], weight.shape[0], weight.shape[2:]
    x = x.reshape(prod(lead), *x.shape[-axes - 1 :])
    if channels_last:
        x = np.moveaxis(x, -1, 1)
    stride, dilation = np.broadcast_to(stride, axes).tolist(), np.broadcast_to(dilation, axes).tolist()
    x = pad(x, *sides(padding, x.shape[2:], kernel, stride, dilation), padding_mode)
    size = [
        (i - (k - 1) * d - 1) // s + 1
        for i, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True)
    ]
    y = np.zeros((len(x), groups, oc // groups, *size), dtype)
    w = weight.reshape(groups, oc // groups, *weight.shape[1:])
    for tap in product(*map(range, kernel)):
        window = tuple(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, dilation, size, stride, strict=True)
        )
        part = x[(slice(None), slice(None), *window)].reshape(len(x), groups, weight.shape[1], *size)
        y += np.einsum("goc,ngc...->ngo...", w[(..., *tap)], part)
    y = y.reshape(len(x), oc, *size)
    if bias is not None:
        y = y + np.asarray(bias, dtype).reshape(-1, *[1] * axes)
    if channels_last:
        y = np.moveaxis(y, 1, -1)
    y = y.reshape(*lead, *y.shape[1:])
    if residual is not None:
        y = y + np.asarray(residual, dtype)
    return activate(y, activation)


def paint(x, weight, image, *, stride, before, dilation, groups=1):
    """
    The transposed convolution, pixel by pixel: ``y[o, i*s + r*d - p] += x[c, i] * weight[c, o, r]`` along
    every axis.

    x (n, c, ...), weight (c, k / groups, ...), y (n, k, *image), from `before` pixels on.
    """
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    n, ic, *inputs = x.shape
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    size = [
        max(p + o, (i - 1) * s + r)
        for p, o, i, s, r in zip(before, image, inputs, stride, reach, strict=True)
    ]
    y = np.zeros((n, groups, weight.shape[1], *size))
    x = x.reshape(n, groups, ic // groups, *inputs)
    w = weight.reshape(groups, ic // groups, *weight.shape[1:])
    for place in product(*map(range, inputs)):
        corner = [i * s for i, s in zip(place, stride, strict=True)]
        window = tuple(slice(c, c + r, d) for c, r, d in zip(corner, reach, dilation, strict=True))
        y[(..., *window)] += np.einsum("ngc,gco...->ngo...", x[(..., *place)], w)
    y = y.reshape(n, groups * weight.shape[1], *size)
    return y[(..., *(slice(p, p + o) for p, o in zip(before, image, strict=True)))]


def roundings(y, exact, scale, dtype):
    """Largest ``|y - exact|`` in units of ``eps / 2 * scale``; infinite where y is not finite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.abs(y - exact) / (np.finfo(dtype).eps / 2 * scale)
    return float(np.where(y == exact, 0, np.where(np.isfinite(y), ratio, np.inf)).max(initial=0))


def wider(dtype):
    """In which results in `dtype` are judged."""
    return np.longdouble if np.dtype(dtype) == np.float64 else np.float64


def tile_sums(pixels, outputs, kernel, m, stride, dilation):
    """
    Sum the last axis over the pixels that each of so many outputs shares with the rest of its tile.

    A tile is `m` outputs of one phase of the dilation over ``m + ceil(kernel / stride) - 1`` times `stride`
    pixels.
    """
    if kernel == 1:
        dilation = 1
    if kernel == 1 and stride == 1:
        m = 1
    number, phase = np.divmod(np.arange(outputs), dilation)
    first = (number // m * m * dilation + phase) * stride
    count = (m + -(-kernel // stride) - 1) * stride
    places = first[:, None] + np.arange(count) * dilation
    missing = max(0, int(places.max()) + 1 - pixels.shape[-1])
    return np.pad(pixels, [(0, 0)] * (pixels.ndim - 1) + [(0, missing)])[..., places].sum(-1)


def scale_name(algorithm):
    """Algorithms of one name here have one `error_scale`."""
    found = re.match(r"winograd_f\d|fft|strassen", algorithm)
    return found[0] if found else "direct"


def error_scale(algorithm, x, weight, bias=None, residual=None, *, dtype, activation=None, **geometry):
    """
    What the error of an algorithm in `dtype` is measured by, for each output: A or E, see `pyconv.conv2d`.

    To it comes what these leave out, numbers that underflow: the smallest normal one, times the scale of a
    transform.
    """
    x, weight, bias, residual = (
        None if a is None else np.abs(np.asarray(a, wider(dtype))) for a in (x, weight, bias, residual)
    )
    tiny = np.finfo(dtype).tiny
    geometry = magnitudes(geometry)
    tails = {"bias": bias, "residual": residual, "dtype": wider(dtype), **geometry}
    if scale_name(algorithm) == "direct":
        return conv2d(x, weight, **tails) + tiny
    groups, channels_last = geometry.get("groups", 1), geometry.get("layout") == "NHWC"
    tail = conv2d(x[..., :0] if channels_last else x[..., :0, :, :], weight[:, :0], **tails)

    # pixels: (n, g, h, w), summed over the channels of a group
    kernel, stride = weight.shape[2:], pair(geometry.get("stride", 1))
    dilation = pair(geometry.get("dilation", 1))
    pixels = x.reshape(-1, *x.shape[-3:])
    if channels_last:
        pixels = pixels.transpose(0, 3, 1, 2)
    margins = sides(geometry.get("padding", 0), pixels.shape[2:], kernel, stride, dilation)
    pixels = pad(pixels, *margins, geometry.get("padding_mode", "zeros"))
    pixels = (pixels**2).reshape(len(pixels), groups, -1, *pixels.shape[2:]).sum(2)
    filters = np.sqrt((weight**2).sum((1, 2, 3)))
    if algorithm == "strassen":
        filters = filters.reshape(groups, -1).max(1).repeat(len(filters) // groups)
    lines = tail.shape[-3:-1] if channels_last else tail.shape[-2:]
    if algorithm.startswith("winograd"):
        m = int(algorithm[len("winograd_f")])
        pixels = tile_sums(pixels, lines[1], kernel[1], m, stride[1], dilation[1]).swapaxes(2, 3)
        pixels = tile_sums(pixels, lines[0], kernel[0], m, stride[0], dilation[0]).swapaxes(2, 3)
        underflow = 64
    else:
        underflow = 8 * x[..., 0].size
        pixels = np.broadcast_to(pixels.sum((2, 3), keepdims=True), (*pixels.shape[:2], *lines))
    norms = np.sqrt(pixels).repeat(len(filters) // groups, 1)
    scale = norms * filters[:, None, None]
    scale += tiny * underflow * (1 + weight[0].size * (norms + filters[:, None, None]))
    if channels_last:
        scale = scale.transpose(0, 2, 3, 1)
    return scale.reshape(tail.shape) + tail
