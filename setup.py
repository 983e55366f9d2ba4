# SPDX-License-Identifier: BSD-3-Clause
"""Builds the one extension, ``pyconv._kernels``.

Environment switches:

PYCONV_BUILD=debug           assertions, bounds checks, no optimisation (default: release)
PYCONV_SANITIZE=address,undefined   (or ``thread``) instruments the extension; a finding ends the process
PYCONV_OPENMP=0              builds without OpenMP (default: used when the compiler has it)
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

DEBUG = os.environ.get("PYCONV_BUILD", "release") == "debug"
SANITIZE = os.environ.get("PYCONV_SANITIZE", "")
OPENMP = os.environ.get("PYCONV_OPENMP", "1") != "0"

OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


class BuildExt(build_ext):
    """Adds the flags that depend on the compiler found."""

    def build_extensions(self):
        if self.compiler.compiler_type == "unix":
            compile_args = ["-std=gnu11", "-g", "-O1", "-UNDEBUG"] if DEBUG else ["-std=gnu11", "-O3", "-g0"]
            compile_args += ["-fno-math-errno", "-fvisibility=hidden"]
            # Vectors of one instruction set never cross a call into another: no ABI to warn of.
            compile_args += ["-Wno-psabi"]
            link_args = []
            if SANITIZE:
                # Instrumented, unrolled and inlined kernels take compilers hours; as plain loops, a minute.
                compile_args += [
                    f"-fsanitize={SANITIZE}",
                    "-fno-sanitize-recover=all",
                    "-fno-omit-frame-pointer",
                ]
                compile_args += ["-g1", "-O1", "-DPYCONV_NO_UNROLL", "-fno-unroll-loops"]
                compile_args += ["-fno-wrapv"]  # with Python's own flags, integers may overflow
                link_args += [f"-fsanitize={SANITIZE}"]
            if OPENMP and self.has_openmp():
                compile_args += ["-fopenmp"]
                link_args += ["-fopenmp"]
            for extension in self.extensions:
                extension.extra_compile_args += compile_args
                extension.extra_link_args += link_args
        super().build_extensions()

    def has_openmp(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(OPENMP_PROBE)
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=["-fopenmp"])
                self.compiler.link_executable(
                    objects, "probe", output_dir=folder, extra_postargs=["-fopenmp"]
                )
            except (CompileError, LinkError):
                print("pyconv: the compiler has no OpenMP; building for one thread", file=sys.stderr)
                return False
        return True


kernels = Extension(
    "pyconv._kernels",
    ["pyconv/_kernels.pyx", "pyconv/core/kernels.c"],
    include_dirs=["include", numpy.get_include()],
    library_dirs=[str(Path(numpy.get_include()).parent / "lib")],
    libraries=["npymath"],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
    depends=[str(path) for folder in ("include", "pyconv") for path in Path(folder).rglob("*.[hp]*")],
)

setup(
    ext_modules=cythonize(
        [kernels],
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    ),
    cmdclass={"build_ext": BuildExt},
)
