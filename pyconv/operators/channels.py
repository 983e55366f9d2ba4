# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions that are conv2d in another guise: one-dimensional, depthwise, pointwise, partial."""

import numpy as np

from .._api import conv2d, integers, plan
from .._arguments import parse_word
from .._kernels import Plan, as_array, new_output, refuse_overlap, take_out

LAYOUTS_1D = {"NCL": "NCHW", "NLC": "NHWC"}  # and those of the one-row image
IMAGE_AXES = {"NCHW": 2, "NHWC": 0}  # behind the channels


def _dimensions(a, name, least, most, words):
    """`a` as an array of `least` to `most` dimensions."""
    a = as_array(a, name)
    if not least <= a.ndim <= most:
        count = least if least == most else f"at least {least}" if a.ndim < least else f"at most {most}"
        raise ValueError(f"{name} must have {count} dimensions ({words}), has shape {a.shape}")
    return a


def _along(value, name):
    """What PyTorch takes along one axis: ``2`` or ``(2,)``."""
    if isinstance(value, (tuple, list)):
        if len(value) != 1:
            raise ValueError(f"{name} must be one int, has {len(value)} values")
        return value[0]
    return value


def _ends(padding):
    """Both ends of a signal, as the padding of an image of one row; or a word."""
    if isinstance(padding, str):
        if padding not in ("valid", "same", "same_lower", "full"):
            raise ValueError(
                "padding must be an int, (left, right), 'valid', 'same', 'same_lower' or 'full', "
                f"is {padding!r}"
            )
        return padding
    several = isinstance(padding, (tuple, list)) or (isinstance(padding, np.ndarray) and padding.ndim)
    ends = tuple(padding) if several else (padding,)
    if len(ends) not in (1, 2):
        raise ValueError(f"padding must be an int, (left, right) or a word, is {padding!r}")
    return (0, 0), (ends[0], ends[-1])


def each_channel(weight, name, channels):
    """Filters of their own for each channel, and the groups; 0 channels are one empty group."""
    if weight.ndim != 4 or weight.shape[1] != 1 or min(weight.shape[2:]) < 1:
        raise ValueError(
            f"{name} must have shape (channels * multiplier, 1, rows, columns), has shape {weight.shape}"
        )
    filters = weight.shape[0]
    if filters % max(channels, 1) or (filters and not channels):
        raise ValueError(f"{filters} filters of {name} do not divide by the {channels} channels of x")
    return (weight, channels) if channels else (weight[:, :0], 1)


def conv1d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCL",
    padding_mode="zeros",
    activation=None,
    residual=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    One-dimensional cross-correlation of multi-channel signals: `conv2d` on images of one row.

    Parameters
    ----------
    x : array_like
        Signals of shape ``(N, C, L)``, or ``(N, L, C)`` with ``layout="NLC"``; without a batch, or with
        further leading dimensions, as in `conv2d`.
    weight : array_like
        Filters of shape ``(K, C / groups, S)`` in both layouts.
    bias : array_like, optional
        Shape ``(K,)``.
    stride, dilation : int
    padding : int, (int, int) or str
        Both sides, ``(left, right)``, ``"valid"``, ``"same"``, ``"same_lower"`` or ``"full"``.
    layout : {"NCL", "NLC"}
        Of `x`, `residual` and the result.
    groups, padding_mode, activation, residual, algorithm, max_workspace, accuracy, threads, out, workspace
        As in `conv2d`.

    Returns
    -------
    ndarray
        ``(N, K, OL)`` or ``(N, OL, K)``, where
        ``OL = (L + left + right - dilation * (S - 1) - 1) // stride + 1``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.arange(5, dtype=np.float32).reshape(1, 1, 5)
    >>> pyconv.conv1d(x, np.ones((1, 1, 3), np.float32), padding=1)
    array([[[1., 3., 6., 9., 7.]]], dtype=float32)
    """
    layout = parse_word(layout, LAYOUTS_1D, "layout")
    x = _dimensions(x, "x", 2, 32, "channels, length")
    weight = _dimensions(weight, "weight", 3, 3, "filters, channels / groups, length")
    row = -2 if layout == "NCHW" else -3
    arguments = integers(
        np.expand_dims(x, row).shape,
        (*weight.shape[:2], 1, weight.shape[2]),
        (1, _along(stride, "stride")),
        _ends(padding),
        (1, _along(dilation, "dilation")),
        groups,
        layout,
        padding_mode,
        activation,
        algorithm,
        max_workspace,
        accuracy,
        threads,
    )
    return Plan(x.shape, x.dtype, weight, bias, *arguments, True, workspace is None, 1)(
        x, out, workspace, residual
    )


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
    algorithm, max_workspace, accuracy, threads, out, workspace
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
    axis = -1 - parse_word(layout, IMAGE_AXES, "layout")
    x = _dimensions(x, "x", 3, 32, "channels, rows, columns")
    weight, groups = each_channel(as_array(weight, "weight"), "weight", x.shape[axis])
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
    )


def pointwise_conv2d(
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
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    1x1 cross-correlation: each pixel's channels times a matrix.

    Parameters
    ----------
    x : array_like
        As in `conv2d`.
    weight : array_like
        Matrix of shape ``(K, C / groups)``, or ``(K, C / groups, 1, 1)``.
    bias : array_like, optional
        Shape ``(K,)``.
    stride, padding, dilation, groups, layout, padding_mode, activation, residual
        As in `conv2d`.
    algorithm, max_workspace, accuracy, threads, out, workspace
        As in `conv2d`.

    Returns
    -------
    ndarray
        ``(N, K, OH, OW)`` or ``(N, OH, OW, K)``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    See Also
    --------
    plan : prepares it for many calls, with a weight of shape ``(K, C / groups, 1, 1)``.
    """
    weight = as_array(weight, "weight")
    if weight.ndim == 2:
        weight = weight[:, :, None, None]
    if weight.ndim != 4 or weight.shape[2:] != (1, 1):
        raise ValueError(
            "weight must have shape (filters, channels / groups) or (filters, channels / groups, 1, 1), "
            f"has shape {weight.shape}"
        )
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
    )


