# SPDX-License-Identifier: BSD-3-Clause
"""Many callers, many threads, forks: the same numbers every time, and nobody waits for the GIL."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import normal, plans, relative_error, run_python

import pyconv

X_SHAPE, W_SHAPE = (3, 16, 27, 23), (24, 16, 3, 3)
PROBLEMS = {
    "3x3": (X_SHAPE, W_SHAPE, {"padding": 1}),
    "1x1": ((1, 64, 14, 14), (48, 64, 1, 1), {}),
    "depthwise": ((1, 32, 28, 28), (32, 1, 3, 3), {"padding": 1, "groups": 32}),
    "one small image": ((1, 64, 7, 7), (64, 64, 3, 3), {"padding": 1}),
    "7x7/2": ((1, 3, 64, 64), (16, 3, 7, 7), {"padding": 3, "stride": 2}),
}


@pytest.fixture(params=PROBLEMS)
def problem(request):
    x_shape, w_shape, keywords = PROBLEMS[request.param]
    return normal(x_shape), normal(w_shape, seed=1), keywords


def test_python_threads_share_a_plan(problem):
    _, w, keywords = problem
    inputs = [normal(problem[0].shape, seed=s) for s in range(8)]
    for plan in plans(problem[0].shape, w, **keywords):
        expected = [plan(x) for x in inputs]

        def work(i, plan=plan, expected=expected):
            return np.array_equal(plan(inputs[i % 8]), expected[i % 8])

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(24))), plan.algorithm


def test_python_threads_with_a_workspace_each(problem):
    x, w, keywords = problem
    for plan in plans(x.shape, w, **keywords):
        expected = plan(x)

        def work(_, plan=plan, expected=expected):
            workspace, out = plan.new_workspace(), np.empty_like(expected)
            return all(np.array_equal(plan(x, out=out, workspace=workspace), expected) for _ in range(4))

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(work, range(12))), plan.algorithm


def test_python_threads_plan_and_run_at_once():
    """Different problems through `conv2d`, all algorithms mixed."""
    jobs = []
    for x_shape, w_shape, keywords in PROBLEMS.values():
        x, w = normal(x_shape), normal(w_shape, seed=1)
        for plan in plans(x_shape, w, **keywords):
            jobs.append((x, w, {"algorithm": plan.algorithm, "accuracy": "fast", **keywords}))
    expected = [pyconv.conv2d(x, w, **keywords) for x, w, keywords in jobs]

    def work(i):
        x, w, keywords = jobs[i % len(jobs)]
        return np.array_equal(pyconv.conv2d(x, w, **keywords), expected[i % len(jobs)])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(4 * len(jobs))))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_repeats_are_bit_identical(problem, threads):
    x, w, keywords = problem
    for plan in plans(x.shape, w, threads=threads, **keywords):
        first = plan(x)
        again = pyconv.plan(
            x.shape, w, algorithm=plan.algorithm, accuracy="fast", threads=threads, **keywords
        )
        for repeat in (plan, plan, plan, again):
            np.testing.assert_array_equal(repeat(x), first, err_msg=plan.algorithm)


@pytest.mark.parametrize("threads", [2, 3, 5, 64])
def test_any_number_of_threads_gives_the_same_up_to_rounding(problem, threads):
    x, w, keywords = problem
    for one in plans(x.shape, w, threads=1, **keywords):
        assert one.threads == 1
        many = pyconv.plan(x.shape, w, algorithm=one.algorithm, accuracy="fast", threads=threads, **keywords)
        assert 1 <= many.threads <= threads
        assert relative_error(many(x), one(x)) < 1e-6, one.algorithm


def runs_beside(call):
    """Whether this thread gets a turn during `call`: with switches forbidden, only if that yields the GIL.

    A call that does so may still end before this thread wakes, so it has several tries.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        for _ in range(20):
            finished = []
            thread = threading.Thread(target=lambda finished=finished: (call(), finished.append(True)))
            thread.start()
            during = not finished
            thread.join()
            if during:
                return True
        return False
    finally:
        sys.setswitchinterval(interval)


def test_the_gil_is_released():
    assert not runs_beside(lambda: sum(range(10**6)))
    x, w = normal((4, 32, 128, 128)), normal((64, 32, 3, 3), seed=1)
    for plan in plans(x.shape, w, padding=1, threads=1, accuracy="strict"):
        assert runs_beside(lambda plan=plan: plan(x)), f"{plan.algorithm} holds the GIL"


