# SPDX-License-Identifier: BSD-3-Clause
"""ONNX's backend interface: convolutions by pyconv, the rest by onnxruntime, or ONNX's own evaluator."""

import numpy as np
from onnx.backend.base import Backend as _Backend
from onnx.backend.base import BackendRep, Device, DeviceType
from onnx.reference import ReferenceEvaluator

from .operators import ops
from .session import InferenceSession


class Session(InferenceSession):
    """Whose convolutions are all pyconv's, those of integers and of weights that are fed among them."""

    _by_hand = True


class Prepared(BackendRep):
    """A model made ready: ``run(inputs)`` takes arrays in the order of the graph's inputs, or by name."""

    def __init__(self, model):
        try:
            self._session = Session(model)
            self._names = [value.name for value in self._session.get_inputs()]
        except ValueError:  # onnxruntime has not all of ONNX's operators
            self._session = ReferenceEvaluator(model, new_ops=ops)
            self._names = self._session.input_names

    def run(self, inputs, **keywords):
        if isinstance(inputs, np.ndarray):
            inputs = (inputs,)
        if not isinstance(inputs, dict):
            if len(inputs) > len(self._names):
                known = ", ".join(self._names)
                raise ValueError(f"there are {len(inputs)} arrays for the inputs {known}")
            inputs = dict(zip(self._names, inputs, strict=False))
        return tuple(self._session.run(None, inputs))


class Backend(_Backend):
    """For `onnx.backend.test.BackendTest`, and for whoever takes a backend."""

    @classmethod
    def prepare(cls, model, device="CPU", **keywords):
        """A `Prepared` of the model, checked."""
        _demand_cpu(device)
        super().prepare(model, device, **keywords)
        return Prepared(model)

    @classmethod
    def run_node(cls, node, inputs, device="CPU", outputs_info=None, **keywords):
        """The outputs of one node for these arrays; ``opset_version`` is that of the node."""
        _demand_cpu(device)
        super().run_node(node, inputs, device, outputs_info, **keywords)
        versions = {node.domain: keywords["opset_version"]} if "opset_version" in keywords else None
        evaluator = ReferenceEvaluator(node, new_ops=ops, opsets=versions)
        named = dict(zip((name for name in node.input if name), inputs, strict=True))
        return tuple(evaluator.run(None, named))

    @classmethod
    def supports_device(cls, device):
        """Whether it is the CPU."""
        try:
            return Device(device).type == DeviceType.CPU
        except (AttributeError, ValueError):
            return False


def _demand_cpu(device):
    if not Backend.supports_device(device):
        raise ValueError(f"pyconv runs on the CPU, not on device {device!r}")


prepare = Backend.prepare
run_model = Backend.run_model
run_node = Backend.run_node
supports_device = Backend.supports_device
