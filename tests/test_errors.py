# SPDX-License-Identifier: BSD-3-Clause
"""Bad input: the right exception, with the offending numbers in its text, and nothing touched."""

import re

import numpy as np
import pytest
from helpers import HasArray, HasDLPack, aligned, element, integers, plans
from numpy.lib.stride_tricks import as_strided

import pyconv

X, W, B = integers((1, 4, 8, 8)), integers((6, 4, 3, 3), seed=1), integers(6, seed=2)


def call(x=X, weight=W, bias=B, **keywords):
    return pyconv.conv2d(x, weight, bias, **keywords)


def huge(shape, dtype="f4"):
    """An array of any size that occupies one number."""
    return as_strided(np.zeros(1, dtype), shape, (0,) * len(shape))


def refuses(error, words, **keywords):
    """The call fails with `error`, whose text holds each of the words; a number counts as a whole only."""
    with pytest.raises(error) as caught:
        call(**keywords)
    text = str(caught.value)
    for word in words.split():
        edge = r"\d" if word.isdigit() else r"\w"
        assert re.search(f"(?<!{edge}){re.escape(word)}(?!{edge})", text), f"{word!r} is missing from: {text}"


# id: (words that the message holds, keywords)
DTYPES = {
    "int32 x": ("int32 x.astype(numpy.float32)", {"x": X.astype("i4")}),
    "int64 everywhere": ("int64", {"x": X.astype("i8"), "weight": W.astype("i8"), "bias": None}),
    "uint32 x": ("uint32 x.astype(numpy.float32)", {"x": X.astype("u4")}),
    "bool x": ("bool x.astype(numpy.uint8)", {"x": X.astype(bool)}),
    "complex x": ("complex64 x.real x.imag", {"x": X.astype("c8")}),
    "object x": ("object x.astype(numpy.float32)", {"x": X.astype(object)}),
    "string x": ("x <U32 x.astype(numpy.float32)", {"x": X.astype("U32")}),
    "longdouble": (f"{np.dtype('longdouble').name} x.astype(numpy.float64)", {"x": X.astype("longdouble")}),
    "list of ints for x": ("int64 x.astype(numpy.float32)", {"x": X.astype("i8").tolist()}),
    "uint8 weight": ("uint8 weight.astype(numpy.float32)", {"weight": np.abs(W).astype("u1")}),
    "bool weight": ("bool weight.astype(numpy.float32)", {"weight": W.astype(bool)}),
    "list of strings for weight": ("<U4 float16", {"weight": W.astype("U4").tolist()}),
    "list of complex for weight": ("complex128", {"weight": W.astype("c16").tolist()}),
    "list of strings for bias": ("float32 <U4", {"bias": ["a", "bc", "def", "ghij", "", "x"]}),
    "int weight": ("int32 weight.astype(numpy.float32)", {"weight": W.astype("i4")}),
    "complex weight": ("complex128", {"weight": W.astype("c16")}),
    "float32 bias for a float64 weight": ("bias float32 float64", {"weight": W.astype("f8")}),
    "float32 bias for a float16 weight": ("bias float32 float16", {"weight": W.astype("f2")}),
    "float64 bias": ("bias float32 float64", {"bias": B.astype("f8")}),
    "int bias": ("bias float32 int32", {"bias": B.astype("i4")}),
    "float64 residual": ("residual result float32 float64", {"residual": np.zeros((1, 6, 6, 6), "f8")}),
    "int residual": ("residual float32 int64", {"residual": np.zeros((1, 6, 6, 6), "i8")}),
    "residual of the dtype of x": (
        "residual uint8 result float32",
        {"x": X.astype("u1"), "residual": np.zeros((1, 6, 6, 6), "u1")},
    ),
    "float32 residual for bytes": (
        "residual float32 result uint8",
        {"residual": np.zeros((1, 6, 6, 6), "f4"), "out_dtype": "u1"},
    ),
}


@pytest.mark.parametrize("words, keywords", DTYPES.values(), ids=DTYPES)
def test_dtype_is_a_type_error_naming_it(words, keywords):
    refuses(TypeError, words, **keywords)


PYTHON_TYPES = {
    "stride float": {"stride": 1.5},
    "stride whole float": {"stride": 2.0},
    "stride str": {"stride": "2"},
    "stride None": {"stride": None},
    "stride pair of floats": {"stride": (1, 1.5)},
    "padding None": {"padding": None},
    "padding float": {"padding": 1.5},
    "padding nested float": {"padding": ((1, 0.5), (1, 1))},
    "dilation float": {"dilation": 1.5},
    "dilation None": {"dilation": None},
    "groups float": {"groups": 1.0},
    "groups str": {"groups": "2"},
    "groups pair": {"groups": (1, 2)},
    "threads str": {"threads": "2"},
    "threads float": {"threads": 1.5},
    "max_workspace float": {"max_workspace": 1.5},
    "max_workspace list": {"max_workspace": [1]},
    "padding_mode int": {"padding_mode": 1},
    "padding_mode dict": {"padding_mode": {"constant": 1}},
    "unknown keyword": {"strides": 1},
}


@pytest.mark.parametrize("keywords", PYTHON_TYPES.values(), ids=PYTHON_TYPES)
def test_wrong_python_type_is_a_type_error(keywords):
    refuses(TypeError, next(iter(keywords)), **keywords)


