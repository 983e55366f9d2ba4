# SPDX-License-Identifier: BSD-3-Clause
"""The kernel benchmark runs; that no operation is left out, the compiler sees to."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("rich", reason="pip install '.[bench]'")

SCRIPT = pathlib.Path(__file__).parents[1] / "bench" / "kernels.py"


@pytest.mark.parametrize("cc", [[], ["--cc", "cc -O0 -DPYCONV_NO_UNROLL"]], ids=["installed", "compiled"])
def test_one_operation(tmp_path, cc):
    if shutil.which("cc") is None:
        pytest.skip("no cc on this machine")
    command = [sys.executable, SCRIPT, *cc, "--isa", "scalar", "--op", "^transpose"]
    done = subprocess.run([*command, "--json", tmp_path / "rows.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("transpose_rows") == 2
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [(row["isa"], row["type"], row["operation"], row["unit"]) for row in rows] == [
        ("scalar", "f32", "transpose_rows", "GB/s"),
        ("scalar", "f64", "transpose_rows", "GB/s"),
    ]
    assert all(0 < row["speed"] < 1e4 and 0 < row["share"] < 10 for row in rows)
