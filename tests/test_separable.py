# SPDX-License-Identifier: BSD-3-Clause
"""separable_conv2d: against the reference twice, and PyTorch; fused or not, the same numbers."""

import numpy as np
import pytest
from helpers import ULP, Guarded, integers, normal, reference
from hypothesis import given
from hypothesis import strategies as st

import pyconv

LAYOUTS = ["NCHW", "NHWC"]


def last(a, layout):
    return np.ascontiguousarray(np.moveaxis(a, -3, -1)) if layout == "NHWC" else a


def twice(
    x, kernels, matrix, bias=None, between=None, *, depthwise_activation=None, activation=None,
    residual=None, layout="NCHW", **geometry,
):  # fmt: skip
    """The definition: depthwise, then pointwise, in float64."""
    groups = x.shape[-3 if layout == "NCHW" else -1]
    middle = reference(
        x, kernels, between, groups=groups, layout=layout, activation=depthwise_activation, **geometry
    )
    return reference(
        middle, matrix[:, :, None, None], bias, layout=layout, activation=activation, residual=residual
    )


def run(plan, x, residual=None):
    """The plan's result, with the memory around workspace and result looked after."""
    workspace, out = Guarded(plan.workspace_bytes, np.uint8, 0xFF), Guarded(plan.output_shape, x.dtype, 0xFF)
    assert plan(x, out.array, workspace.array, residual) is out.array
    assert out.intact() and workspace.intact()
    return out.array


