# SPDX-License-Identifier: BSD-3-Clause
"""
fft: convolution as products of spectra, on overlapping tiles (overlap-save) or the whole image as one (Mathieu, Henaff, LeCun
2014).

Y[o] = sum over c of X[c] conj(W[o][c]) for the discrete Fourier transforms X of a tile, W of a filter padded to its size; of the
inverse transform of Y the first rows - (kh-1)*dh rows and columns - (kw-1)*dw columns are outputs at stride 1, the rest has
wrapped around.

Spectra are blocks of V frequencies, as to_spectrum() leaves them: x [block][icg][tiles][2][V], w [block][filters][icg][2][V] of
at most FILTERS filters, y [block][filters][tiles][2][V]. So the product over channels is a matrix product in each lane.
"""

from libc.math cimport log2
from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.engines.fft.lines cimport *
from pyconv.engines.fft.cut cimport *
from pyconv.engines.fft.large cimport multiply, run_large
from pyconv.core.forms cimport add_form, begin_row
from pyconv.core.tasks cimport run_tasks
from pyconv.core.rates cimport stream_seconds
from pyconv.core.kernels cimport ceil_div, split_start
from pyconv.core.sizes cimport plus


cdef inline const char *fft_supports(const problem_t *p) noexcept nogil:
    cdef int64_t rh = kernel_reach(p.kh, p.dh)
    cdef int64_t rw = kernel_reach(p.kw, p.dw)
    if (rh > 2 * LARGEST or rw > LARGEST) and not (may_be_linear(p) and max(rh, rw) <= 2 * LARGEST * LARGEST):
        return "the kernel reaches over more than 16384 rows or 8192 columns"
    return NULL


cdef inline bint _serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<tiles_t *>room(cut, sizeof(tiles_t)))[0] = cut_tiles(p, threads)
    return True


cdef inline size_t fft_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """
    For each thread a tile on its way, the spectra of icg channels and of at most 8 filters, of 1 to 4 tiles; where tiles are
    large a tile of each of those, for each thread or for all together, and for each thread a strip of one.
    """
    return workspace_bytes(p, <const tiles_t *>cut, threads)


cdef inline size_t fft_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    """The roots of unity, oc*icg spectra, and the room to make them in."""
    cdef const tiles_t *s = <const tiles_t *>cut
    return plus(spectra_bytes(p, s, p.oc * p.icg),
                <size_t>(table_elements(p, s) + tile_elements(s) + passes_elements(s)) * p.itemsize)


cdef inline void _pack(const problem_t *p, const tiles_t *s, const real *weight, real *packed) noexcept nogil:
    cdef int64_t points = 2 * s.fh * s.fw
    cdef int64_t v = p.ops.lanes
    cdef real *spectra = packed + table_elements(p, s)
    cdef real *tile = spectra + p.oc * p.icg * points
    cdef int64_t o, c, first, filters
    fill_tables(p, s, packed)
    for o in range(p.oc):
        first = o % p.ocg // FILTERS * FILTERS
        filters = min(FILTERS, p.ocg - first)
        first += o // p.ocg * p.ocg
        for c in range(p.icg):
            load_kernel(p, s, weight + (o * p.icg + c) * p.kh * p.kw, tile)
            to_spectrum(p, s, packed, tile, TAPS, spectra + first * p.icg * points + ((o - first) * p.icg + c) * 2 * v,
                        filters * p.icg * 2 * v, tile + tile_elements(s))


cdef inline void fft_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        _pack(p, <const tiles_t *>cut, <const float *>weight, <float *>packed)
    else:
        _pack(p, <const tiles_t *>cut, <const double *>weight, <double *>packed)


cdef inline double fft_multiplications(const problem_t *p, const cut_t *cut) noexcept nogil:
    """
    Real ones, 4 a complex one: n*tiles*(4*fh*fw*oc*icg + (ic + oc)*(fw transforms of fh points + fh of fw points + turns)), where
    each point is turned once, along a line three times.
    """
    cdef const tiles_t *s = <const tiles_t *>cut
    cdef double points = <double>s.fh * s.fw
    cdef double transforms = s.fw * transform_multiplications(s.fh) + s.fh * transform_multiplications(s.fw)
    return (<double>p.n * s.tiles * (4 * points * p.oc * p.icg
                                     + (<double>p.ic + p.oc) * (transforms + (12 if s.linear else 4) * points)))


cdef inline double fft_traffic(const problem_t *p, const cut_t *cut) noexcept nogil:
    """Tiles overlap, large ones are written and read twice more; the kernel's spectra pass once for every few tiles."""
    cdef tiles_t s = shared_out(p, <const tiles_t *>cut, 1)
    cdef double tile = 2.0 * s.fh * s.fw * p.itemsize * p.n * s.tiles
    cdef double spectra = <double>p.n * ceil_div(s.tiles, s.together) * spectra_bytes(p, &s, p.oc * p.icg)
    cdef double shared = 2 * tile * (<double>p.ic + p.oc) if s.large else 0
    return tile * p.ic + <double>p.n * p.yn * p.itemsize + spectra + shared


cdef inline double fft_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef const tiles_t *s = <const tiles_t *>cut
    cdef double bytes = <double>p.n * (p.xn + p.yn) * p.itemsize
    cdef double apart = 1.4 if p.layout == PYCONV_NCHW else 2.2     # of what the transforms alone take; pixels are gathered
    return (apart * s.cycles * p.n * p.g / p.rates.clock + stream_seconds(&p.rates, bytes)) / threads + 1e-6


