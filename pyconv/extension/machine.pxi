# SPDX-License-Identifier: BSD-3-Clause
# The kernels and the rates in use, and what this extension was built with.

import os

from pyconv.core cimport crowd as core_crowd, machine as core_machine
from pyconv.core.blas cimport blas_entries as blas_entries_, blas_shared, blas_threaded
from pyconv.core.crowd cimport crowd_step, crowd_t
from pyconv.core.rates cimport rates_in_use, rates_t, shipped_rates, use_rates
from pyconv.core.kernels cimport ISA_COUNT, isa_level, isa_name, kernels_in_use, kernels_t, select_kernels, use_kernels
from pyconv.core.machine cimport cache_bytes, involuntary_switches, last_cache_bytes, nanoseconds
from pyconv.core.threads cimport OPENMP, available_threads, run_threads

cdef extern from "extension/interpreter.h":
    const char *PYCONV_COMPILER
    const char *PYCONV_COMPILER_NAME


def set_isa(str name=None):
    """
    Use the kernels of an instruction set, or of the best below it that this machine runs, for the plans made from now on.

    A hook for tests; callers set the environment variable ``PYCONV_ISA`` before the import.

    Parameters
    ----------
    name : {"scalar", "neon", "avx2", "avx512"}, optional
        By default the best.

    Returns
    -------
    str
        The instruction set now in use.

    Raises
    ------
    ValueError
        For a name that is none of these.
    """
    level = ISA_COUNT - 1
    if name is not None:
        level = isa_level(name.encode())
        if level < 0:
            names = ", ".join(isa_name(i).decode() for i in range(ISA_COUNT))
            raise ValueError(f"the instruction set must be one of {names}, is {name!r}")
    use_kernels(select_kernels(level))
    set_rates()
    return kernels_in_use().isa.decode()


def rates():
    """The constants of the cost model in use, as a dict; see `core/rates.pxd`."""
    return <dict>rates_in_use()[0]


def set_rates(dict given=None):
    """Use these rates, or those shipped for the instruction set in use, for the plans made from now on."""
    cdef rates_t wanted
    if given is None:
        wanted = shipped_rates(kernels_in_use().level > 0, select_kernels(ISA_COUNT - 1).f32.lanes)
    else:
        wanted = given
    if not use_rates(&wanted):
        raise MemoryError(f"cannot allocate {sizeof(wanted)} bytes for the rates")


def lanes():
    """float32 lanes of a vector of the instruction set in use."""
    return kernels_in_use().f32.lanes


def cache_sizes():
    """Bytes of the second and the last level of cache, as far as the system tells."""
    return cache_bytes(2), last_cache_bytes()


def kernel_tables():
    """The address of ``pyconv_kernels_select``, and the bytes of a table it gives. A hook for tests/native."""
    return <uintptr_t>&select_kernels, sizeof(kernels_t)


def set_cpu_quota(int cpus):
    """At most so many CPUs are worth a thread, 0 for no limit; see `_quota.py`."""
    core_machine.cpu_quota = cpus


def set_cpus(int cpus=0):
    """
    Plan as if so many CPUs could be used, 0 for as many as can.

    A hook for tests, which want more threads than a small machine has CPUs.
    """
    core_machine.cpus_for_test = cpus


def blas_entries():
    """How often products have entered BLAS, and how often of these BLAS was free to start threads. A hook for tests."""
    return blas_entries_, blas_threaded


def blas_is_shared():
    """Whether BLAS can be kept to one thread, so that ours share a product; see `core/blas.pxd`."""
    return blas_shared()


def threads_now(int planned, bint follow_openmp=True):
    """Of the threads planned those that a run would take now. A hook for tests."""
    return run_threads(planned, follow_openmp)


def crowd_answers(list moments):
    """Whether it is crowded at each of some moments, (nanoseconds, involuntary switches so far). A hook for tests."""
    cdef crowd_t c
    c.until = c.pause = c.seen = c.switches = 0
    c.level = 0
    return [bool(crowd_step(&c, now, switches)) for now, switches in moments]


def build_info():
    """What this extension was built with, and what it would run on now."""
    best, used = select_kernels(ISA_COUNT - 1), kernels_in_use()
    return {
        "compiler": f"{PYCONV_COMPILER_NAME.decode()} {PYCONV_COMPILER.decode()}",
        "instruction sets": [isa_name(i).decode() for i in range(best.level + 1) if select_kernels(i).level == i],
        "instruction set in use": used.isa.decode(),
        "tile": f"{used.f32.mr}x{used.f32.nr} float32, {used.f64.mr}x{used.f64.nr} float64",
        "openmp": OPENMP,
        "threads": available_threads(),
    }


set_isa(os.environ.get("PYCONV_ISA") or None)
core_crowd.crowd.seen, core_crowd.crowd.switches = nanoseconds(), involuntary_switches()
