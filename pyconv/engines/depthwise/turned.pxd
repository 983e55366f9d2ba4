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
from pyconv.core.sizes cimport plus, times
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.engines.depthwise.nchw cimport planes_cycles
from pyconv.engines.depthwise.nhwc cimport pack_channels
from pyconv.engines.depthwise.planes cimport passing_seconds

cdef enum:
    BLOCK = 16                # channels: a cache line of float32
    STRIP_PIXELS = 512        # of x in a strip, as far as the kernel's height allows: 32 KB of float32

# How an output plane is cut into strips of rows, and the memory of the largest.
ctypedef struct strips_t:
    int64_t count
    int64_t rows              # outputs
    size_t x_bytes, bytes     # turned inputs; with the outputs behind them


cdef inline strips_t cut_strips(const problem_t *p) noexcept nogil:
    cdef strips_t s
    cdef int64_t reach = (p.kh - 1) * p.dh
    cdef int64_t fits = (STRIP_PIXELS // p.iw - reach) // p.sh
    s.count = ceil_div(p.oh, max(fits, max(reach // p.sh, 1)))
    s.rows = ceil_div(p.oh, s.count)
    s.x_bytes = times(<size_t>(min(p.ih, (s.rows - 1) * p.sh + reach + 1) * p.iw * BLOCK), p.itemsize)
    s.bytes = plus(s.x_bytes, times(<size_t>(s.rows * p.ow * BLOCK), p.itemsize))
    return s


cdef inline double turned_cycles(const problem_t *p) noexcept nogil:
    """
    Per image and channel: 6.5 cycles for each vector of inputs that is turned, as much for outputs, and the multiply-adds
    inside the image. Measured on a Sapphire-Rapids-class core.
    """
    cdef strips_t s = cut_strips(p)
    cdef int64_t lanes = p.ops.lanes
    cdef double turned = s.count * <double>min(p.ih, (s.rows - 1) * p.sh + (p.kh - 1) * p.dh + 1) * p.iw
    cdef double taps = p.k * min(1.0, <double>p.ih / (p.oh * p.sh + 0.5 * (p.kh - 1) * p.dh))
    cdef double vectors = ceil_div(p.ic, lanes) / <double>p.ic      # a channel's part of them: 1 where it is alone
    return (6.5 * turned + p.oh * p.ow * (taps * 1.1 / p.rates.fma + 11.5)) * vectors


cdef inline bint turned_serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    if p.layout != PYCONV_NCHW or p.ocg > 1 or turned_cycles(p) >= planes_cycles(p):
        return False
    (<strips_t *>room(cut, sizeof(strips_t)))[0] = cut_strips(p)
    return True


cdef inline size_t turned_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """A strip per thread."""
    return times((<const strips_t *>cut).bytes, threads)


cdef inline void turned_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_channels(p, BLOCK, <const float *>weight, <float *>packed)
    else:
        pack_channels(p, BLOCK, <const double *>weight, <double *>packed)


cdef inline double turned_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return passing_seconds(p, p.n * p.ic * turned_cycles(p), threads)


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
