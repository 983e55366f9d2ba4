# SPDX-License-Identifier: BSD-3-Clause
"""Tiles of the fft algorithm: their size, the way from pixels to spectra and back."""

from libc.math cimport M_PI, cos, sin
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from pyconv._types cimport *
from pyconv._rates cimport stream_seconds
from pyconv._simd cimport FFT_FROM_ROWS, FFT_TO_ROWS, cache_bytes, ceil_div, fft_radix, split_start
from pyconv._rows cimport reach
from pyconv._tail cimport finish_rows, finished, has_tail

cdef enum:
    SIZES = 12
    LARGEST = 512             # points of a transform
    GAP = 16                  # elements between rows: no power of two from one to the next, which share cache sets
    FILTERS = 8               # whose products exist at once
    TOGETHER = 4              # pairs of tiles that share a load of the kernel's spectrum

# Two tiles of an image are the real and the imaginary part of one: a convolution with real weights keeps them apart.
ctypedef struct tiles_t:
    int64_t fh, fw            # points of the transforms down and across: pixels of a tile
    int64_t down, across      # tiles of an image
    int64_t pairs             # of tiles of an image
    int64_t together          # pairs in a job
    double cycles             # of one group and image


cdef inline int64_t lanes(const problem_t *p) noexcept nogil:
    return p.kernels.f32.lanes if p.itemsize == 4 else p.kernels.f64.lanes


cdef inline int64_t _size(int i, double *cost) noexcept nogil:
    """The i-th size of a transform, and the cycles of each of its points: 0.6 a pass, more where L1 is too small."""
    cdef int[SIZES] sizes = [16, 32, 48, 64, 96, 128, 144, 192, 256, 288, 384, 512]
    cdef double[SIZES] cycles = [1.0, 1.2, 1.7, 1.2, 1.9, 2.3, 2.8, 2.4, 2.5, 3.2, 3.4, 3.0]
    cost[0] = cycles[i]
    return sizes[i]


cdef inline int64_t kernel_reach(int64_t k, int64_t dilation) noexcept nogil:
    return (k - 1) * dilation + 1


cdef inline double _cycles(const problem_t *p, int64_t points, int64_t pairs, double transform) noexcept nogil:
    """
    Of one group and image: transforms and moves, products, and the kernel's spectra where they leave the second level of cache.

    Measured at 16 lanes, two multiply-adds a cycle, on a Sapphire-Rapids-class core.
    """
    cdef double slower = 16.0 / lanes(p) * 2 / p.rates.fma
    cdef double products = <double>p.icg * p.ocg
    cdef double bytes = 2 * points * products * p.itemsize
    cdef double streaming = 0 if bytes < cache_bytes(2) // 2 else stream_seconds(&p.rates, bytes) * p.rates.clock
    return (pairs * points * ((p.icg + p.ocg) * (transform + 1.5) + products / 4) * slower
            + ceil_div(pairs, TOGETHER) * streaming)


