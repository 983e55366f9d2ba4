# SPDX-License-Identifier: BSD-3-Clause
"""ONNX files of whole networks with random weights: the stacks of lib/stacks.py with all that stands between.

Batch normalisation in MobileNet, with ReLU6, and ResNet; biases in VGG; poolings, and a classifier.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lib import stacks

BATCH_NORMALISED = "resnet50", "mobilenet_v1"
CLASSES = 1000


class Graph:
    """Nodes and constants as they come."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def add(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{op}/{name}", **attributes))
        return name


def normalise(graph, name, x, channels, rng):
    """Statistics near 0 and 1, so that values stay where they are."""
    parts = {
        "weight": rng.uniform(0.9, 1.1, channels),
        "bias": rng.standard_normal(channels) * 0.1,
        "mean": rng.standard_normal(channels) * 0.1,
        "variance": rng.uniform(0.9, 1.1, channels),
    }
    names = [graph.constant(f"{name}.{part}", array) for part, array in parts.items()]
    return graph.add("BatchNormalization", [x, *names], f"{name}.normal")


def pool(graph, network, x):
    """What a stack replaces by taking every second pixel; once for all that read it."""
    name = f"{x}.pool"
    if not any(name in node.output for node in graph.nodes):
        k = 3 if network == "resnet50" else 2
        graph.add("MaxPool", [x], name, kernel_shape=[k, k], strides=[2, 2], pads=[k // 2 * (k - 2)] * 4)
    return name


def build(network, batch=1, image=224):
    """A stack of lib/stacks.py as a ModelProto."""
    stack = stacks.STACKS[network](batch, image)
    x, parameters = stacks.arrays(stack)
    graph, rng, values = Graph(), np.random.default_rng(1), {None: "image"}
    for node in stack:
        layer, name, source = node.layer, node.name, values[node.source]
        source = pool(graph, network, source) if node.every > 1 else source
        weight, bias = parameters[name]
        operands = [source, graph.constant(f"{name}.w", weight)]
        normal = network in BATCH_NORMALISED
        operands += [] if normal else [graph.constant(f"{name}.b", bias)]
        y = graph.add(
            "Conv",
            operands,
            f"{name}.y",
            kernel_shape=[layer.kh, layer.kw],
            strides=[layer.sh, layer.sw],
            pads=[layer.ph, layer.pw] * 2,
            group=layer.g,
        )
        y = normalise(graph, name, y, layer.oc, rng) if normal else y
        y = graph.add("Add", [y, values[node.residual]], f"{name}.sum") if node.residual else y
        if node.relu and network == "mobilenet_v1":
            ends = [graph.constant(f"{name}.{end}", np.float32(end)) for end in (0, 6)]
            y = graph.add("Clip", [y, *ends], f"{name}.relu")
        elif node.relu:
            y = graph.add("Relu", [y], f"{name}.relu")
        values[name] = y
    y = graph.add("Flatten", [graph.add("GlobalAveragePool", [y], "mean")], "flat")
    weight = rng.standard_normal((CLASSES, layer.oc)) / np.sqrt(layer.oc)
    operands = [y, graph.constant("classes.w", weight), graph.constant("classes.b", np.zeros(CLASSES))]
    graph.add("Gemm", operands, "classes", transB=1)
    made = helper.make_graph(
        graph.nodes,
        network,
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("classes", onnx.TensorProto.FLOAT, (batch, CLASSES))],
        graph.constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def feeds(path, size):
    """{name: array} for a file's inputs; `size` stands for the dimensions that the file leaves open."""
    model, rng, found = onnx.load(path, load_external_data=False), np.random.default_rng(0), {}
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name in constants:
            continue
        dims = value.type.tensor_type.shape.dim
        open_sizes = iter(size)
        shape = [d.dim_value if d.dim_value > 0 else next(open_sizes) for d in dims]
        found[value.name] = rng.random(shape, np.float32)
    return found
