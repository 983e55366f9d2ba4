# SPDX-License-Identifier: BSD-3-Clause
"""The weights: their bytes, and orders for BLAS, from (oc, icg, kh, kw)."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.kernels cimport element_bytes
from pyconv.core.sizes cimport times


cdef inline size_t weight_bytes(const problem_t *p) noexcept nogil:
    return times(times(<size_t>p.oc, <size_t>p.k), p.itemsize)


cdef inline size_t given_bytes(const problem_t *p) noexcept nogil:
    """Of the caller's weights."""
    return times(times(<size_t>p.oc, <size_t>p.k), <size_t>element_bytes(p.w_dtype))


cdef inline void pack_ohwi(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    """packed[oc][kh][kw][icg] = weight[oc][icg][kh][kw]"""
    cdef int64_t o, c, tap
    cdef int64_t taps = p.kh * p.kw
    for o in range(p.oc):
        for tap in range(taps):
            for c in range(p.icg):
                packed[(o * taps + tap) * p.icg + c] = weight[(o * p.icg + c) * taps + tap]


cdef inline void pack_hwio(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    """packed[g][kh][kw][icg][ocg] = weight[g][ocg][icg][kh][kw]"""
    cdef int64_t g, o, c, tap
    cdef int64_t taps = p.kh * p.kw
    for g in range(p.g):
        for tap in range(taps):
            for c in range(p.icg):
                for o in range(p.ocg):
                    packed[((g * taps + tap) * p.icg + c) * p.ocg + o] = \
                        weight[((g * p.ocg + o) * p.icg + c) * taps + tap]


cdef inline void pack_hwoi(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    """packed[g][kh][kw][ocg][icg] = weight[g][ocg][icg][kh][kw]"""
    cdef int64_t g, o, c, tap
    cdef int64_t taps = p.kh * p.kw
    for g in range(p.g):
        for tap in range(taps):
            for o in range(p.ocg):
                for c in range(p.icg):
                    packed[((g * taps + tap) * p.ocg + o) * p.icg + c] = weight[((g * p.ocg + o) * p.icg + c) * taps + tap]
