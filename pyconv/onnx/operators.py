# SPDX-License-Identifier: BSD-3-Clause
"""ONNX's convolutions as classes for its reference evaluator, `ops`, and as functions by name."""

from onnx.reference.op_run import OpRun

from . import nodes
from .deformable import deform_conv

FUNCTIONS = {
    "Conv": nodes.conv,
    "ConvTranspose": nodes.conv_transpose,
    "ConvInteger": nodes.conv_integer,
    "QLinearConv": nodes.qlinear_conv,
    "CausalConvWithState": nodes.causal_conv_with_state,
    "DeformConv": deform_conv,
}


def _operator(name, function):
    """A class of that name, which is how the evaluator finds it."""

    def _run(self, *inputs, **attributes):
        y = function(*inputs, **attributes)
        return y if isinstance(y, tuple) else (y,)

    return type(name, (OpRun,), {"_run": _run, "__doc__": f"{name} by pyconv.", "op_domain": ""})


ops = [_operator(name, function) for name, function in FUNCTIONS.items()]
