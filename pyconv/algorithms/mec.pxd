# SPDX-License-Identifier: BSD-3-Clause
"""
mec: memory-efficient convolution (Cho and Brand, 2017): lower along the width only, then GEMMs on overlapping parts of L.

With SIMD kernels, both layouts:
      L[n][ow][ih][kw][icg], weights packed once: tiles of L's rows by filters, stored turned in NCHW.

Else by BLAS:
NHWC  L[n][ow][ih][kw][icg], weights [g][kh][kw][icg][ocg]:  row r of an image is L[:, r*sh : r*sh + kh] (lda = ih*kw*icg) by w.
NCHW  L[ih][kw][icg][n][ow], weights [oc][kh][kw][icg]:      row r is w by L[r*sh : r*sh + kh], and L is copied by whole rows.

Solution A multiplies an output row of the whole batch at once and permutes h-n-w-c to n-h-w-c at the end, with L as the
second buffer; solution B multiplies per image and row and permutes nothing.

Rows above and below the image are in no L: there the product takes fewer taps. With dilation the rows of L stand in the
order of their residues modulo dh, so that the taps of a window are neighbours again.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset
from cython.parallel cimport prange

from pyconv.core.types cimport *
from pyconv.core.blas cimport blas_reason
from pyconv.engines.channels_last cimport turn_rows
from pyconv.core.tasks cimport MOVED, run_some, step_t
from pyconv.core.problem cimport direct_traffic
from pyconv.core.product cimport product, product_seconds
from pyconv.core.forms cimport add_form, begin_row, whole_weights
from pyconv.core.rows cimport gather_row, gather_taps, lowered_row, moving_seconds, reach
from pyconv.engines.gemm.windows cimport run_slabs
from pyconv.engines.gemm.windows_cut cimport MOST_RUNS, slabs_t, cut_slabs, windows_cycles
from pyconv.engines.gemm.panels cimport columns_packed, pack_columns
from pyconv.engines.gemm.panels_cut cimport core_seconds
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport finish_image
from pyconv.core.threads cimport paying_threads
from pyconv.core.weights cimport pack_hwio, pack_ohwi

cdef enum:
    # Widest output row that solution A serves; wider rows fill the GEMM by themselves (the paper's T on a CPU).
    MEC_WIDEST = 100


cdef inline bint _on_core(const problem_t *p) noexcept nogil:
    """BLAS would pack the weights anew for each output row; the SIMD kernels take them packed."""
    return p.kernels.level > 0 and p.kh <= MOST_RUNS


cdef inline double _lowered(const problem_t *p) noexcept nogil:
    """Elements of L."""
    return <double>p.n * p.ow * p.ih * p.kw * p.icg


cdef inline const char *mec_supports(const problem_t *p) noexcept nogil:
    if _on_core(p):
        return NULL
    return blas_reason(p.n * p.ow, p.ocg, p.k, <int64_t>times(<size_t>p.ih, <size_t>(p.kw * p.icg)), p.oh * p.ow, p.oc)


cdef inline size_t _lowered_bytes(const problem_t *p) noexcept nogil:
    """n*ow*ih*kw*icg elements."""
    return times(times(times(<size_t>(p.n * p.ow), <size_t>p.ih), <size_t>(p.kw * p.icg)), p.itemsize)


cdef inline size_t mec_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return _lowered_bytes(p)


cdef inline void _pack(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    if p.layout == PYCONV_NHWC:
        pack_hwio(p, weight, packed)
    else:
        pack_ohwi(p, weight, packed)


cdef inline void mec_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        _pack(p, <const float *>weight, <float *>packed)
    else:
        _pack(p, <const double *>weight, <double *>packed)


cdef inline double mec_traffic(const problem_t *p, const cut_t *cut) noexcept nogil:
    """L is written once and read as often as its sub-matrices overlap."""
    return direct_traffic(p) + <double>p.g * (_lowered(p) + <double>p.n * p.oh * p.ow * p.k) * p.itemsize


cdef inline double _lowering_seconds(const problem_t *p, int threads) noexcept nogil:
    """Of one group."""
    return moving_seconds(p, <double>p.n * p.ih * p.ow, _lowered(p), p.layout == PYCONV_NCHW, _lowered_bytes(p), threads)


cdef inline bint _serves_on_core(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    if not _on_core(p):
        return False
    (<slabs_t *>room(cut, sizeof(slabs_t)))[0] = cut_slabs(p, True, threads)
    return True


cdef inline double mec_on_core_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return p.g * _lowering_seconds(p, threads) + core_seconds(p, windows_cycles(p), threads)


ctypedef struct mec_t:
    bint a                    # solution A, else B


cdef inline bint _serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<mec_t *>room(cut, sizeof(mec_t))).a = p.n > 1 and p.ow <= MEC_WIDEST and p.n * p.yn <= _lowered(p)
    return True


cdef inline double mec_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef bint a = (<const mec_t *>cut).a
    cdef double calls = p.oh if a else p.n * p.oh
    cdef double columns = p.n * p.ow if a else p.ow
    cdef double lowering = _lowering_seconds(p, threads)
    return p.g * (lowering + calls * product_seconds(&p.rates, p.ocg, columns, p.k, p.itemsize, threads))


cdef inline void _lower_nhwc(const problem_t *p, const real *x, int64_t column, real *L) noexcept nogil:
    """L[column][ih][kw][icg], column of n*ow."""
    cdef int64_t image = column // p.ow
    cdef int64_t w = column % p.ow * p.sw - p.pw0
    cdef int64_t taps = p.kw * p.icg
    cdef real *dst = L + column * p.ih * taps
    cdef int64_t h
    for h in range(p.ih):
        gather_taps(p, x + image * p.xn + h * p.xh, w, dst + lowered_row(p, h) * taps)


cdef inline void _lower_turned(const problem_t *p, const real *x, int64_t row, real *L) noexcept nogil:
    """L[column][h][kw][icg] of one image row h from NCHW, stride 1: taps of all columns are the row, turned."""
    cdef int64_t image = row // p.ih
    cdef int64_t h = row % p.ih
    cdef int64_t step = p.ih * p.kw * p.icg
    cdef int64_t j, q, first, last
    cdef const real *src
    cdef real *dst
    for j in range(p.kw):
        reach(p.ow, p.iw, 1, j * p.dw - p.pw0, &first, &last)
        dst = L + image * p.ow * step + (lowered_row(p, h) * p.kw + j) * p.icg
        src = x + image * p.xn + h * p.xh + first + j * p.dw - p.pw0
        for q in range(first):
            memset(dst + q * step, 0, p.icg * sizeof(real))
        for q in range(last, p.ow):
            memset(dst + q * step, 0, p.icg * sizeof(real))
        if first < last:
            turn_rows(p, p.icg, last - first, src, p.xc, dst + first * step, step)


cdef inline void _lower_nchw(const problem_t *p, const real *x, int64_t row, real *L) noexcept nogil:
    """L[h][j][c][n][ow] for one h: all taps of one image row."""
    cdef int64_t columns = p.n * p.ow
    cdef real *dst = L + lowered_row(p, row) * p.kw * p.icg * columns
    cdef int64_t j, c, image
    for j in range(p.kw):
        for c in range(p.icg):
            for image in range(p.n):
                gather_row(p, x + image * p.xn + c * p.xc + row * p.xh, j, dst, 1)
                dst += p.ow


cdef inline void _lower_part(const problem_t *p, const real *x, int64_t number, real *L) noexcept nogil:
    if p.layout == PYCONV_NHWC:
        _lower_nhwc(p, x, number, L)
    else:
        _lower_nchw(p, x, number, L)


cdef inline void _lower_step(const task_t *t, const void *x, int64_t number, char *_buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _lower_part(t.p, <const float *>x, number, <float *>t.workspace)
    else:
        _lower_part(t.p, <const double *>x, number, <double *>t.workspace)


cdef inline bint _turns(const problem_t *p) noexcept nogil:
    """Whether L of the SIMD kernels is filled by rows of planes."""
    return p.layout == PYCONV_NCHW and p.sw == 1


cdef inline void _lower_part_on_core(const problem_t *p, const real *x, int64_t number, real *L) noexcept nogil:
    if _turns(p):
        _lower_turned(p, x, number, L)
    else:
        _lower_nhwc(p, x, number, L)


cdef inline void _lower_step_on_core(const task_t *t, const void *x, int64_t number, char *_buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _lower_part_on_core(t.p, <const float *>x, number, <float *>t.workspace)
    else:
        _lower_part_on_core(t.p, <const double *>x, number, <double *>t.workspace)


cdef inline bint _lower(task_t *t, step_t step, int64_t parts, const void *x) noexcept nogil:
    """L of one group into the workspace; whether the caller wants to stop."""
    cdef double moved = _lowered(t.p)
    return run_some(t, step, x, 0, parts, MOVED * moved / parts, paying_threads(t.threads, 0, moved), NULL, 0)


cdef inline int mec_on_core_run(task_t *t) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t parts = p.n * (p.ih if _turns(p) else p.ow)
    cdef int64_t g
    for g in range(p.g):
        if (_lower(t, _lower_step_on_core, parts, <const char *>t.x + g * p.icg * p.xc * <int64_t>p.itemsize)
                or run_slabs(t, <const slabs_t *>t.cut, g, 1) != PYCONV_STATUS_OK):
            return PYCONV_STATUS_INTERRUPTED
    return PYCONV_STATUS_OK


cdef inline bint _multiply(task_t *t, int64_t r, int64_t first_column, int64_t columns, const real *L,
                           const real *weight, real *y, int64_t ldy) noexcept nogil:
    """
    Output row r for a run of the n*ow columns: y[columns][ocg] in NHWC, y[ocg][columns] in NCHW; whether the caller wants
    to stop.
    """
    cdef const problem_t *p = t.p
    cdef int64_t first, last, o
    cdef int64_t taps = p.kw * p.icg
    cdef int64_t h0 = r * p.sh - p.ph0
    cdef int64_t all_columns = p.n * p.ow
    reach(p.kh, p.ih, p.dh, h0, &first, &last)
    if first == last:
        for o in range(columns if p.layout == PYCONV_NHWC else p.ocg):
            memset(y + o * ldy, 0, (p.ocg if p.layout == PYCONV_NHWC else columns) * sizeof(real))
        return False
    cdef int64_t place = lowered_row(p, h0 + first * p.dh) * taps
    cdef int64_t k = (last - first) * taps
    if p.layout == PYCONV_NHWC:
        return product(t, False, False, columns, p.ocg, k, L + first_column * p.ih * taps + place, p.ih * taps,
                       weight + first * taps * p.ocg, p.ocg, y, ldy)
    return product(t, False, False, p.ocg, columns, k, weight + first * taps, p.k,
                   L + place * all_columns + first_column, all_columns, y, ldy)


cdef inline void _permute_row(const problem_t *p, const real *z, real *y, int64_t image, int64_t r) noexcept nogil:
    """NHWC: y[n][r] = z[r][n] of ow*oc;  NCHW: y[n][o][r] = z[r][o][n] of ow."""
    cdef int64_t o
    if p.layout == PYCONV_NHWC:
        memcpy(y + image * p.yn + r * p.yh, z + (r * p.n + image) * p.yh, p.yh * sizeof(real))
    else:
        for o in range(p.oc):
            memcpy(y + image * p.yn + o * p.yc + r * p.yh, z + ((r * p.oc + o) * p.n + image) * p.ow, p.ow * sizeof(real))


cdef inline bint _solution_a(task_t *t, const real *L, const real *weight, int64_t g) noexcept nogil:
    """One group into t.y in h-n-w-c order (NHWC) or h-c-n-w order (NCHW)."""
    cdef const problem_t *p = t.p
    cdef int64_t columns = p.n * p.ow
    cdef int64_t ldy = p.oc if p.layout == PYCONV_NHWC else columns
    cdef int64_t at = g * p.ocg if p.layout == PYCONV_NHWC else g * p.ocg * columns
    cdef int64_t r
    for r in range(p.oh):
        if _multiply(t, r, 0, columns, L, weight, <real *>t.y + r * columns * p.oc + at, ldy):
            return True
    return False


cdef inline bint _solution_b(task_t *t, const real *L, const real *weight, int64_t g) noexcept nogil:
    """One group into its place in t.y."""
    cdef const problem_t *p = t.p
    cdef int64_t ldy = p.oc if p.layout == PYCONV_NHWC else p.yc
    cdef int64_t image, r
    for image in range(p.n):
        for r in range(p.oh):
            if _multiply(t, r, image * p.ow, p.ow, L, weight,
                         <real *>t.y + image * p.yn + g * p.ocg * p.yc + r * p.yh, ldy):
                return True
    return False


cdef inline int _mec(task_t *t, const real *weight) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef real *L = <real *>t.workspace
    cdef const real *w
    cdef bint a = (<const mec_t *>t.cut).a
    cdef bint stopped
    cdef int64_t g, r
    for g in range(p.g):
        w = weight + g * p.ocg * p.k
        if _lower(t, _lower_step, p.n * p.ow if p.layout == PYCONV_NHWC else p.ih, <const real *>t.x + g * p.icg * p.xc):
            return PYCONV_STATUS_INTERRUPTED
        stopped = _solution_a(t, L, w, g) if a else _solution_b(t, L, w, g)
        if stopped:
            return PYCONV_STATUS_INTERRUPTED
    if a:
        memcpy(L, t.y, p.n * p.yn * sizeof(real))
        for r in prange(p.n * p.oh, num_threads=t.threads, schedule="static"):
            _permute_row(p, L, <real *>t.y, r // p.oh, r % p.oh)
    for r in range(p.n):
        finish_image(t, r)
    return PYCONV_STATUS_OK


cdef inline int mec_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _mec(t, <const float *>t.weight)
    return _mec(t, <const double *>t.weight)


cdef inline void mec_row(algorithm_t *a) except *:
    begin_row(a, b"mec", b"Cho, Brand 2017")
    a.supports = mec_supports
    cdef form_t *f = add_form(a, mec_on_core_seconds, mec_on_core_run)
    f.serves = _serves_on_core
    f.workspace = mec_workspace
    f.packed, f.pack = columns_packed, pack_columns
    f.traffic = mec_traffic
    f = add_form(a, mec_seconds, mec_run)
    f.serves = _serves
    f.workspace = mec_workspace
    f.packed, f.pack = whole_weights, mec_pack
    f.traffic = mec_traffic
