# SPDX-License-Identifier: BSD-3-Clause
"""Tensors as arrays that share their memory, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

try:
    from ml_dtypes import bfloat16

    BFLOAT16: np.dtype[Any] | None = np.dtype(bfloat16)
except ImportError:
    BFLOAT16 = None

TYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
PLAIN = (Tensor, torch.nn.Parameter)


def check(**tensors: Any) -> None:
    """Raises TypeError unless all are tensors in this machine's memory, of one dtype that is served."""
    first, wanted = next(iter(tensors.items()))
    for name, tensor in tensors.items():
        if tensor is None and name == "bias":
            continue
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, is {type(tensor).__name__}")
        if tensor.layout != torch.strided:
            raise TypeError(
                f"{name} must be a dense tensor, has layout {tensor.layout}: pass {name}.to_dense()"
            )
        if tensor.device.type != "cpu":
            raise TypeError(f"{name} must be on the CPU, is on {tensor.device}")
        if tensor.dtype not in TYPES:
            raise TypeError(f"{name} must be float32, float64, float16 or bfloat16, is {_word(tensor)}")
        if tensor.dtype != wanted.dtype:
            raise TypeError(f"{name} is {_word(tensor)}, {first} is {_word(wanted)}: dtypes must match")


def _word(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


LAST = {4: torch.channels_last, 5: torch.channels_last_3d}  # by the number of dimensions


def channels_last(x: Tensor) -> bool:
    """Whether images stand in memory as (N, H, W, C), and not just as well as (N, C, H, W); or volumes."""
    return x.dim() in LAST and x.is_contiguous(memory_format=LAST[x.dim()]) and not x.is_contiguous()


def empty(x: Tensor, shape: Sequence[int]) -> Tensor:
    """An uninitialised result of this shape, in the layout of x."""
    form = LAST[x.dim()] if channels_last(x) else torch.contiguous_format
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=form)


def array(x: Tensor, last: bool = False) -> NDArray[Any]:
    """The elements of x, not copied if they are contiguous; ``(N, H, W, C)`` if channels are to be `last`."""
    if x.requires_grad:
        x = x.detach()
    if last:
        x = x.contiguous(memory_format=LAST[x.dim()])
        x = x.permute(0, 2, 3, 1) if x.dim() == 4 else x.movedim(1, -1)
    elif not x.is_contiguous():
        x = x.contiguous()
    if x.is_neg():
        x = x.resolve_neg()
    if x.dtype == torch.bfloat16:
        return x.view(torch.int16).numpy().view(BFLOAT16) if BFLOAT16 is not None else x.float().numpy()
    return x.numpy()


def weights(w: Tensor) -> NDArray[Any]:
    """Of filters and biases: of a dtype that is computed in."""
    return array(w.float() if w.dtype == torch.bfloat16 else w)


def tensor(y: NDArray[Any], dtype: torch.dtype, last: bool = False) -> Tensor:
    """The tensor (N, C, H, W) over the elements of y, which are ``(N, H, W, C)`` if channels are `last`."""
    if dtype == torch.bfloat16:
        t = (
            torch.from_numpy(y.view(np.int16)).view(dtype)
            if y.dtype == BFLOAT16
            else torch.from_numpy(y).to(dtype)
        )
    else:
        t = torch.from_numpy(y)
    if not last:
        return t
    return t.permute(0, 3, 1, 2) if t.dim() == 4 else t.movedim(-1, 1)
