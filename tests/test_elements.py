# SPDX-License-Identifier: BSD-3-Clause
"""Every element type in and out, in every layout, with every border: exact, or within its accuracy class."""

from dataclasses import replace

import numpy as np
import pytest
from elements import AVAILABLE, ELEMENTS, as_element, computing
from helpers import Guarded, assert_close, element, integers, normal, plans, reference
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import problems

import pyconv

INTEGERS = ("uint8", "int8", "uint16", "int16")
BORDERS = ["zeros", "reflect", "replicate", "circular", "symmetric", ("constant", 3)]
UNITS = {"strict": 4, "standard": 16, "fast": 64}


def unaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)
    b = raw[1:].view(a.dtype).reshape(a.shape) if a.size else a
    b[...] = a
    return b


def strided(a):
    b = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)[..., ::2]
    b[...] = a
    return b


def reversed_(a):
    return np.ascontiguousarray(a[(slice(None, None, -1),) * a.ndim])[(slice(None, None, -1),) * a.ndim]


def swapped(a):
    """In the other byte order, which ml_dtypes has none of."""
    return a if a.dtype.kind not in "iuf" else a.astype(a.dtype.newbyteorder())


FORMS = [np.ascontiguousarray, unaligned, strided, reversed_, swapped]


def in_layout(a, layout):
    return a if layout == "NCHW" else np.ascontiguousarray(np.moveaxis(a, -3, -1))


