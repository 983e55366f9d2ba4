# SPDX-License-Identifier: BSD-3-Clause
"""
kn2col: kn2row with its product turned, the natural form of NHWC (Vasudevan, Anderson, Gregg 2017).

z[ih*iw][kh][kw][ocg] = x[ih*iw][icg] w'[icg][kh*kw*ocg];  y[r][q][o] = sum over i, j of z[pixel of (r, i), (q, j)][i][j][o].
"""

from libc.stdint cimport int64_t

from pyconv._types cimport *
from pyconv._algo_kn2row cimport kn2row_multiplications, kn2row_workspace, shift_group
from pyconv._blas cimport blas_reason, gemm
from pyconv._kn2 cimport kn2_reason, pack_taps, tap_weights
from pyconv._rates cimport gemm_seconds
from pyconv._rows cimport moving_seconds
from pyconv._tail cimport finish_image, poll


cdef inline const char *kn2col_supports(const problem_t *p) noexcept nogil:
    cdef const char *reason = kn2_reason(p)
    if reason != NULL:
        return reason
    return blas_reason(p.ih * p.iw, p.kh * p.kw * p.ocg, p.icg, p.ic, p.icg, p.kh * p.kw * p.ocg)


cdef inline size_t kn2col_workspace(const problem_t *p, int threads) noexcept nogil:
    """kh*kw*ocg*ih*iw elements."""
    return kn2row_workspace(p, threads)


cdef inline size_t kn2col_packed(const problem_t *p) noexcept nogil:
    return tap_weights(p)


cdef inline void kn2col_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    pack_taps(p, weight, packed)


cdef inline double kn2col_multiplications(const problem_t *p) noexcept nogil:
    """n*oc*icg*kh*kw*ih*iw: on input pixels, whatever the stride."""
    return kn2row_multiplications(p)


cdef inline double kn2col_seconds(const problem_t *p, int threads) noexcept nogil:
    cdef double rows = <double>p.kh * p.kw * p.oh * (p.ocg if p.layout == PYCONV_NCHW else 1)
    cdef double sums = <double>p.kh * p.kw * p.oh * p.ow * p.ocg
    cdef double adding = moving_seconds(p, rows, sums, p.layout == PYCONV_NCHW, kn2col_workspace(p, threads))
    cdef double product = gemm_seconds(&p.rates, <double>p.ih * p.iw, <double>p.kh * p.kw * p.ocg, p.icg, p.itemsize, threads)
    return p.n * p.g * (adding / threads + product)


cdef inline int _kn2col(task_t *t, const real *weight) noexcept nogil:
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
                gemm(True, True, pixels, kernels, p.icg, x, pixels, w, p.icg, z, kernels)
            else:
                gemm(False, True, pixels, kernels, p.icg, x, p.ic, w, p.icg, z, kernels)
            shift_group(t, z, p.ocg, kernels, 1, <real *>t.y + image * p.yn + g * p.ocg * p.yc)
            if poll(t, 2.0 * kernels * pixels * p.icg):
                return PYCONV_STATUS_INTERRUPTED
        finish_image(t, image, <const real *>t.bias)
    return PYCONV_STATUS_OK


cdef inline int kn2col_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _kn2col(t, <const float *>t.weight)
    return _kn2col(t, <const double *>t.weight)
