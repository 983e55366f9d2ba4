# SPDX-License-Identifier: BSD-3-Clause
"""What every call promises, of the operators that run loops of their own: fork, Ctrl-C, shared plans."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import normal, run_python

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