@pytest.mark.parametrize("value", ["5", b"5", None, 1j, [1], np.zeros(2), "x"], ids=repr)
def test_a_constant_border_is_a_number(value):
    refuses(TypeError, "constant number", padding=1, padding_mode=("constant", value))


OUT_DTYPES = [
    "?",
    "c8",
    "c16",
    object,
    "i4",
    "u4",
    "i8",
    "u8",
    "g",
    "S4",
    "U4",
    "M8[s]",
    "m8[s]",
    "V8",
    [("a", "f4")],
]


@pytest.mark.parametrize("out_dtype", OUT_DTYPES, ids=str)
def test_out_dtypes_that_cannot_hold_the_result(out_dtype):
    out = np.zeros((1, 6, 6, 6), out_dtype)
    before = out.copy()
    words = "out_dtype float32 float64 float16 uint8 int8 uint16 int16 bfloat16"
    refuses(ValueError, words, out_dtype=out_dtype, out=out)
    assert out.tobytes() == before.tobytes()
    for attempt in (
        lambda: pyconv.plan(X.shape, W, B, out_dtype=out_dtype),
        lambda: pyconv.explain(X.shape, W.shape, out_dtype=out_dtype),
        lambda: pyconv.conv1d(X[:, :, 0], W[:, :, 0], out_dtype=out_dtype),
        lambda: pyconv.depthwise_conv2d(X, W[:4, :1], out_dtype=out_dtype),
        lambda: pyconv.pointwise_conv2d(X, W[:, :, 0, 0], out_dtype=out_dtype),
        lambda: pyconv.separable_conv2d(X, W[:4, :1], W[..., 0, 0], out_dtype=out_dtype),
        lambda: pyconv.conv_transpose2d(X, W[:4], out_dtype=out_dtype),
        lambda: pyconv.factorize(W).plan(X.shape, out_dtype=out_dtype),
    ):
        with pytest.raises(ValueError, match=r"^out_dtype must be float32, .* or bfloat16, is "):
            attempt()


@pytest.mark.parametrize("dtype", ["i4", "?", "c8", object, "g"], ids=str)
def test_dtypes_that_are_no_elements(dtype):
    for attempt in (
        lambda: pyconv.plan(X.shape, W, B, dtype=dtype),
        lambda: pyconv.explain(X.shape, W.shape, dtype=dtype),
        lambda: pyconv.plan_separable_conv2d(X.shape, W[:4, :1], W[..., 0, 0], dtype=dtype),
        lambda: pyconv.plan_conv_transpose2d(X.shape, W[:4], dtype=dtype),
        lambda: pyconv.factorize(W).plan(X.shape, dtype=dtype),
    ):
        with pytest.raises(TypeError, match=r"^dtype must be float32, .* or bfloat16, is .*: pass x"):
            attempt()
    for attempt in (
        lambda: pyconv.separable_conv2d(X.astype(dtype), W[:4, :1], W[..., 0, 0]),
        lambda: pyconv.conv_transpose2d(X.astype(dtype), W[:4]),
        lambda: pyconv.partial_conv2d(X.astype(dtype), W[:4]),
    ):
        with pytest.raises(TypeError, match=r"^x must be float32, .* or bfloat16, is .*: pass x"):
            attempt()


def test_weights_of_bfloat16_are_refused_with_the_remedy():
    half = element("bfloat16")
    refuses(
        TypeError,
        "weight float32 float64 float16 bfloat16 weight.astype(numpy.float32)",
        weight=W.astype(half),
    )
    refuses(TypeError, "bias bfloat16 float32", bias=B.astype(half))


# id: (words that the message holds, dtype of x, constant)
CONSTANTS = {
    "300 of bytes": ("300 uint8 0 255", "u1", 300),
    "-1 of bytes": ("-1 uint8 0 255", "u1", -1),
    "0.5 of bytes": ("0.5 uint8 whole", "u1", 0.5),
    "NaN of bytes": ("nan uint8", "u1", np.nan),
    "128 of int8": ("128 int8 -128 127", "i1", 128),
    "65536 of uint16": ("65536 uint16 0 65535", "u2", 65536),
    "infinity of int16": ("inf int16 -32768 32767", "i2", np.inf),
    "65520 of float16": ("65520 float16", "f2", 65520),
    "1e39 of float32": ("1e+39 float32", "f4", 1e39),
    "more than any float": ("float", "f8", 10**400),
}


@pytest.mark.parametrize("words, dtype, value", CONSTANTS.values(), ids=CONSTANTS)
def test_a_constant_that_the_dtype_of_x_cannot_hold(words, dtype, value):
    x, out = np.abs(X).astype(dtype), np.full((1, 6, 8, 8), 5, "f4")
    refuses(ValueError, f"constant {words}", x=x, padding=1, padding_mode=("constant", value), out=out)
    assert (out == 5).all()
    with pytest.raises(ValueError, match="constant"):
        pyconv.plan(x.shape, W, padding=1, padding_mode=("constant", value), dtype=dtype)


def test_clip_takes_numbers_only():
    refuses(TypeError, "clip a b", activation=("clip", "a", "b"))
    refuses(TypeError, "clip 0 6", activation=("clip", "0", "6"))


# Enumerations given as something other than text: either error is at home here, silence is not.
@pytest.mark.parametrize("keyword", ["layout", "padding_mode", "algorithm", "accuracy", "activation"])
@pytest.mark.parametrize("value", [1, ["NCHW"], 2.5, b"relu"], ids=repr)
def test_wrong_type_of_a_word(keyword, value):
    with pytest.raises((TypeError, ValueError), match=keyword):
        call(**{keyword: value})


