# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of conv1d: those of conv2d on images of one row."""

from .._arguments import checked_shape, parse_word
from .._kernels import LAYOUTS, WeightGradientPlan, as_array, as_weight, take_out
from .._problem import problem
from .folded import input_gradient_once
from .gradients import check_dy, filters_shape, operands
from .one_axis import LAYOUTS_1D, along, ends
from .sums import channel_sums

CHANNEL_AXES_1D = {"NCL": -2, "NLC": -1}


def _with_row(shape, layout):
    """A signal's shape as that of an image of one row."""
    return (*shape[:-1], 1, shape[-1]) if layout == LAYOUTS["NCHW"] else (*shape[:-2], 1, *shape[-2:])


def _images(signals):
    """The problem of signals as that of images."""
    return signals.derive(
        axes=2,
        x_shape=_with_row(signals.x_shape, signals.layout),
        weight_shape=(*signals.weight_shape[:2], 1, signals.weight_shape[2]),
    )


def _row(a, layout):
    """A view with the row, or None."""
    return None if a is None else a[..., None, :] if layout == LAYOUTS["NCHW"] else a[..., None, :, :]


def conv1d_backward_input(
    x_shape,
    weight,
    dy,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCL",
    padding_mode="zeros",
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    Gradient with respect to `x` of a scalar whose gradient with respect to ``conv1d(x, weight)`` is `dy`.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of `x`.
    weight : array_like
        The filters of `conv1d`, shape ``(K, C / groups, S)``, float32, float64 or float16.
    dy : array_like
        Of the shape of the result of `conv1d`, and the dtype of `weight`.
    stride, padding, dilation, groups, layout
        Those of `conv1d`.
    padding_mode, algorithm, max_workspace, accuracy, threads, out, workspace
        As in `conv2d_backward_input`.

    Returns
    -------
    ndarray
        Of shape `x_shape` and the dtype of `weight`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> weight, dy = np.ones((1, 1, 3), np.float32), np.ones((1, 1, 2), np.float32)
    >>> pyconv.conv1d_backward_input((1, 1, 4), weight, dy)
    array([[[1., 2., 2., 1.]]], dtype=float32)
    """
    weight, dy = operands(weight, dy)
    signals = problem(
        checked_shape(x_shape, "x_shape"),
        weight.dtype,
        weight.shape,
        stride=(1, along(stride, "stride")),
        padding=ends(padding),
        dilation=(1, along(dilation, "dilation")),
        groups=groups,
        layout=parse_word(layout, LAYOUTS_1D, "layout"),
        padding_mode=padding_mode,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        axes=1,
        dtype_of="weight",
    )
    check_dy(dy, signals, "weight")
    target = None if out is None else take_out(out, signals.out_dtype.num, signals.x_shape)
    prepared = input_gradient_once(_images(signals), weight[:, :, None], workspace is not None)
    layout = signals.layout
    dx = prepared._once({"weight": weight}, _row(dy, layout), _row(target, layout), workspace)
    return dx.reshape(signals.x_shape) if out is None else out


def conv1d_backward_weight(
    x,
    weight_shape,
    dy,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCL",
    padding_mode="zeros",
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
):
    """
    Gradient of a scalar with respect to the weight of ``conv1d(x, weight)``, from `dy`, that to its result.

    Parameters
    ----------
    x : array_like
        The input of `conv1d`, float32, float64 or float16.
    weight_shape : tuple of int
        ``(K, C / groups, S)``.
    dy : array_like
        Of the shape of the result of `conv1d`, and the dtype of `x`.
    stride, padding, dilation, groups, layout
        Those of `conv1d`.
    padding_mode, algorithm, max_workspace, accuracy, threads, out, workspace
        As in `conv2d_backward_weight`.

    Returns
    -------
    ndarray
        Of shape `weight_shape`.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.arange(4, dtype=np.float32).reshape(1, 1, 4)
    >>> pyconv.conv1d_backward_weight(x, (1, 1, 3), np.ones((1, 1, 2), np.float32))
    array([[[1., 3., 5.]]], dtype=float32)
    """
    x = as_array(x, "x")
    dy = as_weight(dy, "dy", x.dtype)
    signals = problem(
        x.shape,
        x.dtype,
        filters_shape(weight_shape, ("filters", "channels / groups", "length")),
        stride=(1, along(stride, "stride")),
        padding=ends(padding),
        dilation=(1, along(dilation, "dilation")),
        groups=groups,
        layout=parse_word(layout, LAYOUTS_1D, "layout"),
        padding_mode=padding_mode,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        axes=1,
    )
    check_dy(dy, signals, "x")
    target = None if out is None else take_out(out, signals.out_dtype.num, signals.weight_shape)[:, :, None]
    layout = signals.layout
    dw = WeightGradientPlan(_images(signals))(_row(x, layout), _row(dy, layout), target, workspace)
    return dw[:, :, 0] if out is None else out


def conv1d_backward_bias(dy, *, layout="NCL", threads=None, out=None):
    """
    Gradient of a scalar with respect to the bias of `conv1d`, from `dy`, that to its result.

    Parameters
    ----------
    dy : array_like
        Of the shape of the result of `conv1d`; float32, float64 or float16.
    layout : {"NCL", "NLC"}
        Of `dy`.
    threads, out
        As in `conv2d_backward_bias`.

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
    >>> pyconv.conv1d_backward_bias(np.ones((2, 3, 5), np.float32))
    array([10., 10., 10.], dtype=float32)
    """
    return channel_sums(dy, parse_word(layout, CHANNEL_AXES_1D, "layout"), 1, threads, out)
