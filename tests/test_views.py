# SPDX-License-Identifier: BSD-3-Clause
"""Arrays as callers have them: views of every kind and foreign objects work and are never modified."""

import numpy as np
import pytest
from helpers import HasArray, HasDLPack, aligned, integers, plans

import pyconv

SHAPE, W_SHAPE = (2, 6, 9, 10), (4, 6, 3, 3)


def misaligned(a, offset=1):
    copy = aligned(a.nbytes, 64, offset).view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


def read_only(a):
    copy = a.copy()
    copy.flags.writeable = False
    return copy


def field_of_a_record(a):
    """Every number stands one byte past a multiple of its size."""
    records = np.zeros(a.shape, [("pad", "u1"), ("value", a.dtype)])
    records["value"] = a
    return records["value"]


class Subclass(np.ndarray):
    pass


# Each makes another array of equal value from a contiguous one of four dimensions.
VIEWS = {
    "contiguous": lambda a: a,
    "reversed rows": lambda a: a[:, :, ::-1].copy()[:, :, ::-1],
    "reversed columns": lambda a: a[..., ::-1].copy()[..., ::-1],
    "reversed all": lambda a: a[::-1, ::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1, ::-1],
    "transposed": lambda a: a.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2),
    "channels last in memory": lambda a: a.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2),
    "channels first in memory": lambda a: a.transpose(0, 3, 1, 2).copy().transpose(0, 2, 3, 1),
    "Fortran": lambda a: np.asfortranarray(a),
    "every second column": lambda a: np.repeat(a, 2, axis=3)[..., ::2],
    "every second row": lambda a: np.repeat(a, 2, axis=2)[:, :, ::2],
    "every second channel": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "every second image": lambda a: np.repeat(a, 2, axis=0)[::2],
    "crop": lambda a: np.pad(a, ((0, 0), (0, 0), (1, 2), (3, 1)), constant_values=np.nan)[:, :, 1:-2, 3:-1],
    "some channels": lambda a: np.pad(a, ((0, 0), (2, 1), (0, 0), (0, 0)), constant_values=np.nan)[:, 2:-1],
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "byte-swapped view": lambda a: np.repeat(a.astype(a.dtype.newbyteorder()), 2, axis=3)[..., ::2],
    "misaligned by 1": misaligned,
    "misaligned by 4": lambda a: misaligned(a, 4),
    "field of a record": field_of_a_record,
    "read-only": read_only,
    "subclass": lambda a: a.view(Subclass),
    "__array__": HasArray,
    "DLPack": HasDLPack,
    "memoryview": memoryview,
}  # fmt: skip
OBJECTS = ("__array__", "DLPack", "memoryview")


def value(a):
    return np.asarray(a.a if hasattr(a, "a") else a)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("view", VIEWS)
def test_view_of_x(view, layout, dtype):
    shape = SHAPE if layout == "NCHW" else (2, 9, 10, 6)
    contiguous, w = integers(shape, dtype), integers(W_SHAPE, dtype, 1)
    x = VIEWS[view](contiguous)
    before = value(x).copy()
    assert np.array_equal(before, contiguous)
    expected = pyconv.conv2d(contiguous, w, algorithm="direct", layout=layout)
    for plan in plans(shape, w, accuracy="strict", layout=layout):
        y = plan(x)
        assert (
            type(y) is np.ndarray and y.dtype == np.dtype(dtype) and y.dtype.isnative and y.flags.c_contiguous
        )
        np.testing.assert_array_equal(y, expected, err_msg=plan.algorithm)
    np.testing.assert_array_equal(pyconv.conv2d(x, w, layout=layout, accuracy="strict"), expected)
    np.testing.assert_array_equal(value(x), before)


@pytest.mark.parametrize("view", VIEWS)
def test_view_of_weight(view):
    x, contiguous = integers(SHAPE), integers(W_SHAPE, seed=1)
    w = VIEWS[view](contiguous)
    expected = pyconv.conv2d(x, contiguous, algorithm="direct")
    for plan in plans(x.shape, w, accuracy="strict"):
        np.testing.assert_array_equal(plan(x), expected, err_msg=plan.algorithm)
    np.testing.assert_array_equal(value(w), contiguous)


BIAS_VIEWS = {
    "reversed": lambda b: b[::-1].copy()[::-1],
    "strided": lambda b: np.repeat(b, 3)[::3],
    "byte-swapped": lambda b: b.astype(">f4"),
    "misaligned": misaligned,
    "read-only": read_only,
    "__array__": HasArray,
    "DLPack": HasDLPack,
    "memoryview": memoryview,
}


@pytest.mark.parametrize("view", BIAS_VIEWS)
def test_view_of_bias(view):
    x, w, bias = integers(SHAPE), integers(W_SHAPE, seed=1), integers(4, seed=2)
    expected = pyconv.conv2d(x, w, bias, algorithm="direct")
    for plan in plans(x.shape, w, BIAS_VIEWS[view](bias), accuracy="strict"):
        np.testing.assert_array_equal(plan(x), expected, err_msg=plan.algorithm)


def test_broadcast_image():
    """One image seen as a batch through a zero stride."""
    x, w = np.broadcast_to(integers(SHAPE[1:]), (3, *SHAPE[1:])), integers(W_SHAPE, seed=1)
    one = pyconv.conv2d(x[0], w, algorithm="direct")
    for plan in plans(x.shape, w, accuracy="strict"):
        np.testing.assert_array_equal(plan(x), np.stack([one] * 3), err_msg=plan.algorithm)


def test_nested_lists():
    x, w = integers(SHAPE, "float64"), integers(W_SHAPE, "float64", 1)
    y = pyconv.conv2d(x.tolist(), w.tolist())
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, pyconv.conv2d(x, w))


def test_torch_tensor():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, w = integers(SHAPE), integers(W_SHAPE, seed=1)
    y = pyconv.conv2d(torch.from_numpy(x), torch.from_numpy(w), torch.zeros(4))
    assert type(y) is np.ndarray
    np.testing.assert_array_equal(y, pyconv.conv2d(x, w))


@pytest.mark.parametrize("view", [v for v in VIEWS if v not in OBJECTS])
def test_no_input_is_modified(view):
    """With everything switched on, the bytes of all four inputs stay as they were."""
    x, w, r = (
        VIEWS[view](integers(SHAPE)),
        VIEWS[view](integers(W_SHAPE, seed=1)),
        VIEWS[view](integers((2, 4, 9, 10))),
    )
    b = integers(4, seed=2)
    before = [a.tobytes() for a in (x, w, b, r)]
    for plan in plans(x.shape, w, b, padding=1, padding_mode="circular", activation="relu"):
        plan(x, residual=r)
        assert [a.tobytes() for a in (x, w, b, r)] == before, plan.algorithm


def test_result_is_fresh_each_time():
    x, w = integers(SHAPE), integers(W_SHAPE, seed=1)
    for plan in plans(x.shape, w, accuracy="strict"):
        first = plan(x)
        kept = first.copy()
        second = plan(-x)
        assert not np.shares_memory(first, second) and first.flags.writeable
        np.testing.assert_array_equal(first, kept, err_msg=plan.algorithm)


def test_the_same_array_as_image_and_weight():
    a = integers((3, 3, 3, 3))
    expected = pyconv.conv2d(a.copy(), a.copy(), algorithm="direct")
    for plan in plans(a.shape, a, accuracy="strict"):
        np.testing.assert_array_equal(plan(a), expected, err_msg=plan.algorithm)
