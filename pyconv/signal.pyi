# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]

_Array = np.ndarray[Any, np.dtype[Any]]
_Mode = Literal["full", "valid", "same"]
_Method = Literal["auto", "direct", "fft"]
_Boundary = Literal["fill", "pad", "wrap", "circular", "symm", "symmetric"]

def convolve(in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", method: _Method = "auto") -> _Array: ...
def correlate(in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", method: _Method = "auto") -> _Array: ...
def fftconvolve(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", axes: int | Sequence[int] | None = None
) -> _Array: ...
def oaconvolve(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", axes: int | Sequence[int] | None = None
) -> _Array: ...
def convolve2d(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", boundary: _Boundary = "fill", fillvalue: complex = 0
) -> _Array: ...
def correlate2d(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", boundary: _Boundary = "fill", fillvalue: complex = 0
) -> _Array: ...
def __getattr__(name: str) -> Any: ...
