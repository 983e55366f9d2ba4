# SPDX-License-Identifier: BSD-3-Clause
"""Signatures, docstrings and stubs say the same; messages name the function called and its arguments."""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import integers

import pyconv

FUNCTIONS = {
    name: getattr(pyconv, name) for name in pyconv.__all__ if inspect.isfunction(getattr(pyconv, name))
}
METHODS = {
    "TransposedPlan.__call__": pyconv.TransposedPlan.__call__,
    "SeparablePlan.__call__": pyconv.SeparablePlan.__call__,
    "FactorizedPlan.__call__": pyconv.FactorizedPlan.__call__,
    "Factorization.plan": pyconv.Factorization.plan,
}
CALLS = FUNCTIONS | METHODS


def parameters(function):
    """name -> Parameter, without self."""
    found = inspect.signature(function).parameters
    return {name: parameter for name, parameter in found.items() if name != "self"}


def test_functions_are_found():
    assert {
        "conv2d",
        "plan",
        "explain",
        "config",
        "factorize",
        "conv1d",
        "separable_conv2d",
    } <= FUNCTIONS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_every_argument_is_in_the_signature(name):
    kinds = {parameter.kind for parameter in parameters(CALLS[name]).values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


# Where an operator's word means another thing than conv2d's.
OWN_DEFAULTS = {(name, "layout"): "NCL" for name in FUNCTIONS if "1d" in name}
OWN_DEFAULTS |= {(name, "layout"): "NCDHW" for name in FUNCTIONS if "3d" in name}
OWN_DEFAULTS |= {("partial_conv2d", "padding"): "same"}


@pytest.mark.parametrize("name", CALLS.keys() - {"config"})
def test_defaults_are_those_of_conv2d(name):
    expected = {key: p.default for key, p in parameters(pyconv.conv2d).items()}
    for key, parameter in parameters(CALLS[name]).items():
        if key in expected and key not in ("x", "weight"):
            assert parameter.default == OWN_DEFAULTS.get((name, key), expected[key]), key


def documented(function):
    """The names in the Parameters section of a docstring."""
    section = re.search(
        r"\nParameters\n-+\n(.*?)(\n\n\w+( \w+)*\n-+\n|$)", inspect.getdoc(function), re.DOTALL
    )
    heads = re.findall(r"^(\w.*?)(?: : .*)?$", section[1], re.MULTILINE) if section else []
    return [name for head in heads for name in head.split(", ")]


@pytest.mark.parametrize("name", CALLS)
def test_docstrings_tell_every_argument_once(name):
    names = documented(CALLS[name])
    assert sorted(names) == sorted(parameters(CALLS[name]))


def stubs():
    """name -> definitions in the stub, all overloads."""
    found = {}
    tree = ast.parse(Path(pyconv.__file__).with_name("__init__.pyi").read_text())
    for node in tree.body:
        for each in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(each, ast.FunctionDef):
                name = f"{node.name}.{each.name}" if each is not node else each.name
                found.setdefault(name, []).append(each)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_stubs_have_the_same_arguments(name):
    for node in stubs()[name]:
        given = node.args
        assert given.vararg is None and given.kwarg is None
        positional = [a.arg for a in given.args if a.arg != "self"]
        assert positional + [a.arg for a in given.kwonlyargs] == list(parameters(CALLS[name]))
        defaults = dict(zip(positional[::-1], given.defaults[::-1], strict=False))
        defaults |= {a.arg: d for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True) if d}
        for key, parameter in parameters(CALLS[name]).items():
            by_word = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            assert by_word == (key not in positional), key
            if key in defaults:
                assert ast.literal_eval(defaults[key]) == parameter.default, key
            else:  # an overload may demand what another leaves out
                assert parameter.default is inspect.Parameter.empty or len(stubs()[name]) > 1, key


