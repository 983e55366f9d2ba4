# SPDX-License-Identifier: BSD-3-Clause
"""A convolution in a caller's words, as the one object that plans are made of."""

import numpy as np

from ._arguments import INF, clip_bounds, integer, pair, parse_border, parse_word, sides
from ._config import accuracy_code, thread_count, workspace_bound
from ._kernels import ALGORITHM_NAMES, LAYOUTS, PADDING_MODES, Problem, check_dimensions

ALGORITHM_CODES = {"auto": -1} | {name: code for code, name in enumerate(ALGORITHM_NAMES)}


def problem(
    x_shape,
    dtype,
    weight_shape,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    padding_mode="zeros",
    activation=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    axes=2,
    x="x",
    dtype_of="x",
    weight_dtype=None,
    out_dtype=None,
):
    """
    A `Problem` of the keywords of `pyconv.conv2d`, or the exception that says what is wrong with them.

    Signals have 1 of the `axes`; their stride, padding and dilation are still those of images, of one row.
    Messages call the input `x` and take its dtype from the argument `dtype_of`. The weight has the dtype of x
    without a `weight_dtype`, the result that of the weight without an `out_dtype`.
    """
    layout = parse_word(layout, LAYOUTS, "layout")
    stride = pair(stride, "stride")
    dilation = pair(dilation, "dilation")
    if type(padding) is int:
        padding = (padding, padding, padding, padding)
    else:
        check_dimensions(x_shape, weight_shape, axes)
        row = (1,) * (2 - axes)
        image = x_shape[-axes:] if layout == LAYOUTS["NCHW"] else x_shape[-axes - 1 : -1]
        padding = sides(padding, row + image, row + weight_shape[2:], stride, dilation)
    if type(groups) is not int:
        groups = integer(groups, "groups")
    mode, border = (0, 0.0) if padding_mode == "zeros" else parse_border(padding_mode, PADDING_MODES)
    return Problem(
        x_shape,
        dtype,
        weight_shape,
        layout,
        stride,
        padding,
        dilation,
        groups,
        mode,
        (-INF, INF) if activation is None else clip_bounds(activation),
        parse_word(algorithm, ALGORITHM_CODES, "algorithm"),
        accuracy_code(accuracy),
        workspace_bound(max_workspace),
        thread_count(threads),
        axes,
        x,
        dtype_of,
        weight_dtype,
        None if out_dtype is None else np.dtype(out_dtype),
        border,
    )
