# SPDX-License-Identifier: BSD-3-Clause
"""
kn2col: kn2row with its product turned, the natural form of NHWC (Vasudevan, Anderson, Gregg 2017).

z[ih*iw][kh][kw][ocg] = x[ih*iw][icg] w'[icg][kh*kw*ocg];  y[r][q][o] = sum over i, j of z[pixel of (r, i), (q, j)][i][j][o].
"""

from pyconv.core.types cimport *
from pyconv.core.blas cimport blas_reason
from pyconv.engines.kn2 cimport add_kn2_form, kn2_reason, kn2_run, kn2_seconds
from pyconv.core.product cimport product_seconds
from pyconv.core.forms cimport begin_row


cdef inline const char *kn2col_supports(const problem_t *p) noexcept nogil:
    cdef const char *reason = kn2_reason(p)
    if reason != NULL:
        return reason
    return blas_reason(p.ih * p.iw, p.kh * p.kw * p.ocg, p.icg, p.ic, p.icg, p.kh * p.kw * p.ocg)


cdef inline double kn2col_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef double product = product_seconds(&p.rates, <double>p.ih * p.iw, <double>p.kh * p.kw * p.ocg, p.icg, p.itemsize, threads)
    return kn2_seconds(p, p.layout == PYCONV_NCHW, product, threads)


cdef inline int kn2col_run(task_t *t) noexcept nogil:
    return kn2_run(t, True)


cdef inline void kn2col_row(algorithm_t *a) except *:
    begin_row(a, b"kn2col", b"Vasudevan, Anderson, Gregg 2017")
    a.supports = kn2col_supports
    add_kn2_form(a, kn2col_seconds, kn2col_run)
