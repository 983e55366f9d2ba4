# SPDX-License-Identifier: BSD-3-Clause
"""Cutting an output plane into pieces whose input band stays in the first cache level; see include/pyconv/band.h."""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.core.kernels cimport BAND_SLACK, band_pitch, band_relate, band_rows, band_t, ceil_div, split_start
from pyconv.core.machine cimport cache_bytes
from pyconv.core.rates cimport stream_seconds
from pyconv.core.sizes cimport aligned, plus, times

cdef enum:
    WIDEST = 512              # columns of outputs in a band

# Pieces of one output plane, and the memory of their largest band.
ctypedef struct pieces_t:
    int64_t down, across      # how many pieces
    int64_t rows, cols        # outputs in the largest of them
    int64_t pitch, plane      # of its band: elements of a row and phase, of a channel
    int64_t together          # channels whose bands are filled before the first is read
    int64_t parts             # of a group's filters, see share_filters()
    size_t bytes              # for all its channels, a multiple of 64


cdef inline size_t bands_bytes(const problem_t *p, const pieces_t *s) noexcept nogil:
    """Of `together` channels, saturated."""
    return aligned(times(plus(times(<size_t>s.together, <size_t>s.plane), BAND_SLACK), p.itemsize))


cdef inline pieces_t cut_plane(const problem_t *p, int64_t channels) noexcept nogil:
    """
    Bands of `channels` channels. Half of L1 for the band leaves room for weights and outputs; a kernel that reaches far
    gets bands at least as high as its reach, or most of the copying would be of rows that the neighbours copy too.
    """
    cdef pieces_t s
    cdef int64_t reach = (p.kh - 1) * p.dh
    cdef int64_t row_bytes, fits
    s.across = ceil_div(p.ow, WIDEST)
    s.cols = ceil_div(p.ow, s.across)
    s.pitch = band_pitch(s.cols, p.kw, p.sw, p.dw)
    row_bytes = <int64_t>times(times(<size_t>channels, <size_t>(p.sw * s.pitch)), p.itemsize)
    fits = (cache_bytes(1) // 2 // row_bytes - reach) // p.sh
    s.down = ceil_div(p.oh, max(max(fits, reach // p.sh), 8))
    s.rows = ceil_div(p.oh, s.down)
    s.plane = <int64_t>times(<size_t>band_rows(s.rows, p.kh, p.sh, p.dh), <size_t>(p.sw * s.pitch))
    s.together = channels
    s.bytes = bands_bytes(p, &s)
    return s


cdef inline band_t piece(const problem_t *p, const pieces_t *s, int64_t number, int64_t *row, int64_t *col) noexcept nogil:
    """The piece and its first output row and column."""
    cdef band_t b
    cdef int64_t i = number // s.across
    cdef int64_t j = number % s.across
    row[0] = split_start(p.oh, s.down, i)
    col[0] = split_start(p.ow, s.across, j)
    b.rows = split_start(p.oh, s.down, i + 1) - row[0]
    b.cols = split_start(p.ow, s.across, j + 1) - col[0]
    b.kh, b.kw, b.sh, b.sw, b.dh, b.dw = p.kh, p.kw, p.sh, p.sw, p.dh, p.dw
    b.pitch = s.pitch
    b.ys_h = p.yh
    band_relate(&b)
    return b


cdef inline int64_t share_filters(const task_t *t, pieces_t *s, int64_t panels) noexcept nogil:
    """
    Cuts a group's panels of filters into parts, and counts the tasks. Parts make the same band anew, so they are for images
    too small to give every thread a piece.
    """
    cdef int64_t tasks = t.p.n * t.p.g * s.down * s.across
    s.parts = 1 if tasks >= 2 * t.threads or t.threads == 1 else min(2 * t.threads, panels)
    return tasks * s.parts


cdef inline void clear_slack(const band_t *b, real *band) noexcept nogil:
    """Lanes that nobody needs read it, and what lies about in memory may be denormal numbers, which are slow to multiply."""
    memset(band + band_rows(b.rows, b.kh, b.sh, b.dh) * b.sw * b.pitch, 0, BAND_SLACK * sizeof(real))


cdef inline void split_planes(const problem_t *p, const band_t *b, int64_t planes, const real *x, int64_t row, int64_t col,
                              real *band, int64_t band_c) noexcept nogil:
    """The bands of some channels of the image, band_c apart."""
    cdef int64_t h0 = row * p.sh - p.ph0
    cdef int64_t w0 = col * p.sw - p.pw0
    cdef int64_t rows = band_rows(b.rows, p.kh, p.sh, p.dh)
    p.ops.split(planes, x, p.xc, p.xh, p.ih, p.iw, h0, rows, w0, p.sw, b.pitch, band, band_c)


cdef inline double passing_seconds(const problem_t *p, double cycles, int threads) noexcept nogil:
    """Of cycles that move the data between memory, bands and registers, plus half the time of the bytes that pass."""
    cdef double bytes = <double>p.n * (p.xn + p.yn) * p.itemsize
    return (cycles / p.rates.clock + stream_seconds(&p.rates, bytes) / 2) / threads
