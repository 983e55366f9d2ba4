# SPDX-License-Identifier: BSD-3-Clause
"""
C[m][n] = op(A)[m][k] op(B)[k][n] by Strassen's recursion in Winograd's form, on quadrants: 7 products, 15 additions.

S1 = A21 + A22, S2 = S1 - A11, S3 = A11 - A21, S4 = A12 - S2;  T1 = B12 - B11, T2 = B22 - T1, T3 = B22 - B12, T4 = T2 - B21
P1 = A11 B11, P2 = A12 B21, P3 = S4 B22, P4 = A22 T4, P5 = S1 T1, P6 = S2 T2, P7 = S3 T3
C11 = P1 + P2, U2 = P1 + P6, U3 = U2 + P7, C12 = U2 + P5 + P3, C21 = U3 - P4, C22 = U3 + P5

The order is that of Douglas, Heroux, Slishman, Smith 1994 (Boyer, Dumas, Pernet, Zhou 2009, table 1): two temporaries, X and Y,
and the quadrants of C. Odd rows and columns are peeled off and multiplied by BLAS.
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange

from pyconv.core.accuracy cimport sum_bound
from pyconv.core.types cimport *
from pyconv.core.tasks cimport MOVED, poll
from pyconv.core.product cimport product, product_add, product_seconds
from pyconv.core.rates cimport rates_t, stream_seconds
from pyconv.core.sizes cimport plus, times
from pyconv.core.threads cimport paying_threads

cdef enum:
    # Smallest side of the quadrants of a further level. Squares of 1024, 2048, 3072 took 1.19, 1.10, 1.02 of BLAS's time at
    # one level, with SciPy's OpenBLAS 0.3.30 on a Sapphire-Rapids-class core: smaller ones lose more on 15 additions than
    # they gain on a product.
    LEAF = 2048


cdef inline int recursion_depth(int64_t m, int64_t n, int64_t k) noexcept nogil:
    """Levels of the recursion: one, or as many as leave sides of LEAF; 0 where there are no quadrants."""
    cdef int64_t side = min(m, min(n, k))
    cdef int depth = 1
    if side < 2:
        return 0
    while side >> (depth + 1) >= LEAF:
        depth += 1
    return depth


cdef inline size_t recursion_elements(int64_t m, int64_t n, int64_t k, int depth) noexcept nogil:
    """X of m/2 * max(k, n)/2 and Y of k/2 * n/2 at each level."""
    cdef size_t count = 0
    while depth > 0:
        m, n, k, depth = m // 2, n // 2, k // 2, depth - 1
        count = plus(count, plus(times(<size_t>m, <size_t>max(k, n)), times(<size_t>k, <size_t>n)))
    return count


cdef inline double recursion_multiplications(int64_t m, int64_t n, int64_t k, int depth) noexcept nogil:
    """Seven products of each level's quadrants, and what was peeled."""
    cdef double count = 0
    cdef double products = 1
    while depth > 0:
        count += products * (<double>m * n * k - 8.0 * (m // 2) * (n // 2) * (k // 2))
        m, n, k, depth, products = m // 2, n // 2, k // 2, depth - 1, 7 * products
    return count + products * m * n * k


cdef inline double recursion_bound(int64_t k, int depth) noexcept nogil:
    """
    Of the error, against the largest norms of a row of A and a column of B, see `core.accuracy`.

    By such norms P1 .. P7 of a level grow to 1, 1, 2 sqrt2, 2 sqrt2, 2 sqrt2, (1 + sqrt2)^2, 4 times those of its matrices;
    C22, the largest sum, to 13.7. Numbers pass through 10 additions.
    """
    cdef double bound = sum_bound(k)
    while depth > 0:
        bound, depth = 13.7 * (bound + 10), depth - 1
    return bound


cdef inline double recursion_seconds(const rates_t *r, int64_t m, int64_t n, int64_t k, int depth, size_t itemsize,
                                     int threads) noexcept nogil:
    """The products, and the additions of 4 quadrants of A, 4 of B and 7 of C at each level: two are read, one written."""
    cdef double seconds = 0
    cdef double products = 1
    while depth > 0:
        m, n, k, depth = m // 2, n // 2, k // 2, depth - 1
        seconds += products * stream_seconds(r, 3.0 * itemsize * (4.0 * m * k + 4.0 * k * n + 7.0 * m * n)) / threads
        products *= 7
    return seconds + products * product_seconds(r, m, n, k, itemsize, threads)


cdef inline void _combine(int threads, int64_t rows, int64_t cols, const real *a, int64_t lda, real sign, const real *b,
                          int64_t ldb, real *c, int64_t ldc) noexcept nogil:
    """c[rows][cols] = a + sign b; c may be a or b."""
    cdef int64_t i, j
    threads = paying_threads(threads, 0, <double>rows * cols)
    for i in prange(rows, num_threads=threads, schedule="static"):
        for j in range(cols):
            c[i * ldc + j] = a[i * lda + j] + sign * b[i * ldb + j]


cdef inline bint _peeled(task_t *t, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b,
                         int64_t ldb, real *c, int64_t ldc) noexcept nogil:
    """
    What the even parts of m, n and k have left out: the last of k, then the last column and the last row of C. Whether the
    caller wants to stop.
    """
    cdef int64_t last_a = (k - 1) * lda if ta else k - 1
    cdef int64_t last_b = k - 1 if tb else (k - 1) * ldb
    cdef int64_t even_m = m // 2 * 2
    cdef int64_t even_n = n // 2 * 2
    if k % 2 and product_add(t, ta, tb, even_m, even_n, 1, a + last_a, lda, b + last_b, ldb, c, ldc):
        return True
    if n % 2 and product(t, ta, tb, even_m, 1, k, a, lda, b + (even_n * ldb if tb else even_n), ldb, c + even_n, ldc):
        return True
    return m % 2 and product(t, ta, tb, 1, n, k, a + (even_m if ta else even_m * lda), lda, b, ldb, c + even_m * ldc, ldc)


cdef inline bint strassen(task_t *t, int depth, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const real *a, int64_t lda,
                          const real *b, int64_t ldb, real *c, int64_t ldc, real *work) noexcept nogil:
    """work of recursion_elements(); whether the caller wants to stop."""
    if depth == 0:
        return product(t, ta, tb, m, n, k, a, lda, b, ldb, c, ldc)
    cdef int64_t h = m // 2
    cdef int64_t w = n // 2
    cdef int64_t d = k // 2
    # Quadrants as they are stored, turned where ta, tb say so.
    cdef const real *a11 = a
    cdef const real *a12 = a + (d * lda if ta else d)
    cdef const real *a21 = a + (h if ta else h * lda)
    cdef const real *a22 = a12 + (a21 - a)
    cdef const real *b11 = b
    cdef const real *b12 = b + (w * ldb if tb else w)
    cdef const real *b21 = b + (d if tb else d * ldb)
    cdef const real *b22 = b12 + (b21 - b)
    cdef real *c11 = c
    cdef real *c12 = c + w
    cdef real *c21 = c + h * ldc
    cdef real *c22 = c21 + w
    cdef real *x = work
    cdef real *y = work + h * max(d, w)
    cdef int64_t ar = d if ta else h, ac = h if ta else d
    cdef int64_t br = w if tb else d, bc = d if tb else w
    cdef int e = depth - 1
    cdef int z = t.threads
    work = y + d * w
    _combine[real](z, ar, ac, a11, lda, -1, a21, lda, x, ac)                                    # S3
    _combine[real](z, br, bc, b22, ldb, -1, b12, ldb, y, bc)                                    # T3
    if strassen(t, e, ta, tb, h, w, d, <const real *>x, ac, <const real *>y, bc, c21, ldc, work):     # P7
        return True
    _combine[real](z, ar, ac, a21, lda, 1, a22, lda, x, ac)                                     # S1
    _combine[real](z, br, bc, b12, ldb, -1, b11, ldb, y, bc)                                    # T1
    if strassen(t, e, ta, tb, h, w, d, <const real *>x, ac, <const real *>y, bc, c22, ldc, work):     # P5
        return True
    _combine[real](z, ar, ac, x, ac, -1, a11, lda, x, ac)                                       # S2
    _combine[real](z, br, bc, b22, ldb, -1, y, bc, y, bc)                                       # T2
    if strassen(t, e, ta, tb, h, w, d, <const real *>x, ac, <const real *>y, bc, c12, ldc, work):     # P6
        return True
    _combine[real](z, ar, ac, a12, lda, -1, x, ac, x, ac)                                       # S4
    if strassen(t, e, ta, tb, h, w, d, <const real *>x, ac, b22, ldb, c11, ldc, work):                # P3
        return True
    if strassen(t, e, ta, tb, h, w, d, a11, lda, b11, ldb, x, w, work):                               # P1
        return True
    _combine[real](z, h, w, x, w, 1, c12, ldc, c12, ldc)                                        # U2
    _combine[real](z, h, w, c12, ldc, 1, c21, ldc, c21, ldc)                                    # U3
    _combine[real](z, h, w, c12, ldc, 1, c22, ldc, c12, ldc)                                    # U2 + P5
    _combine[real](z, h, w, c21, ldc, 1, c22, ldc, c22, ldc)                                    # C22
    _combine[real](z, h, w, c12, ldc, 1, c11, ldc, c12, ldc)                                    # C12
    _combine[real](z, br, bc, y, bc, -1, b21, ldb, y, bc)                                       # T4
    if strassen(t, e, ta, tb, h, w, d, a22, lda, <const real *>y, bc, c11, ldc, work):                # P4
        return True
    _combine[real](z, h, w, c21, ldc, -1, c11, ldc, c21, ldc)                                   # C21
    if strassen(t, e, ta, tb, h, w, d, a12, lda, b21, ldb, c11, ldc, work):                           # P2
        return True
    _combine[real](z, h, w, x, w, 1, c11, ldc, c11, ldc)                                        # C11
    if poll(t, <double>MOVED * (4.0 * ar * ac + 4.0 * br * bc + 7.0 * h * w)):
        return True
    return _peeled(t, ta, tb, m, n, k, a, lda, b, ldb, c, ldc)
