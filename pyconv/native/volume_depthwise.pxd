# SPDX-License-Identifier: BSD-3-Clause
"""
Depthwise convolution of volumes, one filter per channel; taps before and behind the volume are left out.

  NDHWC  vectors run over channels: the slices under a slice of the result are so many images of one sum of
         depthwise_nhwc.tmpl.h. Weights are packed [block of channels][t][kh][kw][channels]. Channels that fill no vector
         are made one with the last ones that do, which are then computed twice: part of a vector takes as long as 2.6.
  NCDHW  vectors run along rows: pieces of planes are copied into zero-padded bands (include/pyconv/band.h), a ring of them for
         each channel, and each adds its taps to the piece of the result, which stays in L1. OIDHW weights are read as they are.

A task is a strip or piece of all channels of a block, in some slices of the result one after another.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport CHAIN
from pyconv.core.kernels cimport BAND_SLACK, CLAMP, RESIDUAL, band_t, ceil_div, epilogue_t, patches_t, split_start
from pyconv.core.problem cimport patches_of
from pyconv.core.rows cimport reach
from pyconv.core.sizes cimport aligned, times
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.core.tasks cimport run_tasks
from pyconv.engines.depthwise.planes cimport clear_slack, cut_plane, piece, pieces_t, split_planes
from pyconv.native.volume cimport volume_t

ctypedef struct depthwise_t:
    volume_t v
    problem_t p               # of a slice
    int threads
    int64_t block, blocks     # channels of one, how many
    int64_t strips            # NDHWC: parts of the rows
    int64_t whole             # NDHWC: channels in blocks, all or those that fill vectors; the others are in a last vector
    int64_t ring              # NCDHW: slices that are between the first and last under one of the result
    pieces_t pieces
    int64_t parts             # of the slices of the result


cdef inline int64_t _taps(const depthwise_t *s) noexcept nogil:
    return s.v.a.kernel[0] * s.p.kh * s.p.kw


cdef inline void depthwise_volume_init(depthwise_t *s, int threads) noexcept nogil:
    """s.v and s.p are set: p of one image, with strides of the volume's slices."""
    cdef problem_t *p = &s.p
    cdef int64_t slices = s.v.a.outputs[0]
    cdef int64_t enough = 4 * threads
    s.threads = threads
    if p.layout == PYCONV_NHWC:
        s.block = max(16, min(256, 16384 // (_taps(s) * <int64_t>p.itemsize) // 16 * 16))
        s.whole = p.oc
        if p.oc > p.ops.lanes and _taps(s) <= CHAIN:      # longer sums are added to y in parts, which can be done but once
            s.whole = p.oc // p.ops.lanes * p.ops.lanes
        s.blocks = ceil_div(s.whole, s.block)
        s.strips = max(1, min(p.oh, max(p.oh * p.ow * s.block // 65536,
                                        ceil_div(enough, max(s.v.a.n, 1) * slices * s.blocks))))
        s.parts = slices
        return
    s.ring = (s.v.a.kernel[0] - 1) * s.v.a.dilation[0] + 1
    s.pieces = cut_plane(p, s.v.a.kernel[0])
    s.block, s.blocks = 1, p.ic
    s.parts = 1
    if threads > 1:
        s.parts = max(1, min(slices // (2 * s.ring), ceil_div(enough, max(s.v.a.n, 1) * p.ic * s.pieces.down * s.pieces.across)))


cdef inline size_t _band_bytes(const depthwise_t *s) noexcept nogil:
    """With its slack."""
    return aligned(times(<size_t>(s.pieces.plane + BAND_SLACK), s.p.itemsize))


cdef inline size_t depthwise_volume_workspace(const depthwise_t *s) noexcept nogil:
    """A ring of bands per thread."""
    if s.p.layout == PYCONV_NHWC:
        return 0
    return times(times(<size_t>s.ring, _band_bytes(s)), s.threads)


cdef inline int64_t depthwise_volume_packed(const depthwise_t *s) noexcept nogil:
    """Elements of packed weights, NDHWC."""
    return (s.whole + (s.p.ops.lanes if s.whole < s.p.oc else 0)) * _taps(s)


cdef inline void _pack_block(const depthwise_t *s, const real *weight, int64_t first, int64_t channels, real *to) noexcept nogil:
    cdef int64_t taps = _taps(s)
    cdef int64_t tap, c
    for c in range(channels):
        for tap in range(taps):
            to[tap * channels + c] = weight[(first + c) * taps + tap]


cdef inline void _pack(const depthwise_t *s, const real *weight, real *packed) noexcept nogil:
    cdef int64_t block
    for block in range(s.blocks):
        _pack_block(s, weight, block * s.block, min(s.block, s.whole - block * s.block), packed + block * s.block * _taps(s))
    if s.whole < s.p.oc:
        _pack_block(s, weight, s.p.oc - s.p.ops.lanes, s.p.ops.lanes, packed + s.whole * _taps(s))


cdef inline void depthwise_volume_pack(const depthwise_t *s, const void *weight, void *packed) noexcept nogil:
    """From weight[oc][t][kh][kw], NDHWC."""
    if s.p.dtype == PYCONV_F32:
        _pack(s, <const float *>weight, <float *>packed)
    else:
        _pack(s, <const double *>weight, <double *>packed)


cdef inline void _nothing(const problem_t *p, int64_t rows, int64_t cols, real *y, int64_t pitch, const epilogue_t *e,
                          int64_t further) noexcept nogil:
    """The tail of sums without a term: rows of y, whose residual begins `further` on."""
    cdef epilogue_t tail = e[0]
    cdef int64_t r
    if tail.residual != NULL:
        tail.residual = <const char *>tail.residual + further * <int64_t>p.itemsize
    for r in range(rows):
        memset(y + r * pitch, 0, cols * sizeof(real))
    p.ops.epilogue_rows(rows, cols, y, pitch, pitch, &tail)


cdef inline void _channels(const task_t *t, const depthwise_t *s, int64_t n, int64_t d, int64_t row, int64_t rows, int64_t c,
                           int64_t channels, const real *weight, real *y) noexcept nogil:
    """NDHWC: channels c to c + channels of some rows of a slice; weight[taps][channels]."""
    cdef const problem_t *p = t.p
    cdef const volume_t *v = &s.v
    cdef int64_t start = d * v.a.stride[0] - v.a.before[0]
    cdef int64_t at = n * v.yn + d * v.ys[0] + row * p.yh + c
    cdef epilogue_t e = tail_of(t, tail_flags(t, False), c, at)
    cdef patches_t shape = patches_of(p)
    cdef int64_t first, last, i
    reach(v.a.kernel[0], v.a.size[0], v.a.dilation[0], start, &first, &last)
    shape.c, shape.xs_c = last - first, v.a.dilation[0] * v.xs[0]
    if first == last:
        for i in range(rows):
            _nothing(p, p.ow, channels, y + at + i * p.yh, p.yw, &e, i * p.yh)
        return
    p.ops.depthwise_nhwc(&shape, row, rows, channels,
                         <const real *>t.x + n * v.xn + (start + first * v.a.dilation[0]) * v.xs[0] + c,
                         weight + first * p.kh * p.kw * channels, channels, y + at, p.yh, p.yw, &e)


cdef inline void _strip(const task_t *t, const depthwise_t *s, int64_t number, real *y) noexcept nogil:
    """NDHWC. Task number -> volume, slice of the result, block of channels, strip."""
    cdef const problem_t *p = t.p
    cdef int64_t strip = number % s.strips
    cdef int64_t block = number // s.strips % s.blocks
    cdef int64_t d = number // (s.strips * s.blocks) % s.v.a.outputs[0]
    cdef int64_t n = number // (s.strips * s.blocks * s.v.a.outputs[0])
    cdef int64_t row = split_start(p.oh, s.strips, strip)
    cdef int64_t rows = split_start(p.oh, s.strips, strip + 1) - row
    cdef int64_t c = block * s.block
    cdef const real *weight = <const real *>t.weight
    _channels(t, s, n, d, row, rows, c, min(s.block, s.whole - c), weight + c * _taps(s), y)
    if block + 1 == s.blocks and s.whole < p.oc:
        _channels(t, s, n, d, row, rows, p.oc - p.ops.lanes, p.ops.lanes, weight + s.whole * _taps(s), y)


cdef inline void _bands(const task_t *t, const depthwise_t *s, int64_t number, real *bands) noexcept nogil:
    """NCDHW. Task number -> volume, channel, piece of its planes, part of the slices of the result."""
    cdef const problem_t *p = t.p
    cdef const volume_t *v = &s.v
    cdef int64_t pieces = s.pieces.down * s.pieces.across
    cdef int64_t part = number % s.parts
    cdef int64_t c = number // (s.parts * pieces) % p.ic
    cdef int64_t n = number // (s.parts * pieces * p.ic)
    cdef int64_t row, col, d, first, last, tap, slice, start, at
    cdef int64_t filled = 0   # slices that have been in the ring
    cdef band_t b = piece(p, &s.pieces, number // s.parts % pieces, &row, &col)
    cdef const real *x = <const real *>t.x + n * v.xn + c * v.xc
    cdef const real *w = <const real *>t.weight + c * _taps(s)
    cdef int64_t pitch = <int64_t>(_band_bytes(s) // sizeof(real))
    cdef int flags = tail_flags(t, True)
    cdef real *band
    cdef epilogue_t e
    for d in range(split_start(v.a.outputs[0], s.parts, part), split_start(v.a.outputs[0], s.parts, part + 1)):
        start = d * v.a.stride[0] - v.a.before[0]
        at = n * v.yn + c * v.yc + d * v.ys[0] + row * p.yh + col
        reach(v.a.kernel[0], v.a.size[0], v.a.dilation[0], start, &first, &last)
        if first == last:
            e = tail_of(t, flags, c, at)
            for slice in range(b.rows):
                _nothing(p, 1, b.cols, <real *>t.y + at + slice * p.yh, b.cols, &e, slice * p.yh)
            continue
        for tap in range(first, last):
            slice = start + tap * v.a.dilation[0]
            band = bands + slice % s.ring * pitch
            if slice >= filled:
                split_planes(p, &b, 1, x + slice * v.xs[0], row, col, band, s.pieces.plane)
                clear_slack(&b, band)
                if v.a.dilation[0] == 1:
                    filled = slice + 1
            e = tail_of(t, flags, c, at)
            if tap > first:
                e.flags = (flags & CLAMP) | RESIDUAL
                e.residual = <const real *>t.y + at
            if tap + 1 < last:
                e.flags &= ~CLAMP
            p.ops.depthwise(&b, 1, band, 0, w + tap * p.kh * p.kw, <real *>t.y + at, v.yc, &e)


cdef inline void _step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const depthwise_t *s = <const depthwise_t *>cut
    if t.p.layout == PYCONV_NHWC:
        if t.p.dtype == PYCONV_F32:
            _strip(t, s, number, <float *>t.y)
        else:
            _strip(t, s, number, <double *>t.y)
    elif t.p.dtype == PYCONV_F32:
        _bands(t, s, number, <float *>buffer)
    else:
        _bands(t, s, number, <double *>buffer)


cdef inline int depthwise_volume_run(task_t *t, const depthwise_t *s) noexcept nogil:
    """Products are counted as twice as dear as those of other kernels, to ask often enough."""
    cdef const problem_t *p = t.p
    cdef int64_t count = s.v.a.n
    if p.layout == PYCONV_NHWC:
        count *= s.v.a.outputs[0] * s.blocks * s.strips
    else:
        count *= p.ic * s.pieces.down * s.pieces.across * s.parts
    if count == 0:
        return PYCONV_STATUS_OK
    return run_tasks(t, _step, s, count, 4.0 * s.v.a.n * s.v.yn * _taps(s) / count + 1,
                     0 if p.layout == PYCONV_NHWC else <size_t>s.ring * _band_bytes(s))
