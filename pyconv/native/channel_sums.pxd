# SPDX-License-Identifier: BSD-3-Clause
"""
The gradient of a bias: total[c] = sum over images and pixels of dy[n][c][pixel], in float64.

Numbers that stand together are added to as many sums side by side, WIDTH or the next lesser multiple of the channels, and these,
after CHAIN additions each, to the totals: no chain of additions in the type of dy is longer.
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange

from pyconv.core.types cimport *

cdef enum:
    WIDTH = 64
    FEW = 16                  # sums, where an image has fewer than WIDTH pixels
    CHAIN = 128

ctypedef struct sums_t:
    int64_t n, c, pixels
    bint last                 # channels: dy is [n][pixel][c]

# Sums side by side: of channel `first` of the totals and those behind it, again from `first` on after so many channels.
ctypedef struct lanes_t:
    int64_t width, channels, first, added


cdef inline void _flush(lanes_t *s, real *lanes, double *total) noexcept nogil:
    cdef int64_t i
    cdef int64_t c = 0
    for i in range(s.width):
        total[s.first + c] += lanes[i]
        lanes[i] = 0
        c = c + 1 if c + 1 < s.channels else 0
    s.added = 0


cdef inline void _add(lanes_t *s, real *lanes, const real *x, int64_t count, double *total) noexcept nogil:
    """At most `width` numbers, which begin with the first channel."""
    cdef int64_t i
    for i in range(count):
        lanes[i] += x[i]
    s.added += 1
    if s.added == CHAIN:
        _flush(s, lanes, total)


cdef inline void _add_run(lanes_t *s, real *lanes, const real *x, int64_t count, double *total) noexcept nogil:
    cdef int64_t i
    cdef int64_t rest = count % s.width
    for i in range(count // s.width):
        if s.width == WIDTH:      # a length that the compiler knows
            _add(s, lanes, x + i * WIDTH, WIDTH, total)
        else:
            _add(s, lanes, x + i * s.width, s.width, total)
    if rest > 0:
        _add(s, lanes, x + count - rest, rest, total)


cdef inline void _plane_sums(const sums_t *s, const real *dy, int64_t c, double *total) noexcept nogil:
    """Channel c, a plane of each image."""
    cdef real[WIDTH] lanes
    cdef int64_t i
    cdef lanes_t side = lanes_t(WIDTH if s.pixels >= WIDTH else FEW, 1, c, 0)
    for i in range(WIDTH):
        lanes[i] = 0
    for i in range(s.n):
        _add_run(&side, lanes, dy + (i * s.c + c) * s.pixels, s.pixels, total)
    _flush(&side, lanes, total)


cdef inline void _pixel_sums(const sums_t *s, const real *dy, int64_t first, int64_t count, double *total) noexcept nogil:
    """Some channels, at most WIDTH, of each pixel; all of them in one run."""
    cdef real[WIDTH] lanes
    cdef int64_t i
    cdef lanes_t side = lanes_t(count, count, first, 0)
    for i in range(WIDTH):
        lanes[i] = 0
    if count == s.c:
        side.width = WIDTH // count * count
        _add_run(&side, lanes, dy, s.n * s.pixels * s.c, total)
    else:
        for i in range(s.n * s.pixels):
            _add_run(&side, lanes, dy + i * s.c + first, count, total)
    _flush(&side, lanes, total)


cdef inline void channel_sums(const sums_t *s, const real *dy, double *total, int threads) noexcept nogil:
    """Adds to total[c]."""
    cdef int64_t c
    if not s.last:
        for c in prange(s.c, num_threads=threads, schedule="static"):
            _plane_sums(s, dy, c, total)
    else:
        for c in prange((s.c + WIDTH - 1) // WIDTH, num_threads=threads, schedule="static"):
            _pixel_sums(s, dy, c * WIDTH, min(<int64_t>WIDTH, s.c - c * WIDTH), total)
