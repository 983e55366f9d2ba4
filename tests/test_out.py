# SPDX-License-Identifier: BSD-3-Clause
"""`out` of any strides: a block of channels, a crop, a turned view; whole or untouched."""

import signal
import sys
import threading

import numpy as np
import pytest
from helpers import aligned, integers, normal, plans

import pyconv


def misaligned(shape, dtype):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = aligned(size + 1)
    return memory, memory[1:].view(dtype).reshape(shape)


def record(shape, dtype):
    memory = np.zeros(shape, [("pad", "u1"), ("value", dtype)])
    return memory, memory["value"]


def within(lead, after):
    """A view of the shape inside a larger array, cut by `after`."""

    def make(shape, dtype):
        memory = np.full([lead(i, size) for i, size in enumerate(shape)], 7, dtype)
        return memory, after(memory, shape)

    return make


# name: shape and dtype to (memory, a view of it of that shape)
OUTS = {
    "block of channels": within(lambda i, n: n + 5 if i == 1 else n, lambda m, s: m[:, 2 : 2 + s[1]]),
    "block of last channels": within(lambda i, n: n + 5 if i == 3 else n, lambda m, s: m[..., 3 : 3 + s[3]]),
    "crop": within(lambda i, n: n + 3 if i > 1 else n, lambda m, s: m[:, :, 1 : 1 + s[2], 2 : 2 + s[3]]),
    "every second column": within(lambda i, n: 2 * n if i == 3 else n, lambda m, s: m[..., ::2]),
    "every third row": within(lambda i, n: 3 * n if i == 2 else n, lambda m, s: m[:, :, 1::3]),
    "reversed": within(lambda i, n: n, lambda m, s: m[::-1, ::-1, ::-1, ::-1]),
    "Fortran": lambda s, t: (lambda m: (m, m.T))(np.full(s[::-1], 7, t)),
    "turned": lambda s, t: (lambda m: (m, m.transpose(0, 2, 1, 3)))(np.full((s[0], s[2], s[1], s[3]), 7, t)),
    "misaligned": misaligned,
    "field of a record": record,
}
PADDING = {"padding": 1, "stride": 1}


def written(call, shape, dtype, expected, out):
    """call(out) fills the view with what is expected, returns it, and leaves the rest of its memory alone."""
    memory, view = OUTS[out](shape, dtype)
    before = memory.copy()
    offset = view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    same = np.ndarray(view.shape, view.dtype, before, offset, view.strides)  # the view, of the copy
    assert call(view) is view
    np.testing.assert_array_equal(view, expected)
    view[...] = same[...] = 0
    np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("out", OUTS)
def test_conv2d_and_plans(out, dtype, layout):
    x, w = (
        integers((2, 6, 9, 10) if layout == "NCHW" else (2, 9, 10, 6), dtype),
        integers((4, 6, 3, 3), dtype, 1),
    )
    for plan in plans(x.shape, w, accuracy="strict", layout=layout, padding=1):
        written(lambda y, plan=plan: plan(x, out=y), plan.output_shape, dtype, plan(x), out)
        workspace = plan.new_workspace()
        written(lambda y, plan=plan: plan(x, y, workspace), plan.output_shape, dtype, plan(x), out)  # noqa: B023
    expected = pyconv.conv2d(x, w, layout=layout, padding=1)
    written(
        lambda y: pyconv.conv2d(x, w, layout=layout, padding=1, out=y), expected.shape, dtype, expected, out
    )


