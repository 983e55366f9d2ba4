"""The sources piece by piece: headers without warnings, every .pxd alone, no name cimported for nothing."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "pyconv"
HEADERS = sorted(SOURCES.glob("*/*.h"))
MODULES = sorted(path for path in SOURCES.glob("*/*.pxd") if path.name != "__init__.pxd")
MODULES += sorted(SOURCES.glob("engines/*/*.pxd"))
INCLUDES = [
    f"-I{ROOT / 'include'}",
    f"-I{sysconfig.get_path('include')}",
    f"-I{np.get_include()}",
    f"-I{SOURCES}",
]
COMPILER = os.environ.get("CC", "cc").split()

needs_compiler = pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason="there is no C compiler")


def compile_only(source, *flags):
    return subprocess.run(
        [*COMPILER, "-std=gnu11", "-fsyntax-only", *flags, *INCLUDES, "-x", "c", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_are_sources():
    assert len(HEADERS) >= 8
    assert len(MODULES) >= 40


@needs_compiler
@pytest.mark.parametrize("openmp", [[], ["-fopenmp"]], ids=["serial", "openmp"])
@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_a_header_stands_alone_without_a_warning(header, openmp):
    done = compile_only(header, "-Wall", "-Wextra", "-Werror", *openmp)
    if openmp and "omp.h" in done.stderr:
        pytest.skip("the compiler has no OpenMP")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "text, names", [("cimport a, b", {"a", "b"}), ("from x cimport (\n    a, b as c,\n)", {"a", "c"})]
)
def test_cimported_names_are_found(text, names):
    assert set(cimported(text + "\n")) == names


def cimported(text):
    """The names that a source cimports, stars aside."""
    for match in re.finditer(r"^(?:from \S+ )?cimport (?:\(([^)]*)\)|(.*))$", text, flags=re.MULTILINE):
        for name in (match[1] or match[2]).split(","):
            if name.strip() and name.strip() != "*":
                yield name.split(" as ")[-1].strip()


def code_of(text):
    """Without cimports, docstrings and comments."""
    text = re.sub(r"^(?:from \S+ )?cimport (?:\([^)]*\)|.*)$", "", text, flags=re.MULTILINE)
    text = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    return re.sub(r"#.*", "", text)


@pytest.mark.parametrize(
    "path", sorted(SOURCES.rglob("*.p[xy][dix]")), ids=lambda path: str(path.relative_to(SOURCES))
)
def test_every_cimported_name_is_used(path):
    text = path.read_text()
    code = code_of(text)
    for name in re.findall(r'^include "(.*)"$', text, flags=re.MULTILINE):
        code += code_of((path.parent / name).read_text())
    unused = [name for name in cimported(text) if not re.search(rf"\b{name.split('.')[-1]}\b", code)]
    assert unused == []


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_a_module_can_be_cimported_alone(module, tmp_path):
    """Its C must not need what another module includes."""
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    source = tmp_path / "alone.pyx"
    source.write_text(f"cimport {name}\nfrom {name} cimport *\n")
    translated = subprocess.run(
        ["cython", "-3", "-I", str(ROOT), str(source)], capture_output=True, text=True, check=False
    )
    assert translated.returncode == 0, translated.stderr
    done = compile_only(source.with_suffix(".c"))
    assert done.returncode == 0, done.stderr
