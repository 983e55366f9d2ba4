# SPDX-License-Identifier: BSD-3-Clause
"""
The filters of phases that share a convolution, turned round, from those of a transposed convolution.

kernel[g][i][j][o][c][r][s] = weight[g*icg + c][o][first[i] - r*step_h][last[j] - s*step_w]

Of a block of CHANNELS x FILTERS no more lines are read than L1 holds, however many bytes apart, until all of each is taken;
those that are written are written whole.
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from pyconv.core.kernels cimport ceil_div

cdef enum:
    CHANNELS = 8
    FILTERS = 16

ctypedef fused element:
    uint16_t
    uint32_t
    uint64_t

ctypedef struct pick_t:
    int64_t g, icg, ocg, kh, kw
    int64_t down, across      # phases
    int64_t rows, cols        # taps of each
    int64_t step_h, step_w    # from one to the next in the kernel


cdef inline void _taps(int64_t rows, int64_t cols, const element *src, int64_t step_h, int64_t step_w,
                       element *dst) noexcept nogil:
    cdef int64_t r, s
    for r in range(rows):
        for s in range(cols):
            dst[r * cols + s] = src[-r * step_h - s * step_w]


cdef inline void _filter(const pick_t *p, int64_t channels, const element *src, int64_t src_c, element *dst) noexcept nogil:
    """Some channels of a filter; the usual numbers of taps are known when it is compiled."""
    cdef int64_t step = p.step_h * p.kw
    cdef int64_t c
    if p.rows == 3 and p.cols == 3:
        for c in range(channels):
            _taps(3, 3, src + c * src_c, step, p.step_w, dst + c * 9)
    elif p.rows == 2 and p.cols == 2:
        for c in range(channels):
            _taps(2, 2, src + c * src_c, step, p.step_w, dst + c * 4)
    elif p.rows == 1 and p.cols == 1:
        for c in range(channels):
            dst[c] = src[c * src_c]
    else:
        for c in range(channels):
            _taps(p.rows, p.cols, src + c * src_c, step, p.step_w, dst + c * p.rows * p.cols)


cdef inline void _filters(const pick_t *p, const int64_t *first, const int64_t *last, int64_t g, int64_t o, int64_t end,
                          const element *weight, element *kernel) noexcept nogil:
    """Filters o .. end of group g."""
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t each = p.icg * p.rows * p.cols
    cdef int64_t block, c, i, j, l
    cdef const element *src
    for block in range(ceil_div(p.icg, CHANNELS)):
        c = block * CHANNELS
        for i in range(p.down):
            for j in range(p.across):
                for l in range(o, end):
                    src = weight + ((g * p.icg + c) * p.ocg + l) * taps + first[i] * p.kw + last[j]
                    _filter(p, min(CHANNELS, p.icg - c), src, p.ocg * taps,
                            kernel + (((g * p.down + i) * p.across + j) * p.ocg + l) * each + c * p.rows * p.cols)


cdef inline void pick_filters(const pick_t *p, const int64_t *first, const int64_t *last, const element *weight,
                              element *kernel) noexcept nogil:
    """first, last: of each phase the kernel's row and column that its own begin with."""
    cdef int64_t g, block
    for g in range(p.g):
        for block in range(ceil_div(p.ocg, FILTERS)):
            _filters(p, first, last, g, block * FILTERS, min(block * FILTERS + FILTERS, p.ocg), weight, kernel)
