# SPDX-License-Identifier: BSD-3-Clause
"""A convolution with all that follows it, as one plan: normalised weights, a residual, an activation."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .._kernels import Plan
from .._problem import problem
from .operators import images, lifted
from .plans import Shelf, circumstances, mark, version
from .tensors import array, channels_last, tensor, weights


class Step:
    """
    activation(norm(layer(x)) + residual), in eval.

    With ``scale = gamma / sqrt(variance + eps)`` of each filter, the weights are ``w * scale`` and the bias
    is ``(bias - mean) * scale + beta``, rounded once. They are made anew when one of these has changed.
    Images are turned to channels_last where `last` asks for it.
    """

    last = False

    def __init__(self, layer: nn.Module, norm: nn.Module | None, activation: Any) -> None:
        self.layer, self.norm, self.activation = layer, norm, activation
        self._shelf = Shelf()
        ends = layer._reversed_padding_repeated_twice  # left, right, top, bottom
        self._sides = [end for i in range(len(ends) - 2, -1, -2) for end in ends[i : i + 2]]

    def __call__(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        weight = self.layer.weight
        if x.dim() != weight.dim() or x.dtype != weight.dtype:
            return self.apart(x, residual)
        if self.last and x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        last = channels_last(x)
        a = array(images(x), last)
        plan = self._shelf.plan(
            self._marked(), (a.shape, last, circumstances()), lambda: self._plan(a, last), True
        )
        r = None
        if residual is not None:
            r = array(images(residual), last)
            if r.shape != plan.output_shape or r.dtype != a.dtype:
                return self.apart(x, residual)
        y = tensor(plan(a, None, None, r), x.dtype, last)
        return y.squeeze(-2) if x.dim() == 3 else y

    def _marked(self) -> Any:
        """What the weights depend on. Running statistics change together: the mean stands for both."""
        layer, norm = self.layer, self.norm
        if norm is None:
            return mark(layer.weight, layer.bias)
        others = layer.bias, norm.weight, norm.bias, norm.running_var
        return mark(layer.weight, norm.running_mean), [version(t) for t in others if t is not None]

    def _normalised(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of the two as one."""
        layer, norm = self.layer, self.norm
        weight, bias = layer.weight, layer.bias
        if norm is None:
            return weight, bias
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        if norm.weight is not None:
            scale *= norm.weight.double()
        shift = -norm.running_mean.double() if bias is None else bias.double() - norm.running_mean.double()
        shift *= scale
        if norm.bias is not None:
            shift += norm.bias.double()
        scaled = weight.double() * scale.reshape(-1, *[1] * (weight.dim() - 1))
        return scaled.to(weight.dtype), shift.to(weight.dtype)

    def _plan(self, a: NDArray[Any], last: bool) -> Plan:
        layer = self.layer
        with torch.no_grad():
            weight, bias = self._normalised()
        w = weights(images(weight))
        described = problem(
            a.shape,
            a.dtype,
            w.shape,
            **lifted(layer.stride, self._sides, layer.dilation, layer.groups),
            layout="NHWC" if last else "NCHW",
            padding_mode=layer.padding_mode,
            activation=self.activation,
            weight_dtype=w.dtype,
            out_dtype=a.dtype,
        )
        return Plan(described, w, None if bias is None else weights(bias))

    def apart(self, x: Tensor, residual: Tensor | None) -> Tensor:
        """What no one plan can do, one after the other."""
        y = self.layer(x)
        y = y if self.norm is None else self.norm(y)
        y = y if residual is None else y + residual
        match self.activation:
            case None:
                return y
            case "relu":
                return torch.relu(y)
            case "relu6":
                return nn.functional.relu6(y)
            case _, low, high:
                return nn.functional.hardtanh(y, low, high)
