# SPDX-License-Identifier: BSD-3-Clause
"""What images and results may be made of, and how results are rounded to it; for the tests and the fuzzer."""

import numpy as np

try:
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = None

ELEMENTS = ("float32", "float64", "float16", "uint8", "int8", "uint16", "int16", "bfloat16")
AVAILABLE = ELEMENTS if bfloat16 else ELEMENTS[:-1]


def computing(weight):
    """The type that weights of this one are computed in."""
    return np.dtype("float64" if np.dtype(weight) == np.float64 else "float32")


def to_odd(values):
    """float64 as float32; between two, the one whose last bit is 1, so that another rounding is right."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    beyond = np.abs(near.astype(np.float64)) > np.abs(values)
    near = np.where(beyond, np.nextafter(near, np.float32(0)), near)
    return (near.view(np.uint32) | (near.astype(np.float64) != values)).view(np.float32)


def as_element(values, dtype):
    """float64 as results of a type are made: rounded once, half to even; integers saturated, NaN as 0."""
    values, dtype = np.asarray(values, np.float64), np.dtype(dtype)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        return np.clip(np.rint(np.nan_to_num(values)), ends.min, ends.max).astype(dtype)
    with np.errstate(over="ignore"):
        return (to_odd(values) if dtype.name == "bfloat16" else values).astype(dtype)
