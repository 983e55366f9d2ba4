# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise in NCHW: pieces of a plane are copied into a zero-padded band (include/pyconv/band.h), and vectors run along its
rows. The OIHW weights are read as they are.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.engines.depthwise.planes cimport (
    bands_bytes, clear_slack, cut_plane, passing_seconds, piece, pieces_t, split_planes,
)
from pyconv.core.forms cimport add_form
from pyconv.core.sizes cimport times
from pyconv.core.tasks cimport run_tasks
from pyconv.core.kernels cimport band_t, ceil_div, epilogue_t, split_start
from pyconv.core.machine cimport cache_bytes
from pyconv.core.tail cimport tail_flags, tail_of


cdef inline pieces_t cut_planes(const problem_t *p) noexcept nogil:
    """Bands of small planes are filled and read several in one call, as far as they fit half of L1."""
    cdef pieces_t s = cut_plane(p, 1)
    s.together = max(1, min(8, cache_bytes(1) // 2 // <int64_t>s.bytes))
    s.bytes = bands_bytes(p, &s)
    return s


cdef inline bint planes_serve(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<pieces_t *>room(cut, sizeof(pieces_t)))[0] = cut_planes(p)
    return True


cdef inline size_t planes_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """The bands of a piece, per thread."""
    return times((<const pieces_t *>cut).bytes, threads)


cdef inline double planes_cycles(const problem_t *p) noexcept nogil:
    """
    Per image and channel: 4 cycles for each vector of a band, 3 for each of outputs, and the multiply-adds, with idle
    lanes. Kernels that aren't 1, 3, 5 or 7 high have too few sums under way where rows are short, and 30 cycles more for
    each tile of 4 vectors and 4 rows, or of one row where they are lower than that; in a row of more than 16 taps every
    load serves a single sum, and a multiply-add takes four times as long. Measured on a Sapphire-Rapids-class core.
    """
    cdef pieces_t s = cut_planes(p)
    cdef int64_t lanes = p.ops.lanes
    cdef double fma = p.rates.fma
    cdef int64_t width = ceil_div(s.cols, lanes)
    cdef double rows = <double>s.down * s.across * s.rows
    cdef double band = <double>s.down * s.across * s.plane / lanes
    cdef bint known = p.kh == 1 or p.kh == 3 or p.kh == 5 or p.kh == 7
    cdef double waits = (3 if p.kh == 1 and p.kw > 16 else 0) if known else 2.0 / min(width, 4)
    cdef double tiles = 0 if known else rows / (4 if p.kh >= 4 * p.sh else 1) * ceil_div(width, 4)
    return 4 * band + p.ocg * (rows * width * (p.k * (1 + waits) / fma + 3) + 30 * tiles)


cdef inline double planes_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return passing_seconds(p, p.n * p.ic * planes_cycles(p), threads)


cdef inline void _filters(const task_t *t, const band_t *b, int64_t count, const real *band, int64_t band_c, int64_t o,
                          int64_t at) noexcept nogil:
    """Filters o .. o + count, each on a band; `at` is the first output in y."""
    cdef const problem_t *p = t.p
    cdef epilogue_t e = tail_of(t, tail_flags(t, True), o, at)
    p.ops.depthwise(b, count, band, band_c, <const real *>t.weight + o * p.k, <real *>t.y + at, p.yc, &e)


# Pieces of planes, and blocks of channels that share a task.
ctypedef struct planes_t:
    const pieces_t *s
    int64_t blocks


cdef inline void _channels_piece(const task_t *t, const planes_t *cut, int64_t number, real *band) noexcept nogil:
    """Task number -> image, block of channels, piece of their planes: all their filters."""
    cdef const problem_t *p = t.p
    cdef const pieces_t *s = cut.s
    cdef int64_t pieces = s.down * s.across
    cdef int64_t image = number // (pieces * cut.blocks)
    cdef int64_t block = number // pieces % cut.blocks
    cdef int64_t first = split_start(p.ic, cut.blocks, block)
    cdef int64_t last = split_start(p.ic, cut.blocks, block + 1)
    cdef int64_t row, col, end, o
    cdef band_t b = piece(p, s, number % pieces, &row, &col)
    while first < last:
        end = min(first + s.together, last)
        split_planes(p, &b, end - first, <const real *>t.x + image * p.xn + first * p.xc, row, col, band, s.plane)
        clear_slack(&b, band + (end - first - 1) * s.plane)
        if p.ocg == 1:
            _filters(t, &b, end - first, band, s.plane, first, image * p.yn + first * p.yc + row * p.yh + col)
        else:
            for o in range(first * p.ocg, end * p.ocg):
                _filters(t, &b, 1, band + (o // p.ocg - first) * s.plane, 0, o, image * p.yn + o * p.yc + row * p.yh + col)
        first = end


cdef inline int64_t _task_channels(const problem_t *p, const pieces_t *s, int threads) noexcept nogil:
    """Channels per task: enough that finding one's way costs nothing, few enough for every thread to have several."""
    cdef int64_t enough = 16384 // (s.rows * s.cols * p.ocg)
    return max(1, min(enough, p.n * p.ic // (4 * threads)))


cdef inline void _planes_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _channels_piece(t, <const planes_t *>cut, number, <float *>buffer)
    else:
        _channels_piece(t, <const planes_t *>cut, number, <double *>buffer)


cdef inline int planes_run(task_t *t) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef const pieces_t *s = <const pieces_t *>t.cut
    cdef planes_t cut = planes_t(s, ceil_div(p.ic, min(_task_channels(p, s, t.threads), p.ic)))
    cdef int64_t count = p.n * cut.blocks * s.down * s.across
    return run_tasks(t, _planes_step, &cut, count, 2.0 * p.n * p.yn * p.k / count, s.bytes)


cdef inline void add_planes_form(algorithm_t *a) except *:
    cdef form_t *f = add_form(a, planes_seconds, planes_run)
    f.serves = planes_serve
    f.workspace = planes_workspace
