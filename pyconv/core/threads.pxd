# SPDX-License-Identifier: BSD-3-Clause
"""How many threads a run may use: as many as can be started, and one in a forked child, whose OpenMP pool is gone."""

from pyconv.core.crowd cimport crowded
from pyconv.core.machine cimport usable_cpus

cdef extern from "core/threads.h":
    const int OPENMP "PYCONV_OPENMP"
    const bint forked_serial "pyconv_serial"
    int watch_forks "pyconv_watch_forks"() noexcept nogil
    int openmp_threads "pyconv_openmp_threads"() noexcept nogil
    int _team "pyconv_team"(int threads) noexcept nogil

cdef enum:
    # What keeps a core busy for some 15 us, three times what waking a thread takes: multiplications, or elements moved.
    WORTH_MULTIPLICATIONS = 1000000
    WORTH_ELEMENTS = 100000
    MOST_THREADS = 1 << 16    # that anyone may ask for


cdef inline int paying_threads(int threads, double multiplications, double elements) noexcept nogil:
    """As many of these as such a piece of work keeps busy, at least one."""
    cdef double worth = multiplications / WORTH_MULTIPLICATIONS + elements / WORTH_ELEMENTS
    return threads if threads < worth else max(1, <int>worth)


cdef inline int available_threads() noexcept nogil:
    """OpenMP's limit of the day, within the CPUs of the day."""
    return 1 if forked_serial else min(openmp_threads(), usable_cpus())


cdef inline int allowed_threads(int wanted) noexcept nogil:
    """Of a plan: those that were asked for, or with 0 as many as there are; more than CPUs would only wait for each other."""
    return 1 if forked_serial else min(wanted, usable_cpus()) if wanted > 0 else available_threads()


cdef inline int run_threads(int planned, bint follow_openmp) noexcept nogil:
    """Of the threads planned those that a run may use."""
    cdef int threads = 1 if forked_serial else planned
    if follow_openmp and threads > 1:
        threads = 1 if crowded() else min(threads, available_threads())
    return _team(threads) if threads > 1 else 1
