# SPDX-License-Identifier: BSD-3-Clause
"""
Row-major GEMM over SciPy's BLAS: the one place that knows column-major order, the integer type, the missing const, and how
BLAS is kept from starting threads.

OpenBLAS's own threads need the cores on which OpenMP's threads spin after a loop: 8 ms were lost by each product. So while
any of our products is inside, OpenBLAS is set to one thread, and our threads share the product (core/product.pxd). Its calls
on one thread touch nothing shared but buffers under a lock, so any number may be inside; those on several threads share
tables that OpenBLAS 0.3.30 guards by one lock for each kind of transposition. A BLAS without that setting (another
library, or OpenBLAS over OpenMP) gets one call at a time and keeps its own number of threads.
"""

from libc.limits cimport INT_MAX
from libc.stdint cimport int64_t

from scipy.linalg.cython_blas cimport dgemm, sgemm

from pyconv.core.accuracy cimport CHAIN
from pyconv.core.kernels cimport ceil_div, split_start
from pyconv.core.types cimport promised, real

ctypedef int blas_int     # of scipy.linalg.cython_blas; another SciPy, another type: only this line

cdef enum:
    BLAS_INT_MAX = INT_MAX

cdef extern from "core/blas.h":
    int _find "pyconv_blas_find"(void *f) noexcept
    bint blas_shared "pyconv_blas_shared"() noexcept nogil    # whether several threads may be inside, each for itself
    void blas_enter "pyconv_blas_enter"() noexcept nogil
    void blas_leave "pyconv_blas_leave"() noexcept nogil
    int64_t blas_entries "pyconv_blas_entries"
    int64_t blas_threaded "pyconv_blas_threaded"


cdef inline int blas_init() noexcept:
    """Once, at import; 0, or an error."""
    return _find(<void *>sgemm)


cdef inline void _gemm(bint ta, bint tb, int64_t m, int64_t n, int64_t k, const real *a, int64_t lda,
                       const real *b, int64_t ldb, real beta, real *c, int64_t ldc) noexcept nogil:
    """
    C[m][n] = op(A)[m][k] op(B)[k][n] + beta C[m][n], rows contiguous, op the transpose where ta, tb say so.

    A row-major matrix is its transpose in column-major order, and C' = op(B)' op(A)': the operands change places.
    Between blas_enter() and blas_leave(). Sizes are within BLAS_INT_MAX: blas_reason() has been asked when the plan was made.
    With beta 0 it does not matter what C held.
    """
    cdef blas_int m_ = <blas_int>m, n_ = <blas_int>n, k_ = <blas_int>k
    cdef blas_int lda_ = <blas_int>lda, ldb_ = <blas_int>ldb, ldc_ = <blas_int>ldc
    cdef char ta_ = c't' if ta else c'n'
    cdef char tb_ = c't' if tb else c'n'
    cdef real one = 1
    promised(0 < m <= BLAS_INT_MAX and 0 < n <= BLAS_INT_MAX and 0 < k <= BLAS_INT_MAX)
    promised(lda >= (m if ta else k) and ldb >= (k if tb else n) and ldc >= n)
    if real is float:
        sgemm(&tb_, &ta_, &n_, &m_, &k_, &one, <float *>b, &ldb_, <float *>a, &lda_, &beta, c, &ldc_)
    else:
        dgemm(&tb_, &ta_, &n_, &m_, &k_, &one, <double *>b, &ldb_, <double *>a, &lda_, &beta, c, &ldc_)


cdef inline void gemm(bint ta, bint tb, int64_t m, int64_t n, int64_t k, const real *a, int64_t lda,
                      const real *b, int64_t ldb, real beta, real *c, int64_t ldc) noexcept nogil:
    """
    The same, k in parts: how long BLAS lets its chains of additions grow is its own affair.

    OpenBLAS 0.3.30 ends them at 448 products of float32 and 384 of float64, but not for small matrices and for one row.
    """
    cdef int64_t parts = ceil_div(k, CHAIN)
    cdef int64_t i, first
    for i in range(parts):
        first = split_start(k, parts, i)
        _gemm[real](ta, tb, m, n, split_start(k, parts, i + 1) - first, a + first * (lda if ta else 1), lda,
                    b + first * (1 if tb else ldb), ldb, beta if i == 0 else 1, c, ldc)


cdef inline const char *blas_reason(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc) noexcept nogil:
    """NULL, or why BLAS cannot take such a product."""
    if max(max(m, n), max(k, max(lda, max(ldb, ldc)))) > BLAS_INT_MAX:
        return "a GEMM dimension exceeds the integers of BLAS (2147483647)"
    return NULL
