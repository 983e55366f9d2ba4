# SPDX-License-Identifier: BSD-3-Clause
"""ONNX's own tests of convolutions, node tests and those converted from PyTorch, through pyconv's backend."""

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="ONNX, whose tests these are, is not installed")
pytest.importorskip("onnxruntime", reason="pyconv.onnx needs onnxruntime")

from onnx.backend.test.case import node as node_cases  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

import pyconv.onnx  # noqa: E402

MODULES = "conv", "convtranspose", "convinteger", "qlinearconv", "deformconv", "causal_conv_with_state"
OWN = {operator.__name__ for operator in pyconv.onnx.ops}


def node_tests():
    """name -> (model, [(inputs, outputs)])"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in MODULES:  # cases are made at import; of all operators, in ten seconds
            try:
                importlib.import_module(f"{node_cases.__name__}.{module}")
            except ModuleNotFoundError:  # of a later version
                continue
    cases = {case.name: (case.model, case.data_sets) for case in node_cases._NodeTestCases}
    return {name: case for name, case in cases.items() if {n.op_type for n in case[0].graph.node} & OWN}


def tensor(path):
    return onnx.numpy_helper.to_array(onnx.load_tensor(str(path)))


def converted_tests():
    """Of PyTorch's modules and operators."""
    folder, found = Path(onnx.__file__).parent / "backend" / "test" / "data", {}
    for path in sorted(folder.glob("pytorch-*/*onv*/model.onnx")):
        sets = [
            tuple([tensor(p) for p in sorted(data.glob(f"{side}_*.pb"))] for side in ("input", "output"))
            for data in sorted(path.parent.glob("test_data_set_*"))
        ]
        found[path.parent.name] = path, sets
    return found


NODES, CONVERTED = node_tests(), converted_tests()


def check(model, data):
    prepared = pyconv.onnx.prepare(model)
    for inputs, outputs in data:
        results = prepared.run(inputs)
        assert len(results) == len(outputs)
        for y, wanted in zip(results, outputs, strict=True):
            assert y.shape == wanted.shape and y.dtype == wanted.dtype
            exact = wanted.dtype.kind in "iu"
            rtol, atol = (0, 0) if exact else (2e-3, 2e-3) if wanted.dtype == np.float16 else (1e-5, 1e-6)
            np.testing.assert_allclose(y, wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", NODES)
def test_node(name):
    check(*NODES[name])


@pytest.mark.parametrize("name", CONVERTED)
def test_converted(name):
    path, data = CONVERTED[name]
    check(onnx.load(path), data)


def test_there_are_as_many_as_expected():
    assert len(NODES) >= 24 and len(CONVERTED) >= 30


@pytest.mark.parametrize("name", NODES)
def test_reference_evaluator(name):
    """The operators replace those of ONNX's evaluator."""
    model, data = NODES[name]
    evaluator = ReferenceEvaluator(model, new_ops=pyconv.onnx.ops)
    for inputs, outputs in data:
        results = evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=False)))
        tolerance = 2e-3 if outputs[0].dtype == np.float16 else 1e-5
        np.testing.assert_allclose(results[0], outputs[0], rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_the_whole_runner():
    """`onnx.backend.test` itself, on everything that has a convolution in its name."""
    import unittest

    from onnx.backend.test import BackendTest

    runner = BackendTest(pyconv.onnx, __name__)
    runner.include("conv|Conv")
    suite = runner.test_suite
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    assert result.wasSuccessful() and result.testsRun > 100


def conv_node(**attributes):
    return onnx.helper.make_node("Conv", ["x", "w"], ["y"], **attributes)


def test_run_node():
    x, w = np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 3, 3), np.float32)
    [y] = pyconv.onnx.run_node(conv_node(pads=[1, 1, 1, 1]), [x, w])
    assert y[0, 0].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    [y] = pyconv.onnx.run_node(conv_node(auto_pad="SAME_LOWER", strides=[2, 2]), [x, w], opset_version=7)
    assert y[0, 0].tolist() == [[4, 4], [4, 4]]


def test_devices():
    assert pyconv.onnx.supports_device("CPU") and not pyconv.onnx.supports_device("CUDA:1")
    assert not pyconv.onnx.supports_device("toaster")
    with pytest.raises(ValueError, match="'CUDA'"):
        pyconv.onnx.prepare(next(iter(NODES.values()))[0], device="CUDA")


