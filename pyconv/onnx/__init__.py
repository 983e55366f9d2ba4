# SPDX-License-Identifier: BSD-3-Clause
"""Networks in ONNX's format by pyconv; a backend, and operators for ONNX's reference evaluator."""

from importlib import import_module as _import_module

for _package in ("onnx", "onnxruntime"):
    try:
        _import_module(_package)
    except ImportError as error:
        raise ImportError(
            f"pyconv.onnx needs the package {_package} ({error}): pip install 'pyconv[onnx]'"
        ) from error

from .backend import Backend, prepare, run_model, run_node, supports_device  # noqa: E402
from .operators import ops  # noqa: E402
from .session import InferenceSession  # noqa: E402

__all__ = ["Backend", "InferenceSession", "ops", "prepare", "run_model", "run_node", "supports_device"]
