# SPDX-License-Identifier: BSD-3-Clause
"""setup.py makes again what a change touches, and nothing else: tried on a project of a few lines."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytest.importorskip("Cython", reason="pip install '.[test]'")

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "pyproject.toml": "[project]\nname = 'pyconv'\nversion = '0'\n[tool.setuptools]\npackages = ['pyconv']\n",
    "pyconv/__init__.py": "",
    "pyconv/_kernels.pyx": "from pyconv.core.kernels cimport one\nwhole = one()\n",
    "pyconv/core/__init__.pxd": "",
    "pyconv/core/kernels.pxd": 'cdef extern from "shared.h" nogil:\n    int one()\n',
    "include/shared.h": "int one(void);\n",
    "include/template.h": "#define ONE 1\n",
    "pyconv/core/kernels.c": '#include "shared.h"\nint two(void);\nint one(void) { return two() / 2; }\n',
    "pyconv/core/simd/scalar.c": '#include "template.h"\nint two(void) { return 2 * ONE; }\n',
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    if shutil.which(shlex.split(sysconfig.get_config_var("CC") or "cc")[0]) is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shutil.copy(ROOT / "setup.py", folder)
    build(folder)
    return folder


def build(folder, *options, **environment):
    """Builds; returns what was made anew: "c" is Cython's translation, "main" its object."""
    marks = {path: path.stat().st_mtime_ns for path in products(folder)}
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", *options],
        cwd=folder,
        env={**os.environ, "CC": "cc", "CFLAGS": "-O0", "PYCONV_OPENMP": "0", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = products(folder)
    assert set(found.values()) == {"c", "main", "kernels", "simd", "module"}
    return sorted({kind for path, kind in found.items() if marks.get(path) != path.stat().st_mtime_ns})


def products(folder):
    kinds = {}
    for path in (folder / "build").rglob("*"):
        if path.suffix == ".c":
            kinds[path] = "c"
        elif path.suffix == ".o":
            kinds[path] = {"_kernels": "main", "kernels": "kernels"}.get(path.stem, "simd")
        elif path.suffix == ".so":
            kinds[path] = "module"
    return kinds


def touch(path):
    path.write_text(path.read_text())


def test_nothing_is_made_twice(project):
    assert build(project) == []


@pytest.mark.parametrize(
    "name, made",
    [
        ("pyconv/__init__.py", []),
        ("pyconv/core/kernels.pxd", ["c", "main", "module"]),
        ("pyconv/_kernels.pyx", ["c", "main", "module"]),
        ("include/template.h", ["module", "simd"]),
        ("include/shared.h", ["kernels", "main", "module"]),
    ],
)
def test_what_a_change_touches_is_made_anew(project, name, made):
    touch(project / name)
    assert build(project) == made
    assert build(project) == []


def test_switches_of_the_environment_are_seen(project):
    everything = ["c", "kernels", "main", "module", "simd"]
    assert build(project, PYCONV_BUILD="debug") == everything
    assert build(project, PYCONV_BUILD="debug") == []
    assert build(project, CFLAGS="-O0 -DSOMETHING") == everything
    assert build(project) == ["kernels", "main", "module", "simd"]


def test_a_missing_product_is_made_again(project):
    for path, kind in products(project).items():
        if kind == "main":
            path.unlink()
    assert build(project) == ["main", "module"]


def test_force_and_jobs(project):
    assert build(project, "--force", "-j", "3") == ["c", "kernels", "main", "module", "simd"]


def test_a_failed_compilation_is_tried_again(project):
    template = project / "include" / "template.h"
    template.write_text("#error broken\n")
    with pytest.raises(AssertionError, match="broken"):
        build(project)
    template.write_text("#define ONE 1\n")
    assert build(project) == ["module", "simd"]


def test_cython_reads_no_kernel():
    """So that a change of a kernel template leaves Cython's side alone."""
    cc = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(cc) is None:
        pytest.skip("no C compiler on this machine")
    source = '#include "pyconv/kernels.h"\n#include "pyconv.h"\n'
    listed = subprocess.run(
        [cc, "-MM", "-xc", f"-I{ROOT / 'include'}", f"-I{sysconfig.get_path('include')}", "-"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "pyconv/types.h" in listed
    assert "/simd/" not in listed and "/ops/" not in listed