def volume(rng, transposed):
    x = rng.integers(-4, 5, (2, 4, 5, 6, 7)).astype(np.float32)
    w = rng.integers(-4, 5, (4, 3, 2, 3, 2) if transposed else (6, 2, 2, 3, 2)).astype(np.float32)
    b = rng.integers(-4, 5, 6).astype(np.float32)
    attributes = {"group": 2, "strides": [2, 1, 2], "pads": [1, 0, 2, 0, 1, 1], "dilations": [2, 1, 1]}
    return x, w, b, attributes


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_volumes_equal_the_reference(op):
    """Integers, so that every sum is exact."""
    torch = pytest.importorskip("torch", reason="PyTorch judges volumes")
    x, w, b, given = volume(np.random.default_rng(0), op == "ConvTranspose")
    before, after = given["pads"][:3], given["pads"][3:]
    node = onnx.helper.make_node(op, ["x", "w", "b"], ["y"], **given)
    [y] = pyconv.onnx.run_node(node, [x, w, b])
    weights, more = [torch.from_numpy(a) for a in (w, b)], {"stride": given["strides"], "groups": 2}
    if op == "Conv":
        sides = [p for pair in zip(before[::-1], after[::-1], strict=True) for p in pair]
        padded = torch.nn.functional.pad(torch.from_numpy(x), sides)
        wanted = torch.nn.functional.conv3d(padded, *weights, dilation=given["dilations"], **more)
    else:
        whole = torch.nn.functional.conv_transpose3d(
            torch.from_numpy(x), *weights, dilation=given["dilations"], **more
        )
        cut = [slice(p, size - q) for p, q, size in zip(before, after, whole.shape[2:], strict=True)]
        wanted = whole[(..., *cut)]
    np.testing.assert_array_equal(y, wanted.numpy())


def test_larger_output_shape_holds_the_bias():
    """ONNX's output_shape may ask for rows that no tap reaches."""
    x, w = np.ones((1, 1, 2), np.float32), np.ones((1, 1, 2), np.float32)
    node = onnx.helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[2], output_shape=[7])
    [y] = pyconv.onnx.run_node(node, [x, w, np.float32([5])])
    assert y[0, 0].tolist() == [6, 6, 6, 6, 5, 5, 5]


def test_sums_of_integers_are_exact():
    """Beyond 2**24, where float32 has even numbers alone."""
    x, w = np.full((1, 300, 3, 3), 255, np.uint8), np.full((1, 300, 3, 3), 255, np.uint8)
    w[0, 0, 0, 0] = 254
    node = onnx.helper.make_node("ConvInteger", ["x", "w"], ["y"])
    [y] = pyconv.onnx.run_node(node, [x, w])
    assert y.tolist() == [[[[2700 * 255 * 255 - 255]]]] and y.dtype == np.int32


def test_qlinear_rounds_half_to_even_and_saturates():
    x = np.uint8([[[1, 3, 5, 200]]])
    one, zero = np.float32(1), np.uint8(0)
    node = onnx.helper.make_node("QLinearConv", [f"i{k}" for k in range(8)], ["y"])
    w, w_scale = np.int8([[[3]]]), np.float32(0.5)
    [y] = pyconv.onnx.run_node(node, [x, one, zero, w, w_scale, np.int8(0), one, zero])
    assert y.ravel().tolist() == [2, 4, 8, 255] and y.dtype == np.uint8  # 1.5, 4.5, 7.5, 300


@pytest.mark.parametrize(
    "attributes, message",
    [
        ({"strides": [1, 1, 1]}, "3 values for 2 spatial axes"),
        ({"kernel_shape": [2, 2]}, "kernel_shape"),
        ({"auto_pad": "SAME"}, "auto_pad"),
        ({"pads": [-1, 0, 0, 0]}, "negative"),
    ],
)
def test_bad_attributes(attributes, message):
    x = np.ones((1, 1, 3, 3), np.float32)
    with pytest.raises(ValueError, match=message):
        pyconv.onnx.run_node(conv_node(**attributes), [x, x])


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_packages(package):
    """A process in which the package can't be imported."""
    code = f"import sys; sys.modules[{package!r}] = None\nimport pyconv.onnx"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and f"package {package} " in done.stderr
    assert "ImportError" in done.stderr and "pip install 'pyconv[onnx]'" in done.stderr
