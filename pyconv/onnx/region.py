# SPDX-License-Identifier: BSD-3-Clause
"""Nodes that onnxruntime runs: a session for a part of the graph, and its seams."""

import re

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

from .._kernels import new_output
from .graph import copied, title

MOST_SHAPES = 64  # of inputs, for which those of the outputs are kept
WORTH_BINDING = 1 << 18  # bytes: binding takes some 15 us

# onnxruntime's words for element types, as in "tensor(float)".
ELEMENTS = {
    "float": TensorProto.FLOAT,
    "double": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}


def tensor_type(element):
    kind = onnx.TypeProto()
    kind.tensor_type.elem_type = element
    return kind


def type_of(word):
    """The TypeProto of onnxruntime's word for it; None if it is no plain tensor."""
    match = re.fullmatch(r"tensor\((\w+)\)", word)
    return tensor_type(ELEMENTS[match[1]]) if match and match[1] in ELEMENTS else None


def open_session(model, threads, optimize=True):
    """onnxruntime's session of a serialized model, whose threads don't spin: pyconv's would wait for them."""
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def first_line(error):
    """What onnxruntime says, without its codes and the place in its sources."""
    text = str(error).strip().splitlines()[0]
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)


class Region:
    """
    A part of the graph in onnxruntime.

    Attributes
    ----------
    inputs, outputs : list of str
    types : dict
        TypeProto of each output, or None.
    """

    def __init__(self, graph, nodes, inputs, outputs, threads):
        self.inputs, self.outputs, self.nodes = list(inputs), list(outputs), nodes
        try:
            self.session = open_session(graph.extract(nodes, inputs, outputs), threads)
        except Exception as error:
            raise ValueError(
                f"{_guilty(nodes, error)}: onnxruntime can't serve it: {first_line(error)}"
            ) from None
        self._shapes = {}
        self.types = {value.name: type_of(value.type) for value in self.session.get_outputs()}

    def detach(self, feeds):
        """Lets go of the model."""
        self.nodes = [copied(node) for node in self.nodes]
        self.types = {}

    def run(self, values):
        """
        Reads its inputs from `values`, a dict of arrays, and writes its outputs there.

        Where the shapes of the outputs are known from such inputs, onnxruntime writes them into new arrays;
        else it makes them itself, and they are copied once.
        """
        arrays = [values[name] for name in self.inputs]
        try:
            key = tuple([array.shape for array in arrays])
            known = self._shapes.get(key)
            results = known and self._run_bound(arrays, key, known)
            if not results:
                results = self.session.run(self.outputs, dict(zip(self.inputs, arrays, strict=True)))
                if known is None:
                    self._learn(key, results)
        except Exception as error:
            raise ValueError(f"{_guilty(self.nodes, error)}: {first_line(error)}") from None
        values.update(zip(self.outputs, results, strict=True))

    def _learn(self, key, results):
        """Shapes of results, or () where they can't be made beforehand, or are copied sooner than bound."""
        plain = all(isinstance(array, np.ndarray) and array.dtype.kind in "fiub" for array in results)
        plain = plain and sum(array.nbytes for array in results) >= WORTH_BINDING
        if len(self._shapes) >= MOST_SHAPES:
            self._shapes.clear()
        self._shapes[key] = [(array.shape, array.dtype) for array in results] if plain else ()

    def _run_bound(self, arrays, key, known):
        """The results in arrays of the shapes known; None if onnxruntime finds others."""
        binding = self.session.io_binding()
        results = [new_output(shape, dtype) for shape, dtype in known]
        try:
            for name, array in zip(self.inputs, arrays, strict=True):
                _bind(binding.bind_input, name, array)
            for name, array in zip(self.outputs, results, strict=True):
                _bind(binding.bind_output, name, array)
            self.session.run_with_iobinding(binding)
        except Exception:  # shapes that depend on values; or an error, which the other way will raise again
            self._shapes[key] = ()
            return None
        return results


def _bind(bind, name, array):
    bind(name, "cpu", 0, array.dtype, array.shape, array.__array_interface__["data"][0])


def _guilty(nodes, error):
    """The node that an error names, or the first and last that it may be about."""
    text = str(error)
    for node in nodes:
        if node.name and re.search(rf"(?<![\w/]){re.escape(node.name)}(?![\w/])", text):
            return title(node)
    for node in nodes:
        if re.search(rf"\b{re.escape(node.op_type)}\b", text):
            return title(node)
    if len(nodes) == 1:
        return title(nodes[0])
    return f"nodes from {title(nodes[0])} to {title(nodes[-1])}" if nodes else "the graph"
