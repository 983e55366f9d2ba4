# SPDX-License-Identifier: BSD-3-Clause
"""ONNX's nodes as the steps that pyconv runs itself: convolutions, functions of elements, means, copies."""

from dataclasses import dataclass, field

import numpy as np
import onnx

from . import curves
from .curves import LINE, Curve
from .graph import attributes, title

FLOAT = onnx.TensorProto.FLOAT
# Left to onnxruntime, but what they make is known to have the channels of their argument.
SAME_CHANNELS = {"AveragePool", "LRN", "LpPool", "MaxPool"}
POOLINGS = "auto_pad", "kernel_shape", "pads", "strides"


@dataclass(eq=False)
class Step:
    """
    Attributes
    ----------
    kind : str
        conv, transposed; line (a scale and a shift for each channel); point; mean; pool; repeat; concat.
    inputs : list of str
        conv, transposed: x, and the residual if there is one. point: x, what is added to it, if anything, and
        the scale of each channel of each image, where `data` has their numbers as `other` and `scale`.
    output : str
    data : dict
        What the kind takes besides.
    protos : list of NodeProto
        The nodes that it stands for, in order.
    """

    kind: str
    inputs: list
    output: str
    data: dict = field(default_factory=dict)
    protos: list = field(default_factory=list)

    @property
    def title(self):
        return " + ".join(title(proto) if i == 0 else proto.op_type for i, proto in enumerate(self.protos))


@dataclass(frozen=True)
class Shape:
    """What is known of a value when no array is there yet: `single` has one row and column."""

    rank: int
    channels: int | None
    single: bool = False


