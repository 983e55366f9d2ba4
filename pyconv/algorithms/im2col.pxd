# SPDX-License-Identifier: BSD-3-Clause
"""
im2col: patches as columns, then one GEMM per image and group.

col[icg*kh*kw][oh*ow];  NCHW: y[ocg][oh*ow] = w[ocg][k] col;  NHWC: y[oh*ow][ocg] = col' w'.
A 1x1 kernel with stride 1 on NCHW is a GEMM on the image itself.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.core.blas cimport blas_reason
from pyconv.core.tasks cimport MOVED, run_some
from pyconv.core.problem cimport direct_traffic
from pyconv.core.product cimport product, product_seconds
from pyconv.core.forms cimport add_form, begin_row
from pyconv.core.rows cimport gather_row, moving_seconds
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport finish_image
from pyconv.core.threads cimport paying_threads


cdef inline bint is_pointwise(const problem_t *p) noexcept nogil:
    """1x1, stride 1, no padding: the patches are the image."""
    return p.kh == 1 and p.kw == 1 and p.sh == 1 and p.sw == 1 and p.oh == p.ih and p.ow == p.iw


cdef inline const char *im2col_supports(const problem_t *p) noexcept nogil:
    return blas_reason(p.ocg, p.oh * p.ow, p.k, p.k, p.oh * p.ow, p.oc)


cdef inline size_t patches_bytes(const problem_t *p) noexcept nogil:
    """Of col, kh*kw*icg*oh*ow elements; 0 where the image is read as it is."""
    if p.layout == PYCONV_NCHW and is_pointwise(p):
        return 0
    return times(times(<size_t>p.k, <size_t>(p.oh * p.ow)), p.itemsize)


cdef inline double patches_traffic(const problem_t *p, size_t bytes) noexcept nogil:
    """The patches of each image and group are written and read."""
    return direct_traffic(p) + 2.0 * p.n * p.g * bytes


ctypedef struct im2col_t:
    size_t patches            # bytes


cdef inline bint _serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<im2col_t *>room(cut, sizeof(im2col_t))).patches = patches_bytes(p)
    return True


cdef inline size_t im2col_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return (<const im2col_t *>cut).patches


cdef inline double im2col_traffic(const problem_t *p, const cut_t *cut) noexcept nogil:
    return patches_traffic(p, (<const im2col_t *>cut).patches)


cdef inline double im2col_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef double pixels = <double>p.oh * p.ow
    cdef double lowering = moving_seconds(p, 0, 0, False, 0, threads)
    cdef size_t patches = (<const im2col_t *>cut).patches
    if patches > 0:
        lowering = moving_seconds(p, <double>p.k * p.oh, pixels * p.k, p.layout == PYCONV_NHWC, patches, threads)
    if p.layout == PYCONV_NHWC:
        return p.n * p.g * (lowering + product_seconds(&p.rates, pixels, p.ocg, p.k, p.itemsize, threads))
    return p.n * p.g * (lowering + product_seconds(&p.rates, p.ocg, pixels, p.k, p.itemsize, threads))


cdef inline void lower_row(const problem_t *p, const real *x, int64_t k, real *dst) noexcept nogil:
    """col[k]: tap (i, j) of channel c for every output pixel."""
    cdef int64_t j = k % p.kw
    cdef int64_t i = k // p.kw % p.kh
    cdef int64_t c = k // (p.kw * p.kh)
    cdef int64_t h, r
    for r in range(p.oh):
        h = r * p.sh - p.ph0 + i * p.dh
        if 0 <= h < p.ih:
            gather_row(p, x + c * p.xc + h * p.xh, j, dst + r * p.ow, 1)
        else:
            memset(dst + r * p.ow, 0, p.ow * sizeof(real))


cdef inline void _row_step(const task_t *t, const void *x, int64_t number, char *_buffer) noexcept nogil:
    cdef int64_t at = number * t.p.oh * t.p.ow
    if t.p.dtype == PYCONV_F32:
        lower_row(t.p, <const float *>x, number, <float *>t.workspace + at)
    else:
        lower_row(t.p, <const double *>x, number, <double *>t.workspace + at)


cdef inline bint lower_columns(task_t *t, const void *x) noexcept nogil:
    """col of one image and group into the workspace; whether the caller wants to stop."""
    cdef const problem_t *p = t.p
    cdef double pixels = <double>p.oh * p.ow
    return run_some(t, _row_step, x, 0, p.k, MOVED * pixels, paying_threads(t.threads, 0, p.k * pixels), NULL, 0)


cdef inline int _im2col(task_t *t, const real *weight) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t pixels = p.oh * p.ow
    cdef int64_t image, g
    cdef bint lowered = (<const im2col_t *>t.cut).patches > 0
    cdef bint stopped
    cdef const real *x
    cdef const real *w
    cdef const real *col
    cdef real *y
    for image in range(p.n):
        for g in range(p.g):
            x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
            y = <real *>t.y + image * p.yn + g * p.ocg * p.yc
            w = weight + g * p.ocg * p.k
            col = <const real *>t.workspace if lowered else x
            if lowered and lower_columns(t, x):
                return PYCONV_STATUS_INTERRUPTED
            if p.layout == PYCONV_NCHW:
                stopped = product(t, False, False, p.ocg, pixels, p.k, w, p.k, col, pixels, y, pixels)
            else:
                stopped = product(t, True, True, pixels, p.ocg, p.k, col, pixels, w, p.k, y, p.oc)
            if stopped:
                return PYCONV_STATUS_INTERRUPTED
        finish_image(t, image)
    return PYCONV_STATUS_OK


cdef inline int im2col_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _im2col(t, <const float *>t.weight)
    return _im2col(t, <const double *>t.weight)


cdef inline void im2col_row(algorithm_t *a) except *:
    begin_row(a, b"im2col", b"Chellapilla, Puri, Simard 2006")
    a.supports = im2col_supports
    cdef form_t *f = add_form(a, im2col_seconds, im2col_run)
    f.serves = _serves
    f.workspace = im2col_workspace
    f.traffic = im2col_traffic
