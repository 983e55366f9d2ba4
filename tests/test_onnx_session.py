# SPDX-License-Identifier: BSD-3-Clause
"""Networks in pyconv.onnx.InferenceSession: equal to onnxruntime's, folded, or refused by the node's name."""

import gc
import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="ONNX is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import pyconv.onnx  # noqa: E402
from pyconv.__main__ import main  # noqa: E402

FLOAT = TensorProto.FLOAT


class Network:
    """Grows a graph: nodes by `add`, constants by `const`; every value of float32 unless said otherwise."""

    def __init__(self, seed=0, opset=17, dtype=np.float32):
        self.rng, self.opset, self.dtype = np.random.default_rng(seed), opset, dtype
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []

    def feed(self, name, shape, dtype=None):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype or self.dtype))
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def const(self, value, dtype=None):
        name = f"c{len(self.constants)}"
        value = np.asarray(value, dtype or self.dtype)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def normal(self, *shape):
        return self.const(self.rng.standard_normal(shape) / np.sqrt(max(np.prod(shape[1:]), 1)))

    def add(self, op, *inputs, outputs=1, domain="", **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, names, name=name, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, x, ic, oc, k=3, bias=True, transposed=False, **given):
        groups = given.get("group", 1)
        shape = (ic, oc // groups, k, k) if transposed else (oc, ic // groups, k, k)
        parts = [self.normal(*shape)] + ([self.normal(oc)] if bias else [])
        if k > 1 and "pads" not in given and "auto_pad" not in given:
            given["pads"] = [k // 2] * 4
        return self.add("ConvTranspose" if transposed else "Conv", x, *parts, **given)

    def norm(self, x, channels):
        parts = [self.normal(channels) for _ in range(3)]
        return self.add("BatchNormalization", x, *parts, self.const(self.rng.uniform(0.5, 2, channels)))

    def model(self, *outputs, types=None):
        ends = [helper.make_tensor_value_info(name, (types or {}).get(name, FLOAT), None) for name in outputs]
        graph = helper.make_graph(self.nodes, "network", self.inputs, ends, self.constants)
        imports = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)


def reference(model, feeds, names=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    data = model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]).run(names, feeds)


def close(y, wanted):
    assert y.dtype == wanted.dtype and y.shape == wanted.shape
    if wanted.dtype.kind == "f":
        scale = max(1.0, float(np.abs(wanted).max(initial=0)))
        half = wanted.dtype == np.float16
        np.testing.assert_allclose(
            y, wanted, rtol=1e-2 if half else 2e-5, atol=(1e-2 if half else 2e-5) * scale
        )
    else:
        np.testing.assert_array_equal(y, wanted)


def check(model, *runs, **keywords):
    """Runs the session on each dict of feeds, beside onnxruntime; returns the session."""
    session = pyconv.onnx.InferenceSession(model.SerializeToString(), threads=1, **keywords)
    for feeds in runs:
        before = {name: array.copy() for name, array in feeds.items()}
        for y, wanted in zip(session.run(None, feeds), reference(model, feeds), strict=True):
            close(y, wanted)
        for name, array in feeds.items():
            np.testing.assert_array_equal(array, before[name])
    return session


def kinds(session):
    """Of pyconv's steps by stage, and "onnxruntime" for the stages that aren't its own."""
    return [
        [item.kind for item in stage.stage.items] if hasattr(stage, "stage") else "onnxruntime"
        for stage in session._stages
    ]


def image(rng, *shape):
    return rng.standard_normal(shape or (1, 6, 9, 10)).astype(np.float32)


# Every folding: what follows a convolution of 8 filters, and the steps that are to be left.

