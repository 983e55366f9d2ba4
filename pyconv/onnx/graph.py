# SPDX-License-Identifier: BSD-3-Clause
"""A model as nodes in order, constants and types; and parts of it as models of their own."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
# Left to onnxruntime, which computes in integers what these surround.
QUANTIZED = {"DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear"}


def title(proto):
    """How messages call a node."""
    return f"{proto.op_type} {proto.name or next(iter(proto.output), '')!r}"


def copied(proto):
    """In memory of its own, not in that of the model that it is part of."""
    fresh = type(proto)()
    fresh.CopyFrom(proto)
    return fresh


def subgraphs(proto):
    for attribute in proto.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def captured(proto):
    """Names that the subgraphs of a node read from outside."""
    names = set()
    for graph in subgraphs(proto):
        known = {value.name for value in (*graph.input, *graph.initializer)}
        for node in graph.node:
            names |= ({name for name in node.input if name} | captured(node)) - known
            known |= set(node.output)
    return names


def attributes(proto):
    return {a.name: helper.get_attribute_value(a) for a in proto.attribute}


class Graph:
    """
    Attributes
    ----------
    nodes : list of NodeProto
        Each behind those that it reads.
    inputs, outputs : list of ValueInfoProto
        What a caller feeds and gets.
    tensors : dict
        Constants by name, as TensorProto.
    held : set of str
        Values that a subgraph reads or a caller gets, so that they must be there under their name.
    opset : int
        Of ONNX's own operators.
    """

    def __init__(self, model):
        self.model = model
        graph = model.graph
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._arrays = {}
        if graph.sparse_initializer:
            for sparse in graph.sparse_initializer:
                name = sparse.values.name
                self.tensors[name] = numpy_helper.from_array(_dense(sparse), name)
        self.inputs = [value for value in graph.input if value.name not in self.tensors]
        self.overridable = {value.name for value in graph.input} - {value.name for value in self.inputs}
        self.outputs = list(graph.output)
        versions = {entry.domain: entry.version for entry in model.opset_import}
        self.opset = versions.get("", versions.get("ai.onnx", 1))
        self.nodes = []
        for node in graph.node:
            if node.op_type == "Constant" and node.domain in ("", "ai.onnx") and self._constant_node(node):
                continue
            self.nodes.append(node)
        self._check_order()
        self._skip_identities()
        self.held = {value.name for value in self.outputs}.union(*map(captured, self.nodes))
        self.types = None

    def _check_order(self):
        known = {"", *self.tensors, *(value.name for value in self.inputs)}
        for node in self.nodes:
            for name in (*node.input, *captured(node)):
                if name not in known:
                    raise ValueError(f"{title(node)} reads {name!r}, which no node before it makes")
            for name in node.output:
                if name in known and name:
                    raise ValueError(f"{title(node)} makes {name!r}, which is there already")
            known |= set(node.output)
        for value in self.outputs:
            if value.name not in known:
                raise ValueError(f"the graph's output {value.name!r} is made by no node")

    def _skip_identities(self):
        """Readers of Identity and Dropout read what these read, unless a subgraph or caller holds it."""
        held = {value.name for value in self.outputs}.union(*map(captured, self.nodes))
        renamed, kept = {}, []
        for node in self.nodes:
            fresh = node
            if any(name in renamed for name in node.input):
                fresh = onnx.NodeProto()
                fresh.CopyFrom(node)
                fresh.input[:] = [renamed.get(name, name) for name in node.input]
            idle = fresh.op_type == "Identity" or (
                fresh.op_type == "Dropout" and len(fresh.input) < 3 and not any(fresh.output[1:])
            )
            if idle and fresh.domain in ("", "ai.onnx") and fresh.output[0] not in held:
                renamed[fresh.output[0]] = fresh.input[0]
            else:
                kept.append(fresh)
        self.nodes = kept

    def _constant_node(self, node):
        """Whether it has become a constant."""
        given = attributes(node)
        [(kind, value)] = given.items() if len(given) == 1 else [("", None)]
        if kind == "value":
            tensor = onnx.TensorProto()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
        elif kind in ("value_float", "value_floats"):
            tensor = numpy_helper.from_array(np.asarray(value, np.float32), node.output[0])
        elif kind in ("value_int", "value_ints"):
            tensor = numpy_helper.from_array(np.asarray(value, np.int64), node.output[0])
        else:
            return False
        self.tensors[node.output[0]] = tensor
        return True

    def constant(self, name):
        """A constant as an array, or None."""
        if name not in self.tensors:
            return None
        if name not in self._arrays:
            self._arrays[name] = numpy_helper.to_array(self.tensors[name])
        return self._arrays[name]

    def set_constant(self, name, array):
        self.tensors[name] = numpy_helper.from_array(array, name)

    def value_type(self, name):
        """The TypeProto of a value as shape inference finds it, or None."""
        if self.types is None:
            self.types = {value.name: value.type for value in (*self.inputs, *self.outputs)}
            try:
                inferred = onnx.shape_inference.infer_shapes(self.model)
                found = inferred.graph.value_info
            except Exception:  # of models beyond 2 GB, or with operators that it does not know
                found = self.model.graph.value_info
            self.types |= {value.name: value.type for value in found}
        return self.types.get(name)

    def extract(self, nodes, inputs, outputs):
        """
        Nodes as a model, serialized.

        inputs: {name: TypeProto}, outputs: names.
        """
        read = set().union(*({*node.input, *captured(node)} for node in nodes)) if nodes else set()
        read |= set(outputs)
        part = onnx.GraphProto(name="part")
        part.node.extend(nodes)
        for name, kind in inputs.items():
            value = part.input.add(name=name)
            value.type.CopyFrom(kind)
        for name in outputs:
            part.output.add(name=name)
        part.initializer.extend(self.tensors[name] for name in sorted(read & self.tensors.keys()))
        model = onnx.ModelProto(graph=part, ir_version=max(self.model.ir_version, 4))
        model.opset_import.extend(self.model.opset_import)
        return model.SerializeToString()


def _dense(sparse):
    values, places = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    whole = np.zeros(tuple(sparse.dims), values.dtype)
    if places.ndim == 1:
        whole.ravel()[places] = values
    else:
        whole[tuple(places.T)] = values
    return whole


def fold_constants(graph, evaluate):
    """
    Nodes that read constants alone become constants; ``evaluate(model, names)`` gives the arrays.

    Subgraphs, random numbers and what surrounds integers stay.
    """
    known, folded, rest = set(graph.tensors), [], []
    for node in graph.nodes:
        plain = node.domain in ("", "ai.onnx") and not list(subgraphs(node))
        if plain and node.op_type not in RANDOM | QUANTIZED and all(not n or n in known for n in node.input):
            folded.append(node)
            known |= set(node.output)
        else:
            rest.append(node)
    if not folded:
        return
    read = {value.name for value in graph.outputs}.union(*({*n.input, *captured(n)} for n in rest))
    names = [name for node in folded for name in node.output if name in read]
    try:
        arrays = evaluate(graph.extract(folded, {}, names), names) if names else []
    except Exception:  # what can't be evaluated now is left for the run
        return
    if not all(isinstance(array, np.ndarray) for array in arrays):
        return
    for name, array in zip(names, arrays, strict=True):
        graph.set_constant(name, array)
    graph.nodes = rest