SHAPES = {
    "x of 0 dimensions": ("x", {"x": np.float32(1)}),
    "x of 1 dimension": ("x", {"x": X[0, 0, 0]}),
    "x of 2 dimensions": ("x", {"x": X[0, 0]}),
    "weight of 3 dimensions": ("weight", {"weight": W[0]}),
    "weight of 5 dimensions": ("weight", {"weight": W[None]}),
    "weight of 0 dimensions": ("weight", {"weight": np.float32(1)}),
    "groups don't divide channels": ("4 3", {"groups": 3, "weight": W[:, :1]}),
    "groups don't divide filters": ("6 4", {"groups": 4, "weight": W[:, :1]}),
    "channels differ": ("4 3", {"weight": W[:, :3]}),
    "channels per group differ": ("4 2", {"groups": 2}),
    "channels differ in NHWC": ("8 4", {"layout": "NHWC"}),
    "bias too short": ("5 6", {"bias": B[:5]}),
    "bias too long": ("7 6", {"bias": np.zeros(7, "f4")}),
    "bias of 2 dimensions": ("6", {"bias": B[:, None]}),
    "bias a scalar": ("6", {"bias": np.float32(1)}),
    "kernel taller than image": ("9 8", {"weight": np.ones((6, 4, 9, 1), "f4")}),
    "kernel wider than image": ("9 8", {"weight": np.ones((6, 4, 1, 9), "f4")}),
    "kernel wider than padded image": ("13 8 2", {"weight": np.ones((6, 4, 1, 13), "f4"), "padding": 2}),
    "dilated kernel larger than image": ("3 4 8", {"dilation": 4}),
    "channels for none": ("4 0", {"x": np.zeros((1, 0, 8, 8), "f4")}),
    "none for channels": ("0 4", {"weight": np.zeros((6, 0, 3, 3), "f4")}),
    "bias for no filters": ("6 0", {"weight": np.zeros((0, 4, 3, 3), "f4")}),
    "no kernel rows": ("0", {"weight": np.zeros((6, 4, 0, 3), "f4")}),
    "no kernel columns": ("0", {"weight": np.zeros((6, 4, 3, 0), "f4")}),
    "no image rows": ("0", {"x": np.zeros((1, 4, 0, 8), "f4")}),
    "no image columns": ("0", {"x": np.zeros((1, 4, 8, 0), "f4")}),
    "residual too small": ("5 6", {"residual": np.zeros((1, 6, 6, 5), "f4")}),
    "residual without batch": ("6", {"residual": np.zeros((6, 6, 6), "f4")}),
    "residual that would broadcast": ("1 6", {"residual": np.zeros((1, 6, 1, 1), "f4")}),
}


@pytest.mark.parametrize("words, keywords", SHAPES.values(), ids=SHAPES)
def test_shape_is_a_value_error_with_the_numbers(words, keywords):
    refuses(ValueError, words, **keywords)


VALUES = {
    "stride 0": ("stride 0", {"stride": 0}),
    "stride negative": ("stride -1", {"stride": (1, -1)}),
    "stride of three": ("stride 3", {"stride": (1, 1, 1)}),
    "stride empty": ("stride", {"stride": ()}),
    "dilation 0": ("dilation 0", {"dilation": 0}),
    "dilation negative": ("dilation -2", {"dilation": (-2, 1)}),
    "dilation of three": ("dilation 3", {"dilation": (1, 1, 1)}),
    "groups 0": ("groups 0", {"groups": 0}),
    "groups negative": ("groups -2", {"groups": -2}),
    "padding negative": ("padding -1", {"padding": -1}),
    "padding negative side": ("padding -3", {"padding": ((0, 0), (-3, 0))}),
    "padding of three": ("padding 1", {"padding": (1, 1, 1)}),
    "padding of four flat": ("padding 1", {"padding": (1, 1, 1, 1)}),
    "padding word": ("padding sam", {"padding": "sam"}),
    "padding_mode": (
        "padding_mode bounce zeros reflect replicate circular symmetric constant edge nearest wrap mirror "
        "reflect_101",
        {"padding_mode": "bounce"},
    ),
    "padding_mode constant of nothing": ("padding_mode constant value", {"padding_mode": "constant"}),
    "padding_mode of one": ("padding_mode constant", {"padding_mode": ("constant",)}),
    "padding_mode of another word": ("padding_mode constant edge", {"padding_mode": ("edge", 1)}),
    "layout": ("layout NCWH NCHW NHWC", {"layout": "NCWH"}),
    "activation": ("activation gelu relu relu6 clip", {"activation": "gelu"}),
    "activation of two": ("activation", {"activation": ("clip", 1)}),
    "activation tuple": ("activation clamp", {"activation": ("clamp", 0, 1)}),
    "clip reversed": ("2 1", {"activation": ("clip", 2, 1)}),
    "clip beyond any float": ("clip", {"activation": ("clip", -(10**400), 1)}),
    "clip low NaN": ("nan", {"activation": ("clip", float("nan"), 1)}),
    "clip high NaN": ("nan", {"activation": ("clip", 0, float("nan"))}),
    "algorithm": ("algorithm winograd_f9k9 direct im2col im2row mec", {"algorithm": "winograd_f9k9"}),
    "accuracy": ("accuracy loose strict standard fast", {"accuracy": "loose"}),
    "threads 0": ("threads 0", {"threads": 0}),
    "threads negative": ("threads -1", {"threads": -1}),
    "max_workspace negative": ("max_workspace -1", {"max_workspace": -1}),
    "max_workspace word": ("max_workspace", {"max_workspace": "lots"}),
    "max_workspace unit": ("max_workspace", {"max_workspace": "64XB"}),
    "max_workspace negative text": ("max_workspace", {"max_workspace": "-1MB"}),
}


