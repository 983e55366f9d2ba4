/* SPDX-License-Identifier: BSD-3-Clause */
/* The passes of a transform: what fft.tmpl.h computes and the cost model counts. */
#ifndef PYCONV_FFT_H
#define PYCONV_FFT_H

#include <stddef.h>

/* A transform along rows, which lanes are turned into: of what it reads, of what it writes. */
enum { PYCONV_FFT_FROM_ROWS = 1, PYCONV_FFT_TO_ROWS = 2 };

/* The radix of the next pass over transforms of length l = 2^a 3^b, a not 1: eights and at most two fours, then threes. */
static inline int pyconv_fft_radix(ptrdiff_t l) {
    int twos = 0;
    while (!(l >> twos & 1))
        twos++;
    return twos == 0 ? 3 : twos % 3 == 0 ? 8 : 4;
}

#endif
