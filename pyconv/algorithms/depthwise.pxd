# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise: each output channel reads one input channel.

NCHW: pieces of a plane are copied into a zero-padded band (include/pyconv/band.h), and vectors run along its rows; small
planes are rather turned channels-last (engines/depthwise/turned.pxd).
NHWC: vectors run over channels, rows of outputs are computed straight from the image, weights are packed [block of
channels][kh][kw][channels]. With several filters per channel, inputs are spread over them first (engines/depthwise/spread.pxd).
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange, threadid

from pyconv.core.types cimport *
from pyconv.engines.depthwise.turned cimport BLOCK, cut_strips, run_turned, turned_cycles
from pyconv.engines.depthwise.planes cimport bands_bytes, clear_slack, cut_plane, piece, pieces_t, split_planes
from pyconv.core.tasks cimport poll, tasks_between_polls
from pyconv.core.rates cimport stream_seconds
from pyconv.core.kernels cimport (
    band_t, cache_bytes, ceil_div, f32_epilogue, f64_epilogue, patches_t, split_start,
)
from pyconv.engines.depthwise.spread cimport cut_rectangles, pack_spread, run_spread, spread_seconds
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport tail_flags
from pyconv.core.weights cimport pack_hwio, weight_bytes

cdef enum:
    LARGEST_BAND = 1 << 20    # bytes per thread


