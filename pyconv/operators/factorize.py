# SPDX-License-Identifier: BSD-3-Clause
"""Filters of R rows and S columns as R x 1 filters followed by 1 x S ones, by singular values."""

import math
from types import GenericAlias

import numpy as np

from .._arguments import INF, checked_shape, integer
from .._kernels import (
    DTYPES,
    PADDING_MODES,
    Plan,
    UnsupportedError,
    as_array,
    as_bias,
    check_operand,
    computed_in,
    type_words,
)
from .._pickling import lasting
from .._problem import problem
from .composed import ChainedPlan, aligned_bytes, carve, memory_for


class Factorization:
    """
    Two small convolutions in place of one, made by `pyconv.factorize`.

    Attributes
    ----------
    vertical, horizontal : ndarray
        Weights ``(F, C / groups, R, 1)`` of the first and ``(K, F / horizontal_groups, 1, S)`` of the second.
    groups, horizontal_groups : int
        Of the first and of the second.
    rank : int
        Intermediate channels: of each filter where filters have one channel, else of each group.
    error : float
        Relative L2 error of the weights that the two make together.
    parameters, original_parameters : int
        Weights of both, and of the filters they replace.
    """

    def __init__(self, vertical, horizontal, groups, horizontal_groups, rank, original):
        self.vertical, self.horizontal = vertical, horizontal
        self.groups, self.horizontal_groups, self.rank = groups, horizontal_groups, rank
        self.shape = original.shape
        self.parameters, self.original_parameters = vertical.size + horizontal.size, original.size
        exact = original.astype(np.float64)
        size = np.linalg.norm(exact)
        self.error = float(np.linalg.norm(self.weight() - exact) / size) if size else 0.0

    @classmethod
    def __class_getitem__(cls, dtype):
        """``Factorization[numpy.float32]``, for annotations."""
        return GenericAlias(cls, dtype)

    def weight(self):
        """The filters that the two convolutions make together: float64, of the original's shape."""
        k, c, r, s = self.shape
        parts = self.horizontal_groups
        columns = self.vertical.astype(np.float64).reshape(parts, self.rank, c * r)
        rows = self.horizontal.astype(np.float64).reshape(parts, k // parts, self.rank, s)
        product = columns.transpose(0, 2, 1) @ rows.transpose(0, 2, 1, 3).reshape(parts, self.rank, -1)
        return product.reshape(parts, c, r, k // parts, s).transpose(0, 3, 1, 2, 4).reshape(self.shape)

    @lasting
    def plan(
        self,
        x_shape,
        bias=None,
        *,
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
        Plan both convolutions for one input shape.

        Parameters
        ----------
        x_shape : tuple of int
        bias, stride, padding, dilation, layout, padding_mode, activation, max_workspace, accuracy, threads
            As in `pyconv.plan`, for the pair.
        dtype, out_dtype : dtype, optional
            As in `pyconv.plan`.

        Returns
        -------
        FactorizedPlan

        Raises
        ------
        TypeError, ValueError, UnsupportedError, MemoryError
            As in `pyconv.plan`.
        """
        whole = problem(
            checked_shape(x_shape, "x_shape"),
            self.vertical.dtype if dtype is None else np.dtype(dtype),
            self.shape,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=self.groups,
            layout=layout,
            padding_mode=padding_mode,
            activation=activation,
            max_workspace=max_workspace,
            accuracy=accuracy,
            threads=threads,
            dtype_of="weight" if dtype is None else "dtype",
            weight_dtype=self.vertical.dtype,
            out_dtype=out_dtype,
        )
        factors = self.vertical, self.horizontal
        bias = as_bias(bias, "bias", whole.weight_dtype)
        return FactorizedPlan, whole.max_workspace, factors, self.horizontal_groups, whole, bias

    def __str__(self):
        return (
            f"{self.shape} -> {self.vertical.shape} and {self.horizontal.shape}, rank {self.rank}\n"
            f"relative error of the weights {self.error:.1e}; weights, and multiplications per pixel: "
            f"{self.original_parameters:,} -> {self.parameters:,}"
        )

    __repr__ = __str__


class FactorizedPlan(ChainedPlan):
    """
    Two plans, one after the other; see `pyconv.Plan`.

    Attributes
    ----------
    vertical, horizontal : Plan
        What is between them is of the type that is computed in; the result is rounded once.
    input_shape, output_shape : tuple of int
    dtype, weight_dtype, out_dtype : numpy.dtype
        Of input; of weights and bias; of output and residual.
    workspace_bytes, packed_bytes, multiplications : int
        Of both; the image between them is part of the workspace.
    original_multiplications : int
        Of the convolution they replace.
    """

    def __init__(self, factors, groups, whole, bias):
        """`whole` describes the convolution that the two factors replace; the second is in `groups`."""
        budget, (first, second) = whole.max_workspace, factors
        if bias is not None:
            check_operand(bias, "bias", whole.weight_dtype.num, whole.weight_shape[:1], "weight")
        inner = computed_in(whole.weight_dtype, "weight", "weight")
        (sh, sw), (top, bottom, left, right), (dh, dw) = whole.stride, whole.padding, whole.dilation
        # A column of a constant does not sum to that constant: what is left and right of it is summed, too.
        early = whole.padding_mode == PADDING_MODES["constant"]
        down = whole.derive(
            weight_shape=first.shape,
            stride=(sh, 1),
            padding=(top, bottom, left, right) if early else (top, bottom, 0, 0),
            dilation=(dh, 1),
            bounds=(-INF, INF),
            out_dtype=inner,
            max_workspace=None if budget is None else budget // 2,
        )
        vertical = Plan(down, first)
        size = aligned_bytes(down.y_shape, inner)
        most = None if budget is None else budget - size - vertical.workspace_bytes - vertical.packed_bytes
        if most is None or most >= 0:
            across = down.derive(
                x_shape=down.y_shape,
                dtype=inner,
                weight_shape=second.shape,
                stride=(1, sw),
                padding=(0, 0, 0, 0) if early else (0, 0, left, right),
                padding_mode=PADDING_MODES["zeros"] if early else whole.padding_mode,
                border=0,
                dilation=(1, dw),
                groups=groups,
                bounds=whole.bounds,
                out_dtype=whole.out_dtype,
                max_workspace=most,
            )
            horizontal = Plan(across, second, bias)
            if most is not None:
                most -= horizontal.workspace_bytes + horizontal.packed_bytes
        if most is not None and most < 0:
            raise UnsupportedError(
                f"two convolutions of x {whole.x_shape} need {-most} bytes more than max_workspace allows: "
                f"{size} are the image between them"
            )
        both = vertical, horizontal
        self._settle(
            vertical=vertical,
            horizontal=horizontal,
            dtype=whole.dtype,
            weight_dtype=whole.weight_dtype,
            out_dtype=whole.out_dtype,
            input_shape=whole.x_shape,
            output_shape=whole.y_shape,
            workspace_bytes=size + max(each.workspace_bytes for each in both),
            packed_bytes=sum(each.packed_bytes for each in both),
            multiplications=sum(each.multiplications for each in both),
            original_multiplications=math.prod(whole.y_shape) * math.prod(whole.weight_shape[1:]),
        )

    def _run(self, x, residual, out, workspace):
        between, rest = carve(workspace, self.vertical.output_shape, self.vertical.out_dtype)
        self.vertical(x, between, rest)
        self.horizontal(between, out, rest, residual)

    def __str__(self):
        return (
            f"{self.input_shape} -> {self.output_shape}, "
            f"{type_words(self.dtype, self.weight_dtype, self.out_dtype)}\n"
            f"  workspace {self.workspace_bytes:,} bytes, packed weights {self.packed_bytes:,} bytes\n"
            f"  multiplications {self.multiplications:,} instead of {self.original_multiplications:,}\n"
            f"{self.vertical}\n{self.horizontal}"
        )


def factorize(weight, rank=None, *, groups=1):
    """
    Split R x S filters into R x 1 and 1 x S filters by singular value decomposition.

    A Gaussian, a box or a Sobel filter is a column times a row and comes apart exactly, at rank 1.
    What comes apart at no low rank is approximated, with the least error that the rank allows.

    Parameters
    ----------
    weight : array_like
        Filters of shape ``(K, C / groups, R, S)``: float32, float64 or float16.
    rank : int, optional
        Filters of one channel (C = groups) come apart one by one, each into `rank` columns and rows: at
        most min(R, S). Others come apart together, one matrix for each group, with `rank` channels between:
        at most min(C / groups * R, K / groups * S). By default the smallest that is exact in the dtype.
    groups : int
        As in `pyconv.conv2d`.

    Returns
    -------
    Factorization
        Its `plan` makes the two convolutions ready; `error` says what they miss; print it for the cost.

    Raises
    ------
    TypeError
        For a dtype that is not served, or a rank that is no int.
    ValueError
        For a shape or a rank that doesn't fit.

    Notes
    -----
    Filter by filter: Rigamonti et al., *Learning Separable Filters*, 2013. Together: Jaderberg, Vedaldi,
    Zisserman, *Speeding up Convolutional Neural Networks with Low Rank Expansions*, 2014.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> bell = np.exp(-np.linspace(-2, 2, 7) ** 2)
    >>> pair = pyconv.factorize(np.outer(bell, bell)[None, None])
    >>> pair.rank, pair.error < 1e-15, pair.original_parameters, pair.parameters
    (1, True, 49, 14)
    """
    weight = as_array(weight, "weight")
    if weight.dtype.name not in DTYPES:
        raise TypeError(f"weight must be float32, float64 or float16, is {weight.dtype}")
    if weight.ndim != 4 or 0 in weight.shape:
        raise ValueError(f"weight must have 4 dimensions of at least 1, has shape {weight.shape}")
    with memory_for(weight.size * 8, "the singular values of weight"):
        finite = np.isfinite(weight).all()
    if not finite:
        raise ValueError("weight holds NaN or infinity, which has no singular values")
    k, c, r, s = weight.shape
    groups = integer(groups, "groups")
    if groups < 1 or k % groups:
        raise ValueError(f"{k} filters of weight do not divide by groups={groups}")
    parts = k if c == 1 else groups
    # (parts, C·R, K·S / parts): one matrix for each filter, or for each group.
    with memory_for(weight.size * 8, "the singular values of weight"):
        matrices = weight.astype(np.float64).reshape(parts, k // parts, c, r, s).transpose(0, 2, 3, 1, 4)
        matrices = matrices.reshape(parts, c * r, k // parts * s)
        u, values, vt = np.linalg.svd(matrices, full_matrices=False)
    most = values.shape[-1]
    if rank is None:
        rank = _exact_rank(values, np.finfo(weight.dtype).eps)
    rank = integer(rank, "rank")
    if not 1 <= rank <= most:
        raise ValueError(
            f"rank must be from 1 to {most} for weight {weight.shape} in {groups} groups, is {rank}"
        )
    # Each side takes the root of the singular value, so that neither leaves the range of a small dtype.
    roots = np.sqrt(values[:, :rank])
    columns = u[:, :, :rank] * roots[:, None]
    rows = roots[:, :, None] * vt[:, :rank]
    vertical = columns.transpose(0, 2, 1).reshape(parts * rank, c, r, 1)
    horizontal = rows.reshape(parts, rank, k // parts, 1, s).transpose(0, 2, 1, 3, 4).reshape(k, rank, 1, s)
    native = weight.dtype.newbyteorder("=")
    return Factorization(vertical.astype(native), horizontal.astype(native), groups, parts, rank, weight)


def _exact_rank(values, eps):
    """The smallest rank at which no matrix misses more than eps of its norm; values[part][i] descend."""
    # tail[part][t] = norm of what rank t leaves out
    tail = np.sqrt(np.cumsum(values[:, ::-1] ** 2, axis=1)[:, ::-1])
    enough = tail <= eps * np.linalg.norm(values, axis=1, keepdims=True)
    ranks = np.where(enough.any(axis=1), enough.argmax(axis=1), values.shape[1])
    return max(1, int(ranks.max()))
