# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of a layer and its transposed convolution: operands, exact results, kinds.

A layer of lib/shapes.py is read as the convolution whose gradients are taken; of transposed.txt, as the
transposed convolution with these filters, whose result has at least stride times the size of its input.
"""

import dataclasses
import zlib

import numpy as np

from lib import reference

OPERATORS = ("input_gradient", "weight_gradient", "transposed")
FEW_CHANNELS = 32
SMALL_IMAGE = 16  # pixels along an axis


def kind(layer):
    """By which layers are summed up."""
    kernel = f"{layer.kh}x{layer.kw}"
    stride = f"/{layer.sh}" if layer.sh == layer.sw else f"/{layer.sh},{layer.sw}"
    if layer.g == layer.ic > 1:
        return f"depthwise {kernel}{stride}"
    if layer.g > 1:
        return "grouped"
    if layer.ic <= 4:
        return "stem"
    if (layer.dh, layer.dw) != (1, 1):
        return "dilated"
    if max(layer.ic, layer.oc) <= FEW_CHANNELS and max(layer.ih, layer.iw) <= SMALL_IMAGE:
        return "small"
    return kernel + stride


def _axes(layer):
    """(inputs, stride, pixels under the kernel, padding) of rows and columns."""
    extents = layer.dh * (layer.kh - 1) + 1, layer.dw * (layer.kw - 1) + 1
    return zip((layer.ih, layer.iw), (layer.sh, layer.sw), extents, (layer.ph, layer.pw), strict=True)


def output_padding(layer):
    """What brings the result of the transposed convolution to stride times the size of its input."""
    return tuple(max(0, stride - extent + 2 * pad) for _, stride, extent, pad in _axes(layer))


def forward(layer):
    """The convolution whose input gradient the transposed convolution of `layer` is."""
    axes = zip(_axes(layer), output_padding(layer), strict=True)
    h, w = ((i - 1) * stride + extent - 2 * pad + extra for (i, stride, extent, pad), extra in axes)
    return dataclasses.replace(layer, ic=layer.oc, oc=layer.ic, ih=h, iw=w)


def operands(of, layer):
    """x, weight and dy, the same in every process. A transposed convolution takes dy; its x is None."""
    if of == "transposed":
        layer = forward(layer)
    rng = np.random.default_rng(zlib.crc32(layer.name.encode()))
    dy = rng.standard_normal(layer.y_shape, np.float32)
    weight = rng.standard_normal(layer.w_shape, np.float32)
    return None if of == "transposed" else rng.standard_normal(layer.x_shape, np.float32), weight, dy


def expected(of, layer, x, weight, dy):
    """In float64."""
    if of == "transposed":
        layer = forward(layer)
    if of == "weight_gradient":
        return reference.weight_gradient(layer, x, dy)
    return reference.input_gradient(layer, weight, dy)
