# SPDX-License-Identifier: BSD-3-Clause
"""
Few channels per group in NHWC: vectors run over the filters of several groups.

  y[h][w][o] = sum over l < icg, i, j of packed[l][i][j][o] spread[l][h sh + i dh][w sw + j dw][o]

where spread[l] holds, at the place of each filter o, input l of its group: a sum of depthwise convolutions. A task is a
rectangle of outputs and one vector of filters; its spread rectangle of inputs stays in L1.
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange, threadid

from pyconv._types cimport *
from pyconv._band cimport tail_flags
from pyconv._rates cimport stream_seconds
from pyconv._simd cimport (
    BIAS_COLUMN, BIAS_ROW, band_rows, cache_bytes, ceil_div, f32_epilogue, f64_epilogue, patches_t, split_start, spread_t,
)
from pyconv._sizes cimport aligned, times
from pyconv._tail cimport poll

# How an output image is cut into rectangles.
ctypedef struct rectangles_t:
    int64_t lanes, blocks     # of a vector; vectors of filters
    int64_t down, across      # rectangles
    int64_t rows, cols        # outputs in the largest of them
    size_t bytes              # of its spread inputs, a multiple of 64


cdef inline int64_t _spread_pixels(const problem_t *p, int64_t rows, int64_t cols) noexcept nogil:
    return band_rows(rows, p.kh, p.sh, p.dh) * band_rows(cols, p.kw, p.sw, p.dw)


cdef inline rectangles_t cut_rectangles(const problem_t *p) noexcept nogil:
    """As near to squares as whole tiles of 8 pixels allow, half of L1 for the spread inputs."""
    cdef rectangles_t s
    cdef int64_t fits
    s.lanes = p.kernels.f32.lanes if p.itemsize == 4 else p.kernels.f64.lanes
    s.blocks = ceil_div(p.oc, s.lanes)
    fits = cache_bytes(1) // 2 // (p.icg * s.lanes * <int64_t>p.itemsize)
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
    return s


cdef inline void pack_spread(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    """packed[block of filters][icg][kh][kw][filters] = weight[oc][icg][kh][kw]"""
    cdef int64_t lanes = cut_rectangles(p).lanes
    cdef int64_t block, o, l, count
    for block in range(ceil_div(p.oc, lanes)):
        count = min(lanes, p.oc - block * lanes)
        for l in range(p.k):
            for o in range(count):
                packed[l * count + o] = weight[(block * lanes + o) * p.k + l]
        packed += count * p.k


cdef inline double spread_seconds(const problem_t *p, int threads) noexcept nogil:
    """
    Multiply-adds, two vectors a cycle; 4 cycles for each vector of outputs, 3 for each that is spread, or 2 for each of its
    lanes where the groups are wider.

    Measured on a Sapphire-Rapids-class core.
    """
    cdef rectangles_t s = cut_rectangles(p)
    cdef double fma = p.rates.fma
    cdef double vectors = <double>p.n * s.blocks * p.oh * p.ow
    cdef double spread = <double>p.n * s.blocks * s.down * s.across * _spread_pixels(p, s.rows, s.cols) * p.icg
    cdef bint one = ceil_div(s.lanes, p.ocg) * p.icg <= s.lanes
    cdef double cycles = vectors * (p.k / fma / 0.8 + 4) + spread * (3 if one else 2 * s.lanes)
    return (cycles / p.rates.clock + stream_seconds(&p.rates, <double>p.n * (p.xn + p.yn) * p.itemsize)) / threads + 1e-6


cdef inline void _fill(const task_t *t, const rectangles_t *s, int64_t image, int64_t row, int64_t col, int64_t rows,
                       int64_t cols, int64_t o, int64_t count, real *to) noexcept nogil:
    """The inputs under a rectangle of outputs of filters o .. o + count."""
    cdef const problem_t *p = t.p
    cdef spread_t a
    cdef const real *x = <const real *>t.x + image * p.xn + o // p.ocg * p.icg
    a.rows, a.cols = band_rows(rows, p.kh, p.sh, p.dh), band_rows(cols, p.kw, p.sw, p.dw)
    a.h0, a.w0 = row * p.sh - p.ph0, col * p.sw - p.pw0
    a.ih, a.iw, a.xs_h, a.xs_w = p.ih, p.iw, p.xh, p.xw
    a.icg, a.ocg, a.skip, a.count = p.icg, p.ocg, o % p.ocg, count
    if real is float:
        p.kernels.f32.spread(&a, x, to)
    else:
        p.kernels.f64.spread(&a, x, to)


cdef inline void _products(const problem_t *p, const patches_t *s, int64_t count, int flags, const real *x, const real *w,
                           const real *bias, const real *residual, real *y) noexcept nogil:
    cdef f32_epilogue e32
    cdef f64_epilogue e64
    if real is float:
        e32.flags, e32.lo, e32.hi, e32.bias, e32.residual = flags, <float>p.lo, <float>p.hi, bias, residual
        p.kernels.f32.depthwise_nhwc(s, 0, s.oh, count, x, w, count, y, p.yh, p.yw, &e32)
    else:
        e64.flags, e64.lo, e64.hi, e64.bias, e64.residual = flags, p.lo, p.hi, bias, residual
        p.kernels.f64.depthwise_nhwc(s, 0, s.oh, count, x, w, count, y, p.yh, p.yw, &e64)


cdef inline void _rectangle(const task_t *t, const rectangles_t *s, int64_t number, real *buffer) noexcept nogil:
    """Task number -> image, row and column of rectangles, block of filters; the last change fastest."""
    cdef const problem_t *p = t.p
    cdef int64_t o = number % s.blocks * s.lanes
    cdef int64_t across = number // s.blocks % s.across
    cdef int64_t down = number // (s.blocks * s.across) % s.down
    cdef int64_t image = number // (s.blocks * s.across * s.down)
    cdef int64_t row = split_start(p.oh, s.down, down)
    cdef int64_t col = split_start(p.ow, s.across, across)
    cdef int64_t count = min(s.lanes, p.oc - o)
    cdef int64_t at = image * p.yn + row * p.yh + col * p.yw + o
    cdef real *y = <real *>t.y + at
    cdef const real *bias = <const real *>t.bias + o if t.bias != NULL else NULL
    cdef const real *residual = <const real *>t.residual + at if t.residual != NULL else NULL
    cdef const real *weight = <const real *>t.weight + o * p.k
    cdef int flags = tail_flags(t)
    cdef patches_t shape
    shape.oh, shape.ow = split_start(p.oh, s.down, down + 1) - row, split_start(p.ow, s.across, across + 1) - col
    shape.ih, shape.iw = band_rows(shape.oh, p.kh, p.sh, p.dh), band_rows(shape.ow, p.kw, p.sw, p.dw)
    shape.kh, shape.kw, shape.sh, shape.sw, shape.dh, shape.dw = p.kh, p.kw, p.sh, p.sw, p.dh, p.dw
    shape.c, shape.ph, shape.pw = p.icg, 0, 0
    shape.xs_w, shape.xs_h, shape.xs_c = s.lanes, shape.iw * s.lanes, shape.ih * shape.iw * s.lanes
    _fill(t, s, image, row, col, shape.oh, shape.ow, o, count, buffer)
    if flags & BIAS_ROW:
        flags ^= BIAS_ROW | BIAS_COLUMN
    _products(p, &shape, count, flags, buffer, weight, bias, residual, y)


cdef inline int run_spread(task_t *t, const real *tag) noexcept nogil:
    """tag is NULL and names the type."""
    cdef const problem_t *p = t.p
    cdef rectangles_t s = cut_rectangles(p)
    cdef int64_t count = p.n * s.down * s.across * s.blocks
    cdef double flops = 2.0 * p.n * p.yn * p.k / count
    cdef int64_t chunk = max(<int64_t>(5e8 / flops), 1) * t.threads
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
