# SPDX-License-Identifier: BSD-3-Clause
"""ONNX's backend interface: convolutions by pyconv, all other operators by ONNX's reference evaluator."""

import numpy as np
from onnx.backend.base import Backend as _Backend
from onnx.backend.base import BackendRep, Device, DeviceType
from onnx.reference import ReferenceEvaluator

from .operators import ops


class Prepared(BackendRep):
    """A model made ready: ``run(inputs)`` takes arrays in the order of the graph's inputs, or by name."""

    def __init__(self, model):
        self._evaluator = ReferenceEvaluator(model, new_ops=ops)

    def run(self, inputs, **keywords):
        names = self._evaluator.input_names
        if isinstance(inputs, np.ndarray):
            inputs = (inputs,)
        if not isinstance(inputs, dict):
            if len(inputs) > len(names):
                raise ValueError(
                    f"the model has {len(names)} inputs, {', '.join(names)}: {len(inputs)} were given"
                )
            inputs = dict(zip(names, inputs, strict=False))
        return tuple(self._evaluator.run(None, inputs))


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
