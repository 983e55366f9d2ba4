# SPDX-License-Identifier: BSD-3-Clause
"""conv_transpose2d: its arguments, checked, into a plan."""

import numpy as np

from .._arguments import CHANNEL_AXES, checked_shape, integer, pair, parse_word, sides
from .._kernels import as_array, as_bias, as_weight, check_dimensions, check_element, check_operand
from .._pickling import lasting
from .._problem import problem
from .phases import TransposedPlan


def _image(size, kernel, stride, padding, extra, dilation):
    """(rows, columns) of the result, which may be less than 1, and (top, bottom, left, right) cut off it."""
    for added, s, d in zip(extra, stride, dilation, strict=True):
        if not 0 <= added < max(s, d, 1):
            raise ValueError(
                "output_padding must be less than stride or dilation, and not negative: "
                f"is {extra} for stride {stride}, dilation {dilation}"
            )
    enlarged = tuple(i * s for i, s in zip(size, stride, strict=True))
    cut = sides(padding, enlarged, kernel, stride, dilation)
    if isinstance(padding, str) and padding in ("same", "same_lower"):
        if any(extra):
            raise ValueError(
                f"padding {padding!r} settles the size of the output: output_padding {extra} is too much"
            )
        return enlarged, cut
    axes = zip(size, kernel, stride, dilation, extra, (sum(cut[:2]), sum(cut[2:])), strict=True)
    return tuple((i - 1) * s + d * (k - 1) + 1 + e - p for i, k, s, d, e, p in axes), cut


@lasting
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
    dtype=None,
    out_dtype=None,
):
    """
    Pack the weights for many calls of `conv_transpose2d` on one input shape.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of the inputs to come.
    weight, bias, stride, padding, output_padding, dilation, groups, layout, activation
        As in `conv_transpose2d`.
    algorithm, max_workspace, accuracy, threads, out_dtype
        As in `conv_transpose2d`.
    dtype : dtype, optional
        Of the inputs to come, by default that of `weight`.

    Returns
    -------
    TransposedPlan
        Call it: ``y = plan(x, out=None, workspace=None)``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv_transpose2d`.
    """
    axis = parse_word(layout, CHANNEL_AXES, "layout")
    if dtype is not None:
        dtype = np.dtype(dtype)
        check_element(dtype, "dtype", "x")
    weight = as_weight(weight, "weight", dtype)
    bias = as_bias(bias, "bias", weight.dtype)
    x_shape = checked_shape(x_shape, "x_shape")
    check_dimensions(x_shape, weight.shape)
    filters, channels, *kernel = weight.shape
    if filters != x_shape[axis]:
        raise ValueError(f"weight has {filters} filters, x has {x_shape[axis]} channels")
    stride, dilation, groups = pair(stride, "stride"), pair(dilation, "dilation"), integer(groups, "groups")
    size = x_shape[-2:] if axis == -3 else x_shape[-3:-1]
    image, cut = _image(size, kernel, stride, padding, pair(output_padding, "output_padding"), dilation)
    # The conv2d of the result; where none is left, of the least image, and what else is wrong is said first.
    fits = min(*size, *image) > 0
    some = image if fits else tuple(max(d * (k - 1) + 1, 1) for d, k in zip(dilation, kernel, strict=True))
    result = channels * max(groups, 1)
    forward = problem(
        (*x_shape[:-3], result, *some) if axis == -3 else (*x_shape[:-3], *some, result),
        weight.dtype if dtype is None else dtype,
        weight.shape,
        stride=stride,
        padding=(cut[:2], cut[2:]),
        dilation=dilation,
        groups=groups,
        layout=layout,
        activation=activation,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        x="the result",
        dtype_of="weight" if dtype is None else "dtype",
        weight_dtype=weight.dtype,
        out_dtype=out_dtype,
    )
    if not fits:
        raise ValueError(
            f"no output is left: x of {size[0]}x{size[1]}, kernel {tuple(kernel)}, stride {stride}, dilation "
            f"{dilation}, padding ({cut[:2]}, {cut[2:]}) make {image[0]}x{image[1]}"
        )
    if bias is not None:
        check_operand(bias, "bias", weight.dtype.num, (channels * groups,), "weight")
    return TransposedPlan, forward.max_workspace, forward, x_shape, weight, bias


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
    out_dtype=None,
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
    out_dtype : dtype, optional
        As in `conv2d`.

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
    check_element(x.dtype, "x", "x")
    prepared = plan_conv_transpose2d.once(
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
        dtype=x.dtype,
        out_dtype=out_dtype,
        alike=workspace is not None,
    )
    return prepared._once({"weight": weight, "bias": bias}, x, out, workspace)
