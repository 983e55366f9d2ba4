# SPDX-License-Identifier: BSD-3-Clause
"""
fft: convolution as products of spectra, on overlapping tiles (overlap-save) or the whole image as one (Mathieu, Henaff, LeCun
2014).

Y[o] = sum over c of X[c] conj(W[o][c]) for the discrete Fourier transforms X of a tile, W of a filter padded to its size; of the
inverse transform of Y the first fh - (kh-1)*dh rows and fw - (kw-1)*dw columns are outputs, the rest has wrapped around.

Spectra are blocks of V frequencies, as to_spectrum() leaves them: x [block][icg][pairs][2][V], w [block][filters][icg][2][V] of
at most FILTERS filters, y [block][filters][pairs][2][V]. So the product over channels is a matrix product in each lane.
"""

from libc.math cimport log2
from libc.stdint cimport int64_t
from libc.string cimport memset
from cython.parallel cimport prange, threadid

from pyconv._types cimport *
from pyconv._fft cimport *
from pyconv._poll cimport poll, tasks_between_polls
from pyconv._rates cimport stream_seconds
from pyconv._simd cimport ceil_div, split_start
from pyconv._sizes cimport plus, times


cdef inline const char *fft_supports(const problem_t *p) noexcept nogil:
    if p.sh != 1 or p.sw != 1:
        return "it serves stride 1 only"
    if kernel_reach(p.kh, p.dh) > LARGEST or kernel_reach(p.kw, p.dw) > LARGEST:
        return "the kernel reaches over more than 512 rows or columns"
    return NULL


cdef inline size_t _spectra(const tiles_t *s, int64_t count, size_t itemsize) noexcept nogil:
    """Bytes of so many spectra."""
    return times(times(<size_t>(2 * s.fh * s.fw), <size_t>count), itemsize)


cdef inline size_t _thread_bytes(const problem_t *p, const tiles_t *s) noexcept nogil:
    cdef size_t channels = _spectra(s, s.together * p.icg, p.itemsize)
    cdef size_t products = _spectra(s, s.together * min(p.ocg, FILTERS), p.itemsize)
    return plus(scratch_elements(s) * p.itemsize, plus(channels, products))


cdef inline size_t fft_workspace(const problem_t *p, int threads) noexcept nogil:
    """For each thread a tile on its way, the spectra of icg channels and of at most 8 filters, of 1 to 4 pairs of tiles."""
    cdef tiles_t s
    if fft_supports(p) != NULL:
        return 0
    s = cut_tiles(p, threads)
    return times(_thread_bytes(p, &s), threads)


cdef inline size_t fft_packed(const problem_t *p) noexcept nogil:
    """The roots of unity, oc*icg spectra, and the room to make them in."""
    cdef tiles_t s
    if fft_supports(p) != NULL:
        return 0
    s = cut_tiles(p, 1)
    return plus(_spectra(&s, p.oc * p.icg, p.itemsize), (2 * (s.fh + s.fw) + scratch_elements(&s)) * p.itemsize)