@pytest.mark.parametrize("words, keywords", VALUES.values(), ids=VALUES)
def test_value_is_a_value_error_with_the_numbers(words, keywords):
    refuses(ValueError, words, **keywords)


@pytest.mark.parametrize("name", [*SHAPES, *VALUES])
def test_plan_refuses_what_conv2d_refuses(name):
    keywords = dict({**SHAPES, **VALUES}[name][1])
    if "residual" in keywords:
        residual = keywords.pop("residual")
        plan = pyconv.plan(X.shape, W, B)
        with pytest.raises(ValueError, match="residual"):
            plan(X, residual=residual)
        return
    x, weight, bias = keywords.pop("x", X), keywords.pop("weight", W), keywords.pop("bias", B)
    with pytest.raises(ValueError):
        pyconv.plan(np.shape(x), weight, bias, **keywords)


def test_refused_named_algorithm_is_unsupported_with_the_reason():
    assert issubclass(pyconv.UnsupportedError, ValueError)
    need = pyconv.plan(X.shape, W, algorithm="im2col").workspace_bytes
    with pytest.raises(pyconv.UnsupportedError, match=rf"im2col(.|\n)*{need}"):
        call(algorithm="im2col", max_workspace=100)


def test_unknown_algorithm_is_not_unsupported():
    with pytest.raises(ValueError) as caught:
        call(algorithm="winograd_f9k9")
    assert not isinstance(caught.value, pyconv.UnsupportedError)


TOO_LARGE = {
    "2**40 channels": {
        "x": huge((1, 2**40, 2**10, 2**10)),
        "weight": huge((6, 2**40, 3, 3)),
        "algorithm": "im2col",
    },
    "2**40 channels im2row": {
        "x": huge((1, 2**40, 64, 64)),
        "weight": huge((6, 2**40, 3, 3)),
        "algorithm": "im2row",
    },
    "2**40 channels mec": {
        "x": huge((1, 2**40, 64, 64)),
        "weight": huge((6, 2**40, 3, 3)),
        "algorithm": "mec",
    },
    "dilation 2**31": {"dilation": 2**31},
    "dilation 2**62": {"dilation": 2**62},
    "dilation 2**63 - 1": {"dilation": 2**63 - 1},
    "dilation 2**70": {"dilation": 2**70},
    "dilation hidden by padding": {"dilation": 2**62, "padding": 2**62},
    "dilation with full padding": {"dilation": 2**61, "padding": "full"},
    "stride 2**70": {"stride": 2**70},
    "groups 2**70": {"groups": 2**70},
    "padding 2**31": {"padding": 2**31},
    "padding 2**62": {"padding": 2**62},
    "padding 2**63 - 1": {"padding": 2**63 - 1},
    "padding 2**70": {"padding": 2**70},
    "batch times output": {"x": huge((2**50, 4, 8, 8)), "padding": 2**20},
    "batch times filters": {"x": huge((2**52, 1, 1, 1)), "weight": huge((2**12, 1, 1, 1)), "bias": None},
    "product of leading dimensions": {
        "x": huge((2**18, 2**18, 2**18, 1, 1, 1)),
        "weight": huge((512, 1, 1, 1)),
        "bias": None,
    },
}


@pytest.mark.parametrize("keywords", TOO_LARGE.values(), ids=TOO_LARGE)
def test_sizes_that_overflow_are_value_errors(keywords):
    with pytest.raises(ValueError, match=r"\d"):
        call(**keywords)


@pytest.mark.parametrize("stride", [7, 1000, 2**20])
def test_a_stride_beyond_the_image_is_legal(stride):
    for plan in plans(X.shape, W, B, stride=stride, accuracy="strict"):
        np.testing.assert_array_equal(plan(X), call(algorithm="direct")[..., :1, :1], err_msg=plan.algorithm)


def test_plan_shapes_that_overflow_are_value_errors():
    for shape in [(2**62, 4, 8, 8), (2**63, 4, 8, 8), (2**21, 2**21, 2**21, 4, 8, 8), (1, 4, 2**62, 8)]:
        with pytest.raises(ValueError, match=r"\d"):
            pyconv.plan(shape, W)


@pytest.mark.parametrize("shape", [(1, 4, -8, 8), (-1, 4, 8, 8)], ids=str)
def test_plan_refuses_negative_sizes(shape):
    with pytest.raises(ValueError, match="-"):
        pyconv.plan(shape, W)


@pytest.mark.parametrize("shape", [(1, 4, 8.0, 8), 7, None, "1488"], ids=repr)
def test_plan_refuses_what_is_no_shape(shape):
    with pytest.raises((TypeError, ValueError)):
        pyconv.plan(shape, W)


def test_more_memory_than_there_is_names_the_bytes():
    x = huge((2**40, 4, 8, 8))
    with pytest.raises(MemoryError, match=str(2**40 * 6 * 6 * 6 * 4)):
        call(x=x)


