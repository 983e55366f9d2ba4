/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is inside BLAS, and with how many of its own threads: the C of blas.pxd. */
#ifndef PYCONV_CORE_BLAS_H
#define PYCONV_CORE_BLAS_H

/* dladdr and RTLD_NOLOAD, where Python.h hasn't asked for them already */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static int (*pyconv_blas_get)(void); /* OpenBLAS's number of threads; NULL: it can't be set */
static void (*pyconv_blas_set)(int);
static int pyconv_blas_inside; /* callers between enter and leave */
static int pyconv_blas_closed; /* forks under way, and the end of the process: nobody enters */
static int pyconv_blas_own;    /* the number of threads to be put back */
static char pyconv_blas_guard; /* of these, for a few instructions at a time */
static int64_t pyconv_blas_entries,
    pyconv_blas_threaded; /* times entered; of these with BLAS free to start threads */

static inline void pyconv_blas_pause(void) {
    const struct timespec t = {0, 50000};
    nanosleep(&t, NULL);
}

static inline void pyconv_blas_lock(void) {
    while (__atomic_test_and_set(&pyconv_blas_guard, __ATOMIC_ACQUIRE))
        pyconv_blas_pause();
}

static inline void pyconv_blas_unlock(void) { __atomic_clear(&pyconv_blas_guard, __ATOMIC_RELEASE); }

static inline void pyconv_blas_enter(void) {
    const int most = pyconv_blas_set ? INT_MAX : 1;
    for (;; pyconv_blas_pause()) {
        pyconv_blas_lock();
        if (!pyconv_blas_closed && pyconv_blas_inside < most)
            break;
        pyconv_blas_unlock();
    }
    if (pyconv_blas_inside++ == 0 && pyconv_blas_set) {
        pyconv_blas_own = pyconv_blas_get();
        if (pyconv_blas_own != 1)
            pyconv_blas_set(1);
    }
    pyconv_blas_entries++;
    pyconv_blas_threaded += !pyconv_blas_set || pyconv_blas_get() != 1;
    pyconv_blas_unlock();
}

static inline void pyconv_blas_leave(void) {
    pyconv_blas_lock();
    /* Whoever has set another number meanwhile keeps it. */
    if (--pyconv_blas_inside == 0 && pyconv_blas_set && pyconv_blas_own != 1 && pyconv_blas_get() == 1)
        pyconv_blas_set(pyconv_blas_own);
    pyconv_blas_unlock();
}

/* Nobody is inside while the process forks: what BLAS has locked for another thread would stay locked in the child. */
static inline void pyconv_blas_close(void) {
    pyconv_blas_lock();
    pyconv_blas_closed++;
    while (pyconv_blas_inside > 0) {
        pyconv_blas_unlock();
        pyconv_blas_pause();
        pyconv_blas_lock();
    }
}

static inline void pyconv_blas_reopen(void) {
    pyconv_blas_closed--;
    pyconv_blas_unlock();
}

/* f is a function of the library that calls BLAS, whose dependencies are searched. 0, or an error. */
static inline int pyconv_blas_find(void *f) {
    static const char *const words[][2] = {
        {"scipy_openblas", ""}, {"scipy_openblas", "64_"}, {"openblas", ""}, {"openblas", "64_"}};
    Dl_info info;
    void *library = NULL;
    char name[64];
    if (dladdr(f, &info) && info.dli_fname)
        library =
            dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD); /* stays open, as its functions stay in use */
    for (int i = 0; library && !pyconv_blas_set && i < 4; i++) {
        void *get, *set;
        int (*parallel)(void);
        snprintf(name, sizeof name, "%s_get_parallel%s", words[i][0], words[i][1]);
        parallel = (int (*)(void))dlsym(library, name);
        snprintf(name, sizeof name, "%s_get_num_threads%s", words[i][0], words[i][1]);
        get = dlsym(library, name);
        snprintf(name, sizeof name, "%s_set_num_threads%s", words[i][0], words[i][1]);
        set = dlsym(library, name);
        if (parallel && get && set &&
            parallel() == 1) { /* its own threads; 0: none, and no locks; 2: OpenMP's */
            pyconv_blas_get = (int (*)(void))get;
            pyconv_blas_set = (void (*)(int))set;
        }
    }
    return pthread_atfork(pyconv_blas_close, pyconv_blas_reopen, pyconv_blas_reopen);
}

static inline int pyconv_blas_shared(void) { return pyconv_blas_set != NULL; }

#endif