def test_plans_have_the_dtype_of_their_annotation():
    for name in (
        "Plan",
        "TransposedPlan",
        "VolumePlan",
        "SeparablePlan",
        "FactorizedPlan",
        "WeightGradientPlan",
        "Factorization",
    ):
        assert getattr(pyconv, name)[np.float32].__args__ == (np.float32,)


X, W, B = integers((1, 4, 8, 8)), integers((6, 4, 3, 3), seed=1), integers(6, seed=2)
K, M = W[:4, :1], W[..., 0, 0]
SERVED = "must be float32, float64 or float16, is int32: pass "
ANY = "must be float32, float64, float16, uint8, int8, uint16, int16 or bfloat16, is int32: pass x.astype("

# call, error, what its message begins with
BAD = [
    (lambda: pyconv.conv2d(X), TypeError, "conv2d() missing 1 required positional argument: 'weight'"),
    (lambda: pyconv.conv2d(X, W, B, 2), TypeError, "conv2d() takes from 2 to 3 positional arguments but 4"),
    (lambda: pyconv.plan(X.shape, W, residual=X), TypeError,
     "plan() got an unexpected keyword argument 'residual'"),
    (lambda: pyconv.plan(X.shape, W, out=X), TypeError, "plan() got an unexpected keyword argument 'out'"),
    (lambda: pyconv.partial_conv2d(X, W[:4], residual=X), TypeError,
     "partial_conv2d() got an unexpected keyword"),
    (lambda: pyconv.partial_conv2d(X, W[:4], stride=2), TypeError,
     "partial_conv2d() got an unexpected keyword"),
    (lambda: pyconv.depthwise_conv2d(X, K, groups=2), TypeError,
     "depthwise_conv2d() got an unexpected keyword"),
    (lambda: pyconv.separable_conv2d(X, K, M, algorithm="mec"), TypeError,
     "separable_conv2d() got an unexpected keyword argument 'algorithm'"),
    (lambda: pyconv.conv_transpose2d(X, W[:4], padding_mode="zeros"), TypeError,
     "conv_transpose2d() got an unexpected keyword argument 'padding_mode'"),
    (lambda: pyconv.conv2d_backward_weight(X, W.shape, X, activation="relu"), TypeError,
     "conv2d_backward_weight() got an unexpected keyword argument 'activation'"),
    (lambda: pyconv.explain(X.shape, W.shape, activation="relu"), TypeError,
     "explain() got an unexpected keyword argument 'activation'"),
    (lambda: pyconv.factorize(W).plan(X.shape, groups=2), TypeError,
     "Factorization.plan() got an unexpected keyword argument 'groups'"),
    (lambda: pyconv.config(layout="NHWC"), TypeError, "config() got an unexpected keyword argument 'layout'"),
    (lambda: pyconv.conv2d(X.astype("i4"), W), TypeError, f"x {ANY}"),
    (lambda: pyconv.conv1d(X[0].astype("i4"), W[..., 0]), TypeError, f"x {ANY}"),
    (lambda: pyconv.partial_conv2d(X.astype("i4"), W[:4]), TypeError, f"x {ANY}"),
    (lambda: pyconv.separable_conv2d(X.astype("i4"), K, M), TypeError, f"x {ANY}"),
    (lambda: pyconv.conv_transpose2d(X.astype("i4"), W[:4]), TypeError, f"x {ANY}"),
    (lambda: pyconv.explain(X.shape, W.shape, weight_dtype="u1"), TypeError,
     "weight must be float32, float64 or float16, is uint8: pass weight.astype(numpy.float32)"),
    (lambda: pyconv.pointwise_conv2d(X.astype("i4"), M), TypeError, f"x {ANY}"),
    (lambda: pyconv.plan(X.shape, W.astype("i4")), TypeError, f"weight {SERVED}"),
    (lambda: pyconv.partial_conv2d(X, W[:4].astype("i4")), TypeError, f"weight {SERVED}"),
    (lambda: pyconv.plan_conv_transpose2d(X.shape, W[:4].astype("i4")), TypeError, f"weight {SERVED}"),
    (lambda: pyconv.conv2d_backward_input(X.shape, W.astype("i4"), X), TypeError, f"weight {SERVED}"),
    (lambda: pyconv.separable_conv2d(X, K.astype("i4"), M), TypeError, f"depthwise_weight {SERVED}"),
    (lambda: pyconv.explain(X.shape, W.shape, dtype="i4"), TypeError, f"dtype {ANY}"),
    (lambda: pyconv.plan_conv2d_backward_weight(X.shape, W.shape, dtype="i4"), TypeError, f"dtype {SERVED}"),
    (lambda: pyconv.conv2d_backward_weight(X.astype("i4"), W.shape, X), TypeError, f"x {SERVED}"),
    (lambda: pyconv.conv2d(X, W, B.astype("f8")), TypeError, "bias is float64, weight is float32"),
    (lambda: pyconv.plan(X.shape, W, B.astype("f8")), TypeError, "bias is float64, weight is float32"),
    (lambda: pyconv.separable_conv2d(X, K, M.astype("f8")), TypeError,
     "pointwise_weight is float64, depthwise_weight is float32"),
    (lambda: pyconv.conv2d_backward_input(X.shape, W, np.zeros((1, 6, 6, 6))), TypeError,
     "dy is float64, weight is float32"),
    (lambda: pyconv.conv1d(X[0], W[..., 0], stride=(1, 2)), ValueError, "stride must be one int"),
    (lambda: pyconv.conv1d(X[0], W[..., 0], padding=-1), ValueError,
     "padding must not be negative, is (-1, -1)"),
    (lambda: pyconv.conv_transpose2d(X, W), ValueError, "weight has 6 filters, x has 4 channels"),
    (lambda: pyconv.conv_transpose2d(X, W[:4], stride=2**45), ValueError,
     "the sizes overflow: the result (1, 4, "),
    (lambda: pyconv.conv_transpose2d(X, W[:4], dilation=-1), ValueError,
     "dilation must be positive (1 means none), is (-1, -1)"),
    (lambda: pyconv.conv_transpose2d(X, W[:4], stride=-3, padding=1), ValueError,
     "stride must be positive, is (-3, -3)"),
    (lambda: pyconv.conv_transpose2d(X, W[:4], groups=-4), ValueError, "groups must be positive, is -4"),
    (lambda: pyconv.conv_transpose2d(X, W[:4], output_padding=9**40), ValueError,
     "output_padding must be less than"),
    (lambda: pyconv.conv_transpose2d(X, W[:4], padding=9), ValueError,
     "no output is left: x of 8x8, kernel (3, 3), stride (1, 1), dilation (1, 1), padding ((9, 9), (9, 9)) "
     "make -8x-8"),
    (lambda: pyconv.conv_transpose2d(X, W[:4, :, :0]), ValueError,
     "weight needs at least one row and column"),
    (lambda: pyconv.conv2d_backward_input(X.shape, W, X), ValueError,
     "dy has shape (1, 4, 8, 8), wanted (1, 6, 6, 6)"),
    (lambda: pyconv.plan_conv2d_backward_weight(X.shape, (6, 4, 3)), ValueError,
     "weight_shape must have 4 sizes"),
    (lambda: pyconv.plan((1, -4, 8, 8), W), ValueError, "x_shape must not be negative"),
    (lambda: pyconv.explain(X.shape, (6, 4, 3)), ValueError, "weight must have 4 dimensions"),
    (lambda: pyconv.config(threads=0).__enter__(), ValueError, "threads must be positive, is 0"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, beginning", BAD, ids=[f"{i}: {bad[2]}" for i, bad in enumerate(BAD)])
def test_messages_name_what_was_called(call, error, beginning):
    with pytest.raises(error, match=f"^{re.escape(beginning)}"):
        call()
