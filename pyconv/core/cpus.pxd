# SPDX-License-Identifier: BSD-3-Clause
"""How many CPUs the calling thread may use: those of its affinity now, no more than its control group's quota."""

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #endif
    #ifdef __linux__
    #include <sched.h>
    #endif

    static int pyconv_cpu_quota;     /* whole CPUs of the control group, 0 without a limit; set at import */
    static int pyconv_cpus_for_test; /* in place of all that, if not 0 */

    static int pyconv_usable_cpus(void) {
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
    """
    int cpu_quota "pyconv_cpu_quota"
    int cpus_for_test "pyconv_cpus_for_test"
    int usable_cpus "pyconv_usable_cpus"() noexcept nogil
