# SPDX-License-Identifier: BSD-3-Clause
"""Every instruction set this processor has, chosen through PYCONV_ISA, passes the central tests."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import run_python

HERE = Path(__file__).parent
FILES = ["test_exact.py", "test_interleaved.py", "test_nan.py", "test_dtypes.py"]


def available():
    """Names of the instruction sets to try, lowest first."""
    if platform.machine() in ("arm64", "aarch64"):
        return ["scalar", "neon"]
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return ["scalar"]
    wide = {"avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}}
    return ["scalar", *(name for name, needed in wide.items() if needed <= flags)]


@pytest.mark.parametrize("isa", available())
def test_the_mask_is_obeyed(isa):
    script = "import pyconv; print(pyconv.show_config(mode='dicts'))"
    assert f"'{isa}'" in run_python(script, PYCONV_ISA=isa)


@pytest.mark.parametrize("isa", available()[:-1])
def test_central_tests_on_a_lower_level(isa):
    """The highest level is what the rest of the suite runs on."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *FILES],
        cwd=HERE,
        env={**os.environ, "PYCONV_ISA": isa},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_an_unknown_level_is_refused_or_named():
    script = "import pyconv; print(pyconv.show_config(mode='dicts'))"
    with pytest.raises(AssertionError, match="avx9000"):
        run_python(script, PYCONV_ISA="avx9000")
