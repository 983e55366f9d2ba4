# SPDX-License-Identifier: BSD-3-Clause
"""Fast convolution on the CPU for NumPy arrays. Start with `conv2d` and `plan`."""

from importlib import import_module as _import_module
from importlib.metadata import version as _version

try:
    from . import _kernels
except ModuleNotFoundError as error:
    raise ImportError(
        "pyconv's extension is not built here. This is probably the source folder: "
        "run `pip install .` and start Python from another folder."
    ) from error

from . import _quota, cost
from ._api import algorithms, conv2d, plan
from ._config import config
from ._explain import Report, explain
from ._layers import Conv1d, Conv2d, Conv3d
from ._report import get_include, show_config
from .operators.depthwise import depthwise_conv2d
from .operators.factorize import Factorization, FactorizedPlan, factorize
from .operators.gradients import (
    conv2d_backward_bias,
    conv2d_backward_input,
    conv2d_backward_weight,
    plan_conv2d_backward_input,
    plan_conv2d_backward_weight,
)
from .operators.one_axis import conv1d
from .operators.one_axis_gradients import conv1d_backward_bias, conv1d_backward_input, conv1d_backward_weight
from .operators.partial import partial_conv2d
from .operators.phases import TransposedPlan
from .operators.pointwise import pointwise_conv2d
from .operators.separable import SeparablePlan, plan_separable_conv2d, separable_conv2d
from .operators.transpose import conv_transpose2d, plan_conv_transpose2d
from .operators.transpose_one_axis import conv_transpose1d
from .volumes.convolve import conv3d, plan_conv3d
from .volumes.gradients import conv3d_backward_input, conv3d_backward_weight
from .volumes.plans import VolumePlan
from .volumes.transpose import conv_transpose3d

_kernels.set_cpu_quota(_quota.whole_cpus())

Plan = _kernels.Plan
c_functions = _kernels.c_functions
WeightGradientPlan = _kernels.WeightGradientPlan
UnsupportedError = _kernels.UnsupportedError
UnsupportedError.__module__ = "pyconv"


def __getattr__(name):
    """`pyconv.ndimage` and `pyconv.signal` import SciPy's modules, so they wait until they are used."""
    if name in ("ndimage", "signal"):
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = _version("pyconv")
__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "Factorization",
    "FactorizedPlan",
    "Plan",
    "Report",
    "SeparablePlan",
    "TransposedPlan",
    "UnsupportedError",
    "VolumePlan",
    "WeightGradientPlan",
    "algorithms",
    "c_functions",
    "config",
    "conv1d",
    "conv1d_backward_bias",
    "conv1d_backward_input",
    "conv1d_backward_weight",
    "conv2d",
    "conv2d_backward_bias",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv3d",
    "conv3d_backward_input",
    "conv3d_backward_weight",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cost",
    "depthwise_conv2d",
    "explain",
    "factorize",
    "get_include",
    "partial_conv2d",
    "plan",
    "plan_conv2d_backward_input",
    "plan_conv2d_backward_weight",
    "plan_conv3d",
    "plan_conv_transpose2d",
    "plan_separable_conv2d",
    "pointwise_conv2d",
    "separable_conv2d",
    "show_config",
]