# name: call with a target or None
OPERATORS = {
    "depthwise_conv2d": lambda y, t: pyconv.depthwise_conv2d(
        integers((2, 6, 9, 10), t), integers((6, 1, 3, 3), t), out=y
    ),
    "pointwise_conv2d": lambda y, t: pyconv.pointwise_conv2d(
        integers((2, 6, 9, 10), t), integers((4, 6), t), out=y
    ),
    "partial_conv2d": lambda y, t: pyconv.partial_conv2d(
        integers((2, 6, 9, 10), t), integers((3, 3, 3, 3), t), out=y
    ),
    "partial_conv2d NHWC": lambda y, t: pyconv.partial_conv2d(
        integers((2, 9, 10, 6), t), integers((3, 3, 3, 3), t), layout="NHWC", out=y
    ),
    "separable_conv2d": lambda y, t: pyconv.separable_conv2d(
        integers((2, 6, 9, 10), t), integers((6, 1, 3, 3), t), integers((4, 6), t, 1), out=y
    ),
    "separable_conv2d NHWC": lambda y, t: pyconv.separable_conv2d(
        integers((2, 9, 10, 6), t), integers((6, 1, 3, 3), t), integers((4, 6), t, 1), layout="NHWC", out=y
    ),
    "conv_transpose2d": lambda y, t: pyconv.conv_transpose2d(
        integers((2, 6, 5, 6), t), integers((6, 4, 3, 3), t, 1), stride=2, out=y
    ),
    "conv_transpose2d NHWC": lambda y, t: pyconv.conv_transpose2d(
        integers((2, 5, 6, 6), t), integers((6, 4, 1, 3), t, 1), np.ones(4, t), stride=2, layout="NHWC", out=y
    ),
    "conv2d_backward_input": lambda y, t: pyconv.conv2d_backward_input(
        (2, 6, 9, 10), integers((4, 6, 3, 3), t), integers((2, 4, 7, 8), t, 1), out=y
    ),
    "conv2d_backward_weight": lambda y, t: pyconv.conv2d_backward_weight(
        integers((2, 6, 9, 10), t), (4, 6, 3, 3), integers((2, 4, 7, 8), t, 1), out=y
    ),
    "conv2d_backward_weight of no images": lambda y, t: pyconv.conv2d_backward_weight(
        np.ones((0, 6, 9, 10), t), (4, 6, 3, 3), np.ones((0, 4, 7, 8), t), out=y
    ),
    "factorize": lambda y, t: pyconv.factorize(np.ones((4, 6, 3, 3), t)).plan((2, 6, 9, 10))(
        integers((2, 6, 9, 10), t), out=y
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("out", OUTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name, out, dtype):
    expected = OPERATORS[name](None, dtype)
    written(lambda y: OPERATORS[name](y, dtype), expected.shape, dtype, expected, out)


def test_conv1d():
    x, w = integers((2, 6, 30)), integers((4, 6, 5), seed=1)
    expected = pyconv.conv1d(x, w)
    memory = np.full((2, 9, 52), 7, "f4")
    view = memory[:, 8:4:-1, ::2]
    assert pyconv.conv1d(x, w, out=view) is view
    np.testing.assert_array_equal(view, expected)
    view[...] = 7
    assert (memory == 7).all()


def test_concatenation():
    """Branches of an inception block write side by side; each is bit for bit what it is alone."""
    x = normal((2, 12, 14, 14))
    filters = [normal((k, 12, s, s), seed=k) for k, s in ((8, 1), (16, 3), (4, 5))]
    y, at = np.full((2, 28, 14, 14), np.nan, "f4"), 0
    for w in filters:
        pyconv.conv2d(x, w, padding="same", out=y[:, at : at + len(w)])
        at += len(w)
    np.testing.assert_array_equal(
        y, np.concatenate([pyconv.conv2d(x, w, padding="same") for w in filters], 1)
    )


def test_views_of_one_array_that_do_not_meet_are_no_overlap():
    memory = np.zeros((2, 8, 9, 10), "f4")
    x, y = memory[:, ::2], memory[:, 1::2]
    x[...] = integers(x.shape)
    before = x.copy()
    w = integers((4, 4, 3, 3), seed=1)
    expected = pyconv.conv2d(before, w, padding=1)
    assert pyconv.conv2d(x, w, padding=1, out=y) is y
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(
        pyconv.plan(x.shape, w, padding=1)(x, out=y, residual=before), expected + before
    )


def test_views_that_meet_in_one_element_are_an_overlap():
    memory = np.zeros((2, 8, 9, 10), "f4")
    x, w = memory[:, ::2], integers((3, 4, 3, 3), seed=1)
    for y in (memory[:, 1:4], memory[:, :3], memory[:, 5::-2], memory[..., ::-1][:, 6:3:-1]):
        if np.shares_memory(x, y):
            with pytest.raises(ValueError, match="out overlaps x"):
                pyconv.conv2d(x, w, padding=1, out=y)
        else:
            pyconv.conv2d(x, w, padding=1, out=y)
            memory[...] = 0
    assert not memory.any()


def test_the_caller_s_workspace_may_not_overlap_a_view():
    plan = pyconv.plan((2, 6, 9, 10), normal((4, 6, 3, 3)), algorithm="im2col")
    memory = aligned(1 << 20)
    y = memory.view("f4")[: 2 * 4 * 7 * 16].reshape(2, 4, 7, 16)[..., ::2]
    with pytest.raises(ValueError, match="workspace overlaps out"):
        plan(normal((2, 6, 9, 10)), y, memory)


@pytest.mark.skipif(sys.platform == "win32", reason="raise_signal can't reach a running call there")
@pytest.mark.parametrize("name", ["conv2d", "separable_conv2d", "conv2d_backward_weight"])
def test_ctrl_c_leaves_a_view_as_it_was(name):
    x, w = np.ones((16, 64, 112, 112), "f4"), np.ones((64, 64, 3, 3), "f4")
    call, shape = {
        "conv2d": (
            lambda y: pyconv.conv2d(x, w, padding=1, algorithm="direct", threads=1, out=y), (16, 64, 112, 112)
        ),
        "separable_conv2d": (
            lambda y: pyconv.separable_conv2d(
                x.reshape(16, 112, 112, 64), normal((64, 1, 63, 63)), np.ones((64, 64), "f4"),
                padding=31, accuracy="strict", layout="NHWC", threads=1, out=y,
            ),
            (16, 112, 112, 64),
        ),
        "conv2d_backward_weight": (
            lambda y: pyconv.conv2d_backward_weight(x, (64, 64, 15, 15), x[..., :98, :98], threads=1, out=y),
            (64, 64, 15, 15),
        ),
    }[name]  # fmt: skip
    memory = np.full((*shape[:-1], 2 * shape[-1]), 7, "f4")
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.3, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call(memory[..., ::2])
    finally:
        signal.signal(signal.SIGINT, old)
    assert (memory == 7).all()
