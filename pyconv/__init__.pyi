# SPDX-License-Identifier: BSD-3-Clause
# A result is of out_dtype, else of the dtype of the weight; of what is converted first that is not known.
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Literal, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import cost as cost
from . import ndimage as ndimage
from . import signal as signal

__version__: str

_F = TypeVar("_F", np.float16, np.float32, np.float64)
_E = TypeVar("_E", bound=np.generic)
_OutDType = type[_E] | np.dtype[_E]
_Pair = int | Sequence[int]
_PaddingWord = Literal["valid", "same", "same_lower", "full"]
_Padding = int | Sequence[int] | Sequence[Sequence[int]] | _PaddingWord
_Layout = Literal["NCHW", "NHWC"]
_VolumeLayout = Literal["NCDHW", "NDHWC"]
_One = int | Sequence[int]
_Ends = int | Sequence[int] | _PaddingWord
_Layout1D = Literal["NCL", "NLC"]
_PaddingMode = (
    Literal[
        "zeros",
        "reflect",
        "replicate",
        "circular",
        "symmetric",
        "edge",
        "nearest",
        "wrap",
        "mirror",
        "reflect_101",
    ]
    | tuple[Literal["constant"], float]
)
_Activation = None | Literal["relu", "relu6"] | tuple[Literal["clip"], float, float]
_Accuracy = Literal["strict", "standard", "fast"]

# fmt: off
__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "Factorization", "FactorizedPlan", "Plan", "Report", "SeparablePlan",
    "TransposedPlan", "UnsupportedError", "VolumePlan", "WeightGradientPlan", "algorithms", "c_functions",
    "config", "conv1d", "conv1d_backward_bias", "conv1d_backward_input", "conv1d_backward_weight",
    "conv2d", "conv2d_backward_bias", "conv2d_backward_input", "conv2d_backward_weight", "conv3d",
    "conv3d_backward_input", "conv3d_backward_weight", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "cost", "depthwise_conv2d", "explain", "factorize", "get_include",
    "partial_conv2d", "plan", "plan_conv2d_backward_input", "plan_conv2d_backward_weight", "plan_conv3d",
    "plan_conv_transpose2d", "plan_separable_conv2d", "pointwise_conv2d", "separable_conv2d",
    "show_config",
]

class UnsupportedError(ValueError): ...

class _Plan(Generic[_E]):
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def weight_dtype(self) -> np.dtype[Any]: ...
    @property
    def out_dtype(self) -> np.dtype[_E]: ...
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def packed_bytes(self) -> int: ...
    @property
    def multiplications(self) -> int: ...
    def new_workspace(self) -> NDArray[np.uint8]: ...

class _Layer:
    @property
    def weight(self) -> NDArray[Any]: ...
    @property
    def bias(self) -> NDArray[Any] | None: ...
    @property
    def keywords(self) -> dict[str, Any]: ...
    def __init__(
        self, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1, padding: Any = 0,
        dilation: _Pair = 1, groups: int = 1, layout: str | None = None, padding_mode: _PaddingMode = "zeros",
        activation: _Activation = None, algorithm: str = "auto", max_workspace: int | str | None = None,
        accuracy: _Accuracy | None = None, threads: int | None = None, out_dtype: DTypeLike | None = None,
        plans: int = 4,
    ) -> None: ...
    def __call__(
        self, x: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None,
        residual: ArrayLike | None = None,
    ) -> NDArray[Any]: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

class Conv1d(_Layer):
    def plan(self, x_shape: Sequence[int], dtype: DTypeLike | None = None) -> Plan[Any]: ...

class Conv2d(_Layer):
    def plan(self, x_shape: Sequence[int], dtype: DTypeLike | None = None) -> Plan[Any]: ...

class Conv3d(_Layer):
    def plan(self, x_shape: Sequence[int], dtype: DTypeLike | None = None) -> VolumePlan[Any]: ...

