/* SPDX-License-Identifier: BSD-3-Clause */
/* The passes of a transform: what fft.tmpl.h computes and the cost model counts. */
#ifndef PYCONV_FFT_H
#define PYCONV_FFT_H

#include <stddef.h>

enum {
    /* A transform along rows, which lanes are turned into: of what it reads, of what it writes. */
    PYCONV_FFT_FROM_ROWS = 1,
    PYCONV_FFT_TO_ROWS = 2,
    /* Roots that the points are multiplied by: one for each, before or after; one for each and every lane and block. */
    PYCONV_FFT_POINTS_IN = 4,
    PYCONV_FFT_POINTS_OUT = 8,
    PYCONV_FFT_LANES_IN = 16,
    PYCONV_FFT_LANES_OUT = 32,
};

/* The radix of the next pass over transforms of length l = 2^a 3^b 5^c, a not 1: eights and at most two fours, then
 * threes, then fives. */
static inline int pyconv_fft_radix(ptrdiff_t l) {
    int twos = 0;
    while (!(l >> twos & 1))
        twos++;
    if (twos == 0)
        return l % 3 ? 5 : 3;
    return twos % 3 == 0 ? 8 : 4;
}

#endif
