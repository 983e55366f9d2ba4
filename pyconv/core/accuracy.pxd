# SPDX-License-Identifier: BSD-3-Clause
"""
What each accuracy class promises, in units of eps = 2^-24 (float32) or 2^-53, against A = |x| * |w| + |bias| + |residual|.

A sum whose terms each pass through at most c roundings is within c eps A to first order. Of K products at most CHAIN go
into one accumulator, one after another; each fused multiply-add, or addition of a rounded product, is one rounding. The
partial sums, of SHORTEST products at least but for the last, are added next, then bias and residual:

  strict   |y - exact| <= c(K) eps A, A of the output's own window,   c(K) = min(K, CHAIN) + ceil(K / SHORTEST) + 2

Where A is finite, so is every partial sum: no order of summation overflows.

Transforms spread the rounding of a pixel over all outputs that share them. It depends on the size of all their pixels, also of
those that meet a zero in the filter: under a pixel in the corner of an image A may be 0 where the error is not. So what bounds
it is E = |x|_2 |w|_2 + |bias| + |residual|, of the filter and of the pixels of its channels that the output shares, in the
Euclidean norm. E >= A, and no more than sqrt(pixels) sqrt(taps) times the largest |x| |w| of a channel:

  standard   |y - exact| <= 160 (c(K) + 24) eps E    pixels of the tile (Winograd), of the image (fft)
  fast       |y - exact| <= 640 (c(K) + 24) eps E    and of the image and all filters of the group (strassen)

Each algorithm states a bound of its own, and serves where that is within its class: how much its transforms may amplify
a rounding, by the norms of their matrices, times the roundings one after another. Numbers that underflow are outside of
this: a transform adds errors of about 2^-126 (2^-1022) times its scale, 64 (Winograd) or the points of a tile (fft).
"""

from libc.stdint cimport int64_t

from pyconv._abi cimport PYCONV_FAST, PYCONV_STANDARD
from pyconv.core.types cimport problem_t

cdef extern from "pyconv/types.h" nogil:
    enum:
        CHAIN "PYCONV_CHAIN"

cdef enum:
    SHORTEST = 128            # chains end with a row of a kernel, and blocks of K are even


cdef inline double sum_bound(int64_t k) noexcept nogil:
    """Of a sum of k products, with two more terms."""
    return min(k, CHAIN) + (k + SHORTEST - 1) // SHORTEST + 2.0


cdef inline double strict_bound(const problem_t *p) noexcept nogil:
    return sum_bound(p.k)


cdef inline double class_bound(const problem_t *p, int accuracy) noexcept nogil:
    """What an algorithm of the class may state; 160 and 640 are above the amplification by F(2, 5) and by F(6, 3)."""
    if accuracy == PYCONV_FAST:
        return 640 * (strict_bound(p) + 24)
    if accuracy == PYCONV_STANDARD:
        return 160 * (strict_bound(p) + 24)
    return strict_bound(p)
