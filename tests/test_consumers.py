# SPDX-License-Identifier: BSD-3-Clause
"""The packages of `examples/` that use the C-level API, built in a temporary folder and run."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import normal, run_python

import pyconv

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


def need(*names):
    """Skip without these packages; they are not imported, since setuptools is late after others have been."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def install(package, folder, **environment):
    """Build a copy of a package folder, soon done, and install it below `folder`; return where."""
    need("pip", "setuptools")
    source, site = folder / "source", folder / "site"
    shutil.copytree(package, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps"]
    done = subprocess.run(
        [*command, "--no-index", "--target", site, source],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "CFLAGS": "-O0", **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return site


@pytest.fixture(scope="module")
def cython_cnn(tmp_path_factory):
    need("Cython")
    return install(EXAMPLES / "cython_cnn", tmp_path_factory.mktemp("cython"))


@pytest.fixture(scope="module")
def c_filter(tmp_path_factory):
    return install(EXAMPLES / "c_filter", tmp_path_factory.mktemp("c"), CFLAGS="-Wall -Werror")


@pytest.fixture(scope="module")
def numba_life(tmp_path_factory):
    need("numba")
    return install(EXAMPLES / "numba_life", tmp_path_factory.mktemp("numba"))


def run_with(site, script, *args, **keywords):
    """The script's output in a fresh interpreter that finds `site` and these tests' helpers."""
    paths = f"import sys\nsys.path[:0] = [{str(site)!r}, {str(Path(__file__).parent)!r}]\n"
    return run_python(paths + script, *args, **keywords)


CNN = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import pyconv
from helpers import normal
from small_cnn import SmallCNN
from test_threads import runs_beside

layers = [(normal((8, 3, 3, 3)), normal((8,)), 1), (normal((16, 8, 5, 3)), normal((16,)), 2),
          (normal((4, 16, 1, 1)), normal((4,)), 1)]
cnn = SmallCNN((3, 20, 17), layers)
batches = [normal((5, 3, 20, 17), seed=seed) for seed in range(6)]

def expected(x):
    for weight, bias, stride in layers:
        padding = tuple((k - 1) // 2 for k in weight.shape[2:])
        keywords = {"stride": stride, "padding": padding, "activation": "relu", "threads": 1}
        plan = pyconv.plan(x.shape[1:], weight, bias, **keywords)
        x = np.stack([plan(image) for image in x])
    return x

wanted = [expected(x) for x in batches]
assert cnn.output_shape == wanted[0].shape[1:]
assert len(cnn.algorithms) == 3
for x, y in zip(batches, wanted):
    np.testing.assert_array_equal(cnn(x), y)
with ThreadPoolExecutor(6) as pool:
    for y, again in zip(wanted * 4, pool.map(cnn, batches * 4)):
        np.testing.assert_array_equal(again, y)
many = normal((400, 3, 20, 17))
assert runs_beside(lambda: cnn(many))

try:
    SmallCNN((4, 20, 17), layers)
except ValueError as error:
    assert str(error) == "weight has 3 input channels per group, x has 4 channels / 1 groups", error
else:
    raise AssertionError("no error")
print("done")
"""


def test_cython_runs_a_network_without_the_gil(cython_cnn):
    assert run_with(cython_cnn, CNN) == "done\n"


def test_cython_says_what_a_call_costs(cython_cnn):
    """The figures are for people; here they are only there."""
    measure = (EXAMPLES / "cython_cnn" / "measure.py").read_text()
    output = run_with(cython_cnn, measure.replace("(1000, *", "(20, *"))
    assert output.count("ns from Cython") == 2 and "images/s on one thread" in output


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_c_filters_in_threads_of_its_own_while_the_caller_holds_the_gil(c_filter, threads):
    script = """
import numpy as np
import frame_filter
import pyconv
from helpers import normal

frames, kernel = normal((7, 40, 33)), normal((5, 4), seed=1)
out = np.empty_like(frames)
assert frame_filter.filter(frames, kernel, out, int(sys.argv[1])) > 0
keywords = {"padding": ((2, 2), (1, 2)), "padding_mode": "replicate", "threads": 1}
plan = pyconv.plan(frames[:1].shape, kernel[None, None], **keywords)
expected = [plan(frame[None]) for frame in frames]
np.testing.assert_array_equal(out[:, None], expected)
print("done")
"""
    assert run_with(c_filter, script, threads) == "done\n"


def test_c_hands_on_what_was_wrong(c_filter):
    script = """
import numpy as np
import frame_filter

frames = np.zeros((2, 8, 9), "f4")
calls = {
    "has shape (1, 1, 0, 3)": (frames, np.zeros((0, 3), "f4"), frames.copy(), 1),
    "kernel must be 2-D float32": (frames, np.zeros((3, 3)), frames.copy(), 1),
    "shape of frames": (frames, np.zeros((3, 3), "f4"), np.zeros((2, 8, 8), "f4"), 1),
    "threads must be": (frames, np.zeros((3, 3), "f4"), frames.copy(), 0),
}
for text, arguments in calls.items():
    try:
        frame_filter.filter(*arguments)
    except ValueError as error:
        assert text in str(error), error
    else:
        raise AssertionError(text)
print("done")
"""
    assert run_with(c_filter, script) == "done\n"


def test_an_extension_compiled_for_a_later_version_is_refused_by_name(tmp_path):
    newer = tmp_path / "include"
    shutil.copytree(pyconv.get_include(), newer)
    header = newer / "pyconv" / "abi.h"
    header.write_text(re.sub(r"(?m)PYCONV_ABI_VERSION \d+$", "PYCONV_ABI_VERSION 99", header.read_text()))
    site = install(EXAMPLES / "c_filter", tmp_path, CFLAGS=f"-I{newer}")
    script = """
try:
    import frame_filter
except ImportError as error:
    print(error)
"""
    assert run_with(site, script).startswith(
        "compiled for version 99 of pyconv's C-level API, installed is ver"
    )


README_SETUP = """
from Cython.Build import cythonize
from setuptools import Extension, setup
import pyconv

extension = Extension("readme", ["readme.pyx"], include_dirs=[pyconv.get_include()])
setup(name="readme", ext_modules=cythonize([extension]))
"""


def test_what_readme_shows(tmp_path):
    need("Cython")
    source = tmp_path / "package"
    source.mkdir()
    (block,) = re.findall(r"^```cython\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    (source / "readme.pyx").write_text("# cython: language_level=3\n" + block)
    (source / "setup.py").write_text(README_SETUP)
    script = """
import numpy as np
import pyconv
import readme
from helpers import normal

x, w, y = normal((13, 11)), normal((4, 3), seed=1), np.empty((10, 9), "f4")
assert readme.correlate(x, w, y) == "ok"
np.testing.assert_array_equal(y[None], pyconv.plan(x[None].shape, w[None, None])(x[None]))
print(readme.correlate(w, x, y))
"""
    assert "is larger than the" in run_with(install(source, tmp_path), script)


def generation_after(board):
    """One step of Life by shifted sums."""
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    count = sum(np.roll(board, shift, (0, 1)) for shift in shifts)
    return ((count == 3) | ((count == 2) & (board == 1))).astype(board.dtype)


def test_a_glider_moves():
    glider = np.zeros((8, 9), int)
    glider[[0, 1, 2, 2, 2], [1, 2, 0, 1, 2]] = 1
    later = glider
    for _ in range(4):
        later = generation_after(later)
    np.testing.assert_array_equal(later, np.roll(glider, (1, 1), (0, 1)))


def test_numba_calls_a_plan_in_a_compiled_loop(numba_life, tmp_path):
    board = (normal((37, 50)) > 0.5).astype(np.float32)
    np.save(tmp_path / "soup.npy", board)
    script = """
import numpy as np
from numba_life import evolve, life

np.save(sys.argv[2], life(np.load(sys.argv[1]), 60))
print(len(evolve.nopython_signatures))
"""
    assert run_with(numba_life, script, tmp_path / "soup.npy", tmp_path / "later.npy") == "1\n"
    for _ in range(60):
        board = generation_after(board)
    np.testing.assert_array_equal(np.load(tmp_path / "later.npy"), board)
