# SPDX-License-Identifier: BSD-3-Clause
"""Faults planted between the fuzzer and the package, to see that each is found."""

import contextlib
import ctypes
import types

import numpy as np

from . import operators

FUNCTIONS = (
    "conv2d", "conv1d", "depthwise_conv2d", "pointwise_conv2d", "partial_conv2d", "separable_conv2d",
    "conv_transpose2d", "conv2d_backward_input", "conv2d_backward_weight", "conv2d_backward_bias",
    "conv1d_backward_input", "conv1d_backward_weight", "conv1d_backward_bias",
)  # fmt: skip
MAKERS = (
    "plan", "plan_separable_conv2d", "plan_conv_transpose2d", "plan_conv2d_backward_input",
    "plan_conv2d_backward_weight",
)  # fmt: skip


def _without(name):
    def mutation(call, args, keywords):
        if name == "bias" and len(args) > 2:
            args = (*args[:-1], None)
        return call(*args, **{k: v for k, v in keywords.items() if k != name})

    return mutation


def _changed(change):
    """The right result, changed where it lies."""

    def mutation(call, args, keywords):
        y = call(*args, **keywords)
        if y.size:
            change(y, args, keywords)
        return y

    return mutation


def _poke(address, value=0xEE):
    ctypes.memset(address, value, 1)


def shift(y, args, keywords):
    y[...] = np.roll(y, 1, axis=-1)


def rounding(y, args, keywords):
    y *= np.asarray(1 + 2e-3 if y.dtype == np.float16 else 1 + 1e-4, y.dtype)


def last_value(y, args, keywords):
    y.reshape(-1)[-1:] += 1


def unwritten(y, args, keywords):
    if keywords.get("out") is not None:
        y[..., -1] = np.nan


def swallow(y, args, keywords):
    y[...] = np.nan_to_num(y)


def spread(y, args, keywords):
    if np.isnan(y).any():
        y[...] = np.nan


def past_the_end(y, args, keywords):
    if keywords.get("out") is not None:
        _poke(y.ctypes.data + y.nbytes)


def before_the_start(y, args, keywords):
    if keywords.get("out") is not None:
        _poke(y.ctypes.data - 1)


def past_the_workspace(y, args, keywords):
    workspace = keywords.get("workspace")
    if workspace is not None:
        _poke(workspace.ctypes.data + workspace.nbytes)


def input_modified(y, args, keywords):
    for a in args:
        if isinstance(a, np.ndarray) and a.size:
            return _poke(a.ctypes.data, 0x11)


def trusting(y, args, keywords):
    workspace = keywords.get("workspace")
    if workspace is not None and workspace[-1] == 0xA5:
        y.reshape(-1)[:1] = 77


class Unsteady:
    """Every second call is off by one unit in the last place, which no bound forbids."""

    def __init__(self):
        self.odd = False

    def __call__(self, y, args, keywords):
        self.odd = not self.odd
        if self.odd:
            y[...] = np.nextafter(y, np.asarray(np.inf, y.dtype))


def boundless(call, args, keywords):
    """max_workspace forgotten; for the makers of plans."""
    return call(*args, **(keywords | {"max_workspace": None}))


