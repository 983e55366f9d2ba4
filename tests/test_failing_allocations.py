# SPDX-License-Identifier: BSD-3-Clause
"""
The n-th allocation fails, for every n: a MemoryError or the C status, and nothing is kept.

`native/failing.c` is preloaded and knows the caller of malloc by its return address: the extension, or NumPy
on its behalf. What Python itself allocates fails through `_testcapi`.
"""

import ctypes
import gc
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

if __name__ != "__main__":
    pytestmark = pytest.mark.skipif(
        platform.libc_ver()[0] != "glibc" or not shutil.which("cc"), reason="preloads a library into glibc"
    )


def cases():
    """name -> call; their workspace is too large to be kept for the next call."""
    import numpy as np

    import pyconv
    from pyconv import _calibrate

    _calibrate.REPEATS, _calibrate.SECONDS = 1, 0
    _calibrate._copying = lambda nbytes: 1.0  # NumPy's arrays alone

    def ones(*shape, dtype="f4"):
        return np.ones(shape, dtype)

    x, w, b = ones(1, 64, 64, 64), ones(8, 64, 3, 3), ones(8)
    dy = ones(1, 8, 62, 62)
    factors = pyconv.factorize(w, 3)  # by NumPy, whose own decomposition does not survive
    kernels, matrix = ones(64, 1, 3, 3), ones(16, 64)
    found = {}
    for name in pyconv.algorithms():
        for dtype in ("f4", "f2"):
            a, f, bias = x.astype(dtype), w.astype(dtype), b.astype(dtype)
            keywords = {"algorithm": name, "accuracy": "fast", "threads": 1}
            for filters in (f, ones(8, 64, 1, 1, dtype=dtype), ones(64, 1, 5, 5, dtype=dtype)):
                grouped = {"groups": 64} if filters.shape[1] == 1 else {}
                each = bias if filters.shape[0] == 8 else None
                try:
                    ready = pyconv.plan(a.shape, filters, each, **keywords, **grouped)
                except pyconv.UnsupportedError:
                    continue
                label = f"{name} {dtype} {filters.shape[2]}x{filters.shape[3]}"
                found[f"plan {label}"] = lambda a=a, f=filters, e=each, k=keywords, g=grouped: pyconv.plan(
                    a.shape, f, e, **k, **g
                )
                found[f"call {label}"] = lambda a=a, p=ready: p(a)
                break
    found |= {
        "conv2d": lambda: pyconv.conv2d(x, w, b, padding=1),
        "conv2d, turned": lambda: pyconv.conv2d(
            x.transpose(0, 1, 3, 2), w, b, residual=dy[:, :, ::-1], padding=0
        ),
        "conv1d": lambda: pyconv.conv1d(x[0, 0], ones(4, 64, 9), padding="same"),
        "depthwise_conv2d": lambda: pyconv.depthwise_conv2d(x, kernels, padding=1),
        "pointwise_conv2d": lambda: pyconv.pointwise_conv2d(x, matrix),
        "partial_conv2d": lambda: pyconv.partial_conv2d(x, ones(8, 8, 3, 3)),
        "separable_conv2d": lambda: pyconv.separable_conv2d(x, kernels, matrix, padding=1),
        "separable_conv2d NHWC": lambda: pyconv.separable_conv2d(
            np.ascontiguousarray(x.transpose(0, 2, 3, 1)), kernels, matrix, padding=1, layout="NHWC"
        ),
        "conv_transpose2d": lambda: pyconv.conv_transpose2d(x, ones(64, 8, 4, 4), b, stride=2),
        "conv2d_backward_input": lambda: pyconv.conv2d_backward_input(x.shape, w, dy),
        "conv2d_backward_weight": lambda: pyconv.conv2d_backward_weight(x, w.shape, dy),
        "factorize": lambda: factors.plan(x.shape, b)(x),
        "explain": lambda: str(pyconv.explain(x.shape, w.shape)),
        "load": _calibrate.load,
        "calibrate": _calibrate.measure_here,
    }
    return found


def c_cases():
    """name -> call that returns the status by name; plans made are destroyed."""
    import c_api
    import numpy as np
    from c_api import C, Conv2d

    x, w, b = np.ones((1, 64, 64, 64), "f4"), np.ones((8, 64, 3, 3), "f4"), np.ones(8, "f4")
    geometry = {"n": 1, "ic": 64, "ih": 64, "iw": 64, "oc": 8, "kh": 3, "kw": 3, "accuracy": C["PYCONV_FAST"]}

    def create(name, then=None):
        status, plan = c_api.create(Conv2d(**geometry, algorithm=c_api.algorithm(name.encode())), w, b)
        if status != "OK":
            assert plan is None, "a plan that failed must be NULL"
            return status
        oh, ow = ctypes.c_int64(), ctypes.c_int64()
        c_api.plan_output_size(plan, oh, ow)
        y = np.empty((1, 8, oh.value, ow.value), "f4")
        status = c_api.run(plan, x, y)
        c_api.plan_destroy(plan)
        return status

    found = {}
    import pyconv

    for name in ("auto", *pyconv.algorithms()):
        if create(name) == "OK":
            found[f"C {name}"] = lambda name=name: create(name)
    return found


class Shim:
    """The preloaded library."""

    def __init__(self):
        library = ctypes.CDLL(None)
        self.watch, self.arm = library.failing_watch, library.failing_arm
        self.arm.argtypes, self.watch.argtypes = [ctypes.c_long], [ctypes.c_char_p]
        for name in ("seen", "failed", "live"):
            function = getattr(library, f"failing_{name}")
            function.restype = ctypes.c_long
            setattr(self, name, function)