def test_more_workspace_than_there_is_names_the_bytes():
    x, w = np.zeros((1, 1, 4900, 4900), "f4"), np.zeros((1, 1, 2450, 2450), "f4")
    plan = pyconv.plan(x.shape, w, algorithm="im2col")
    assert plan.workspace_bytes == 2450**2 * 2451**2 * 4
    for attempt in (plan.new_workspace, lambda: plan(x), lambda: pyconv.conv2d(x, w, algorithm="im2col")):
        with pytest.raises(MemoryError, match=str(plan.workspace_bytes)):
            attempt()
    assert pyconv.conv2d(X, W).shape == (1, 6, 6, 6)


def read_only(a):
    a.flags.writeable = False
    return a


def outs():
    good = (1, 6, 6, 6)
    yield "too small", np.zeros((1, 6, 6, 5), "f4")
    yield "too large", np.zeros((1, 6, 6, 7), "f4")
    yield "without batch", np.zeros(good[1:], "f4")
    yield "of other shape and equal size", np.zeros((6, 1, 6, 6), "f4")
    yield "float64", np.zeros(good, "f8")
    yield "float16", np.zeros(good, "f2")
    yield "int32", np.zeros(good, "i4")
    yield "byte-swapped", np.zeros(good, np.dtype("f4").newbyteorder())
    yield "read-only", read_only(np.zeros(good, "f4"))
    yield "broadcast", np.broadcast_to(np.zeros(6, "f4"), good)
    yield "overlapping itself", as_strided(np.zeros(216, "f4"), good, (864, 140, 24, 4))
    yield "of one number", as_strided(np.zeros(1, "f4"), good, (0, 0, 0, 0))
    yield "sliced and byte-swapped", np.zeros((1, 6, 6, 12), np.dtype("f4").newbyteorder())[..., ::2]
    yield "a record", np.zeros(good, [("value", "f4")])
    yield "of objects", np.zeros(good, object)


@pytest.mark.parametrize("dtype", ["f4", "i1", "u2", "f2"])
def test_out_of_another_type_than_the_result(dtype):
    """That of x, or one that merely could hold it, will not do."""
    out = np.full((1, 6, 6, 6), 5, dtype)
    refuses(ValueError, f"out {out.dtype} uint8", x=X.astype("i1"), out=out, out_dtype="u1")
    assert (out == 5).all()


@pytest.mark.parametrize("out", [pytest.param(out, id=name) for name, out in outs()])
def test_unusable_out_is_refused_untouched(out):
    before = out.copy()
    plan = pyconv.plan(X.shape, W, B)
    for attempt in (lambda: call(out=out), lambda: plan(X, out=out)):
        with pytest.raises(ValueError, match="out"):
            attempt()
    np.testing.assert_array_equal(out, before)


@pytest.mark.parametrize(
    "out", [[[[0.0]]], "out", 3, memoryview(bytearray(864))], ids=lambda o: type(o).__name__
)
def test_out_must_be_an_array(out):
    with pytest.raises((TypeError, ValueError), match="out"):
        call(out=out)


