# SPDX-License-Identifier: BSD-3-Clause
"""A model from a path or bytes, with what it keeps in other files; refused where it is no ONNX model."""

import os
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import inliner


def load(source):
    """
    The model of a path, of bytes or of a ModelProto, local functions inlined.

    Raises
    ------
    TypeError
        If `source` is none of them.
    ValueError
        If it isn't an ONNX model, asks for operators of a version that nobody here knows, or if its data are
        in files that are missing or outside its folder.
    """
    if isinstance(source, onnx.ModelProto):
        model, folder, name = onnx.ModelProto(), None, "the model"
        model.CopyFrom(source)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        model, folder, name = _parse(bytes(source), "these bytes"), None, "the model"
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        model, folder, name = _parse(path.read_bytes(), repr(str(path))), path.resolve().parent, path.name
    else:
        raise TypeError(f"a model is a path, bytes or a ModelProto, not {type(source).__name__}")
    _check_versions(model, name)
    _bring_data(model, folder)
    return inliner.inline_local_functions(model) if model.functions else model


def _parse(data, what):
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(f"{what}: not an ONNX model: {error}") from None
    if not model.HasField("graph") or not model.ir_version or not model.graph.output:
        raise ValueError(f"{what}: not an ONNX model: it has no graph with outputs")
    return model


def _check_versions(model, name):
    known = onnx.defs.onnx_opset_version()
    versions = {entry.domain: entry.version for entry in model.opset_import}
    version = versions.get("", versions.get("ai.onnx"))
    if version is not None and not 1 <= version <= known:
        raise ValueError(f"{name} asks for ONNX's op set {version}; op sets up to {known} are known")
    if version is None and any(node.domain in ("", "ai.onnx") for node in model.graph.node):
        raise ValueError(f"{name} does not say which op set of ONNX its operators are of")


def _bring_data(model, folder):
    """Reads tensors that lie in other files, of the model's folder alone."""
    for tensor in _tensors(model.graph, *model.functions):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        what = f"tensor {tensor.name!r}{_users(model, tensor.name)}"
        if folder is None:
            raise ValueError(f"{what} is in another file: give the model as a path, not as bytes")
        given = {entry.key: entry.value for entry in tensor.external_data}
        location = given.get("location", "")
        path = (folder / location).resolve()
        if not location or Path(location).is_absolute() or not path.is_relative_to(folder):
            raise ValueError(
                f"{what} is in the file {location!r}, outside the model's folder {str(folder)!r}"
            )
        if not path.is_file():
            raise ValueError(f"{what} is in the file {location!r}, which is missing in {str(folder)!r}")
        offset, size = int(given.get("offset", 0)), path.stat().st_size
        length = int(given.get("length", size - offset))
        if offset < 0 or length < 0 or offset + length > size:
            raise ValueError(
                f"{what} is bytes {offset} to {offset + length} of {location!r}, which has {size} bytes"
            )
        with open(path, "rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _tensors(*graphs):
    """Of graphs and functions, with those in attributes and subgraphs."""
    for graph in graphs:
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                yield from _tensors(*[attribute.g] * attribute.HasField("g"), *attribute.graphs)


def _users(model, name):
    for node in model.graph.node:
        if name in node.input:
            return f" of node {node.name or node.output[0]!r} ({node.op_type})"
    return ""
