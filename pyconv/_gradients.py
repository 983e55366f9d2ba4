# SPDX-License-Identifier: BSD-3-Clause
"""conv_transpose2d, and what training needs of conv2d: the gradients of its input and of its weight."""

import operator

import numpy as np

from ._api import _integer, _padding, _pair
from ._config import parse_bytes, parse_threads, parse_word, settings
from ._kernels import LAYOUTS, WeightGradientPlan, as_array
from ._transpose import TransposedPlan


def _sizes(shape, name, layout):
    """Channels and (rows, columns) of a shape of images."""
    try:
        shape = tuple(operator.index(size) for size in shape)
    except TypeError:
        raise TypeError(f"{name} must be a tuple of ints, is {shape!r}") from None
    if len(shape) < 3 or min(shape) < 0:
        raise ValueError(
            f"{name} must have at least 3 sizes (channels, rows, columns), none negative, is {shape}"
        )
    return shape, *((shape[-3], shape[-2:]) if layout == "NCHW" else (shape[-1], shape[-3:-1]))


def _geometry(weight, channels, stride, dilation, groups, whose):
    """Validates what both directions share; `channels` are those that the filters of weight make."""
    if weight.ndim != 4 or min(weight.shape) < 1:
        raise ValueError(
            "weight must have 4 dimensions (filters, channels / groups, rows, columns), all positive, "
            f"has shape {weight.shape}"
        )
    stride, dilation, groups = (
        _pair(stride, "stride"),
        _pair(dilation, "dilation"),
        _integer(groups, "groups"),
    )
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


