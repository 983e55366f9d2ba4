# SPDX-License-Identifier: BSD-3-Clause
"""A rectangle of an image with its channels side by side, and zeros where it reaches beyond the image."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from pyconv._types cimport *
from pyconv._sizes cimport reach


cdef inline void copy_rectangle(const problem_t *p, const real *x, int64_t channels, int64_t h0, int64_t height,
                                int64_t w0, int64_t width, real *to, int64_t pitch, int64_t pixel) noexcept nogil:
    """to[height][width][channels], rows `pitch` and columns `pixel` apart; x is the first channel of one image."""
    cdef int64_t h, w, first, last
    cdef const real *src
    cdef real *dst
    reach(width, p.iw, 1, w0, &first, &last)
    for h in range(height):
        dst = to + h * pitch
        if not 0 <= h0 + h < p.ih or first == last:
            memset(dst, 0, width * pixel * sizeof(real))
            continue
        memset(dst, 0, first * pixel * sizeof(real))
        memset(dst + last * pixel, 0, (width - last) * pixel * sizeof(real))
        dst += first * pixel
        src = x + (h0 + h) * p.xh + (w0 + first) * p.xw
        if p.layout == PYCONV_NCHW:
            if real is float:
                p.kernels.f32.transpose_rows(channels, last - first, src, p.xc, dst, pixel)
            else:
                p.kernels.f64.transpose_rows(channels, last - first, src, p.xc, dst, pixel)
        elif p.xw == channels and pixel == channels:
            memcpy(dst, src, (last - first) * channels * sizeof(real))
        else:
            for w in range(last - first):
                memcpy(dst + w * pixel, src + w * p.xw, channels * sizeof(real))
