# SPDX-License-Identifier: BSD-3-Clause
"""Conv1d, Conv2d, Conv3d: any shape, the last plans, pickles, copies, comparisons."""

import copy
import multiprocessing
import pickle
import threading

import numpy as np
import pytest
from helpers import integers

import pyconv

W1, W2, W3 = integers((6, 2, 3)), integers((6, 2, 3, 3)), integers((6, 2, 2, 3, 3))
B = integers(6, seed=1)
WORDS = {"padding": 1, "groups": 2, "stride": 2, "activation": "relu6"}
KINDS = [
    (pyconv.Conv1d, pyconv.conv1d, W1, (4, 9), "NLC"),
    (pyconv.Conv2d, pyconv.conv2d, W2, (4, 9, 8), "NHWC"),
    (pyconv.Conv3d, pyconv.conv3d, W3, (4, 5, 9, 8), "NDHWC"),
]


@pytest.mark.parametrize("cls, function, weight, shape, last", KINDS)
def test_any_shape_and_type_of_input(cls, function, weight, shape, last):
    layer = cls(weight, B, **WORDS, accuracy="strict")
    for x_shape in (shape, (2, *shape), (2, 3, *shape), (0, *shape), (2, *(n + 2 * (n != 4) for n in shape))):
        for dtype in (np.float32, np.uint8):
            x = np.abs(integers(x_shape)).astype(dtype)
            for _ in range(2):
                y = layer(x)
                np.testing.assert_array_equal(y, function(x, weight, B, **WORDS, accuracy="strict"))
    x = np.moveaxis(integers((2, *shape)), 1, -1)
    np.testing.assert_array_equal(
        cls(weight, B, layout=last, **WORDS)(x), function(x, weight, B, layout=last, **WORDS)
    )


@pytest.mark.parametrize("cls, function, weight, shape, last", KINDS)
def test_pickles_copies_and_compares(cls, function, weight, shape, last):
    layer = cls(weight, B, **WORDS, plans=2)
    x = integers((2, *shape))
    for other in (pickle.loads(pickle.dumps(layer)), cls(weight.copy(), B.tolist(), **WORDS)):
        assert other == layer and hash(other) == hash(layer) and repr(other) == repr(layer)
        np.testing.assert_array_equal(other(x), layer(x))
    assert pickle.loads(pickle.dumps(layer))._size == 2
    assert copy.copy(layer) is layer and copy.deepcopy([layer])[0] is layer
    changed = weight.copy()
    changed.flat[0] += 1
    for other in (
        cls(changed, B, **WORDS),
        cls(weight, **WORDS),
        cls(weight, B, **WORDS | {"padding": 2}),
        cls(weight.astype(np.float64), B.astype(np.float64), **WORDS),
        "layer",
    ):
        assert other != layer


def test_the_last_plans_are_kept():
    layer = pyconv.Conv2d(W2[:, :1], groups=6, plans=2)
    shapes = [(6, n, 8) for n in (8, 9, 10)]
    first, second = layer.plan(shapes[0]), layer.plan(shapes[1])
    assert layer.plan(shapes[0]) is first
    layer.plan(shapes[2])  # the second is the one unused for longest
    assert layer.plan(shapes[0]) is first and layer.plan(shapes[1]) is not second
    assert len(layer._plans) == 2
    assert layer.plan(shapes[0], np.uint8).dtype == np.uint8


def test_defaults_of_a_block_are_those_of_the_call():
    layer = pyconv.Conv2d(integers((64, 64, 3, 3)), padding=1)
    loose = layer.plan((64, 28, 28))
    with pyconv.config(accuracy="strict"):
        assert layer.plan((64, 28, 28)).accuracy == "strict"
    assert layer.plan((64, 28, 28)) is loose and loose.accuracy == "standard"


def test_weights_are_its_own():
    w = W2.copy()
    layer = pyconv.Conv2d(w, padding=[1, 1], groups=2)
    w[...] = 0
    assert not layer.weight.flags.writeable and (layer.weight == W2).all()
    for name in ("weight", "anything"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(layer, name, w)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(layer, name)
    layer.keywords["groups"] = 7
    assert layer.keywords == {"padding": (1, 1), "groups": 2}
    assert repr(layer) == "<pyconv.Conv2d 4 -> 6 3x3 float32, padding=(1, 1), groups=2>"


def test_buffers_and_residual():
    x, layer = integers((1, 4, 9, 8)), pyconv.Conv2d(W2, B, padding=1, groups=2, activation="relu")
    plan = layer.plan(x.shape)
    r, out = integers(plan.output_shape, seed=3), np.empty(plan.output_shape, np.float32)
    assert layer(x, out, plan.new_workspace(), r) is out
    np.testing.assert_array_equal(out, pyconv.conv2d(x, W2, B, residual=r, **layer.keywords))


@pytest.mark.parametrize("text, call", [
    ("weight must have 4 dimensions", lambda: pyconv.Conv2d(W1)),
    ("stride must be positive", lambda: pyconv.Conv2d(W2, stride=0)),
    ("groups", lambda: pyconv.Conv2d(W2, groups=4)),
    ("layout must be one of", lambda: pyconv.Conv2d(W2, layout="NLC")),
    ("padding_mode", lambda: pyconv.Conv2d(W2, padding_mode="none")),
    ("plans must be at least 1", lambda: pyconv.Conv2d(W2, plans=0)),
    ("bias has shape", lambda: pyconv.Conv2d(W2, B[:2])),
    ("stride must be an int or three", lambda: pyconv.Conv3d(W3, stride=(1, 1))),
    ("stride must be one int", lambda: pyconv.Conv1d(W1, stride=(1, 1))),
])  # fmt: skip
def test_what_is_wrong_is_said_at_once(text, call):
    with pytest.raises(ValueError, match=text):
        call()
    with pytest.raises(TypeError):
        pyconv.Conv2d(W2.astype(int))


def test_threads_share_it():
    layer, wrong = pyconv.Conv2d(W2, groups=2, plans=2), []
    images = [integers((4, n, 8), seed=n) for n in range(6, 12)]
    wanted = [pyconv.conv2d(x, W2, groups=2) for x in images]

    def work():
        for _ in range(30):
            wrong.extend(x.shape for x, y in zip(images, wanted, strict=True) if (layer(x) != y).any())

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong and len(layer._plans) == 2


def test_another_process_runs_it():
    layer, images = pyconv.Conv2d(W2, B, groups=2), [integers((4, n, 8)) for n in (8, 9)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for x, y in zip(images, pool.map(layer, images), strict=True):
            np.testing.assert_array_equal(y, layer(x))
