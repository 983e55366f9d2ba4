# SPDX-License-Identifier: BSD-3-Clause
"""What training needs of conv2d: the gradients of its input and of its weight."""

import numpy as np

from .._arguments import checked_shape, integer, pair, parse_word, sides
from .._config import thread_count, workspace_bound
from .._kernels import LAYOUTS, WeightGradientPlan, as_array
from .phases import TransposedPlan
from .transpose import checked_geometry, image_sizes


def _output_sizes(image, kernel, stride, padding, dilation):
    """conv2d's (rows, columns) of outputs, and its padding as (top, bottom, left, right)."""
    top, bottom, left, right = sides(padding, image, kernel, stride, dilation)
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
    shape, channels, image = image_sizes(x_shape, "x", layout)
    filters = image_sizes(dy.shape, "dy", layout)[1]
    stride, dilation, groups = checked_geometry(weight, filters, stride, dilation, groups, "dy")
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
        wanted, image, weight, None, stride, sides[::2], dilation, groups, layout, None, limits, "dy"
    )
    return prepared._once({"weight": weight}, dy, out, workspace)


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
    x_shape, _, image = image_sizes(x_shape, "x", layout)
    weight_shape = checked_shape(weight_shape, "weight_shape")
    if len(weight_shape) != 4:
        raise ValueError(
            f"weight_shape must have 4 sizes (filters, channels / groups, rows, columns), is {weight_shape}"
        )
    stride, dilation = pair(stride, "stride"), pair(dilation, "dilation")
    return WeightGradientPlan(
        x_shape,
        weight_shape,
        np.dtype(dtype),
        code,
        stride,
        sides(padding, image, weight_shape[2:], stride, dilation),
        dilation,
        integer(groups, "groups"),
        workspace_bound(max_workspace),
        thread_count(threads),
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
        Of shape `weight_shape` and the dtype of `x`, overlapping neither `x` nor `dy`; of any strides, as in
        `conv2d`.
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
