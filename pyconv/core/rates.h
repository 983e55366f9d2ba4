/* SPDX-License-Identifier: BSD-3-Clause */
/* What one core does in a second, and the rates in use: the C of rates.pxd. */
#ifndef PYCONV_CORE_RATES_H
#define PYCONV_CORE_RATES_H

#include <stdlib.h>

typedef struct {
    double clock;     /* cycles a second */
    double fma;       /* vector multiply-adds a cycle, of the instruction set in use */
    double l2;        /* bytes a second, read plus written: copying within the second level of cache, */
    double l3;        /* beyond it, within the last level, */
    double memory;    /* and beyond that */
    double blas;      /* flops a second of a large sgemm on one thread */
    double blas_call; /* seconds of a tiny one */
    double scalar;    /* flops a second of the plain loop with float64 sums */
    double fork;      /* seconds to start and join the threads of a loop */
} pyconv_rates_t;

/* Those in use; problems keep a copy, so that a plan and its runs are cut alike. Plans are made without the GIL, so new
 * rates come as a new struct, and who still reads an old one may go on. */
static const pyconv_rates_t *pyconv_rates;

static inline const pyconv_rates_t *pyconv_rates_in_use(void) {
    return __atomic_load_n(&pyconv_rates, __ATOMIC_ACQUIRE);
}

static inline int pyconv_use_rates(const pyconv_rates_t *given) {
    pyconv_rates_t *kept = (pyconv_rates_t *)malloc(sizeof *kept);
    if (!kept)
        return 0;
    *kept = *given;
    __atomic_store_n(&pyconv_rates, kept, __ATOMIC_RELEASE);
    return 1;
}

#endif