FORK = """
import os, sys
import numpy as np
import pyconv

r = np.random.default_rng(0)
x, w = r.standard_normal((4, 32, 28, 28)).astype("f4"), r.standard_normal((32, 32, 3, 3)).astype("f4")
prepared = []
for name in pyconv.algorithms():
    try:
        plan = pyconv.plan(x.shape, w, padding=1, algorithm=name, accuracy="fast", threads=2)
    except pyconv.UnsupportedError:
        continue
    prepared.append((plan, plan(x)))

def close(a, b):
    return np.linalg.norm(a - b) <= 1e-5 * np.linalg.norm(b)

def child():
    for plan, expected in prepared:
        assert close(plan(x), expected), plan.algorithm
        fresh = pyconv.conv2d(x, w, padding=1, algorithm=plan.algorithm, accuracy="fast", threads=2)
        assert close(fresh, expected), plan.algorithm

for generation in range(3):
    pid = os.fork()
    if pid == 0:
        try:
            child()
            if generation == 2:
                grandchild = os.fork()
                if grandchild == 0:
                    child()
                    os._exit(0)
                assert os.waitpid(grandchild, 0)[1] == 0
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
for plan, expected in prepared:
    assert np.array_equal(plan(x), expected)
print("alive")
"""

FORK_WHILE_BUSY = """
import os, threading
import numpy as np
import pyconv

x, w = np.ones((2, 32, 64, 64), "f4"), np.ones((32, 32, 3, 3), "f4")
large = pyconv.plan(x.shape, w, algorithm="im2col")
small = [pyconv.plan((32, 14, 14), w, algorithm=name) for name in ("im2col", "mec", "direct")]
stop = False

def busy():
    while not stop:
        large(x)

thread = threading.Thread(target=busy)
thread.start()
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        ok = all((plan(x[0, :, :14, :14]) == 288).all() for plan in small)
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
stop = True
thread.join()
print("alive")
"""


# Another extension on the same OpenMP library, in whose pool the child's threads would be awaited.
FORK_AFTER_OTHERS = """
import ctypes, os
import numpy as np
import pyconv

try:
    start = ctypes.CDLL("libgomp.so.1").GOMP_parallel
except (OSError, AttributeError):
    print("no libgomp")
    raise SystemExit
body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
start(body, None, 2, 0)
x, w = np.ones((4, 32, 28, 28), "f4"), np.ones((32, 32, 3, 3), "f4")

def child():
    for name in ("auto", "implicit_gemm", "im2col"):
        for threads in (None, 2):
            assert np.allclose(pyconv.conv2d(x, w, algorithm=name, threads=threads), 288)

if os.fork() == 0:
    child()
    if os.fork() == 0:
        child()
        os._exit(0)
    os._exit(os.waitpid(-1, 0)[1] != 0)
assert os.wait()[1] == 0
print("alive")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_child_of_a_process_where_others_ran_in_parallel():
    answer = run_python(FORK_AFTER_OTHERS, timeout=60, PYTHONWARNINGS="ignore")
    if answer == "no libgomp\n":
        pytest.skip("no libgomp")
    assert answer == "alive\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("script", [FORK, FORK_WHILE_BUSY], ids=["after use", "during use"])
def test_a_forked_child_computes_instead_of_hanging(script):
    assert run_python(script, timeout=60, PYTHONWARNINGS="ignore").endswith("alive\n")


MULTIPROCESSING = """
import multiprocessing
import numpy as np
import pyconv

x, w = np.ones((1, 16, 32, 32), "f4"), np.ones((16, 16, 3, 3), "f4")

def work(_):
    return float(pyconv.conv2d(x, w).sum())

if __name__ == "__main__":
    expected = work(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, range(8)) == [expected] * 8
    print("alive")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forking_pool_of_processes():
    assert run_python(MULTIPROCESSING, timeout=90, PYTHONWARNINGS="ignore") == "alive\n"


DEFAULT_THREADS = """
import numpy as np
import pyconv
print(pyconv.plan((8, 64, 56, 56), np.ones((64, 64, 3, 3), "f4")).threads)
"""

ABSURD_THREADS = """
import numpy as np
import pyconv

x, w = np.ones((2, 8, 40, 40), "f4"), np.ones((16, 8, 3, 3), "f4")
for name in pyconv.algorithms():
    try:
        print(pyconv.conv2d(x, w, algorithm=name, threads=10**6)[0, 0, 0, 0])
    except pyconv.UnsupportedError:
        pass
"""


def test_omp_num_threads_is_the_default():
    assert run_python(DEFAULT_THREADS, OMP_NUM_THREADS="1") == "1\n"


def test_an_absurd_number_of_threads_is_harmless():
    assert set(run_python(ABSURD_THREADS).split()) == {"72.0"}


EXIT = """
import sys, threading, time
import numpy as np
import pyconv

x, w = np.ones((4, 64, 28, 28), "f4"), np.ones((64, 64, 3, 3), "f4")
plan = pyconv.plan(x.shape, w, padding=1, algorithm=sys.argv[1], accuracy="fast", threads=1)

def work():
    while True:
        plan(x)

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.05 + 0.01 * int(sys.argv[2]))
print("alive", flush=True)
"""


