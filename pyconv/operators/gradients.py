# SPDX-License-Identifier: BSD-3-Clause
"""What training needs of conv2d: the gradients of its input, of its weight and of its bias."""

import numpy as np

from .._arguments import CHANNEL_AXES, checked_shape, parse_word
from .._kernels import WeightGradientPlan, as_array, as_weight
from .._pickling import lasting
from .._problem import problem
from .folded import input_gradient, input_gradient_once
from .sums import channel_sums


def filters_shape(value, sizes=("filters", "channels / groups", "rows", "columns")):
    """`weight_shape`, checked."""
    shape = checked_shape(value, "weight_shape")
    if len(shape) != len(sizes):
        raise ValueError(f"weight_shape must have {len(sizes)} sizes ({', '.join(sizes)}), is {shape}")
    return shape


def check_dy(dy, forward, like):
    """Raises unless dy may be the gradient of the result of `forward`, whose dtype is that of `like`."""
    if dy.dtype.num != forward.dtype.num:
        raise TypeError(f"dy is {dy.dtype}, {like} is {forward.dtype}: dtypes must match")
    if dy.shape != forward.y_shape:
        axes = slice(2 - forward.axes, None)
        padding = tuple(zip(forward.padding[::2], forward.padding[1::2], strict=True))
        raise ValueError(
            f"dy has shape {dy.shape}, wanted {forward.y_shape}, that of the result for x {forward.x_shape}, "
            f"weight {forward.weight_shape}, stride {forward.stride[axes]}, padding {padding[axes]}, "
            f"dilation {forward.dilation[axes]}"
        )


def operands(weight, dy):
    """weight and dy of a gradient of x as arrays: lists of numbers are of the dtype of the other."""
    array = as_array(dy, "dy")
    weight = as_weight(weight, "weight", array.dtype)
    return weight, array.astype(weight.dtype) if isinstance(dy, (list, tuple)) else array


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
    padding_mode="zeros",
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
        The filters of `conv2d`, shape ``(K, C / groups, R, S)``, float32, float64 or float16.
    dy : array_like
        Of the shape of the result of `conv2d`, and the dtype of `weight`.
    stride, padding, dilation, groups, layout, padding_mode
        Those of `conv2d`. What a border that continues the image would receive is added to the pixels that
        it was copied from; zeros and constants receive theirs in vain.
    algorithm, max_workspace, accuracy, threads, out, workspace
        As in `conv_transpose2d`.

    Returns
    -------
    ndarray
        Of shape `x_shape` and the dtype of `weight`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    See Also
    --------
    plan_conv2d_backward_input : packs the weights once, for many calls.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> dy = np.ones((1, 1, 2, 2), np.float32)
    >>> pyconv.conv2d_backward_input((1, 1, 3, 3), np.ones((1, 1, 2, 2), np.float32), dy)
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]], dtype=float32)
    """
    weight, dy = operands(weight, dy)
    forward = problem(
        checked_shape(x_shape, "x_shape"),
        weight.dtype,
        weight.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype_of="weight",
    )
    check_dy(dy, forward, "weight")
    prepared = input_gradient_once(forward, weight, workspace is not None)
    return prepared._once({"weight": weight}, dy, out, workspace)


@lasting
def plan_conv2d_backward_input(
    x_shape,
    weight,
    *,
    dtype=None,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    padding_mode="zeros",
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
):
    """
    Pack the weights for many calls of `conv2d_backward_input` on one input shape.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of the `x` of `conv2d`.
    weight, stride, padding, dilation, groups, layout, padding_mode
        As in `conv2d_backward_input`.
    dtype : dtype, optional
        Of the gradients, by default that of `weight`, which it must be unless that is a list of numbers.
    algorithm, max_workspace, accuracy, threads
        As in `conv2d_backward_input`.

    Returns
    -------
    TransposedPlan
        Call it: ``dx = plan(dy, out=None, workspace=None)``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d_backward_input`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> back = pyconv.plan_conv2d_backward_input((1, 1, 3, 3), np.ones((1, 1, 2, 2), np.float32))
    >>> back(np.ones((1, 1, 2, 2), np.float32))[0, 0, 1]
    array([2., 4., 2.], dtype=float32)
    """
    dtype = None if dtype is None else np.dtype(dtype)
    weight = as_weight(weight, "weight", dtype)
    if dtype is not None and dtype.num != weight.dtype.num:
        raise TypeError(f"dtype is {dtype}, weight is {weight.dtype}: dtypes must match")
    forward = problem(
        checked_shape(x_shape, "x_shape"),
        weight.dtype,
        weight.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype_of="weight",
    )
    plan, *rest = input_gradient(forward, weight)
    return plan, forward.max_workspace, *rest


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
    padding_mode="zeros",
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
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
    stride, padding, dilation, groups, layout, padding_mode, algorithm, max_workspace, accuracy, threads
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
            filters_shape(weight_shape),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            layout=layout,
            padding_mode=padding_mode,
            algorithm=algorithm,
            max_workspace=max_workspace,
            accuracy=accuracy,
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
    padding_mode="zeros",
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
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
        The input of `conv2d`, float32, float64 or float16.
    weight_shape : tuple of int
        ``(K, C / groups, R, S)``.
    dy : array_like
        Of the shape of the result of `conv2d`, and the dtype of `x`.
    stride, padding, dilation, groups, layout, padding_mode
        Those of `conv2d`. Another border than zeros is laid around a copy of `x` in the workspace.
    algorithm : str
        ``"auto"``, or ``"implicit_gemm"``, ``"depthwise"``, ``"winograd_f4k3"``, ``"winograd_f2k3"``,
        ``"winograd_f2k5"`` or ``"winograd_f3k2"``: of F(m, r) the gradient is F(r, m), whose filters are
        tiles of `dy`.
    max_workspace : int or str, optional
        Bytes, or ``"64MB"``, that the workspace may take.
    accuracy : {"strict", "standard", "fast"}, optional
        As in `conv2d`.
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
    dy = as_weight(dy, "dy", x.dtype)
    forward = problem(
        x.shape,
        x.dtype,
        filters_shape(weight_shape),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
    )
    check_dy(dy, forward, "x")
    return WeightGradientPlan(forward)(x, dy, out, workspace)


def conv2d_backward_bias(dy, *, layout="NCHW", threads=None, out=None):
    """
    Gradient of a scalar with respect to the bias of `conv2d`, from `dy`, that to its result.

    ``db[k]`` is the sum over images and pixels of ``dy[n, k, i, j]``: of chains of at most 128 in its
    type, of float16 in float32, which then are added up in float64.

    Parameters
    ----------
    dy : array_like
        Of the shape of the result of `conv2d`; float32, float64 or float16.
    layout : {"NCHW", "NHWC"}
        Of `dy`.
    threads : int, optional
        As in `conv2d`. The result does not depend on it.
    out : ndarray, optional
        Of shape ``(K,)`` and the dtype of `dy`, which it may not overlap; of any strides, as in `conv2d`.

    Returns
    -------
    ndarray
        Of shape ``(K,)`` and the dtype of `dy`.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> pyconv.conv2d_backward_bias(np.ones((2, 3, 4, 5), np.float32))
    array([40., 40., 40.], dtype=float32)
    """
    return channel_sums(dy, parse_word(layout, CHANNEL_AXES, "layout"), 2, threads, out)
