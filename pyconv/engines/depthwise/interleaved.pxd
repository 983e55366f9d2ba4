# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise in NHWC with few channels: a row is one run of iw C reals, and tap j of its real q C + c is real
(q sw + j dw - pw) C + c of a row of the image, so that vectors run along rows and not over channels.

  packed[phases][kh][kw][V] = weight[c][kh][kw] where lane l of phase f is of channel c = (f V + l) % C

Most outputs read the image where it stands; near its border, or where sw > 1, it is copied into zero-padded
bands (include/pyconv/band.h). One channel is a plane.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.core.forms cimport add_form
from pyconv.core.kernels cimport BAND_SLACK, PHASES, band_relate, band_rows, band_t, ceil_div, common, epilogue_t, split_start
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.core.tasks cimport run_tasks
from pyconv.engines.depthwise.interleaved_cut cimport (
    TILE, cut_strips, interleaved_cycles, interleaved_pitch, splits_rows, strips_of, strips_t)
from pyconv.engines.depthwise.nhwc cimport pixels_cycles
from pyconv.engines.depthwise.planes cimport passing_seconds

cdef enum:
    LARGEST = 1 << 20         # bytes of a band


cdef inline bint interleaved_serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    """Where that is faster than vectors over channels."""
    cdef strips_t s
    if p.layout != PYCONV_NHWC or p.ocg != 1 or p.ic // common(p.ic, p.ops.lanes) > PHASES:
        return False
    s = cut_strips(p, threads)
    (<strips_t *>room(cut, sizeof(strips_t)))[0] = s
    return s.bytes <= LARGEST and interleaved_cycles(p, &s) < pixels_cycles(p)


cdef inline size_t interleaved_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """A band per thread."""
    return times((<const strips_t *>cut).bytes, threads)


cdef inline size_t interleaved_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    if p.ic == 1:             # a plane: the weights are read as they are
        return 0
    return times(times(<size_t>((<const strips_t *>cut).phases * p.k), <size_t>p.ops.lanes), p.itemsize)


cdef inline void _pack(const problem_t *p, const strips_t *s, const real *weight, real *packed) noexcept nogil:
    cdef int64_t lanes = p.ops.lanes
    cdef int64_t phase, tap, lane
    for phase in range(s.phases):
        for tap in range(p.k):
            for lane in range(lanes):
                packed[(phase * p.k + tap) * lanes + lane] = weight[(phase * lanes + lane) % p.ic * p.k + tap]


cdef inline void interleaved_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        _pack(p, <const strips_t *>cut, <const float *>weight, <float *>packed)
    else:
        _pack(p, <const strips_t *>cut, <const double *>weight, <double *>packed)


cdef inline double interleaved_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return passing_seconds(p, p.n * interleaved_cycles(p, <const strips_t *>cut), threads)


cdef inline void _outputs(const task_t *t, const strips_t *s, const band_t *b, const real *src, int64_t image, int64_t row,
                          int64_t col) noexcept nogil:
    """b.rows x b.cols of them, whose first tap is at src."""
    cdef const problem_t *p = t.p
    cdef int64_t at = image * p.yn + row * p.yh + col
    cdef epilogue_t e = tail_of(t, tail_flags(t, p.ic == 1), 0, at)
    if p.ic == 1:
        p.ops.depthwise(b, 1, src, 0, t.weight, <real *>t.y + at, 0, &e)
    else:
        p.ops.depthwise_interleaved(b, p.ic, col // p.ops.lanes % s.phases, src, t.weight, <real *>t.y + at, &e)


cdef inline void _where_it_stands(const task_t *t, const strips_t *s, band_t *b, int64_t image, int64_t row, int64_t col,
                                  int64_t end, const real *x) noexcept nogil:
    """x is the batch."""
    cdef const problem_t *p = t.p
    x = x + image * p.xn + (row * p.sh - p.ph0) * p.xh - p.pw0 * p.ic
    b.pitch = p.xh
    while col < end:
        b.cols = min(s.run, end - col)
        _outputs(t, s, b, x + col, image, row, col)
        col += b.cols


cdef inline void _through_bands(const task_t *t, const strips_t *s, band_t *b, int64_t image, int64_t row, int64_t col,
                                int64_t end, real *band) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t rows = band_rows(b.rows, p.kh, p.sh, p.dh)
    cdef const real *x = <const real *>t.x + image * p.xn
    while col < end:
        b.cols = min(s.wide, end - col)
        b.pitch = interleaved_pitch(p, b.cols)
        if splits_rows(p):
            p.ops.split(1, x, 0, p.xh, p.ih, p.iw * p.ic, row * p.sh - p.ph0, rows, col * p.sw - p.pw0 * p.ic, p.sw, b.pitch,
                        band, 0)
        else:
            p.ops.split_pixels(p.ic, x, p.xh, p.ih, p.iw, row * p.sh - p.ph0, rows, col // p.ic * p.sw - p.pw0, p.sw, b.pitch,
                               band)
        memset(band + rows * p.sw * b.pitch, 0, BAND_SLACK * sizeof(real))
        _outputs(t, s, b, band, image, row, col)
        col += b.cols


cdef inline void _strip(const task_t *t, const strips_t *s, int64_t number, real *band) noexcept nogil:
    """Task number -> image, strip."""
    cdef const problem_t *p = t.p
    cdef int64_t image = number // strips_of(p, s)
    cdef int64_t strip = number % strips_of(p, s) - (s.top > 0)
    cdef int64_t tiles = ceil_div(s.bottom - s.top, TILE)
    cdef int64_t row = s.top + TILE * split_start(tiles, s.inner, strip)
    cdef int64_t end = min(s.bottom, s.top + TILE * split_start(tiles, s.inner, strip + 1))
    cdef int64_t left = s.left
    cdef int64_t right = s.right
    cdef band_t b
    if strip < 0:
        row, end, left, right = 0, s.top, 0, 0
    elif strip == s.inner:
        row, end, left, right = s.bottom, p.oh, 0, 0
    b.rows = end - row
    b.kh, b.kw, b.sh, b.sw, b.dh, b.dw = p.kh, p.kw, p.sh, p.sw, p.dh, p.dw
    b.ys_h = p.yh
    band_relate(&b)
    _through_bands(t, s, &b, image, row, 0, left, band)
    _where_it_stands(t, s, &b, image, row, left, right, <const real *>t.x)
    _through_bands(t, s, &b, image, row, right, p.ow * p.ic, band)


cdef inline void _strip_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _strip(t, <const strips_t *>cut, number, <float *>buffer)
    else:
        _strip(t, <const strips_t *>cut, number, <double *>buffer)


cdef inline int interleaved_run(task_t *t) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef const strips_t *s = <const strips_t *>t.cut
    cdef int64_t count = p.n * strips_of(p, s)
    return run_tasks(t, _strip_step, s, count, 2.0 * p.n * p.yn * p.k / count, s.bytes)


cdef inline void add_interleaved_form(algorithm_t *a) except *:
    cdef form_t *f = add_form(a, interleaved_seconds, interleaved_run)
    f.strided = True
    f.serves = interleaved_serves
    f.workspace = interleaved_workspace
    f.packed, f.pack = interleaved_packed, interleaved_pack
