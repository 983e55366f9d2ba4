# SPDX-License-Identifier: BSD-3-Clause
"""How a convolution of few channels per group in NHWC is cut into rectangles, and what it takes; see spread.pxd."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.kernels cimport band_rows, ceil_div
from pyconv.core.machine cimport cache_bytes
from pyconv.core.rates cimport stream_seconds
from pyconv.core.sizes cimport aligned, times

# How an output image is cut into rectangles.
ctypedef struct rectangles_t:
    int64_t width, blocks     # filters of a block, whole groups if they fit a vector; blocks
    bint in_place             # no spread inputs
    int64_t lanes
    int64_t down, across      # rectangles
    int64_t rows, cols        # outputs in the largest of them
    size_t bytes              # of its spread inputs, a multiple of 64


cdef inline int64_t _spread_pixels(const problem_t *p, int64_t rows, int64_t cols) noexcept nogil:
    return band_rows(rows, p.kh, p.sh, p.dh) * band_rows(cols, p.kw, p.sw, p.dw)


cdef inline void _cut_spread(const problem_t *p, rectangles_t *s) noexcept nogil:
    """As near to squares as whole tiles of 8 pixels allow, half of L1 for the spread inputs."""
    cdef int64_t fits = cache_bytes(1) // 2 // <int64_t>times(<size_t>(p.icg * s.lanes), p.itemsize)
    s.rows, s.cols = 1, min(p.ow, 8)
    while True:
        if s.cols < p.ow and s.cols <= s.rows and _spread_pixels(p, s.rows, min(s.cols + 8, p.ow)) <= fits:
            s.cols = min(s.cols + 8, p.ow)
        elif s.rows < p.oh and _spread_pixels(p, s.rows + 1, s.cols) <= fits:
            s.rows += 1
        elif s.cols < p.ow and _spread_pixels(p, s.rows, min(s.cols + 8, p.ow)) <= fits:
            s.cols = min(s.cols + 8, p.ow)
        else:
            break
    s.down, s.across = ceil_div(p.oh, s.rows), ceil_div(p.ow, s.cols)
    s.rows, s.cols = ceil_div(p.oh, s.down), ceil_div(p.ow, s.across)
    s.bytes = aligned(times(times(<size_t>(p.icg * s.lanes), p.itemsize), <size_t>_spread_pixels(p, s.rows, s.cols)))


cdef inline rectangles_t cut_rectangles(const problem_t *p) noexcept nogil:
    """Strips are of 256 pixels: enough that finding one's way costs nothing."""
    cdef rectangles_t s
    cdef int64_t groups
    s.lanes = p.ops.lanes
    s.width = s.lanes // p.ocg * p.ocg if p.ocg <= s.lanes else s.lanes
    s.blocks = ceil_div(p.oc, s.width)
    groups = s.width // p.ocg if p.ocg <= s.lanes else 1 if p.ocg % s.lanes == 0 else 2
    s.in_place = groups * p.icg <= s.lanes
    if s.in_place:
        s.down, s.across = max(1, min(p.oh, p.oh * p.ow // 256)), 1
        s.rows, s.cols, s.bytes = ceil_div(p.oh, s.down), p.ow, 0
    else:
        _cut_spread(p, &s)
    return s


cdef inline double spread_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """
    Multiply-adds; for each of them the share of a move: of one load in 3 taps of a row if windows overlap. In memory each
    spread vector costs 4 cycles, or 2 for each of its lanes where the groups are wider; each vector of outputs 6.

    Measured on a Sapphire-Rapids-class core.
    """
    cdef const rectangles_t *s = <const rectangles_t *>cut
    cdef double fma = p.rates.fma
    cdef double vectors = <double>p.n * s.blocks * p.oh * p.ow
    cdef double spread = <double>p.n * s.blocks * s.down * s.across * _spread_pixels(p, s.rows, s.cols) * p.icg
    cdef double moves = 0
    if s.in_place:
        spread = 0
        moves = 1 if p.sw > 1 or p.dw > 1 else 1.3 / min(p.kw, 3)
    cdef bint one = ceil_div(s.lanes, p.ocg) * p.icg <= s.lanes
    cdef double cycles = vectors * (p.k * (1 + moves) / fma / 0.8 + 6) + spread * (4 if one else 2 * s.lanes)
    return (cycles / p.rates.clock + stream_seconds(&p.rates, <double>p.n * (p.xn + p.yn) * p.itemsize)) / threads
