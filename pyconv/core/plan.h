/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of plans: the C of plan.pxd. */
#ifndef PYCONV_CORE_PLAN_H
#define PYCONV_CORE_PLAN_H

#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* Weights of several MB are read from front to back: large pages spare a walk of the page table every 64 cache lines, and
 * memory yields half as much again. The block begins with one, for as many as fit. */
static inline void *pyconv_alloc_weights(size_t bytes) {
#ifdef MADV_HUGEPAGE
    const size_t large = (size_t)2 << 20, page = 4096;
    void *p;
    if (bytes >= large) {
        if (posix_memalign(&p, large, bytes))
            return NULL;
        madvise(p, bytes & ~(page - 1), MADV_HUGEPAGE); /* only advice: refusing it is no error */
        return p;
    }
#endif
    return malloc(bytes);
}

/* Where nothing is read or written, but offsets of 0 are added, which C allows on no NULL. */
static _Alignas(64) char pyconv_nothing[64];

#endif
