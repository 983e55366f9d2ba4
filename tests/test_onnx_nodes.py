# SPDX-License-Identifier: BSD-3-Clause
"""ONNX's node tests of Conv and ConvTranspose: their models and data, run by pyconv's functions."""

import importlib
import warnings

import numpy as np
import pytest

import pyconv

onnx = pytest.importorskip("onnx", reason="ONNX, whose tests these are, is not installed")

from onnx.backend.test.case import node as node_cases  # noqa: E402


def node_tests():
    """name -> (node, [(inputs, outputs)]) of one and two axes"""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("conv", "convtranspose"):  # made at import; of all operators, in ten seconds
            importlib.import_module(f"{node_cases.__name__}.{module}")
    for case in node_cases._NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in ("Conv", "ConvTranspose"):
            axes = case.data_sets[0][0][0].ndim - 2
            if axes <= 2:
                found[case.name] = nodes[0], case.data_sets
    return found


TESTS = node_tests()


def _sides(pads):
    """ONNX's (begin…, end…) as ((begin, end), …)"""
    half = len(pads) // 2
    return tuple(zip(pads[:half], pads[half:], strict=True))


def run(node, x, w, b=None):
    """The node's attributes as pyconv's keywords; signals are images of one row."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    single = x.ndim == 3
    if single:
        x, w = x[:, :, None], w[:, :, None]

    def axes(key, plain):
        value = tuple(given.get(key, (plain,) * (x.ndim - 2 - single)))
        return ((plain,) if single else ()) + value

    stride, dilation = axes("strides", 1), axes("dilations", 1)
    auto = given.get("auto_pad", b"NOTSET").decode()
    padding = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}.get(auto)
    if padding is None:
        pads = tuple(given.get("pads", (0, 0) * (x.ndim - 2 - single)))
        padding = (((0, 0),) if single else ()) + _sides(pads)
    keywords = {"stride": stride, "dilation": dilation, "groups": given.get("group", 1)}
    if node.op_type == "Conv":
        y = pyconv.conv2d(x, w, b, padding=padding, **keywords)
    else:
        extra = axes("output_padding", 0)
        if "output_shape" in given:
            # total = stride*(i-1) + extra + (k-1)*d + 1 - wanted, the odd one at the end but for SAME_UPPER
            wanted = ((1,) if single else ()) + tuple(given["output_shape"])
            total = [
                s * (i - 1) + e + (k - 1) * d + 1 - o
                for s, i, e, k, d, o in zip(
                    stride, x.shape[2:], extra, w.shape[2:], dilation, wanted, strict=True
                )
            ]
            extra = tuple(e + max(0, -t) for e, t in zip(extra, total, strict=True))
            total = [max(0, t) for t in total]
            padding = tuple(
                (t - t // 2, t // 2) if auto != "SAME_UPPER" else (t // 2, t - t // 2) for t in total
            )
        y = pyconv.conv_transpose2d(x, w, b, padding=padding, output_padding=extra, **keywords)
    return y[:, :, 0] if single else y


@pytest.mark.parametrize("name", TESTS)
def test_node(name):
    node, data = TESTS[name]
    for inputs, outputs in data:
        y = run(node, *inputs)
        assert y.shape == outputs[0].shape and y.dtype == outputs[0].dtype
        np.testing.assert_allclose(y, outputs[0], rtol=1e-5, atol=1e-6)


def test_there_are_as_many_as_expected():
    assert len(TESTS) >= 15