cdef inline double fft_bound(const problem_t *p, const cut_t *cut) noexcept nogil:
    """
    Of each output, in roundings of |x|_2 |w|_2 of an image and a filter.

    A transform of n points in radices of 3 to 8 takes at most 6 log2(n) roundings of complex numbers one after another: a
    butterfly of 3 takes 5 of numbers whose sizes add up to 1.4 times theirs, one of 5 or 8 7; a root and its product 3, and so
    does each of its turns, one or, along a line, three. The product over channels takes 2 sums of 2 icg terms. By Cauchy and
    Schwarz the spectra X and W, and so the n products that an inverse transform sums, are below n |x|_2 |w|_2 together.
    """
    cdef const tiles_t *s = <const tiles_t *>cut
    cdef double transform = 6 * log2(<double>s.fh * s.fw) + (9 if s.linear else 3)
    return 3 * transform + 2.83 * (p.icg + 1) + 4


# A job: some tiles of one image, and some of the blocks of filters of one group.
ctypedef struct job_t:
    int64_t image, g
    int64_t first, tiles
    int64_t block0, block1


cdef inline void _job(const task_t *t, const tiles_t *s, const job_t *job, char *workspace, const real *packed) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t v = p.ops.lanes
    cdef int64_t points = 2 * s.fh * s.fw
    cdef int64_t pitch = s.fw + GAP
    cdef real *tile = <real *>workspace
    cdef real *im = tile + s.fh * pitch
    cdef real *scratch = tile + tile_elements(s)
    cdef real *spectra = scratch + passes_elements(s)
    cdef real *products = spectra + p.icg * job.tiles * points
    cdef const real *w = packed + table_elements(p, s)
    cdef const real *x = <const real *>t.x + job.image * p.xn + job.g * p.icg * p.xc
    cdef int64_t c, i, o, block, filters
    for c in range(p.icg):
        for i in range(job.tiles):
            load_columns(s, x + c * p.xc, job.first + i, 0, s.fw, tile, im, pitch)
            to_spectrum(p, s, packed, tile, PIXELS, spectra + (c * job.tiles + i) * 2 * v, p.icg * job.tiles * 2 * v, scratch)
    for block in range(job.block0, job.block1):
        filters = min(FILTERS, p.ocg - block * FILTERS)
        o = job.g * p.ocg + block * FILTERS
        multiply(p, points // (2 * v), filters, job.tiles, w + o * p.icg * points, spectra, products)
        for c in range(filters):
            for i in range(job.tiles):
                from_spectrum(p, s, packed, tile, products + (c * job.tiles + i) * 2 * v, filters * job.tiles * 2 * v, scratch)
                store_columns(t, s, job.first + i, o + c, job.image * p.yn + (o + c) * p.yc, 0, s.fw, tile, im, pitch)


# How tiles and filters are shared.
ctypedef struct jobs_t:
    const tiles_t *s
    int64_t runs              # of neighbouring tiles of an image
    int64_t parts             # of the filters of a group


cdef inline void _job_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    """Job `number` of n * g * runs of tiles * parts of the filters."""
    cdef const jobs_t *j = <const jobs_t *>cut
    cdef const problem_t *p = t.p
    cdef int64_t blocks = ceil_div(p.ocg, FILTERS)
    cdef int64_t run = number // j.parts % j.runs
    cdef job_t job
    job.g = number // (j.parts * j.runs) % p.g
    job.image = number // (j.parts * j.runs * p.g)
    job.first = split_start(j.s.tiles, j.runs, run)
    job.tiles = split_start(j.s.tiles, j.runs, run + 1) - job.first
    job.block0 = split_start(blocks, j.parts, number % j.parts)
    job.block1 = split_start(blocks, j.parts, number % j.parts + 1)
    if p.dtype == PYCONV_F32:
        _job(t, j.s, &job, buffer, <const float *>t.weight)
    else:
        _job(t, j.s, &job, buffer, <const double *>t.weight)


cdef inline int fft_run(task_t *t) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef const tiles_t *s = <const tiles_t *>t.cut
    cdef jobs_t j
    cdef int64_t jobs
    if s.large:
        return run_large(t, s)
    j.s = s
    j.runs = ceil_div(s.tiles, s.together)
    jobs = p.n * p.g * j.runs
    # Parts of the filters transform the same channels anew, so they are for images too small to give every thread a job.
    j.parts = 1 if jobs >= t.threads else min(t.threads, ceil_div(p.ocg, FILTERS))
    # Had the cycles that a job takes been spent on 16 multiply-adds each.
    return run_tasks(t, _job_step, &j, jobs * j.parts, 32.0 * s.cycles * s.together / s.tiles, thread_bytes(p, s))


cdef inline void fft_row(algorithm_t *a) except *:
    begin_row(a, b"fft", b"Mathieu, Henaff, LeCun 2014")
    a.planes = True
    a.accuracy, a.nan_reach = PYCONV_STANDARD, PYCONV_IMAGE
    a.supports = fft_supports
    cdef form_t *f = add_form(a, fft_seconds, fft_run)
    f.strided = True
    f.serves = _serves
    f.workspace = fft_workspace
    f.packed, f.pack = fft_packed, fft_pack
    f.multiplications, f.traffic, f.bound = fft_multiplications, fft_traffic, fft_bound
