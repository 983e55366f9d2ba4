# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, TypedDict, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from typing_extensions import Unpack

from . import cost as cost

__version__: str

_Pair = int | Sequence[int]
_Padding = int | Sequence[int] | Sequence[Sequence[int]] | Literal["valid", "same", "same_lower", "full"]
_Layout = Literal["NCHW", "NHWC"]
_PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
_Activation = None | Literal["relu", "relu6"] | tuple[Literal["clip"], float, float]
_Accuracy = Literal["strict", "standard", "fast"]

class _Limits(TypedDict, total=False):
    algorithm: str
    max_workspace: int | str | None
    accuracy: _Accuracy | None
    threads: int | None

class _Rest1d(_Limits, total=False):
    groups: int
    padding_mode: _PaddingMode
    activation: _Activation
    workspace: Any

class _RestDepthwise(_Limits, total=False):
    stride: _Pair
    padding: _Padding
    dilation: _Pair
    padding_mode: _PaddingMode
    activation: _Activation
    residual: ArrayLike | None
    out: NDArray[Any] | None
    workspace: Any

class _RestPointwise(_RestDepthwise, total=False):
    groups: int
    layout: _Layout

class _RestPartial(_Limits, total=False):
    activation: _Activation

class UnsupportedError(ValueError): ...

class Plan:
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    @property
    def algorithm(self) -> str: ...
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def packed_bytes(self) -> int: ...
    @property
    def multiplications(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def accuracy(self) -> _Accuracy: ...
    @property
    def address(self) -> int: ...
    def __call__(
        self,
        x: ArrayLike,
        out: NDArray[Any] | None = None,
        workspace: Any = None,
        residual: ArrayLike | None = None,
    ) -> NDArray[Any]: ...
    def new_workspace(self) -> NDArray[np.uint8]: ...

def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None,
    residual: ArrayLike | None = None,
    algorithm: str = "auto",
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
    out: NDArray[Any] | None = None,
    workspace: Any = None,
) -> NDArray[Any]: ...
def plan(
    x_shape: Sequence[int],
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None,
    algorithm: str = "auto",
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
) -> Plan: ...

class TransposedPlan:
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    workspace_bytes: int
    packed_bytes: int
    multiplications: int
    def __call__(
        self, x: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None
    ) -> NDArray[Any]: ...
    def new_workspace(self) -> NDArray[np.uint8]: ...

class SeparablePlan:
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fused: bool
    workspace_bytes: int
    packed_bytes: int
    multiplications: int
    def __call__(
        self,
        x: ArrayLike,
        out: NDArray[Any] | None = None,
        workspace: Any = None,
        residual: ArrayLike | None = None,
    ) -> NDArray[Any]: ...
    def new_workspace(self) -> NDArray[np.uint8]: ...

def separable_conv2d(
    x: ArrayLike,
    depthwise_weight: ArrayLike,
    pointwise_weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    depthwise_bias: ArrayLike | None = None,
    depthwise_activation: _Activation = None,
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
    layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None,
    residual: ArrayLike | None = None,
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
    out: NDArray[Any] | None = None,
    workspace: Any = None,
) -> NDArray[Any]: ...
def plan_separable_conv2d(
    x_shape: Sequence[int],
    depthwise_weight: ArrayLike,
    pointwise_weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    depthwise_bias: ArrayLike | None = None,
    depthwise_activation: _Activation = None,
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
    layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros",
    activation: _Activation = None,
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
) -> SeparablePlan: ...

class WeightGradientPlan:
    x_shape: tuple[int, ...]
    dy_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def multiplications(self) -> int: ...
    def __call__(
        self, x: ArrayLike, dy: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None
    ) -> NDArray[Any]: ...
    def new_workspace(self) -> NDArray[np.uint8]: ...

