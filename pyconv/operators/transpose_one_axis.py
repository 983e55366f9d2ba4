# SPDX-License-Identifier: BSD-3-Clause
"""conv_transpose1d: the transposed convolution of signals, which are images of one row."""

import numpy as np

from .._arguments import parse_word
from .._kernels import as_array, as_bias, as_weight, check_dimensions, check_element, take_out
from .one_axis import LAYOUTS_1D, along, ends
from .transpose import plan_conv_transpose2d


def conv_transpose1d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    output_padding=0,
    dilation=1,
    groups=1,
    layout="NCL",
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
    Transposed convolution of signals: `conv_transpose2d` on images of one row.

    Parameters
    ----------
    x : array_like
        Signals of shape ``(N, C, L)``, or ``(N, L, C)`` with ``layout="NLC"``; without a batch, or with
        further leading dimensions, as in `conv2d`.
    weight : array_like
        Shape ``(C, K / groups, S)`` in both layouts, as PyTorch has it.
    bias : array_like, optional
        Shape ``(K,)``.
    stride, dilation : int
        Distances between the paintings of neighbouring samples, and between the taps of one.
    padding : int, (int, int) or str
        Samples cut off both ends of the result, off its left and right end, or a word as in
        `conv_transpose2d`.
    output_padding : int
        Samples added at the end of the result, fewer than stride or dilation.
    groups : int
        As in `conv2d`.
    layout : {"NCL", "NLC"}
        Of `x` and the result.
    activation, algorithm, max_workspace, accuracy, threads, out, workspace, out_dtype
        As in `conv_transpose2d`.

    Returns
    -------
    ndarray
        ``(N, K, OL)`` or ``(N, OL, K)``, where
        ``OL = (L - 1) * stride - left - right + dilation * (S - 1) + output_padding + 1``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.array([[[1, 2]]], np.float32)
    >>> pyconv.conv_transpose1d(x, np.ones((1, 1, 3), np.float32), stride=2)
    array([[[1., 1., 3., 2., 2.]]], dtype=float32)
    """
    x = as_array(x, "x")
    check_element(x.dtype, "x", "x")
    weight = as_weight(weight, "weight", x.dtype)
    bias = as_bias(bias, "bias", weight.dtype)
    images = parse_word(layout, LAYOUTS_1D, "layout")
    check_dimensions(x.shape, weight.shape, 1)
    axis = -2 if images == "NCHW" else -3
    x, filters = np.expand_dims(x, axis), np.expand_dims(weight, -2)
    prepared = plan_conv_transpose2d.once(
        x.shape,
        filters,
        bias,
        stride=(1, along(stride, "stride")),
        padding=ends(padding),
        output_padding=(0, along(output_padding, "output_padding")),
        dilation=(1, along(dilation, "dilation")),
        groups=groups,
        layout=images,
        activation=activation,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype=x.dtype,
        out_dtype=out_dtype,
        alike=workspace is not None,
    )
    row = None
    if out is not None:
        shape = list(prepared.output_shape)
        del shape[axis]
        row = np.expand_dims(take_out(out, prepared.out_dtype.num, tuple(shape)), axis)
    y = prepared._once({"weight": weight, "bias": bias}, x, row, workspace)
    return y.squeeze(axis) if out is None else out
