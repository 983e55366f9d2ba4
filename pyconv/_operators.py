# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions that are conv2d in another guise: one-dimensional, depthwise, pointwise, partial."""

import numpy as np

from ._api import conv2d, plan
from ._arguments import parse_word
from ._kernels import as_array, check_out, refuse_overlap

AXIS_1D = {
    "NCL": ("NCHW", -2),
    "NLC": ("NHWC", -3),
}  # the layout of the one-row image, and where its row goes
IMAGE_AXES = {"NCHW": 2, "NHWC": 0}  # behind the channels


def _dimensions(a, name, least, most, words):
    """`a` as an array of `least` to `most` dimensions."""
    a = as_array(a, name)
    if not least <= a.ndim <= most:
        count = least if least == most else f"at least {least}"
        raise ValueError(f"{name} must have {count} dimensions ({words}), has shape {a.shape}")
    return a


def _along(value, name):
    """What PyTorch takes along one axis: ``2`` or ``(2,)``."""
    if isinstance(value, (tuple, list)):
        if len(value) != 1:
            raise ValueError(f"{name} must be one int, has {len(value)} values")
        return value[0]
    return value


def conv1d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    layout="NCL",
    residual=None,
    out=None,
    **keywords,
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
    residual, out
        As in `conv2d`, of the shape of the result.
    **keywords
        groups, padding_mode, activation, algorithm, max_workspace, accuracy, threads and workspace of
        `conv2d`.

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
    layout, row = parse_word(layout, AXIS_1D, "layout")
    x = _dimensions(x, "x", 2, 31, "channels, length")
    weight = _dimensions(weight, "weight", 3, 3, "filters, channels / groups, length")
    if not isinstance(padding, str):
        several = isinstance(padding, (tuple, list)) or (isinstance(padding, np.ndarray) and padding.ndim)
        sides = tuple(padding) if several else (padding,)
        if len(sides) not in (1, 2):
            raise ValueError(f"padding must be an int, (left, right) or a word, is {padding!r}")
        padding = ((0, 0), (sides[0], sides[-1]))
    y = conv2d(
        np.expand_dims(x, row),
        weight[:, :, None, :],
        bias,
        stride=(1, _along(stride, "stride")),
        padding=padding,
        dilation=(1, _along(dilation, "dilation")),
        layout=layout,
        residual=None if residual is None else np.expand_dims(as_array(residual, "residual"), row),
        out=np.expand_dims(out, row) if isinstance(out, np.ndarray) else out,
        **keywords,
    )
    return np.squeeze(y, row) if out is None else out


def depthwise_conv2d(x, weight, bias=None, *, layout="NCHW", **keywords):
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
    **keywords
        The others of `conv2d`.

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
    return conv2d(x, weight, bias, groups=x.shape[axis], layout=layout, **keywords)


def pointwise_conv2d(x, weight, bias=None, **keywords):
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
    **keywords
        Those of `conv2d`.

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
    return conv2d(x, weight, bias, **keywords)


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
    out=None,
    **keywords,
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
    out : ndarray, optional
        C-contiguous, of the shape and dtype of `x`. It may be `x` itself: then the convolved channels are
        replaced and the others are not touched.
    **keywords
        activation (of the convolved channels), algorithm, max_workspace, accuracy and threads of `conv2d`.
        A copy of the convolved channels comes on top of the workspace.

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
        **keywords,
    )
    if prepared.output_shape != prepared.input_shape:
        raise ValueError(
            f"padding must keep the size of the image, {padding!r} makes {prepared.output_shape} "
            f"of {prepared.input_shape}"
        )
    if out is None:
        out = np.empty(x.shape, prepared.dtype)
    else:
        check_out(out, prepared.dtype, x.shape)
        bias = None if bias is None else as_array(bias, "bias")
        refuse_overlap(out, "out", (("x", None if in_place else x), ("weight", weight), ("bias", bias)))
    if in_place:
        out[first] = prepared(x[first])
        return out
    if out[first].flags.c_contiguous:
        prepared(x[first], out[first])
    else:
        out[first] = prepared(x[first])
    out[others] = x[others]
    return out
