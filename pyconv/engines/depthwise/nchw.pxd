# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise in NCHW: pieces of a plane are copied into a zero-padded band (include/pyconv/band.h), and vectors run along its
rows; an image without padding, behind which may be read, serves as its own band. The OIHW weights are read as they are.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.engines.depthwise.nchw_cut cimport cut_planes, own_band, planes_cycles
from pyconv.engines.depthwise.planes cimport clear_slack, passing_seconds, piece, pieces_t, split_planes
from pyconv.core.forms cimport add_form
from pyconv.core.sizes cimport times
from pyconv.core.tasks cimport run_tasks
from pyconv.core.kernels cimport band_t, ceil_div, epilogue_t, split_start
from pyconv.core.tail cimport tail_flags, tail_of


cdef inline bint planes_serve(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<pieces_t *>room(cut, sizeof(pieces_t)))[0] = cut_planes(p)
    return True


cdef inline size_t planes_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """The bands of a piece, per thread."""
    return 0 if own_band(p) else times((<const pieces_t *>cut).bytes, threads)


cdef inline double planes_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return passing_seconds(p, p.n * p.ic * planes_cycles(p, <const pieces_t *>cut), threads)


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
    cdef const real *bands = band
    cdef int64_t plane = s.plane
    if own_band(p):
        b.pitch, plane = p.xh, p.xc
    while first < last:
        end = last if own_band(p) else min(first + s.together, last)
        if own_band(p):
            bands = <const real *>t.x + image * p.xn + first * p.xc + row * p.sh * p.xh + col
        else:
            split_planes(p, &b, end - first, <const real *>t.x + image * p.xn + first * p.xc, row, col, band, plane)
            clear_slack(&b, band + (end - first - 1) * plane)
        if p.ocg == 1:
            _filters(t, &b, end - first, bands, plane, first, image * p.yn + first * p.yc + row * p.yh + col)
        else:
            for o in range(first * p.ocg, end * p.ocg):
                _filters(t, &b, 1, bands + (o // p.ocg - first) * plane, 0, o, image * p.yn + o * p.yc + row * p.yh + col)
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
    return run_tasks(t, _planes_step, &cut, count, 2.0 * p.n * p.yn * p.k / count, 0 if own_band(p) else s.bytes)


cdef inline void add_planes_form(algorithm_t *a) except *:
    cdef form_t *f = add_form(a, planes_seconds, planes_run)
    f.strided = True
    f.serves = planes_serve
    f.workspace = planes_workspace
