# SPDX-License-Identifier: BSD-3-Clause
"""partial_conv2d: the first channels convolved, the others passed through."""

from .._arguments import CHANNEL_AXES, parse_word
from .._kernels import (
    Plan,
    as_array,
    as_bias,
    as_weight,
    check_dimensions,
    new_output,
    refuse_overlap,
    take_out,
)
from .._problem import problem


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
        `out`, or a new array, of the shape and dtype of `x`, to which the convolved channels are rounded as
        by `out_dtype` of `conv2d`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    References
    ----------
    Chen et al., *Run, Don't Walk: Chasing Higher FLOPS for Faster Neural Networks*, 2023.
    """
    axis = parse_word(layout, CHANNEL_AXES, "layout")
    in_place = out is not None and out is x
    x = as_array(x, "x")
    weight = as_weight(weight, "weight", x.dtype)
    bias = as_bias(bias, "bias", weight.dtype)
    check_dimensions(x.shape, weight.shape)
    count, channels = weight.shape[0], x.shape[axis]
    if count > channels:
        raise ValueError(f"weight convolves {count} channels, x has {channels}")
    image = (slice(None),) * (-1 - axis)
    first, others = (..., slice(count), *image), (..., slice(count, None), *image)
    described = problem(
        x[first].shape,
        x.dtype,
        weight.shape,
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
        weight_dtype=weight.dtype,
        out_dtype=x.dtype,
    )
    if described.y_shape != described.x_shape:
        raise ValueError(
            f"padding must keep the size of the image, {padding!r} makes {described.y_shape} "
            f"of {described.x_shape}"
        )
    prepared = Plan(described, weight, bias)
    if out is None:
        y = new_output(x.shape, prepared.out_dtype)
    else:
        y = take_out(out, prepared.out_dtype.num, x.shape)
        refuse_overlap(y, "out", (("x", None if in_place else x), ("weight", weight), ("bias", bias)))
    if in_place:
        y[first] = prepared(x[first])
        return out
    prepared(x[first], y[first])
    y[others] = x[others]
    return y if out is None else out
