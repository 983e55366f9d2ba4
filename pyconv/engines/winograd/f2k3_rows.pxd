# SPDX-License-Identifier: BSD-3-Clause
"""
F(2, 3) along the rows of NCHW images of few channels (Winograd 1980), summed over channels and kernel rows in registers.

Transforms in both directions and products in memory would cost more than a few channels save. Along one axis alone 12
products serve two outputs instead of 18, their transform back is 4 sums, and the points of the inputs, twice as many as
those, meet all filters in the cache; see ops/f2k3_rows.tmpl.h. A task is a group on a piece of an image, see planes.pxd.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.engines.depthwise.planes cimport WIDEST, passing_seconds, piece, pieces_t, share_filters
from pyconv.core.tasks cimport run_tasks
from pyconv.core.kernels cimport BAND_SLACK, band_pitch, band_t, ceil_div, epilogue_t, split_start
from pyconv.core.machine cimport cache_bytes
from pyconv.engines.gemm.panels_cut cimport tile_rows
from pyconv.core.sizes cimport aligned, times
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.engines.winograd.bound cimport growth, weight_roundings

cdef enum:
    MOST = 3                  # channels per group; more have tiles of both axes


cdef inline int64_t _panels(const problem_t *p) noexcept nogil:
    """Of filters: four sums each instead of two."""
    return ceil_div(p.ocg, tile_rows(p) // 2)


cdef inline int64_t _halves_pitch(const pieces_t *s) noexcept nogil:
    """Even or odd columns under a row of outputs, one more than half of those."""
    return band_pitch((s.cols + 1) // 2, 3, 2, 1)


cdef inline pieces_t _cut(const problem_t *p) noexcept nogil:
    """Points fill three quarters of L1; bands lower than 4 rows would transform most rows twice."""
    cdef pieces_t s
    cdef int64_t row_bytes, fits
    s.across = ceil_div(p.ow, WIDEST)
    s.cols = ceil_div(p.ow, s.across)
    s.pitch = (s.cols + 31) // 32 * 16
    if s.pitch % 64 == 0:     # points at such distances share sets of the cache
        s.pitch += 16
    row_bytes = p.icg * 4 * s.pitch * <int64_t>p.itemsize
    fits = cache_bytes(1) * 3 // 4 // row_bytes - 2
    s.down = ceil_div(p.oh, max(fits, 4))
    s.rows = ceil_div(p.oh, s.down)
    s.plane = (s.rows + 2) * 4 * s.pitch
    s.together = p.icg
    s.bytes = aligned(<size_t>(p.icg * s.plane + (s.rows + 2) * 2 * _halves_pitch(&s) + BAND_SLACK) * p.itemsize)
    return s


cdef inline bint f2k3_rows_serve(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    """One channel is bound by its stores."""
    if not (p.m == 2 and p.r == 3 and p.layout == PYCONV_NCHW and p.kh == 3 and p.kw == 3 and p.sh == 1 and p.sw == 1
            and p.dh == 1 and p.dw == 1 and 1 < p.icg <= MOST):
        return False
    (<pieces_t *>room(cut, sizeof(pieces_t)))[0] = _cut(p)
    return True


cdef inline size_t f2k3_rows_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """Per thread: the points of a band, and the even and odd columns of one channel."""
    return times((<const pieces_t *>cut).bytes, threads)


cdef inline size_t f2k3_rows_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    return times(times(<size_t>p.oc, <size_t>(12 * p.icg)), p.itemsize)


cdef inline void _pack(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    """packed[g][panel][icg][kh][4][filters] of weight[oc][icg][kh][kw]"""
    cdef int64_t panels = _panels(p)
    cdef int64_t g, i, l, o, first, m
    cdef const real *w
    for g in range(p.g):
        for i in range(panels):
            first = g * p.ocg + split_start(p.ocg, panels, i)
            m = g * p.ocg + split_start(p.ocg, panels, i + 1) - first
            for l in range(3 * p.icg):
                for o in range(m):
                    w = weight + ((first + o) * p.icg * 3 + l) * 3
                    packed[o] = w[0]
                    packed[m + o] = <real>((<double>w[0] + w[1] + w[2]) / 2)
                    packed[2 * m + o] = <real>((<double>w[0] - w[1] + w[2]) / 2)
                    packed[3 * m + o] = w[2]
                packed += 4 * m


cdef inline void f2k3_rows_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        _pack(p, <const float *>weight, <float *>packed)
    else:
        _pack(p, <const double *>weight, <double *>packed)


cdef inline double f2k3_rows_multiplications(const problem_t *p, const cut_t *cut) noexcept nogil:
    """4 for two outputs of a row, for each channel and kernel row."""
    return 12.0 * p.icg * p.n * p.oc * p.oh * ((p.ow + 1) // 2)


cdef inline double f2k3_rows_traffic(const problem_t *p, const cut_t *cut) noexcept nogil:
    return <double>p.n * (p.xn + p.yn) * p.itemsize + f2k3_rows_packed(p, cut)


cdef inline double f2k3_rows_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """
    Multiply-adds of whole vectors and a load in each of their four; for each filter 4 cycles to transform and store, and 15
    to begin a tile; 16 for each vector of inputs. Measured on a Sapphire-Rapids-class core.
    """
    cdef const pieces_t *s = <const pieces_t *>cut
    cdef int64_t lanes = p.ops.lanes
    cdef double vectors = <double>p.n * p.oh * s.across * ceil_div(ceil_div(s.cols, 2), lanes)
    cdef double panels = <double>p.g * _panels(p)
    cdef double points = <double>p.n * p.ic * s.down * s.across * (s.rows + 2) * s.pitch / lanes
    cdef double cycles = vectors * ((p.oc + panels) * 12 * p.icg / p.rates.fma + 4 * p.oc + 15 * panels) + 16 * points
    return passing_seconds(p, cycles, threads)


cdef inline double f2k3_rows_bound(const problem_t *p, const cut_t *cut) noexcept nogil:
    """F(2, 3) along one axis; sums over channels and kernel rows in one chain, see `engines.winograd.bound`."""
    return growth(4, 2) * (3 + 1 + weight_roundings(p, 4, 3) + 3 * p.icg + 1 + 2)


cdef inline void _fill_points(const problem_t *p, const pieces_t *s, const real *x, int64_t h0, int64_t w0, int64_t rows,
                              real *points) noexcept nogil:
    """points[c][row][4][pitch] of so many image rows, zero outside the image."""
    cdef real *halves = points + p.icg * s.plane
    cdef int64_t pitch = _halves_pitch(s)
    cdef int64_t c
    memset(halves + rows * 2 * pitch, 0, BAND_SLACK * sizeof(real))
    for c in range(p.icg):
        p.ops.split(1, x + c * p.xc, p.xc, p.xh, p.ih, p.iw, h0, rows, w0, 2, pitch, halves, 0)
        p.ops.f2k3_points(rows, halves, pitch, points + c * s.plane, s.pitch)


cdef inline void _panel(const task_t *t, const band_t *b, int64_t m, const real *points, const ptrdiff_t *offsets,
                        const real *weight, int64_t o, int64_t at) noexcept nogil:
    """m filters from number o on a band; `at` is the first output in y."""
    cdef const problem_t *p = t.p
    cdef epilogue_t e = tail_of(t, tail_flags(t, True), o, at)
    p.ops.f2k3_rows(b, m, 3 * p.icg, points, offsets, weight, <real *>t.y + at, p.yc, &e)


cdef inline void _rows_task(const task_t *t, const pieces_t *s, int64_t number, real *points) noexcept nogil:
    """Task `number` of n * g * pieces * parts: a part of the filters of a group on a piece of an image."""
    cdef const problem_t *p = t.p
    cdef int64_t pieces = s.down * s.across
    cdef int64_t part = number % s.parts
    cdef int64_t g = number // (s.parts * pieces) % p.g
    cdef int64_t image = number // (s.parts * pieces * p.g)
    cdef int64_t panels = _panels(p)
    cdef int64_t row, col, i, first, m
    cdef ptrdiff_t offsets[3 * MOST]
    cdef band_t b = piece(p, s, number // s.parts % pieces, &row, &col)
    promised(p.icg <= MOST)
    for i in range(3 * p.icg):
        offsets[i] = i // 3 * s.plane + i % 3 * 4 * s.pitch
    _fill_points(p, s, <const real *>t.x + image * p.xn + g * p.icg * p.xc, row - p.ph0, col - p.pw0, b.rows + 2, points)
    for i in range(split_start(panels, s.parts, part), split_start(panels, s.parts, part + 1)):
        first = split_start(p.ocg, panels, i)
        m = split_start(p.ocg, panels, i + 1) - first
        first += g * p.ocg
        _panel(t, &b, m, points, offsets, <const real *>t.weight + first * 12 * p.icg, first,
               image * p.yn + first * p.yc + row * p.yh + col)


cdef inline void _rows_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _rows_task(t, <const pieces_t *>cut, number, <float *>buffer)
    else:
        _rows_task(t, <const pieces_t *>cut, number, <double *>buffer)


cdef inline int f2k3_rows_run(task_t *t) noexcept nogil:
    cdef pieces_t s = (<const pieces_t *>t.cut)[0]
    cdef int64_t tasks = share_filters(t, &s, _panels(t.p))
    return run_tasks(t, _rows_step, &s, tasks, 2 * f2k3_rows_multiplications(t.p, t.cut) / tasks, s.bytes)
