# SPDX-License-Identifier: BSD-3-Clause
"""ONNX Runtime: a one-node model with the weights as initializers, which its optimizer packs for the CPU.

Values go in and out as OrtValues, so NumPy copies are not timed. Its threads don't spin between calls: that
is of no use to a lone caller, and measured slower on two cores.
"""

import onnx
import onnxruntime
from onnx import helper, numpy_helper

from lib import stacks
from lib.peers import Prepared

VERSION = onnxruntime.__version__


def variants(options):
    return ["nchw"]


def conv(layer, x, weight, bias, y):
    return helper.make_node(
        "Conv",
        [x, weight, bias],
        [y],
        strides=[layer.sh, layer.sw],
        pads=[layer.ph, layer.pw] * 2,
        dilations=[layer.dh, layer.dw],
        group=layer.g,
    )


def open_session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def compile(nodes, initializers, image, output, threads):
    graph = helper.make_graph(
        nodes,
        "bench",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, image.shape)],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in initializers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = open_session(model.SerializeToString(), threads)
    feed = {"image": onnxruntime.OrtValue.ortvalue_from_numpy(image)}
    return Prepared(lambda: session.run_with_ort_values([output], feed)[0], lambda y: y.numpy())


def prepare(variant, layer, x, weight, bias, threads):
    node = conv(layer, "image", "weight", "bias", "y")
    return compile([node], {"weight": weight, "bias": bias}, x, "y", threads)


def prepare_network(variant, stack, image, parameters, threads):
    """The whole stack as one graph."""
    nodes, arrays = [], {}
    for node in stack:
        name, source = node.name, node.source or "image"
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = parameters[name]
        if node.every > 1:
            arrays.update(
                {f"{name}.{word}": value for word, value in stacks.slice_arrays(node.every).items()}
            )
            words = [f"{name}.{word}" for word in ("starts", "ends", "axes", "steps")]
            nodes.append(helper.make_node("Slice", [source, *words], [f"{name}.x"]))
            source = f"{name}.x"
        steps = (
            [("conv", None)] + [("Add", node.residual)] * bool(node.residual) + [("Relu", None)] * node.relu
        )
        for i, (kind, other) in enumerate(steps):
            target = name if i == len(steps) - 1 else f"{name}.{kind}"
            if kind == "conv":
                nodes.append(conv(node.layer, source, f"{name}.weight", f"{name}.bias", target))
            else:
                nodes.append(helper.make_node(kind, [source] + [other] * bool(other), [target]))
            source = target
    return compile(nodes, arrays, image, stack[-1].name, threads)


def prepare_file(variant, path, feeds, threads):
    session = open_session(path, threads)
    output = session.get_outputs()[0].name
    feeds = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in feeds.items()}
    return Prepared(lambda: session.run_with_ort_values([output], feeds)[0], lambda y: y.numpy())