TAILS = {
    "relu": (lambda n, y: n.add("Relu", y), ["conv"]),
    "clip": (lambda n, y: n.add("Clip", y, n.const(-0.5), n.const(0.75)), ["conv"]),
    "clip below": (lambda n, y: n.add("Clip", y, n.const(0.1)), ["conv"]),
    "clip above": (lambda n, y: n.add("Clip", y, "", n.const(0.1)), ["conv"]),
    "norm": (lambda n, y: n.norm(y, 8), ["conv"]),
    "norm, relu": (lambda n, y: n.add("Relu", n.norm(y, 8)), ["conv"]),
    "relu, norm": (lambda n, y: n.norm(n.add("Relu", y), 8), ["conv", "conv"]),
    "scalar": (lambda n, y: n.add("Mul", n.const([3.0]), n.add("Add", y, n.const(0.5))), ["conv"]),
    "by channel": (lambda n, y: n.add("Sub", n.normal(8, 1, 1), y), ["conv"]),
    "divided": (lambda n, y: n.add("Div", y, n.const(np.full((1, 8, 1, 1), 0.5))), ["conv"]),
    "a divisor": (lambda n, y: n.add("Relu", n.add("Div", n.const(2.0), n.add("Exp", y))), ["conv"]),
    "hard sigmoid": (lambda n, y: n.add("HardSigmoid", y, alpha=0.3, beta=0.4), ["conv"]),
    "negative slope": (lambda n, y: n.add("HardSigmoid", y, alpha=-0.3), ["conv"]),
    "sigmoid": (lambda n, y: n.add("Sigmoid", y), ["conv", "point"]),
    "hard swish": (lambda n, y: n.add("HardSwish", y), ["conv", "point"]),
    "leaky relu": (lambda n, y: n.add("LeakyRelu", y, alpha=0.1), ["conv", "point"]),
    "silu": (lambda n, y: n.add("Mul", n.add("Sigmoid", y), y), ["conv", "point"]),
    "silu in parts": (
        lambda n, y: n.add("Mul", y, n.add("Sigmoid", n.add("Mul", y, n.const(1.7)))),
        ["conv", "point"],
    ),
    "hard swish in parts": (
        lambda n, y: n.add(
            "Div",
            n.add("Mul", y, n.add("Clip", n.add("Add", y, n.const(3.0)), n.const(0.0), n.const(6.0))),
            n.const(6.0),
        ),
        ["conv", "point"],
    ),
    "hard swish, line": (
        lambda n, y: n.add("Add", n.add("Mul", n.add("HardSwish", y), n.const([-1.5])), n.const([0.25])),
        ["conv", "point"],
    ),
    "clip, line": (lambda n, y: n.add("Mul", n.add("Relu", y), n.const(-2.0)), ["conv"]),
    "square": (lambda n, y: n.add("Mul", y, y), ["conv"]),
    "twice": (
        lambda n, y: n.add("Add", n.add("Relu", y), n.add("Sigmoid", y)),
        ["conv", "point", "point", "point"],
    ),
    "doubled": (lambda n, y: n.add("Add", y, y), ["conv", "point"]),
    "transposed": (
        lambda n, y: n.add("Relu", n.norm(n.conv(y, 8, 6, 3, transposed=True, group=2, strides=[2, 2]), 6)),
        ["conv", "transposed"],
    ),
    "mean": (lambda n, y: n.add("GlobalAveragePool", y), ["conv", "mean"]),
    "mean by axes": (lambda n, y: n.add("ReduceMean", y, axes=[-1, 2]), ["conv", "mean"]),
    "repeat": (
        lambda n, y: n.add("Resize", y, "", n.const([1, 1, 2, 3]), mode="nearest"),
        ["conv", "repeat"],
    ),
    "repeat, asymmetric": (
        lambda n, y: n.add(
            "Resize",
            y,
            "",
            n.const([1, 1, 3, 2]),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        ["conv", "repeat"],
    ),
    "max pool": (lambda n, y: n.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), ["conv", "pool"]),
    "pool in ranks": (lambda n, y: n.add("MaxPool", y, kernel_shape=[2, 2], dilations=[2, 1]), ["conv"]),
    "unknown activation": (lambda n, y: n.add("Elu", y), ["conv"]),
    "spatial constant": (lambda n, y: n.add("Add", y, n.normal(1, 1, 9, 10)), ["conv"]),
    "raises the rank": (lambda n, y: n.add("Mul", y, n.normal(1, 1, 1, 1, 1)), ["conv"]),
}


@pytest.mark.parametrize("name", TAILS)
def test_foldings(name):
    tail, steps = TAILS[name]
    n = Network()
    x = n.feed("x", ["n", 6, 9, 10])
    end = tail(n, n.conv(x, 6, 8))
    session = check(n.model(end), {"x": image(n.rng)}, {"x": image(n.rng, 3, 6, 9, 10)})
    assert kinds(session)[0] == steps


def shortcut(n, x):
    y = n.add("Relu", n.conv(x, 6, 6))
    return n.add("Relu", n.add("Add", x, n.conv(y, 6, 6)))


def two_branches(n, x):
    return n.add("Relu", n.add("Add", n.conv(x, 6, 8), n.conv(x, 6, 8, 1)))


def behind_sum(n, x):
    y = n.conv(x, 6, 8)
    return n.add("HardSwish", n.add("Add", n.conv(x, 6, 8, 1), y))


def squeeze(n, x, more=False):
    y = n.add("Relu", n.conv(x, 6, 8))
    s = n.add("Relu", n.conv(n.add("GlobalAveragePool", y), 8, 2, 1))
    s = n.add("HardSigmoid", n.conv(s, 2, 8, 1))
    scaled = n.add("Mul", s, y)
    return n.add("Add", scaled, y) if more else scaled


def squeeze_residual(n, x):
    y = n.conv(x, 6, 8, 1)
    s = n.add("Sigmoid", n.conv(n.add("GlobalAveragePool", y), 8, 8, 1))
    return n.add("Relu", n.add("Add", n.add("Mul", y, s), n.conv(x, 6, 8)))


def pyramid(n, x):
    y = n.conv(x, 6, 4, strides=[2, 2], pads=[0, 0, 1, 1])
    scales = n.const([1, 1, 2, 2])
    if n.opset == 9:
        up = n.add("Upsample", y, scales, mode="nearest")
    else:  # 11 and 12 want a region, too
        up = n.add("Resize", y, n.const([]) if n.opset < 13 else "", scales, mode="nearest")
    return n.add("Concat", n.conv(x, 6, 3), n.conv(up, 4, 5, 1), axis=1)


def dense(n, x):
    """Behind what onnxruntime pools a normalisation, a sum of two, and a concatenation."""
    pooled = n.add("LRN", n.conv(x, 6, 8), size=3)
    y = n.conv(n.add("Relu", n.norm(pooled, 8)), 8, 8)
    return n.add("Concat", pooled, n.add("Sum", y, pooled), axis=1)


