# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch (oneDNN): eager NCHW and channels_last, channels_last with packed weights, oneDNN's own layout."""

import torch
import torch.nn.functional as F
from torch.utils import mkldnn

from lib import gradients, stacks, training
from lib.peers import Prepared

VERSION = torch.__version__


def variants(options):
    return ["nchw", "channels_last"] + ["prepacked", "mkldnn"] * (
        "of" not in options and not options.get("training")
    )


def inferring(function):
    """Without autograd's bookkeeping."""
    return torch.inference_mode()(function)


@inferring
def prepare(variant, layer, x, weight, bias, threads):
    torch.set_num_threads(threads)
    x, weight, bias = map(torch.from_numpy, (x, weight, bias))
    shape = (layer.sh, layer.sw), (layer.ph, layer.pw), (layer.dh, layer.dw), layer.g
    if variant == "mkldnn":
        module = torch.nn.Conv2d(layer.ic, layer.oc, (layer.kh, layer.kw), *shape).eval()
        module.weight, module.bias = (torch.nn.Parameter(v, requires_grad=False) for v in (weight, bias))
        module, x = mkldnn.to_mkldnn(module), x.to_mkldnn()
        return Prepared(inferring(lambda: module(x)), lambda y: y.to_dense().numpy())
    if variant != "nchw":
        x = x.contiguous(memory_format=torch.channels_last)
    if variant == "channels_last":
        weight = weight.contiguous(memory_format=torch.channels_last)
    if variant == "prepacked":
        stride, padding, dilation, groups = shape
        form = padding, stride, dilation, groups
        packed = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *form, x.shape)
        pointwise = torch.ops.mkldnn._convolution_pointwise
        return Prepared(
            inferring(lambda: pointwise(x, packed, bias, *form, "none", [], "")), lambda y: y.numpy()
        )
    return Prepared(inferring(lambda: F.conv2d(x, weight, bias, *shape)), lambda y: y.numpy())


@inferring
def prepare_network(variant, stack, image, parameters, threads):
    """Eager calls, as a forward() without batch norm would make them."""
    torch.set_num_threads(threads)
    form = torch.channels_last if variant == "channels_last" else torch.contiguous_format
    image = torch.from_numpy(image).contiguous(memory_format=form)
    tensors = {
        name: (torch.from_numpy(weight).contiguous(memory_format=form), torch.from_numpy(bias))
        for name, (weight, bias) in parameters.items()
    }

    def convolve(node, x, residual):
        layer, step = node.layer, slice(None, None, node.every)
        x = x[:, :, step, step].contiguous(memory_format=form)
        y = F.conv2d(x, *tensors[node.name], (layer.sh, layer.sw), (layer.ph, layer.pw), 1, layer.g)
        if residual is not None:
            y += residual
        return torch.relu_(y) if node.relu else y

    return Prepared(inferring(lambda: stacks.walk(stack, image, convolve)), lambda y: y.numpy())


def prepare_training(variant, stack, image, parameters, threads):
    """Autograd through functional.conv2d, and torch.optim.SGD."""
    torch.set_num_threads(threads)
    form = torch.channels_last if variant == "channels_last" else torch.contiguous_format
    image, dy = (
        torch.from_numpy(a).contiguous(memory_format=form) for a in (image, training.upstream(stack))
    )
    tensors = {
        name: [
            torch.from_numpy(weight.copy()).contiguous(memory_format=form).requires_grad_(),
            torch.from_numpy(bias.copy()).requires_grad_(),
        ]
        for name, (weight, bias) in parameters.items()
    }
    optimizer = torch.optim.SGD([t for pair in tensors.values() for t in pair], training.RATE)

    def convolve(node, x, residual):
        layer, step = node.layer, slice(None, None, node.every)
        if node.every > 1:
            x = x[:, :, step, step].contiguous(memory_format=form)
        y = F.conv2d(x, *tensors[node.name], (layer.sh, layer.sw), (layer.ph, layer.pw), 1, layer.g)
        if residual is not None:
            y = y + residual
        return torch.relu(y) if node.relu else y

    def run():
        optimizer.zero_grad()
        stacks.walk(stack, image, convolve).backward(dy)
        optimizer.step()
        return tensors

    def fetch(tensors):
        found = {name: [t.grad.numpy() for t in pair] for name, pair in tensors.items()}
        return training.flat(found, stack)

    return Prepared(run, fetch)


@inferring
def prepare_gradient(variant, of, layer, x, weight, dy, threads):
    """What autograd calls, without its bookkeeping."""
    torch.set_num_threads(threads)
    form = torch.channels_last if variant == "channels_last" else torch.contiguous_format
    x, weight, dy = (
        None if a is None else torch.from_numpy(a).contiguous(memory_format=form) for a in (x, weight, dy)
    )
    stride, padding, dilation = (layer.sh, layer.sw), (layer.ph, layer.pw), (layer.dh, layer.dw)
    if of == "transposed":
        extra = gradients.output_padding(layer)
        words = stride, padding, extra, layer.g, dilation
        return Prepared(inferring(lambda: F.conv_transpose2d(dy, weight, None, *words)), lambda y: y.numpy())
    wanted = [of == "input_gradient", of == "weight_gradient", False]
    words = None, stride, padding, dilation, False, (0, 0), layer.g, wanted
    backward = torch.ops.aten.convolution_backward
    return Prepared(
        inferring(lambda: backward(dy, x, weight, *words)), lambda found: found[wanted.index(True)].numpy()
    )
