# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import cost as cost
from . import ndimage as ndimage
from . import signal as signal

__version__: str

_Pair = int | Sequence[int]
_Padding = int | Sequence[int] | Sequence[Sequence[int]] | Literal["valid", "same", "same_lower", "full"]
_Layout = Literal["NCHW", "NHWC"]
_PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
_Activation = None | Literal["relu", "relu6"] | tuple[Literal["clip"], float, float]
_Accuracy = Literal["strict", "standard", "fast"]

class UnsupportedError(ValueError): ...

class Plan:
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
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
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def packed_bytes(self) -> int: ...
    @property
    def multiplications(self) -> int: ...
    def __call__(
        self, x: ArrayLike, out: NDArray[Any] | None = None, workspace: Any = None
    ) -> NDArray[Any]: ...
    def new_workspace(self) -> NDArray[np.uint8]: ...

class SeparablePlan:
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def fused(self) -> bool: ...
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def packed_bytes(self) -> int: ...
    @property
    def multiplications(self) -> int: ...
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
    @property
    def x_shape(self) -> tuple[int, ...]: ...
    @property
    def dy_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
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
    groups: int = 1,
    layout: Literal["NCL", "NLC"] = "NCL",
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
def depthwise_conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: _Pair = 1,
    padding: _Padding = 0,
    dilation: _Pair = 1,
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
def pointwise_conv2d(
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
    activation: _Activation = None,
    algorithm: str = "auto",
    max_workspace: int | str | None = None,
    accuracy: _Accuracy | None = None,
    threads: int | None = None,
    out: NDArray[Any] | None = None,
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
    @property
    def vertical(self) -> Plan: ...
    @property
    def horizontal(self) -> Plan: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def packed_bytes(self) -> int: ...
    @property
    def multiplications(self) -> int: ...
    @property
    def original_multiplications(self) -> int: ...
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
