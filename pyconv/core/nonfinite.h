/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether all of some numbers are finite: the C of nonfinite.pxd.
 *
 * An exponent of ones carries into the sign's place when one is added. Vectors of SSE2 can do that. */
#ifndef PYCONV_CORE_NONFINITE_H
#define PYCONV_CORE_NONFINITE_H

#include <stdint.h>

#define PYCONV_ALL_FINITE(type, integer, exponent, one)                                                      \
    typedef integer pyconv_bits_##type __attribute__((may_alias));                                           \
    static inline int pyconv_all_finite_##type(const void *values, int64_t count) {                          \
        const pyconv_bits_##type *bits = (const pyconv_bits_##type *)values;                                 \
        for (int64_t first = 0; first < count; first += 4096) {                                              \
            const int64_t last = count - first < 4096 ? count : first + 4096;                                \
            integer carry = 0;                                                                               \
            for (int64_t i = first; i < last; i++)                                                           \
                carry |= (integer)((bits[i] & (exponent)) + (one));                                          \
            if (carry >> (8 * sizeof(integer) - 1))                                                          \
                return 0;                                                                                    \
        }                                                                                                    \
        return 1;                                                                                            \
    }
PYCONV_ALL_FINITE(f16, uint16_t, 0x7C00u, 0x0400u)
PYCONV_ALL_FINITE(f32, uint32_t, 0x7F800000u, 0x00800000u)
PYCONV_ALL_FINITE(f64, uint64_t, 0x7FF0000000000000u, 0x0010000000000000u)

#endif
