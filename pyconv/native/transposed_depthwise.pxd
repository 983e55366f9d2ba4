# SPDX-License-Identifier: BSD-3-Clause
"""
Depthwise: vectors run over channels, and each phase writes the pixels of y that are its own.

NHWC: straight from x to y. NCHW: strips of BLOCK channels are turned channels-last and back, which puts the phases of a row
side by side.

  planes [channels][rows][iw] -> [rows][iw][BLOCK] -> depthwise_nhwc, once for each phase -> [rows][ow][BLOCK] -> planes
"""

from libc.stdint cimport int64_t

from pyconv.core.kernels cimport ceil_div, epilogue_t, patches_t, split_start
from pyconv.core.sizes cimport plus, times
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.core.types cimport *
from pyconv.engines.channels_last cimport turn_rows
from pyconv.engines.depthwise.nhwc cimport channel_block
from pyconv.engines.depthwise.planes cimport passing_seconds
from pyconv.engines.depthwise.turned_cut cimport BLOCK
from pyconv.native.transposed cimport phase_end, phase_t, transposed_t, whole

cdef enum:
    STRIP_BYTES = 131072      # of turned outputs, or of inputs that are read where they stand: beside the rest in L2

# Strips of rows of the grid, in blocks of channels.
ctypedef struct strips_t:
    int64_t block, blocks, count
    size_t x_bytes            # of turned inputs; outputs stand behind them


cdef inline int64_t _first_line(const transposed_t *s, int64_t row) noexcept nogil:
    """Of x, under row `row` of the grid."""
    cdef int64_t line = s.p.ih
    cdef int64_t a
    for a in range(s.down):
        line = min(line, row - s.rows[a].before)
    return min(max(line, 0), s.p.ih)


cdef inline int64_t _end_line(const transposed_t *s, int64_t end) noexcept nogil:
    """Behind those under rows before `end`."""
    cdef int64_t line = 0
    cdef int64_t a
    for a in range(s.down):
        line = max(line, phase_end(&s.rows[a], end) + (s.rows[a].length - 1) * s.rows[a].dilation - s.rows[a].before)
    return min(line, s.p.ih)


cdef inline void _pack(const transposed_t *s, const real *weight, real *packed) noexcept nogil:
    """packed[block of channels][position][channels]"""
    cdef const strips_t *d = <const strips_t *>&s.cut
    cdef int64_t block, first, count, at, c
    for block in range(d.blocks):
        first = block * d.block
        count = min(d.block, s.p.oc - first)
        for at in range(s.taps):
            for c in range(count):
                packed[at * count + c] = weight[(first + c) * s.p.k + s.order[at]]
        packed += s.taps * count


cdef inline void depthwise_pack(const transposed_t *s, const void *weight, void *packed) noexcept nogil:
    if s.p.dtype == PYCONV_F32:
        _pack(s, <const float *>weight, <float *>packed)
    else:
        _pack(s, <const double *>weight, <double *>packed)


cdef inline void _phases(const task_t *t, const transposed_t *s, int64_t row, int64_t end, int64_t c, int64_t count,
                         const real *x, int64_t line, int64_t lines, int64_t xs_h, int64_t xs_w, real *y, int64_t ys_h,
                         int64_t ys_w) noexcept nogil:
    """Rows row .. end of the grid, channels c .. c + count: x begins with line `line` of `lines`, y with output row row*sh."""
    cdef const problem_t *p = t.p
    cdef epilogue_t e = tail_of(t, tail_flags(t, False), c, 0)
    cdef const real *weight = <const real *>t.weight + c * s.taps
    cdef const phase_t *a
    cdef const phase_t *b
    cdef patches_t shape
    cdef int64_t i, j, rows
    shape.c, shape.ih, shape.iw, shape.sh, shape.sw = 1, lines, p.iw, 1, 1
    shape.xs_c, shape.xs_h, shape.xs_w = 1, xs_h, xs_w
    for i in range(s.down):
        a = &s.rows[i]
        rows = phase_end(a, end) - row
        if rows <= 0:
            continue
        shape.kh, shape.dh, shape.ph, shape.oh = a.length, a.dilation, a.before - row + line, rows
        for j in range(s.across):
            b = &s.columns[j]
            shape.kw, shape.dw, shape.pw, shape.ow = b.length, b.dilation, b.before, b.outputs
            p.ops.depthwise_nhwc(&shape, 0, rows, count, x, weight + s.start[i][j] * count, count,
                                 y + a.first * ys_h + b.first * ys_w, p.sh * ys_h, p.sw * ys_w, &e)