BLOCKS = {
    "shortcut": (shortcut, ["conv", "conv"]),
    "two branches": (two_branches, ["conv", "conv"]),
    "behind a sum": (behind_sum, ["conv", "conv", "point"]),
    "squeeze": (squeeze, ["conv", "mean", "conv", "conv", "point"]),
    "squeeze, one more": (lambda n, x: squeeze(n, x, True), ["conv", "mean", "conv", "conv", "point"]),
    "squeeze, residual": (squeeze_residual, ["conv", "mean", "conv", "point", "point", "conv"]),
    "pyramid": (pyramid, ["conv", "repeat", "conv", "conv", "concat"]),
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_blocks(monkeypatch, name, batch, last):
    monkeypatch.setattr(pyconv.onnx.stages, "prefers_last", lambda stage: last)
    block, steps = BLOCKS[name]
    n = Network(1)
    end = block(n, n.feed("x", [batch, 6, "h", "w"]))
    session = check(n.model(end), {"x": image(n.rng, batch, 6, 8, 10)}, {"x": image(n.rng, batch, 6, 12, 6)})
    [found] = kinds(session)
    assert sorted(found) == sorted(steps)


def separable(n, x, channels, filters, stride=1):
    y = n.add("Relu", n.norm(n.conv(x, channels, channels, group=channels, strides=[stride] * 2), channels))
    return n.add("Clip", n.norm(n.conv(y, channels, filters, 1), filters), n.const(0.0), n.const(6.0))


@pytest.mark.parametrize("threads", [1, 2])
def test_separable(threads):
    """Depthwise and pointwise convolutions are one step, channels last, unless others read between."""
    n = Network(22)
    y = separable(n, separable(n, n.conv(n.feed("x", ["n", 3, "h", "w"]), 3, 16), 16, 32, 2), 32, 24)
    depthwise = n.conv(y, 24, 24, group=24)
    # What reads y last of all comes before the depthwise convolution's reader.
    hard = n.add("HardSwish", y)
    end = n.add("Add", n.conv(depthwise, 24, 8, 1), n.conv(hard, 24, 8, 1))
    twice = n.conv(end, 8, 8, group=8)
    model = n.model(n.add("Add", n.conv(twice, 8, 8, 1), n.add("Sigmoid", twice)))
    feeds = [{"x": image(n.rng, batch, 3, size, 29)} for batch, size in ((1, 32), (2, 17))]
    session = pyconv.onnx.InferenceSession(model, threads=threads)
    for feed in feeds:
        close(session.run(None, feed)[0], reference(model, feed)[0])
    [stage] = session._stages
    steps = [[name.split("_")[0] for name in names] for names in stage.runner(feeds[0]).segment.names]
    assert [names.count("Conv") for names in steps].count(2) >= 2


def test_tuning_by_measurement():
    n = Network(24)
    y = separable(n, n.conv(n.feed("x", ["n", 3, "h", "w"]), 3, 16), 16, 8)
    check(n.model(n.add("GlobalAveragePool", y), y), {"x": image(n.rng, 1, 3, 14, 15)}, tuning="measure")


POOLS = {
    "2x2": {"kernel_shape": [2, 2], "strides": [2, 2]},
    "3x3 padded": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "uneven": {"kernel_shape": [3, 2], "strides": [1, 3], "pads": [2, 0, 1, 1]},
    "same": {"kernel_shape": [3, 3], "strides": [2, 3], "auto_pad": "SAME_UPPER"},
    "same lower": {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"},
    "rounded up": {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    "rounded up, padded": {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    "whole": {"kernel_shape": [9, 10]},
}


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "AveragePool, padding counts"])
def test_poolings(monkeypatch, name, last, op):
    monkeypatch.setattr(pyconv.onnx.stages, "prefers_last", lambda stage: last)
    op, *counts = op.split(", ")
    given = POOLS[name] | ({"count_include_pad": 1} if counts else {})
    if op == "AveragePool" and "ceil_mode" in given:
        given.pop("ceil_mode")
    n = Network(34, opset=19)
    x = n.feed("x", ["n", 6, "h", "w"])
    model = n.model(n.add(op, n.conv(x, 6, 20), **given), n.add(op, n.conv(x, 6, 1, 1), **given))
    session = check(
        model, {"x": image(n.rng)}, {"x": image(n.rng, 2, 6, 17, 40)}, {"x": image(n.rng, 1, 6, 12, 11)}
    )
    assert kinds(session) == [["conv", "pool"] * 2]


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_behind_a_pooling(monkeypatch, last):
    monkeypatch.setattr(pyconv.onnx.stages, "prefers_last", lambda stage: last)
    n = Network(33)
    model = n.model(dense(n, n.feed("x", ["n", 6, "h", "w"])))
    session = check(model, {"x": image(n.rng, 1, 6, 8, 10)}, {"x": image(n.rng, 2, 6, 11, 7)})
    assert kinds(session) == [["conv"], "onnxruntime", ["conv", "conv", "concat"]]


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 12, 13, 14, 15, 17, 19, 21])
def test_op_sets(opset):
    """A network in words that have changed: Clip's bounds, Upsample and Dropout."""
    n = Network(opset=opset)
    y = n.norm(n.conv(n.feed("x", ["n", 6, 8, 8]), 6, 8), 8)
    y = (
        n.add("Clip", y, **{"min": 0.0, "max": 6.0})
        if opset < 11
        else n.add("Clip", y, n.const(0.0), n.const(6.0))
    )
    y = n.add("Dropout", y)
    if opset >= 9:
        y = n.add("Concat", y, pyramid(n, "x"), axis=1) if opset != 10 else y
    pooled = n.add("GlobalAveragePool", y)
    flat = n.add("Flatten", pooled)
    end = n.add("Softmax", flat, axis=1)
    session = check(n.model(end, y), {"x": image(n.rng, 2, 6, 8, 8)})
    assert kinds(session)[0][0] == "conv"


