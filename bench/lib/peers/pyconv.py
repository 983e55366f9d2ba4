# SPDX-License-Identifier: BSD-3-Clause
"""pyconv: a prepared plan per layout and algorithm; "cold" is conv2d, which packs weights in each call."""

import math

import numpy as np
from scipy.linalg.blas import saxpy

import pyconv
from lib import gradients, stacks, training
from lib.peers import Prepared, Unsupported

VERSION = pyconv.__version__
FROM_NCHW = {"nchw": (0, 1, 2, 3), "nhwc": (0, 2, 3, 1)}
TO_NCHW = {"nchw": (0, 1, 2, 3), "nhwc": (0, 3, 1, 2)}


def variants(options):
    if "of" in options:
        kinds = ["plan", "call"] if options["of"] == "transposed" else ["call"]
        return [f"{layout} {kind}" for layout in options["layouts"] for kind in kinds]
    algorithms = pyconv.algorithms() if options["algorithms"] == ["all"] else options["algorithms"]
    kinds = ["", " cold"] if options["cold"] else [""]
    return [
        f"{layout} {name}{kind}" for layout in options["layouts"] for name in algorithms for kind in kinds
    ]


def keywords(layer, layout, algorithm, threads):
    """What conv2d and plan share. A named algorithm may be of any accuracy class, "auto" keeps its own."""
    return {
        "stride": (layer.sh, layer.sw),
        "padding": (layer.ph, layer.pw),
        "dilation": (layer.dh, layer.dw),
        "groups": layer.g,
        "layout": layout.upper(),
        "algorithm": algorithm,
        "accuracy": "standard" if algorithm == "auto" else "fast",
        "threads": threads,
    }


def prepare(variant, layer, x, weight, bias, threads):
    layout, algorithm, *cold = variant.split()
    x = np.ascontiguousarray(x.transpose(FROM_NCHW[layout]))
    words = keywords(layer, layout, algorithm, threads)
    try:
        plan = pyconv.plan(x.shape, weight, bias, **words)
    except pyconv.UnsupportedError as error:
        raise Unsupported(str(error)) from error
    notes = {name: getattr(plan, name) for name in ("algorithm", "workspace_bytes", "packed_bytes")}
    run = (lambda: pyconv.conv2d(x, weight, bias, **words)) if cold else (lambda: plan(x))
    return Prepared(run, lambda y: y.transpose(TO_NCHW[layout]), notes)


def floats(count):
    """An array that starts on a cache line, as pyconv's own results do."""
    block = np.empty(4 * count + 63, np.uint8)
    start = -block.ctypes.data % 64
    return block[start : start + 4 * count].view(np.float32)


def prepare_network(variant, stack, image, parameters, threads):
    """Plans and buffers are made beforehand: one workspace, and as few outputs as are alive at a time."""
    layout, algorithm = variant.split()[:2]
    axes = FROM_NCHW[layout]
    plans = {}
    for node in stack:
        shape = tuple(node.layer.x_shape[axis] for axis in axes)
        words = keywords(node.layer, layout, algorithm, threads) | {
            "activation": "relu" if node.relu else None
        }
        plans[node.name] = pyconv.plan(shape, *parameters[node.name], **words)
    image = np.ascontiguousarray(image.transpose(axes))
    workspace = max(plans.values(), key=lambda plan: plan.workspace_bytes).new_workspace()
    slots, sizes = stacks.slots(stack), {}
    for name, plan in plans.items():
        sizes[slots[name]] = max(math.prod(plan.output_shape), sizes.get(slots[name], 0))
    buffers = {slot: floats(size) for slot, size in sizes.items()}

    def output(name, shape):
        return buffers[slots[name]][: math.prod(shape)].reshape(shape)

    outputs = {name: output(name, plan.output_shape) for name, plan in plans.items()}

    def convolve(node, x, residual):
        if node.every > 1:
            step = slice(None, None, node.every)
            x = x[:, :, step, step] if layout == "nchw" else x[:, step, step]
        return plans[node.name](x, outputs[node.name], workspace, residual)

    packed = sum(plan.packed_bytes for plan in plans.values())
    notes = {"workspace_bytes": workspace.nbytes, "packed_bytes": packed}
    return Prepared(
        lambda: stacks.walk(stack, image, convolve), lambda y: y.transpose(TO_NCHW[layout]), notes
    )


