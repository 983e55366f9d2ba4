# SPDX-License-Identifier: BSD-3-Clause
"""SciPy's own tests pass on `pyconv.ndimage` and `pyconv.signal`, in processes whose SciPy is changed."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("scipy_suite.py")


@pytest.mark.slow
@pytest.mark.parametrize("small", [(), ("--all",)], ids=["by default", "small arrays, too"])
@pytest.mark.parametrize("module", ["ndimage", "signal"])
def test_scipy_suite(module, small):
    if importlib.util.find_spec(f"scipy.{module}.tests") is None:
        pytest.skip("this SciPy was installed without its tests")
    process = subprocess.run([sys.executable, PROGRAM, module, *small], capture_output=True, text=True)
    assert process.returncode == 0, process.stdout[-4000:] + process.stderr[-1000:]