def test_signals():
    n = Network(3)
    x = n.feed("x", [2, 6, "l"])
    y = n.add("Conv", x, n.normal(8, 3, 5), n.normal(8), group=2, dilations=[2], pads=[4, 4])
    y = n.add("Relu", n.norm(y, 8))
    y = n.add("ConvTranspose", y, n.normal(8, 4, 3), strides=[2])
    end = n.add("Mul", y, n.add("Sigmoid", y))
    check(n.model(end), {"x": image(n.rng, 2, 6, 30)}, {"x": image(n.rng, 2, 6, 17)})


def test_outputs_in_the_middle():
    """They keep what they were, although steps behind them could be joined."""
    n = Network(4)
    a = n.conv(n.feed("x", [1, 6, 9, 9]), 6, 8)
    b = n.norm(a, 8)
    c = n.add("Relu", b)
    model = n.model(c, a, b, "x")
    session = check(model, {"x": image(n.rng, 1, 6, 9, 9)})
    x = image(n.rng, 1, 6, 9, 9)
    some = session.run([b], {"x": x})
    close(some[0], reference(model, {"x": x}, [b])[0])
    assert [value.name for value in session.get_outputs()] == [c, a, b, "x"]


def test_shared_weights():
    """One weight of two convolutions, of which one is scaled."""
    n = Network(5)
    w = n.normal(6, 6, 3, 3)
    a = n.norm(n.add("Conv", n.feed("x", [1, 6, 8, 8]), w, pads=[1] * 4), 6)
    check(n.model(n.add("Conv", a, w)), {"x": image(n.rng, 1, 6, 8, 8)})


def test_stages():
    """Convolutions apart, a node between that only onnxruntime has: two seams, no more."""
    n = Network(6)
    x = n.feed("x", [1, 6, 8, 8])
    a, b = n.conv(x, 6, 8), n.conv(x, 6, 8)
    c = n.add("Softplus", a)
    d = n.add("Elu", n.add("Softplus", b))
    session = check(n.model(n.conv(c, 8, 4), n.conv(d, 8, 4)), {"x": image(n.rng, 1, 6, 8, 8)})
    assert kinds(session) == [["conv", "conv"], "onnxruntime", ["conv", "conv"]]


def test_nothing_to_convolve():
    n = Network(7)
    n.feed("x", [2, 3])
    session = check(n.model(n.add("Relu", n.add("MatMul", "x", n.normal(3, 4)))), {"x": image(n.rng, 2, 3)})
    assert kinds(session) == ["onnxruntime"]


def test_functions_alone():
    """Without a convolution beside them they gain nothing: onnxruntime runs all in one session."""
    n = Network(30)
    y = n.add("Softplus", n.add("Sigmoid", n.feed("x", [1, 3, 8, 8])))
    check(n.model(y), {"x": image(n.rng, 1, 3, 8, 8)})
    session = pyconv.onnx.InferenceSession(n.model(n.add("GlobalAveragePool", y), y))
    assert kinds(session) == ["onnxruntime"]


def test_computed_weights():
    """A weight that is fed is onnxruntime's; what nodes make from constants is a constant."""
    n = Network(8)
    x, w = n.feed("x", [1, 3, 8, 8]), n.feed("w", [4, 3, 3, 3])
    a = n.add("Conv", x, w)
    folded = n.add("Mul", n.normal(5, 4, 1, 1), n.const(2.0))
    session = check(
        n.model(n.add("Conv", a, folded)), {"x": image(n.rng, 1, 3, 8, 8), "w": image(n.rng, 4, 3, 3, 3)}
    )
    assert kinds(session) == ["onnxruntime", ["conv"]]


def test_subgraphs():
    """A branch that reads a convolution's result, and has a convolution of its own."""
    n = Network(9)
    x, flag = n.feed("x", [1, 3, 6, 6]), n.feed("flag", [], np.bool_)
    y = n.conv(x, 3, 3)
    z = n.add("Relu", y)

    def branch(name, nodes):
        end = helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)
        return helper.make_graph(nodes, name, [], [end])

    then = branch("then", [helper.make_node("Conv", [y, n.normal(3, 3, 1, 1)], ["t"])])
    other = branch("other", [helper.make_node("Neg", [z], ["e"])])
    end = n.add("If", flag, then_branch=then, else_branch=other)
    model, x = n.model(end), image(n.rng, 1, 3, 6, 6)
    check(model, {"x": x, "flag": np.array(True)}, {"x": x, "flag": np.array(False)})


