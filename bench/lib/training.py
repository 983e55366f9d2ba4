# SPDX-License-Identifier: BSD-3-Clause
"""A step of training a convolution stack: forward, the gradients of weights and biases, SGD's update."""

import numpy as np

from lib import reference

RATE = 1e-6  # so small that a thousand steps leave the numbers what they were


def upstream(stack, seed=1):
    """The gradient of the loss with respect to the stack's output, the same in every process."""
    return np.random.default_rng(seed).standard_normal(stack[-1].layer.y_shape, np.float32)


def gradients(stack, image, parameters, dy, ops):
    """
    Of each layer, from the last on, its name and (dweight, dbias), by the arithmetic of `ops`.

    What ``ops.input(node, weight, dy, shape)`` returns is fresh, for a source of this shape;
    ``ops.mask(dy, y)`` may overwrite dy.
    """
    values, inputs, waiting = {None: image}, {}, {}

    def add(name, fresh):
        if name in waiting:
            fresh += waiting[name]
        waiting[name] = fresh

    for node in stack:
        inputs[node.name] = ops.pick(values[node.source], node.every)
        residual = values[node.residual] if node.residual else None
        values[node.name] = ops.forward(node, inputs[node.name], *parameters[node.name], residual)
    waiting[stack[-1].name] = dy
    for node in reversed(stack):
        g = waiting.pop(node.name)
        if node.relu:
            g = ops.mask(g, values[node.name])
        yield node.name, (ops.weight(node, inputs[node.name], g), ops.bias(g))
        if node.source:
            add(node.source, ops.input(node, parameters[node.name][0], g, values[node.source].shape))
        if node.residual:
            add(node.residual, g)
        del values[node.name]


def flat(gradients, stack):
    """The gradients of all weights and biases, one after the other, in the order of the stack."""
    return np.concatenate([np.ravel(g) for node in stack for g in gradients[node.name]])


class Reference:
    """In float64."""

    @staticmethod
    def pick(x, every):
        return x[:, :, ::every, ::every]

    @staticmethod
    def forward(node, x, weight, bias, residual):
        y = reference.conv2d(node.layer, x, weight, bias)
        y = y if residual is None else y + residual
        return np.maximum(y, 0) if node.relu else y

    @staticmethod
    def mask(dy, y):
        return dy * (y > 0)

    @staticmethod
    def weight(node, x, dy):
        return reference.weight_gradient(node.layer, x, dy)

    @staticmethod
    def bias(dy):
        return dy.sum((0, 2, 3))

    @staticmethod
    def input(node, weight, dy, shape):
        dx = np.zeros(shape)
        dx[:, :, :: node.every, :: node.every] = reference.input_gradient(node.layer, weight, dy)
        return dx


def expected(stack, image, parameters):
    return flat(dict(gradients(stack, image, parameters, upstream(stack), Reference)), stack)