class Plan(_Plan[_E]):
    @property
    def algorithm(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def passes(self) -> int: ...
    @property
    def accuracy(self) -> _Accuracy: ...
    @property
    def address(self) -> int: ...
    def __call__(
        self, x: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None,
        residual: ArrayLike | None = None,
    ) -> NDArray[_E]: ...

@overload
def conv2d(
    x: ArrayLike, weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...
@overload
def plan(
    x_shape: Sequence[int], weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: None = None,
) -> Plan[_F]: ...
@overload
def plan(
    x_shape: Sequence[int], weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: _OutDType[_E],
) -> Plan[_E]: ...
@overload
def plan(
    x_shape: Sequence[int], weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: DTypeLike | None = None,
) -> Plan[Any]: ...

class TransposedPlan(_Plan[_E]):
    def __call__(
        self, x: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None,
    ) -> NDArray[_E]: ...

@overload
def plan_conv_transpose2d(
    x_shape: Sequence[int], weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _Layout = "NCHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: None = None,
) -> TransposedPlan[_F]: ...
@overload
def plan_conv_transpose2d(
    x_shape: Sequence[int], weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _Layout = "NCHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: _OutDType[_E],
) -> TransposedPlan[_E]: ...
@overload
def plan_conv_transpose2d(
    x_shape: Sequence[int], weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _Layout = "NCHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: DTypeLike | None = None,
) -> TransposedPlan[Any]: ...
@overload
def conv_transpose2d(
    x: ArrayLike, weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _Layout = "NCHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def conv_transpose2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _Layout = "NCHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def conv_transpose2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _Layout = "NCHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...
@overload
def conv2d_backward_input(
    x_shape: Sequence[int], weight: NDArray[_F], dy: ArrayLike, *, stride: _Pair = 1, padding: _Padding = 0,
    dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros",
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[_F]: ...
@overload
def conv2d_backward_input(
    x_shape: Sequence[int], weight: ArrayLike, dy: ArrayLike, *, stride: _Pair = 1, padding: _Padding = 0,
    dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros",
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[Any]: ...
@overload
def plan_conv2d_backward_input(
    x_shape: Sequence[int], weight: NDArray[_F], *, dtype: DTypeLike | None = None,
    stride: _Pair = 1, padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None,
) -> TransposedPlan[_F]: ...
@overload
def plan_conv2d_backward_input(
    x_shape: Sequence[int], weight: ArrayLike, *, dtype: DTypeLike | None = None,
    stride: _Pair = 1, padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None,
) -> TransposedPlan[Any]: ...

class WeightGradientPlan(Generic[_F]):
    @property
    def x_shape(self) -> tuple[int, ...]: ...
    @property
    def dy_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[_F]: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def accuracy(self) -> str: ...
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def multiplications(self) -> int: ...
    def __call__(
        self, x: ArrayLike, dy: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None,
    ) -> NDArray[_F]: ...
    def new_workspace(self) -> NDArray[np.uint8]: ...

@overload
def plan_conv2d_backward_weight(
    x_shape: Sequence[int], weight_shape: Sequence[int], *, dtype: Literal["float32"] = "float32",
    stride: _Pair = 1, padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None,
) -> WeightGradientPlan[np.float32]: ...
@overload
def plan_conv2d_backward_weight(
    x_shape: Sequence[int], weight_shape: Sequence[int], *, dtype: type[_F] | np.dtype[_F],
    stride: _Pair = 1, padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None,
) -> WeightGradientPlan[_F]: ...
@overload
def plan_conv2d_backward_weight(
    x_shape: Sequence[int], weight_shape: Sequence[int], *, dtype: DTypeLike,
    stride: _Pair = 1, padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None,
) -> WeightGradientPlan[Any]: ...
@overload
def conv2d_backward_weight(
    x: NDArray[_F], weight_shape: Sequence[int], dy: ArrayLike, *, stride: _Pair = 1, padding: _Padding = 0,
    dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros",
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[_F]: ...
@overload
def conv2d_backward_weight(
    x: ArrayLike, weight_shape: Sequence[int], dy: ArrayLike, *, stride: _Pair = 1, padding: _Padding = 0,
    dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros",
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[Any]: ...
@overload
def conv2d_backward_bias(
    dy: NDArray[_F], *, layout: _Layout = "NCHW", threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[_F]: ...
@overload
def conv2d_backward_bias(
    dy: ArrayLike, *, layout: _Layout = "NCHW", threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]: ...

@overload
def conv1d_backward_input(
    x_shape: Sequence[int], weight: NDArray[_F], dy: ArrayLike, *, stride: _One = 1, padding: _Ends = 0,
    dilation: _One = 1, groups: int = 1, layout: _Layout1D = "NCL", padding_mode: _PaddingMode = "zeros",
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[_F]: ...
@overload
def conv1d_backward_input(
    x_shape: Sequence[int], weight: ArrayLike, dy: ArrayLike, *, stride: _One = 1, padding: _Ends = 0,
    dilation: _One = 1, groups: int = 1, layout: _Layout1D = "NCL", padding_mode: _PaddingMode = "zeros",
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[Any]: ...
@overload
def conv1d_backward_weight(
    x: NDArray[_F], weight_shape: Sequence[int], dy: ArrayLike, *, stride: _One = 1, padding: _Ends = 0,
    dilation: _One = 1, groups: int = 1, layout: _Layout1D = "NCL", padding_mode: _PaddingMode = "zeros",
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[_F]: ...
@overload
def conv1d_backward_weight(
    x: ArrayLike, weight_shape: Sequence[int], dy: ArrayLike, *, stride: _One = 1, padding: _Ends = 0,
    dilation: _One = 1, groups: int = 1, layout: _Layout1D = "NCL", padding_mode: _PaddingMode = "zeros",
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[Any]: ...
@overload
def conv1d_backward_bias(
    dy: NDArray[_F], *, layout: _Layout1D = "NCL", threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[_F]: ...
@overload
def conv1d_backward_bias(
    dy: ArrayLike, *, layout: _Layout1D = "NCL", threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]: ...

@overload
def conv1d(
    x: ArrayLike, weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _One = 1,
    padding: _Ends = 0, dilation: _One = 1, groups: int = 1,
    layout: _Layout1D = "NCL", padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None, residual: ArrayLike | None = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def conv1d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _One = 1,
    padding: _Ends = 0, dilation: _One = 1, groups: int = 1,
    layout: _Layout1D = "NCL", padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None, residual: ArrayLike | None = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def conv1d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _One = 1,
    padding: _Ends = 0, dilation: _One = 1, groups: int = 1,
    layout: _Layout1D = "NCL", padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None, residual: ArrayLike | None = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...
@overload
def depthwise_conv2d(
    x: ArrayLike, weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def depthwise_conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def depthwise_conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...
@overload
def pointwise_conv2d(
    x: ArrayLike, weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def pointwise_conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def pointwise_conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...
@overload
def partial_conv2d(
    x: NDArray[_E], weight: ArrayLike, bias: ArrayLike | None = None, *, padding: _Padding = "same",
    dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None, algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None, out: NDArray[Any] | None = None,
) -> NDArray[_E]: ...
@overload
def partial_conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, padding: _Padding = "same",
    dilation: _Pair = 1, groups: int = 1, layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None, algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None, out: NDArray[Any] | None = None,
) -> NDArray[Any]: ...
@overload
def conv_transpose1d(
    x: ArrayLike, weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | _PaddingWord = 0, output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1, groups: int = 1,
    layout: _Layout1D = "NCL", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def conv_transpose1d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | _PaddingWord = 0, output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1, groups: int = 1,
    layout: _Layout1D = "NCL", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def conv_transpose1d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | _PaddingWord = 0, output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1, groups: int = 1,
    layout: _Layout1D = "NCL", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...

class VolumePlan(_Plan[_E]):
    @property
    def algorithm(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def accuracy(self) -> _Accuracy: ...
    def __call__(
        self, x: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None,
        residual: ArrayLike | None = None,
    ) -> NDArray[_E]: ...

@overload
def conv3d(
    x: ArrayLike, weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def conv3d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def conv3d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    algorithm: str = "auto", max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
    threads: int | None = None, out: NDArray[Any] | None = None, workspace: Any = None,
    out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...
@overload
def plan_conv3d(
    x_shape: Sequence[int], weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: None = None,
) -> VolumePlan[_F]: ...
@overload
def plan_conv3d(
    x_shape: Sequence[int], weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: _OutDType[_E],
) -> VolumePlan[_E]: ...
@overload
def plan_conv3d(
    x_shape: Sequence[int], weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: DTypeLike | None = None,
) -> VolumePlan[Any]: ...
@overload
def conv_transpose3d(
    x: ArrayLike, weight: NDArray[_F], bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _VolumeLayout = "NCDHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def conv_transpose3d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _VolumeLayout = "NCDHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def conv_transpose3d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: _Pair = 1,
    padding: _Padding = 0, output_padding: _Pair = 0, dilation: _Pair = 1, groups: int = 1,
    layout: _VolumeLayout = "NCDHW", activation: _Activation = None, algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...
@overload
def conv3d_backward_input(
    x_shape: Sequence[int], weight: NDArray[_F], dy: ArrayLike, *, stride: _Pair = 1, padding: _Padding = 0,
    dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW", algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[_F]: ...
@overload
def conv3d_backward_input(
    x_shape: Sequence[int], weight: ArrayLike, dy: ArrayLike, *, stride: _Pair = 1, padding: _Padding = 0,
    dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW", algorithm: str = "auto",
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None,
) -> NDArray[Any]: ...
@overload
def conv3d_backward_weight(
    x: NDArray[_F], weight_shape: Sequence[int], dy: ArrayLike, *, stride: _Pair = 1, padding: _Padding = 0,
    dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW",
    padding_mode: _PaddingMode = "zeros", algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None, out: NDArray[Any] | None = None,
    workspace: Any = None,
) -> NDArray[_F]: ...
@overload
def conv3d_backward_weight(
    x: ArrayLike, weight_shape: Sequence[int], dy: ArrayLike, *, stride: _Pair = 1, padding: _Padding = 0,
    dilation: _Pair = 1, groups: int = 1, layout: _VolumeLayout = "NCDHW",
    padding_mode: _PaddingMode = "zeros", algorithm: str = "auto", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None, out: NDArray[Any] | None = None,
    workspace: Any = None,
) -> NDArray[Any]: ...

class SeparablePlan(_Plan[_E]):
    @property
    def fused(self) -> bool: ...
    def __call__(
        self, x: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None,
        residual: ArrayLike | None = None,
    ) -> NDArray[_E]: ...

@overload
def plan_separable_conv2d(
    x_shape: Sequence[int], depthwise_weight: NDArray[_F], pointwise_weight: ArrayLike,
    bias: ArrayLike | None = None, *, depthwise_bias: ArrayLike | None = None,
    depthwise_activation: _Activation = None, stride: _Pair = 1, padding: _Padding = 0, dilation: _Pair = 1,
    layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros", activation: _Activation = None,
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: None = None,
) -> SeparablePlan[_F]: ...
@overload
def plan_separable_conv2d(
    x_shape: Sequence[int], depthwise_weight: ArrayLike, pointwise_weight: ArrayLike,
    bias: ArrayLike | None = None, *, depthwise_bias: ArrayLike | None = None,
    depthwise_activation: _Activation = None, stride: _Pair = 1, padding: _Padding = 0, dilation: _Pair = 1,
    layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros", activation: _Activation = None,
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: _OutDType[_E],
) -> SeparablePlan[_E]: ...
@overload
def plan_separable_conv2d(
    x_shape: Sequence[int], depthwise_weight: ArrayLike, pointwise_weight: ArrayLike,
    bias: ArrayLike | None = None, *, depthwise_bias: ArrayLike | None = None,
    depthwise_activation: _Activation = None, stride: _Pair = 1, padding: _Padding = 0, dilation: _Pair = 1,
    layout: _Layout = "NCHW", padding_mode: _PaddingMode = "zeros", activation: _Activation = None,
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    dtype: DTypeLike | None = None, out_dtype: DTypeLike | None = None,
) -> SeparablePlan[Any]: ...
@overload
def separable_conv2d(
    x: ArrayLike, depthwise_weight: NDArray[_F], pointwise_weight: ArrayLike, bias: ArrayLike | None = None,
    *,
    depthwise_bias: ArrayLike | None = None, depthwise_activation: _Activation = None, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: None = None,
) -> NDArray[_F]: ...
@overload
def separable_conv2d(
    x: ArrayLike, depthwise_weight: ArrayLike, pointwise_weight: ArrayLike, bias: ArrayLike | None = None, *,
    depthwise_bias: ArrayLike | None = None, depthwise_activation: _Activation = None, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: _OutDType[_E],
) -> NDArray[_E]: ...
@overload
def separable_conv2d(
    x: ArrayLike, depthwise_weight: ArrayLike, pointwise_weight: ArrayLike, bias: ArrayLike | None = None, *,
    depthwise_bias: ArrayLike | None = None, depthwise_activation: _Activation = None, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros", activation: _Activation = None, residual: ArrayLike | None = None,
    max_workspace: int | str | None = None, accuracy: _Accuracy | None = None, threads: int | None = None,
    out: NDArray[Any] | None = None, workspace: Any = None, out_dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...

class FactorizedPlan(_Plan[_E]):
    @property
    def vertical(self) -> Plan[Any]: ...
    @property
    def horizontal(self) -> Plan[Any]: ...
    @property
    def original_multiplications(self) -> int: ...
    def __call__(
        self, x: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None,
        residual: ArrayLike | None = None,
    ) -> NDArray[_E]: ...

class Factorization(Generic[_F]):
    vertical: NDArray[_F]
    horizontal: NDArray[_F]
    groups: int
    horizontal_groups: int
    rank: int
    shape: tuple[int, int, int, int]
    error: float
    parameters: int
    original_parameters: int
    def weight(self) -> NDArray[np.float64]: ...
    @overload
    def plan(
        self, x_shape: Sequence[int], bias: ArrayLike | None = None, *, stride: _Pair = 1,
        padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
        padding_mode: _PaddingMode = "zeros", activation: _Activation = None,
        max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
        threads: int | None = None, dtype: DTypeLike | None = None,
        out_dtype: None = None,
    ) -> FactorizedPlan[_F]: ...
    @overload
    def plan(
        self, x_shape: Sequence[int], bias: ArrayLike | None = None, *, stride: _Pair = 1,
        padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
        padding_mode: _PaddingMode = "zeros", activation: _Activation = None,
        max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
        threads: int | None = None, dtype: DTypeLike | None = None,
        out_dtype: _OutDType[_E],
    ) -> FactorizedPlan[_E]: ...
    @overload
    def plan(
        self, x_shape: Sequence[int], bias: ArrayLike | None = None, *, stride: _Pair = 1,
        padding: _Padding = 0, dilation: _Pair = 1, layout: _Layout = "NCHW",
        padding_mode: _PaddingMode = "zeros", activation: _Activation = None,
        max_workspace: int | str | None = None, accuracy: _Accuracy | None = None,
        threads: int | None = None, dtype: DTypeLike | None = None,
        out_dtype: DTypeLike | None = None,
    ) -> FactorizedPlan[Any]: ...

@overload
def factorize(weight: NDArray[_F], rank: int | None = None, *, groups: int = 1) -> Factorization[_F]: ...
@overload
def factorize(weight: ArrayLike, rank: int | None = None, *, groups: int = 1) -> Factorization[Any]: ...

class Report:
    title: str
    rows: list[dict[str, Any]]
    def __init__(self, title: str, rows: list[dict[str, Any]]) -> None: ...

def explain(
    x_shape: Sequence[int], weight_shape: Sequence[int], *,
    of: Literal["forward", "input_gradient", "weight_gradient"] = "forward", dtype: DTypeLike = "float32",
    weight_dtype: DTypeLike | None = None, out_dtype: DTypeLike | None = None, stride: _Pair = 1,
    padding: _Padding = 0, dilation: _Pair = 1, groups: int = 1, layout: _Layout | _VolumeLayout = "NCHW",
    padding_mode: _PaddingMode = "zeros", max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None, threads: int | None = None, measure: bool = False,
) -> Report: ...
def config(
    *, threads: int | None = ..., max_workspace: int | str | None = ..., accuracy: _Accuracy = ...,
) -> AbstractContextManager[None]: ...
def algorithms() -> list[str]: ...
def c_functions() -> dict[str, int]: ...
@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def get_include() -> str: ...