def test_loop():
    """Its body convolves what it has, with weights from outside, and adds a result from outside."""
    n = Network(31)
    y = n.add("Relu", n.conv(n.feed("x", [1, 3, 6, 6]), 3, 3))
    body = helper.make_graph(
        [
            helper.make_node("Conv", ["state", n.normal(3, 3, 3, 3)], ["c"], pads=[1] * 4),
            helper.make_node("Add", ["c", y], ["next"]),
            helper.make_node("Identity", ["go"], ["again"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, None),
        ],
    )
    end = n.add("Loop", n.const(3, np.int64), n.const(True, np.bool_), y, body=body)
    session = check(n.model(n.conv(end, 3, 2)), {"x": image(n.rng, 1, 3, 6, 6)})
    assert kinds(session) == [["conv"], "onnxruntime", ["conv"]]


def test_local_functions():
    """Are inlined: their convolutions are pyconv's."""
    n = Network(32)
    inner = [
        helper.make_node("Conv", ["a", "w"], ["c"], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
    ]
    imports = [helper.make_opsetid("", 17)]
    block = helper.make_function("org.example", "Block", ["a", "w"], ["r"], inner, imports)
    y = n.add("Block", n.feed("x", [1, 3, 6, 6]), n.normal(4, 3, 3, 3), domain="org.example")
    model = n.model(y)
    model.functions.append(block)
    model.opset_import.append(helper.make_opsetid("org.example", 1))
    assert kinds(check(model, {"x": image(n.rng, 1, 3, 6, 6)})) == [["conv"]]


def test_initializers_as_inputs():
    n = Network(10)
    y = n.conv(n.feed("x", [1, 3, 6, 6]), 3, 4)
    weight = n.constants[0]
    n.inputs.append(helper.make_tensor_value_info(weight.name, FLOAT, weight.dims))
    model, x = n.model(y), image(n.rng, 1, 3, 6, 6)
    session = check(model, {"x": x})
    assert [value.name for value in session.get_inputs()] == ["x"]
    other = image(n.rng, *weight.dims)
    [y] = session.run(None, {"x": x, weight.name: other})
    close(y, reference(model, {"x": x, weight.name: other})[0])


def test_float16_is_onnxruntimes():
    n = Network(11, dtype=np.float16)
    end = n.add("Relu", n.conv(n.feed("x", [1, 3, 6, 6]), 3, 4))
    check(n.model(end, types={end: TensorProto.FLOAT16}), {"x": image(n.rng, 1, 3, 6, 6).astype(np.float16)})


def test_float64_is_served():
    """onnxruntime has no such kernel."""
    n = Network(12, dtype=np.float64)
    y = n.conv(n.feed("x", [1, 3, 6, 6]), 3, 4)
    end = n.add("Conv", n.add("Relu", y), n.normal(2, 4, 1, 1))
    model = n.model(end, types={end: TensorProto.DOUBLE})
    x = n.rng.standard_normal((1, 3, 6, 6))
    [y] = pyconv.onnx.InferenceSession(model).run(None, {"x": x})
    [wanted] = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)


def test_quantized_is_onnxruntimes():
    n = Network(13)
    scale, zero = n.const(0.05), n.const(128, np.uint8)
    x = n.add(
        "DequantizeLinear", n.add("QuantizeLinear", n.feed("x", [1, 3, 8, 8]), scale, zero), scale, zero
    )
    w = n.const(n.rng.integers(-100, 100, (4, 3, 3, 3)), np.int8)
    w = n.add("DequantizeLinear", w, n.const(0.01), n.const(0, np.int8))
    end = n.add("QuantizeLinear", n.add("Relu", n.add("Conv", x, w)), scale, zero)
    session = check(n.model(end, types={end: TensorProto.UINT8}), {"x": image(n.rng, 1, 3, 8, 8)})
    assert kinds(session) == ["onnxruntime"]


def test_broadcast_sum():
    """A sum that looks like a residual and is none: the shapes of the run say so."""
    n = Network(14)
    x, z = n.feed("x", [1, 3, "h", "w"]), n.feed("z", [1, 4, "a", "b"])
    end = n.add("Relu", n.add("Add", n.conv(x, 3, 4), z))
    session = check(
        n.model(end),
        {"x": image(n.rng, 1, 3, 6, 6), "z": image(n.rng, 1, 4, 1, 1)},
        {"x": image(n.rng, 1, 3, 6, 6), "z": image(n.rng, 1, 4, 6, 6)},
    )
    assert kinds(session) == [["conv"]]


@pytest.mark.parametrize("worth", [0, 1 << 40])
def test_seams(monkeypatch, worth):
    """Results of onnxruntime in arrays made beforehand or its own; some of shapes that depend on values."""
    monkeypatch.setattr(pyconv.onnx.region, "WORTH_BINDING", worth)
    n = Network(23)
    x = n.feed("x", ["n", 3, 6, 6])
    y = n.conv(x, 3, 4)
    pooled, places = n.add("MaxPool", y, outputs=2, kernel_shape=[2, 2])
    some = n.add("NonZero", n.add("Relu", n.add("Round", y)))
    model = n.model(
        n.conv(pooled, 4, 2), places, some, types=dict.fromkeys((places, some), TensorProto.INT64)
    )
    feeds = [{"x": image(n.rng, batch, 3, 6, 6)} for batch in (1, 2, 1, 1, 2)]
    session = check(model, *feeds)
    assert kinds(session) == [["conv"], "onnxruntime", ["conv"]]


def test_sequences():
    """Between two convolutions, which onnxruntime then runs, too."""
    n = Network(29)
    parts = n.add("SplitToSequence", n.conv(n.feed("x", [1, 4, 6, 6]), 4, 4), axis=1)
    first = n.add("SequenceAt", parts, n.const(1, np.int64))
    end = n.add("SequenceAt", parts, n.add("Cast", n.add("ReduceMax", n.conv(first, 1, 1), keepdims=0), to=7))
    model = n.model(end)
    model.graph.node[-2].input[0] = n.const(0)
    model.graph.initializer.append(n.constants[-1])
    check(model, {"x": image(n.rng, 1, 4, 6, 6)})


def test_empty_batch():
    n = Network(15)
    session = check(
        n.model(n.add("Relu", n.conv(n.feed("x", ["n", 3, 6, 6]), 3, 4))),
        {"x": image(n.rng, 0, 3, 6, 6)},
        {"x": image(n.rng, 2, 3, 6, 6)},
    )
    assert kinds(session) == [["conv"]]


def test_any_memory_layout():
    n = Network(16)
    model = n.model(n.conv(n.feed("x", [1, 3, 6, 8]), 3, 4))
    x = image(n.rng, 1, 6, 8, 3).transpose(0, 3, 1, 2)
    check(model, {"x": x}, {"x": image(n.rng, 2, 3, 6, 16)[1:, :, :, ::-2]})


def test_threads_share_a_session():
    n = Network(17)
    session = pyconv.onnx.InferenceSession(n.model(squeeze(n, n.feed("x", ["n", 6, 9, 10]))), threads=1)
    xs = [image(np.random.default_rng(i), i % 3 + 1, 6, 9, 10) for i in range(6)]
    wanted = [session.run(None, {"x": x})[0] for x in xs]
    wrong = []

    def work(seed):
        for i in np.random.default_rng(seed).integers(0, 6, 30):
            if not np.array_equal(session.run(None, {"x": xs[i]})[0], wanted[i]):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_results_are_the_callers():
    n = Network(18)
    session = pyconv.onnx.InferenceSession(n.model(shortcut(n, n.feed("x", [1, 6, 8, 8]))))
    x = image(n.rng, 1, 6, 8, 8)
    first = session.run(None, {"x": x})[0]
    kept = first.copy()
    session.run(None, {"x": -x})
    np.testing.assert_array_equal(first, kept)
    n = Network(18)
    session = pyconv.onnx.InferenceSession(n.model(n.feed("x", [2]), n.const([1.0, 2.0])))
    for _ in range(2):
        for y, wanted in zip(
            session.run(None, {"x": x[0, 0, 0, :2]}), ([*x[0, 0, 0, :2]], [1, 2]), strict=True
        ):
            assert y.tolist() == wanted
            y.fill(7)


def heights_kept(rows):
    """Of the shapes kept, after runs of so many rows each."""
    n = Network(19)
    session = pyconv.onnx.InferenceSession(n.model(n.conv(n.feed("x", [1, 3, "h", 8]), 3, 4)))
    for h in rows:
        session.run(None, {"x": image(n.rng, 1, 3, h, 8)})
    [stage] = session._stages
    return [shape[2] for [shape] in stage._found]


def test_shapes_kept_are_the_last_used(monkeypatch):
    assert heights_kept([*range(3, 30), 23, 40]) == [24, 25, 26, 27, 28, 29, 23, 40]
    monkeypatch.setattr(pyconv.onnx.stages, "MOST_BYTES", 1)
    assert heights_kept([4, 5, 6]) == [6]


def test_weights_are_not_kept_twice():
    """Of open shapes once, to be packed for others; else not at all."""
    for rows, kept in (("h", [True, True]), (8, [False, False])):
        n = Network(27)
        end = n.norm(n.conv(n.norm(n.conv(n.feed("x", [1, 3, rows, 8]), 3, 4), 4), 4, 4), 4)
        session = check(n.model(end), *[{"x": image(n.rng, 1, 3, 8, 8)}] * 2)
        assert [item.data.get("w") is not None for item in session._stages[0].stage.items] == kept


def test_accuracy_and_memory():
    n = Network(20)
    model = n.model(n.conv(n.feed("x", [1, 16, 30, 30]), 16, 16))
    x = image(n.rng, 1, 16, 30, 30)
    check(model, {"x": x}, accuracy="strict")
    check(model, {"x": x}, max_workspace="100kB", accuracy="fast")
    session = pyconv.onnx.InferenceSession(model, max_workspace=0)
    close(session.run(None, {"x": x})[0], reference(model, {"x": x})[0])
    with pytest.raises(ValueError, match="accuracy"):
        pyconv.onnx.InferenceSession(model, accuracy="sloppy")
    with pytest.raises(ValueError, match="tuning"):
        pyconv.onnx.InferenceSession(model, tuning="guess")


def test_inputs_and_outputs_as_onnxruntime_has_them():
    n = Network(21)
    n.feed("ids", ["n"], np.int64)
    y = n.conv(n.feed("x", ["n", 3, None, 8]), 3, 4)
    model = n.model(y)
    theirs = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = pyconv.onnx.InferenceSession(model)
    assert [(v.name, v.type, v.shape) for v in session.get_inputs()] == [
        (v.name, v.type, v.shape) for v in theirs.get_inputs()
    ]
    assert [(v.name, v.type) for v in session.get_outputs()] == [
        (v.name, v.type) for v in theirs.get_outputs()
    ]


# Bad input.


def small(**keywords):
    n = Network(**keywords)
    return n, n.conv(n.feed("x", [1, 3, "h", 8]), 3, 4)


@pytest.mark.parametrize(
    "feeds, error, message",
    [
        ({}, ValueError, "'x' is missing"),
        ({"x": np.ones((1, 3, 8, 8), np.float32), "z": 1}, ValueError, "no input 'z'"),
        ({"x": np.ones((1, 3, 8, 8))}, TypeError, "'x' is float64, wanted float32"),
        ({"x": np.ones((1, 3, 8, 9), np.float32)}, ValueError, r"\(1, 3, 8, 9\), wanted \(1, 3, h, 8\)"),
        ({"x": np.ones((3, 8, 8), np.float32)}, ValueError, r"wanted \(1, 3, h, 8\)"),
        ([1], TypeError, "dict"),
    ],
)
def test_bad_feeds(feeds, error, message):
    n, y = small()
    session = pyconv.onnx.InferenceSession(n.model(y))
    with pytest.raises(error, match=message):
        session.run(None, feeds)
    with pytest.raises(ValueError, match="no output 'q'"):
        session.run(["q"], {"x": np.ones((1, 3, 8, 8), np.float32)})


def test_too_small_an_image_names_the_node():
    n = Network()
    y = n.conv(n.feed("x", [1, 3, "h", 8]), 3, 4, 5, pads=[0] * 4)
    session = pyconv.onnx.InferenceSession(n.model(y))
    with pytest.raises(ValueError, match="Conv_0"):
        session.run(None, {"x": np.ones((1, 3, 4, 8), np.float32)})


def test_too_little_memory_names_the_node():
    n = Network()
    y = n.conv(n.feed("x", [1, 3, 8, 8]), 3, 4, transposed=True, strides=[2, 2])
    session = pyconv.onnx.InferenceSession(n.model(y), max_workspace=100)
    with pytest.raises(pyconv.UnsupportedError, match="ConvTranspose_0"):
        session.run(None, {"x": np.ones((1, 3, 8, 8), np.float32)})


def test_wrong_channels_name_the_node():
    n = Network()
    y = n.conv(n.feed("x", [1, "c", 8, 8]), 3, 4)
    with pytest.raises(ValueError, match="Conv_0"):
        pyconv.onnx.InferenceSession(n.model(y)).run(None, {"x": np.ones((1, 5, 8, 8), np.float32)})


def test_no_model(tmp_path):
    path = tmp_path / "no.onnx"
    for data in (b"", b"no model at all", np.random.default_rng(0).bytes(1000)):
        path.write_bytes(data)
        for source in (data, path, str(path)):
            with pytest.raises(ValueError, match="not an ONNX model"):
                pyconv.onnx.InferenceSession(source)
    with pytest.raises(FileNotFoundError):
        pyconv.onnx.InferenceSession(tmp_path / "missing.onnx")
    with pytest.raises(TypeError, match="int"):
        pyconv.onnx.InferenceSession(1)


def test_unknown_op_set():
    n, y = small(opset=9999)
    with pytest.raises(ValueError, match="op set 9999"):
        pyconv.onnx.InferenceSession(n.model(y))


@pytest.mark.parametrize("op, domain", [("Frobnicate", ""), ("Frobnicate", "org.example")])
def test_unknown_operator(op, domain):
    n, y = small()
    model = n.model(n.add(op, y, domain=domain))
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    with pytest.raises(ValueError, match="Frobnicate_1"):
        pyconv.onnx.InferenceSession(model)


def test_dangling_names():
    n, _ = small()
    with pytest.raises(ValueError, match="'absent' is made by no node"):
        pyconv.onnx.InferenceSession(n.model("absent"))
    with pytest.raises(ValueError, match="Relu 'Relu_1' reads 'nowhere'"):
        pyconv.onnx.InferenceSession(n.model(n.add("Relu", "nowhere")))


def external(folder, location, **more):
    n, y = small()
    model = n.model(y)
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "length": len(data), **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path, data


def test_external_data(tmp_path):
    path, data = external(tmp_path, "weights.bin", offset=8)
    (tmp_path / "weights.bin").write_bytes(bytes(8) + data)
    x = image(np.random.default_rng(0), 1, 3, 8, 8)
    [y] = pyconv.onnx.InferenceSession(path).run(None, {"x": x})
    n, end = small()
    close(y, reference(n.model(end), {"x": x})[0])


@pytest.mark.parametrize(
    "location, message",
    [("absent.bin", "missing"), ("../out.bin", "outside"), ("link.bin", "outside"), ("", "outside")],
)
def test_bad_external_data(tmp_path, location, message):
    folder = tmp_path / "in"
    folder.mkdir()
    path, data = external(folder, location)
    (tmp_path / "out.bin").write_bytes(data)
    (folder / "link.bin").symlink_to(tmp_path / "out.bin")
    with pytest.raises(ValueError, match=f"'c0' of node 'Conv_0'.*{message}"):
        pyconv.onnx.InferenceSession(path)


def test_external_data_too_short(tmp_path):
    path, data = external(tmp_path, "weights.bin")
    (tmp_path / "weights.bin").write_bytes(data[:-1])
    with pytest.raises(ValueError, match=f"which has {len(data) - 1} bytes"):
        pyconv.onnx.InferenceSession(path)
    with pytest.raises(ValueError, match="as a path"):
        pyconv.onnx.InferenceSession(path.read_bytes())


def test_mobilenet(tmp_path, monkeypatch):
    """The benchmarks' file, on small images."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "bench"))
    onnx_files = pytest.importorskip("lib.onnx_files")
    path = tmp_path / "mobilenet.onnx"
    onnx.save(onnx_files.build("mobilenet_v1", image=64), path)
    feeds = onnx_files.feeds(path, ())
    session = pyconv.onnx.InferenceSession(path)
    close(session.run(None, feeds)[0], reference(onnx.load(path), feeds)[0])
    assert [len(found) for found in kinds(session)] == [28, len("onnxruntime")]


# Random graphs.

UNARY = {
    "Relu": {},
    "Sigmoid": {},
    "HardSwish": {},
    "HardSigmoid": {"alpha": 0.25},
    "LeakyRelu": {"alpha": 0.2},
    "Elu": {},
    "Identity": {},
    "Neg": {},
}


@st.composite
def networks(draw):
    """A graph over values of one size, each with its channels; any value may be an output or read again."""
    n = Network(draw(st.integers(0, 99)))
    values = [(n.feed("x", ["n", 4, 6, 7]), 4)]
    for _ in range(draw(st.integers(1, 12))):
        x, c = draw(st.sampled_from(values[-4:]))
        kind = draw(
            st.sampled_from(
                ["conv", "conv", "conv", "depthwise", "unary", "norm", "scalar", "sum", "gate", "concat"]
            )
        )
        if kind == "conv":
            oc = draw(st.sampled_from([1, 4, 8]))
            values.append((n.conv(x, c, oc, draw(st.sampled_from([1, 3])), draw(st.booleans())), oc))
        elif kind == "depthwise":
            values.append((n.conv(x, c, c, 3, group=c), c))
        elif kind == "unary":
            op = draw(st.sampled_from(sorted(UNARY)))
            values.append((n.add(op, x, **UNARY[op]), c))
        elif kind == "norm":
            values.append((n.norm(x, c), c))
        elif kind == "scalar":
            op = draw(st.sampled_from(["Add", "Sub", "Mul", "Div"]))
            constant = n.const(draw(st.sampled_from([[0.5], -2.0, np.full((c, 1, 1), 1.5)])))
            order = (x, constant) if op == "Div" or draw(st.booleans()) else (constant, x)
            values.append((n.add(op, *order), c))
        elif kind == "concat":
            y, d = draw(st.sampled_from(values))
            values.append((n.add("Concat", x, y, axis=1), c + d))
        else:
            same = [v for v, d in values if d == c]
            y = draw(st.sampled_from(same))
            if kind == "gate":
                y = n.add("GlobalAveragePool", n.add("Sigmoid", y)) if draw(st.booleans()) else y
            values.append((n.add("Add" if kind == "sum" else "Mul", *draw(st.permutations([x, y]))), c))
    more = draw(st.lists(st.sampled_from(values[1:]), max_size=2))
    return n.model(*dict.fromkeys([values[-1][0], *(name for name, _ in more)])), draw(st.integers(1, 2))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_random_networks(drawn, last):
    model, batch = drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyconv.onnx.stages, "prefers_last", lambda stage: last)
        _compare(model, batch)


def _compare(model, batch):
    x = np.random.default_rng(0).standard_normal((batch, 4, 6, 7)).astype(np.float32)
    wanted = reference(model, {"x": x})
    found = pyconv.onnx.InferenceSession(model, threads=1).run(None, {"x": x})
    for y, want in zip(found, wanted, strict=True):
        # Products of values may grow; what a difference in one cancels is of the size of the largest.
        np.testing.assert_allclose(y, want, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(want).max())))


# python -m pyconv run


def test_run_in_a_shell(tmp_path, capsys):
    n = Network(25)
    y = n.conv(separable(n, n.feed("x", ["n", 3, "h", 12]), 3, 8), 8, 4, transposed=True)
    path = tmp_path / "network.onnx"
    path.write_bytes(n.model(n.add("Softplus", y)).SerializeToString())
    main(["run", str(path), "--input", "x=2,3,10,12", "--runs", "2", "--threads", "1", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [step["by"] for step in found["steps"]][-1] == "onnxruntime"
    assert all(step["seconds"] > 0 for step in found["steps"]) and found["pyconv_seconds"] > 0
    assert any("Conv_0" in step["step"] and step["onnxruntime_nodes_seconds"] > 0 for step in found["steps"])
    picture = tmp_path / "network.png"
    main(["run", str(path), "--input", "2,3,10,12", "--runs", "2", "--picture", str(picture)])
    text = capsys.readouterr().out
    assert "Conv 'Conv_0'" in text and "ratio" in text
    assert picture.exists() or "matplotlib" in text


@pytest.mark.parametrize(
    "given, message",
    [
        ([], r"'x' is \(n,3,h,8\): give its shape"),
        (["--input", "z=1,2"], "give its shape"),
        (["--input", "x=1,3,8,8", "--input", "z=1,2"], "no input 'z'"),
        (["--input", "1,3,8,9"], "wanted"),
    ],
)
def test_bad_words_in_a_shell(tmp_path, given, message):
    n = Network(26)
    path = tmp_path / "network.onnx"
    path.write_bytes(n.model(n.conv(n.feed("x", ["n", 3, "h", 8]), 3, 4)).SerializeToString())
    with pytest.raises(SystemExit, match=message):
        main(["run", str(path), *given])
    with pytest.raises(SystemExit, match="No such file"):
        main(["run", str(tmp_path / "none.onnx")])


def test_readme_runs_a_network(tmp_path, monkeypatch):
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n([^`]*pyconv\.onnx[^`]*)^```", text, re.MULTILINE)
    n = Network(28)
    model = n.model(shortcut(n, n.feed("x", [1, 6, 9, 10])))
    (tmp_path / "network.onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(tmp_path)
    names = {"image": image(n.rng)}
    exec(compile(code, "README.md", "exec"), names)
    close(names["y"], reference(model, {"x": names["image"]})[0])


def test_sessions_are_freed():
    n, y = small()
    model = n.model(y)
    session = pyconv.onnx.InferenceSession(model)
    session.run(None, {"x": np.ones((1, 3, 8, 8), np.float32)})
    count = len(gc.get_objects())
    for _ in range(5):
        session = pyconv.onnx.InferenceSession(model)
        session.run(None, {"x": np.ones((1, 3, 8, 8), np.float32)})
        del session
    gc.collect()
    assert len(gc.get_objects()) < count + 1000
