# SPDX-License-Identifier: BSD-3-Clause
"""Every form and every mode of padding equals `np.pad` followed by a convolution without padding."""

import numpy as np
import pytest
import scipy.ndimage
from helpers import integers, normal, plans

import pyconv

NUMPY_MODES = {
    "zeros": {"mode": "constant"},
    "reflect": {"mode": "reflect"},
    "replicate": {"mode": "edge"},
    "circular": {"mode": "wrap"},
    "symmetric": {"mode": "symmetric"},
    ("constant", -3): {"constant_values": -3},
}
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


@pytest.mark.parametrize("mode", NUMPY_MODES, ids=str)
@pytest.mark.parametrize("padding, stride, dilation, rows, columns", FORMS)
def test_padding_is_numpy_pad(padding, stride, dilation, rows, columns, mode):
    x, w = integers((2, 3, *SIZE)), integers((4, 3, 3, 4), seed=1)
    padded = np.pad(x, ((0, 0), (0, 0), rows, columns), **NUMPY_MODES[mode])
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


@pytest.mark.parametrize("mode", NUMPY_MODES, ids=str)
@pytest.mark.parametrize(
    "size, padding",
    [((3, 3), 9), ((1, 1), 5), ((1, 7), (3, 20)), ((2, 5), ((0, 7), (11, 2))), ((5, 5), 4), ((5, 5), 5)],
    ids=str,
)
def test_borders_wider_than_the_image(size, padding, mode):
    """They go on as `np.pad` does, to and fro or round and round."""
    x, w = integers((2, 3, *size)), integers((4, 3, 3, 2), seed=1)
    rows, columns = ((padding,) * 2,) * 2 if isinstance(padding, int) else padding
    rows, columns = ((p, p) if isinstance(p, int) else p for p in (rows, columns))
    padded = np.pad(x, ((0, 0), (0, 0), rows, columns), **NUMPY_MODES[mode])
    expected = pyconv.conv2d(padded, w, algorithm="direct")
    for layout in ("NCHW", "NHWC"):
        turn = (lambda a: a) if layout == "NCHW" else (lambda a: np.ascontiguousarray(np.moveaxis(a, 1, -1)))
        given = turn(x)
        for threads in (1, 2):
            for plan in plans(given.shape, w, padding=padding, padding_mode=mode, layout=layout,
                              accuracy="strict", threads=threads):  # fmt: skip
                np.testing.assert_array_equal(plan(given), turn(expected), err_msg=plan.algorithm)


# What other libraries call a border. id: (word, one of conv2d's)
SYNONYMS = {
    "edge": "replicate",
    "nearest": "replicate",
    "wrap": "circular",
    "mirror": "reflect",
    "reflect_101": "reflect",
}


@pytest.mark.parametrize("word", SYNONYMS)
def test_synonyms(word):
    x, w, m = integers((2, 3, 7, 6)), integers((3, 3, 3, 3), seed=1), integers((3, 3), seed=2)
    same = SYNONYMS[word]
    functions = {
        pyconv.conv2d: (x, w), pyconv.depthwise_conv2d: (x, w[:, :1]), pyconv.pointwise_conv2d: (x, m),
        pyconv.partial_conv2d: (x, w), pyconv.separable_conv2d: (x, w[:, :1], m),
        pyconv.conv1d: (x[:, :, 0], w[:, :, 0]),
    }  # fmt: skip
    for function, operands in functions.items():
        extra = {} if function is pyconv.partial_conv2d else {"padding": 2}
        expected = function(*operands, padding_mode=same, **extra)
        np.testing.assert_array_equal(function(*operands, padding_mode=word, **extra), expected)
    assert same in pyconv.explain(x.shape, w.shape, padding=1, padding_mode=word).title
    assert same in str(pyconv.plan(x.shape, w, padding=1, padding_mode=word))


