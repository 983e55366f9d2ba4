# SPDX-License-Identifier: BSD-3-Clause
"""
Few channels per group in NHWC: vectors run over the filters of several groups.

  y[h][w][o] = sum over l < icg, i, j of packed[l][i][j][o] x_l[h sh + i dh][w sw + j dw][o]

where x_l has, at the place of each filter o, input l of its group. Where the inputs of a vector of filters fit one vector,
grouped_nhwc moves them as it loads them, and a task is a strip of rows. Else they are spread in memory first, the sum is
one of depthwise convolutions, and a task is a rectangle of outputs, whose spread inputs stay in L1.
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange, threadid

from pyconv.core.types cimport *
from pyconv.core.tasks cimport poll, tasks_between_polls
from pyconv.core.rates cimport stream_seconds
from pyconv.core.kernels cimport (
    band_rows, cache_bytes, ceil_div, f32_epilogue, f64_epilogue, patches_t, split_start, spread_t,
)
from pyconv.core.sizes cimport aligned, times
from pyconv.core.tail cimport tail_flags

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
    s.lanes = p.kernels.f32.lanes if p.itemsize == 4 else p.kernels.f64.lanes
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


cdef inline void pack_spread(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    """packed[block of filters][icg][kh][kw][filters] = weight[oc][icg][kh][kw]"""
    cdef int64_t width = cut_rectangles(p).width
    cdef int64_t block, o, l, count
    for block in range(ceil_div(p.oc, width)):
        count = min(width, p.oc - block * width)
        for l in range(p.k):
            for o in range(count):
                packed[l * count + o] = weight[(block * width + o) * p.k + l]
        packed += count * p.k


cdef inline double spread_seconds(const problem_t *p, int threads) noexcept nogil:
    """
    Multiply-adds; for each of them the share of a move: of one load in 3 taps of a row if windows overlap. In memory each
    spread vector costs 4 cycles, or 2 for each of its lanes where the groups are wider; each vector of outputs 6.

    Measured on a Sapphire-Rapids-class core.
    """
    cdef rectangles_t s = cut_rectangles(p)
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


cdef inline void _fill(const task_t *t, const rectangles_t *s, const real *x, int64_t row, int64_t col, int64_t rows,
                       int64_t cols, int64_t skip, int64_t count, real *to) noexcept nogil:
    """The inputs under a rectangle of outputs of `count` filters."""
    cdef const problem_t *p = t.p
    cdef spread_t a
    a.rows, a.cols = band_rows(rows, p.kh, p.sh, p.dh), band_rows(cols, p.kw, p.sw, p.dw)
    a.h0, a.w0 = row * p.sh - p.ph0, col * p.sw - p.pw0
    a.ih, a.iw, a.xs_h, a.xs_w = p.ih, p.iw, p.xh, p.xw
    a.icg, a.ocg, a.skip, a.count = p.icg, p.ocg, skip, count
    if real is float:
        p.kernels.f32.spread(&a, x, to)
    else:
        p.kernels.f64.spread(&a, x, to)


cdef inline void _products(const problem_t *p, const patches_t *s, bint in_place, int64_t skip, int64_t row, int64_t rows,
                           int64_t count, int flags, const real *x, const real *w, const real *bias, const real *residual,
                           real *y) noexcept nogil:
    cdef f32_epilogue e32
    cdef f64_epilogue e64
    if real is float:
        e32.flags, e32.lo, e32.hi, e32.bias, e32.residual = flags, <float>p.lo, <float>p.hi, bias, residual
        if in_place:
            p.kernels.f32.grouped_nhwc(s, p.ocg, skip, row, rows, count, x, w, count, y, p.yh, p.yw, &e32)
        else:
            p.kernels.f32.depthwise_nhwc(s, 0, rows, count, x, w, count, y, p.yh, p.yw, &e32)
    else:
        e64.flags, e64.lo, e64.hi, e64.bias, e64.residual = flags, p.lo, p.hi, bias, residual
        if in_place:
            p.kernels.f64.grouped_nhwc(s, p.ocg, skip, row, rows, count, x, w, count, y, p.yh, p.yw, &e64)
        else:
            p.kernels.f64.depthwise_nhwc(s, 0, rows, count, x, w, count, y, p.yh, p.yw, &e64)


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
    cdef int flags = tail_flags(t, False)
    cdef patches_t a
    a.c, a.kh, a.kw, a.sh, a.sw, a.dh, a.dw = p.icg, p.kh, p.kw, p.sh, p.sw, p.dh, p.dw
    if s.in_place:
        a.ih, a.iw, a.oh, a.ow, a.ph, a.pw = p.ih, p.iw, p.oh, p.ow, p.ph0, p.pw0
        a.xs_c, a.xs_h, a.xs_w = 0, p.xh, p.xw
    else:
        a.oh, a.ow, a.ph, a.pw = rows, split_start(p.ow, s.across, across + 1) - col, 0, 0
        a.ih, a.iw = band_rows(a.oh, p.kh, p.sh, p.dh), band_rows(a.ow, p.kw, p.sw, p.dw)
        a.xs_w, a.xs_h, a.xs_c = s.lanes, a.iw * s.lanes, a.ih * a.iw * s.lanes
        _fill(t, s, x, row, col, rows, a.ow, o % p.ocg, count, buffer)
        x = buffer
    _products(p, &a, s.in_place, o % p.ocg, row, rows, count, flags, x, <const real *>t.weight + o * p.k,
              <const real *>t.bias + o if t.bias != NULL else NULL,
              <const real *>t.residual + at if t.residual != NULL else NULL, <real *>t.y + at)


cdef inline int run_spread(task_t *t, const real *tag) noexcept nogil:
    """tag is NULL and names the type."""
    cdef const problem_t *p = t.p
    cdef rectangles_t s = cut_rectangles(p)
    cdef int64_t count = p.n * s.down * s.across * s.blocks
    cdef double flops = 2.0 * p.n * p.yn * p.k / count
    cdef int64_t chunk = tasks_between_polls(t, flops)
    cdef int64_t first = 0
    cdef int64_t last, i
    while first < count:
        last = min(first + chunk, count)
        for i in prange(first, last, num_threads=t.threads, schedule="static"):
            _rectangle[real](t, &s, i, <real *>(t.workspace + threadid() * s.bytes))
        if poll(t, flops * (last - first)):
            return PYCONV_STATUS_INTERRUPTED
        first = last
    return PYCONV_STATUS_OK