cdef inline pieces_t cut_planes(const problem_t *p) noexcept nogil:
    """Bands of small planes are filled and read several in one call, as far as they fit half of L1."""
    cdef pieces_t s = cut_plane(p, 1)
    s.together = max(1, min(8, cache_bytes(1) // 2 // <int64_t>s.bytes))
    s.bytes = bands_bytes(p, &s)
    return s


cdef inline double _band_cycles(const problem_t *p) noexcept nogil:
    """
    Per image and channel: 4 cycles for each vector of a band, 3 for each of outputs, and the multiply-adds, with idle
    lanes. Kernels that aren't 1, 3, 5 or 7 high have too few sums under way where rows are short, and 30 cycles more for
    each tile of 4 vectors and 4 rows, or of one row where they are lower than that; in a row of more than 16 taps every
    load serves a single sum, and a multiply-add takes four times as long. Measured on a Sapphire-Rapids-class core.
    """
    cdef pieces_t s = cut_planes(p)
    cdef int64_t lanes = p.kernels.f32.lanes if p.itemsize == 4 else p.kernels.f64.lanes
    cdef double fma = p.rates.fma
    cdef int64_t width = ceil_div(s.cols, lanes)
    cdef double rows = <double>s.down * s.across * s.rows
    cdef double band = <double>s.down * s.across * s.plane / lanes
    cdef bint known = p.kh == 1 or p.kh == 3 or p.kh == 5 or p.kh == 7
    cdef double waits = (3 if p.kh == 1 and p.kw > 16 else 0) if known else 2.0 / min(width, 4)
    cdef double tiles = 0 if known else rows / (4 if p.kh >= 4 * p.sh else 1) * ceil_div(width, 4)
    return 4 * band + p.ocg * (rows * width * (p.k * (1 + waits) / fma + 3) + 30 * tiles)


cdef inline bint _turns(const problem_t *p) noexcept nogil:
    """Whether planes are turned channels-last."""
    return p.layout == PYCONV_NCHW and p.ocg == 1 and turned_cycles(p) < _band_cycles(p)


cdef inline const char *depthwise_supports(const problem_t *p) noexcept nogil:
    if p.icg != 1:
        return "it serves one input channel per group only"
    if p.layout == PYCONV_NHWC and p.ocg == 1:
        return NULL
    if (cut_rectangles(p).bytes if p.layout == PYCONV_NHWC else cut_plane(p, 1).bytes) > LARGEST_BAND:
        return "the kernel reaches over more pixels than a band of 1 MB holds"
    return NULL


cdef inline size_t depthwise_workspace(const problem_t *p, int threads) noexcept nogil:
    """One band or strip per thread in NCHW, in NHWC none, or a rectangle where a channel has several filters."""
    if p.layout == PYCONV_NHWC:
        return times(cut_rectangles(p).bytes, threads) if p.ocg > 1 else 0
    if _turns(p):
        return times(cut_strips(p).bytes, threads)
    return times(cut_planes(p).bytes, threads)


cdef inline size_t depthwise_packed(const problem_t *p) noexcept nogil:
    return weight_bytes(p) if p.layout == PYCONV_NHWC or _turns(p) else 0


cdef inline int64_t _channel_block(const problem_t *p) noexcept nogil:
    """Channels whose weights stay in L1, whole cache lines."""
    if p.layout == PYCONV_NCHW:
        return BLOCK
    return max(16, min(256, 16384 // (p.k * <int64_t>p.itemsize) // 16 * 16))


cdef inline void _pack_blocks(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    """[block][kh][kw][channels]"""
    cdef int64_t block = _channel_block(p)
    cdef problem_t q = p[0]
    q.icg = 1
    q.g, q.ocg = p.oc // block, block
    pack_hwio(&q, weight, packed)
    q.g, q.ocg = 1, p.oc % block
    pack_hwio(&q, weight + (p.oc - q.ocg) * p.k, packed + (p.oc - q.ocg) * p.k)


cdef inline void _pack(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    if p.ocg > 1:
        pack_spread(p, weight, packed)
    else:
        _pack_blocks(p, weight, packed)


cdef inline void depthwise_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        _pack(p, <const float *>weight, <float *>packed)
    else:
        _pack(p, <const double *>weight, <double *>packed)


cdef inline double depthwise_seconds(const problem_t *p, int threads) noexcept nogil:
    """
    Multiply-adds, and what moves the data between memory, bands and registers, plus half the time of the bytes that pass.

    Measured on a Sapphire-Rapids-class core.
    """
    if p.layout == PYCONV_NHWC and p.ocg > 1:
        return spread_seconds(p, threads)
    cdef int64_t lanes = p.kernels.f32.lanes if p.itemsize == 4 else p.kernels.f64.lanes
    cdef double bytes = <double>p.n * (p.xn + p.yn) * p.itemsize
    cdef bint known = p.kw == 3 or p.kw == 5 or p.kw == 7
    cdef double cycles
    if p.layout == PYCONV_NHWC:
        cycles = <double>p.n * p.oh * p.ow * ceil_div(p.oc, lanes) * (p.k * (1 if known else 1.1) / p.rates.fma + 2)
    else:
        cycles = p.n * p.ic * (turned_cycles(p) if _turns(p) else _band_cycles(p))
    return (cycles / p.rates.clock + stream_seconds(&p.rates, bytes) / 2) / threads


cdef inline void _filters(const task_t *t, const band_t *b, int64_t count, const real *band, int64_t band_c, int64_t o,
                          int64_t at) noexcept nogil:
    """Filters o .. o + count, each on a band; `at` is the first output in y."""
    cdef const problem_t *p = t.p
    cdef f32_epilogue e32
    cdef f64_epilogue e64
    if real is float:
        e32.flags, e32.lo, e32.hi = tail_flags(t, True), <float>p.lo, <float>p.hi
        e32.bias = <const float *>t.bias + o if t.bias != NULL else NULL
        e32.residual = <const float *>t.residual + at if t.residual != NULL else NULL
        p.kernels.f32.depthwise(b, count, band, band_c, <const float *>t.weight + o * p.k, <float *>t.y + at, p.yc, &e32)
    else:
        e64.flags, e64.lo, e64.hi = tail_flags(t, True), p.lo, p.hi
        e64.bias = <const double *>t.bias + o if t.bias != NULL else NULL
        e64.residual = <const double *>t.residual + at if t.residual != NULL else NULL
        p.kernels.f64.depthwise(b, count, band, band_c, <const double *>t.weight + o * p.k, <double *>t.y + at, p.yc, &e64)


cdef inline void _channels_piece(const task_t *t, const pieces_t *s, int64_t image, int64_t first, int64_t last,
                                 int64_t number, real *band) noexcept nogil:
    """One piece of the planes of channels first <= c < last: all their filters."""
    cdef const problem_t *p = t.p
    cdef int64_t row, col, end, o
    cdef band_t b = piece(p, s, number, &row, &col)
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


cdef inline int64_t _block(const problem_t *p, const pieces_t *s, int threads) noexcept nogil:
    """Channels per task: enough that finding one's way costs nothing, few enough for every thread to have several."""
    cdef int64_t enough = 16384 // (s.rows * s.cols * p.ocg)
    return max(1, min(enough, p.n * p.ic // (4 * threads)))


cdef inline int _depthwise_nchw(task_t *t, const real *tag) noexcept nogil:
    """tag is NULL and names the type."""
    cdef const problem_t *p = t.p
    cdef pieces_t s = cut_planes(p)
    cdef int64_t pieces = s.down * s.across
    cdef int64_t block = min(_block(p, &s, t.threads), p.ic)
    cdef int64_t blocks = ceil_div(p.ic, block)
    cdef int64_t count = p.n * blocks * pieces
    cdef double flops = 2.0 * p.n * p.yn * p.k / count
    cdef int64_t chunk = tasks_between_polls(t, flops)
    cdef int64_t first = 0
    cdef int64_t last, i
    while first < count:
        last = min(first + chunk, count)
        for i in prange(first, last, num_threads=t.threads, schedule="static"):
            _channels_piece(t, &s, i // (pieces * blocks), split_start(p.ic, blocks, i // pieces % blocks),
                            split_start(p.ic, blocks, i // pieces % blocks + 1), i % pieces,
                            <real *>(t.workspace + threadid() * s.bytes))
        if poll(t, flops * (last - first)):
            return PYCONV_STATUS_INTERRUPTED
        first = last
    return PYCONV_STATUS_OK


cdef inline patches_t _patches(const problem_t *p) noexcept nogil:
    cdef patches_t s
    s.c, s.ih, s.iw = 1, p.ih, p.iw
    s.kh, s.kw, s.sh, s.sw, s.dh, s.dw = p.kh, p.kw, p.sh, p.sw, p.dh, p.dw
    s.ph, s.pw, s.oh, s.ow = p.ph0, p.pw0, p.oh, p.ow
    s.xs_c, s.xs_h, s.xs_w = p.xc, p.xh, p.xw
    return s


cdef inline void _pixel_rows(const task_t *t, const patches_t *s, int64_t image, int64_t row, int64_t rows, int64_t c,
                             int64_t channels, real *y) noexcept nogil:
    """Channels c to c + channels of some output rows, of which y is the first."""
    cdef const problem_t *p = t.p
    cdef int64_t at = image * p.yn + row * p.yh + c
    cdef int64_t from_ = image * p.xn + c
    cdef int flags = tail_flags(t, False)
    cdef f32_epilogue e32
    cdef f64_epilogue e64
    if real is float:
        e32.flags, e32.lo, e32.hi = flags, <float>p.lo, <float>p.hi
        e32.bias = <const float *>t.bias + c if t.bias != NULL else NULL
        e32.residual = <const float *>t.residual + at if t.residual != NULL else NULL
        p.kernels.f32.depthwise_nhwc(s, row, rows, channels, <const float *>t.x + from_, <const float *>t.weight + c * p.k,
                                     channels, y, p.yh, p.yw, &e32)
    else:
        e64.flags, e64.lo, e64.hi = flags, p.lo, p.hi
        e64.bias = <const double *>t.bias + c if t.bias != NULL else NULL
        e64.residual = <const double *>t.residual + at if t.residual != NULL else NULL
        p.kernels.f64.depthwise_nhwc(s, row, rows, channels, <const double *>t.x + from_, <const double *>t.weight + c * p.k,
                                     channels, y, p.yh, p.yw, &e64)


cdef inline int _depthwise_nhwc(task_t *t, const real *tag) noexcept nogil:
    """tag is NULL and names the type. Tasks are strips of rows in blocks of channels."""
    cdef const problem_t *p = t.p
    cdef patches_t shape = _patches(p)
    cdef int64_t block = _channel_block(p)
    cdef int64_t blocks = ceil_div(p.oc, block)
    cdef int64_t strips = max(1, min(p.oh, max(p.oh * p.ow * block // 65536, ceil_div(4 * t.threads, p.n * blocks))))
    cdef int64_t count = p.n * blocks * strips
    cdef double flops = 2.0 * p.n * p.yn * p.k / count
    cdef int64_t chunk = tasks_between_polls(t, flops)
    cdef int64_t first = 0
    cdef int64_t last, i, c, row
    while first < count:
        last = min(first + chunk, count)
        for i in prange(first, last, num_threads=t.threads, schedule="static"):
            c = i // strips % blocks * block
            row = split_start(p.oh, strips, i % strips)
            _pixel_rows(t, &shape, i // (strips * blocks), row, split_start(p.oh, strips, i % strips + 1) - row, c,
                        min(block, p.oc - c), <real *>t.y + i // (strips * blocks) * p.yn + row * p.yh + c)
        if poll(t, flops * (last - first)):
            return PYCONV_STATUS_INTERRUPTED
        first = last
    return PYCONV_STATUS_OK


cdef inline int _depthwise(task_t *t, const real *tag) noexcept nogil:
    if t.p.layout == PYCONV_NHWC:
        return run_spread(t, tag) if t.p.ocg > 1 else _depthwise_nhwc(t, tag)
    if _turns(t.p):
        return run_turned(t, tag)
    return _depthwise_nchw(t, tag)


cdef inline int depthwise_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _depthwise(t, <const float *>NULL)
    return _depthwise(t, <const double *>NULL)