@pytest.mark.parametrize("name", ["auto", "im2col", "direct", "kn2row_acc"])
def test_daemon_threads_inside_calls_while_the_interpreter_ends(name):
    for trial in range(4):
        assert run_python(EXIT, name, trial, timeout=60) == "alive\n"


def test_a_product_runs_on_our_threads_alone():
    """No call enters BLAS while that may start threads, which OpenMP's spinning ones would keep waiting."""
    kernels = pyconv._kernels
    if not kernels.blas_is_shared():
        pytest.skip("this BLAS can't be kept to one thread")
    before = kernels.blas_entries()
    x, w = normal((2, 16, 30, 30)), normal((24, 16, 3, 3), seed=1)
    for layout in ("NCHW", "NHWC"):
        image = x if layout == "NCHW" else np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        for threads in (1, 2, None):
            for plan in plans(image.shape, w, padding=1, layout=layout, threads=threads):
                plan(image)
    after = kernels.blas_entries()
    assert after[0] > before[0]
    assert after[1] == before[1]


BLAS_THREADS = """
import glob, os, threading
import numpy as np, scipy
import pyconv
from threadpoolctl import threadpool_info

def blas():
    return [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]

before = blas()
x, w = np.ones((2, 32, 28, 28), "f4"), np.ones((32, 32, 3, 3), "f4")
plan = pyconv.plan(x.shape, w, algorithm="im2col")
plan(x)
threads = [threading.Thread(target=lambda: [plan(x) for _ in range(20)]) for _ in range(4)]
[t.start() for t in threads], [t.join() for t in threads]
print(before == blas())
"""


def test_blas_has_its_own_number_of_threads_afterwards():
    pytest.importorskip("threadpoolctl")
    assert run_python(BLAS_THREADS) == "True\n"


def test_fewer_threads_today_give_the_same_bits(problem):
    """What is cut follows the plan, not the threads of the day."""
    x, w, keywords = problem
    kernels = pyconv._kernels
    for one in plans(x.shape, w, threads=None, **keywords):
        expected = one(x)
        kernels.set_cpus(1)
        try:
            np.testing.assert_array_equal(one(x), expected, err_msg=one.algorithm)
        finally:
            kernels.set_cpus(64)


AFFINITY = """
import os
import numpy as np
import pyconv

w = np.ones((64, 64, 3, 3), "f4")
before = pyconv.plan((8, 64, 56, 56), w)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
kernels = pyconv._kernels
print(pyconv.plan((8, 64, 56, 56), w).threads, pyconv.plan((8, 64, 56, 56), w, threads=5).threads,
      kernels.threads_now(before.threads))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no affinity")
def test_an_affinity_set_after_the_import_is_obeyed():
    assert run_python(AFFINITY) == "1 1 1\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no affinity")
def test_no_more_threads_than_cpus_are_planned():
    cpus = len(os.sched_getaffinity(0))
    assert 1 <= int(run_python(DEFAULT_THREADS, OMP_NUM_THREADS="64")) <= cpus


UNSTARTABLE = """
import numpy as np
import pyconv

pyconv._kernels.set_cpus(8)
x, w = np.ones((8, 16, 40, 40), "f4"), np.ones((16, 16, 3, 3), "f4")
plan = pyconv.plan(x.shape, w, threads=8)
assert plan.threads == 8
print((plan(x) == 144).all(), pyconv._kernels.threads_now(8, False))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limits are Linux's")
def test_threads_that_cannot_be_started_are_done_without():
    """Stacks of 64 GB in 16 GB of address space: every thread fails."""
    command = f"ulimit -s {64 << 20} && ulimit -v {16 << 20} && exec {sys.executable} -P -c '{UNSTARTABLE}'"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60
    )
    if "ulimit" in done.stderr:
        pytest.skip(done.stderr)
    assert (done.stdout, done.returncode) == ("True 1\n", 0), done.stderr


def test_a_crowd_is_noticed_and_forgotten():
    ms = 10**6
    answers = pyconv._kernels.crowd_answers
    quiet = [(1000 * ms + i * 100 * ms, i) for i in range(50)]  # ten switches a second
    assert not any(answers(quiet))
    crowd = [(1000 * ms + i * ms, i) for i in range(60)]
    assert any(answers([(1000 * ms, 0), *crowd]))
    seen = answers([(1000 * ms, 0), *crowd, (60_000 * ms, 60), (60_001 * ms, 60)])
    assert seen[-2:] == [False, False]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/a b/c\n", "sys/fs/cgroup/a b/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/elsewhere\n", "sys/fs/cgroup/cpu.max": "300000 100000"}, 3),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/x\n1:name=systemd:/\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "what is this"}, None),
    ],
)
def test_the_quota_of_a_control_group(tmp_path, files, expected):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert pyconv._quota.cpu_quota(tmp_path) == expected
