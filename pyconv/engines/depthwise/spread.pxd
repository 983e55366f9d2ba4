# SPDX-License-Identifier: BSD-3-Clause
"""
Few channels per group in NHWC: vectors run over the filters of several groups.

  y[h][w][o] = sum over l < icg, i, j of packed[l][i][j][o] x_l[h sh + i dh][w sw + j dw][o]

where x_l has, at the place of each filter o, input l of its group. Where the inputs of a vector of filters fit one vector,
grouped_nhwc moves them as it loads them, and a task is a strip of rows. Else they are spread in memory first, the sum is
one of depthwise convolutions, and a task is a rectangle of outputs, whose spread inputs stay in L1.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.problem cimport patches_of
from pyconv.core.tasks cimport run_tasks
from pyconv.core.forms cimport add_form, whole_weights
from pyconv.core.kernels cimport band_rows, ceil_div, epilogue_t, patches_t, split_start, spread_t
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.engines.depthwise.spread_cut cimport cut_rectangles, rectangles_t, spread_seconds


cdef inline bint spread_serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    if p.layout != PYCONV_NHWC:
        return False
    (<rectangles_t *>room(cut, sizeof(rectangles_t)))[0] = cut_rectangles(p)
    return True


cdef inline size_t spread_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """A rectangle per thread."""
    return times((<const rectangles_t *>cut).bytes, threads)


cdef inline void _pack(const problem_t *p, int64_t width, const real *weight, real *packed) noexcept nogil:
    """packed[block of filters][icg][kh][kw][filters] = weight[oc][icg][kh][kw]"""
    cdef int64_t block, o, l, count
    for block in range(ceil_div(p.oc, width)):
        count = min(width, p.oc - block * width)
        for l in range(p.k):
            for o in range(count):
                packed[l * count + o] = weight[(block * width + o) * p.k + l]
        packed += count * p.k


cdef inline void spread_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    cdef int64_t width = (<const rectangles_t *>cut).width
    if p.dtype == PYCONV_F32:
        _pack(p, width, <const float *>weight, <float *>packed)
    else:
        _pack(p, width, <const double *>weight, <double *>packed)


cdef inline void _fill(const task_t *t, const rectangles_t *s, const real *x, int64_t row, int64_t col, int64_t rows,
                       int64_t cols, int64_t skip, int64_t count, real *to) noexcept nogil:
    """The inputs under a rectangle of outputs of `count` filters."""
    cdef const problem_t *p = t.p
    cdef spread_t a
    a.rows, a.cols = band_rows(rows, p.kh, p.sh, p.dh), band_rows(cols, p.kw, p.sw, p.dw)
    a.h0, a.w0 = row * p.sh - p.ph0, col * p.sw - p.pw0
    a.ih, a.iw, a.xs_h, a.xs_w = p.ih, p.iw, p.xh, p.xw
    a.icg, a.ocg, a.skip, a.count = p.icg, p.ocg, skip, count
    p.ops.spread(&a, x, to)


cdef inline void _rectangle(const task_t *t, const rectangles_t *s, int64_t number, real *buffer) noexcept nogil:
    """Task number -> image, row and column of rectangles, block of filters; the last change fastest."""
    cdef const problem_t *p = t.p
    cdef int64_t o = number % s.blocks * s.width
    cdef int64_t across = number // s.blocks % s.across
    cdef int64_t down = number // (s.blocks * s.across) % s.down
    cdef int64_t image = number // (s.blocks * s.across * s.down)
    cdef int64_t row = split_start(p.oh, s.down, down)
    cdef int64_t rows = split_start(p.oh, s.down, down + 1) - row
    cdef int64_t col = split_start(p.ow, s.across, across)
    cdef int64_t count = min(s.width, p.oc - o)
    cdef int64_t at = image * p.yn + row * p.yh + col * p.yw + o
    cdef const real *x = <const real *>t.x + image * p.xn + o // p.ocg * p.icg
    cdef epilogue_t e = tail_of(t, tail_flags(t, False), o, at)
    cdef patches_t a = patches_of(p)
    if s.in_place:
        a.xs_c = 0
    else:
        a.oh, a.ow, a.ph, a.pw = rows, split_start(p.ow, s.across, across + 1) - col, 0, 0
        a.ih, a.iw = band_rows(a.oh, p.kh, p.sh, p.dh), band_rows(a.ow, p.kw, p.sw, p.dw)
        a.xs_w, a.xs_h, a.xs_c = s.lanes, a.iw * s.lanes, a.ih * a.iw * s.lanes
        _fill(t, s, x, row, col, rows, a.ow, o % p.ocg, count, buffer)
        x = buffer
    if s.in_place:
        p.ops.grouped_nhwc(&a, p.ocg, o % p.ocg, row, rows, count, x, <const real *>t.weight + o * p.k, count, <real *>t.y + at,
                           p.yh, p.yw, &e)
    else:
        p.ops.depthwise_nhwc(&a, 0, rows, count, x, <const real *>t.weight + o * p.k, count, <real *>t.y + at, p.yh, p.yw, &e)


cdef inline void _rectangle_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _rectangle(t, <const rectangles_t *>cut, number, <float *>buffer)
    else:
        _rectangle(t, <const rectangles_t *>cut, number, <double *>buffer)


cdef inline int spread_run(task_t *t) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef const rectangles_t *s = <const rectangles_t *>t.cut
    cdef int64_t count = p.n * s.down * s.across * s.blocks
    return run_tasks(t, _rectangle_step, s, count, 2.0 * p.n * p.yn * p.k / count, s.bytes)


cdef inline void add_spread_form(algorithm_t *a) except *:
    cdef form_t *f = add_form(a, spread_seconds, spread_run)
    f.strided = True
    f.serves = spread_serves
    f.workspace = spread_workspace
    f.packed, f.pack = whole_weights, spread_pack