def every_allocation(shim, name, call, texts):
    """Fail each in turn until one run needs none more; return how many there were."""
    for _ in range(3):
        shim.arm(0)
        call()
    gc.collect()
    before, number = shim.live(), 0
    while True:
        number += 1
        shim.arm(number)
        try:
            answer = call()
        except MemoryError as error:
            answer = str(error)
            assert answer or not texts, f"{name}: allocation {number} gives a MemoryError without a text"
            assert not texts or any(t in answer for t in texts), (
                f"{name}: allocation {number} gives {answer!r}"
            )
            assert shim.failed(), f"{name}: {answer}"
        else:
            # Where the caller can do without, it may go on; a C function must say so.
            assert not (isinstance(answer, str) and shim.failed() and answer == "OK"), (
                f"{name}: {number} is unnoticed"
            )
        happened = shim.failed()
        shim.arm(0)
        del answer
        gc.collect()
        assert shim.live() <= before + 1, f"{name}: allocation {number} keeps {shim.live() - before} blocks"
        if not happened:
            assert shim.live() <= before + 1
            return number - 1


def main(mode):
    """In a process of its own, with the shim preloaded."""
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != HERE.parent]
    sys.path.append(str(HERE))
    import pyconv  # noqa: F401

    shim = Shim()
    library, texts = {
        "pyconv": (b"pyconv/_kernels", ("cannot allocate",)),
        "numpy": (b"_multiarray_umath", ()),
        "c": (b"pyconv/_kernels", ()),
    }[mode]
    assert shim.watch(library), library
    total = 0
    found = c_cases() if mode == "c" else cases()
    for name, call in found.items():
        count = every_allocation(shim, name, call, texts)
        total += count
        print(name, count, flush=True)
        if mode == "c":
            shim.arm(1)
            assert call() == "NO_MEMORY", name
            shim.arm(0)
    print("all", total)


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "failing.so"
    source = HERE / "native" / "failing.c"
    subprocess.run(
        ["cc", "-O1", "-g", "-fPIC", "-shared", "-Wall", str(source), "-o", str(library)], check=True
    )
    return library


@pytest.mark.parametrize("mode", ["pyconv", "numpy", "c"])
def test_every_allocation_may_fail(shim, mode):
    done = subprocess.run(
        [sys.executable, "-P", str(HERE / "test_failing_allocations.py"), mode],
        env={**os.environ, "LD_PRELOAD": str(shim), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    total = int(done.stdout.split()[-1])
    assert total > {"pyconv": 40, "numpy": 40, "c": 20}[mode], done.stdout


PYTHONS_OWN = """
import gc, sys
import numpy as np, pyconv
from _testcapi import set_nomemory, remove_mem_hooks

x, w, b = np.ones((2, 6, 9, 9), "f4"), np.ones((4, 6, 3, 3), "f4"), np.ones(4, "f4")
kernels, matrix = np.ones((6, 1, 3, 3), "f4"), np.ones((5, 6), "f4")
dy = np.ones((2, 4, 7, 7), "f4")
plan = pyconv.plan(x.shape, w, b)
calls = {
    "plan": lambda: pyconv.plan(x.shape, w, b, padding="same"),
    "call": lambda: plan(x),
    "conv2d": lambda: pyconv.conv2d(x, w, b, padding=1),
    "conv1d": lambda: pyconv.conv1d(x[0, :, 0], np.ones((4, 6, 3), "f4")),
    "depthwise": lambda: pyconv.depthwise_conv2d(x, kernels),
    "partial": lambda: pyconv.partial_conv2d(x, w[:, :4]),
    "separable": lambda: pyconv.separable_conv2d(x, kernels, matrix, padding=1),
    "transposed": lambda: pyconv.conv_transpose2d(x, np.ones((6, 4, 3, 3), "f4"), b, stride=2),
    "backward_input": lambda: pyconv.conv2d_backward_input(x.shape, w, dy),
    "backward_weight": lambda: pyconv.conv2d_backward_weight(x, w.shape, dy),
    "explain": lambda: pyconv.explain(x.shape, w.shape),
}
total = 0
for name, call in calls.items():
    right = call()
    number = errors = 0
    quiet = 0
    while quiet < 20 and number < 3000:
        failed = False
        set_nomemory(number, number + 1)
        try:
            y = call()
        except MemoryError:
            failed = True
        except ValueError as error:  # np.frombuffer takes its own failure for a buffer that is read-only
            failed = True
            assert "read-only" in str(error)
        finally:
            remove_mem_hooks()
        number += 1
        errors += failed
        quiet = 0 if failed else quiet + 1
        if not failed and isinstance(right, np.ndarray):
            assert np.array_equal(y, right), name
    again = call()
    assert not isinstance(right, np.ndarray) or np.array_equal(again, right), name
    print(name, errors, flush=True)
    total += errors
assert total > 100, total
print("done")
"""


def test_pythons_own_allocations_may_fail():
    """Each in turn, of a call of every operator: a MemoryError or the right result, then all goes on."""
    pytest.importorskip("_testcapi")
    from helpers import run_python

    assert run_python(PYTHONS_OWN, timeout=600).endswith("done\n")


if __name__ == "__main__":
    main(sys.argv[1])
