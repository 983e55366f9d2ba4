# SPDX-License-Identifier: BSD-3-Clause
"""The convolution stacks of whole networks: random weights, bias, residual and ReLU, layer after layer.

Only convolutions are compared, so a pooling between stages is replaced by taking every second pixel, which
costs next to nothing in any library.
"""

import collections.abc
import dataclasses
import math

import numpy as np

from lib import reference
from lib.shapes import Layer


@dataclasses.dataclass(frozen=True)
class Node:
    """``layer`` on every ``every``-th pixel of ``source`` (None: the image), plus ``residual``, then ReLU."""

    layer: Layer
    source: str | None
    every: int = 1
    residual: str | None = None
    relu: bool = True

    @property
    def name(self):
        return self.layer.name


class Builder:
    """Grows a stack; knows the shape of each node's output."""

    def __init__(self, batch, image):
        self.nodes, self.shapes = [], {None: (batch, 3, image, image)}

    def add(self, name, source, oc, k, stride=1, groups=1, every=1, residual=None, relu=True):
        n, ic, h, w = self.shapes[source]
        h, w = -(-h // every), -(-w // every)
        layer = Layer(name, n, ic, h, w, oc, k, k, stride, stride, k // 2, k // 2, groups)
        self.nodes.append(Node(layer, source, every, residual, relu))
        self.shapes[name] = layer.y_shape
        return name


def vgg16(batch, image=224):
    net, last = Builder(batch, image), None
    for stage, (filters, depth) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], 1):
        for i in range(1, depth + 1):
            every = 2 if i == 1 and stage > 1 else 1
            last = net.add(f"conv{stage}_{i}", last, filters, 3, every=every)
    return net.nodes


def resnet50(batch, image=224):
    net = Builder(batch, image)
    last = net.add("conv1", None, 64, 7, 2)
    for stage, (filters, depth) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], 2):
        for i in range(1, depth + 1):
            name, first = f"conv{stage}_{i}", i == 1
            every, stride = (2 if first and stage == 2 else 1), (2 if first and stage > 2 else 1)
            shortcut = last
            if first:
                shortcut = net.add(f"{name}s", last, 4 * filters, 1, stride, every=every, relu=False)
            last = net.add(f"{name}a", last, filters, 1, every=every)
            last = net.add(f"{name}b", last, filters, 3, stride)
            last = net.add(f"{name}c", last, 4 * filters, 1, residual=shortcut)
    return net.nodes


def mobilenet_v1(batch, image=224):
    net = Builder(batch, image)
    last, channels = net.add("conv1", None, 32, 3, 2), 32
    blocks = (
        [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    )
    for i, (filters, stride) in enumerate(blocks, 2):
        last = net.add(f"dw{i}", last, channels, 3, stride, channels)
        last = net.add(f"pw{i}", last, filters, 1)
        channels = filters
    return net.nodes


STACKS: dict[str, collections.abc.Callable] = {
    "vgg16": vgg16,
    "resnet50": resnet50,
    "mobilenet_v1": mobilenet_v1,
}


def arrays(stack, seed=0):
    """The image and {name: (weight, bias)}, the same in every process, scaled so that values stay near 1."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal(stack[0].layer.x_shape, np.float32)
    parameters = {}
    for node in stack:
        gain = (2 if node.relu else 1) * (0.25 if node.residual else 1)
        weight = rng.standard_normal(node.layer.w_shape, np.float32)
        weight *= math.sqrt(gain / math.prod(node.layer.w_shape[1:]))
        parameters[node.name] = weight, rng.standard_normal(node.layer.oc, np.float32) * np.float32(0.1)
    return image, parameters


def last_uses(stack):
    """{name of a value: name of the node that reads it last}."""
    uses = {}
    for node in stack:
        uses |= {node.source: node.name, node.residual: node.name}
    return uses


def slots(stack):
    """{name of a value: number of its buffer}: as few buffers as hold all values still to be read."""
    uses, numbers, free = last_uses(stack), {}, []
    for node in stack:
        numbers[node.name] = free.pop() if free else len(set(numbers.values()))
        read = {node.source, node.residual} & set(numbers)
        free += [numbers[name] for name in read if uses[name] == node.name]
    return numbers


def walk(stack, image, convolve):
    """Run ``convolve(node, x, residual)`` over the stack; a value is dropped after its last use."""
    uses = last_uses(stack)
    values = {None: image}
    for node in stack:
        residual = values[node.residual] if node.residual else None
        values[node.name] = convolve(node, values[node.source], residual)
        for name in {node.source, node.residual}:
            if uses[name] == node.name:
                values.pop(name, None)
    return values[stack[-1].name]


def expected(stack, image, parameters):
    """The stack's output in float64."""

    def convolve(node, x, residual):
        y = reference.conv2d(node.layer, x[:, :, :: node.every, :: node.every], *parameters[node.name])
        y = y if residual is None else y + residual
        return np.maximum(y, 0) if node.relu else y

    return walk(stack, image, convolve)


def slice_arrays(every):
    """ONNX Slice's operands for every ``every``-th pixel."""
    ends = [np.iinfo(np.int64).max] * 2
    operands = {"starts": [0, 0], "ends": ends, "axes": [2, 3], "steps": [every, every]}
    return {word: np.array(value, np.int64) for word, value in operands.items()}
