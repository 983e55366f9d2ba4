# SPDX-License-Identifier: BSD-3-Clause
"""separable_conv2d: depthwise, then pointwise, fused where blocks of rows stay in the cache."""

import numpy as np

from .._arguments import checked_shape, clip_bounds
from .._kernels import (
    FusedPair,
    Plan,
    UnsupportedError,
    as_array,
    as_bias,
    as_weight,
    check_element,
    check_operand,
    computed_in,
    type_words,
)
from .._pickling import lasting
from .._problem import problem
from .composed import ChainedPlan, aligned_bytes, carve
from .depthwise import each_channel
from .pointwise import filters_shape

NAMES = "depthwise_weight", "pointwise_weight"


class SeparablePlan(ChainedPlan):
    """
    A separable convolution made ready for one input shape: packed weights of both its parts.

    Made by `pyconv.plan_separable_conv2d`. Immutable, so that threads may share it; each concurrent call
    needs a workspace of its own.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
    dtype, weight_dtype, out_dtype : numpy.dtype
        Of input; of weights and biases; of output and residual.
    fused : bool
        Whether rows of the depthwise result are multiplied while they are in the cache; else it is a whole
        array in the workspace.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes.
    packed_bytes : int
        Bytes of packed weights.
    multiplications : int
    """

    def __init__(self, depthwise, pointwise, weights, biases):
        """`depthwise` and `pointwise` describe the two."""
        budget = depthwise.max_workspace
        middle = aligned_bytes(depthwise.y_shape, depthwise.out_dtype)

        def prepare(most):
            first = Plan(depthwise.derive(max_workspace=most), weights[0], biases[0])
            second = Plan(pointwise.derive(max_workspace=most), weights[1], biases[1])
            return first, second, FusedPair(first, second)

        def fitting(first, second, pair):
            """Whether they are fused, their workspace and weights; None if there is no room for these."""
            packed = first.packed_bytes + second.packed_bytes
            apart = middle + max(first.workspace_bytes, second.workspace_bytes)
            for fused, workspace in ((True, pair.workspace_bytes), (False, apart)):
                fits = budget is None or workspace + packed <= budget
                if fits and (pair.serves or not fused):
                    return fused, workspace, packed
            return None

        parts = prepare(budget)
        found = fitting(*parts)
        if found is None:
            if budget >= middle:
                parts = prepare((budget - middle) // 2)
                found = fitting(*parts)
            if found is None:
                raise UnsupportedError(
                    f"a separable convolution of x {depthwise.x_shape} needs {middle} bytes of "
                    f"workspace between its parts, max_workspace allows {budget}"
                )
        first, second, pair = parts
        fused, workspace, packed = found
        self._settle(
            _first=first,
            _second=second,
            _pair=pair,
            _operands=tuple(
                (name, weight)
                for name, weight, part in zip(NAMES, weights, parts, strict=False)
                if part.packed_bytes == 0
            ),
            fused=fused,
            dtype=first.dtype,
            weight_dtype=first.weight_dtype,
            out_dtype=second.out_dtype,
            input_shape=first.input_shape,
            output_shape=second.output_shape,
            packed_bytes=packed,
            workspace_bytes=workspace,
            multiplications=first.multiplications + second.multiplications,
        )

    def _run(self, x, residual, out, workspace):
        if self.fused:
            self._pair.run(x, residual, out, workspace)
            return
        middle, rest = carve(workspace, self._first.output_shape, self._first.out_dtype)
        self._first(x, middle, rest)
        self._second(middle, out, rest, residual)

    def __repr__(self):
        how = "fused" if self.fused else "one after the other"
        types = type_words(self.dtype, self.weight_dtype, self.out_dtype)
        return f"<pyconv.SeparablePlan {types} {self.input_shape} -> {self.output_shape}, {how}>"


@lasting
def plan_separable_conv2d(
    x_shape,
    depthwise_weight,
    pointwise_weight,
    bias=None,
    *,
    depthwise_bias=None,
    depthwise_activation=None,
    stride=1,
    padding=0,
    dilation=1,
    layout="NCHW",
    padding_mode="zeros",
    activation=None,
    max_workspace=None,
    accuracy=None,
    threads=None,
    dtype=None,
    out_dtype=None,
):
    """
    Pack the weights for many calls of `separable_conv2d` on one input shape.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of the inputs to come.
    depthwise_weight, pointwise_weight, bias, depthwise_bias, depthwise_activation
        As in `separable_conv2d`.
    stride, padding, dilation, layout, padding_mode, activation, max_workspace, accuracy, threads
        As in `separable_conv2d`.
    dtype : dtype, optional
        Of the inputs to come, by default that of the weights.
    out_dtype : dtype, optional
        As in `conv2d`.

    Returns
    -------
    SeparablePlan
        Call it: ``y = plan(x, out=None, workspace=None, residual=None)``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `separable_conv2d`.
    """
    x_shape = checked_shape(x_shape, "x_shape")
    dtype = None if dtype is None else np.dtype(dtype)
    kernels = as_weight(depthwise_weight, NAMES[0], dtype)
    matrix = as_weight(pointwise_weight, NAMES[1], dtype)
    bias = as_bias(bias, "bias", kernels.dtype)
    depthwise_bias = as_bias(depthwise_bias, "depthwise_bias", kernels.dtype)
    shape = filters_shape(matrix, NAMES[1])
    each, groups = each_channel(kernels, NAMES[0], x_shape, layout)
    if shape[1] != kernels.shape[0]:
        raise ValueError(
            f"pointwise_weight reads {shape[1]} channels, depthwise_weight makes {kernels.shape[0]}"
        )
    inner = computed_in(kernels.dtype, NAMES[0], NAMES[0])
    depthwise = problem(
        x_shape,
        kernels.dtype if dtype is None else dtype,
        each.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        activation=depthwise_activation,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype_of=NAMES[0] if dtype is None else "dtype",
        weight_dtype=kernels.dtype,
        out_dtype=inner,
    )
    number = kernels.dtype.num
    check_operand(matrix, NAMES[1], number, matrix.shape, NAMES[0])
    if depthwise_bias is not None:
        check_operand(depthwise_bias, "depthwise_bias", number, kernels.shape[:1], NAMES[0])
    if bias is not None:
        check_operand(bias, "bias", number, matrix.shape[:1], NAMES[1])
    pointwise = depthwise.derive(
        x_shape=depthwise.y_shape,
        dtype=inner,
        out_dtype=kernels.dtype if out_dtype is None else np.dtype(out_dtype),
        weight_shape=shape,
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        padding_mode=0,
        border=0,
        dilation=(1, 1),
        groups=1,
        bounds=clip_bounds(activation),
    )
    weights = each, matrix.reshape(shape)
    return SeparablePlan, depthwise.max_workspace, depthwise, pointwise, weights, (depthwise_bias, bias)


def separable_conv2d(
    x,
    depthwise_weight,
    pointwise_weight,
    bias=None,
    *,
    depthwise_bias=None,
    depthwise_activation=None,
    stride=1,
    padding=0,
    dilation=1,
    layout="NCHW",
    padding_mode="zeros",
    activation=None,
    residual=None,
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
    out_dtype=None,
):
    """
    Depthwise separable cross-correlation: filters of its own for each channel, a matrix for each pixel.

    In NHWC, rows of the depthwise result are multiplied while they are in the cache; it never exists as a
    whole where all dtypes are float32 or all float64. What is between the two is of the type that is computed
    in; the result is rounded once.

    Parameters
    ----------
    x : array_like
        As in `conv2d`.
    depthwise_weight : array_like
        Shape ``(M * C, 1, R, S)``, as in `depthwise_conv2d`.
    pointwise_weight : array_like
        Shape ``(K, M * C)`` or ``(K, M * C, 1, 1)``, as in `pointwise_conv2d`.
    bias : array_like, optional
        Of the result, shape ``(K,)``.
    depthwise_bias : array_like, optional
        Of what is between the two, shape ``(M * C,)``.
    depthwise_activation : None, "relu", "relu6" or ("clip", lo, hi)
        Between the two. A batch normalisation there folds into `depthwise_weight` and `depthwise_bias`.
    stride, padding, dilation, padding_mode
        Of the depthwise part, as in `conv2d`.
    layout : {"NCHW", "NHWC"}
        Of `x`, `residual` and the result.
    activation, residual
        Of the result, as in `conv2d`.
    max_workspace, accuracy, threads, out, out_dtype
        As in `conv2d`.
    workspace : buffer, optional
        Writable, aligned to 64 bytes, as long as the plan's `workspace_bytes`.

    Returns
    -------
    ndarray
        ``(N, K, OH, OW)`` or ``(N, OH, OW, K)``, with `conv2d`'s ``OH`` and ``OW``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    See Also
    --------
    plan_separable_conv2d : packs the weights once, for many calls.

    References
    ----------
    Sifre, *Rigid-Motion Scattering for Image Classification*, 2014; Howard et al., *MobileNets: Efficient
    Convolutional Neural Networks for Mobile Vision Applications*, 2017.
    """
    x = as_array(x, "x")
    check_element(x.dtype, "x", "x")
    prepared = plan_separable_conv2d.once(
        x.shape,
        depthwise_weight,
        pointwise_weight,
        bias,
        depthwise_bias=depthwise_bias,
        depthwise_activation=depthwise_activation,
        stride=stride,
        padding=padding,
        dilation=dilation,
        layout=layout,
        padding_mode=padding_mode,
        activation=activation,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype=x.dtype,
        out_dtype=out_dtype,
    )
    operands = {
        "depthwise_weight": depthwise_weight,
        "pointwise_weight": pointwise_weight,
        "depthwise_bias": depthwise_bias,
        "bias": bias,
    }
    return prepared._once(operands, x, out, workspace, residual)