cdef inline void _strip(const task_t *t, const transposed_t *s, int64_t number, real *buffer) noexcept nogil:
    """Task number -> image, block of channels, strip."""
    cdef const problem_t *p = t.p
    cdef const strips_t *d = <const strips_t *>&s.cut
    cdef int64_t image = number // (d.blocks * d.count)
    cdef int64_t c = number // d.count % d.blocks * d.block
    cdef int64_t count = min(d.block, p.oc - c)
    cdef int64_t row = split_start(s.grid, d.count, number % d.count)
    cdef int64_t end = split_start(s.grid, d.count, number % d.count + 1)
    cdef const real *x = <const real *>t.x + image * p.xn + c * p.xc
    cdef real *y = <real *>t.y + image * p.yn + c * p.yc + row * p.sh * p.yh
    cdef real *turned = <real *>(<char *>buffer + d.x_bytes)
    cdef int64_t line, lines
    if p.layout == PYCONV_NHWC:
        _phases(t, s, row, end, c, count, x, 0, p.ih, p.xh, p.xw, y, p.yh, p.yw)
        return
    line = _first_line(s, row)
    lines = max(_end_line(s, end) - line, 0)
    turn_rows(p, count, lines * p.iw, x + line * p.xh, p.xc, buffer, BLOCK)
    _phases[real](t, s, row, end, c, count, buffer, line, lines, p.iw * BLOCK, BLOCK, turned, p.ow * BLOCK, BLOCK)
    turn_rows(p, (min(end * p.sh, p.oh) - row * p.sh) * p.ow, count, <const real *>turned, BLOCK, y, p.yc)


cdef inline void _strip_step(const task_t *t, const void *s, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _strip(t, <const transposed_t *>s, number, <float *>buffer)
    else:
        _strip(t, <const transposed_t *>s, number, <double *>buffer)


cdef inline double _cycles(const transposed_t *s) noexcept nogil:
    """Per image: multiply-adds, 2 for each vector of outputs; turned, 6.5 for each of inputs and outputs."""
    cdef const problem_t *p = &s.p
    cdef double vectors = ceil_div(p.oc, p.ops.lanes)
    cdef double each = p.kh * p.kw / p.rates.fma / (p.sh * p.sw) * 1.1 + 3
    cdef double turned = 0
    if p.layout == PYCONV_NCHW:
        turned = 6.5 * (<double>p.oh * p.ow + 1.3 * p.ih * p.iw)
    return vectors * (p.oh * p.ow * each + turned)


cdef inline bint depthwise_serves(transposed_t *s) noexcept nogil:
    """One channel and one filter per group, and a phase for each output."""
    cdef const problem_t *p = &s.p
    cdef strips_t *d = <strips_t *>room(&s.cut, sizeof(strips_t))
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int64_t row_bytes, rows, i, lines
    if p.icg != 1 or p.ocg != 1 or not whole(s):
        return False
    d.block = BLOCK if planes else channel_block(p)
    d.blocks = ceil_div(p.oc, d.block)
    row_bytes = (p.sh * p.ow if planes else p.iw) * d.block * <int64_t>p.itemsize
    rows = min(max(STRIP_BYTES // row_bytes, 1), s.grid)
    d.count = ceil_div(s.grid, rows)
    if s.threads > 1:
        d.count = min(s.grid, max(d.count, ceil_div(4 * s.threads, p.n * d.blocks)))
    d.x_bytes = 0
    s.bytes = 0
    if planes:
        for i in range(d.count):
            rows = split_start(s.grid, d.count, i)
            lines = _end_line(s, split_start(s.grid, d.count, i + 1)) - _first_line(s, rows)
            d.x_bytes = max(d.x_bytes, times(<size_t>(max(lines, 0) * p.iw * BLOCK), p.itemsize))
        s.bytes = plus(d.x_bytes, times(<size_t>(ceil_div(s.grid, d.count) * row_bytes), 1))
    s.tasks = p.n * d.blocks * d.count
    s.step = _strip_step
    s.packed = times(<size_t>(p.oc * s.taps), p.itemsize)
    s.pack = depthwise_pack
    s.seconds = passing_seconds(p, p.n * _cycles(s), s.threads)
    return True
