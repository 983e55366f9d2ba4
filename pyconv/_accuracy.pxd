# SPDX-License-Identifier: BSD-3-Clause
"""
What each accuracy class promises, in units of eps = 2^-24 (float32) or 2^-53, against A = |x| * |w| + |bias| + |residual|.

A sum whose terms each pass through at most c roundings is within c eps A to first order. Of K products at most CHAIN go
into one accumulator, one after another; each fused multiply-add, or addition of a rounded product, is one rounding. The
partial sums are added next, then bias and residual:

  strict   |y - exact| <= c(K) eps A, A of the output's own window,   c(K) = min(K, CHAIN) + ceil(K / CHAIN) + 2
"""

from libc.stdint cimport int64_t

from pyconv._types cimport problem_t

cdef enum:
    CHAIN = 256               # 128 would halve the bound of small K, and double the partial sums


cdef inline double sum_bound(int64_t k) noexcept nogil:
    """Of a sum of k products, with two more terms."""
    return min(k, CHAIN) + (k + CHAIN - 1) // CHAIN + 2.0


cdef inline double strict_bound(const problem_t *p) noexcept nogil:
    return sum_bound(p.k)
