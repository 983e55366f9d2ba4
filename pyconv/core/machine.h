/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operating system tells: sizes of caches, CPUs that the calling thread may use, time, context switches. */
#ifndef PYCONV_CORE_MACHINE_H
#define PYCONV_CORE_MACHINE_H

/* sched_getaffinity and CPU_COUNT_S, where Python.h hasn't asked for them already */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif

/* Bytes of the first and second cache level of one core; cautious where the system does not tell. */
static inline ptrdiff_t pyconv_cache_bytes(int level) {
    long size = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    size = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE);
#endif
    return size > 0 ? size : level == 1 ? 32768 : 524288;
}

static inline ptrdiff_t pyconv_last_cache_bytes(void) {
    long size = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    size = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    return size > 0 ? size : 8 << 20;
}

static int pyconv_cpu_quota;     /* whole CPUs of the control group, 0 without a limit; set at import */
static int pyconv_cpus_for_test; /* in place of all that, if not 0 */

static inline int pyconv_usable_cpus(void) {
    int count = 1;
    if (pyconv_cpus_for_test)
        return pyconv_cpus_for_test;
#ifdef _OPENMP
    count = omp_get_num_procs();
#endif
#ifdef __linux__
    unsigned long mask[8192 / (8 * sizeof(unsigned long))] = {0}; /* the kernel's largest */
    if (sched_getaffinity(0, sizeof mask, (cpu_set_t *)mask) == 0)
        count = CPU_COUNT_S(sizeof mask, (cpu_set_t *)mask);
#endif
    if (pyconv_cpu_quota > 0 && pyconv_cpu_quota < count)
        count = pyconv_cpu_quota;
    return count > 1 ? count : 1;
}

static inline int64_t pyconv_nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

static inline int64_t pyconv_involuntary_switches(void) {
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? 0 : u.ru_nivcsw;
}

#endif
