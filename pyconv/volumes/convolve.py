# SPDX-License-Identifier: BSD-3-Clause
"""conv3d and plan_conv3d: arrays and words into plans."""

import numpy as np

from .._arguments import checked_shape
from .._kernels import as_array, as_bias, as_weight, check_operand
from .._pickling import lasting
from .describe import volume
from .plans import VolumePlan


def _described(x_shape, x_dtype, weight, bias, dtype_of, words):
    """The `Volume`, of operands that fit it."""
    v = volume(x_shape, x_dtype, weight.shape, dtype_of=dtype_of, weight_dtype=weight.dtype, **words)
    check_operand(weight, "weight", v.flat.weight_dtype.num, v.weight_shape, dtype_of)
    if bias is not None:
        check_operand(bias, "bias", v.flat.weight_dtype.num, (v.filters,), "weight")
    return v


@lasting
def plan_conv3d(
    x_shape,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCDHW",
    padding_mode="zeros",
    activation=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    dtype=None,
    out_dtype=None,
):
    """
    Pack the weights for many calls of `conv3d` on one input shape.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of the inputs to come.
    weight, bias, stride, padding, dilation, groups, layout, padding_mode, activation
        As in `conv3d`.
    algorithm, max_workspace, accuracy, threads, out_dtype
        As in `conv3d`.
    dtype : dtype, optional
        Of the inputs to come, by default that of `weight`.

    Returns
    -------
    VolumePlan
        Call it: ``y = plan(x, out=None, workspace=None, residual=None)``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv3d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> mean = pyconv.plan_conv3d((1, 8, 8, 8), np.full((1, 1, 3, 3, 3), 1 / 27, np.float32), padding="same")
    >>> mean(np.ones((1, 8, 8, 8), np.float32)).shape
    (1, 8, 8, 8)
    """
    dtype = None if dtype is None else np.dtype(dtype)
    weight = as_weight(weight, "weight", dtype)
    bias = as_bias(bias, "bias", weight.dtype)
    words = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "layout": layout,
        "padding_mode": padding_mode,
        "activation": activation,
        "algorithm": algorithm,
        "max_workspace": max_workspace,
        "accuracy": accuracy,
        "threads": threads,
        "out_dtype": out_dtype,
    }
    x_dtype, dtype_of = (weight.dtype, "weight") if dtype is None else (dtype, "dtype")
    v = _described(checked_shape(x_shape, "x_shape"), x_dtype, weight, bias, dtype_of, words)
    return VolumePlan, v.flat.max_workspace, v, weight, bias


def conv3d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCDHW",
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
    Three-dimensional cross-correlation of multi-channel volumes: films, medical images, point grids.

    The slices under a slice of the result are so many more channels of one `conv2d`; the volume is not copied
    as a whole.

    Parameters
    ----------
    x : array_like
        Volumes of shape ``(N, C, D, H, W)``, or ``(N, D, H, W, C)`` with ``layout="NDHWC"``; without a batch,
        or with further leading dimensions, as in `conv2d`, which says what dtypes there are.
    weight : array_like
        Filters of shape ``(K, C / groups, T, R, S)`` in both layouts.
    bias : array_like, optional
        One value per filter, shape ``(K,)``.
    stride, dilation : int or (int, int, int)
        Slices, rows, columns. Dilation 1 means none.
    padding : int, (int, int, int), ((int, int), (int, int), (int, int)) or str
        Slices, rows and columns, or ``((front, back), (top, bottom), (left, right))``, or a word as in
        `conv2d`.
    groups : int
        As in `conv2d`.
    layout : {"NCDHW", "NDHWC"}
        Of `x`, `residual` and the result.
    padding_mode, activation
        As in `conv2d`; what stands around a volume, stands on all six sides.
    residual : array_like, optional
        Of the shape and dtype of the result, added before the activation.
    algorithm : str
        ``"auto"``, or a name from `pyconv.algorithms`, by which the slices are convolved; ``"direct"`` is the
        plain loop over volumes.
    max_workspace, accuracy, threads, out_dtype
        As in `conv2d`.
    out : ndarray, optional
        Of the shape and dtype of the result, overlapping no operand; of any strides, as in `conv2d`.
    workspace : buffer, optional
        Writable, aligned to 64 bytes, as long as the plan's `workspace_bytes`.

    Returns
    -------
    ndarray
        ``(N, K, OD, OH, OW)`` or ``(N, OD, OH, OW, K)`` of `out_dtype`, where
        ``OD = (D + front + back - dilation * (T - 1) - 1) // stride + 1``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    See Also
    --------
    plan_conv3d : packs the weights once, for many calls.

    Notes
    -----
    Errors are bounded as in `conv2d`, K being the number of products in an output; a tile, of Winograd, and
    an image, of fft, lie in the slices under one slice of the result.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.ones((1, 1, 3, 3, 3), np.float32)
    >>> pyconv.conv3d(x, np.ones((1, 1, 3, 3, 3), np.float32), padding=1)[0, 0, 1]
    array([[12., 18., 12.],
           [18., 27., 18.],
           [12., 18., 12.]], dtype=float32)
    """
    x = as_array(x, "x")
    weight = as_weight(weight, "weight", x.dtype)
    bias = as_bias(bias, "bias", weight.dtype)
    words = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "layout": layout,
        "padding_mode": padding_mode,
        "activation": activation,
        "algorithm": algorithm,
        "max_workspace": max_workspace,
        "accuracy": accuracy,
        "threads": threads,
        "out_dtype": out_dtype,
    }
    # With a workspace the choice is that of `plan_conv3d`, which says how much it takes.
    v = _described(x.shape, x.dtype, weight, bias, "x", words)
    prepared = VolumePlan(v, weight, bias, workspace is None)
    return prepared._once({"weight": weight, "bias": bias}, x, out, workspace, residual)
