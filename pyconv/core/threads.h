/* SPDX-License-Identifier: BSD-3-Clause */
/* OpenMP's teams, and forks: the C of threads.pxd. */
#ifndef PYCONV_CORE_THREADS_H
#define PYCONV_CORE_THREADS_H

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#define PYCONV_OPENMP _OPENMP
#else
#define PYCONV_OPENMP 0
#endif

/* Whoever filled the pool that the child lacks: this extension, or another that shares the OpenMP library. */
static int pyconv_serial;

static inline void pyconv_fork_is_serial(void) { pyconv_serial = 1; }

static inline int pyconv_watch_forks(void) { return pthread_atfork(NULL, NULL, pyconv_fork_is_serial); }

static inline int pyconv_openmp_threads(void) {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* GCC's OpenMP ends the process if it can't start a thread. So before a team grows, as many as it lacks are started and
 * joined here; returned is the size that is possible. OpenMP keeps a pool for each thread that calls it, of the size of
 * its last team. */
#ifdef _OPENMP
static inline void *pyconv_wait(void *gate) {
    pthread_mutex_lock((pthread_mutex_t *)gate);
    pthread_mutex_unlock((pthread_mutex_t *)gate);
    return NULL;
}

static inline int pyconv_start(int count) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = (pthread_t *)malloc((size_t)count * sizeof(pthread_t));
    int started = 0;
    if (!threads)
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

static inline int pyconv_team(int threads) {
    static __thread int pool = 1;
    if (threads > pool)
        threads = pool + pyconv_start(threads - pool);
    return pool = threads;
}
#else
static inline int pyconv_team(int threads) { return threads; }
#endif

#endif