class Trainer:
    """The arithmetic of `training.gradients`: one-shot calls, since weights change, into kept arrays."""

    def __init__(self, layout, threads):
        self._layout, self._threads, self._arrays, self._plans = layout, threads, {}, {}

    def _words(self, node):
        words = keywords(node.layer, self._layout, "auto", self._threads)
        return {name: value for name, value in words.items() if name != "accuracy"}

    def _array(self, what, shape):
        if what not in self._arrays:
            self._arrays[what] = floats(math.prod(shape)).reshape(shape)
        return self._arrays[what]

    def _shape(self, shape):
        return tuple(shape[axis] for axis in FROM_NCHW[self._layout])

    def pick(self, x, every):
        if every == 1:
            return x
        step = slice(None, None, every)
        return np.ascontiguousarray(x[:, :, step, step] if self._layout == "nchw" else x[:, step, step])

    def forward(self, node, x, weight, bias, residual):
        out = self._array((node.name, "y"), self._shape(node.layer.y_shape))
        relu = "relu" if node.relu else None
        return pyconv.conv2d(
            x, weight, bias, residual=residual, activation=relu, out=out, **self._words(node)
        )

    def mask(self, dy, y):
        return np.multiply(dy, y > 0, out=dy)

    def weight(self, node, x, dy):
        out = self._array((node.name, "dw"), node.layer.w_shape)
        return pyconv.conv2d_backward_weight(x, node.layer.w_shape, dy, out=out, **self._words(node))

    def bias(self, dy):
        return pyconv.conv2d_backward_bias(dy, layout=self._layout.upper(), threads=self._threads)

    def input(self, node, weight, dy, shape):
        layer = node.layer
        out = self._array((node.name, "dx"), self._shape(layer.x_shape))
        dx = pyconv.conv2d_backward_input(out.shape, weight, dy, out=out, **self._words(node))
        if node.every == 1:
            return dx
        whole, step = np.zeros(shape, np.float32), slice(None, None, node.every)
        whole[(..., step, step) if self._layout == "nchw" else (..., step, step, slice(None))] = dx
        return whole


def prepare_training(variant, stack, image, parameters, threads):
    """SGD's update is a product by a number and a sum, BLAS's axpy."""
    layout = variant.split()[0]
    trainer, axes = Trainer(layout, threads), FROM_NCHW[layout]
    image, dy = (np.ascontiguousarray(a.transpose(axes)) for a in (image, training.upstream(stack)))
    parameters = {name: [a.copy() for a in pair] for name, pair in parameters.items()}

    def run():
        found = {}
        for name, pair in training.gradients(stack, image, parameters, dy.copy(), trainer):
            found[name] = pair
        for name, pair in found.items():
            for value, gradient in zip(parameters[name], pair, strict=True):
                saxpy(gradient.reshape(-1), value.reshape(-1), a=-training.RATE)
        return found

    return Prepared(run, lambda found: training.flat(found, stack))


def prepare_gradient(variant, of, layer, x, weight, dy, threads):
    """One call, as in training; of a transposed convolution a prepared plan, too."""
    layout, kind = variant.split()
    axes = FROM_NCHW[layout]
    dy = np.ascontiguousarray(dy.transpose(axes))
    words = keywords(layer, layout, "auto", threads)
    if of == "weight_gradient":
        x, shape = np.ascontiguousarray(x.transpose(axes)), weight.shape
        words = {name: words[name] for name in words if name not in ("algorithm", "accuracy")}
        return Prepared(lambda: pyconv.conv2d_backward_weight(x, shape, dy, **words), lambda dw: dw)
    if of == "input_gradient":
        shape = tuple(x.shape[axis] for axis in axes)
        run = lambda: pyconv.conv2d_backward_input(shape, weight, dy, **words)  # noqa: E731
    else:
        words["output_padding"] = gradients.output_padding(layer)
        run = lambda: pyconv.conv_transpose2d(dy, weight, **words)  # noqa: E731
        if kind == "plan":
            plan = pyconv.plan_conv_transpose2d(dy.shape, weight, **words)
            run = lambda: plan(dy)  # noqa: E731
    return Prepared(run, lambda y: y.transpose(TO_NCHW[layout]))


def prepare_file(variant, path, feeds, threads):
    """By pyconv.onnx."""
    from pyconv.onnx import InferenceSession

    session = InferenceSession(path, threads=threads)
    return Prepared(lambda: session.run(None, feeds)[0], lambda y: y)
