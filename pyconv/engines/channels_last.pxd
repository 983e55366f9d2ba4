# SPDX-License-Identifier: BSD-3-Clause
"""
Planes turned channels-last: a rectangle or lattice of an image with its channels side by side, and zeros where it reaches
beyond the image.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from pyconv.core.types cimport *
from pyconv.core.rows cimport reach


cdef inline void turn_rows(const problem_t *p, int64_t rows, int64_t cols, const real *src, int64_t from_s, real *to,
                           int64_t to_s) noexcept nogil:
    """to[cols][rows] = src[rows][cols]"""
    p.ops.transpose_rows(rows, cols, src, from_s, to, to_s)


cdef inline void _copy(real *to, const real *src, int64_t count) noexcept nogil:
    """memcpy(), without the call where that would take longest."""
    cdef int64_t i
    if count >= 8:
        memcpy(to, src, count * sizeof(real))
        return
    for i in range(count):
        to[i] = src[i]


cdef inline void _clear(real *to, int64_t count, int64_t channels, int64_t pixel) noexcept nogil:
    """to[count][channels] = 0"""
    cdef int64_t w
    if channels == pixel:
        memset(to, 0, count * pixel * sizeof(real))
        return
    for w in range(count):
        memset(to + w * pixel, 0, channels * sizeof(real))


cdef inline void _copy_row(const problem_t *p, const real *src, int64_t channels, int64_t count, int64_t step,
                           real *to, int64_t pixel) noexcept nogil:
    """to[count][channels] from every step-th pixel."""
    cdef int64_t w, c
    if p.layout == PYCONV_NHWC:
        if step == 1 and p.xw == channels and pixel == channels:
            memcpy(to, src, count * channels * sizeof(real))
            return
        for w in range(count):
            _copy(to + w * pixel, src + w * step * p.xw, channels)
    elif step > 1:
        for c in range(channels):        # rows of a plane: planes may be powers of two apart
            for w in range(count):
                to[w * pixel + c] = src[c * p.xc + w * step]
    else:
        turn_rows(p, channels, count, src, p.xc, to, pixel)


cdef inline void copy_lattice(const problem_t *p, const real *x, int64_t channels, int64_t h0, int64_t height, int64_t step_h,
                              int64_t w0, int64_t width, int64_t step_w, real *to, int64_t pitch, int64_t pixel) noexcept nogil:
    """
    to[height][width][channels] from pixels (h0 + i step_h, w0 + j step_w), rows `pitch` and columns `pixel` apart; x is the
    first channel of one image.
    """
    cdef int64_t h, i, first, last
    cdef real *dst
    reach(width, p.iw, step_w, w0, &first, &last)
    for i in range(height):
        h = h0 + i * step_h
        dst = to + i * pitch
        if not 0 <= h < p.ih or first == last:
            _clear(dst, width, channels, pixel)
            continue
        _clear(dst, first, channels, pixel)
        _clear(dst + last * pixel, width - last, channels, pixel)
        _copy_row(p, x + h * p.xh + (w0 + first * step_w) * p.xw, channels, last - first, step_w, dst + first * pixel, pixel)


cdef inline void copy_rectangle(const problem_t *p, const real *x, int64_t channels, int64_t h0, int64_t height,
                                int64_t w0, int64_t width, real *to, int64_t pitch, int64_t pixel) noexcept nogil:
    """copy_lattice() of neighbouring pixels."""
    copy_lattice(p, x, channels, h0, height, 1, w0, width, 1, to, pitch, pixel)
