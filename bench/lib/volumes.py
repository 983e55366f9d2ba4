# SPDX-License-Identifier: BSD-3-Clause
"""
Layers of volumes, the text files that list them (as lib/shapes.py, with three axes), and who convolves them.
"""

import dataclasses
import math
import pathlib
import re
import zlib

import numpy as np

LINE = re.compile(
    r"(?P<name>\S+)\s+(?P<x>\d+(?:,\d+){4})\s*->\s*(?P<oc>\d+)\s+(?P<kernel>\d+x\d+x\d+)(?P<rest>.*)"
)
OPTION = re.compile(r"([/pgdx])(\d+)(?:,(\d+),(\d+))?")


@dataclasses.dataclass(frozen=True)
class Volume:
    """A layer: the shape of its input in NCDHW, and three numbers for slices, rows and columns."""

    name: str
    x_shape: tuple
    filters: int
    kernel: tuple
    stride: tuple = (1, 1, 1)
    padding: tuple = (0, 0, 0)
    dilation: tuple = (1, 1, 1)
    groups: int = 1
    count: int = 1

    @property
    def w_shape(self):
        return self.filters, self.x_shape[1] // self.groups, *self.kernel

    @property
    def y_shape(self):
        axes = zip(self.x_shape[2:], self.kernel, self.stride, self.padding, self.dilation, strict=True)
        return (
            self.x_shape[0],
            self.filters,
            *((i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in axes),
        )

    @property
    def flops(self):
        return 2 * math.prod(self.y_shape) * math.prod(self.w_shape[1:])

    @property
    def bytes(self):
        return 4 * sum(math.prod(shape) for shape in (self.x_shape, self.w_shape, self.y_shape))

    @property
    def kind(self):
        if self.groups == self.x_shape[1] > 1:
            return "depthwise"
        if self.groups > 1:
            return "grouped"
        if self.x_shape[1] <= 4:
            return "filter" if self.filters == 1 else "stem"
        if self.kernel == (1, 1, 1):
            return "1x1x1"
        return "(2+1)D" if 1 in self.kernel else "3x3x3" + ("" if max(self.stride) == 1 else "/2")

    def arrays(self):
        """Input, weight and bias, the same ones in every process."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        x, weight = (rng.standard_normal(shape, np.float32) for shape in (self.x_shape, self.w_shape))
        return (
            x,
            weight * np.float32(math.prod(self.w_shape[1:]) ** -0.5),
            rng.standard_normal(self.filters, np.float32),
        )


def parse(line):
    """Read one line; ValueError says what is wrong with it."""
    match = LINE.fullmatch(line.strip())
    if not match:
        raise ValueError(f"not a layer: {line.strip()!r}; wanted e.g. 'name 1,64,16,56,56 -> 64 3x3x3 /2 p1'")
    options = {}
    for word in match["rest"].split():
        option = OPTION.fullmatch(word)
        if not option or option[1] in options or (option[3] and option[1] not in "/pd"):
            raise ValueError(f"{match['name']}: cannot read {word!r}")
        values = option.groups()[1:]
        options[option[1]] = tuple(int(v or values[0]) for v in values)
    return Volume(
        match["name"],
        tuple(map(int, match["x"].split(","))),
        int(match["oc"]),
        tuple(map(int, match["kernel"].split("x"))),
        *(options.get(letter, (plain,) * 3) for letter, plain in (("/", 1), ("p", 0), ("d", 1))),
        *(options.get(letter, (1,))[0] for letter in "gx"),
    )


def load(path):
    """The layers of a file, in its order."""
    lines = (line.split("#")[0].strip() for line in pathlib.Path(path).read_text().splitlines())
    return [parse(line) for line in lines if line]


def last(a):
    return np.ascontiguousarray(np.moveaxis(a, 1, -1))


def by_pyconv(layer, threads):
    """
    {(library, variant): call}, with prepared weights and arrays that are kept; results in NCDHW or NDHWC.
    """
    import pyconv

    x, weight, bias = layer.arrays()
    words = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "threads": threads,
    }
    ways, plans = {}, {}
    for layout, given in (("NCDHW", x), ("NDHWC", last(x))):
        plan = pyconv.plan_conv3d(given.shape, weight, bias, layout=layout, **words)
        out, workspace = np.empty(plan.output_shape, np.float32), plan.new_workspace()
        ways["pyconv", layout] = lambda p=plan, a=given, o=out, w=workspace: p(a, o, w)
        plans[layout] = plan
    return plans, ways


def by_torch(layer, threads):
    import torch

    torch.set_num_threads(threads)
    tensors = [torch.from_numpy(a) for a in layer.arrays()]

    def call(x, weight, bias):
        with torch.inference_mode():
            return torch.nn.functional.conv3d(
                x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
            ).numpy()

    x, weight, bias = tensors
    laid = [a.contiguous(memory_format=torch.channels_last_3d) for a in (x, weight)]
    return {
        ("torch", "contiguous"): lambda: call(x, weight, bias),
        ("torch", "channels_last_3d"): lambda: call(*laid, bias),
    }


def by_onnxruntime(layer, threads):
    import onnx
    import onnxruntime

    x, weight, bias = layer.arrays()
    node = onnx.helper.make_node(
        "Conv",
        ["x", "w", "b"],
        ["y"],
        strides=layer.stride,
        pads=layer.padding * 2,
        dilations=layer.dilation,
        group=layer.groups,
    )
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", layer.x_shape), ("y", layer.y_shape))
    ]
    constants = [onnx.numpy_helper.from_array(a, name) for a, name in ((weight, "w"), (bias, "b"))]
    graph = onnx.helper.make_graph([node], "conv", values[:1], values[1:], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return {("onnxruntime", "-"): lambda: session.run(None, {"x": x})[0]}


PEERS = {"torch": by_torch, "onnxruntime": by_onnxruntime}
