# SPDX-License-Identifier: BSD-3-Clause
"""
kn2row: the kernel as kh*kw kernels of 1x1, one GEMM for all of them on the image itself, then shift and add (Vasudevan,
Anderson, Gregg 2017).

z[kh][kw][ocg][ih*iw] = w[kh*kw*ocg][icg] x[icg][ih*iw];  y[o][r][q] = sum over i, j of z[i][j][o][pixel of (r, i), (q, j)].
No patches are built, but every pixel meets every tap: strides leave most of z unread.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset
from cython.parallel cimport prange

from pyconv._types cimport *
from pyconv._blas cimport blas_reason, gemm
from pyconv._kn2 cimport add_shifted, kn2_reason, pack_taps, tap_weights
from pyconv._problem cimport direct_traffic
from pyconv._rates cimport gemm_seconds
from pyconv._rows cimport moving_seconds
from pyconv._sizes cimport times
from pyconv._tail cimport finish_image, poll


cdef inline const char *kn2row_supports(const problem_t *p) noexcept nogil:
    cdef const char *reason = kn2_reason(p)
    if reason != NULL:
        return reason
    return blas_reason(p.kh * p.kw * p.ocg, p.ih * p.iw, p.icg, p.ic, p.icg, p.ih * p.iw)


cdef inline size_t kn2row_workspace(const problem_t *p, int threads) noexcept nogil:
    """kh*kw*ocg*ih*iw elements."""
    return times(times(times(<size_t>(p.kh * p.kw), <size_t>p.ocg), <size_t>(p.ih * p.iw)), p.itemsize)


cdef inline size_t kn2row_packed(const problem_t *p) noexcept nogil:
    return tap_weights(p)


cdef inline void kn2row_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    pack_taps(p, weight, packed)


cdef inline double kn2row_multiplications(const problem_t *p) noexcept nogil:
    """n*oc*icg*kh*kw*ih*iw: on input pixels, whatever the stride."""
    return <double>p.n * p.oc * p.k * p.ih * p.iw


cdef inline double kn2row_traffic(const problem_t *p) noexcept nogil:
    """z is written, and read where it is an output's."""
    cdef double planes = <double>p.n * p.oc * p.kh * p.kw
    return direct_traffic(p) + planes * (p.ih * p.iw + p.oh * p.ow) * p.itemsize


cdef inline double kn2row_seconds(const problem_t *p, int threads) noexcept nogil:
    cdef double rows = <double>p.kh * p.kw * p.oh * (p.ocg if p.layout == PYCONV_NCHW else 1)
    cdef double sums = <double>p.kh * p.kw * p.oh * p.ow * p.ocg
    cdef double adding = moving_seconds(p, rows, sums, p.layout == PYCONV_NHWC, kn2row_workspace(p, threads))
    cdef double product = gemm_seconds(&p.rates, <double>p.kh * p.kw * p.ocg, <double>p.ih * p.iw, p.icg, p.itemsize, threads)
    return p.n * p.g * (adding / threads + product)


cdef inline void shift_row(const problem_t *p, const real *z, int64_t tap, int64_t pixel, int64_t filter, int64_t r,
                           real *y) noexcept nogil:
    """
    Output row r from all taps: z[kh*kw][ih*iw][ocg] by the steps `tap`, `pixel` and `filter`.

    y is the row of one filter in NCHW, to which z points too; of all of the group's in NHWC.
    """
    cdef int64_t i, j, q, h
    if p.layout == PYCONV_NCHW:
        memset(y, 0, p.ow * sizeof(real))
    else:
        for q in range(p.ow):
            memset(y + q * p.yw, 0, p.ocg * sizeof(real))
    for i in range(p.kh):
        h = r * p.sh - p.ph0 + i * p.dh
        if 0 <= h < p.ih:
            for j in range(p.kw):
                add_shifted(p, j, z + (i * p.kw + j) * tap + h * p.iw * pixel, pixel, filter, y)


cdef inline void shift_group(const task_t *t, const real *z, int64_t tap, int64_t pixel, int64_t filter, real *y) noexcept nogil:
    """All output rows of one image and group."""
    cdef const problem_t *p = t.p
    cdef int64_t row
    if p.layout == PYCONV_NCHW:
        for row in prange(p.ocg * p.oh, num_threads=t.threads, schedule="static"):
            shift_row(p, z + row // p.oh * filter, tap, pixel, filter, row % p.oh, y + row * p.ow)
    else:
        for row in prange(p.oh, num_threads=t.threads, schedule="static"):
            shift_row(p, z, tap, pixel, filter, row, y + row * p.yh)


cdef inline int _kn2row(task_t *t, const real *weight) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t pixels = p.ih * p.iw
    cdef int64_t kernels = p.kh * p.kw * p.ocg
    cdef int64_t image, g
    cdef const real *x
    cdef const real *w
    cdef real *z = <real *>t.workspace
    for image in range(p.n):
        for g in range(p.g):
            x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
            w = weight + g * p.ocg * p.k
            if p.layout == PYCONV_NCHW:
                gemm(False, False, kernels, pixels, p.icg, w, p.icg, x, pixels, z, pixels)
            else:
                gemm(False, True, kernels, pixels, p.icg, w, p.icg, x, p.ic, z, pixels)
            shift_group(t, z, p.ocg * pixels, 1, pixels, <real *>t.y + image * p.yn + g * p.ocg * p.yc)
            if poll(t, 2.0 * kernels * pixels * p.icg):
                return PYCONV_STATUS_INTERRUPTED
        finish_image(t, image, <const real *>t.bias)
    return PYCONV_STATUS_OK


cdef inline int kn2row_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _kn2row(t, <const float *>t.weight)
    return _kn2row(t, <const double *>t.weight)