@given(
    problems(dtypes=("float32", "float64"), elements=True), st.sampled_from(FORMS), st.sampled_from([1, 2])
)
def test_integers_are_exact(problem, form, threads):
    """By every strict algorithm, in poisoned memory, from arrays of every form, under every bound."""
    (x, w, b, r), exact = problem.exact()
    keywords = {**problem.geometry, "activation": problem.activation, "threads": threads,
                "dtype": x.dtype, "out_dtype": element(problem.out_dtype or problem.dtype)}  # fmt: skip
    right = as_element(exact, keywords["out_dtype"])
    x = form(x)
    for plan in plans(x.shape, w, b, accuracy="strict", **keywords):
        out = Guarded(right.shape, right.dtype, 0xFF)
        workspace = Guarded(plan.workspace_bytes, np.uint8, 0xA5)
        assert plan(x, out=out.array, workspace=workspace.array, residual=r) is out.array
        np.testing.assert_array_equal(out.array, right, err_msg=plan.algorithm)
        assert out.intact() and workspace.intact(), plan.algorithm
    used = plan.workspace_bytes + plan.packed_bytes
    for budget in (0, used // 2, used):
        plan = pyconv.plan(x.shape, w, b, accuracy="strict", max_workspace=budget, **keywords)
        assert plan.workspace_bytes + plan.packed_bytes <= budget
        np.testing.assert_array_equal(plan(x, residual=r), right, err_msg=f"{plan.algorithm} in {budget}")


@given(problems(elements=True))
def test_every_algorithm_is_within_its_class(problem):
    x, w, b, r = problem.arrays()
    out = element(problem.out_dtype or problem.dtype)
    keywords = {**problem.geometry, "activation": problem.activation}
    for accuracy, units in UNITS.items():
        for plan in plans(x.shape, w, b, accuracy=accuracy, dtype=x.dtype, out_dtype=out, **keywords):
            assert (plan.dtype, plan.weight_dtype, plan.out_dtype) == (x.dtype, w.dtype, out)
            y = plan(x, residual=r)
            assert_close(y, x, w, b, residual=r, label=plan.algorithm, units=units, out_dtype=out, **keywords)


@given(problems(elements=True))
def test_auto(problem):
    x, w, b, r = problem.arrays()
    keywords = {**problem.geometry, "activation": problem.activation, "residual": r}
    y = pyconv.conv2d(x, w, b, out_dtype=problem.out_dtype and element(problem.out_dtype), **keywords)
    out = element(problem.out_dtype or problem.dtype)
    assert_close(y, x, w, b, units=UNITS["standard"], out_dtype=out, **keywords)


@pytest.mark.slow
@given(
    problems(dtypes=("float32", "float64"), elements=True), st.sampled_from(FORMS), st.sampled_from([1, 2, 3])
)
def test_integers_are_exact_at_length(problem, form, threads):
    """Run with ``pytest -m slow --hypothesis-profile=slow``."""
    test_integers_are_exact.hypothesis.inner_test(problem, form, threads)


# n, c, h, w and filters of groups by rows and columns: photographs small and less so, dense and depthwise.
PHOTOS = [
    ((2, 1, 1, 1), (1, 1, 3, 3), {"padding": 2}),
    ((1, 3, 7, 1), (3, 1, 3, 5), {"padding": (1, 4), "groups": 3}),
    ((1, 3, 21, 37), (3, 1, 5, 5), {"padding": 2, "groups": 3}),
    ((1, 4, 18, 33), (4, 1, 3, 3), {"padding": 1, "groups": 4, "stride": 2}),
    ((2, 3, 19, 17), (8, 3, 3, 3), {"padding": "same"}),
    ((1, 3, 40, 43), (5, 3, 7, 7), {"padding": 3, "stride": 2}),
    ((1, 8, 12, 15), (9, 8, 3, 3), {"padding": 2, "dilation": 2}),
    ((1, 9, 14, 13), (6, 3, 3, 3), {"padding": ((0, 2), (3, 1)), "groups": 3}),
    ((1, 5, 9, 11), (7, 5, 1, 1), {"padding": 1}),
    ((1, 2, 33, 65), (2, 1, 11, 11), {"padding": "same", "groups": 2}),
]


@pytest.mark.parametrize("border", BORDERS, ids=str)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("name", ELEMENTS)
def test_photographs(name, layout, border):
    """Every element type x layout x border, by every strict algorithm."""
    dtype = element(name)
    for x_shape, w_shape, geometry in PHOTOS:
        x = integers(x_shape, "f8")
        x = as_element(np.abs(x) if dtype.kind == "u" else x, dtype)
        w = integers(w_shape, seed=1)
        keywords = {**geometry, "padding_mode": border, "layout": layout}
        given_x = in_layout(x, layout)
        right = as_element(reference(given_x, w, **keywords), dtype)
        for plan in plans(given_x.shape, w, accuracy="strict", dtype=dtype, out_dtype=dtype, **keywords):
            np.testing.assert_array_equal(plan(given_x), right, err_msg=f"{plan.algorithm} {x_shape}")


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", range(1, 10))
@pytest.mark.parametrize("name", ["uint8", "int16", "float16", "float32", "bfloat16"])
def test_every_number_of_channels(name, channels, layout):
    """Depthwise and dense, of a row that ends in every tail of a vector."""
    dtype = element(name)
    for width in (1, 5, 16, 31, 67):
        x = as_element(np.abs(integers((1, channels, 9, width), "f8", width)), dtype)
        x = in_layout(x, layout)
        for w, groups in ((integers((channels, 1, 3, 3)), channels), (integers((4, channels, 3, 3)), 1)):
            keywords = {"padding": 1, "padding_mode": "symmetric", "groups": groups, "layout": layout}
            right = as_element(reference(x, w, **keywords), dtype)
            for threads in (1, 2):
                types = {"dtype": dtype, "out_dtype": dtype}
                for plan in plans(x.shape, w, accuracy="strict", threads=threads, **types, **keywords):
                    np.testing.assert_array_equal(
                        plan(x), right, err_msg=f"{plan.algorithm} {width} {groups}"
                    )


@pytest.mark.parametrize(
    "shape", [(1, 1, 96, 256), (1, 3, 300, 290), (3, 2, 70, 513), (40, 3, 17, 19)], ids=str
)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_more_than_one_piece(shape, layout):
    """Images that no buffer holds as a whole, and many small ones, by one thread and several."""
    x = in_layout(np.abs(integers(shape, "f8")).astype("u1"), layout)
    channels = shape[1]
    for w, groups in ((integers((channels, 1, 5, 5)), channels), (integers((6, channels, 3, 3)), 1)):
        for border, stride in (("symmetric", 1), ("zeros", 2), (("constant", 200), (1, 3))):
            keywords = {
                "padding": 2,
                "padding_mode": border,
                "groups": groups,
                "stride": stride,
                "layout": layout,
            }
            right = as_element(reference(x, w, **keywords), "int16")
            residual = integers(right.shape, "int16", 3)
            for threads in (1, 2, 3):
                for plan in plans(x.shape, w, accuracy="strict", dtype="u1", out_dtype="i2", threads=threads,
                                  **keywords):  # fmt: skip
                    y = plan(x, residual=residual)
                    np.testing.assert_array_equal(y, right + residual, err_msg=f"{plan.algorithm} {threads}")


@pytest.mark.parametrize("name", ELEMENTS[2:])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_every_value_survives(name, layout):
    """A 1x1 kernel of one returns every pattern of one and two bytes: subnormals, infinities, NaN."""
    dtype = element(name)
    bits = np.arange(1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype)
    x = bits.reshape(1, 1, 16, -1) if layout == "NCHW" else bits.reshape(1, 16, -1, 1)
    one = np.ones((1, 1, 1, 1), "f4")
    for out in (dtype, np.dtype("f4"), np.dtype("f8")):
        for plan in plans(x.shape, one, accuracy="strict", dtype=dtype, out_dtype=out, layout=layout):
            y, right = (a.astype("f8") for a in (plan(x), x))  # NumPy does not know bfloat16's NaN
            np.testing.assert_array_equal(y, right, err_msg=plan.algorithm)


HALVES = [
    -np.inf, -1e30, -65537.5, -32768.5, -32767.5, -129.5, -128.5, -2.5, -1.5, -0.51, -0.5, -0.0, 0.49, 0.5,
    1.5, 2.5, 127.5, 254.5, 255.49, 255.5, 256.5, 32766.5, 32767.5, 65534.5, 65535.5, 1e30, np.inf, np.nan,
]  # fmt: skip


@pytest.mark.parametrize("inner", ["float32", "float64"])
@pytest.mark.parametrize("name", INTEGERS)
def test_integers_are_rounded_half_to_even_and_saturate(name, inner):
    """Every value at every place of a vector; NaN is 0."""
    x = np.array([np.roll(HALVES, shift) for shift in range(len(HALVES))], inner)[None, None]
    ends = np.iinfo(name)
    right = np.where(np.isnan(x), 0, np.clip(np.round(np.nan_to_num(x)), ends.min, ends.max)).astype(name)
    for plan in plans(x.shape, np.ones((1, 1, 1, 1), inner), accuracy="strict", out_dtype=name):
        np.testing.assert_array_equal(plan(x), right, err_msg=plan.algorithm)
    assert right.min() == ends.min and right.max() == ends.max


@pytest.mark.parametrize("name, half", [("bfloat16", 2.0**-8), ("float16", 2.0**-11), ("float32", 2.0**-24)])
def test_floats_are_rounded_once_half_to_even(name, half):
    """A little more than half a unit rounds up; by way of float32 it would be the half, and round down."""
    dtype = element(name)
    x = np.array(
        [1 + half, 1 + half + 2.0**-40, 1 + 3 * half, 1 + half - 2.0**-40, -1 - half, np.nan, 1e300, -1e300]
    )
    right = np.array([1, 1 + 2 * half, 1 + 4 * half, 1, -1, np.nan, np.inf, -np.inf])
    x, right = np.tile(x, 9).reshape(1, 1, 8, 9), np.tile(right, 9).reshape(1, 1, 8, 9)
    for plan in plans(x.shape, np.ones((1, 1, 1, 1)), accuracy="strict", out_dtype=dtype):
        np.testing.assert_array_equal(plan(x).astype("f8"), right, err_msg=plan.algorithm)


def test_float64_is_exact_by_float64_only():
    """1 + 2**-40 is 1 in float32, of which one rounding is allowed; by float64 it stays."""
    x = np.full((1, 1, 3, 3), 1 + 2.0**-40)
    for plan in plans(x.shape, np.ones((1, 1, 1, 1), "f4"), accuracy="strict", dtype="f8", out_dtype="f8"):
        y = plan(x)
        assert y.dtype == "f8" and (np.abs(y - x) <= 2.0**-24).all(), plan.algorithm
    for plan in plans(x.shape, np.ones((1, 1, 1, 1)), accuracy="strict"):
        assert (plan(x) == x).all()


def test_the_result_has_the_dtype_of_the_weight():
    for x, w in [
        ("u1", "f4"),
        ("u1", "f8"),
        ("f4", "f8"),
        ("f8", "f4"),
        ("f2", "f4"),
        ("f4", "f2"),
        ("i2", "f2"),
    ]:
        y = pyconv.conv2d(np.ones((2, 5, 5), x), np.full((3, 2, 3, 3), 0.5, w))
        assert y.dtype == w and (y == 9).all()


def test_activation_and_residual_come_before_rounding():
    x, w = np.full((1, 1, 2, 2), 3, "u1"), np.full((1, 1, 1, 1), 0.25, "f4")
    r = np.full((1, 1, 2, 2), 1, "i1")
    y = pyconv.conv2d(x, w, [0.5], residual=r, activation=("clip", -1, 2.125), out_dtype="i1")
    assert y.dtype == "i1" and (y == 2).all()  # 0.75 + 0.5 + 1 = 2.25, at most 2.125
    assert (pyconv.conv2d(x, w, [1.75], out_dtype="u1") == 2).all()  # 2.5
    assert (pyconv.conv2d(x, w, [-9.0], activation="relu", out_dtype="i1") == 0).all()


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("out_dtype", ["u1", "f4"])
def test_no_buffer_holds_a_photograph(layout, out_dtype):
    """Bytes are converted piece by piece."""
    shape = (1, 3, 1080, 1920) if layout == "NCHW" else (1, 1080, 1920, 3)
    for w, groups in ((normal((3, 1, 5, 5)), 3), (normal((3, 3, 3, 3)), 1)):
        plan = pyconv.plan(shape, w, groups=groups, layout=layout, dtype="u1", out_dtype=out_dtype, padding=2,
                           padding_mode="symmetric", threads=1)  # fmt: skip
        assert plan.workspace_bytes < np.prod(shape)


@pytest.mark.parametrize("name", ELEMENTS)
def test_nothing_is_made_of_nothing(name):
    """No images, no channels, no filters."""
    dtype = element(name)
    w = np.ones((3, 2, 3, 3), "f4")
    y = pyconv.conv2d(np.zeros((0, 2, 5, 5), dtype), w, padding=1, padding_mode="symmetric", out_dtype=dtype)
    assert y.shape == (0, 3, 5, 5) and y.dtype == dtype
    y = pyconv.conv2d(np.zeros((1, 0, 5, 5), dtype), w[:, :0], [1.0, 2.5, 3.5], out_dtype=dtype)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y[0, :, 0, 0], as_element(np.array([1, 2.5, 3.5]), dtype))
    y = pyconv.conv2d(np.zeros((1, 2, 5, 5), dtype), w[:0], out_dtype=dtype)
    assert y.shape == (1, 0, 3, 3) and y.dtype == dtype


