# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "laplace",
    "prewitt",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
]

_Output = NDArray[Any] | DTypeLike | None
_Array = np.ndarray[Any, np.dtype[Any]]
_Words = str | Sequence[str]
_Ints = int | Sequence[int]
_Floats = float | Sequence[float]

def correlate1d(
    input: ArrayLike,
    weights: ArrayLike,
    axis: int = -1,
    output: _Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> _Array: ...
def convolve1d(
    input: ArrayLike,
    weights: ArrayLike,
    axis: int = -1,
    output: _Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> _Array: ...
def correlate(
    input: ArrayLike,
    weights: ArrayLike,
    output: _Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: _Ints = 0,
    *,
    axes: _Ints | None = None,
) -> _Array: ...
def convolve(
    input: ArrayLike,
    weights: ArrayLike,
    output: _Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: _Ints = 0,
    *,
    axes: _Ints | None = None,
) -> _Array: ...
def gaussian_filter1d(
    input: ArrayLike,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    output: _Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> _Array: ...
def gaussian_filter(
    input: ArrayLike,
    sigma: _Floats,
    order: _Ints = 0,
    output: _Output = None,
    mode: _Words = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: _Ints | None = None,
    axes: _Ints | None = None,
) -> _Array: ...
def uniform_filter1d(
    input: ArrayLike,
    size: int,
    axis: int = -1,
    output: _Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> _Array: ...
def uniform_filter(
    input: ArrayLike,
    size: _Ints = 3,
    output: _Output = None,
    mode: _Words = "reflect",
    cval: float = 0.0,
    origin: _Ints = 0,
    *,
    axes: _Ints | None = None,
) -> _Array: ...
def prewitt(
    input: ArrayLike, axis: int = -1, output: _Output = None, mode: _Words = "reflect", cval: float = 0.0
) -> _Array: ...
def sobel(
    input: ArrayLike, axis: int = -1, output: _Output = None, mode: _Words = "reflect", cval: float = 0.0
) -> _Array: ...
def laplace(
    input: ArrayLike,
    output: _Output = None,
    mode: _Words = "reflect",
    cval: float = 0.0,
    *,
    axes: _Ints | None = None,
) -> _Array: ...
def gaussian_laplace(
    input: ArrayLike,
    sigma: _Floats,
    output: _Output = None,
    mode: _Words = "reflect",
    cval: float = 0.0,
    *,
    axes: _Ints | None = None,
    **kwargs: Any,
) -> _Array: ...
def gaussian_gradient_magnitude(
    input: ArrayLike,
    sigma: _Floats,
    output: _Output = None,
    mode: _Words = "reflect",
    cval: float = 0.0,
    *,
    axes: _Ints | None = None,
    **kwargs: Any,
) -> _Array: ...
def __getattr__(name: str) -> Any: ...