# name -> (fault of calls, fault of makers, keys of the problems that can show it)
MUTATIONS = {
    "shifted by a column": (_changed(shift), None, {}),
    "bias forgotten": (_without("bias"), _without("bias"), {"bias": True}),
    "residual forgotten": (_without("residual"), None, {"residual": True}),
    "activation forgotten": (_without("activation"), _without("activation"), {"activation": "relu6"}),
    "dilation forgotten": (
        _without("dilation"),
        _without("dilation"),
        {"dilation": [2, 2], "padding": "same"},
    ),
    "a relative error of 1e-4": (_changed(rounding), None, {"data": "normal", "accuracy": "strict"}),
    "the last value off by one": (_changed(last_value), None, {"data": "integers", "accuracy": "strict"}),
    "a column not written": (_changed(unwritten), None, {"out": "plain"}),
    "NaN swallowed": (_changed(swallow), None, {"data": "nan", "accuracy": "strict"}),
    "NaN spread": (_changed(spread), None, {"data": "nan", "accuracy": "strict"}),
    "a byte past the output": (_changed(past_the_end), None, {"out": "plain", "at_end": False}),
    "a byte before the output": (_changed(before_the_start), None, {"out": "plain", "at_end": True}),
    "a byte past the workspace": (
        _changed(past_the_workspace),
        None,
        {"workspace": "exact", "at_end": False},
    ),
    "input modified": (_changed(input_modified), None, {"x_form": "plain", "w_form": "plain"}),
    "workspace trusted": (_changed(trusting), None, {"workspace": "more"}),
    "other bits each time": (_changed(Unsteady()), None, {"data": "normal"}),
    "budget ignored": (None, boundless, {"budget": "less"}),
}
# Beyond the last byte lies a page that faults: the worker dies.
DEADLY = {
    "a byte past the output, fenced": (_changed(past_the_end), None, {"out": "plain", "at_end": True}),
    "a byte past the workspace, fenced": (
        _changed(past_the_workspace),
        None,
        {"workspace": "exact", "at_end": True},
    ),
}

# What an operator has no way to show: it lacks the keyword, or its plan takes no budget from the fuzzer.
SUMS = "conv2d_backward_bias", "conv1d_backward_bias"
SIGNALS = "conv1d_backward_input", "conv1d_backward_weight"
GRADIENTS = "conv2d_backward_input", "conv2d_backward_weight", *SIGNALS, *SUMS
LACKING = {
    "bias forgotten": GRADIENTS,
    "residual forgotten": ("partial_conv2d", "conv_transpose2d", *GRADIENTS),
    "activation forgotten": GRADIENTS,
    "dilation forgotten": ("pointwise_conv2d", *SUMS),
    "a byte past the workspace": ("partial_conv2d", *SIGNALS, *SUMS),
    "workspace trusted": ("partial_conv2d", *SIGNALS, *SUMS),
    "budget ignored": ("partial_conv2d", *SIGNALS, *SUMS),
}


class _Proxy:
    """A plan whose calls go through a fault."""

    def __init__(self, plan, fault):
        self._plan, self._fault = plan, fault

    def __getattr__(self, name):
        return getattr(self._plan, name)

    def __call__(self, *args, **keywords):
        return self._fault(self._plan, args, keywords)


@contextlib.contextmanager
def planted(name):
    """The package as the fuzzer sees it, with one fault."""
    call_fault, make_fault, _ = {**MUTATIONS, **DEADLY}[name]
    real = operators.pyconv
    faulty = types.SimpleNamespace(
        **{key: getattr(real, key) for key in dir(real) if not key.startswith("__")}
    )

    def wrap_call(function):
        return lambda *args, **keywords: call_fault(function, args, keywords)

    def wrap_maker(function):
        def make(*args, **keywords):
            plan = make_fault(function, args, keywords) if make_fault else function(*args, **keywords)
            return _Proxy(plan, call_fault) if call_fault else plan

        return make

    for key in FUNCTIONS:
        if call_fault:
            setattr(faulty, key, wrap_call(getattr(real, key)))
    for key in MAKERS:
        setattr(faulty, key, wrap_maker(getattr(real, key)))
    operators.pyconv = faulty
    try:
        yield
    finally:
        operators.pyconv = real


def fixed(name, op):
    """Keys of the problems in which an operator would show the fault; None if it can't."""
    if op in LACKING.get(name, ()):
        return None
    keys = {**MUTATIONS, **DEADLY}[name][2]
    return {
        "op": op,
        "algorithm": "auto",
        "x_dtype": None,
        "out_dtype": None,
        **keys,
        "via": "plan" if name == "budget ignored" and op == "conv2d" else "call",
    }
