# SPDX-License-Identifier: BSD-3-Clause
"""ONNX's convolutions on arrays, attributes as keywords; a function for each operator."""

import numpy as np

from .._api import conv2d
from ..operators.transpose import conv_transpose2d
from ..volumes.convolve import conv3d
from ..volumes.transpose import conv_transpose3d
from .window import conv_window, transposed_window

# Products that float32 adds up exactly: integers below 2**24.
EXACT = 1 << 24


def as_images(array):
    """A signal (N, C, L) as an image of one row; else the array."""
    return array[:, :, None] if array.ndim == 3 else array


def of_images(window, axes):
    """Stride, padding, dilation of images or volumes; those of signals behind those of one row."""
    row = axes == 1
    return {
        "stride": (1,) * row + window.stride,
        "padding": ((0, 0),) * row + window.padding,
        "dilation": (1,) * row + window.dilation,
        "groups": window.groups,
    }


def spatial(x, w):
    """Number of spatial axes, from 1 to 3."""
    if x.ndim != w.ndim or not 3 <= x.ndim <= 5:
        raise ValueError(
            f"x {x.shape} and weight {w.shape} must both have batch, channels and 1 to 3 spatial axes"
        )
    return x.ndim - 2


def convolve(x, w, b, window, **keywords):
    """`window` on arrays of one to three spatial axes; keywords are those of `pyconv.conv2d`."""
    axes = spatial(x, w)
    if axes == 3:
        return conv3d(x, w, b, **of_images(window, axes), **keywords)
    y = conv2d(as_images(x), as_images(w), b, **of_images(window, axes), **keywords)
    return y[:, :, 0] if axes == 1 else y


def conv(x, w, b=None, **attributes):
    """Conv: x (N, C, ...), w (K, C / group, ...), b (K,)."""
    return convolve(x, w, b, conv_window(x.shape[2:], w.shape[2:], **attributes))


def conv_transpose(x, w, b=None, **attributes):
    """ConvTranspose: x (N, C, ...), w (C, K / group, ...), b (K,)."""
    axes = spatial(x, w)
    window = transposed_window(x.shape[2:], w.shape[2:], **attributes)
    # Rows beyond what stride and dilation reach hold nothing but the bias.
    legal = tuple(
        min(e, max(s, d) - 1) for e, s, d in zip(window.extra, window.stride, window.dilation, strict=True)
    )
    row = axes == 1
    keywords = of_images(window, axes) | {"output_padding": (0,) * row + legal}
    if axes == 3:
        y = conv_transpose3d(x, w, b, **keywords)
    else:
        y = conv_transpose2d(as_images(x), as_images(w), b, **keywords)
        y = y[:, :, 0] if row else y
    more = tuple((0, e - least) for e, least in zip(window.extra, legal, strict=True))
    if not any(map(sum, more)):
        return y
    whole = np.zeros(
        (*y.shape[:2], *(size + m for size, (_, m) in zip(y.shape[2:], more, strict=True))), y.dtype
    )
    if b is not None:
        whole += b.reshape(-1, *(1,) * axes)
    whole[(..., *map(slice, y.shape[2:]))] = y
    return whole


def centred(array, zero_point, axis=None):
    """Integers less their zero point, a scalar or one for each of axis 0, as floats that hold them."""
    array = array.astype(np.float32)
    if zero_point is None:
        return array
    zero_point = np.asarray(zero_point, np.float32)
    if zero_point.size > 1:
        if axis is None or zero_point.shape != (array.shape[axis],):
            raise ValueError(f"zero point {zero_point.shape} of an array {array.shape}")
        zero_point = zero_point.reshape(-1, *(1,) * (array.ndim - 1))
    return array - zero_point.reshape(zero_point.shape or ())


def integer_sums(x, w, x_zero_point, w_zero_point, attributes):
    """Sums of products of integers, exact, as float64."""
    window = conv_window(x.shape[2:], w.shape[2:], **attributes)
    x, w = centred(x, x_zero_point), centred(w, w_zero_point, 0)
    if w[0].size * 255 * 255 >= EXACT:
        x, w = x.astype(np.float64), w.astype(np.float64)
    return convolve(x, w, None, window, accuracy="strict").astype(np.float64)


def conv_integer(x, w, x_zero_point=None, w_zero_point=None, **attributes):
    """ConvInteger: int8 or uint8 to int32, exact."""
    sums = integer_sums(x, w, x_zero_point, w_zero_point, attributes)
    return sums.astype(np.int64).astype(np.int32)


def qlinear_conv(
    x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, b=None, **attributes
):
    """QLinearConv: exact sums, with the bias in units of their scale, rounded half to even and saturated."""
    sums = integer_sums(x, w, x_zero_point, w_zero_point, attributes)
    if b is not None:
        sums += b.reshape(-1, *(1,) * (sums.ndim - 2))
    scale = np.float32(x_scale) * np.asarray(w_scale, np.float32) / np.float32(y_scale)
    if scale.size > 1:
        scale = scale.reshape(-1, *(1,) * (sums.ndim - 2))
    y = np.rint(sums.astype(np.float32) * scale) + np.float32(y_zero_point)
    limits = np.iinfo(y_zero_point.dtype)
    return np.clip(y, limits.min, limits.max).astype(limits.dtype)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def causal_conv_with_state(x, w, bias=None, past_state=None, *, activation="none"):
    """CausalConvWithState: x (N, C, L), w (C, 1, k), past (N, C, k - 1); also the next past."""
    activation = word_of(activation)
    if activation not in ("none", "silu", "swish"):
        raise ValueError(f"activation must be 'none', 'silu' or 'swish', is {activation!r}")
    if past_state is None:
        past_state = np.zeros((*x.shape[:2], w.shape[-1] - 1), x.dtype)
    seen = np.concatenate([past_state, x], axis=-1)
    y = conv(seen, w, bias, group=x.shape[1])
    if activation != "none":
        wide = y.astype(np.float32) if y.dtype == np.float16 else y
        y = (wide * sigmoid(wide)).astype(y.dtype)
    return y, seen[..., x.shape[-1] :].copy()


def word_of(value):
    return value.decode() if isinstance(value, bytes) else value
