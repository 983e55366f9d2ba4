# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise on small planes: blocks of channels are turned channels-last, so that no lane is idle however short the rows.

  planes [channels][ih][iw] -> [ih][iw][BLOCK] -> depthwise_nhwc -> [oh][ow][BLOCK] -> planes [channels][oh][ow]

One filter per channel. Weights are packed [block of channels][kh][kw][channels].
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.engines.channels_last cimport turn_rows
from pyconv.core.forms cimport add_form, whole_weights
from pyconv.core.problem cimport patches_of
from pyconv.core.tasks cimport run_tasks
from pyconv.core.kernels cimport ceil_div, epilogue_t, patches_t, split_start
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.engines.depthwise.nchw_cut cimport cut_planes, planes_cycles
from pyconv.engines.depthwise.nhwc cimport pack_channels
from pyconv.engines.depthwise.planes cimport passing_seconds, pieces_t
from pyconv.engines.depthwise.turned_cut cimport BLOCK, cut_strips, strips_t, turned_cycles


cdef inline bint turned_serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    cdef strips_t *s = <strips_t *>room(cut, sizeof(strips_t))
    cdef pieces_t planes
    if p.layout != PYCONV_NCHW or p.ocg > 1:
        return False
    s[0] = cut_strips(p)
    planes = cut_planes(p)
    return turned_cycles(p, s) < planes_cycles(p, &planes)


cdef inline size_t turned_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """A strip per thread."""
    return times((<const strips_t *>cut).bytes, threads)


cdef inline void turned_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_channels(p, BLOCK, <const float *>weight, <float *>packed)
    else:
        pack_channels(p, BLOCK, <const double *>weight, <double *>packed)


cdef inline double turned_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return passing_seconds(p, p.n * p.ic * turned_cycles(p, <const strips_t *>cut), threads)


cdef inline void _turned_rows(const task_t *t, const patches_t *s, int64_t rows, int64_t c, int64_t channels, const real *x,
                              real *y) noexcept nogil:
    """Outputs [rows][ow][BLOCK] of turned inputs; y holds the residual, if there is one."""
    cdef const problem_t *p = t.p
    cdef epilogue_t e = tail_of(t, tail_flags(t, False), c, 0)
    e.residual = y
    p.ops.depthwise_nhwc(s, 0, rows, channels, x, <const real *>t.weight + c * p.k, channels, y, p.ow * BLOCK,
                         BLOCK, &e)


cdef inline void _strip(const task_t *t, const strips_t *s, int64_t number, real *x) noexcept nogil:
    """Task number -> image, BLOCK channels, strip; x has the turned inputs."""
    cdef const problem_t *p = t.p
    cdef int64_t blocks = ceil_div(p.oc, BLOCK)
    cdef int64_t image = number // (blocks * s.count)
    cdef int64_t c = number // s.count % blocks * BLOCK
    cdef int64_t channels = min(BLOCK, p.oc - c)
    cdef int64_t row = split_start(p.oh, s.count, number % s.count)
    cdef int64_t rows = split_start(p.oh, s.count, number % s.count + 1) - row
    cdef int64_t start = row * p.sh - p.ph0
    cdef int64_t first = min(max(start, 0), p.ih)
    cdef int64_t last = min(max(start + (rows - 1) * p.sh + (p.kh - 1) * p.dh + 1, first), p.ih)
    cdef int64_t at = image * p.yn + c * p.yc + row * p.yh
    cdef real *y = <real *>(<char *>x + s.x_bytes)
    cdef patches_t shape = patches_of(p)
    shape.ih, shape.ph, shape.oh = last - first, first - start, rows
    shape.xs_c, shape.xs_h, shape.xs_w = 1, p.iw * BLOCK, BLOCK
    turn_rows(p, channels, (last - first) * p.iw, <const real *>t.x + image * p.xn + c * p.xc + first * p.xh, p.xc, x, BLOCK)
    if t.residual != NULL:
        turn_rows(p, channels, rows * p.ow, <const real *>t.residual + at, p.yc, y, BLOCK)
    _turned_rows(t, &shape, rows, c, channels, x, y)
    turn_rows(p, rows * p.ow, channels, <const real *>y, BLOCK, <real *>t.y + at, p.yc)


cdef inline void _strip_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _strip(t, <const strips_t *>cut, number, <float *>buffer)
    else:
        _strip(t, <const strips_t *>cut, number, <double *>buffer)


cdef inline int turned_run(task_t *t) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef const strips_t *s = <const strips_t *>t.cut
    cdef int64_t count = p.n * ceil_div(p.oc, BLOCK) * s.count
    return run_tasks(t, _strip_step, s, count, 2.0 * p.n * p.yn * p.k / count, s.bytes)


cdef inline void add_turned_form(algorithm_t *a) except *:
    cdef form_t *f = add_form(a, turned_seconds, turned_run)
    f.serves = turned_serves
    f.workspace = turned_workspace
    f.packed, f.pack = whole_weights, turned_pack
