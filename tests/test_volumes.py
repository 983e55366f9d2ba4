# SPDX-License-Identifier: BSD-3-Clause
"""conv3d: against the definition in float64, itself in two layouts, and PyTorch."""

import pickle

import numpy as np
import pytest
from elements import as_element, computing
from helpers import Guarded, integers, normal
from hypothesis import given
from hypothesis import strategies as st
from reference import conv2d, convolve

import pyconv

LAYOUTS = ["NCDHW", "NDHWC"]
MODES = ["zeros", "reflect", "replicate", "circular", "symmetric", ("constant", 3)]


def last(a, layout):
    """An array of volumes in NCDHW, put into the layout."""
    return np.ascontiguousarray(np.moveaxis(a, -4, -1)) if layout == "NDHWC" else a


def first(a, layout):
    return np.moveaxis(a, -1, -4) if layout == "NDHWC" else a


def run(x, w, b=None, *, layout="NCDHW", residual=None, **keywords):
    """The plan's result in NCDHW, with poisoned, guarded memory; the function's is the same."""
    x, residual = last(x, layout), None if residual is None else last(residual, layout)
    plan = pyconv.plan_conv3d(x.shape, w, b, layout=layout, dtype=x.dtype, **keywords)
    workspace = Guarded(plan.workspace_bytes, np.uint8, 0xFF)
    out = Guarded(plan.output_shape, plan.out_dtype, 0xFF)
    assert plan(x, out.array, workspace.array, residual) is out.array
    assert out.intact() and workspace.intact()
    y = pyconv.conv3d(x, w, b, layout=layout, residual=residual, workspace=plan.new_workspace(), **keywords)
    np.testing.assert_array_equal(y, out.array)
    return first(out.array, layout)


def test_the_reference_is_that_of_two_axes():
    x, w, b = normal((2, 4, 9, 11), "f8"), normal((6, 2, 3, 4), "f8", 1), normal(6, "f8", 2)
    keywords = {
        "stride": (2, 3),
        "padding": ((1, 2), (0, 3)),
        "dilation": (2, 1),
        "groups": 2,
        "padding_mode": "reflect",
    }
    np.testing.assert_allclose(convolve(x, w, b, **keywords), conv2d(x, w, b, **keywords), atol=1e-12)
    channels_last = convolve(np.moveaxis(x, 1, -1), w, b, channels_last=True, **keywords)
    np.testing.assert_allclose(
        channels_last, conv2d(np.moveaxis(x, 1, -1), w, b, layout="NHWC", **keywords), atol=1e-12
    )


def test_the_reference_along_three_axes():
    """Slice by slice, the sum of convolutions of two axes."""
    x, w = normal((2, 3, 6, 7, 8), "f8"), normal((4, 3, 2, 3, 3), "f8", 1)
    y = convolve(x, w, stride=(2, 1, 1), padding=(0, 1, 1))
    for d in range(3):
        exact = sum(conv2d(x[:, :, 2 * d + t], w[:, :, t], padding=1) for t in range(2))
        np.testing.assert_allclose(y[:, :, d], exact, atol=1e-12)


paddings = st.one_of(
    st.integers(0, 2),
    st.tuples(*[st.integers(0, 2)] * 3),
    st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 3),
    st.sampled_from(["valid", "same", "same_lower", "full"]),
)
threes = st.one_of(st.integers(1, 2), st.tuples(*[st.integers(1, 3)] * 3))