def _prepare(
    x_shape, weight, bias, stride, padding, output_padding, dilation, groups, layout, activation, limits
):
    parse_word(layout, LAYOUTS, "layout")
    weight = as_array(weight, "weight")
    x_shape, channels, size = _sizes(x_shape, "x", layout)
    stride, dilation, groups = _geometry(weight, channels, stride, dilation, groups, "x")
    extra = _pair(output_padding, "output_padding")
    for added, s, d in zip(extra, stride, dilation, strict=True):
        if not 0 <= added < max(s, d):
            raise ValueError(
                "output_padding must be less than stride or dilation, and not negative: "
                f"is {extra} for stride {stride}, dilation {dilation}"
            )
    kernel = weight.shape[2:]
    enlarged = tuple(i * s for i, s in zip(size, stride, strict=True))
    top, bottom, left, right = _padding(padding, enlarged, kernel, stride, dilation)
    if min(top, bottom, left, right) < 0:
        raise ValueError(f"padding must not be negative, is (({top}, {bottom}), ({left}, {right}))")
    if padding in ("same", "same_lower"):
        if any(extra):
            raise ValueError(
                f"padding {padding!r} settles the size of the output: output_padding {extra} is too much"
            )
        image = enlarged
    else:
        image = tuple(
            (i - 1) * s + d * (k - 1) + 1 + e - p
            for i, s, d, k, e, p in zip(
                size, stride, dilation, kernel, extra, (top + bottom, left + right), strict=True
            )
        )
    if min(image) < 1:
        raise ValueError(
            f"no output is left: x of {size[0]}x{size[1]}, kernel {kernel}, stride {stride}, "
            f"dilation {dilation}, padding (({top}, {bottom}), ({left}, {right})) make {image[0]}x{image[1]}"
        )
    if bias is not None:
        bias = as_array(bias, "bias")
        if bias.shape != (weight.shape[1] * groups,):
            raise ValueError(f"bias has shape {bias.shape}, wanted {(weight.shape[1] * groups,)}")
        if bias.dtype.num != weight.dtype.num:
            raise TypeError(f"bias is {bias.dtype}, weight is {weight.dtype}: dtypes must match")
    return TransposedPlan(
        x_shape, image, weight, bias, stride, (top, left), dilation, groups, layout, activation, limits
    )


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
    limits = {
        "algorithm": algorithm,
        "max_workspace": max_workspace,
        "accuracy": accuracy,
        "threads": threads,
    }
    return _prepare(
        x_shape, weight, bias, stride, padding, output_padding, dilation, groups, layout, activation, limits
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
        C-contiguous, of the shape and dtype of the result, not overlapping `x`.
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
    return prepared(x, out, workspace)


def _output_sizes(image, kernel, stride, padding, dilation):
    """conv2d's (rows, columns) of outputs, and its padding as (top, bottom, left, right)."""
    top, bottom, left, right = _padding(padding, image, kernel, stride, dilation)
    if min(top, bottom, left, right) < 0:
        raise ValueError(f"padding must not be negative, is (({top}, {bottom}), ({left}, {right}))")
    sizes = tuple(
        (i + p - d * (k - 1) - 1) // s + 1
        for i, p, d, k, s in zip(image, (top + bottom, left + right), dilation, kernel, stride, strict=True)
    )
    if min(sizes) < 1 or min(image) < 1:
        raise ValueError(
            f"a {kernel[0]}x{kernel[1]} kernel with dilation {dilation} is larger than the "
            f"{image[0]}x{image[1]} input with padding (({top}, {bottom}), ({left}, {right}))"
        )
    return sizes, (top, bottom, left, right)


def _result_shape(shape, channels, sizes, layout):
    """conv2d's output shape for inputs of `shape`."""
    return (*shape[:-3], channels, *sizes) if layout == "NCHW" else (*shape[:-3], *sizes, channels)


def conv2d_backward_input(
    x_shape,
    weight,
    dy,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    Gradient with respect to `x` of a scalar whose gradient with respect to ``conv2d(x, weight)`` is `dy`.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of `x`.
    weight : array_like
        The filters of `conv2d`, shape ``(K, C / groups, R, S)``.
    dy : array_like
        Of the shape of the result of `conv2d`, and the dtype of `weight`.
    stride, padding, dilation, groups, layout
        Those of `conv2d`; its ``padding_mode`` must have been ``"zeros"``.
    algorithm, max_workspace, accuracy, threads, out, workspace
        As in `conv_transpose2d`.

    Returns
    -------
    ndarray
        Of shape `x_shape`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> dy = np.ones((1, 1, 2, 2), np.float32)
    >>> pyconv.conv2d_backward_input((1, 1, 3, 3), np.ones((1, 1, 2, 2), np.float32), dy)
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]], dtype=float32)
    """
    parse_word(layout, LAYOUTS, "layout")
    weight, dy = as_array(weight, "weight"), as_array(dy, "dy")
    shape, channels, image = _sizes(x_shape, "x", layout)
    filters = _sizes(dy.shape, "dy", layout)[1]
    stride, dilation, groups = _geometry(weight, filters, stride, dilation, groups, "dy")
    if weight.shape[1] * groups != channels:
        raise ValueError(
            f"weight has {weight.shape[1]} input channels per group, "
            f"x has {channels} channels / {groups} groups"
        )
    sizes, sides = _output_sizes(image, weight.shape[2:], stride, padding, dilation)
    wanted = _result_shape(shape, filters, sizes, layout)
    if dy.shape != wanted:
        raise ValueError(f"dy has shape {dy.shape}, wanted {wanted}")
    if dy.dtype.num != weight.dtype.num:
        raise TypeError(f"dy is {dy.dtype}, weight is {weight.dtype}: dtypes must match")
    limits = {
        "algorithm": algorithm,
        "max_workspace": max_workspace,
        "accuracy": accuracy,
        "threads": threads,
    }
    prepared = TransposedPlan(
        wanted, image, weight, None, stride, sides[::2], dilation, groups, layout, None, limits
    )
    return prepared(dy, out, workspace)


def plan_conv2d_backward_weight(
    x_shape,
    weight_shape,
    *,
    dtype="float32",
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    max_workspace=None,
    threads=None,
):
    """
    Prepare many calls of `conv2d_backward_weight` for one input shape.

    Parameters
    ----------
    x_shape, weight_shape : tuple of int
        Those of `conv2d`.
    dtype : dtype
        Of x, of the gradient of its result, and of the gradient of the weight.
    stride, padding, dilation, groups, layout, max_workspace, threads
        As in `conv2d_backward_weight`.

    Returns
    -------
    WeightGradientPlan
        Call it: ``dw = plan(x, dy, out=None, workspace=None)``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d_backward_weight`.
    """
    code = parse_word(layout, LAYOUTS, "layout")
    x_shape, _, image = _sizes(x_shape, "x", layout)
    try:
        weight_shape = tuple(operator.index(size) for size in weight_shape)
    except TypeError:
        raise TypeError(f"weight_shape must be a tuple of ints, is {weight_shape!r}") from None
    if len(weight_shape) != 4:
        raise ValueError(
            f"weight_shape must have 4 sizes (filters, channels / groups, rows, columns), is {weight_shape}"
        )
    stride, dilation = _pair(stride, "stride"), _pair(dilation, "dilation")
    defaults = settings.get()
    return WeightGradientPlan(
        x_shape,
        weight_shape,
        np.dtype(dtype),
        code,
        stride,
        _padding(padding, image, weight_shape[2:], stride, dilation),
        dilation,
        _integer(groups, "groups"),
        defaults["max_workspace"] if max_workspace is None else parse_bytes(max_workspace),
        defaults["threads"] if threads is None else parse_threads(threads),
    )


def conv2d_backward_weight(
    x,
    weight_shape,
    dy,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    max_workspace=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    Gradient of a scalar with respect to the weight of ``conv2d(x, weight)``, from `dy`, that to its result.

    ``dw[o, c, r, s]`` is the sum over images and pixels of
    ``dy[n, o, i, j] * x[n, c, i*sh + r*dh, j*sw + s*dw]``, of float16 in float32. Some hundred pixels are
    summed in registers, then these sums.

    Parameters
    ----------
    x : array_like
        The input of `conv2d`.
    weight_shape : tuple of int
        ``(K, C / groups, R, S)``.
    dy : array_like
        Of the shape of the result of `conv2d`, and the dtype of `x`.
    stride, padding, dilation, groups, layout
        Those of `conv2d`; its ``padding_mode`` must have been ``"zeros"``.
    max_workspace : int or str, optional
        Bytes, or ``"64MB"``, that the workspace may take.
    threads : int, optional
        As in `conv2d`. The result does not depend on it.
    out : ndarray, optional
        C-contiguous, of shape `weight_shape` and the dtype of `x`, overlapping neither `x` nor `dy`.
    workspace : buffer, optional
        Writable, aligned to 64 bytes, as long as the plan's `workspace_bytes`.

    Returns
    -------
    ndarray
        Of shape `weight_shape`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    See Also
    --------
    plan_conv2d_backward_weight : says how much workspace a call takes.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    >>> pyconv.conv2d_backward_weight(x, (1, 1, 2, 2), np.ones((1, 1, 2, 2), np.float32))
    array([[[[ 8., 12.],
             [20., 24.]]]], dtype=float32)
    """
    x = as_array(x, "x")
    prepared = plan_conv2d_backward_weight(
        x.shape,
        weight_shape,
        dtype=x.dtype,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        max_workspace=max_workspace,
        threads=threads,
    )
    return prepared(x, dy, out, workspace)