class Lifter:
    """Turns nodes into steps where they are of float32 values with channels; keeps what is known of these."""

    def __init__(self, graph):
        self.graph, self.known = graph, {}
        for value in graph.inputs:
            kind = value.type.tensor_type
            sizes = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
            if kind.elem_type == FLOAT and kind.HasField("shape") and 3 <= len(sizes) <= 4:
                single = len(sizes) == 4 and sizes[2:] == [1, 1]
                self.known[value.name] = Shape(len(sizes), sizes[1], single)

    def items(self):
        """Steps, and the nodes that stay."""
        return [self._lift(node) or node for node in self.graph.nodes]

    def _lift(self, node):
        if node.domain not in ("", "ai.onnx"):
            return None
        if node.op_type in SAME_CHANNELS and node.input[0] in self.known:
            x = self.known[node.input[0]]
            self.known[node.output[0]] = Shape(x.rank, x.channels)
        if sum(map(bool, node.output)) != 1:
            return None
        make = getattr(self, f"_{node.op_type}", None)
        made = make and make(node, attributes(node))
        if not made:
            return None
        step, shape = made
        step.protos = [node]
        self.known[node.output[0]] = shape
        return step

    def _float(self, name, *ranks):
        array = self.graph.constant(name) if name else None
        fits = array is not None and array.dtype == np.float32 and (not ranks or array.ndim in ranks)
        return array if fits else None

    def _x(self, node):
        """What is known of its first input."""
        return self.known.get(node.input[0])

    # Convolutions.

    def _weights(self, node, given):
        w = self._float(node.input[1], 3, 4)
        b = self._float(node.input[2], 1) if len(node.input) > 2 and node.input[2] else None
        if w is None or (b is None and len(node.input) > 2 and node.input[2]) or w.size == 0:
            return None
        return {"w": w, "b": b, "given": given, "lo": -curves.INF, "hi": curves.INF}

    def _Conv(self, node, given):
        data = self._weights(node, given)
        if data is None:
            return None
        w = data["w"]
        x = self._x(node)
        reach = w.shape[2:] == (1, 1) and not any(given.get("pads", ())) and x is not None and x.single
        return Step("conv", [node.input[0]], node.output[0], data), Shape(w.ndim, w.shape[0], reach)

    def _ConvTranspose(self, node, given):
        data = self._weights(node, given)
        if data is None:
            return None
        w = data["w"]
        channels = w.shape[1] * given.get("group", 1)
        return Step("transposed", [node.input[0]], node.output[0], data), Shape(w.ndim, channels)

    # Scales and shifts.

    def _line(self, node, scale, shift):
        x = self._x(node)
        data = {"scale": np.asarray(scale, np.float64), "shift": np.asarray(shift, np.float64)}
        return Step("line", [node.input[0]], node.output[0], data), x

    def _BatchNormalization(self, node, given):
        x = self._x(node)
        parts = [self._float(name, 1) for name in node.input[1:5]]
        if x is None or len(parts) != 4 or any(p is None for p in parts) or given.get("training_mode"):
            return None
        if given.get("spatial", 1) != 1 or {p.size for p in parts} != {x.channels}:
            return None
        weight, bias, mean, variance = (part.astype(np.float64) for part in parts)
        scale = weight / np.sqrt(variance + given.get("epsilon", 1e-5))
        return self._line(node, scale, bias - mean * scale)

    def _by_channel(self, name, x):
        """A constant as a number, or as one for each channel of x; None if it is neither."""
        array = self._float(name)
        if array is None or array.ndim > x.rank:
            return None
        if array.size == 1:
            return array.reshape(())
        shape = (1,) * (x.rank - array.ndim) + array.shape
        fits = shape == (1, x.channels) + (1,) * (x.rank - 2)
        return array.reshape(-1) if fits else None

    def _two(self, node):
        """(known input, what is known of it, constant by channel, whether that comes first) or None."""
        for i, j in ((0, 1), (1, 0)):
            x = self.known.get(node.input[i])
            if x is not None:
                constant = self._by_channel(node.input[j], x)
                if constant is not None:
                    return node.input[i], x, constant.astype(np.float64), i == 1
        return None

    def _arithmetic(self, node, of):
        two = self._two(node)
        if two is None:
            return None
        name, x, constant, first = two
        scale, shift = of(constant, first)
        if not (np.all(np.isfinite(scale)) and np.all(np.isfinite(shift))):
            return None
        data = {"scale": np.asarray(scale, np.float64), "shift": np.asarray(shift, np.float64)}
        return Step("line", [name], node.output[0], data), x

    def _Add(self, node, given):
        return self._arithmetic(node, lambda c, first: (1.0, c)) or self._sum(node)

    def _Sum(self, node, given):
        return self._Add(node, given) if len(node.input) == 2 else None

    def _Sub(self, node, given):
        return self._arithmetic(node, lambda c, first: (-1.0, c) if first else (1.0, -c))

    def _Mul(self, node, given):
        return self._arithmetic(node, lambda c, first: (c, 0.0)) or self._product(node)

    def _Div(self, node, given):
        two = self._two(node)
        if two is None or two[3] or np.any(two[2] == 0):
            return None
        return self._arithmetic(node, lambda c, first: (1 / c, 0.0))

    def _sum(self, node):
        a, b = (self.known.get(name) for name in node.input)
        if a is None or b is None or a.rank != b.rank or a.channels != b.channels or a.single != b.single:
            return None
        data = {"curve": LINE, "other": 1, "scale": None}
        return Step("point", list(node.input), node.output[0], data), a

    def _product(self, node):
        """A value times one for each of its channels."""
        a, b = node.input
        x, scale = self.known.get(a), self.known.get(b)
        if x is None or scale is None:
            return None
        if x.single and not scale.single:
            a, b, x, scale = b, a, scale, x
        if not scale.single or x.single or x.rank != 4 or x.channels != scale.channels:
            # Elements times elements: of use where one is a function of the other, else it goes back.
            data = {"curve": LINE, "other": None, "scale": None, "times": 1}
            return (Step("times", [a, b], node.output[0], data), x) if x == scale else None
        data = {"curve": LINE, "other": None, "scale": 1}
        return Step("point", [a, b], node.output[0], data), x

    # Functions.

    def _curve(self, node, curve):
        x = self._x(node)
        if x is None or curve is None:
            return None
        return Step(
            "point", [node.input[0]], node.output[0], {"curve": curve, "other": None, "scale": None}
        ), x

    def _Relu(self, node, given):
        return self._curve(node, curves.RELU)

    def _LeakyRelu(self, node, given):
        return self._curve(node, curves.leaky(given.get("alpha", 0.01)))

    def _Sigmoid(self, node, given):
        return self._curve(node, Curve("sigmoid"))

    def _HardSigmoid(self, node, given):
        return self._curve(node, curves.hard_sigmoid(given.get("alpha", 0.2), given.get("beta", 0.5)))

    def _HardSwish(self, node, given):
        return self._curve(node, curves.hard_swish())

    def _Swish(self, node, given):
        return self._curve(node, Curve("silu", p=given.get("alpha", 1.0)))

    def _Clip(self, node, given):
        ends = []
        for i, (word, plain) in enumerate((("min", -curves.INF), ("max", curves.INF)), 1):
            value = given.get(word, plain)
            if len(node.input) > i and node.input[i]:
                bound = self._float(node.input[i])
                if bound is None or bound.size != 1:
                    return None
                value = bound.reshape(())
            ends.append(float(value))
        lo, hi = ends
        return self._curve(node, Curve(lo=lo, hi=hi)) if lo <= hi else None

    # Means and copies.

    def _GlobalAveragePool(self, node, given):
        x = self._x(node)
        if x is None or x.rank != 4:
            return None
        return Step("mean", [node.input[0]], node.output[0]), Shape(4, x.channels, True)

    def _ReduceMean(self, node, given):
        """Over rows and columns, both kept."""
        x, axes = self._x(node), given.get("axes")
        if len(node.input) > 1 and node.input[1]:
            constant = self.graph.constant(node.input[1])
            axes = None if constant is None else constant.tolist()
        if x is None or x.rank != 4 or axes is None or not given.get("keepdims", 1):
            return None
        if sorted(a % 4 for a in axes) != [2, 3]:
            return None
        return Step("mean", [node.input[0]], node.output[0]), Shape(4, x.channels, True)

    def _pool(self, node, given, mean):
        x = self._x(node)
        plain = given.get("storage_order", 0) == 0 and set(given.get("dilations", (1,))) == {1}
        if x is None or x.rank != 4 or not plain or len(given.get("kernel_shape", ())) != 2:
            return None
        data = {"given": {word: given[word] for word in POOLINGS if word in given}, "mean": mean}
        data["ceil"], data["whole"] = given.get("ceil_mode", 0), given.get("count_include_pad", 0)
        if mean and data["ceil"]:
            return None
        return Step("pool", [node.input[0]], node.output[0], data), Shape(4, x.channels)

    def _MaxPool(self, node, given):
        return self._pool(node, given, False)

    def _AveragePool(self, node, given):
        return self._pool(node, given, True)

    def _Resize(self, node, given):
        """Rows and columns repeated a whole number of times."""
        x = self._x(node)
        scales = self._float(node.input[2], 1) if len(node.input) > 2 else None
        if node.op_type == "Upsample":
            scales = self._float(node.input[1], 1) if len(node.input) > 1 else given.get("scales")
        elif len(node.input) > 3 and node.input[3]:
            return None
        if x is None or x.rank != 4 or scales is None or len(scales) != 4:
            return None
        n, c, tall, wide = map(float, scales)
        whole = n == c == 1 and tall >= 1 and wide >= 1 and tall.is_integer() and wide.is_integer()
        word = given.get("coordinate_transformation_mode", b"half_pixel").decode()
        rounds = given.get("nearest_mode", b"round_prefer_floor").decode()
        # Each finds the pixel under the point, whatever the whole factor.
        repeats = (word, rounds) in {
            ("asymmetric", "floor"),
            ("half_pixel", "round_prefer_floor"),
            ("half_pixel", "round_prefer_ceil"),
            ("pytorch_half_pixel", "round_prefer_floor"),
            ("half_pixel_symmetric", "round_prefer_floor"),
        } or node.op_type == "Upsample"
        if not whole or not repeats or given.get("mode", b"nearest") != b"nearest" or given.get("axes"):
            return None
        data = {"tall": int(tall), "wide": int(wide)}
        return Step("repeat", [node.input[0]], node.output[0], data), Shape(4, x.channels)

    _Upsample = _Resize

    def _Concat(self, node, given):
        parts = [self.known.get(name) for name in node.input]
        if None in parts or given.get("axis", 1) not in (1, 1 - parts[0].rank):
            return None
        if len({part.rank for part in parts}) > 1 or any(p.channels is None for p in parts):
            return None
        single = all(part.single for part in parts)
        shape = Shape(parts[0].rank, sum(p.channels for p in parts), single)
        return Step("concat", list(node.input), node.output[0]), shape