def test_lists_are_weights_of_the_computing_type():
    kernel, bias = [[[[1, 2, 1]] * 2] * 3] * 2, [0.5, 1]
    for x_dtype, wanted in [("u1", "f4"), ("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("i2", "f4")]:
        x = np.ones((3, 5, 5), x_dtype)
        y = pyconv.conv2d(x, kernel, bias)
        assert y.dtype == wanted
        np.testing.assert_array_equal(y[:, 0, 0], [24.5, 25])
        plan = pyconv.plan(x.shape, kernel, bias, dtype=x_dtype)
        assert plan.weight_dtype == wanted and plan.dtype == x_dtype
        np.testing.assert_array_equal(plan(x), y)
    assert pyconv.plan((3, 5, 5), kernel).dtype == "f4"
    half = np.array(kernel, "f2")
    assert pyconv.conv2d(x, half, bias).dtype == "f2"  # the bias takes the type of the weight


def operators():
    """name -> (call of x and keywords, shape of x, the conv2d that it is: weight, groups, keywords)."""
    w, k, m = integers((4, 3, 3, 3), seed=1), integers((3, 1, 3, 3), seed=2), integers((4, 3), seed=3)
    yield (
        "conv1d",
        lambda x, **keys: pyconv.conv1d(x[0], w[:, :, 1], padding=2, **keys),
        (w[:, :, 1:2], 1, (0, 2)),
    )
    yield "depthwise_conv2d", lambda x, **keys: pyconv.depthwise_conv2d(x, k, padding=2, **keys), (k, 3, 2)
    yield (
        "pointwise_conv2d",
        lambda x, **keys: pyconv.pointwise_conv2d(x, m, padding=1, **keys),
        (m[:, :, None, None], 1, 1),
    )


@pytest.mark.parametrize("border", BORDERS, ids=str)
@pytest.mark.parametrize(
    "x_dtype, out_dtype", [("u1", "u1"), ("i2", None), ("f8", "i1"), ("f2", "f8"), ("bfloat16", "bfloat16")]
)
def test_guises_of_conv2d(x_dtype, out_dtype, border):
    x_dtype, out_dtype = element(x_dtype), out_dtype and element(out_dtype)
    for name, call, (w, groups, padding) in operators():
        x = as_element(np.abs(integers((1, 3, 1, 9) if name == "conv1d" else (2, 3, 5, 9), "f8")), x_dtype)
        given_x = x[:, :, 0] if name == "conv1d" else x
        exact = reference(x, w, groups=groups, padding=padding, padding_mode=border)
        y = call(given_x[None] if name == "conv1d" else x, padding_mode=border, out_dtype=out_dtype)
        right = as_element(exact, out_dtype or w.dtype)
        assert y.dtype == right.dtype, name
        np.testing.assert_array_equal(y, right[:, :, 0] if name == "conv1d" else right, err_msg=name)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("border", BORDERS, ids=str)
@pytest.mark.parametrize(
    "x_dtype, out_dtype", [("u1", "u1"), ("i2", None), ("f8", "i2"), ("f2", "f8"), ("f4", "f4")]
)
def test_separable(x_dtype, out_dtype, border, layout):
    x = in_layout(np.abs(integers((2, 3, 9, 8), x_dtype)), layout)
    k, m = integers((6, 1, 3, 3), seed=1), integers((5, 6), seed=2)
    keywords = {"padding": 2, "padding_mode": border, "layout": layout}
    middle = reference(x, k, integers(6, seed=4), groups=3, activation="relu", **keywords)
    exact = reference(middle, m[:, :, None, None], layout=layout)
    residual = integers(exact.shape, out_dtype or "f4", seed=3, top=2)
    if residual.dtype.kind == "u":
        residual = np.abs(integers(exact.shape, "i2", seed=3)).astype(residual.dtype)
    words = {**keywords, "depthwise_bias": integers(6, seed=4), "depthwise_activation": "relu"}
    y = pyconv.separable_conv2d(x, k, m, residual=residual, out_dtype=out_dtype, **words)
    right = as_element(exact + residual, out_dtype or "f4")
    assert y.dtype == right.dtype
    np.testing.assert_array_equal(y, right)
    plan = pyconv.plan_separable_conv2d(x.shape, k, m, dtype=x_dtype, out_dtype=out_dtype, **words)
    assert (plan.dtype, plan.weight_dtype, plan.out_dtype) == (np.dtype(x_dtype), np.dtype("f4"), right.dtype)
    out, workspace = Guarded(right.shape, right.dtype, 0xFF), Guarded(plan.workspace_bytes, np.uint8, 0xA5)
    plan(x, out.array, workspace.array, residual)
    np.testing.assert_array_equal(out.array, right)
    assert out.intact() and workspace.intact()


@pytest.mark.parametrize("border", BORDERS, ids=str)
@pytest.mark.parametrize("name", ELEMENTS)
def test_partial_keeps_the_dtype_of_x(name, border):
    dtype = element(name)
    x = as_element(np.abs(integers((2, 5, 7, 6), "f8")), dtype)
    w = integers((3, 3, 3, 3), seed=1)
    right = x.copy()
    right[:, :3] = as_element(reference(x[:, :3], w, padding=1, padding_mode=border), dtype)
    y = pyconv.partial_conv2d(x, w, padding_mode=border)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, right)
    assert pyconv.partial_conv2d(x, w, padding_mode=border, out=x) is x
    np.testing.assert_array_equal(x, right)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("stride", [1, 2, 3, (4, 1)])
@pytest.mark.parametrize(
    "x_dtype, out_dtype", [("u1", "u1"), ("i2", None), ("f8", "i1"), ("f2", "f8"), ("bfloat16", "bfloat16")]
)
def test_transposed(x_dtype, out_dtype, stride, layout):
    """As in float64, of which it is the rounding; also where no tap reaches, and the bias alone is left."""
    x_dtype, out_dtype = element(x_dtype), out_dtype and element(out_dtype)
    x = in_layout(as_element(np.abs(integers((2, 4, 5, 4), "f8")), x_dtype), layout)
    w, b = integers((4, 3, 2, 3), seed=1), np.array([2.5, -0.5, 300.0], "f4")
    keywords = {"stride": stride, "layout": layout}
    exact = pyconv.conv_transpose2d(x.astype("f8"), w.astype("f8"), b.astype("f8"), **keywords)
    right = as_element(exact, out_dtype or "f4")
    y = pyconv.conv_transpose2d(x, w, b, out_dtype=out_dtype, **keywords)
    assert y.dtype == right.dtype
    np.testing.assert_array_equal(y, right)
    plan = pyconv.plan_conv_transpose2d(x.shape, w, b, dtype=x_dtype, out_dtype=out_dtype, **keywords)
    assert (plan.dtype, plan.weight_dtype, plan.out_dtype) == (x_dtype, w.dtype, right.dtype)
    out, workspace = Guarded(right.shape, right.dtype, 0xFF), Guarded(plan.workspace_bytes, np.uint8, 0xA5)
    plan(x, out.array, workspace.array)
    np.testing.assert_array_equal(out.array, right)
    assert out.intact() and workspace.intact()


@pytest.mark.parametrize("border", BORDERS, ids=str)
@pytest.mark.parametrize("x_dtype, out_dtype", [("u1", "u1"), ("i2", None), ("f4", "f4")])
def test_factorized(x_dtype, out_dtype, border):
    """A box filter is a column times a row; the constant around the image is summed by both."""
    pair = pyconv.factorize(np.full((3, 1, 3, 5), 1 / 8, "f4"))
    x = np.abs(integers((2, 3, 9, 8), "i2", top=8)).astype(x_dtype)
    pair.vertical[...], pair.horizontal[...] = 0.5, 0.25
    pair.groups = 3
    plan = pair.plan(
        x.shape, [1.0, 2, 3], padding=(2, 6), padding_mode=border, dtype=x_dtype, out_dtype=out_dtype
    )
    exact = reference(
        x, np.full((3, 1, 3, 5), 1 / 8), [1, 2, 3], groups=3, padding=(2, 6), padding_mode=border
    )
    right = as_element(exact, out_dtype or "f4")
    assert (plan.dtype, plan.out_dtype) == (np.dtype(x_dtype), right.dtype)
    np.testing.assert_array_equal(plan(x), right)


def test_plans_say_their_types_and_borders():
    w = normal((3, 1, 3, 3))
    plan = pyconv.plan(
        (1, 3, 8, 8), w, groups=3, padding=1, padding_mode=("constant", 255), dtype="u1", out_dtype="i2"
    )
    assert "uint8 by float32 to int16" in repr(plan) and "uint8 by float32 to int16" in str(plan)
    assert "constant 255" in str(plan)
    plain = pyconv.plan((1, 3, 8, 8), w, groups=3, padding=1, padding_mode="mirror")
    assert " float32 " in repr(plain) and " reflect" in str(plain) and "by" not in repr(plain)
    report = pyconv.explain((1, 3, 8, 8), w.shape, groups=3, padding=1, padding_mode=("constant", 0.5),
                            dtype="f2", weight_dtype="f4", out_dtype="u1")  # fmt: skip
    assert "float16 by float32 to uint8" in report.title and "constant 0.5" in report.title
    assert "edge" not in pyconv.explain((1, 3, 8, 8), (3, 3, 3, 3), padding=1, padding_mode="edge").title


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize("out", ["uint8", "float32"])
def test_explain_says_what_plans_do(name, out):
    dtype = element(name)
    shape, w = (1, 12, 14, 3), normal((6, 3, 3, 3))
    keywords = {"layout": "NHWC", "padding": 1, "padding_mode": "symmetric", "out_dtype": out, "dtype": dtype}
    report = pyconv.explain(shape, w.shape, weight_dtype="f4", **keywords)
    assert [r["algorithm"] for r in report.rows if r["chosen"]] == [
        pyconv.plan(shape, w, **keywords).algorithm
    ]
    for row in report.rows:
        if row["eligible"]:
            plan = pyconv.plan(shape, w, algorithm=row["algorithm"], **keywords)
            for key in ("workspace_bytes", "packed_bytes", "multiplications"):
                assert row[key] == getattr(plan, key), row["algorithm"]
    measured = pyconv.explain((1, 3, 6, 6), (2, 3, 3, 3), dtype=dtype, out_dtype=out, measure=True).rows
    assert all((row["measured_seconds"] is not None) == row["eligible"] for row in measured)


def test_the_weight_that_explain_assumes():
    """That of x where weights can be of it, else float32."""
    for x, wanted in [("f2", "float16,"), ("f8", "float64,"), ("u1", "uint8 by float32 to float32,")]:
        assert wanted in pyconv.explain((1, 3, 8, 8), (4, 3, 3, 3), dtype=x).title


@pytest.mark.parametrize("name", ELEMENTS)
def test_operands_are_not_modified_and_repeat(name):
    dtype = element(name)
    x = as_element(np.abs(normal((2, 3, 20, 22), "f8")) * 9, dtype)
    before, w = x.copy(), normal((5, 3, 3, 3))
    plan = pyconv.plan(x.shape, w, padding=1, padding_mode="reflect", dtype=dtype, out_dtype=dtype, threads=2)
    y = plan(x)
    assert y.tobytes() == plan(x).tobytes() and x.tobytes() == before.tobytes()
    assert computing(plan.weight_dtype) == "f4"
    with pytest.raises(ValueError, match="out overlaps x in memory"):
        pyconv.conv2d(x[:, :1], w[:1, :1, :1, :1], out=x[:, :1], out_dtype=dtype)


def test_problems_of_elements_are_drawn():
    """Every element type on both sides; else the tests above would say less than they seem to."""
    seen = set()

    @settings(max_examples=300)
    @given(problems(elements=True))
    def draw(problem):
        seen.add(("x", problem.x_dtype))
        seen.add(("out", problem.out_dtype))
        assert replace(problem, seed=1).geometry == problem.geometry

    draw()
    assert {("x", name) for name in AVAILABLE} | {("out", name) for name in (None, *AVAILABLE)} <= seen
