/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes in bytes that saturate instead of wrapping: the C of sizes.pxd. */
#ifndef PYCONV_CORE_SIZES_H
#define PYCONV_CORE_SIZES_H

#include <stddef.h>
#include <stdint.h>

#define PYCONV_TOO_LARGE ((size_t)INT64_MAX)

static inline size_t pyconv_times(size_t a, size_t b) {
    size_t product;
    return __builtin_mul_overflow(a, b, &product) || product > PYCONV_TOO_LARGE ? PYCONV_TOO_LARGE : product;
}

/* Both at most PYCONV_TOO_LARGE. */
static inline size_t pyconv_plus(size_t a, size_t b) {
    return a > PYCONV_TOO_LARGE - b ? PYCONV_TOO_LARGE : a + b;
}

#endif
