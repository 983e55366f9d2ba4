# SPDX-License-Identifier: BSD-3-Clause
"""pointwise_conv2d: a matrix for the channels of each pixel."""

from .._kernels import Plan, as_array, as_bias, as_optional, as_weight
from .._problem import problem


def filters_shape(weight, name):
    """Of 1x1 filters, given as ``(filters, channels / groups)`` or with the 1x1 behind."""
    if weight.ndim == 2:
        return (*weight.shape, 1, 1)
    if weight.ndim != 4 or weight.shape[2:] != (1, 1):
        raise ValueError(
            f"{name} must have shape (filters, channels / groups) or (filters, channels / groups, 1, 1), "
            f"has shape {weight.shape}"
        )
    return weight.shape


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
    out_dtype=None,
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
    algorithm, max_workspace, accuracy, threads, out, workspace, out_dtype
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
    x = as_array(x, "x")
    weight = as_weight(weight, "weight", x.dtype)
    bias, residual = as_bias(bias, "bias", weight.dtype), as_optional(residual, "residual")
    described = problem(
        x.shape,
        x.dtype,
        filters_shape(weight, "weight"),
        stride=stride,
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
        out_dtype=out_dtype,
    )
    # A view of memory that conversions may free comes after them all.
    weight = weight.reshape(described.weight_shape)
    return Plan(described, weight, bias, True, workspace is None)(x, out, workspace, residual)
