# SPDX-License-Identifier: BSD-3-Clause
"""
What each accuracy class promises, in units of eps = 2^-24 (float32) or 2^-53, against A = |x| * |w| + |bias| + |residual|.

A sum whose terms each pass through at most c roundings is within c eps A to first order. Of K products at most CHAIN go
into one accumulator, one after another; each fused multiply-add, or addition of a rounded product, is one rounding. The
partial sums, of SHORTEST products at least but for the last, are added next, then bias and residual:

  strict   |y - exact| <= c(K) eps A, A of the output's own window,   c(K) = min(K, CHAIN) + ceil(K / SHORTEST) + 2

Where A is finite, so is every partial sum: no order of summation overflows.
"""

from libc.stdint cimport int64_t

from pyconv._types cimport problem_t

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
