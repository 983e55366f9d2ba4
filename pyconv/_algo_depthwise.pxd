# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise: each output channel reads one input channel.

NCHW: pieces of a plane are copied into a zero-padded band (include/pyconv/band.h), and vectors run along its rows.
NHWC: vectors run over channels, rows of outputs are computed straight from the image, weights are packed [block of
channels][kh][kw][channels].
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange, threadid

from pyconv._types cimport *
from pyconv._band cimport clear_slack, cut_plane, piece, pieces_t, split_plane, tail_flags
from pyconv._rates cimport stream_seconds
from pyconv._rows cimport pack_hwio, weight_bytes
from pyconv._simd cimport (
    BIAS_COLUMN, BIAS_ROW, band_t, ceil_div, f32_epilogue, f64_epilogue, patches_t, split_start,
)
from pyconv._sizes cimport times
from pyconv._tail cimport poll

cdef enum:
    LARGEST_BAND = 1 << 20    # bytes per thread


cdef inline const char *depthwise_supports(const problem_t *p) noexcept nogil:
    if p.icg != 1:
        return "it serves one input channel per group only"
    if p.layout == PYCONV_NHWC:
        if p.ocg != 1:
            return "it serves one filter per channel only, in NHWC"
        return NULL
    if cut_plane(p, 1).bytes > LARGEST_BAND:
        return "the kernel reaches over more pixels than a band of 1 MB holds"
    return NULL


cdef inline size_t depthwise_workspace(const problem_t *p, int threads) noexcept nogil:
    """One band per thread in NCHW."""
    if p.layout == PYCONV_NHWC:
        return 0
    return times(cut_plane(p, 1).bytes, threads)


cdef inline size_t depthwise_packed(const problem_t *p) noexcept nogil:
    return weight_bytes(p) if p.layout == PYCONV_NHWC else 0


cdef inline int64_t _channel_block(const problem_t *p) noexcept nogil:
    """Channels whose weights stay in L1, whole cache lines."""
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


cdef inline void depthwise_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        _pack_blocks(p, <const float *>weight, <float *>packed)
    else:
        _pack_blocks(p, <const double *>weight, <double *>packed)


cdef inline double depthwise_seconds(const problem_t *p, int threads) noexcept nogil:
    """
    Multiply-adds, plus the bytes that pass, plus 75 cycles per plane in NCHW.

    Measured on a Sapphire-Rapids-class core: 0.9 of the FMA peak in NCHW, 0.6 in NHWC.
    """
    cdef int64_t lanes = p.kernels.f32.lanes if p.itemsize == 4 else p.kernels.f64.lanes
    cdef double fma = p.rates.fma
    cdef double bytes = <double>p.n * (p.xn + p.yn) * p.itemsize
    cdef double vectors, cycles
    if p.layout == PYCONV_NCHW:
        vectors = <double>p.n * p.oc * p.oh * ceil_div(p.ow, lanes)
        cycles = vectors * p.k / fma / 0.9 + 75.0 * p.n * p.oc
    else:
        vectors = <double>p.n * p.oh * p.ow * ceil_div(p.oc, lanes)
        cycles = vectors * (p.k / fma / 0.6 + 4)
    return (cycles / p.rates.clock + stream_seconds(&p.rates, bytes)) / threads + 1e-6


cdef inline void _filter(const task_t *t, const band_t *b, const real *band, int64_t o, int64_t at) noexcept nogil:
    """Filter o on a band; `at` is its first output in y."""
    cdef const problem_t *p = t.p
    cdef f32_epilogue e32
    cdef f64_epilogue e64
    if real is float:
        e32.flags, e32.lo, e32.hi = tail_flags(t), <float>p.lo, <float>p.hi
        e32.bias = <const float *>t.bias + o if t.bias != NULL else NULL
        e32.residual = <const float *>t.residual + at if t.residual != NULL else NULL
        p.kernels.f32.depthwise(b, band, <const float *>t.weight + o * p.k, <float *>t.y + at, &e32)
    else:
        e64.flags, e64.lo, e64.hi = tail_flags(t), p.lo, p.hi
        e64.bias = <const double *>t.bias + o if t.bias != NULL else NULL
        e64.residual = <const double *>t.residual + at if t.residual != NULL else NULL
        p.kernels.f64.depthwise(b, band, <const double *>t.weight + o * p.k, <double *>t.y + at, &e64)


cdef inline void _channels_piece(const task_t *t, const pieces_t *s, int64_t image, int64_t first, int64_t last,
                                 int64_t number, real *band) noexcept nogil:
    """One piece of the planes of channels first <= c < last: all their filters."""
    cdef const problem_t *p = t.p
    cdef int64_t row, col, c, o
    cdef band_t b = piece(p, s, number, &row, &col)
    clear_slack(&b, band)
    for c in range(first, last):
        split_plane(p, &b, <const real *>t.x + image * p.xn + c * p.xc, row, col, band)
        for o in range(c * p.ocg, (c + 1) * p.ocg):
            _filter(t, &b, band, o, image * p.yn + o * p.yc + row * p.yh + col)


cdef inline int64_t _block(const problem_t *p, const pieces_t *s, int threads) noexcept nogil:
    """Channels per task: enough that finding one's way costs nothing, few enough for every thread to have several."""
    cdef int64_t enough = 16384 // (s.rows * s.cols * p.ocg)
    return max(1, min(enough, p.n * p.ic // (4 * threads)))


cdef inline int _depthwise_nchw(task_t *t, const real *tag) noexcept nogil:
    """tag is NULL and names the type."""
    cdef const problem_t *p = t.p
    cdef pieces_t s = cut_plane(p, 1)
    cdef int64_t pieces = s.down * s.across
    cdef int64_t block = min(_block(p, &s, t.threads), p.ic)
    cdef int64_t blocks = ceil_div(p.ic, block)
    cdef int64_t count = p.n * blocks * pieces
    cdef double flops = 2.0 * p.n * p.yn * p.k / count
    cdef int64_t chunk = max(<int64_t>(5e8 / flops), 1) * t.threads
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
    s.c, s.ih, s.iw = p.ic, p.ih, p.iw
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
    cdef int flags = tail_flags(t)
    cdef f32_epilogue e32
    cdef f64_epilogue e64
    if flags & BIAS_ROW:
        flags ^= BIAS_ROW | BIAS_COLUMN
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
    cdef int64_t chunk = max(<int64_t>(5e8 / flops), 1) * t.threads
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
        return _depthwise_nhwc(t, tag)
    return _depthwise_nchw(t, tag)


cdef inline int depthwise_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _depthwise(t, <const float *>NULL)
    return _depthwise(t, <const double *>NULL)
