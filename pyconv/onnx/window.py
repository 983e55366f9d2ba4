# SPDX-License-Identifier: BSD-3-Clause
"""The attributes of an ONNX convolution as numbers: `auto_pad`, `output_shape` and defaults resolved."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Of each spatial axis; `padding` is (before, after), `extra` rows are added to a transposed result."""

    stride: tuple
    dilation: tuple
    padding: tuple
    groups: int = 1
    extra: tuple = ()

    def outputs(self, size, kernel):
        """Of a convolution: ``(i + before + after - d * (k - 1) - 1) // s + 1``."""
        axes = zip(size, kernel, self.stride, self.dilation, self.padding, strict=True)
        return tuple((i + sum(p) - d * (k - 1) - 1) // s + 1 for i, k, s, d, p in axes)


def per_axis(values, axes, plain):
    """An attribute with a value for each axis, or its default."""
    values = (plain,) * axes if values is None or len(values) == 0 else tuple(map(int, values))
    if len(values) != axes:
        raise ValueError(f"{values} has {len(values)} values for {axes} spatial axes")
    return values


def word(auto_pad):
    """`auto_pad` as a str; ONNX's files have bytes."""
    text = auto_pad.decode() if isinstance(auto_pad, bytes) else auto_pad or "NOTSET"
    if text not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, is {text!r}")
    return text


def halves(total, more_at_end):
    """Rows in total as (before, after)."""
    small = total // 2
    return (small, total - small) if more_at_end else (total - small, small)


def pairs(pads, axes):
    """ONNX's ``(begin, ..., end, ...)`` as ``((begin, end), ...)``."""
    pads = per_axis(pads, 2 * axes, 0)
    if min(pads, default=0) < 0:
        raise ValueError(f"pads must not be negative, are {pads}")
    return tuple(zip(pads[:axes], pads[axes:], strict=True))


def check_kernel(kernel, kernel_shape):
    if kernel_shape and tuple(kernel_shape) != tuple(kernel):
        raise ValueError(f"kernel_shape {tuple(kernel_shape)} is not that of the weight, {tuple(kernel)}")


def conv_window(
    size, kernel, *, auto_pad=None, dilations=None, group=None, kernel_shape=None, pads=None, strides=None
):
    """Of a convolution of images of `size`."""
    axes = len(size)
    check_kernel(kernel, kernel_shape)
    stride, dilation = per_axis(strides, axes, 1), per_axis(dilations, axes, 1)
    how = word(auto_pad)
    if how == "NOTSET":
        padding = pairs(pads, axes)
    elif how == "VALID":
        padding = ((0, 0),) * axes
    else:  # as many outputs as ceil(size / stride)
        totals = (
            max((-(-i // s) - 1) * s + (k - 1) * d + 1 - i, 0)
            for i, k, s, d in zip(size, kernel, stride, dilation, strict=True)
        )
        padding = tuple(halves(total, how == "SAME_UPPER") for total in totals)
    return Window(stride, dilation, padding, int(group or 1))


def transposed_window(
    size,
    kernel,
    *,
    auto_pad=None,
    dilations=None,
    group=None,
    kernel_shape=None,
    output_padding=None,
    output_shape=None,
    pads=None,
    strides=None,
):
    """
    Of a transposed convolution of images of `size`.

    Where the size of the result is given, what is too much of ``stride * (i - 1) + extra + (k - 1) * d + 1``
    is cut off, the odd one at the beginning but for SAME_UPPER; what is too little is added at the end.
    """
    axes = len(size)
    check_kernel(kernel, kernel_shape)
    stride, dilation = per_axis(strides, axes, 1), per_axis(dilations, axes, 1)
    extra, how = per_axis(output_padding, axes, 0), word(auto_pad)
    wanted = tuple(output_shape)[-axes:] if output_shape is not None and len(output_shape) else None
    if wanted is None and how in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(i * s for i, s in zip(size, stride, strict=True))
    if wanted is None:
        padding = ((0, 0),) * axes if how == "VALID" else pairs(pads, axes)
    else:
        totals = [
            s * (i - 1) + e + (k - 1) * d + 1 - o
            for s, i, e, k, d, o in zip(stride, size, extra, kernel, dilation, wanted, strict=True)
        ]
        extra = tuple(e + max(0, -total) for e, total in zip(extra, totals, strict=True))
        padding = tuple(halves(max(0, total), how == "SAME_UPPER") for total in totals)
    return Window(stride, dilation, padding, int(group or 1), extra)