def partial_conv2d(
    x,
    weight,
    bias=None,
    *,
    padding="same",
    dilation=1,
    groups=1,
    layout="NCHW",
    padding_mode="zeros",
    activation=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
):
    """
    Cross-correlation of the first channels alone; the others pass through.

    Parameters
    ----------
    x : array_like
        As in `conv2d`, of at least ``P`` channels.
    weight : array_like
        Filters of shape ``(P, P / groups, R, S)``: the first ``P`` channels are convolved with each other.
    bias : array_like, optional
        Shape ``(P,)``.
    padding, dilation, groups, padding_mode
        As in `conv2d`; together they must keep the size of the image.
    layout : {"NCHW", "NHWC"}
        Of `x` and the result.
    activation
        Of the convolved channels, as in `conv2d`.
    algorithm, max_workspace, accuracy, threads
        As in `conv2d`. Copies of the convolved channels come on top of the workspace.
    out : ndarray, optional
        Of the shape and dtype of `x`; of any strides, as in `conv2d`. It may be `x` itself: then the
        convolved channels are replaced and the others are not touched.

    Returns
    -------
    ndarray
        `out`, or a new array, of the shape of `x`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    References
    ----------
    Chen et al., *Run, Don't Walk: Chasing Higher FLOPS for Faster Neural Networks*, 2023.
    """
    image = (slice(None),) * parse_word(layout, IMAGE_AXES, "layout")
    in_place = out is not None and out is x
    x = _dimensions(x, "x", 3, 32, "channels, rows, columns")
    weight = _dimensions(weight, "weight", 4, 4, "channels, channels / groups, rows, columns")
    bias = None if bias is None else as_array(bias, "bias")
    count, channels = weight.shape[0], x.shape[-1 - len(image)]
    if count > channels:
        raise ValueError(f"weight convolves {count} channels, x has {channels}")
    first, others = (..., slice(count), *image), (..., slice(count, None), *image)
    prepared = plan(
        x[first].shape,
        weight,
        bias,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        activation=activation,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
    )
    if prepared.output_shape != prepared.input_shape:
        raise ValueError(
            f"padding must keep the size of the image, {padding!r} makes {prepared.output_shape} "
            f"of {prepared.input_shape}"
        )
    if out is None:
        y = new_output(x.shape, prepared.dtype)
    else:
        y = take_out(out, prepared.dtype.num, x.shape)
        refuse_overlap(y, "out", (("x", None if in_place else x), ("weight", weight), ("bias", bias)))
    if in_place:
        y[first] = prepared(x[first])
        return out
    prepared(x[first], y[first])
    y[others] = x[others]
    return y if out is None else out