def test_scipy_calls_symmetric_reflect():
    """The two that share a word mean different borders."""
    x, w = normal((1, 9, 8)), normal((1, 1, 3, 5), seed=1)
    for scipys, ours in (
        ("reflect", "symmetric"),
        ("mirror", "reflect"),
        ("nearest", "nearest"),
        ("wrap", "wrap"),
    ):
        expected = scipy.ndimage.correlate(x[0].astype("f8"), w[0, 0].astype("f8"), mode=scipys)
        y = pyconv.conv2d(x, w, padding="same", padding_mode=ours)
        np.testing.assert_allclose(y[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [-3, 0, 2.5, True, np.float32(7), np.int8(-1), np.array(4.0)], ids=repr)
def test_constants_are_numbers_of_any_kind(value):
    x, w = integers((1, 2, 5, 5)), integers((2, 2, 3, 3), seed=1)
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=value)
    expected = pyconv.conv2d(padded, w, algorithm="direct")
    for mode in (("constant", value), ["constant", value]):
        for plan in plans(x.shape, w, padding=2, padding_mode=mode, accuracy="strict"):
            np.testing.assert_array_equal(plan(x), expected, err_msg=plan.algorithm)


@pytest.mark.parametrize(
    "dtype, inner", [("f2", "f4"), ("f4", "f4"), ("f4", "f8"), ("f8", "f8"), ("f8", "f4")]
)
def test_the_constant_is_rounded_to_the_dtype_of_x(dtype, inner):
    """As if it had been written around the image."""
    x, w = normal((1, 2, 5, 5), dtype), normal((2, 2, 3, 3), inner, 1)
    padded = np.pad(x, ((0, 0), (0, 0), (3, 3), (3, 3)), constant_values=0.1)
    for plan in plans(x.shape, w, padding=3, padding_mode=("constant", 0.1), dtype=dtype, accuracy="strict"):
        expected = pyconv.plan(padded.shape, w, dtype=dtype, algorithm="direct")(padded)
        np.testing.assert_allclose(
            plan(x), expected, rtol=np.finfo(inner).eps * 64, atol=np.finfo(inner).eps * 64
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_a_constant_that_is_not_finite(value):
    """It spoils the windows that reach over the edge, and in the strict class no others."""
    x, w = integers((1, 2, 6, 6)), np.ones((2, 2, 3, 3), "f4")
    inside = pyconv.conv2d(x, w, algorithm="direct")
    for plan in plans(x.shape, w, padding=1, padding_mode=("constant", value), accuracy="strict"):
        y = plan(x)
        np.testing.assert_array_equal(y[..., 1:-1, 1:-1], inside, err_msg=plan.algorithm)
        y[..., 1:-1, 1:-1] = value
        np.testing.assert_array_equal(y, np.full_like(y, value), err_msg=plan.algorithm)


FITTING = [
    ("u1", 0), ("u1", 255), ("i1", -128), ("i1", 127), ("u2", 65535), ("i2", -32768), ("f2", 65504),
    ("f4", 1e30), ("f8", 1e300),
]  # fmt: skip


@pytest.mark.parametrize("dtype, value", FITTING)
def test_the_largest_constants_that_fit(dtype, value):
    x = np.zeros((1, 1, 3, 3), dtype)
    y = pyconv.conv2d(x, np.ones((1, 1, 1, 1)), padding=1, padding_mode=("constant", value))
    assert y.dtype == "f8" and y[0, 0, 0, 0] == np.array(value).astype(dtype) and y[0, 0, 1, 1] == 0


@pytest.mark.parametrize(
    "padding", [[1, 2], np.array([1, 2]), (np.int64(1), np.int8(2)), [[1, 1], [2, 2]]], ids=str
)
def test_any_sequence_of_integers_will_do(padding):
    x, w = integers((1, 1, 5, 5)), integers((1, 1, 3, 3), seed=1)
    expected = pyconv.conv2d(x, w, padding=((1, 1), (2, 2)))
    np.testing.assert_array_equal(pyconv.conv2d(x, w, padding=padding), expected)
