# SPDX-License-Identifier: BSD-3-Clause
"""
Tiles of the fft algorithm: the way from pixels to spectra and back.

A tile of 2M reals x[n], of M = fh*fw points along a line or of M = fh down each column, becomes z[n] = x[n] + i x[n+M], the
polynomial x modulo t^M - i: a ring in which t^2M = -1, and whose product is a convolution that changes sign where it wraps
around. The M roots of t^M = i are e^(pi i/2M) e^(-2 pi i k/M), so points turned by e^(pi i n/2M) and transformed are its
spectrum, and no half of a complex transform goes to waste on a real image.

Along a line, n = fw*r + q and k = j + fh*l: transforms of fh points down, each point (j, q) turned by e^(-2 pi i q (4j-1)/4M),
transforms of fw points across. Frequencies stay in the order in which this leaves them.

Errors: fft_bound() of algorithms/fft.pxd states what no input exceeds, against |x| |w|, norms of both. Roots and turns
are float64, rounded once.
"""

from libc.math cimport M_PI, cos, sin
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from pyconv.core.types cimport *
from pyconv.engines.fft.cut cimport GAP, tiles_t
from pyconv.core.kernels cimport (
    FFT_FROM_ROWS, FFT_LANES_IN, FFT_LANES_OUT, FFT_POINTS_IN, FFT_POINTS_OUT, FFT_TO_ROWS, ceil_div, split_start)
from pyconv.core.rows cimport reach
from pyconv.core.tail cimport finish_rows, finished, has_tail


