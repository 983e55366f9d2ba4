# SPDX-License-Identifier: BSD-3-Clause
"""conv_transpose2d: its arguments, checked, into a plan."""

from .._arguments import checked_shape, integer, pair, parse_word, sides
from .._kernels import LAYOUTS, as_array, check_operand
from .phases import TransposedPlan


def image_sizes(shape, name, layout):
    """The shape of images, their channels and (rows, columns)."""
    shape = checked_shape(shape, name)
    if len(shape) < 3:
        raise ValueError(f"{name} must have at least 3 sizes (channels, rows, columns), is {shape}")
    return shape, *((shape[-3], shape[-2:]) if layout == "NCHW" else (shape[-1], shape[-3:-1]))


def checked_geometry(weight, channels, stride, dilation, groups, whose):
    """stride, dilation and groups; `channels` are those that meet the filters of weight."""
    if weight.ndim != 4 or min(weight.shape[2:]) < 1:
        raise ValueError(
            "weight must have 4 dimensions (filters, channels / groups, rows, columns), at least one row and "
            f"column, has shape {weight.shape}"
        )
    stride, dilation, groups = pair(stride, "stride"), pair(dilation, "dilation"), integer(groups, "groups")
    if min(stride) < 1:
        raise ValueError(f"stride must be positive, is {stride}")
    if min(dilation) < 1:
        raise ValueError(f"dilation must be positive (1 means none), is {dilation}")
    if groups < 1:
        raise ValueError(f"groups must be positive, is {groups}")
    if weight.shape[0] != channels:
        raise ValueError(f"weight has {weight.shape[0]} filters, {whose} has {channels} channels")
    if channels % groups:
        raise ValueError(f"{channels} channels of {whose} do not divide by groups={groups}")
    return stride, dilation, groups


def _result_size(size, kernel, stride, padding, output_padding, dilation):
    """(rows, columns) of the result, and what is cut off above and left of it."""
    extra = pair(output_padding, "output_padding")
    for added, s, d in zip(extra, stride, dilation, strict=True):
        if not 0 <= added < max(s, d):
            raise ValueError(
                "output_padding must be less than stride or dilation, and not negative: "
                f"is {extra} for stride {stride}, dilation {dilation}"
            )
    enlarged = tuple(i * s for i, s in zip(size, stride, strict=True))
    top, bottom, left, right = sides(padding, enlarged, kernel, stride, dilation)
    if min(top, bottom, left, right) < 0:
        raise ValueError(f"padding must not be negative, is (({top}, {bottom}), ({left}, {right}))")
    if isinstance(padding, str) and padding in ("same", "same_lower"):
        if any(extra):
            raise ValueError(
                f"padding {padding!r} settles the size of the output: output_padding {extra} is too much"
            )
        result = enlarged
    else:
        result = tuple(
            (i - 1) * s + d * (k - 1) + 1 + e - p
            for i, s, d, k, e, p in zip(
                size, stride, dilation, kernel, extra, (top + bottom, left + right), strict=True
            )
        )
    if min(result) < 1:
        raise ValueError(
            f"no output is left: x of {size[0]}x{size[1]}, kernel {kernel}, stride {stride}, dilation "
            f"{dilation}, padding (({top}, {bottom}), ({left}, {right})) make {result[0]}x{result[1]}"
        )
    return result, (top, left)


def plan_conv_transpose2d(
    x_shape,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    output_padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    activation=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
):
    """
    Pack the weights for many calls of `conv_transpose2d` on one input shape.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of the inputs to come; their dtype is that of `weight`.
    weight, bias, stride, padding, output_padding, dilation, groups, layout, activation
        As in `conv_transpose2d`.
    algorithm, max_workspace, accuracy, threads
        As in `conv_transpose2d`.

    Returns
    -------
    TransposedPlan
        Call it: ``y = plan(x, out=None, workspace=None)``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv_transpose2d`.
    """
    parse_word(layout, LAYOUTS, "layout")
    weight = as_array(weight, "weight")
    if bias is not None:
        bias = as_array(bias, "bias")
    x_shape, channels, size = image_sizes(x_shape, "x", layout)
    stride, dilation, groups = checked_geometry(weight, channels, stride, dilation, groups, "x")
    image, before = _result_size(size, weight.shape[2:], stride, padding, output_padding, dilation)
    if bias is not None:
        check_operand(bias, "bias", weight.dtype.num, (weight.shape[1] * groups,), "weight")
    limits = {
        "algorithm": algorithm,
        "max_workspace": max_workspace,
        "accuracy": accuracy,
        "threads": threads,
    }
    return TransposedPlan(
        x_shape, image, weight, bias, stride, before, dilation, groups, layout, activation, limits
    )


def conv_transpose2d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    output_padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    activation=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    Transposed convolution: each pixel of `x` paints the kernel, scaled, into the output.

    It is the gradient of `conv2d` with respect to its input, and is computed as one `conv2d` of stride 1 for
    each phase of the stride; no zeros are inserted.

    Parameters
    ----------
    x : array_like
        Images of shape ``(N, C, H, W)``, or ``(N, H, W, C)`` with ``layout="NHWC"``; without a batch, or with
        further leading dimensions, as in `conv2d`.
    weight : array_like
        Shape ``(C, K / groups, R, S)`` in both layouts, as PyTorch has it.
    bias : array_like, optional
        Shape ``(K,)``.
    stride, dilation : int or (int, int)
        Rows, columns: distances between the paintings of neighbouring pixels, and between the taps of one.
    padding : int, (int, int), ((int, int), (int, int)) or str
        Rows and columns cut off the border of the result. ``"valid"`` cuts none, ``"full"`` all where the
        kernel hangs over, ``"same"`` and ``"same_lower"`` leave ``stride`` times the size of `x`.
    output_padding : int or (int, int)
        Rows and columns added at the end of the result, fewer than stride or dilation.
    groups : int
        As in `conv2d`.
    layout : {"NCHW", "NHWC"}
        Of `x` and the result.
    activation : None, "relu", "relu6" or ("clip", lo, hi)
        Applied last.
    algorithm, max_workspace, accuracy, threads
        As in `conv2d`, for each of the convolutions; `max_workspace` bounds all together.
    out : ndarray, optional
        Of the shape and dtype of the result, overlapping no operand; of any strides, as in `conv2d`.
    workspace : buffer, optional
        Writable, aligned to 64 bytes, as long as the plan's `workspace_bytes`.

    Returns
    -------
    ndarray
        ``(N, K, OH, OW)`` or ``(N, OH, OW, K)``, where
        ``OH = (H - 1) * stride - top - bottom + dilation * (R - 1) + output_padding + 1``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    See Also
    --------
    plan_conv_transpose2d : packs the weights once, for many calls.

    References
    ----------
    Zeiler, Krishnan, Taylor, Fergus, *Deconvolutional Networks*, 2010; for the phases Shi et al., *Is the
    deconvolution layer the same as a convolutional layer?*, 2016.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.ones((1, 1, 2, 2), np.float32)
    >>> pyconv.conv_transpose2d(x, np.ones((1, 1, 2, 2), np.float32), stride=2).shape
    (1, 1, 4, 4)
    """
    x = as_array(x, "x")
    prepared = plan_conv_transpose2d(
        x.shape,
        weight,
        bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        activation=activation,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
    )
    return prepared._once({"weight": weight, "bias": bias}, x, out, workspace)
