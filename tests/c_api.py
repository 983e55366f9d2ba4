# SPDX-License-Identifier: BSD-3-Clause
"""The C-level API through ctypes, by the addresses that `pyconv.c_functions` gives."""

import ctypes
import json
from ctypes import POINTER, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

import pyconv

# Recorded by test_abi.py, which checks them against the headers installed.
RECORDS = Path(__file__).parent.glob("abi_*.json")
C = json.loads(max(RECORDS, key=lambda path: int(path.stem[4:])).read_text())["constants"]
STATUS = {
    value: name.removeprefix("PYCONV_STATUS_")
    for name, value in C.items()
    if name.startswith("PYCONV_STATUS_")
}
INTS = ["dtype", "layout", "padding_mode", "accuracy", "algorithm", "threads"]
SIZES = [
    "n",
    "g",
    "ic",
    "ih",
    "iw",
    "oc",
    "icg",
    "kh",
    "kw",
    "sh",
    "sw",
    "dh",
    "dw",
    "ph0",
    "ph1",
    "pw0",
    "pw1",
]


class Conv2d(ctypes.Structure):
    """pyconv_conv2d_t, with the defaults of pyconv_conv2d_init()."""

    _fields_ = [
        ("struct_size", c_size_t),
        *((name, c_int32) for name in INTS),
        *((name, c_int64) for name in SIZES),
        ("lo", c_double),
        ("hi", c_double),
        ("max_workspace", c_int64),
        ("x_dtype", c_int32),
        ("y_dtype", c_int32),
        ("border", c_double),
    ]

    def __init__(self, **fields):
        defaults = dict.fromkeys(("n", "g", "sh", "sw", "dh", "dw"), 1)
        defaults |= {"struct_size": ctypes.sizeof(self), "accuracy": C["PYCONV_STANDARD"], "algorithm": -1}
        defaults |= {"lo": -np.inf, "hi": np.inf, "max_workspace": -1, "x_dtype": -1, "y_dtype": -1}
        super().__init__(**defaults | fields)


def _function(name, result, *arguments):
    return ctypes.CFUNCTYPE(result, *arguments)(pyconv.c_functions()["pyconv_" + name])


_PLAN = [c_void_p, c_void_p, c_void_p, POINTER(c_void_p)]
status_text = _function("status_text", c_char_p, c_int)
algorithm = _function("algorithm", c_int, c_char_p)
status_message = _function("status_message", c_size_t, c_int, c_void_p, c_char_p, c_size_t)
plan_create = _function("plan_create", c_int, *_PLAN)
plan_create_f64 = _function("plan_create_f64", c_int, *_PLAN)
plan_destroy = _function("plan_destroy", None, c_void_p)
plan_algorithm = _function("plan_algorithm", c_char_p, c_void_p)
plan_workspace_bytes = _function("plan_workspace_bytes", c_size_t, c_void_p)
plan_packed_bytes = _function("plan_packed_bytes", c_size_t, c_void_p)
plan_output_size = _function("plan_output_size", c_int, c_void_p, POINTER(c_int64), POINTER(c_int64))
plan_run = _function("plan_run", c_int, *[c_void_p] * 4)
plan_run_f64 = _function("plan_run_f64", c_int, *[c_void_p] * 4)
plan_run_residual = _function("plan_run_residual", c_int, *[c_void_p] * 5)
plan_run_residual_f64 = _function("plan_run_residual_f64", c_int, *[c_void_p] * 5)
plan_run_elements = _function("plan_run_elements", c_int, *[c_void_p] * 5)

ELEMENTS = {
    "float32": "F32", "float64": "F64", "float16": "F16", "uint8": "U8", "int8": "I8", "uint16": "U16",
    "int16": "I16", "bfloat16": "BF16",
}  # fmt: skip


def code(dtype):
    """The pyconv_element of a NumPy dtype."""
    return C["PYCONV_" + ELEMENTS[np.dtype(dtype).name]]


def pointer(a):
    """To an array's data; None is NULL."""
    return None if a is None else a.ctypes.data


def create(d, weight, bias=None):
    """(status, plan) by the function of the weight's dtype; a refusal must clear the garbage in `plan`."""
    plan = c_void_p(0xBAD)
    make = plan_create_f64 if weight is not None and weight.dtype == np.float64 else plan_create
    status = make(None if d is None else ctypes.addressof(d), pointer(weight), pointer(bias), plan)
    return STATUS[status], plan.value


def message(status, d):
    """What pyconv_status_message() writes about a status by name."""
    text = ctypes.create_string_buffer(400)
    d = None if d is None else ctypes.addressof(d)
    assert status_message(C["PYCONV_STATUS_" + status], d, text, len(text)) == len(text.value)
    return text.value.decode()


def run(plan, x, y, workspace=None, residual=None):
    """The status, by the function of x's dtype; without `residual`, by the one that has none."""
    arrays = [pointer(a) for a in (x, y, workspace)]
    double = x.dtype == np.float64
    if residual is None:
        return STATUS[(plan_run_f64 if double else plan_run)(plan, *arrays)]
    arrays.insert(1, pointer(residual))
    return STATUS[(plan_run_residual_f64 if double else plan_run_residual)(plan, *arrays)]


def run_elements(plan, x, y, workspace=None, residual=None):
    """The status of a run with arrays of any element types."""
    return STATUS[plan_run_elements(plan, *(pointer(a) for a in (x, residual, y, workspace)))]
