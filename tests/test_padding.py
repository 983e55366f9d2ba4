# SPDX-License-Identifier: BSD-3-Clause
"""Every form and every mode of padding equals `np.pad` followed by a convolution without padding."""

import numpy as np
import pytest
from helpers import integers, plans

import pyconv

NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
SIZE = (10, 9)

# padding, stride, dilation -> rows and columns added around a 10x9 image by a 3x4 kernel, worked by hand
FORMS = [
    (0, 1, 1, (0, 0), (0, 0)),
    (2, 1, 1, (2, 2), (2, 2)),
    ((1, 3), 2, 1, (1, 1), (3, 3)),
    (((1, 2), (0, 3)), 1, 1, (1, 2), (0, 3)),
    ("valid", 2, 1, (0, 0), (0, 0)),
    ("same", 1, 1, (1, 1), (1, 2)),
    ("same_lower", 1, 1, (1, 1), (2, 1)),
    ("same", 2, 1, (0, 1), (1, 2)),
    ("same_lower", 2, 1, (1, 0), (2, 1)),
    ("same", 3, 2, (2, 2), (2, 2)),
    ("same", 1, 2, (2, 2), (3, 3)),
    ("same", (4, 1), (1, 2), (0, 1), (3, 3)),
    ("full", 1, 1, (2, 2), (3, 3)),
    ("full", 2, (3, 2), (6, 6), (6, 6)),
]


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("padding, stride, dilation, rows, columns", FORMS)
def test_padding_is_numpy_pad(padding, stride, dilation, rows, columns, mode):
    x, w = integers((2, 3, *SIZE)), integers((4, 3, 3, 4), seed=1)
    padded = np.pad(x, ((0, 0), (0, 0), rows, columns), mode=NUMPY_MODES[mode])
    expected = pyconv.conv2d(padded, w, stride=stride, dilation=dilation, algorithm="direct")
    keywords = {"stride": stride, "dilation": dilation, "padding": padding, "padding_mode": mode}
    for plan in plans(x.shape, w, accuracy="strict", **keywords):
        np.testing.assert_array_equal(plan(x), expected, err_msg=plan.algorithm)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for plan in plans(last.shape, w, accuracy="strict", layout="NHWC", **keywords):
        np.testing.assert_array_equal(plan(last), expected.transpose(0, 2, 3, 1), err_msg=plan.algorithm)


@pytest.mark.parametrize("stride", range(1, 6))
@pytest.mark.parametrize("kernel", range(1, 8))
def test_same_gives_ceil_of_size_over_stride(kernel, stride):
    for size in range(1, 13):
        for padding in ("same", "same_lower"):
            plan = pyconv.plan(
                (1, 1, size, size), np.ones((1, 1, kernel, kernel), "f4"), padding=padding, stride=stride
            )
            assert plan.output_shape == (1, 1, -(-size // stride), -(-size // stride))


def test_zero_padding_wider_than_the_image():
    x, w = integers((1, 2, 3, 3)), integers((2, 2, 3, 3), seed=1)
    expected = pyconv.conv2d(np.pad(x, ((0, 0), (0, 0), (9, 9), (9, 9))), w, algorithm="direct")
    for plan in plans(x.shape, w, padding=9, accuracy="strict"):
        np.testing.assert_array_equal(plan(x), expected, err_msg=plan.algorithm)


@pytest.mark.parametrize("mode, most", [("reflect", 4), ("circular", 5), ("replicate", 20)])
def test_largest_legal_padding(mode, most):
    x, w = integers((1, 1, 5, 5)), integers((1, 1, 3, 3), seed=1)
    padded = np.pad(x, ((0, 0), (0, 0), (most, most), (most, most)), mode=NUMPY_MODES[mode])
    expected = pyconv.conv2d(padded, w, algorithm="direct")
    for plan in plans(x.shape, w, padding=most, padding_mode=mode, accuracy="strict"):
        np.testing.assert_array_equal(plan(x), expected, err_msg=plan.algorithm)


@pytest.mark.parametrize(
    "padding", [[1, 2], np.array([1, 2]), (np.int64(1), np.int8(2)), [[1, 1], [2, 2]]], ids=str
)
def test_any_sequence_of_integers_will_do(padding):
    x, w = integers((1, 1, 5, 5)), integers((1, 1, 3, 3), seed=1)
    expected = pyconv.conv2d(x, w, padding=((1, 1), (2, 2)))
    np.testing.assert_array_equal(pyconv.conv2d(x, w, padding=padding), expected)