def conv2d_backward_weight(
    x: ArrayLike,
    weight_shape: Sequence[int],
    dy: ArrayLike,
    *,
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    max_workspace: int | str | None = None,
    threads: int | None = None,
    out: NDArray[Any] | None = None,
    workspace: Any = None,
) -> NDArray[Any]: ...
def plan_conv2d_backward_weight(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    *,
    dtype: DTypeLike = "float32",
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    max_workspace: int | str | None = None,
    threads: int | None = None,
) -> WeightGradientPlan: ...
def conv_transpose2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: _Pair = 1,
    padding: _Padding = 0,
    output_padding: _Pair = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    activation: _Activation = None,
    algorithm: str = "auto",
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
    out: NDArray[Any] | None = None,
    workspace: Any = None,
) -> NDArray[Any]: ...
def plan_conv_transpose2d(
    x_shape: Sequence[int],
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: _Pair = 1,
    padding: _Padding = 0,
    output_padding: _Pair = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    activation: _Activation = None,
    algorithm: str = "auto",
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
) -> TransposedPlan: ...
def conv2d_backward_input(
    x_shape: Sequence[int],
    weight: ArrayLike,
    dy: ArrayLike,
    *,
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    algorithm: str = "auto",
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
    out: NDArray[Any] | None = None,
    workspace: Any = None,
) -> NDArray[Any]: ...
def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | Literal["valid", "same", "same_lower", "full"] = 0,
    dilation: int | Sequence[int] = 1,
    layout: Literal["NCL", "NLC"] = "NCL",
    residual: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
    **keywords: Unpack[_Rest1d],
) -> NDArray[Any]: ...
def depthwise_conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    layout: _Layout = "NCHW",
    **keywords: Unpack[_RestDepthwise],
) -> NDArray[Any]: ...
def pointwise_conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, **keywords: Unpack[_RestPointwise]
) -> NDArray[Any]: ...
def partial_conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    padding: _Padding = "same",
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros",
    out: NDArray[Any] | None = None,
    **keywords: Unpack[_RestPartial],
) -> NDArray[Any]: ...

class Report:
    title: str
    rows: list[dict[str, Any]]

def explain(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    *,
    dtype: DTypeLike = "float32",
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    layout: _Layout = "NCHW",
    padding_mode: _PaddingMode = "zeros",
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
    measure: bool = False,
) -> Report: ...

class FactorizedPlan:
    vertical: Plan
    horizontal: Plan
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    workspace_bytes: int
    packed_bytes: int
    multiplications: int
    original_multiplications: int
    def __call__(
        self,
        x: ArrayLike,
        out: NDArray[Any] | None = None,
        workspace: Any = None,
        residual: ArrayLike | None = None,
    ) -> NDArray[Any]: ...
    def new_workspace(self) -> NDArray[np.uint8]: ...

class Factorization:
    vertical: NDArray[Any]
    horizontal: NDArray[Any]
    groups: int
    horizontal_groups: int
    rank: int
    shape: tuple[int, int, int, int]
    error: float
    parameters: int
    original_parameters: int
    def weight(self) -> NDArray[np.float64]: ...
    def plan(
        self,
        x_shape: Sequence[int],
        bias: ArrayLike | None = None,
        *,
        stride: _Pair = 1,
        padding: _Padding = 0,
        dilation: _Pair = 1,
        layout: _Layout = "NCHW",
        padding_mode: _PaddingMode = "zeros",
        activation: _Activation = None,
        max_workspace: int | str | None = None,
        accuracy: _Accuracy | None = None,
        threads: int | None = None,
    ) -> FactorizedPlan: ...

def factorize(weight: ArrayLike, rank: int | None = None, *, groups: int = 1) -> Factorization: ...
def algorithms() -> list[str]: ...
def c_functions() -> dict[str, int]: ...
def config(
    *, threads: int | None = ..., max_workspace: int | str | None = ..., accuracy: _Accuracy = ...
) -> AbstractContextManager[None]: ...
@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def get_include() -> str: ...
