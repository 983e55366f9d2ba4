# SPDX-License-Identifier: BSD-3-Clause
"""What training needs of conv2d: the gradients of its input and of its weight."""

import numpy as np

from .._arguments import checked_shape
from .._kernels import WeightGradientPlan, as_array, check_operand
from .._problem import problem
from .phases import TransposedPlan


def _filters_shape(value):
    """`weight_shape`, checked."""
    shape = checked_shape(value, "weight_shape")
    if len(shape) != 4:
        raise ValueError(
            f"weight_shape must have 4 sizes (filters, channels / groups, rows, columns), is {shape}"
        )
    return shape


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
    weight, dy = as_array(weight, "weight"), as_array(dy, "dy")
    forward = problem(
        checked_shape(x_shape, "x_shape"),
        weight.dtype,
        weight.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype_of="weight",
    )
    check_operand(dy, "dy", weight.dtype.num, forward.y_shape, "weight")
    prepared = TransposedPlan(forward, forward.y_shape, weight, argument="dy")
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
    return WeightGradientPlan(
        problem(
            checked_shape(x_shape, "x_shape"),
            np.dtype(dtype),
            _filters_shape(weight_shape),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            layout=layout,
            max_workspace=max_workspace,
            threads=threads,
            dtype_of="dtype",
        )
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
    prepared = WeightGradientPlan(
        problem(
            x.shape,
            x.dtype,
            _filters_shape(weight_shape),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            layout=layout,
            max_workspace=max_workspace,
            threads=threads,
        )
    )
    return prepared(x, dy, out, workspace)
