# SPDX-License-Identifier: BSD-3-Clause
"""
What the operating system tells: bytes of the caches of one core (level 1 or 2, and the last); how many CPUs the calling
thread may use, those of its affinity now, no more than its control group's quota; the time, and involuntary context switches.
"""

from libc.stdint cimport int64_t

cdef extern from "core/machine.h":
    ptrdiff_t cache_bytes "pyconv_cache_bytes"(int level) noexcept nogil
    ptrdiff_t last_cache_bytes "pyconv_last_cache_bytes"() noexcept nogil
    int cpu_quota "pyconv_cpu_quota"
    int cpus_for_test "pyconv_cpus_for_test"
    int usable_cpus "pyconv_usable_cpus"() noexcept nogil
    int64_t nanoseconds "pyconv_nanoseconds"() noexcept nogil
    int64_t involuntary_switches "pyconv_involuntary_switches"() noexcept nogil
