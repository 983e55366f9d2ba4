# SPDX-License-Identifier: BSD-3-Clause
"""dst[i][j][k][l][m] = src[i][j][k][l][m] with strides of their own: results of the phases of a transposed convolution."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from cython.parallel cimport prange

ctypedef fused word:
    uint16_t
    uint32_t
    uint64_t

# Strides in elements.
ctypedef struct copy_t:
    int64_t[5] shape
    int64_t[5] from_
    int64_t[5] to


cdef inline void _copy_rows(const copy_t *c, const word *src, word *dst) noexcept nogil:
    """The last two axes."""
    cdef int64_t _row, i
    cdef int64_t count = c.shape[4], step_from = c.from_[4], step_to = c.to[4]
    for _row in range(c.shape[3]):
        if step_from == 1 and step_to == 1:
            memcpy(dst, src, count * sizeof(word))
        elif step_from == 1 and step_to == 2:
            for i in range(count):
                dst[2 * i] = src[i]
        else:
            for i in range(count):
                dst[i * step_to] = src[i * step_from]
        src += c.from_[3]
        dst += c.to[3]


cdef inline void copy_strided(const copy_t *c, const word *src, word *dst, int threads) noexcept nogil:
    cdef int64_t i, j, k, number
    cdef int64_t count = c.shape[0] * c.shape[1] * c.shape[2]
    for number in prange(count, num_threads=threads, schedule="static"):
        k = number % c.shape[2]
        j = number // c.shape[2] % c.shape[1]
        i = number // (c.shape[2] * c.shape[1])
        _copy_rows(c, src + i * c.from_[0] + j * c.from_[1] + k * c.from_[2],
                   dst + i * c.to[0] + j * c.to[1] + k * c.to[2])