cdef inline tiles_t cut_tiles(const problem_t *p, int threads) noexcept nogil:
    """The sizes that cost least: larger tiles waste less on the kernel's reach, and more on the image's border."""
    cdef tiles_t t
    cdef int64_t rh = kernel_reach(p.kh, p.dh)
    cdef int64_t rw = kernel_reach(p.kw, p.dw)
    cdef int64_t fh, fw, down, across
    cdef double high, wide, cycles
    cdef int i, j
    t.fh = t.fw = LARGEST
    t.down = t.across = t.pairs = 1
    t.cycles = -1
    for i in range(SIZES):
        fh = _size(i, &high)
        if fh < rh:
            continue
        down = ceil_div(p.oh, fh - rh + 1)
        for j in range(SIZES):
            fw = _size(j, &wide)
            if fw < rw:
                continue
            across = ceil_div(p.ow, fw - rw + 1)
            cycles = _cycles(p, fh * fw, ceil_div(down * across, 2), high + wide)
            if t.cycles < 0 or cycles < t.cycles:
                t.fh, t.fw, t.down, t.across, t.cycles = fh, fw, down, across, cycles
            if across == 1:
                break
        if down == 1:
            break
    t.pairs = ceil_div(t.down * t.across, 2)
    t.together = 1 if p.icg * p.ocg < 16 else max(1, min(TOGETHER, p.n * p.g * t.pairs // threads))
    t.together = min(t.together, t.pairs)
    return t


cdef inline double transform_multiplications(int64_t n) noexcept nogil:
    """Real ones in the passes of fft.tmpl.h: 4 for a root that is not 1, 4 inside a butterfly of 3 or 8."""
    cdef int64_t l = n
    cdef int64_t radix
    cdef double count = 0
    while l > 1:
        radix = fft_radix(l)
        count += <double>n // radix * (0 if radix == 4 else 4) + <double>(n // radix - n // l) * (radix - 1) * 4
        l //= radix
    return count


cdef inline int64_t scratch_elements(const tiles_t *s) noexcept nogil:
    """A complex tile, then what a transform needs."""
    return 2 * s.fh * (s.fw + GAP) + 6 * max(s.fh, s.fw) * GAP


cdef inline void fill_roots(int64_t n, real *w) noexcept nogil:
    """w[n][2] = e^(-2 pi i k/n), from angles within an eighth of a turn, which round least."""
    cdef int64_t k, quarter
    cdef double angle
    cdef double[4] of
    for k in range(n):
        quarter = (4 * k + n // 2) // n
        angle = M_PI / 2 * (4 * k - quarter * n) / n
        of[0], of[1], of[2], of[3] = cos(angle), -sin(angle), -cos(angle), sin(angle)
        w[2 * k] = <real>of[quarter % 4]
        w[2 * k + 1] = <real>of[(quarter + 1) % 4]


cdef inline void _transform(const problem_t *p, int flags, int64_t n, int64_t blocks, const real *re, const real *im,
                            int64_t from_s, int64_t from_b, real *to_re, real *to_im, int64_t to_s, int64_t to_b,
                            const real *w, real *scratch) noexcept nogil:
    if real is float:
        p.kernels.f32.fft(flags, n, blocks, re, im, from_s, from_b, to_re, to_im, to_s, to_b, w, scratch)
    else:
        p.kernels.f64.fft(flags, n, blocks, re, im, from_s, from_b, to_re, to_im, to_s, to_b, w, scratch)


cdef inline void to_spectrum(const problem_t *p, const tiles_t *s, const real *roots, real *scratch, bint conjugate,
                             real *spectrum, int64_t step) noexcept nogil:
    """
    From the complex tile in scratch to spectrum[fh/V][fw][2][V], blocks `step` apart: of lanes V down, of points across.

    conjugate: with the other sign in the exponent.
    """
    cdef int64_t v = lanes(p)
    cdef int64_t pitch = s.fw + GAP
    cdef real *re = scratch
    cdef real *im = scratch + s.fh * pitch
    cdef real *to_re = spectrum
    cdef real *to_im = spectrum + v
    scratch = im + s.fh * pitch
    if conjugate:
        re, im = im, re
        to_re, to_im = to_im, to_re
    _transform(p, 0, s.fh, s.fw // v, re, im, pitch, v, re, im, pitch, v, roots, scratch)
    _transform(p, FFT_FROM_ROWS, s.fw, s.fh // v, re, im, pitch, v * pitch, to_re, to_im, step, s.fw * step,
               roots + 2 * s.fh, scratch)


cdef inline void from_spectrum(const problem_t *p, const tiles_t *s, const real *roots, real *scratch,
                               const real *spectrum, int64_t step) noexcept nogil:
    """The inverse of to_spectrum, times fh*fw."""
    cdef int64_t v = lanes(p)
    cdef int64_t pitch = s.fw + GAP
    cdef real *re = scratch
    cdef real *im = scratch + s.fh * pitch
    scratch = im + s.fh * pitch
    _transform(p, FFT_TO_ROWS, s.fw, s.fh // v, spectrum + v, spectrum, step, s.fw * step, im, re, pitch, v * pitch,
               roots + 2 * s.fh, scratch)
    _transform(p, 0, s.fh, s.fw // v, im, re, pitch, v, im, re, pitch, v, roots, scratch)


cdef inline double load_scale(const tiles_t *s) noexcept nogil:
    """
    The power of two from a half to one of 1 / (fh*fw): of pixels, so that no sum of them overflows; spectra of weights have
    what is left of that factor.
    """
    cdef double scale = 1
    while scale * s.fh * s.fw > 1:
        scale /= 2
    return scale


cdef inline void load_tile(const problem_t *p, const tiles_t *s, const real *x, int64_t tile, real *to) noexcept nogil:
    """
    The pixels under one tile of a channel, times load_scale, zeros outside the image; all zeros for a tile that is not
    there.
    """
    cdef real scale = <real>load_scale(s)
    cdef int64_t r, q, h, w0, first, last
    cdef const real *src
    if tile >= s.down * s.across:
        for r in range(s.fh):
            memset(to + r * (s.fw + GAP), 0, s.fw * sizeof(real))
        return
    w0 = split_start(p.ow, s.across, tile % s.across) - p.pw0
    reach(s.fw, p.iw, 1, w0, &first, &last)
    for r in range(s.fh):
        h = split_start(p.oh, s.down, tile // s.across) - p.ph0 + r
        if not 0 <= h < p.ih:
            memset(to, 0, s.fw * sizeof(real))
        else:
            src = x + h * p.xh + (w0 + first) * p.xw
            memset(to, 0, first * sizeof(real))
            memset(to + last, 0, (s.fw - last) * sizeof(real))
            if p.xw == 1:
                for q in range(last - first):
                    to[first + q] = src[q] * scale
            else:
                for q in range(last - first):
                    to[first + q] = src[q * p.xw] * scale
        to += s.fw + GAP


cdef inline void store_tile(const task_t *t, const tiles_t *s, int64_t tile, int64_t o, int64_t at,
                            const real *src) noexcept nogil:
    """The outputs of one tile of filter o, finished; `at` is the filter's first output of the image in y."""
    cdef const problem_t *p = t.p
    cdef int64_t r, q
    cdef int64_t row = split_start(p.oh, s.down, tile // s.across)
    cdef int64_t col = split_start(p.ow, s.across, tile % s.across)
    cdef int64_t rows = split_start(p.oh, s.down, tile // s.across + 1) - row
    cdef int64_t cols = split_start(p.ow, s.across, tile % s.across + 1) - col
    cdef const real *bias = <const real *>t.bias + o if t.bias != NULL else NULL
    cdef const real *residual
    cdef real *y
    cdef real v
    at += row * p.yh + col * p.yw
    for r in range(rows):
        y = <real *>t.y + at + r * p.yh
        residual = <const real *>t.residual + at + r * p.yh if t.residual != NULL else NULL
        if p.yw == 1:
            memcpy(y, src, cols * sizeof(real))
            if has_tail(t):
                finish_rows(t, at + r * p.yh, 1, cols, bias, True)
        else:
            for q in range(cols):
                v = src[q]
                if bias != NULL:
                    v += bias[0]
                if residual != NULL:
                    v += residual[q * p.yw]
                y[q * p.yw] = finished[real](v, <real>p.lo, <real>p.hi)
        src += s.fw + GAP
