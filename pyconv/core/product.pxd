# SPDX-License-Identifier: BSD-3-Clause
"""
A product by BLAS, cut into pieces: threads share them, and between pieces a caller may stop, or the process fork.

    C[m][n] = op(A)[m][k] op(B)[k][n] + beta C         piece (i, j) of depth d:  C_ij += op(A)_id op(B)_dj
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange

from pyconv.core.types cimport *
from pyconv.core.blas cimport blas_enter, blas_leave, blas_shared, gemm
from pyconv.core.tasks cimport poll, tasks_between_polls
from pyconv.core.rates cimport gemm_seconds, rates_t
from pyconv.core.kernels cimport ceil_div, split_start
from pyconv.core.threads cimport paying_threads

cdef enum:
    PIECE_FLOPS = 1000000000  # at most, some 10 ms: whoever waits for a call to end waits for one piece
    DEEP = 2048               # OpenBLAS passes over C once in some 400 of k: pieces half as deep as this cost nothing
    NARROW = 256              # of m, n: pieces half as wide would pack A or B twice as often

ctypedef struct product_t:
    bint ta, tb
    int64_t m, n, k, lda, ldb, ldc
    int threads               # that share it
    int64_t rows, columns, depths    # parts of m, n and k


cdef inline product_t cut_product(bint ta, bint tb, int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc,
                                  int threads) noexcept nogil:
    """Threads divide the longer side of C, so that each packs little twice."""
    cdef product_t s
    cdef int64_t height, width, depth
    s.ta, s.tb, s.m, s.n, s.k, s.lda, s.ldb, s.ldc = ta, tb, m, n, k, lda, ldb, ldc
    s.threads = 1
    if blas_shared():
        s.threads = paying_threads(threads, <double>m * n * k, 0)
        s.threads = <int>min(<int64_t>s.threads, max(m, n))
    s.rows, s.columns, s.depths = s.threads, 1, 1
    if n > m:
        s.rows, s.columns = 1, s.threads
    while True:
        height, width, depth = ceil_div(m, s.rows), ceil_div(n, s.columns), ceil_div(k, s.depths)
        if 2.0 * height * width * depth <= PIECE_FLOPS:
            return s
        if depth >= DEEP or max(height, width) < 2 * NARROW:
            s.depths *= 2
        elif height > width:
            s.rows *= 2
        else:
            s.columns *= 2


cdef inline double product_seconds(const rates_t *r, double m, double n, double k, size_t itemsize, int threads) noexcept nogil:
    """That of one thread's share, and of starting the others. Sizes are those of the cost model, fractions perhaps."""
    cdef int sharing = 1
    if blas_shared():
        sharing = paying_threads(threads, m * n * k, 0)
    if sharing == 1:
        return gemm_seconds(r, m, n, k, itemsize)
    return r.fork + gemm_seconds(r, m if n > m else m / sharing, n / sharing if n > m else n, k, itemsize)


cdef inline void _piece(const product_t *s, int64_t number, int64_t depth, const real *a, const real *b, real beta,
                        real *c) noexcept nogil:
    cdef int64_t i = split_start(s.m, s.rows, number // s.columns)
    cdef int64_t j = split_start(s.n, s.columns, number % s.columns)
    cdef int64_t l = split_start(s.k, s.depths, depth)
    gemm(s.ta, s.tb, split_start(s.m, s.rows, number // s.columns + 1) - i,
         split_start(s.n, s.columns, number % s.columns + 1) - j, split_start(s.k, s.depths, depth + 1) - l,
         a + (l * s.lda + i if s.ta else i * s.lda + l), s.lda, b + (j * s.ldb + l if s.tb else l * s.ldb + j), s.ldb,
         beta if depth == 0 else 1, c + i * s.ldc + j, s.ldc)


cdef inline bint _multiply(task_t *t, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const real *a, int64_t lda,
                           const real *b, int64_t ldb, real beta, real *c, int64_t ldc) noexcept nogil:
    # Cut for the threads that were planned, whatever their number today: the same sums each time.
    cdef product_t s = cut_product(ta, tb, m, n, k, lda, ldb, ldc, t.slots)
    cdef double flops = 2.0 * m * n * k / (s.rows * s.columns * s.depths)
    cdef int threads = min(s.threads, t.threads)
    cdef int64_t chunk = tasks_between_polls(t, flops)
    cdef int64_t depth, first, last, i
    for depth in range(s.depths):
        first = 0
        while first < s.rows * s.columns:
            last = min(first + chunk, s.rows * s.columns)
            blas_enter()
            if threads == 1:
                for i in range(first, last):
                    _piece(&s, i, depth, a, b, beta, c)
            else:
                for i in prange(first, last, num_threads=threads, schedule="static"):
                    _piece(&s, i, depth, a, b, beta, c)
            blas_leave()
            if poll(t, flops * (last - first)):
                return True
            first = last
    return False


cdef inline bint product(task_t *t, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const real *a, int64_t lda,
                         const real *b, int64_t ldb, real *c, int64_t ldc) noexcept nogil:
    """C = op(A) op(B), what C held does not matter; whether the caller wants to stop."""
    return _multiply[real](t, ta, tb, m, n, k, a, lda, b, ldb, 0, c, ldc)


cdef inline bint product_add(task_t *t, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const real *a, int64_t lda,
                             const real *b, int64_t ldb, real *c, int64_t ldc) noexcept nogil:
    """C += op(A) op(B); whether the caller wants to stop."""
    return _multiply[real](t, ta, tb, m, n, k, a, lda, b, ldb, 1, c, ldc)
