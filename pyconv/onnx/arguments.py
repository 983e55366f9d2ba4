# SPDX-License-Identifier: BSD-3-Clause
"""What a network is fed and gives, as onnxruntime describes it; feeds checked."""

from dataclasses import dataclass

import numpy as np
import onnx

DTYPES = {
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "bool": np.bool_,
} | {f"{sign}int{bits}": np.dtype(f"{sign}int{bits}").type for sign in ("", "u") for bits in (8, 16, 32, 64)}


@dataclass(frozen=True)
class NodeArg:
    """
    An input or output: its name, its type in onnxruntime's words, and its shape, where a dimension is an int,
    the name of one, or None.
    """

    name: str
    type: str
    shape: list


def node_arg(value):
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        return NodeArg(value.name, value.type.WhichOneof("value") or "", [])
    shape = [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in kind.shape.dim]
    shape = [None if size == -1 else size for size in shape]
    word = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
    return NodeArg(value.name, f"tensor({word})", shape)


def checked_array(array, value):
    word = value.type.removeprefix("tensor(").removesuffix(")")
    wanted = DTYPES.get(word)
    if wanted is None:  # strings and sequences: onnxruntime's business
        return array
    if not isinstance(array, np.ndarray):
        array = np.asarray(array)
    if array.dtype != wanted:
        raise TypeError(f"input {value.name!r} is {array.dtype}, wanted {np.dtype(wanted)}")
    if value.shape:
        fits = array.ndim == len(value.shape) and all(
            not isinstance(want, int) or size == want
            for size, want in zip(array.shape, value.shape, strict=True)
        )
        if not fits:
            shown = ", ".join("?" if size is None else str(size) for size in value.shape)
            raise ValueError(f"input {value.name!r} has shape {array.shape}, wanted ({shown})")
    return np.require(array, np.dtype(wanted), ("C", "A"))
