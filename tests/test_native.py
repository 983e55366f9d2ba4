# SPDX-License-Identifier: BSD-3-Clause
"""The C kernels on their own: every kernel of every instruction set, natively and on emulated AArch64."""

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "pyconv" / "core"
SOURCES = [CORE / "kernels.c", *sorted((CORE / "simd").glob("*.c"))]
CC = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
FLAGS = ["-std=gnu11", "-Wall", "-Werror", f"-I{ROOT / 'include'}"]


def compiler(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} on this machine")
    return path


def build(directory, cc, *flags):
    program = directory / "driver"
    sources = [ROOT / "tests" / "native" / "driver.c", *SOURCES]
    objects = [directory / f"{source.stem}.o" for source in sources]
    flags = [*FLAGS, *flags]

    def compile_one(source, target):
        subprocess.run([cc, *flags, "-c", source, "-o", target], check=True)

    with ThreadPoolExecutor() as pool:
        list(pool.map(compile_one, sources, objects))
    subprocess.run([cc, *flags, *objects, "-o", program, "-lm"], check=True)
    return str(program)


def check(*command):
    """Runs the driver; returns the instruction sets it tested."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.search(r"^(\d+) passed, 0 failed$", done.stdout, re.M)
    assert counts and int(counts[1]) > 10000, done.stdout
    return re.findall(r"^(\w+): \d+ lanes$", done.stdout, re.M)


def test_kernels():
    """Those of the installed extension."""
    compiler(CC)
    assert "scalar" in check(sys.executable, ROOT / "tests" / "native" / "installed.py")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_kernels_compile_without_warnings(source):
    subprocess.run([compiler(CC), *FLAGS, "-fsyntax-only", source], check=True)


@pytest.mark.slow
def test_kernels_on_aarch64(tmp_path):
    cc, emulator = compiler("aarch64-linux-gnu-gcc"), compiler("qemu-aarch64")
    assert check(emulator, build(tmp_path, cc, "-O1", "-static")) == ["scalar", "neon"]


def test_a_set_may_have_few_operations(tmp_path):
    program, source = tmp_path / "levels", ROOT / "tests" / "native" / "levels.c"
    subprocess.run([compiler(CC), *FLAGS, source, "-o", program], check=True)
    subprocess.run([program], check=True)


def test_an_older_gcc_is_told_what_to_do(tmp_path):
    cc = compiler("gcc")
    older = ["-U__GNUC__", "-D__GNUC__=11", "-fsyntax-only", f"-I{ROOT / 'include'}"]
    source = ROOT / "pyconv" / "core" / "simd" / "scalar.c"
    done = subprocess.run([cc, *older, source], capture_output=True, text=True)
    assert done.returncode != 0 and "needs GCC 12 or later" in done.stderr


SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gcc", "clang"])
@pytest.mark.parametrize("flags", [["-O3"], SANITIZED], ids=["O3", "sanitized"])
def test_kernels_as_otherwise_compiled(tmp_path, name, flags):
    assert "scalar" in check(build(tmp_path, compiler(name), *flags))


NAMES = {"from": "src"}  # a keyword in Python
TYPES = {"pyconv_ahead": "ahead_t"} | {
    f"pyconv_{name}": f"{name}_t"
    for name in ("epilogue", "patches", "band", "wino", "spread", "grad", "grad_line", "point")
}


def words(parameters):
    """C parameters as Cython declares them, without line ends."""
    parameters = re.sub(r"\b\w+\b", lambda m: (TYPES | NAMES).get(m[0], m[0]), parameters)
    return [" ".join(parameter.split()) for parameter in parameters.split(",")]


def test_cython_declares_what_the_header_does():
    """C finds members by name: a wrong order of parameters in core/kernels.pxd would compile."""
    header = (ROOT / "include" / "pyconv" / "kernels.h").read_text().replace("\\\n", " ")
    declared = (ROOT / "pyconv" / "core" / "kernels.pxd").read_text()
    wanted = re.findall(r"OP\(T, isa, (\w+), (\w+),\s*\(([^)]*)\)\)", header)
    found = re.findall(r"(\w+) \(\*(\w+)\)\(([^)]*)\) noexcept nogil", declared)
    assert len(wanted) == header.count("OP(T, isa, ") > 20
    assert {name: (result, words(text)) for name, result, text in wanted} == {
        name: (result, words(text)) for result, name, text in found
    }