@given(
    dtype=st.sampled_from(["float32", "float64", "float16"]),
    layout=st.sampled_from(LAYOUTS),
    lead=st.sampled_from([(), (1,), (3,), (2, 2), (0,)]),
    channels=st.tuples(st.integers(1, 20), st.sampled_from([1, 1, 2]), st.integers(1, 40)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    padding=st.integers(0, 2) | st.sampled_from(["valid", "same", "full"]),
    padding_mode=st.sampled_from(["zeros", "zeros", "replicate"]),
    size=st.tuples(st.integers(9, 20), st.integers(9, 20)),
    bias=st.booleans(),
    between=st.booleans(),
    activations=st.tuples(st.sampled_from([None, "relu6"]), st.sampled_from([None, "relu"])),
    residual=st.booleans(),
    threads=st.integers(1, 2),
)
def test_whole_parameter_space(
    dtype, layout, lead, channels, kernel, stride, dilation, padding, padding_mode, size, bias, between,
    activations, residual, threads,
):  # fmt: skip
    c, multiplier, k = channels
    x = last(normal((*lead, c, *size), dtype), layout)
    kernels, matrix = normal((c * multiplier, 1, *kernel), dtype, 1), normal((k, c * multiplier), dtype, 2)
    b = normal(k, dtype, 3) if bias else None
    d = normal(c * multiplier, dtype, 4) if between else None
    keywords = {
        "stride": stride, "dilation": dilation, "padding": padding, "padding_mode": padding_mode,
        "layout": layout, "depthwise_activation": activations[0], "activation": activations[1],
    }  # fmt: skip
    shape = twice(x, kernels, matrix, **keywords).shape
    r = normal(shape, dtype, 5) if residual else None
    exact = twice(x, kernels, matrix, b, d, residual=r, **keywords)
    size = np.linalg.norm(
        twice(
            *(None if a is None else np.abs(a.astype("f8")) for a in (x, kernels, matrix, b, d)),
            residual=None if r is None else np.abs(r.astype("f8")),
            **{**keywords, "depthwise_activation": None, "activation": None},
        )
    )
    plan = pyconv.plan_separable_conv2d(
        x.shape, kernels, matrix, b, depthwise_bias=d, threads=threads, accuracy="strict", **keywords
    )
    y = run(plan, x, r)
    assert y.shape == exact.shape == plan.output_shape and y.dtype == dtype
    bound = 16 * ULP["float32" if dtype == "float16" else dtype] * size
    if dtype == "float16":  # rounded once
        bound += ULP[dtype] * np.linalg.norm(exact) + 2.0**-24 * exact.size**0.5
    assert np.linalg.norm(y.astype("f8") - exact) <= bound


BLOCKED = [
    ((1, 32, 57, 60), 64, (3, 3), {"padding": 1}),
    ((2, 70, 33, 31), 45, (3, 3), {"padding": 1, "stride": 2}),
    ((3, 300, 14, 14), 33, (5, 5), {"padding": 2}),
    ((1, 600, 7, 7), 130, (3, 3), {"padding": 1}),
    ((1, 3, 150, 300), 5, (3, 7), {"padding": "same", "dilation": 2}),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("x_shape, filters, kernel, keywords", BLOCKED)
def test_exact_on_integers_and_for_any_threads(x_shape, filters, kernel, keywords, layout):
    c = x_shape[1]
    x = last(integers(x_shape, top=2), layout)
    kernels, matrix = integers((c, 1, *kernel), seed=1, top=2), integers((filters, c), seed=2, top=2)
    keywords = {**keywords, "layout": layout, "accuracy": "strict"}
    exact = pyconv.conv2d(x, kernels, groups=c, algorithm="direct", **keywords)
    exact = pyconv.conv2d(exact, matrix[:, :, None, None], algorithm="direct", layout=layout)
    for threads in (1, 2, 3):
        plan = pyconv.plan_separable_conv2d(x.shape, kernels, matrix, threads=threads, **keywords)
        np.testing.assert_array_equal(run(plan, x), exact)


def test_mobile_layers_are_fused_in_nhwc():
    matrix = normal((128, 128, 1, 1))
    if pyconv.plan((1, 56, 56, 128), matrix, layout="NHWC").algorithm != "pointwise":
        pytest.skip("BLAS multiplies faster than the kernels of this instruction set")
    plan = pyconv.plan_separable_conv2d(
        (1, 56, 56, 128), normal((128, 1, 3, 3)), matrix, padding=1, layout="NHWC"
    )
    assert plan.fused and plan.workspace_bytes < 56 * 56 * 128 * 4


def test_threads_give_the_same_bits():
    x, kernels, matrix = normal((2, 28, 28, 64)), normal((64, 1, 3, 3), seed=1), normal((96, 64), seed=2)
    plan = pyconv.plan_separable_conv2d(x.shape, kernels, matrix, padding=1, layout="NHWC", threads=2)
    y = plan(x)
    for _ in range(5):
        np.testing.assert_array_equal(plan(x), y)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_by_torch(layout):
    torch = pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")
    x, kernels, matrix = normal((2, 24, 31, 29)), normal((24, 1, 3, 3), seed=1), normal((40, 24), seed=2)
    d, b = normal(24, seed=3), normal(40, seed=4)
    tensors = [torch.from_numpy(a) for a in (x, kernels, d, matrix[:, :, None, None], b)]
    functional = torch.nn.functional
    middle = functional.relu6(functional.conv2d(tensors[0], tensors[1], tensors[2], 2, 1, groups=24))
    theirs = functional.relu(functional.conv2d(middle, tensors[3], tensors[4])).numpy()
    ours = pyconv.separable_conv2d(
        last(x, layout), kernels, matrix, b, depthwise_bias=d, depthwise_activation="relu6",
        activation="relu", stride=2, padding=1, layout=layout,
    )  # fmt: skip
    np.testing.assert_allclose(ours, last(theirs, layout), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_is_bounded(layout):
    x = last(normal((1, 32, 40, 40)), layout)
    kernels, matrix = normal((32, 1, 3, 3), seed=1), normal((64, 32), seed=2)
    plan = pyconv.plan_separable_conv2d(x.shape, kernels, matrix, padding=1, layout=layout)
    assert plan.packed_bytes >= matrix.nbytes
    for bound in (plan.workspace_bytes + plan.packed_bytes, 250_000):
        small = pyconv.plan_separable_conv2d(
            x.shape, kernels, matrix, padding=1, layout=layout, max_workspace=bound
        )
        assert small.workspace_bytes + small.packed_bytes <= bound
        np.testing.assert_allclose(small(x), plan(x), rtol=1e-4, atol=1e-4)
    with pytest.raises(
        pyconv.UnsupportedError, match=r"needs 204800 bytes of workspace between .* allows 10"
    ):
        pyconv.separable_conv2d(x, kernels, matrix, padding=1, layout=layout, max_workspace=10)


def test_refuses():
    x, kernels, matrix = (np.zeros(shape, np.float32) for shape in ((2, 4, 8, 8), (4, 1, 3, 3), (6, 4)))
    with pytest.raises(ValueError, match=r"depthwise_weight must have shape .* has shape \(4, 2, 3, 3\)"):
        pyconv.separable_conv2d(x, np.zeros((4, 2, 3, 3), np.float32), matrix)
    with pytest.raises(ValueError, match=r"pointwise_weight must have shape .* has shape \(6, 4, 3, 3\)"):
        pyconv.separable_conv2d(x, kernels, np.zeros((6, 4, 3, 3), np.float32))
    with pytest.raises(ValueError, match="pointwise_weight reads 5 channels, depthwise_weight makes 4"):
        pyconv.separable_conv2d(x, kernels, np.zeros((6, 5), np.float32))
    with pytest.raises(
        ValueError, match="6 filters of depthwise_weight do not divide by the 4 channels of x"
    ):
        pyconv.separable_conv2d(x, np.zeros((6, 1, 3, 3), np.float32), np.zeros((6, 6), np.float32))
    with pytest.raises(TypeError, match="pointwise_weight is float64, depthwise_weight is float32"):
        pyconv.separable_conv2d(x, kernels, matrix.astype("f8"))
    with pytest.raises(TypeError, match=r"x must be .* or bfloat16, is int64: pass x\.astype"):
        pyconv.separable_conv2d(x.astype(int), kernels, matrix)
    with pytest.raises(TypeError, match="x is float64, the plan is float32"):
        pyconv.plan_separable_conv2d(x.shape, kernels, matrix)(x.astype("f8"))
    with pytest.raises(ValueError, match=r"depthwise_bias has shape \(6,\), wanted \(4,\)"):
        pyconv.separable_conv2d(x, kernels, matrix, depthwise_bias=np.zeros(6, np.float32))
    with pytest.raises(TypeError, match="x_shape must be a tuple of ints, is 8"):
        pyconv.plan_separable_conv2d(8, kernels, matrix)
    with pytest.raises(ValueError, match=r"bias has shape \(4,\), wanted \(6,\)"):
        pyconv.separable_conv2d(x, kernels, matrix, np.zeros(4, np.float32))
    with pytest.raises(ValueError, match=r"residual has shape \(2, 6, 8, 8\), wanted \(2, 6, 6, 6\)"):
        pyconv.separable_conv2d(x, kernels, matrix, residual=np.zeros((2, 6, 8, 8), np.float32))
    with pytest.raises(ValueError, match=r"x must have at least 3 dimensions .* has shape \(8, 8\)"):
        pyconv.separable_conv2d(x[0, 0], kernels, matrix)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("residual", [False, True])
def test_float16_is_float32_between_the_parts(layout, residual):
    """300 * 100 * 9 taps are beyond float16; 2**-10 of the sum over 16 channels is not."""
    x = last(np.full((1, 16, 6, 6), 300, "f2"), layout)
    kernels, matrix = np.full((16, 1, 3, 3), 100, "f2"), np.full((2, 16), 2.0**-10, "f2")
    plan = pyconv.plan_separable_conv2d(x.shape, kernels, matrix, layout=layout)
    extra = np.full(plan.output_shape, -218, "f2") if residual else None
    exact = np.float16(300 * 100 * 9 * 16 * 2.0**-10 - (218 if residual else 0))
    assert np.isfinite(exact) and (run(plan, x, extra) == exact).all()
    y = pyconv.separable_conv2d(x, kernels, matrix, residual=extra, layout=layout)
    assert y.dtype == "f2" and (y == exact).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_the_bound_holds_at_every_size(layout, dtype, n):
    """Batch 0 too, and a fused pair on several threads, whose buffers can exceed the array they spare."""
    c, k = 24, 40
    kernels, matrix = normal((c, 1, 3, 3), dtype, 1), normal((k, c), dtype, 2)
    x = last(normal((n, c, 13, 11), dtype), layout)
    free = pyconv.plan_separable_conv2d(x.shape, kernels, matrix, padding=1, layout=layout)
    whole = free.workspace_bytes + free.packed_bytes
    tolerance = {"rtol": 1e-2, "atol": 1e-2} if dtype == "float16" else {"rtol": 1e-4, "atol": 1e-4}
    served = 0
    for threads in (1, 2, 7):
        for bound in (0, 100, 5_000, 11_000, 15_000, *range(0, 2 * whole, whole // 7 + 1)):
            keywords = {"padding": 1, "layout": layout, "max_workspace": bound, "threads": threads}
            try:
                plan = pyconv.plan_separable_conv2d(x.shape, kernels, matrix, **keywords)
            except pyconv.UnsupportedError as error:
                assert n > 0 or dtype == "float16", "nothing between the parts"
                assert f"allows {bound}" in str(error)
                continue
            served += 1
            assert plan.workspace_bytes + plan.packed_bytes <= bound, (bound, threads)
            np.testing.assert_allclose(run(plan, x), free(x), **tolerance)
    assert served
