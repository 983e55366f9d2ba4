# SPDX-License-Identifier: BSD-3-Clause
"""
What stands around images, laid around them, and the adjoint: the gradient of what was laid there, folded back onto them.

padded[h][w] = x[source(h - ph0)][source(w - pw0)], or the constant        dx[source(h - ph0)][source(w - pw0)] += padded[h][w]

x, dx    [planes][ih][iw][unit]          padded    [planes][ph0 + ih + ph1][pw0 + iw + pw1][unit]

A plane is an image of one channel in NCHW, where a unit is an element; in NHWC an image, where it is a pixel.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy
from cython.parallel cimport prange

from pyconv.core.types cimport *
from pyconv.core.kernels cimport element_bytes
from pyconv.core.rows cimport padded_source


cdef inline int64_t planes_of(const problem_t *p) noexcept nogil:
    return p.n * (p.ic if p.layout == PYCONV_NCHW else 1)


cdef inline int64_t unit_of(const problem_t *p) noexcept nogil:
    return 1 if p.layout == PYCONV_NCHW else p.ic


cdef inline void _lay(char *dst, const char *src, int64_t units, size_t unit, const char *constant, size_t size) noexcept nogil:
    """Units from src, or without one the constant, an element of so many bytes, over and over."""
    cdef int64_t i
    if src != NULL:
        memcpy(dst, src, units * unit)
    else:
        for i in range(units * <int64_t>(unit // size)):
            memcpy(dst + i * size, constant, size)


cdef inline void _pad_row(const problem_t *p, const char *x, int64_t number, char *padded, const char *constant,
                          size_t size) noexcept nogil:
    cdef int64_t height = p.ph0 + p.ih + p.ph1
    cdef int64_t width = p.pw0 + p.iw + p.pw1
    cdef int64_t row = padded_source(number % height - p.ph0, p.ih, p.padding_mode)
    cdef int64_t i, w, source
    cdef size_t unit = unit_of(p) * size
    cdef const char *src = x + (number // height * p.ih + row) * p.iw * unit
    cdef char *dst = padded + number * width * unit
    if row < 0:
        _lay(dst, NULL, width, unit, constant, size)
        return
    memcpy(dst + p.pw0 * unit, src, p.iw * unit)
    for i in range(p.pw0 + p.pw1):
        w = i if i < p.pw0 else p.iw + i
        source = padded_source(w - p.pw0, p.iw, p.padding_mode)
        _lay(dst + w * unit, NULL if source < 0 else src + source * unit, 1, unit, constant, size)


cdef inline void pad_images(const problem_t *p, const void *x, void *padded, int threads) noexcept nogil:
    """padded from x, both of the element type of x."""
    cdef char constant[8]
    cdef int64_t number
    cdef int64_t rows = planes_of(p) * (p.ph0 + p.ih + p.ph1)
    cdef size_t size = element_bytes(p.x_dtype)
    p.kernels.f64.stage_out(p.x_dtype, &p.border, 1, 1, 1, constant)
    for number in prange(rows, num_threads=threads, schedule="static"):
        _pad_row(p, <const char *>x, number, <char *>padded, constant, size)


cdef inline void _add(real *dst, const real *src, int64_t count) noexcept nogil:
    cdef int64_t i
    for i in range(count):
        dst[i] += src[i]


cdef inline void _fold_columns(const problem_t *p, const real *src, real *dst) noexcept nogil:
    """One row: the columns left and right of it are added to those that they came from."""
    cdef int64_t i, w
    cdef int64_t unit = unit_of(p)
    for i in range(p.pw0 + p.pw1):
        w = i if i < p.pw0 else p.iw + i
        _add(dst + padded_source(w - p.pw0, p.iw, p.padding_mode) * unit, src + w * unit, unit)


cdef inline void _fold_row(const problem_t *p, const real *padded, int64_t number, real *dx) noexcept nogil:
    """A row of dx: what stood there, then the rows above and below that it was copied to, from the top."""
    cdef int64_t height = p.ph0 + p.ih + p.ph1
    cdef int64_t unit = unit_of(p)
    cdef int64_t width = (p.pw0 + p.iw + p.pw1) * unit
    cdef int64_t row = number % p.ih
    cdef int64_t i, h
    cdef const real *plane = padded + number // p.ih * height * width
    cdef const real *src = plane + (p.ph0 + row) * width
    dx += number * p.iw * unit
    memcpy(dx, src + p.pw0 * unit, p.iw * unit * sizeof(real))
    _fold_columns(p, src, dx)
    for i in range(p.ph0 + p.ph1):
        h = i if i < p.ph0 else p.ih + i
        if padded_source(h - p.ph0, p.ih, p.padding_mode) == row:
            src = plane + h * width
            _add(dx, src + p.pw0 * unit, p.iw * unit)
            _fold_columns(p, src, dx)


cdef inline void fold_images(const problem_t *p, const real *padded, real *dx, int threads) noexcept nogil:
    """dx from padded, of a border that continues the image."""
    cdef int64_t number
    for number in prange(planes_of(p) * p.ih, num_threads=threads, schedule="static"):
        _fold_row(p, padded, number, dx)
