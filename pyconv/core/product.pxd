# SPDX-License-Identifier: BSD-3-Clause
"""
A product by BLAS, cut into pieces: threads share them, and between pieces a caller may stop, or the process fork.

    C[m][n] = op(A)[m][k] op(B)[k][n] + beta C         piece (i, j) of depth d:  C_ij += op(A)_id op(B)_dj
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.blas cimport blas_enter, blas_leave, blas_shared, gemm
from pyconv.core.tasks cimport poll, share_tasks, tasks_between_polls
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


# The pieces of one depth.
ctypedef struct layer_t:
    product_t s
    int64_t depth
    const void *a
    const void *b
    double beta
    void *c


cdef inline void _piece(const layer_t *u, int64_t number, const real *a, const real *b, real *c) noexcept nogil:
    cdef const product_t *s = &u.s
    cdef int64_t i = split_start(s.m, s.rows, number // s.columns)
    cdef int64_t j = split_start(s.n, s.columns, number % s.columns)
    cdef int64_t l = split_start(s.k, s.depths, u.depth)
    gemm[real](s.ta, s.tb, split_start(s.m, s.rows, number // s.columns + 1) - i,
               split_start(s.n, s.columns, number % s.columns + 1) - j, split_start(s.k, s.depths, u.depth + 1) - l,
               a + (l * s.lda + i if s.ta else i * s.lda + l), s.lda, b + (j * s.ldb + l if s.tb else l * s.ldb + j), s.ldb,
               <real>u.beta if u.depth == 0 else 1, c + i * s.ldc + j, s.ldc)


cdef inline void _piece_step(const task_t *t, const void *cut, int64_t number, char *_buffer) noexcept nogil:
    cdef const layer_t *u = <const layer_t *>cut
    if t.p.dtype == PYCONV_F32:
        _piece(u, number, <const float *>u.a, <const float *>u.b, <float *>u.c)
    else:
        _piece(u, number, <const double *>u.a, <const double *>u.b, <double *>u.c)


cdef inline bint _multiply(task_t *t, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                           const void *b, int64_t ldb, double beta, void *c, int64_t ldc) noexcept nogil:
    """The loop of core/tasks.pxd, inside BLAS while a chunk of it runs."""
    cdef layer_t u
    cdef int64_t pieces, chunk, first, last
    cdef double flops
    cdef int threads
    # Cut for the threads that were planned, whatever their number today: the same sums each time.
    u.s = cut_product(ta, tb, m, n, k, lda, ldb, ldc, t.slots)
    u.a, u.b, u.beta, u.c = a, b, beta, c
    pieces = u.s.rows * u.s.columns
    flops = 2.0 * m * n * k / (pieces * u.s.depths)
    threads = min(u.s.threads, t.threads)
    chunk = tasks_between_polls(flops, t.threads)
    for u.depth in range(u.s.depths):
        first = 0
        while first < pieces:
            last = min(first + chunk, pieces)
            blas_enter()
            share_tasks(t, _piece_step, &u, first, last, threads, NULL, 0)
            blas_leave()
            if poll(t, flops * (last - first)):
                return True
            first = last
    return False


cdef inline bint product(task_t *t, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                         const void *b, int64_t ldb, void *c, int64_t ldc) noexcept nogil:
    """C = op(A) op(B), what C held does not matter; of the problem's type. Whether the caller wants to stop."""
    return _multiply(t, ta, tb, m, n, k, a, lda, b, ldb, 0, c, ldc)


cdef inline bint product_add(task_t *t, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                             const void *b, int64_t ldb, void *c, int64_t ldc) noexcept nogil:
    """C += op(A) op(B); whether the caller wants to stop."""
    return _multiply(t, ta, tb, m, n, k, a, lda, b, ldb, 1, c, ldc)
