# SPDX-License-Identifier: BSD-3-Clause
"""conv1d: the cross-correlation of signals, which are images of one row."""

import numpy as np

from .._arguments import parse_word
from .._kernels import Plan, as_array, as_weight
from .._problem import problem

LAYOUTS_1D = {"NCL": "NCHW", "NLC": "NHWC"}  # and those of the one-row image


def along(value, name):
    """What PyTorch takes along one axis: ``2`` or ``(2,)``."""
    if isinstance(value, (tuple, list)):
        if len(value) != 1:
            raise ValueError(f"{name} must be one int, has {len(value)} values")
        return value[0]
    return value


def ends(padding):
    """Both ends of a signal, as the padding of an image of one row; or a word."""
    if isinstance(padding, str):
        if padding not in ("valid", "same", "same_lower", "full"):
            raise ValueError(
                "padding must be an int, (left, right), 'valid', 'same', 'same_lower' or 'full', "
                f"is {padding!r}"
            )
        return padding
    several = isinstance(padding, (tuple, list)) or (isinstance(padding, np.ndarray) and padding.ndim)
    ends = tuple(padding) if several else (padding,)
    if len(ends) not in (1, 2):
        raise ValueError(f"padding must be an int, (left, right) or a word, is {padding!r}")
    return (0, 0), (ends[0], ends[-1])


def conv1d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCL",
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
    groups, padding_mode, activation, residual, algorithm, max_workspace, accuracy, threads, out, workspace
        As in `conv2d`.
    out_dtype : dtype, optional
        As in `conv2d`.

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
    x = as_array(x, "x")
    weight = as_weight(weight, "weight", x.dtype)
    described = problem(
        x.shape,
        x.dtype,
        weight.shape,
        stride=(1, along(stride, "stride")),
        padding=ends(padding),
        dilation=(1, along(dilation, "dilation")),
        groups=groups,
        layout=parse_word(layout, LAYOUTS_1D, "layout"),
        padding_mode=padding_mode,
        activation=activation,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        axes=1,
        weight_dtype=weight.dtype,
        out_dtype=out_dtype,
    )
    return Plan(described, weight, bias, True, workspace is None)(x, out, workspace, residual)
