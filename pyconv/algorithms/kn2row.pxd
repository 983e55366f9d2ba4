# SPDX-License-Identifier: BSD-3-Clause
"""
kn2row: the kernel as kh*kw kernels of 1x1, one GEMM for all of them on the image itself, then shift and add (Vasudevan,
Anderson, Gregg 2017).

z[kh][kw][ocg][ih*iw] = w[kh*kw*ocg][icg] x[icg][ih*iw];  y[o][r][q] = sum over i, j of z[i][j][o][pixel of (r, i), (q, j)].
No patches are built, but every pixel meets every tap: strides leave most of z unread.
"""

from pyconv.core.types cimport *
from pyconv.core.blas cimport blas_reason
from pyconv.engines.kn2 cimport add_kn2_form, kn2_reason, kn2_run, kn2_seconds
from pyconv.core.product cimport product_seconds
from pyconv.core.forms cimport begin_row


cdef inline const char *kn2row_supports(const problem_t *p) noexcept nogil:
    cdef const char *reason = kn2_reason(p)
    if reason != NULL:
        return reason
    return blas_reason(p.kh * p.kw * p.ocg, p.ih * p.iw, p.icg, p.ic, p.icg, p.ih * p.iw)


cdef inline double kn2row_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef double product = product_seconds(&p.rates, <double>p.kh * p.kw * p.ocg, <double>p.ih * p.iw, p.icg, p.itemsize, threads)
    return kn2_seconds(p, p.layout == PYCONV_NHWC, product, threads)


cdef inline int kn2row_run(task_t *t) noexcept nogil:
    return kn2_run(t, False)


cdef inline void kn2row_row(algorithm_t *a) except *:
    begin_row(a, b"kn2row", b"Vasudevan, Anderson, Gregg 2017")
    a.supports = kn2row_supports
    add_kn2_form(a, kn2row_seconds, kn2row_run)
