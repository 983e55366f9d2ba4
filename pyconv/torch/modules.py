# SPDX-License-Identifier: BSD-3-Clause
"""
torch.nn's convolution layers, computed by pyconv.

They add methods to PyTorch's classes and no state, so that a layer becomes one of them, and what it was
before, by its class alone: parameters, hooks, state_dict and optimizers stay as they are.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from . import functional


class _Layer:
    """What PyTorch's classes call for each image, or signal, after padding that isn't with zeros."""

    _function = staticmethod(functional.conv2d)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = nn.functional.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = 0
        return self._function(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class _Transposed:
    _function = staticmethod(functional.conv_transpose2d)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        if self.padding_mode != "zeros":
            raise ValueError(f"a transposed convolution pads with zeros, not {self.padding_mode!r}")
        axes = self.weight.dim() - 2
        extra = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size, axes, self.dilation
        )
        words = self.stride, self.padding, extra, self.groups, self.dilation
        return self._function(input, self.weight, self.bias, *words)


class Conv1d(_Layer, nn.Conv1d):
    """`torch.nn.Conv1d`, computed by `pyconv.torch.conv1d`."""

    _function = staticmethod(functional.conv1d)


class Conv2d(_Layer, nn.Conv2d):
    """`torch.nn.Conv2d`, computed by `pyconv.torch.conv2d`."""


class Conv3d(_Layer, nn.Conv3d):
    """`torch.nn.Conv3d`, computed by `pyconv.torch.conv3d`."""

    _function = staticmethod(functional.conv3d)


class ConvTranspose1d(_Transposed, nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d`, computed by `pyconv.torch.conv_transpose1d`."""

    _function = staticmethod(functional.conv_transpose1d)


class ConvTranspose2d(_Transposed, nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d`, computed by `pyconv.torch.conv_transpose2d`."""


class ConvTranspose3d(_Transposed, nn.ConvTranspose3d):
    """`torch.nn.ConvTranspose3d`, computed by `pyconv.torch.conv_transpose3d`."""

    _function = staticmethod(functional.conv_transpose3d)


OURS = {
    nn.Conv1d: Conv1d,
    nn.Conv2d: Conv2d,
    nn.Conv3d: Conv3d,
    nn.ConvTranspose1d: ConvTranspose1d,
    nn.ConvTranspose2d: ConvTranspose2d,
    nn.ConvTranspose3d: ConvTranspose3d,
}
THEIRS = {ours: theirs for theirs, ours in OURS.items()}


def reason_against(layer: nn.Module) -> str | None:
    """Why a convolution of PyTorch's can't become one of ours; None if it can."""
    if type(layer) not in OURS:
        return f"it is a {type(layer).__name__}, whose own methods would be lost"
    if "forward" in vars(layer) or "_conv_forward" in vars(layer):
        return "its forward has been replaced"
    for name, parameter in layer.named_parameters(recurse=False):
        if parameter.device.type != "cpu":
            return f"{name} is on {parameter.device}"
        if parameter.dtype not in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            return f"{name} is {str(parameter.dtype).removeprefix('torch.')}"
    if isinstance(layer, nn.modules.conv._ConvTransposeNd) and layer.padding_mode != "zeros":
        return f"it pads with {layer.padding_mode}"
    return None