cdef inline void _pack(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    cdef tiles_t s = cut_tiles(p, 1)
    cdef int64_t points = 2 * s.fh * s.fw
    cdef int64_t v = lanes(p)
    cdef real *spectra = packed + 2 * (s.fh + s.fw)
    cdef real *scratch = spectra + p.oc * p.icg * points
    cdef real scale = <real>(1.0 / (load_scale(&s) * s.fh * s.fw))
    cdef int64_t o, c, i, j, first, filters
    fill_roots(s.fh, packed)
    fill_roots(s.fw, packed + 2 * s.fh)
    for o in range(p.oc):
        first = o % p.ocg // FILTERS * FILTERS
        filters = min(FILTERS, p.ocg - first)
        first += o // p.ocg * p.ocg
        for c in range(p.icg):
            memset(scratch, 0, 2 * s.fh * (s.fw + GAP) * sizeof(real))
            for i in range(p.kh):
                for j in range(p.kw):
                    scratch[i * p.dh * (s.fw + GAP) + j * p.dw] = weight[((o * p.icg + c) * p.kh + i) * p.kw + j] * scale
            to_spectrum(p, &s, packed, scratch, True, spectra + first * p.icg * points + ((o - first) * p.icg + c) * 2 * v,
                        filters * p.icg * 2 * v)


cdef inline void fft_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        _pack(p, <const float *>weight, <float *>packed)
    else:
        _pack(p, <const double *>weight, <double *>packed)


cdef inline double fft_multiplications(const problem_t *p) noexcept nogil:
    """Real ones, 4 a complex one: n*pairs*(4*fh*fw*oc*icg + (ic + oc)*(fw transforms of fh points + fh of fw points))."""
    cdef tiles_t s = cut_tiles(p, 1)
    cdef double transforms = s.fw * transform_multiplications(s.fh) + s.fh * transform_multiplications(s.fw)
    return p.n * s.pairs * (4.0 * s.fh * s.fw * p.oc * p.icg + (p.ic + p.oc) * transforms)


cdef inline double fft_traffic(const problem_t *p) noexcept nogil:
    """Tiles overlap; the kernel's spectra pass once for every few pairs of tiles."""
    cdef tiles_t s = cut_tiles(p, 1)
    cdef double tiles = <double>p.n * p.ic * s.down * s.across * s.fh * s.fw * p.itemsize
    cdef double spectra = <double>p.n * ceil_div(s.pairs, s.together) * _spectra(&s, p.oc * p.icg, p.itemsize)
    return tiles + <double>p.n * p.yn * p.itemsize + spectra


cdef inline double fft_seconds(const problem_t *p, int threads) noexcept nogil:
    cdef tiles_t s = cut_tiles(p, threads)
    cdef double bytes = <double>p.n * (p.xn + p.yn) * p.itemsize
    cdef double apart = 1.4 if p.layout == PYCONV_NCHW else 2.2     # of what the transforms alone take; pixels are gathered
    return (apart * s.cycles * p.n * p.g / p.rates.clock + stream_seconds(&p.rates, bytes)) / threads + 1e-6


cdef inline double fft_bound(const problem_t *p) noexcept nogil:
    """
    Of each output, against |x|_2 |w|_2 of an image and a filter, see `_accuracy`.

    Transforms of n points in radices of 3 to 8 take at most 6 log2(n) roundings of complex numbers one after another: a
    butterfly of 3 takes 5 of numbers whose sizes add up to 1.4 times theirs, one of 8 7; a root and its product 3. The
    product over channels takes 2 sums of 2 icg terms. By Cauchy and Schwarz the spectra X and W, and so the n products that
    an inverse transform sums, are below n |x|_2 |w|_2 together; two tiles, which may share pixels, are one transform's.
    """
    cdef tiles_t s = cut_tiles(p, 1)
    cdef double transform = 6 * log2(<double>s.fh * s.fw)
    return 1.4143 * (3 * transform + 2.83 * (p.icg + 1) + 2) + 2


cdef inline void _products(const problem_t *p, int64_t blocks, int64_t filters, int64_t pairs, const real *w, const real *x,
                           real *y) noexcept nogil:
    if real is float:
        p.kernels.f32.fft_multiply(blocks, filters, p.icg, pairs, w, x, y)
    else:
        p.kernels.f64.fft_multiply(blocks, filters, p.icg, pairs, w, x, y)


# A job: some pairs of one image, and some of the blocks of filters of one group.
ctypedef struct job_t:
    int64_t image, g
    int64_t first, pairs
    int64_t block0, block1


cdef inline void _job(const task_t *t, const tiles_t *s, const job_t *job, char *workspace, const real *packed) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t v = lanes(p)
    cdef int64_t points = 2 * s.fh * s.fw
    cdef real *scratch = <real *>workspace
    cdef real *im = scratch + s.fh * (s.fw + GAP)
    cdef real *spectra = scratch + scratch_elements(s)
    cdef real *products = spectra + p.icg * job.pairs * points
    cdef const real *x = <const real *>t.x + job.image * p.xn + job.g * p.icg * p.xc
    cdef int64_t c, i, o, block, filters, tile, at
    for c in range(p.icg):
        for i in range(job.pairs):
            tile = 2 * (job.first + i)
            load_tile(p, s, x + c * p.xc, tile, scratch)
            load_tile(p, s, x + c * p.xc, tile + 1, im)
            to_spectrum(p, s, packed, scratch, False, spectra + (c * job.pairs + i) * 2 * v, p.icg * job.pairs * 2 * v)
    for block in range(job.block0, job.block1):
        filters = min(FILTERS, p.ocg - block * FILTERS)
        o = job.g * p.ocg + block * FILTERS
        _products(p, points // (2 * v), filters, job.pairs, packed + 2 * (s.fh + s.fw) + o * p.icg * points, spectra, products)
        for c in range(filters):
            at = job.image * p.yn + (o + c) * p.yc
            for i in range(job.pairs):
                tile = 2 * (job.first + i)
                from_spectrum(p, s, packed, scratch, products + (c * job.pairs + i) * 2 * v, filters * job.pairs * 2 * v)
                store_tile(t, s, tile, o + c, at, scratch)
                if tile + 1 < s.down * s.across:
                    store_tile(t, s, tile + 1, o + c, at, im)


cdef inline void _numbered_job(const task_t *t, const tiles_t *s, int64_t runs, int64_t parts, int64_t number, char *workspace,
                               const real *packed) noexcept nogil:
    """Job `number` of n * g * runs of pairs * parts of the filters."""
    cdef const problem_t *p = t.p
    cdef int64_t blocks = ceil_div(p.ocg, FILTERS)
    cdef int64_t run = number // parts % runs
    cdef job_t job
    job.g = number // (parts * runs) % p.g
    job.image = number // (parts * runs * p.g)
    job.first = split_start(s.pairs, runs, run)
    job.pairs = split_start(s.pairs, runs, run + 1) - job.first
    job.block0 = split_start(blocks, parts, number % parts)
    job.block1 = split_start(blocks, parts, number % parts + 1)
    _job(t, s, &job, workspace, packed)


cdef inline int _fft(task_t *t, const real *packed) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef tiles_t s = cut_tiles(p, t.slots)
    cdef size_t size = _thread_bytes(p, &s)
    cdef int64_t runs = ceil_div(s.pairs, s.together)
    cdef int64_t jobs = p.n * p.g * runs
    # Parts of the filters transform the same channels anew, so they are for images too small to give every thread a job.
    cdef int64_t parts = 1 if jobs >= t.threads else min(t.threads, ceil_div(p.ocg, FILTERS))
    cdef double flops = 2.0 * p.n * p.yn * p.k / (jobs * parts)
    cdef int64_t chunk = tasks_between_polls(t, flops)
    cdef int64_t first = 0
    cdef int64_t last, i
    jobs *= parts
    while first < jobs:
        last = min(first + chunk, jobs)
        for i in prange(first, last, num_threads=t.threads, schedule="static"):
            _numbered_job(t, &s, runs, parts, i, t.workspace + threadid() * size, packed)
        if poll(t, flops * (last - first)):
            return PYCONV_STATUS_INTERRUPTED
        first = last
    return PYCONV_STATUS_OK


cdef inline int fft_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _fft(t, <const float *>t.weight)
    return _fft(t, <const double *>t.weight)
