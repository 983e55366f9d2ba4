/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of kernels in use: the C of kernels.pxd. */
#ifndef PYCONV_CORE_KERNELS_H
#define PYCONV_CORE_KERNELS_H

#include "pyconv/kernels.h"

/* Plans hold on to those they were packed for. They are made without the GIL, while others may be told to use another
 * table. */
static const pyconv_kernels_t *pyconv_kernels;

static inline const pyconv_kernels_t *pyconv_kernels_in_use(void) {
    return __atomic_load_n(&pyconv_kernels, __ATOMIC_ACQUIRE);
}

static inline void pyconv_use_kernels(const pyconv_kernels_t *chosen) {
    __atomic_store_n(&pyconv_kernels, chosen, __ATOMIC_RELEASE);
}

#endif
