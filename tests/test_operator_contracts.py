# SPDX-License-Identifier: BSD-3-Clause
"""What every call promises, of operators with loops of their own: fork, Ctrl-C, overlaps, shared plans."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import aligned, normal, run_python

import pyconv

FORK = """
import os, signal
import numpy as np
import pyconv

draw = np.random.default_rng(0).standard_normal
x, dy = draw((2, 32, 40, 40), "f4"), draw((2, 48, 40, 40), "f4")
last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
up, kernels, matrix = draw((32, 40, 4, 4), "f4"), draw((32, 1, 3, 3), "f4"), draw((64, 32), "f4")

def results():
    return (
        pyconv.conv2d_backward_weight(x, (48, 32, 3, 3), dy, padding=1, threads=2),
        pyconv.conv_transpose2d(x, up, stride=2, padding=1, threads=2),
        pyconv.separable_conv2d(last, kernels, matrix, padding=1, layout="NHWC", threads=2),
    )

expected = results()
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    alike = all(np.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(results(), expected))
    os._exit(0 if alike else 1)
assert os.waitpid(pid, 0)[1] == 0
print("alive")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_child_computes():
    assert run_python(FORK).strip() == "alive"


CTRL_C = """
import os, signal, sys, threading
import numpy as np
import pyconv

signal.signal(signal.SIGINT, signal.default_int_handler)  # which background jobs of a shell begin without
x = np.ones((64, 256, 56, 56), "f4")
plan = pyconv.plan_conv2d_backward_weight(x.shape, (256, 256, 3, 3), padding=1, threads=int(sys.argv[1]))
out = np.zeros(plan.output_shape, "f4")
workspace = plan.new_workspace()
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    plan(x, x, out, workspace)
except KeyboardInterrupt:
    print("after all blocks" if out.any() else "between blocks")
else:
    print("never")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill can't send Ctrl-C to one process on Windows")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c(threads):
    """The result, turned last, is still as it was."""
    assert run_python(CTRL_C, threads).strip() == "between blocks"


def test_threads_share_plans():
    x, dy, last = normal((2, 16, 20, 20)), normal((2, 24, 20, 20), seed=1), normal((2, 20, 20, 16), seed=2)
    gradient = pyconv.plan_conv2d_backward_weight(x.shape, (24, 16, 3, 3), padding=1)
    up = pyconv.plan_conv_transpose2d(x.shape, normal((16, 8, 4, 4)), stride=2, padding=1)
    separable = pyconv.plan_separable_conv2d(
        last.shape, normal((16, 1, 3, 3)), normal((32, 16)), padding=1, layout="NHWC"
    )

    def results(_):
        return gradient(x, dy), up(x), separable(last)

    expected = results(0)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(results, range(40)):
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)


# name: (call, shapes of the operands, shape of the result)
CALLS = {
    "conv_transpose2d": (
        lambda a, **k: pyconv.conv_transpose2d(a["x"], a["weight"], a["bias"], stride=2, **k),
        {"x": (1, 4, 6, 6), "weight": (4, 6, 2, 2), "bias": (6,)},
        (1, 6, 12, 12),
    ),
    "conv2d_backward_input": (
        lambda a, **k: pyconv.conv2d_backward_input((1, 4, 8, 8), a["weight"], a["dy"], **k),
        {"weight": (6, 4, 3, 3), "dy": (1, 6, 6, 6)},
        (1, 4, 8, 8),
    ),
    "conv2d_backward_weight": (
        lambda a, **k: pyconv.conv2d_backward_weight(a["x"], (6, 4, 3, 3), a["dy"], **k),
        {"x": (1, 4, 8, 8), "dy": (1, 6, 6, 6)},
        (6, 4, 3, 3),
    ),
    "separable_conv2d": (
        lambda a, **k: pyconv.separable_conv2d(
            a["x"],
            a["depthwise_weight"],
            a["pointwise_weight"],
            a["bias"],
            depthwise_bias=a["depthwise_bias"],
            residual=a["residual"],
            layout="NHWC",
            **k,
        ),
        {
            "x": (1, 8, 8, 4),
            "depthwise_weight": (4, 1, 3, 3),
            "pointwise_weight": (6, 4),
            "bias": (6,),
            "depthwise_bias": (4,),
            "residual": (1, 6, 6, 6),
        },
        (1, 6, 6, 6),
    ),
}


@pytest.mark.parametrize("target", ["out", "workspace"])
@pytest.mark.parametrize("name, victim", [(name, victim) for name in CALLS for victim in CALLS[name][1]])
def test_out_and_workspace_may_not_overlap_an_operand(name, victim, target):
    """Weights and biases are packed before anything is written, but they stay the caller's."""
    call, shapes, result = CALLS[name]
    arrays = {key: normal(shape, seed=i) for i, (key, shape) in enumerate(shapes.items())}
    memory = aligned(1 << 20)
    arrays[victim] = memory.view("f4")[: arrays[victim].size].reshape(shapes[victim])
    arrays[victim][...] = 1
    given = memory if target == "workspace" else memory.view("f4")[: np.prod(result)].reshape(result)
    with pytest.raises(ValueError, match=f"{target} overlaps {victim} in memory"):
        call(arrays, **{target: given})
    assert (arrays[victim] == 1).all()


def test_out_may_not_overlap_weights_that_a_separable_plan_reads_in_place():
    matrix, memory = normal((6, 4)), np.ones(8 * 8 * 6, "f4")
    kernels = memory[:36].reshape(4, 1, 3, 3)
    plan = pyconv.plan_separable_conv2d((1, 4, 8, 8), kernels, matrix, padding=1, max_workspace=1024)
    assert plan.packed_bytes == 0
    with pytest.raises(ValueError, match="out overlaps depthwise_weight in memory"):
        plan(normal((1, 4, 8, 8)), memory.reshape(1, 6, 8, 8))
    assert (memory == 1).all()
