# SPDX-License-Identifier: BSD-3-Clause
"""How many threads a run may use: as many as can be started, and one in a forked child, whose OpenMP pool is gone."""

from pyconv.core.cpus cimport usable_cpus
from pyconv.core.crowd cimport crowded

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define PYCONV_OPENMP _OPENMP
    #else
    #define PYCONV_OPENMP 0
    #endif
    #include <pthread.h>

    /* Whoever filled the pool that the child lacks: this extension, or another that shares the OpenMP library. */
    static int pyconv_serial;
    static void pyconv_fork_is_serial(void) { pyconv_serial = 1; }
    static int pyconv_watch_forks(void) {
        return pthread_atfork(NULL, NULL, pyconv_fork_is_serial);
    }

    static int pyconv_openmp_threads(void) {
    #ifdef _OPENMP
        return omp_get_max_threads();
    #else
        return 1;
    #endif
    }

    /* GCC's OpenMP ends the process if it can't start a thread. So before a team grows, as many as it lacks are started
       and joined here; returned is the size that is possible. OpenMP keeps a pool for each thread that calls it, of the
       size of its last team. */
    #ifdef _OPENMP
    static void *pyconv_wait(void *gate) {
        pthread_mutex_lock(gate);
        pthread_mutex_unlock(gate);
        return NULL;
    }
    static int pyconv_start(int count) {
        pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
        pthread_t *threads = malloc(count * sizeof(pthread_t));
        int started = 0;
        if (threads == NULL)
            return 0;
        pthread_mutex_lock(&gate);
        while (started < count && pthread_create(&threads[started], NULL, pyconv_wait, &gate) == 0)
            started++;
        pthread_mutex_unlock(&gate);
        for (int i = 0; i < started; i++)
            pthread_join(threads[i], NULL);
        pthread_mutex_destroy(&gate);
        free(threads);
        return started;
    }
    static int pyconv_team(int threads) {
        static __thread int pool = 1;
        if (threads > pool)
            threads = pool + pyconv_start(threads - pool);
        return pool = threads;
    }
    #else
    static int pyconv_team(int threads) { return threads; }
    #endif
    """
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
