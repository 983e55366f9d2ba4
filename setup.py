# SPDX-License-Identifier: BSD-3-Clause
"""
Builds the one extension, ``pyconv._kernels``: Cython's side, ``pyconv/_kernels.pyx``, and the C kernels.

A source is compiled again if a file that it was made of has changed, or its command, with these switches:

PYCONV_BUILD=debug           assertions, bounds checks, no optimisation (default: release)
PYCONV_SANITIZE=address,undefined   (or ``thread``) instruments the extension; a finding ends the process
PYCONV_OPENMP=0              builds without OpenMP (default: used when the compiler has it)
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

DEBUG = os.environ.get("PYCONV_BUILD", "release") == "debug"
SANITIZE = os.environ.get("PYCONV_SANITIZE", "")
OPENMP = os.environ.get("PYCONV_OPENMP", "1") != "0"

CYTHON_SIDE = "pyconv/_kernels.pyx"
KERNELS = ["pyconv/core/kernels.c", *sorted(glob("pyconv/core/simd/*.c"))]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


def compiler_flags():
    flags = ["-std=gnu11", "-g", "-O1", "-UNDEBUG"] if DEBUG else ["-std=gnu11", "-O3", "-g0"]
    flags += ["-fno-math-errno", "-fvisibility=hidden"]
    # Vectors of one instruction set never cross a call into another: no ABI to warn of.
    flags += ["-Wno-psabi"]
    if SANITIZE:
        # Instrumented, unrolled and inlined kernels take compilers hours; as plain loops, a minute.
        flags += [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
        flags += ["-g1", "-O1", "-DPYCONV_NO_UNROLL", "-fno-unroll-loops"]
        flags += ["-fno-wrapv"]  # with Python's own flags, integers may overflow
    return flags


def make(target, listed, command, run, force=False):
    """
    Calls ``run`` unless ``target`` was made by the same command from files that haven't changed since.

    ``listed``, a rule of a makefile, names what the compiler read, by its own account: the project's files by
    relative names; others, of the system and of packages, go by the versions in ``command``. A file beside
    the target holds the command, and is of the moment when it began.
    """
    made = Path(f"{target}.made")
    if not force and target.exists() and listed.exists() and made.exists() and made.read_text() == command:
        names = listed.read_text().replace("\\\n", " ").partition(":")[2].split()
        files = [Path(name) for name in names if not Path(name).is_absolute()]
        began = made.stat().st_mtime
        if all(file.exists() and file.stat().st_mtime < began for file in files):
            return
    made.unlink(missing_ok=True)
    began = time.time()
    run()
    made.write_text(command)
    os.utime(made, (began, began))


class BuildExt(build_ext):
    """Compiles the kernels while Cython works, on as many CPUs as there are (or ``build_ext -j``)."""

    def build_extension(self, extension):
        import numpy

        flags, link_flags = compiler_flags(), [f"-fsanitize={SANITIZE}"] if SANITIZE else []
        openmp = ["-fopenmp"] if OPENMP and self.has_openmp() else []
        # pip's isolated builds have NumPy in another place each time: it goes by its version.
        numpy_flags = ["-isystem", numpy.get_include(), "-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION"]
        jobs = self.parallel if isinstance(self.parallel, int) and self.parallel > 1 else usable_cpus()
        with ThreadPoolExecutor(jobs) as pool:
            kernels = [pool.submit(self.compile, source, flags) for source in KERNELS]
            generated = self.cythonize(numpy.__version__)
            main = self.compile(generated, [*flags, *openmp, "-Ipyconv"], numpy_flags, numpy.__version__)
            objects = [main, *(kernel.result() for kernel in kernels)]
        extension.sources, extension.depends, extension.extra_objects = [], objects, objects
        extension.extra_link_args = link_flags + openmp
        extension.libraries = ["npymath"]
        extension.library_dirs = [str(Path(numpy.get_include()).parent / "lib")]
        super().build_extension(extension)

    def cythonize(self, numpy_version):
        """Cython's side in C."""
        import Cython
        from Cython.Build import cythonize

        target = Path(self.build_temp, CYTHON_SIDE).with_suffix(".c")
        command = repr(["cython", Cython.__version__, numpy_version, DIRECTIVES])
        module = Extension("pyconv._kernels", [CYTHON_SIDE])
        options = {"build_dir": self.build_temp, "compiler_directives": DIRECTIVES, "depfile": True}
        run = partial(cythonize, [module], force=True, **options)
        make(target, Path(f"{target}.dep"), command, run, self.force)
        return target

    def compile(self, source, flags, more=(), version=""):
        """The object of a source; ``version`` stands for flags that are spelt another way each time."""
        [target] = self.compiler.object_filenames([str(source)], output_dir=self.build_temp)
        command = repr([self.compiler.compiler_so, self.compiler.include_dirs, flags, version])
        run = partial(
            self.compiler.compile,
            [str(source)],
            output_dir=self.build_temp,
            include_dirs=["include"],
            extra_postargs=["-MMD", *flags, *more],
        )
        make(Path(target), Path(target).with_suffix(".d"), command, run, self.force)
        return target

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


def usable_cpus():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


setup(
    ext_modules=[Extension("pyconv._kernels", [CYTHON_SIDE, *KERNELS])],
    cmdclass={"build_ext": BuildExt},
)
