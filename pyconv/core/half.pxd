# SPDX-License-Identifier: BSD-3-Clause
"""float16 as storage: NumPy's conversions, element by element and by array."""

from libc.stdint cimport int64_t, uint16_t
from cython.parallel cimport prange

cdef extern from "numpy/halffloat.h" nogil:
    double npy_half_to_double(uint16_t h)
    float npy_half_to_float(uint16_t h)
    uint16_t npy_double_to_half(double d)
    uint16_t npy_float_to_half(float f)

ctypedef uint16_t half

ctypedef fused element:
    float
    double
    half


cdef inline double load(element v) noexcept nogil:
    if element is half:
        return npy_half_to_double(v)
    else:
        return v


cdef inline void store(element *to, double v) noexcept nogil:
    if element is half:
        to[0] = npy_double_to_half(v)
    else:
        to[0] = <element>v


cdef inline void widen(const half *src, float *dst, int64_t count, int threads) noexcept nogil:
    cdef int64_t i
    for i in prange(count, num_threads=threads, schedule="static"):
        dst[i] = npy_half_to_float(src[i])


cdef inline void narrow(const float *src, half *dst, int64_t count, int threads) noexcept nogil:
    cdef int64_t i
    for i in prange(count, num_threads=threads, schedule="static"):
        dst[i] = npy_float_to_half(src[i])
