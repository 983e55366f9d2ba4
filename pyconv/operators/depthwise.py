# SPDX-License-Identifier: BSD-3-Clause
"""depthwise_conv2d: filters of its own for each channel."""

from .._api import conv2d
from .._arguments import CHANNEL_AXES, parse_word
from .._kernels import as_array, as_weight, check_dimensions


def each_channel(weight, name, x_shape, layout):
    """Filters of their own for each channel of x, and the groups; 0 channels are one empty group."""
    if weight.ndim != 4 or weight.shape[1] != 1 or min(weight.shape[2:]) < 1:
        raise ValueError(
            f"{name} must have shape (channels * multiplier, 1, rows, columns), has shape {weight.shape}"
        )
    check_dimensions(x_shape, weight.shape)
    filters, channels = weight.shape[0], x_shape[parse_word(layout, CHANNEL_AXES, "layout")]
    if filters % max(channels, 1) or (filters and not channels):
        raise ValueError(f"{filters} filters of {name} do not divide by the {channels} channels of x")
    return (weight, channels) if channels else (weight[:, :0], 1)


def depthwise_conv2d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    layout="NCHW",
    padding_mode="zeros",
    activation=None,
    residual=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
    out_dtype=None,
):
    """
    Cross-correlation of each channel with filters of its own: `conv2d` with as many groups as channels.

    Parameters
    ----------
    x : array_like
        As in `conv2d`.
    weight : array_like
        Filters of shape ``(M * C, 1, R, S)``: filter ``o`` reads channel ``o // M``.
    bias : array_like, optional
        Shape ``(M * C,)``.
    layout : {"NCHW", "NHWC"}
        Of `x`, `residual` and the result.
    stride, padding, dilation, padding_mode, activation, residual
        As in `conv2d`.
    algorithm, max_workspace, accuracy, threads, out, workspace, out_dtype
        As in `conv2d`.

    Returns
    -------
    ndarray
        ``(N, M * C, OH, OW)`` or ``(N, OH, OW, M * C)``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    See Also
    --------
    plan : prepares it for many calls, with ``groups=C``.
    separable_conv2d : a pointwise convolution fused behind it.

    References
    ----------
    L. Sifre, *Rigid-Motion Scattering for Image Classification*, 2014.
    """
    x = as_array(x, "x")
    weight, groups = each_channel(as_weight(weight, "weight", x.dtype), "weight", x.shape, layout)
    return conv2d(
        x,
        weight,
        bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        activation=activation,
        residual=residual,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        out=out,
        workspace=workspace,
        out_dtype=out_dtype,
    )
