# SPDX-License-Identifier: BSD-3-Clause
"""torch.nn.functional's convolutions: its words as the operators'."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .operators import CONVOLUTION, TRANSPOSED
from .tensors import check

Size = int | Sequence[int]


def _each(value: Any, axes: int, name: str) -> list[int]:
    """``2``, ``(2,)`` or ``(2, 1)`` for each of the axes."""
    if isinstance(value, (tuple, list, torch.Size)):
        if len(value) == axes:
            return list(value)
        if len(value) != 1:
            raise ValueError(f"{name} must be an int or {axes} of them, has {len(value)} values")
        value = value[0]
    if not isinstance(value, (int, torch.SymInt)) or isinstance(value, bool):
        raise TypeError(f"{name} must be made of ints, is {value!r}")
    return [value] * axes


def _sides(padding: Any, weight: Tensor, stride: list[int], dilation: list[int]) -> list[int]:
    """Before and after each axis."""
    axes = len(stride)
    if not isinstance(padding, str):
        return [p for p in _each(padding, axes, "padding") for _ in range(2)]
    if padding == "valid":
        return [0] * (2 * axes)
    if padding != "same":
        raise ValueError(f"padding must be ints, 'valid' or 'same', is {padding!r}")
    if any(s != 1 for s in stride):
        raise ValueError(f"padding 'same' needs stride 1, is {tuple(stride)}")
    totals = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation, strict=True)]
    return [side for total in totals for side in (total // 2, total - total // 2)]


def _checked(axes: int, **tensors: Any) -> None:
    check(**tensors)
    x, weight = tensors["input"], tensors["weight"]
    if weight.dim() != axes + 2:
        raise ValueError(f"weight must have {axes + 2} dimensions, has shape {tuple(weight.shape)}")
    if x.dim() not in (axes + 1, axes + 2):
        raise ValueError(f"input must have {axes + 1} or {axes + 2} dimensions, has shape {tuple(x.shape)}")


def _cast(*tensors: Any) -> tuple[Any, ...]:
    """As PyTorch's own convolutions are under torch.autocast: in its type of few bits, float64 aside."""
    if not torch.is_autocast_enabled("cpu"):
        return tensors
    dtype = torch.get_autocast_dtype("cpu")
    return tuple(
        t.to(dtype) if isinstance(t, Tensor) and t.is_floating_point() and t.dtype != torch.float64 else t
        for t in tensors
    )


def _convolve(
    axes: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    x, weight, bias = _cast(x, weight, bias)
    _checked(axes, input=x, weight=weight, bias=bias)
    stride, dilation = _each(stride, axes, "stride"), _each(dilation, axes, "dilation")
    sides = _sides(padding, weight, stride, dilation)
    if x.dim() == axes + 2:
        return CONVOLUTION(x, weight, bias, stride, sides, dilation, groups)
    return CONVOLUTION(x.unsqueeze(0), weight, bias, stride, sides, dilation, groups).squeeze(0)


def _transpose(
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    extra: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    x, weight, bias = _cast(x, weight, bias)
    _checked(axes, input=x, weight=weight, bias=bias)
    stride, dilation = _each(stride, axes, "stride"), _each(dilation, axes, "dilation")
    pads, extra = _each(padding, axes, "padding"), _each(extra, axes, "output_padding")
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if not 0 <= e < max(s, d):
            raise ValueError(
                "output_padding must be less than stride or dilation, and not negative: "
                f"is {tuple(extra)} for stride {tuple(stride)}, dilation {tuple(dilation)}"
            )
    size = [
        (i - 1) * s - 2 * p + d * (k - 1) + e + 1
        for i, k, s, p, d, e in zip(
            x.shape[-axes:], weight.shape[2:], stride, pads, dilation, extra, strict=True
        )
    ]
    if any(rows < 1 for rows in size):
        raise ValueError(
            f"no output is left: input {tuple(x.shape)}, weight {tuple(weight.shape)}, "
            f"stride {tuple(stride)}, padding {tuple(pads)}, dilation {tuple(dilation)} make {tuple(size)}"
        )
    sides = [p for p in pads for _ in range(2)]
    if x.dim() == axes + 2:
        return TRANSPOSED(x, weight, bias, size, stride, sides, dilation, groups)
    return TRANSPOSED(x.unsqueeze(0), weight, bias, size, stride, sides, dilation, groups).squeeze(0)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv1d`; see `conv2d`."""
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """
    `torch.nn.functional.conv2d`, with gradients of any order, also by pyconv.

    Parameters
    ----------
    input : Tensor
        ``(N, C, H, W)`` or ``(C, H, W)`` on the CPU: float32, float64, float16 or bfloat16. What is in
        torch.channels_last stays in it.
    weight : Tensor
        ``(K, C / groups, R, S)``, of the dtype of `input`. float16 and bfloat16 are computed in float32.
    bias : Tensor, optional
        ``(K,)``
    stride, dilation : int or (int, int)
    padding : int, (int, int), "valid" or "same"
    groups : int

    Returns
    -------
    Tensor
        ``(N, K, OH, OW)``, or without N.

    Raises
    ------
    TypeError
        For a tensor that isn't dense, on the CPU and of one of these dtypes, all the same.
    ValueError
        For shapes and numbers that do not fit.

    Notes
    -----
    Threads are ``torch.get_num_threads()``, accuracy and memory those of `pyconv.config`, whose ``threads``
    wins. Weights that are used again and again without a change, training aside, are packed once for each of
    the last shapes. Under torch.autocast operands are cast as PyTorch casts them.
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv3d`; see `conv2d`."""
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """`torch.nn.functional.conv_transpose1d`; see `conv2d`."""
    return _transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """`torch.nn.functional.conv_transpose2d`; see `conv2d`. The weight is ``(C, K / groups, R, S)``."""
    return _transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """`torch.nn.functional.conv_transpose3d`; see `conv2d`."""
    return _transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
