# SPDX-License-Identifier: BSD-3-Clause
"""How many threads a run may use. A forked child of a process that ran parallel code stays serial: its OpenMP pool is gone."""

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define PYCONV_OPENMP _OPENMP
    #else
    #define PYCONV_OPENMP 0
    #endif
    #ifndef _WIN32
    #include <pthread.h>
    #endif

    static int pyconv_ran_parallel, pyconv_serial;

    /* Nobody is inside BLAS while the process forks: a lock that BLAS holds for another thread would stay held in the
       child. */
    static void pyconv_before_fork(void) { PyThread_acquire_lock(pyconv_blas_lock, 1); }
    static void pyconv_after_fork(void) { PyThread_release_lock(pyconv_blas_lock); }
    static void pyconv_after_fork_in_child(void) {
        pyconv_after_fork();
        pyconv_serial = pyconv_ran_parallel;
    }
    static int pyconv_watch_forks(void) {
    #ifdef _WIN32
        return 0;
    #else
        return pthread_atfork(pyconv_before_fork, pyconv_after_fork, pyconv_after_fork_in_child);
    #endif
    }
    static inline int pyconv_available_threads(void) {
    #ifdef _OPENMP
        return pyconv_serial ? 1 : omp_get_max_threads();
    #else
        return 1;
    #endif
    }
    static inline void pyconv_note_parallel(int threads) {
        if (threads > 1) pyconv_ran_parallel = 1;
    }
    """
    const int OPENMP "PYCONV_OPENMP"
    const bint forked_serial "pyconv_serial"
    int watch_forks "pyconv_watch_forks"() noexcept nogil
    int available_threads "pyconv_available_threads"() noexcept nogil
    void note_parallel "pyconv_note_parallel"(int threads) noexcept nogil


cdef inline int run_threads(int planned, bint follow_openmp) noexcept nogil:
    """Of the threads planned those that a run may use: one in a forked child, and no more than OpenMP's limit of the day."""
    cdef int threads = 1 if forked_serial else planned
    if follow_openmp and threads > 1:
        threads = min(threads, available_threads())
    note_parallel(threads)
    return threads