cdef inline void _root(int64_t k, int64_t n, double *to) noexcept nogil:
    """e^(-2 pi i k/n), from an angle within an eighth of a turn, which rounds least."""
    cdef int64_t quarter
    cdef double angle
    cdef double[4] of
    k = (k % n + n) % n
    quarter = (4 * k + n // 2) // n
    angle = M_PI / 2 * (4 * k - quarter * n) / n
    of[0], of[1], of[2], of[3] = cos(angle), -sin(angle), -cos(angle), sin(angle)
    to[0] = of[quarter % 4]
    to[1] = of[(quarter + 1) % 4]


cdef inline void _fill_roots(int64_t n, real *w) noexcept nogil:
    """w[n][2] = e^(-2 pi i k/n)"""
    cdef int64_t k
    cdef double[2] z
    for k in range(n):
        _root(k, n, z)
        w[2 * k] = <real>z[0]
        w[2 * k + 1] = <real>z[1]


cdef inline void _fill_steps(int64_t fh, int64_t points, int64_t q, real *w) noexcept nogil:
    """
    w[fh][2] = e^(-2 pi i q (4j-1)/4M), in float64 the product of a root for each 32 of j and one for the rest, rounded once.
    """
    cdef int64_t j
    cdef double[2] base
    cdef double[32][2] rest
    for j in range(32):
        _root(q * j, points, rest[j])
    for j in range(fh):
        if j % 32 == 0:
            _root(q * (4 * j - 1), 4 * points, base)
        w[2 * j] = <real>(base[0] * rest[j % 32][0] - base[1] * rest[j % 32][1])
        w[2 * j + 1] = <real>(base[0] * rest[j % 32][1] + base[1] * rest[j % 32][0])


cdef inline double load_scale(const tiles_t *s) noexcept nogil:
    """
    The power of two from a half to one of 1 / (fh*fw): of pixels, so that no sum of them overflows; spectra of weights have
    what is left of that factor.
    """
    cdef double scale = 1
    while scale * s.fh * s.fw > 1:
        scale /= 2
    return scale


cdef inline void fill_tables(const problem_t *p, const tiles_t *s, real *to) noexcept nogil:
    """
    Roots [fh][2], [fw][2]; turns [fh][2] of an image's points, times load_scale, and of others; lanes as fft.tmpl.h reads them
    along a line, [fh][2][V], [fw/V][fh][2].
    """
    cdef int64_t v = p.ops.lanes
    cdef int64_t j, l
    cdef double[2] z
    cdef double scale = load_scale(s)
    _fill_roots(s.fh, to)
    _fill_roots(s.fw, to + 2 * s.fh)
    to += 2 * (s.fh + s.fw)
    for j in range(s.fh):
        _root(-j, 4 * s.fh, z)
        to[2 * j] = <real>(scale * z[0])
        to[2 * j + 1] = <real>(scale * z[1])
        to[2 * (s.fh + j)] = <real>z[0]
        to[2 * (s.fh + j) + 1] = <real>z[1]
    if not s.linear:
        return
    to += 4 * s.fh
    for j in range(s.fh):
        for l in range(v):
            _root(l * (4 * j - 1), 4 * s.fh * s.fw, z)
            to[2 * v * j + l] = <real>z[0]
            to[2 * v * j + v + l] = <real>z[1]
    to += 2 * v * s.fh
    for l in range(s.fw // v):
        _fill_steps(s.fh, s.fh * s.fw, v * l, to)
        to += 2 * s.fh


cdef inline void transform(const problem_t *p, int flags, int64_t n, int64_t block, int64_t blocks, const real *re,
                           const real *im, int64_t from_s, int64_t from_b, real *to_re, real *to_im, int64_t to_s, int64_t to_b,
                           const real *w, const real *turns, const real *by_lane, real *scratch) noexcept nogil:
    p.ops.fft(flags, n, block, blocks, re, im, from_s, from_b, to_re, to_im, to_s, to_b, w, turns, by_lane, scratch)


cdef enum way_t:
    PIXELS                    # of an image, times load_scale
    TAPS                      # of a kernel
    BACK                      # of the inverse


cdef inline void transform_down(const problem_t *p, const tiles_t *s, const real *tables, way_t way, int64_t block,
                                int64_t blocks, const real *re, const real *im, int64_t pitch, real *to_re, real *to_im,
                                int64_t to_pitch, real *scratch) noexcept nogil:
    """Columns of some blocks of V, turned on their ways in and out."""
    cdef int64_t v = p.ops.lanes
    cdef int flags = FFT_POINTS_OUT if way == BACK else FFT_POINTS_IN
    cdef const real *turns = tables + 2 * (s.fh + s.fw)
    cdef const real *by_lane = NULL
    if s.linear:
        by_lane = turns + 4 * s.fh
        flags |= FFT_LANES_IN if way == BACK else FFT_LANES_OUT
    if way != PIXELS:
        turns += 2 * s.fh
    transform(p, flags, s.fh, block, blocks, re, im, pitch, v, to_re, to_im, to_pitch, v, tables, turns, by_lane, scratch)


cdef inline void to_spectrum(const problem_t *p, const tiles_t *s, const real *tables, real *tile, way_t way,
                             real *spectrum, int64_t step, real *scratch) noexcept nogil:
    """
    From a complex tile to spectrum[fh/V][fw][2][V], blocks `step` apart: of lanes V down, of points across.

    Of TAPS the spectrum's conjugate, from a tile's.
    """
    cdef int64_t v = p.ops.lanes
    cdef int64_t pitch = s.fw + GAP
    cdef real *re = tile
    cdef real *im = tile + s.fh * pitch
    cdef real *to_re = spectrum
    cdef real *to_im = spectrum + v
    if way == TAPS:
        re, im = im, re
        to_re, to_im = to_im, to_re
    transform_down(p, s, tables, way, 0, s.fw // v, re, im, pitch, re, im, pitch, scratch)
    transform(p, FFT_FROM_ROWS, s.fw, 0, s.fh // v, re, im, pitch, v * pitch, to_re, to_im, step, s.fw * step,
              tables + 2 * s.fh, <const real *>NULL, <const real *>NULL, scratch)


cdef inline void from_spectrum(const problem_t *p, const tiles_t *s, const real *tables, real *tile,
                               const real *spectrum, int64_t step, real *scratch) noexcept nogil:
    """The inverse of to_spectrum, times fh*fw."""
    cdef int64_t v = p.ops.lanes
    cdef int64_t pitch = s.fw + GAP
    cdef real *re = tile
    cdef real *im = tile + s.fh * pitch
    transform(p, FFT_TO_ROWS, s.fw, 0, s.fh // v, spectrum + v, spectrum, step, s.fw * step, im, re, pitch, v * pitch,
              tables + 2 * s.fh, <const real *>NULL, <const real *>NULL, scratch)
    transform_down(p, s, tables, BACK, 0, s.fw // v, im, re, pitch, im, re, pitch, scratch)


cdef inline void load_kernel(const problem_t *p, const tiles_t *s, const real *w, real *tile) noexcept nogil:
    """The conjugate of a tile of the taps w[kh][kw], times what the inverse transform lacks."""
    cdef int64_t pitch = s.fw + GAP
    cdef real scale = <real>(1.0 / (load_scale(s) * s.fh * s.fw))
    cdef int64_t i, j, row, at
    memset(tile, 0, 2 * s.fh * pitch * sizeof(real))
    for i in range(p.kh):
        for j in range(p.kw):
            if s.linear:
                at = i * p.dh + j * p.dw
                row = at // s.fw
                at = at % s.fw
            else:
                row = i * p.dh
                at = j * p.dw
            if row < s.fh:
                tile[row * pitch + at] = w[i * p.kw + j] * scale
            else:
                tile[row * pitch + at] = -w[i * p.kw + j] * scale


cdef inline void _load_row(const tiles_t *s, const real *x, int64_t h, int64_t w0, int64_t cols, real *to) noexcept nogil:
    """Pixels w0 <= w < w0 + cols of row h of a channel, zeros outside the image."""
    cdef int64_t first = 0
    cdef int64_t last = 0
    cdef int64_t q
    if 0 <= h < s.ih:
        reach(cols, s.iw, 1, w0, &first, &last)
    x += h * s.xh + w0 * s.xw
    if s.xw == 1 and last - first == cols:
        memcpy(to, x, cols * sizeof(real))
        return
    memset(to, 0, first * sizeof(real))
    memset(to + last, 0, (cols - last) * sizeof(real))
    if s.xw == 1 and last > first:
        memcpy(to + first, x + first, (last - first) * sizeof(real))
        return
    for q in range(first, last):
        to[q] = x[q * s.xw]


cdef inline void load_columns(const tiles_t *s, const real *x, int64_t tile, int64_t column, int64_t cols, real *re, real *im,
                              int64_t pitch) noexcept nogil:
    """`cols` columns of the complex tile of the pixels under one tile of a channel."""
    cdef int64_t r
    cdef int64_t h = tile // s.across
    cdef int64_t w = split_start(s.ow, s.across, tile % s.across) - s.pw + column
    if s.linear:
        h = h * s.sh - s.ph
        for r in range(s.fh):
            _load_row(s, x, h, w + r * s.fw, cols, re + r * pitch)
            _load_row(s, x, h, w + (s.fh + r) * s.fw, cols, im + r * pitch)
        return
    h = split_start(s.oh, s.down, h) - s.ph
    for r in range(s.fh):
        _load_row(s, x, h + r, w, cols, re + r * pitch)
        _load_row(s, x, h + s.fh + r, w, cols, im + r * pitch)


# Of `count` neighbouring outputs at stride 1 those that are kept: how many there are, and how many stand before the first.
ctypedef struct kept_t:
    int64_t count, skipped


cdef inline kept_t _kept(int64_t first, int64_t last, int64_t stride) noexcept nogil:
    """Of first <= q < last."""
    cdef kept_t k
    if stride == 1 or last <= first:
        return kept_t(max(last - first, 0), 0)
    k.skipped = (stride - first % stride) % stride
    k.count = ceil_div(max(last - first - k.skipped, 0), stride)
    return k


cdef inline void _store_row(const task_t *t, const tiles_t *s, int64_t o, int64_t at, int64_t count,
                            const real *src) noexcept nogil:
    """y[at], y[at + yw], ... of filter o from src[0], src[sw], ..., finished."""
    cdef const problem_t *p = t.p
    cdef const real *bias = <const real *>t.bias + o if t.bias != NULL else NULL
    cdef const real *residual = <const real *>t.residual if t.residual != NULL else NULL
    cdef real *y = <real *>t.y
    cdef int64_t q
    cdef real v
    if s.yw == 1 and s.sw == 1:
        memcpy(y + at, src, count * sizeof(real))
        if has_tail(t):
            finish_rows(t, at, 1, count, o, True)
        return
    for q in range(count):
        v = src[q * s.sw]
        if bias != NULL:
            v += bias[0]
        if residual != NULL:
            v += residual[at]
        y[at] = finished[real](v, <real>p.lo, <real>p.hi)
        at += s.yw


cdef inline void _store_line(const task_t *t, const tiles_t *s, int64_t o, int64_t at, int64_t first, int64_t end, int64_t cols,
                             const real *re, const real *im, int64_t pitch) noexcept nogil:
    """Outputs from `first` on of a row that begins at y[at], `cols` of them in each row of the tile, fw apart."""
    cdef int64_t r
    cdef kept_t kept
    cdef const real *src
    for r in range(2 * s.fh):
        if first >= end:
            break
        src = re + r * pitch if r < s.fh else im + (r - s.fh) * pitch
        kept = _kept(first, min(end, first + cols), s.sw)
        _store_row(t, s, o, at + (first + kept.skipped) // s.sw * s.yw, kept.count, src + kept.skipped)
        first += s.fw


cdef inline void store_columns(const task_t *t, const tiles_t *s, int64_t tile, int64_t o, int64_t at, int64_t column,
                               int64_t cols, const real *re, const real *im, int64_t pitch) noexcept nogil:
    """The outputs of so many columns of one tile of filter o, finished; `at` is the filter's first output of the image in y."""
    cdef int64_t row = tile // s.across
    cdef int64_t first = split_start(s.ow, s.across, tile % s.across) + column
    cdef int64_t end = split_start(s.ow, s.across, tile % s.across + 1)
    cdef int64_t r, rows
    cdef kept_t kept
    if s.linear:
        _store_line(t, s, o, at + row * s.yh, first, end, cols, re, im, pitch)
        return
    rows = split_start(s.oh, s.down, row + 1)
    row = split_start(s.oh, s.down, row)
    rows -= row
    kept = _kept(first, min(end, first + cols), s.sw)
    at += (first + kept.skipped) // s.sw * s.yw
    re += kept.skipped
    im += kept.skipped
    r = _kept(row, row + rows, s.sh).skipped
    at += (row + r) // s.sh * s.yh
    while r < rows:
        _store_row(t, s, o, at, kept.count, re + r * pitch if r < s.fh else im + (r - s.fh) * pitch)
        at += s.yh
        r += s.sh
