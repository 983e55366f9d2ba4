# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch's convolutions by pyconv: functions with autograd, layers, and whole networks by `accelerate`."""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError(f"pyconv.torch needs PyTorch ({error}): pip install 'pyconv[torch]'") from error

from .accelerate import Report, accelerate, restore
from .functional import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from .modules import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Report",
    "accelerate",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "restore",
]