@given(
    dtype=st.sampled_from(["float32", "float64", "float16"]),
    layout=st.sampled_from(LAYOUTS),
    lead=st.sampled_from([(), (2,), (2, 2), (0,)]),
    groups=st.sampled_from([1, 1, 2, 3]),
    channels=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    kernel=st.tuples(*[st.integers(1, 4)] * 3)
    | st.sampled_from([(1, 1, 1), (1, 3, 3), (3, 1, 1), (1, 1, 3)]),
    more=st.tuples(*[st.integers(0, 6)] * 3),
    stride=threes,
    dilation=threes,
    padding=paddings,
    mode=st.sampled_from(MODES),
    bias=st.booleans(),
    residual=st.booleans(),
    activation=st.sampled_from([None, "relu", ("clip", -2.0, 3.0)]),
    budget=st.sampled_from([None, None, 0, 2000]),
)
def test_whole_parameter_space(
    dtype, layout, lead, groups, channels, kernel, more, stride, dilation, padding, mode, bias, residual,
    activation, budget,
):  # fmt: skip
    """Small integers, whose sums are exact in any order: bit for bit."""
    size = [
        (k - 1) * d + 1 + m
        for k, d, m in zip(kernel, np.broadcast_to(dilation, 3).tolist(), more, strict=True)
    ]
    x, w = (
        integers((*lead, groups * channels[0], *size), dtype),
        integers((groups * channels[1], channels[0], *kernel), dtype, 1),
    )
    b = integers(len(w), dtype, 2) if bias else None
    keywords = {
        "stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "padding_mode": mode,
        "activation": activation,
    }  # fmt: skip
    shape = convolve(x, w, b, **keywords).shape
    r = integers(shape, dtype, 3) if residual else None
    exact = convolve(x, w, b, residual=r, **keywords)
    y = run(x, w, b, layout=layout, residual=r, max_workspace=budget, accuracy="strict", **keywords)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, exact.astype(dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", pyconv.algorithms())
def test_algorithms_by_name(name, layout):
    """Each of what it serves of slices, within its class; else it says why not."""
    x, b = normal((2, 8, 7, 12, 13)), normal(9, seed=2)
    served = 0
    for kernel in [(3, 3, 3), (2, 2, 2), (3, 1, 7), (2, 4, 4), (3, 5, 5), (1, 1, 1)]:
        w = normal((9, 8, *kernel), seed=1)
        try:
            plan = pyconv.plan_conv3d(
                last(x, layout).shape, w, b, layout=layout, algorithm=name, accuracy="fast", padding="same"
            )
        except pyconv.UnsupportedError:
            continue
        assert plan.algorithm == name
        served += 1
        y = first(plan(last(x, layout)), layout)
        exact = convolve(x, w, b, padding="same")
        bound = 1e-6 if plan.accuracy == "strict" else 3e-5
        assert np.linalg.norm(y - exact) <= bound * np.linalg.norm(
            convolve(abs(x), abs(w), abs(b), padding="same")
        )
    assert served or name in ("depthwise", "direct_simd")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("x_dtype", ["uint8", "int8", "uint16", "int16", "float64", "float16"])
@pytest.mark.parametrize("out_dtype", [None, "uint8", "int16", "float16"])
def test_elements(x_dtype, out_dtype, layout):
    values = normal((2, 3, 6, 9, 10), "f8") * 32
    x = as_element(np.abs(values) if x_dtype[0] == "u" else values, np.dtype(x_dtype))
    w, b = integers((4, 3, 3, 3, 3), top=1), integers(4, seed=2)
    keywords = {"padding": 1, "padding_mode": ("constant", 7)}
    exact = convolve(x, w, b, **keywords)
    y = run(x, w, b, layout=layout, out_dtype=out_dtype, **keywords)
    dtype = np.dtype("float32" if out_dtype is None else out_dtype)
    assert y.dtype == dtype
    if dtype.kind in "iu":
        exact = np.clip(np.rint(exact), np.iinfo(dtype).min, np.iinfo(dtype).max)
    tolerance = {"f": 1e-2 if dtype == "float16" or x_dtype[0] == "f" else 1e-4, "i": 1, "u": 1}[dtype.kind]
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(
            y.astype("f8"), exact.astype(dtype).astype("f8"), rtol=1e-3, atol=tolerance
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strided_results_and_inputs(layout):
    x, w = integers((2, 3, 5, 6, 7)), integers((4, 3, 3, 3, 3), seed=1)
    exact = last(convolve(x, w, padding=1).astype("f4"), layout)
    given_x = last(x, layout)[..., ::-1].copy()[..., ::-1]
    wide = np.full((*exact.shape[:-1], 2 * exact.shape[-1]), np.nan, np.float32)
    assert pyconv.conv3d(given_x, w, padding=1, layout=layout, out=wide[..., ::2]) is not None
    np.testing.assert_array_equal(wide[..., ::2], exact)
    assert np.isnan(wide[..., 1::2]).all()
    np.testing.assert_array_equal(
        pyconv.conv3d(given_x.tolist(), w.tolist(), padding=1, layout=layout), exact
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_workspace_does_not_grow_with_the_depth(layout):
    w = normal((8, 8, 3, 3, 3))
    shapes = [(8, d, 12, 12) if layout == "NCDHW" else (d, 12, 12, 8) for d in (20, 200)]
    small, large = (pyconv.plan_conv3d(s, w, layout=layout, padding=1).workspace_bytes for s in shapes)
    assert small == large


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("budget", [0, 10_000, 100_000, "1MB"])
def test_budgets_are_kept(budget, layout):
    x, w = integers((8, 6, 12, 12)), integers((8, 8, 3, 3, 3), seed=1)
    keywords = {"padding": 1, "layout": layout, "max_workspace": budget, "accuracy": "strict"}
    plan = pyconv.plan_conv3d(last(x, layout).shape, w, **keywords)
    assert plan.workspace_bytes + plan.packed_bytes <= (1_000_000 if budget == "1MB" else budget)
    np.testing.assert_array_equal(
        first(plan(last(x, layout)), layout), convolve(x, w, padding=1).astype("f4")
    )
    with pytest.raises(pyconv.UnsupportedError, match=r"max_workspace allows 0"):
        pyconv.plan_conv3d(last(x, layout).shape, w, algorithm="im2col", **keywords | {"max_workspace": 0})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_channels_no_filters_no_batch(layout):
    x, b = integers((2, 4, 5, 6, 7)), integers(3, seed=1)
    y = pyconv.conv3d(last(x[:, :0], layout), np.zeros((3, 0, 2, 2, 2), "f4"), b, layout=layout)
    np.testing.assert_array_equal(first(y, layout), np.broadcast_to(b[:, None, None, None], (2, 3, 4, 5, 6)))
    assert first(
        pyconv.conv3d(last(x, layout), np.zeros((0, 4, 2, 2, 2), "f4"), layout=layout), layout
    ).shape == (2, 0, 4, 5, 6)
    assert first(
        pyconv.conv3d(last(x[:0], layout), np.zeros((3, 4, 2, 2, 2), "f4"), layout=layout), layout
    ).shape == (0, 3, 4, 5, 6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("algorithm", ["auto", "direct"])
def test_a_weight_that_is_nan_meets_the_padding(algorithm, layout):
    """Zeros around a volume take part in the sums, in front of it, too."""
    x, w = integers((2, 4, 5, 5)), integers((2, 2, 3, 3, 3), seed=1)
    w[1, 0, 0, 1, 1] = np.nan
    y = first(
        pyconv.conv3d(last(x, layout), w, padding=1, layout=layout, algorithm=algorithm, accuracy="strict"),
        layout,
    )
    assert np.isnan(y[1]).all()
    np.testing.assert_array_equal(y[0], convolve(x, w[:1], padding=1)[0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_modified_and_plans_follow_no_weight(layout):
    x, w = integers((3, 5, 6, 7)), integers((4, 3, 3, 3, 3), seed=1)
    x, exact = last(x, layout), convolve(x, w)
    kept = x.copy(), w.copy()
    plan = pyconv.plan_conv3d(x.shape, w, layout=layout)
    np.testing.assert_array_equal(first(plan(x), layout), exact.astype("f4"))
    assert (x == kept[0]).all() and (w == kept[1]).all()
    w[:] = 0
    np.testing.assert_array_equal(first(plan(x), layout), exact.astype("f4"))
    with pytest.raises(AttributeError, match="immutable"):
        plan.threads = 3
    assert "VolumePlan" in repr(plan)


@pytest.mark.parametrize(
    "stride, padding, dilation, groups",
    [(1, 1, 1, 1), (2, 1, 1, 1), ((1, 2, 2), (0, 1, 2), 1, 2), (1, "same", 2, 4)],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_by_torch(stride, padding, dilation, groups, layout):
    torch = pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")
    x, w, b = normal((2, 8, 9, 14, 15)), normal((12, 8 // groups, 3, 3, 3), seed=1), normal(12, seed=2)
    theirs = torch.nn.functional.conv3d(
        *map(torch.from_numpy, (x, w, b)), stride, padding, dilation, groups
    ).numpy()
    keywords = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    np.testing.assert_allclose(run(x, w, b, layout=layout, **keywords), theirs, rtol=1e-3, atol=1e-3)


X, W = np.zeros((1, 4, 5, 6, 7), np.float32), np.zeros((6, 4, 3, 3, 3), np.float32)


@pytest.mark.parametrize(
    "arguments, keywords, error, text",
    [
        ((X[0, 0], W), {}, ValueError, r"x must have at least 4 dimensions .* has shape \(5, 6, 7\)"),
        ((X, W[0]), {}, ValueError, r"weight must have 5 dimensions .* has shape \(4, 3, 3, 3\)"),
        ((X, W[:, :3]), {}, ValueError, "weight has 3 input channels per group, x has 4 channels / 1 groups"),
        ((X, W), {"groups": 3}, ValueError, "4 channels of x do not divide by groups=3"),
        ((X, W), {"groups": 0}, ValueError, "groups must be positive, is 0"),
        ((X, W), {"stride": (1, 0, 1)}, ValueError, r"stride must be positive, is \(1, 0, 1\)"),
        ((X, W), {"stride": (1, 2)}, ValueError, "stride must be an int or three, has 2 values"),
        ((X, W), {"dilation": 0}, ValueError, r"dilation must be positive .* is \(0, 0, 0\)"),
        (
            (X, W),
            {"padding": (0, -1, 0)},
            ValueError,
            r"padding must not be negative, is \(\(0, 0\), \(-1, -1\), \(0, 0\)\)",
        ),
        ((X, W), {"padding": (1, 2)}, ValueError, r"padding must be an int, three or .* is \(1, 2\)"),
        ((X, W), {"padding": "some"}, ValueError, "padding must be an int, three.* is 'some'"),
        (
            (X, W),
            {"dilation": (3, 1, 1)},
            ValueError,
            r"3x3x3 kernel with dilation \(3, 1, 1\) is larger than the 5x6x7 input",
        ),
        ((X, W), {"layout": "NCHW"}, ValueError, "layout must be one of 'NCDHW', 'NDHWC', is 'NCHW'"),
        ((X, W), {"algorithm": "none"}, ValueError, "algorithm must be one of"),
        (
            (X, W),
            {"algorithm": "pointwise"},
            pyconv.UnsupportedError,
            "pointwise can't serve .* 1x1 kernels only",
        ),
        ((X, W), {"stride": 1 << 41}, ValueError, r"the sizes overflow: x \(1, 4, 5, 6, 7\)"),
        ((X, W), {"padding": 1 << 20}, ValueError, "the sizes overflow"),
        ((X, W), {"activation": "tanh"}, ValueError, "activation must be"),
        ((X, W), {"threads": 0}, ValueError, "threads must be positive, is 0"),
        ((X.astype(int), W), {}, TypeError, "x must be float32, .* is int64"),
        ((X, W.astype(int)), {}, TypeError, "weight must be float32, float64 or float16, is int64"),
        ((X, W, np.zeros(5, "f4")), {}, ValueError, r"bias has shape \(5,\), wanted \(6,\)"),
        ((X, W, np.zeros(6, "f8")), {}, TypeError, "bias is float64, weight is float32"),
        (
            (X, W),
            {"out": np.zeros((1, 6, 3, 4, 4), "f4")},
            ValueError,
            r"out has shape .* wanted \(1, 6, 3, 4, 5\)",
        ),
        ((X, W), {"workspace": np.zeros(0, "u1")}, ValueError, "workspace has 0 bytes, this plan needs"),
        (
            (X, W),
            {"residual": X},
            ValueError,
            r"residual has shape \(1, 4, 5, 6, 7\), wanted \(1, 6, 3, 4, 5\)",
        ),
        (
            (np.zeros((1, 4, 0, 6, 7), "f4"), W),
            {},
            ValueError,
            "at least one slice, row and column, has 4 channels of 0x6x7",
        ),
        (
            (X, np.zeros((6, 4, 0, 3, 3), "f4")),
            {},
            ValueError,
            "weight needs at least one slice, row and column",
        ),
        (
            (X.astype("u1"), W),
            {"padding": 1, "padding_mode": ("constant", 300)},
            ValueError,
            "does not fit x, which is uint8",
        ),
    ],
)
def test_errors_say_the_numbers(arguments, keywords, error, text):
    with pytest.raises(error, match=text):
        pyconv.conv3d(*arguments, **keywords)


def test_memory_that_overlaps_is_refused():
    x = integers((1, 4, 6, 6, 6))
    w = integers((4, 4, 1, 1, 1), seed=1)
    with pytest.raises(ValueError, match="out overlaps x in memory"):
        pyconv.conv3d(x, w, out=x)
    with pytest.raises(ValueError, match="out overlaps weight in memory"):
        big = np.zeros(4 * 216, np.float32)
        pyconv.conv3d(x, big[:16].reshape(4, 4, 1, 1, 1), out=big.reshape(1, 4, 6, 6, 6))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_threads_do_not_change_the_result(layout):
    x, w = normal((1, 16, 9, 30, 31)), normal((24, 16, 3, 3, 3), seed=1)
    one, two = (run(x, w, layout=layout, padding=1, threads=t) for t in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(two, run(x, w, layout=layout, padding=1, threads=2))


def test_lists_are_computed_in_float32():
    assert computing(pyconv.conv3d(np.ones((1, 2, 2, 2), "u1"), [[[[[1.0]]]]]).dtype) == np.float32


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (3, 1, 1)])
@pytest.mark.parametrize("bound", [None, 0])
def test_plans_are_pickled(bound, kernel):
    x, w, b = integers((2, 3, 5, 6, 7)), integers((4, 3, *kernel), seed=1), integers(4, seed=2)
    plan = pyconv.plan_conv3d(x.shape, w, b, padding=1, max_workspace=bound)
    other = pickle.loads(pickle.dumps(plan))
    assert repr(other) == repr(plan)
    np.testing.assert_array_equal(other(x), plan(x))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dilation", [1, (2, 1, 1), (3, 2, 1)])
@pytest.mark.parametrize("stride", [1, (2, 1, 1), (3, 2, 2)])
@pytest.mark.parametrize("channels, size", [(2, (41, 4, 5)), (1, (41, 4, 5)), (8, (9, 150, 190))])
def test_deep_and_large_volumes(channels, size, stride, dilation, layout):
    """Of more slices than are computed at once, or than caches hold."""
    x, w = integers((channels, *size)), integers((3, channels, 3, 1, 2), seed=1)
    for mode in ["circular", "zeros"]:
        keywords = {"stride": stride, "dilation": dilation, "padding": (3, 0, 1), "padding_mode": mode}
        exact = convolve(x, w, **keywords)
        y = run(x, w, layout=layout, accuracy="strict", **keywords)
        np.testing.assert_array_equal(y, exact.astype("f4"))
        if channels < 3:
            y = run(x.astype("i2"), w, layout=layout, accuracy="strict", out_dtype="i2", **keywords)
            np.testing.assert_array_equal(y, exact)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@given(
    n=st.integers(1, 2),
    channels=st.sampled_from([1, 2, 16, 21]),
    kernel=st.tuples(st.integers(2, 4), st.sampled_from([1, 2, 3, 5]), st.sampled_from([2, 3, 4])),
    more=st.tuples(*[st.integers(0, 9)] * 3),
    stride=threes,
    dilation=threes,
    padding=st.integers(0, 2) | st.tuples(*[st.integers(0, 4)] * 3),
    bias=st.booleans(),
    activation=st.sampled_from([None, ("clip", -2.0, 3.0)]),
    threads=st.sampled_from([1, 2]),
)
def test_depthwise(
    dtype, layout, n, channels, kernel, more, stride, dilation, padding, bias, activation, threads
):
    """By kernels of its own; slices of the result may have no tap in the volume."""
    size = [
        (k - 1) * d + 1 + m
        for k, d, m in zip(kernel, np.broadcast_to(dilation, 3).tolist(), more, strict=True)
    ]
    x, w = integers((n, channels, *size), dtype), integers((channels, 1, *kernel), dtype, 1)
    b = integers(channels, dtype, 2) if bias else None
    keywords = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": channels,
        "activation": activation,
    }
    r = integers(convolve(x, w, **keywords).shape, dtype, 3) if bias else None
    exact = convolve(x, w, b, residual=r, **keywords)
    keywords |= {"accuracy": "strict", "algorithm": "depthwise", "threads": threads}
    y = run(x, w, b, layout=layout, residual=r, **keywords)
    np.testing.assert_array_equal(y, exact.astype(dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bound", [None, 0, 50_000])
@pytest.mark.parametrize(
    "channels, filters, groups, kernel",
    [
        (4, 6, 1, (3, 3, 3)),
        (4, 4, 4, (3, 3, 3)),
        (4, 6, 2, (2, 3, 3)),
        (4, 6, 1, (1, 3, 3)),
        (1, 1, 1, (3, 2, 2)),
    ],
)
def test_explain_tells_what_plans_take(channels, filters, groups, kernel, bound, layout):
    x, w = integers((2, channels, 7, 9, 10)), integers((filters, channels // groups, *kernel), seed=1)
    x = last(x, layout)
    words = {"layout": layout, "groups": groups, "padding": 1, "max_workspace": bound}
    report = pyconv.explain(x.shape, w.shape, **words)
    assert "NCDHW" in str(report) or "NDHWC" in str(report)
    rows = {row["algorithm"]: row for row in report.rows}
    assert rows.keys() == set(pyconv.algorithms())
    plan = pyconv.plan_conv3d(x.shape, w, **words)
    assert [name for name, row in rows.items() if row["chosen"]] == [plan.algorithm]
    for name, row in rows.items():
        if not row["eligible"]:
            with pytest.raises(pyconv.UnsupportedError):
                pyconv.plan_conv3d(x.shape, w, algorithm=name, **words)
            continue
        named = pyconv.plan_conv3d(x.shape, w, algorithm=name, **words)
        assert named.workspace_bytes == row["workspace_bytes"], name
        assert named.accuracy == row["accuracy"] and row["predicted_seconds"] > 0
        assert named.multiplications == row["multiplications"], name


def test_explain_measures_volumes():
    report = pyconv.explain((1, 2, 4, 5, 6), (3, 2, 2, 2, 2), layout="NCDHW", measure=True)
    assert all(row["measured_seconds"] > 0 for row in report.rows if row["eligible"])
