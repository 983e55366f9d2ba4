# SPDX-License-Identifier: BSD-3-Clause
"""
conv2d_backward_weight where each channel has one filter: dw[tap][c] = sum over pixels of dy[pixel][c] x[pixel + tap][c].

Vectors run over a bundle of channels, blocks of rows are cut as `native.weight_gradient` does for a group, of which a bundle
takes the place: its slab is [rows][columns][channels]; its outputs are read where they stand in NHWC, else from one panel
[pixels][channels].
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *

cdef enum:
    BUNDLE = 16               # channels: a cache line of float32
    MOST_TAPS = 1024          # 31x31 and more


cdef inline bint bundles_serve(const problem_t *p) noexcept nogil:
    return p.icg == 1 and p.ocg == 1 and p.g > 1 and p.kh * p.kw <= MOST_TAPS


cdef inline void add_rows(const problem_t *p, int64_t channels, int64_t images, int64_t rows, int64_t columns,
                          const real *slab, int64_t plane, int64_t pitch, int64_t pixel, const real *dy, int64_t dy_plane,
                          int64_t dy_row, int64_t dy_pixel, real *sums) noexcept nogil:
    """sums[tap][channels] += what the rows of one block add; distances in the slab, and in dy."""
    cdef ptrdiff_t offsets[MOST_TAPS]
    cdef int64_t image, row, t
    cdef int64_t taps = p.kh * p.kw
    cdef const real *x
    cdef const real *scale
    for t in range(taps):
        offsets[t] = t // p.kw * p.dh * pitch + t % p.kw * p.dw * pixel
    for image in range(images):
        for row in range(rows):
            x = slab + image * plane + row * p.sh * pitch
            scale = dy + image * dy_plane + row * dy_row
            p.ops.depthwise_grad(channels, columns, taps, x, p.sw * pixel, offsets, scale, dy_pixel, sums)
