# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C ends a long call between blocks, and the library works on afterwards."""

import sys

import pytest
from helpers import run_python

CTRL_C = """
import os, signal, sys, threading, time
import numpy as np
import pyconv

signal.signal(signal.SIGINT, signal.default_int_handler)  # which background jobs of a shell begin without
name, kernel, layout = sys.argv[1], int(sys.argv[3]), sys.argv[4]
keywords = dict(padding=kernel // 2, threads=int(sys.argv[2]), layout=layout)
if name != "auto":
    keywords.update(algorithm=name, accuracy="fast")
w = np.full((512, 512, kernel, kernel), 1e-3, "f4")
image = (512, 14, 14) if layout == "NCHW" else (14, 14, 512)

def timed(n):
    x = np.ones((n, *image), "f4")
    plan = pyconv.plan(x.shape, w, **keywords)
    start = time.perf_counter()
    plan(x)
    return time.perf_counter() - start

n = 2
while timed(n) < 0.15 and n < 1500:
    n *= 2
n = min(8 * n, 1500)  # more than a second of work
x = np.ones((n, *image), "f4")
plan = pyconv.plan(x.shape, w, **keywords)
out = np.empty(plan.output_shape, "f4")
workspace = plan.new_workspace()
out.fill(0), workspace.fill(0)
timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
timer.start()
try:
    plan(x, out=out, workspace=workspace)
except KeyboardInterrupt:
    print("after all blocks" if out.reshape(-1)[-100:].any() else "between blocks")
else:
    print("never")
y = pyconv.conv2d(np.ones((1, 8, 14, 14), "f4"), w[:4, :8], algorithm="im2col")
assert np.allclose(y, 0.008 * kernel**2), "the next call is wrong"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill can't send Ctrl-C to one process on Windows")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["auto", "direct", "im2col", "im2row", "kn2row_acc", "mec"])
def test_ctrl_c(name, threads):
    """The end of the output is still as it was."""
    assert run_python(CTRL_C, name, threads, 3, "NCHW").strip() == "between blocks"


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill can't send Ctrl-C to one process on Windows")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_in_a_batch_that_is_one_matrix(threads):
    assert run_python(CTRL_C, "pointwise", threads, 1, "NHWC").strip() == "between blocks"


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill can't send Ctrl-C to one process on Windows")
@pytest.mark.parametrize("name", ["im2row", "kn2col"])
def test_ctrl_c_within_a_batch_of_products(name):
    assert run_python(CTRL_C, name, 2, 1, "NHWC").strip() == "between blocks"


VOLUMES = """
import os, signal, threading
import numpy as np
import pyconv

signal.signal(signal.SIGINT, signal.default_int_handler)
x = np.zeros((2, 100_000, 8, 8), "f4")
plan = pyconv.plan_conv3d(x.shape, np.ones((4, 2, 3, 5, 5), "f4"), padding=(1, 2, 2), threads=1)
out, workspace = np.full(plan.output_shape, np.nan, "f4"), plan.new_workspace()
threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    plan(x, out=out, workspace=workspace)
except KeyboardInterrupt:
    print("after all slices" if (out[:, -1] == 0).any() else "between slices")
else:
    print("never")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill can't send Ctrl-C to one process on Windows")
def test_ctrl_c_in_a_volume_of_small_slices():
    """Each run of some of them is too short to ask by itself."""
    assert run_python(VOLUMES).strip() == "between slices"
