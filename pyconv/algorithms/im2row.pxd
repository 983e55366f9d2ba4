# SPDX-License-Identifier: BSD-3-Clause
"""
im2row: patches as rows, then one GEMM per image and group; the natural form of NHWC.

row[oh*ow][kh*kw*icg], weights [oc][kh][kw][icg];  NHWC: y[oh*ow][ocg] = row w';  NCHW: y[ocg][oh*ow] = w row'.
A 1x1 kernel with stride 1 on NHWC copies nothing and takes the whole batch in one GEMM.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.algorithms.im2col cimport is_pointwise, patches_traffic
from pyconv.core.blas cimport blas_reason
from pyconv.core.tasks cimport MOVED, run_some
from pyconv.core.product cimport product, product_seconds
from pyconv.core.forms cimport add_form, begin_row
from pyconv.core.rows cimport gather_taps, moving_seconds
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport finish_image
from pyconv.core.threads cimport paying_threads
from pyconv.core.weights cimport pack_ohwi, weight_bytes


cdef inline bint _in_place(const problem_t *p) noexcept nogil:
    return p.layout == PYCONV_NHWC and is_pointwise(p)


cdef inline const char *im2row_supports(const problem_t *p) noexcept nogil:
    return blas_reason(p.n * p.oh * p.ow if _in_place(p) else p.oh * p.ow, p.ocg, p.k, p.k, p.ic, p.oc)


cdef inline bint _serves_in_place(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    return _in_place(p)


cdef inline size_t _patches_bytes(const problem_t *p) noexcept nogil:
    """oh*ow*kh*kw*icg elements."""
    return times(times(<size_t>p.k, <size_t>(p.oh * p.ow)), p.itemsize)


cdef inline size_t im2row_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return _patches_bytes(p)


cdef inline size_t im2row_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    return 0 if p.kh * p.kw == 1 else weight_bytes(p)


cdef inline void im2row_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_ohwi(p, <const float *>weight, <float *>packed)
    else:
        pack_ohwi(p, <const double *>weight, <double *>packed)


cdef inline double im2row_traffic(const problem_t *p, const cut_t *cut) noexcept nogil:
    return patches_traffic(p, _patches_bytes(p))


cdef inline double _in_place_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef double pixels = <double>p.oh * p.ow
    return p.g * (p.n * moving_seconds(p, 0, 0, False, 0, threads)
                  + product_seconds(&p.rates, p.n * pixels, p.ocg, p.k, p.itemsize, threads))


cdef inline double im2row_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef double pixels = <double>p.oh * p.ow
    cdef double lowering = moving_seconds(p, pixels * p.kh, pixels * p.k, p.layout == PYCONV_NCHW, _patches_bytes(p),
                                          threads)
    if p.layout == PYCONV_NHWC:
        return p.n * p.g * (lowering + product_seconds(&p.rates, pixels, p.ocg, p.k, p.itemsize, threads))
    return p.n * p.g * (lowering + product_seconds(&p.rates, p.ocg, pixels, p.k, p.itemsize, threads))


cdef inline void _lower_pixel(const problem_t *p, const real *x, int64_t pixel, real *dst) noexcept nogil:
    """row[pixel][kh][kw][icg]"""
    cdef int64_t i
    cdef int64_t h = pixel // p.ow * p.sh - p.ph0
    cdef int64_t w = pixel % p.ow * p.sw - p.pw0
    cdef int64_t taps = p.kw * p.icg
    for i in range(p.kh):
        if 0 <= h + i * p.dh < p.ih:
            gather_taps(p, x + (h + i * p.dh) * p.xh, w, dst + i * taps)
        else:
            memset(dst + i * taps, 0, taps * sizeof(real))


cdef inline void _pixel_step(const task_t *t, const void *x, int64_t number, char *_buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _lower_pixel(t.p, <const float *>x, number, <float *>t.workspace + number * t.p.k)
    else:
        _lower_pixel(t.p, <const double *>x, number, <double *>t.workspace + number * t.p.k)


cdef inline bint _lower_rows(task_t *t, const void *x) noexcept nogil:
    """One image and group into the workspace; whether the caller wants to stop."""
    cdef const problem_t *p = t.p
    cdef int64_t pixels = p.oh * p.ow
    cdef int threads = paying_threads(t.threads, 0, <double>p.k * pixels)
    return run_some(t, _pixel_step, x, 0, pixels, <double>MOVED * p.k, threads, NULL, 0)


cdef inline int _whole_batch(task_t *t, const real *weight) noexcept nogil:
    """The images are the patches of one matrix."""
    cdef const problem_t *p = t.p
    cdef int64_t pixels = p.oh * p.ow
    cdef int64_t image, g
    for g in range(p.g):
        if product(t, False, True, p.n * pixels, p.ocg, p.k, <const real *>t.x + g * p.icg, p.ic,
                   weight + g * p.ocg * p.k, p.k, <real *>t.y + g * p.ocg, p.oc):
            return PYCONV_STATUS_INTERRUPTED
    for image in range(p.n):
        finish_image(t, image)
    return PYCONV_STATUS_OK


cdef inline int _im2row(task_t *t, const real *weight) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t pixels = p.oh * p.ow
    cdef int64_t image, g
    cdef const real *x
    cdef const real *w
    cdef real *rows = <real *>t.workspace
    cdef real *y
    cdef bint stopped
    for image in range(p.n):
        for g in range(p.g):
            x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
            y = <real *>t.y + image * p.yn + g * p.ocg * p.yc
            w = weight + g * p.ocg * p.k
            if _lower_rows(t, x):
                return PYCONV_STATUS_INTERRUPTED
            if p.layout == PYCONV_NHWC:
                stopped = product(t, False, True, pixels, p.ocg, p.k, rows, p.k, w, p.k, y, p.oc)
            else:
                stopped = product(t, False, True, p.ocg, pixels, p.k, w, p.k, rows, p.k, y, pixels)
            if stopped:
                return PYCONV_STATUS_INTERRUPTED
        finish_image(t, image)
    return PYCONV_STATUS_OK


cdef inline int im2row_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _im2row(t, <const float *>t.weight)
    return _im2row(t, <const double *>t.weight)


cdef inline int _in_place_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _whole_batch(t, <const float *>t.weight)
    return _whole_batch(t, <const double *>t.weight)


cdef inline void im2row_row(algorithm_t *a) except *:
    begin_row(a, b"im2row", b"Chellapilla, Puri, Simard 2006")
    a.supports = im2row_supports
    cdef form_t *f = add_form(a, _in_place_seconds, _in_place_run)
    f.serves = _serves_in_place
    f = add_form(a, im2row_seconds, im2row_run)
    f.workspace = im2row_workspace
    f.packed, f.pack = im2row_packed, im2row_pack
    f.traffic = im2row_traffic