@pytest.mark.parametrize("victim", ["x", "weight", "bias", "residual"])
@pytest.mark.parametrize("shift", [0, 4, 96])
def test_out_may_not_overlap_an_input(victim, shift):
    """1x1 on 6 channels, so that `out` and `x` have one shape; `victim` lies `shift` bytes into `out`."""
    shapes = {"x": (1, 6, 5, 5), "weight": (6, 6, 1, 1), "bias": (6,), "residual": (1, 6, 5, 5)}
    arrays = {name: integers(shape, seed=9) for name, shape in shapes.items()}
    memory = np.zeros(600, "f4")
    out = memory[:150].reshape(1, 6, 5, 5)
    size = arrays[victim].size
    memory[shift // 4 : shift // 4 + size] = arrays[victim].ravel()
    arrays[victim] = memory[shift // 4 : shift // 4 + size].reshape(shapes[victim])
    before = memory.copy()
    with pytest.raises(ValueError, match="overlap"):
        call(**arrays, out=out)
    np.testing.assert_array_equal(memory, before)


def test_out_beside_an_input_is_fine():
    memory = np.zeros(300, "f4")
    memory[:150] = integers(150)
    x, out = memory[:150].reshape(1, 6, 5, 5), memory[150:].reshape(1, 6, 5, 5)
    w = integers((6, 6, 1, 1), seed=1)
    expected = pyconv.conv2d(x, w)
    np.testing.assert_array_equal(pyconv.conv2d(x, w, out=out), expected)


def workspaces(nbytes):
    yield "one byte short", aligned(nbytes - 1)
    yield "empty", aligned(0)
    yield "misaligned", aligned(nbytes, 64, 4)
    yield "aligned to 32 only", aligned(nbytes, 64, 32)
    yield "read-only", read_only(aligned(nbytes))
    yield "not contiguous", aligned(2 * nbytes)[::2]
    yield "bytes", bytes(nbytes)


@pytest.mark.parametrize("index", range(7), ids=[name for name, _ in workspaces(64)])
def test_unusable_workspace_is_refused_and_out_untouched(index):
    plan = pyconv.plan(X.shape, W, B, algorithm="im2col")
    _, workspace = list(workspaces(plan.workspace_bytes))[index]
    out = np.full(plan.output_shape, 7, "f4")
    for attempt in (
        lambda: plan(X, out=out, workspace=workspace),
        lambda: call(algorithm="im2col", out=out, workspace=workspace),
    ):
        with pytest.raises(ValueError, match="workspace"):
            attempt()
    assert (out == 7).all()


def test_a_short_workspace_names_both_sizes():
    plan = pyconv.plan(X.shape, W, algorithm="im2col")
    need = plan.workspace_bytes
    with pytest.raises(ValueError, match=rf"{need - 1}\D(.|\n)*{need}\b|{need}\D(.|\n)*{need - 1}\b"):
        plan(X, workspace=aligned(need - 1))


@pytest.mark.parametrize("workspace", [3, "workspace", [0] * 99999, object()], ids=lambda w: type(w).__name__)
def test_workspace_must_be_a_buffer(workspace):
    with pytest.raises((TypeError, ValueError), match="workspace"):
        call(algorithm="im2col", workspace=workspace)


@pytest.mark.parametrize("victim", ["x", "weight", "bias", "residual", "out"])
def test_workspace_may_not_overlap(victim):
    plan = pyconv.plan(X.shape, W, B, algorithm="im2col")
    shapes = {"x": X.shape, "weight": W.shape, "bias": B.shape}
    shape = shapes.get(victim, plan.output_shape)
    memory = aligned(plan.workspace_bytes + 4096)
    array = memory[4:].view("f4")[: int(np.prod(shape))].reshape(shape)
    array[...] = 1
    with pytest.raises(ValueError, match="overlap"):
        call(algorithm="im2col", workspace=memory, **{victim: array})
    assert (array == 1).all()
    if victim not in ("weight", "bias"):
        arguments = {"x": X, victim: array}
        with pytest.raises(ValueError, match="overlap"):
            plan(arguments.pop("x"), workspace=memory, **arguments)
        assert (array == 1).all()


@pytest.mark.parametrize("victim", ["x", "weight", "bias", "residual"])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_workspace_may_not_overlap_a_view_that_is_copied(victim, dtype):
    """The kernel reads a contiguous copy; the caller's array must not become scratch memory all the same."""
    shapes = {"x": X.shape, "weight": W.shape, "bias": B.shape, "residual": (1, 6, 6, 6)}
    arrays = {name: np.ones(shape, dtype) for name, shape in shapes.items()}
    memory = aligned(1 << 16)
    size = int(np.prod(shapes[victim]))
    arrays[victim] = memory.view(dtype)[: 2 * size].reshape(*shapes[victim][:-1], -1)[..., ::-2]
    arrays[victim][...] = 1
    with pytest.raises(ValueError, match="overlap"):
        call(algorithm="im2col", workspace=memory, **arrays)
    assert (arrays[victim] == 1).all()


@pytest.mark.parametrize("wrap", [memoryview, HasArray, HasDLPack], ids=["memoryview", "__array__", "DLPack"])
def test_out_may_not_overlap_an_array_inside_an_object(wrap):
    w = integers((4, 4, 1, 1))
    x = X.copy()
    for attempt in (
        lambda: pyconv.conv2d(wrap(x), w, out=x),
        lambda: pyconv.plan(X.shape, w)(wrap(x), out=x),
    ):
        with pytest.raises(ValueError, match="overlap"):
            attempt()
    np.testing.assert_array_equal(x, X)
    residual = np.zeros_like(X)
    with pytest.raises(ValueError, match="overlap"):
        pyconv.conv2d(X, w, residual=wrap(residual), out=residual)
    assert not residual.any()


def test_plan_checks_what_it_is_called_with():
    plan = pyconv.plan(X.shape, W)
    for x in (X[0], X[..., :7], np.concatenate([X, X])):
        with pytest.raises(ValueError, match=r"\(1, 4, 8, 8\)"):
            plan(x)
    for dtype in ("f8", "f2", "i4", "c8"):
        with pytest.raises(
            TypeError, match=rf"float32(.|\n)*{np.dtype(dtype).name}|{np.dtype(dtype).name}(.|\n)*float32"
        ):
            plan(X.astype(dtype))


@pytest.mark.parametrize("missing", ["x", "weight"])
def test_none_is_no_array(missing):
    with pytest.raises(TypeError):
        call(**{missing: None})


# Of one call each: name: (call, names of its arrays)
ARRAYS = {
    "conv2d": (
        lambda a: call(**a), {"x": X, "weight": W, "bias": B, "residual": np.ones((1, 6, 6, 6), "f4")}
    ),
    "plan": (lambda a: pyconv.plan(X.shape, **a), {"weight": W, "bias": B}),
    "Plan": (lambda a: pyconv.plan(X.shape, W)(**a), {"x": X, "residual": np.ones((1, 6, 6, 6), "f4")}),
    "conv1d": (
        lambda a: pyconv.conv1d(**a),
        {"x": X[:, :, 0], "weight": W[..., 0], "bias": B, "residual": np.ones((1, 6, 6), "f4")},
    ),
    "depthwise_conv2d": (
        lambda a: pyconv.depthwise_conv2d(**a), {"x": X, "weight": W[:4, :1], "bias": B[:4]}
    ),
    "pointwise_conv2d": (lambda a: pyconv.pointwise_conv2d(**a), {"x": X, "weight": W[..., 0, 0], "bias": B}),
    "partial_conv2d": (lambda a: pyconv.partial_conv2d(**a), {"x": X, "weight": W[:4], "bias": B[:4]}),
    "separable_conv2d": (
        lambda a: pyconv.separable_conv2d(**a),
        {"x": X, "depthwise_weight": W[:4, :1], "pointwise_weight": W[..., 0, 0], "bias": B,
         "depthwise_bias": B[:4], "residual": np.ones((1, 6, 6, 6), "f4")},
    ),
    "conv_transpose2d": (lambda a: pyconv.conv_transpose2d(**a), {"x": X, "weight": W[:4], "bias": B[:4]}),
    "conv2d_backward_input": (
        lambda a: pyconv.conv2d_backward_input(X.shape, **a), {"weight": W, "dy": np.ones((1, 6, 6, 6), "f4")}
    ),
    "conv2d_backward_weight": (
        lambda a: pyconv.conv2d_backward_weight(weight_shape=W.shape, **a),
        {"x": X, "dy": np.ones((1, 6, 6, 6), "f4")},
    ),
    "conv2d_backward_bias": (lambda a: pyconv.conv2d_backward_bias(**a), {"dy": np.ones((1, 6, 6, 6), "f4")}),
    "plan_conv2d_backward_input": (
        lambda a: pyconv.plan_conv2d_backward_input(X.shape, **a), {"weight": W}
    ),
    "conv1d_backward_input": (
        lambda a: pyconv.conv1d_backward_input((1, 4, 8), **a),
        {"weight": W[..., 0], "dy": np.ones((1, 6, 6), "f4")},
    ),
    "conv1d_backward_weight": (
        lambda a: pyconv.conv1d_backward_weight(weight_shape=W.shape[:3], **a),
        {"x": X[:, :, 0], "dy": np.ones((1, 6, 6), "f4")},
    ),
    "conv1d_backward_bias": (lambda a: pyconv.conv1d_backward_bias(**a), {"dy": np.ones((1, 6, 6), "f4")}),
    "factorize": (lambda a: pyconv.factorize(**a), {"weight": W}),
}  # fmt: skip


@pytest.mark.parametrize("mask", [np.ma.nomask, "first"], ids=["nothing masked", "one masked"])
@pytest.mark.parametrize("name, victim", [(name, victim) for name in ARRAYS for victim in ARRAYS[name][1]])
def test_a_masked_array_is_a_type_error_that_names_filled(name, victim, mask):
    """Its mask would be lost, silently."""
    run, arrays = ARRAYS[name]
    run(dict(arrays))
    given = arrays[victim].copy()
    masked = np.ma.MaskedArray(
        given, mask if mask is np.ma.nomask else np.arange(given.size).reshape(given.shape) == 0
    )
    parts = list(masked)  # arrays with masks, or numbers
    for hidden in (
        masked,
        HasArray(masked),
        *([parts] if given.ndim > 1 or mask is not np.ma.nomask else []),
    ):
        with pytest.raises(TypeError, match=rf"{victim} is a masked array.*{victim}\.filled\(value\)"):
            run({**arrays, victim: hidden})


@pytest.mark.parametrize("target", ["out", "workspace"])
def test_a_masked_target_is_a_type_error(target):
    plan = pyconv.plan(X.shape, W, algorithm="im2col")
    memory = plan.new_workspace() if target == "workspace" else np.full(plan.output_shape, 7, "f4")
    before = memory.copy()
    separable = pyconv.plan_separable_conv2d(X.shape, W[:4, :1], W[..., 0, 0], layout="NCHW")
    for attempt in (
        lambda a: plan(X, **a),
        lambda a: call(bias=None, algorithm="im2col", **a),
        lambda a: separable(X, **a),
        lambda a: pyconv.conv2d_backward_weight(X, W.shape, plan(X), **a),
    ):
        with pytest.raises(TypeError, match=f"{target} is a masked array"):
            attempt({target: np.ma.MaskedArray(memory)})
    assert (memory == before).all()


@pytest.mark.parametrize("name", [
    "conv2d", "plan", "explain", "conv1d", "depthwise_conv2d", "pointwise_conv2d", "partial_conv2d",
    "separable_conv2d",
    "plan_separable_conv2d", "conv_transpose2d", "plan_conv_transpose2d", "conv2d_backward_input",
    "conv2d_backward_weight", "plan_conv2d_backward_input", "plan_conv2d_backward_weight",
    "conv2d_backward_bias", "conv1d_backward_input", "conv1d_backward_weight", "conv1d_backward_bias",
    "factorize",
])  # fmt: skip
def test_an_unknown_keyword_names_the_function_called(name):
    with pytest.raises(TypeError, match=rf"^{name}\(\) got an unexpected keyword argument 'strides'"):
        getattr(pyconv, name)(X, W, X, strides=1)


def test_keywords_that_an_operator_has_not():
    with pytest.raises(TypeError, match=r"^partial_conv2d\(\) got an unexpected keyword argument 'residual'"):
        pyconv.partial_conv2d(X, W[:4], residual=X)
    with pytest.raises(TypeError, match=r"^depthwise_conv2d\(\) got an unexpected keyword argument 'groups'"):
        pyconv.depthwise_conv2d(X, W[:4, :1], groups=2)


S, F = integers((4, 4, 8)), W[..., 0]  # signals and filters (6, 4, 3)

# What conv1d says of its one axis. id: (text, keywords)
SIGNALS = {
    "stride 0": (r"^stride must be positive, is 0$", {"stride": 0}),
    "stride negative": (r"^stride must be positive, is -2$", {"stride": (-2,)}),
    "dilation 0": (r"^dilation must be positive \(1 means none\), is 0$", {"dilation": 0}),
    "padding negative": (r"^padding must not be negative, is \(-1, -1\)$", {"padding": -1}),
    "padding negative end": (r"^padding must not be negative, is \(0, -3\)$", {"padding": (0, -3)}),
    "padding word": (r"^padding must be an int, \(left, right\), 'valid', .*, is 'sam'$", {"padding": "sam"}),
    "no length": (r"^x needs a length .* has 4 channels of length 0$", {"x": np.zeros((2, 4, 0), "f4")}),
    "no taps": (r"^weight needs a length .* has shape \(6, 4, 0\)$", {"weight": F[..., :0]}),
    "too long": (
        r"^a kernel of length 3 with dilation 4 is longer than the input of length 8 with padding \(0, 0\)$",
        {"dilation": 4},
    ),
    "overflow": (
        r"^the sizes overflow: x .*stride \(1,\), dilation \(1,\), padding \(1099511627776, 0\), groups 1$",
        {"padding": (2**40, 0)},
    ),
    "overflow of int64": (
        r"^the sizes overflow: x \(4, 4, 8\), weight \(6, 4, 3\), stride \(1180591620717411303424,\)",
        {"stride": 2**70},
    ),
    "out": (r"^out has shape \(4, 6, 7\), wanted \(4, 6, 6\)$", {"out": np.zeros((4, 6, 7), "f4")}),
    "out of an image": (
        r"^out has shape \(4, 6, 1, 6\), wanted \(4, 6, 6\)$", {"out": np.zeros((4, 6, 1, 6), "f4")}
    ),
    "residual": (
        r"^residual has shape \(4, 6, 7\), wanted", {"residual": np.zeros((4, 6, 7), "f4")}
    ),
    "bias": (r"^bias has shape \(5,\), wanted \(6,\)$", {"bias": B[:5]}),
    "by name": (
        r"^winograd_f2k5 can't serve x \(4, 4, 8\), weight \(6, 4, 3\): ",
        {"algorithm": "winograd_f2k5", "accuracy": "fast"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("text, keywords", SIGNALS.values(), ids=SIGNALS)
def test_conv1d_speaks_of_one_axis(text, keywords):
    with pytest.raises(ValueError, match=text):
        pyconv.conv1d(**{"x": S, "weight": F, **keywords})


def test_memory_errors_of_signals_have_one_axis():
    x = huge((2**40, 4, 8))
    with pytest.raises(
        MemoryError, match=rf"{2**40 * 6 * 6 * 4} bytes for an output of shape \({2**40}, 6, 6\)"
    ):
        pyconv.conv1d(x, F)


# Arrays of one number, larger than any memory. id: (bytes in the message, call)
HUGE = {
    "conv_transpose2d of x": (
        2**39 * 6 * 10 * 10 * 4,
        lambda: pyconv.conv_transpose2d(huge((2**39, 4, 8, 8)), np.ones((4, 6, 3, 3), "f4"))
    ),
    "conv_transpose2d of weight": (
        2**44 * 9 * 4, lambda: pyconv.conv_transpose2d(huge((1, 2**20, 8, 8)), huge((2**20, 2**24, 3, 3)))
    ),
    "conv_transpose2d of weight, strided": (
        2**44 * 2 * 4,
        lambda: pyconv.conv_transpose2d(huge((1, 2**20, 8, 8)), huge((2**20, 2**24, 1, 2)), stride=(2, 1)),
    ),
    "conv2d_backward_input": (
        2**44 * 9 * 4,
        lambda: pyconv.conv2d_backward_input(
            (1, 2**24, 8, 8), huge((2**20, 2**24, 3, 3)), huge((1, 2**20, 6, 6))
        ),
    ),
    "conv2d_backward_weight": (
        2**44 * 9 * 4,
        lambda: pyconv.conv2d_backward_weight(
            huge((1, 2**24, 8, 8)), (2**20, 2**24, 3, 3), huge((1, 2**20, 6, 6))
        ),
    ),
    "separable_conv2d": (
        2**40 * 6 * 6 * 6 * 4,
        lambda: pyconv.separable_conv2d(huge((2**40, 4, 8, 8)), W[:4, :1], W[..., 0, 0])
    ),
    "partial_conv2d": (2**40 * 4 * 8 * 8 * 4, lambda: pyconv.partial_conv2d(huge((2**40, 4, 8, 8)), W[:4])),
    "factorize": (2**40 * 9 * 8, lambda: pyconv.factorize(huge((2**20, 2**20, 3, 3)), 1)),
}  # fmt: skip


@pytest.mark.parametrize("nbytes, attempt", HUGE.values(), ids=HUGE)
def test_memory_errors_name_the_bytes(nbytes, attempt):
    with pytest.raises(MemoryError, match=rf"^cannot allocate {nbytes} bytes (for|of) "):
        attempt()


def test_an_error_leaves_out_and_inputs_untouched():
    x, w, b, out = X.copy(), W.copy(), B.copy(), np.full((1, 6, 6, 6), 7, "f4")
    for _, keywords in VALUES.values():
        if "x" in keywords or "weight" in keywords:
            continue
        with pytest.raises(ValueError):
            pyconv.conv2d(x, w, b, out=out, **keywords)
    assert (out == 7).all()
    for array, before in ((x, X), (w, W), (b, B)):
        np.testing.assert_array_equal(array, before)
