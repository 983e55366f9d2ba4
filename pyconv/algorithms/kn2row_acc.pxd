# SPDX-License-Identifier: BSD-3-Clause
"""
kn2row_acc: kn2row that accumulates inside BLAS, in little memory (Anderson, Vasudevan, Keane, Gregg 2017).

For each column j of the taps, on a block of output rows:
    z[ocg][rows*iw] = sum over i of w[i][j][ocg][icg] x[icg][image rows of i];  y[o][r][q] += z[o][r][column of (q, j)]
Shifts along the height are offsets into x, exact at every border, so the sum over i is beta = 1 of the GEMM; only shifts along
the width, which would run into the neighbouring row, are added afterwards: kw of them, not kh*kw. In NHWC z is [rows*iw][ocg].
"""

from libc.stdint cimport int64_t
from libc.string cimport memset
from cython.parallel cimport prange

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport CHAIN
from pyconv.core.blas cimport blas_reason
from pyconv.engines.kn2 cimport add_shifted, pack_taps, tap_weights
from pyconv.core.tasks cimport MOVED, poll
from pyconv.core.product cimport product_add, product_seconds
from pyconv.core.forms cimport add_form, begin_row
from pyconv.core.rows cimport moving_seconds, reach
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport finish_image
from pyconv.core.threads cimport paying_threads

cdef enum:
    BLOCK_BYTES = 1 << 19     # of z: within the second cache level, and still long GEMMs


ctypedef struct kn2row_acc_t:
    int64_t rows              # of outputs whose z exists at once


cdef inline int64_t _rows(const problem_t *p) noexcept nogil:
    """As many of the oh rows as fit, at least one."""
    cdef double row = <double>p.ocg * p.iw * p.itemsize
    return max(1, min(p.oh, <int64_t>(BLOCK_BYTES / row)))


cdef inline const char *kn2row_acc_supports(const problem_t *p) noexcept nogil:
    if p.kh > CHAIN or p.kw > CHAIN:
        return b"it serves up to 256 rows and columns: it adds them one after another, and the error of more leaves its class"
    return blas_reason(p.ocg, p.oh * p.iw, p.icg, p.ic, p.ih * p.iw, p.ocg)


cdef inline bint _serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<kn2row_acc_t *>room(cut, sizeof(kn2row_acc_t))).rows = _rows(p)
    return True


cdef inline size_t kn2row_acc_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """z: ocg*rows*iw elements."""
    return times(times(<size_t>p.ocg, <size_t>((<const kn2row_acc_t *>cut).rows * p.iw)), p.itemsize)


cdef inline double _tap_rows(const problem_t *p) noexcept nogil:
    """
    Pairs of an output row and a kernel row that meet in the image; of a kernel of thousands of rows some 4,096 are asked,
    each for those behind it.
    """
    cdef int64_t step = (p.kh + 4095) // 4096
    cdef int64_t first, last
    cdef int64_t i = 0
    cdef double rows = 0
    while i < p.kh:
        reach(p.oh, p.ih, p.sh, i * p.dh - p.ph0, &first, &last)
        rows += <double>(last - first) * min(step, p.kh - i)
        i += step
    return rows


cdef inline double kn2row_acc_multiplications(const problem_t *p, const cut_t *cut) noexcept nogil:
    """n*oc*icg*kw*iw for each output row and kernel row that meet in the image."""
    return <double>p.n * p.oc * p.icg * p.kw * p.iw * _tap_rows(p)


cdef inline double kn2row_acc_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef int64_t block = (<const kn2row_acc_t *>cut).rows
    cdef double rows = block if p.sh == 1 else 1
    cdef double calls = <double>p.kw * _tap_rows(p) / rows
    cdef double lines = <double>p.kw * p.oh * (p.ocg if p.layout == PYCONV_NCHW else 1)
    # Threads share the lines of one block and column of the taps.
    cdef int sharing = paying_threads(threads, 0, <double>p.ocg * block * p.ow)
    cdef double adding = moving_seconds(p, lines, <double>p.kw * p.ocg * p.oh * p.ow, False, 0, sharing)
    cdef double product
    if p.layout == PYCONV_NCHW:
        product = product_seconds(&p.rates, p.ocg, rows * p.iw, p.icg, p.itemsize, threads)
    else:
        product = product_seconds(&p.rates, rows * p.iw, p.ocg, p.icg, p.itemsize, threads)
    return p.n * p.g * (adding + calls * product)


cdef inline bint _multiply_row(task_t *t, int64_t r, int64_t rows, int64_t i, const real *x, const real *w,
                               real *z, int64_t ldz) noexcept nogil:
    """
    Kernel row i on `rows` neighbouring image rows, for the output row r and those after it; whether the caller wants to
    stop.
    """
    cdef const problem_t *p = t.p
    cdef int64_t h = r * p.sh - p.ph0 + i * p.dh
    if p.layout == PYCONV_NCHW:
        return product_add(t, False, False, p.ocg, rows * p.iw, p.icg, w, p.icg, x + h * p.xh, p.xc, z, ldz)
    return product_add(t, False, True, rows * p.iw, p.ocg, p.icg, x + h * p.xh, p.ic, w, p.icg, z, ldz)


cdef inline bint _accumulate(task_t *t, int64_t r0, int64_t rows, int64_t j, const real *x, const real *w,
                             real *z) noexcept nogil:
    """z of column j of the taps for the output rows r0 <= r < r0 + rows; whether the caller wants to stop."""
    cdef const problem_t *p = t.p
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int64_t ldz = rows * p.iw if planes else p.ocg
    cdef int64_t row = p.iw if planes else p.iw * p.ocg
    cdef int64_t i, r, first, last, run
    memset(z, 0, p.ocg * rows * p.iw * sizeof(real))
    for i in range(p.kh):
        reach(rows, p.ih, p.sh, r0 * p.sh - p.ph0 + i * p.dh, &first, &last)
        run = last - first if p.sh == 1 else 1
        r = first
        while r < last:
            if _multiply_row(t, r0 + r, run, i, x, w + (i * p.kw + j) * p.ocg * p.icg, z + r * row, ldz):
                return True
            r += run
    return False


cdef inline bint _row_block(task_t *t, int64_t r0, int64_t rows, const real *x, const real *w, real *y) noexcept nogil:
    """Output rows r0 <= r < r0 + rows of one image and group; whether the caller wants to stop."""
    cdef const problem_t *p = t.p
    cdef real *z = <real *>t.workspace
    cdef int64_t j, o, r, q, line
    cdef int threads = paying_threads(t.threads, 0, <double>p.ocg * rows * p.ow)
    if p.layout == PYCONV_NCHW:
        for o in range(p.ocg):
            memset(y + o * p.yc + r0 * p.yh, 0, rows * p.ow * sizeof(real))
    else:
        for q in range(rows * p.ow):
            memset(y + r0 * p.yh + q * p.yw, 0, p.ocg * sizeof(real))
    for j in range(p.kw):
        if _accumulate(t, r0, rows, j, x, w, z):
            return True
        if p.layout == PYCONV_NCHW:
            for line in prange(p.ocg * rows, num_threads=threads, schedule="static"):
                add_shifted(p, j, z + line * p.iw, 1, 0, y + line // rows * p.yc + (r0 + line % rows) * p.yh)
        else:
            for r in prange(rows, num_threads=threads, schedule="static"):
                add_shifted(p, j, z + r * p.iw * p.ocg, p.ocg, 1, y + (r0 + r) * p.yh)
        if poll(t, <double>MOVED * p.ocg * rows * p.iw):
            return True
    return False


cdef inline int _kn2row_acc(task_t *t, const real *weight) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t block = (<const kn2row_acc_t *>t.cut).rows
    cdef int64_t image, g, r
    for image in range(p.n):
        for g in range(p.g):
            r = 0
            while r < p.oh:
                if _row_block(t, r, min(block, p.oh - r), <const real *>t.x + image * p.xn + g * p.icg * p.xc,
                              weight + g * p.ocg * p.k, <real *>t.y + image * p.yn + g * p.ocg * p.yc):
                    return PYCONV_STATUS_INTERRUPTED
                r += block
        finish_image(t, image)
    return PYCONV_STATUS_OK


cdef inline int kn2row_acc_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _kn2row_acc(t, <const float *>t.weight)
    return _kn2row_acc(t, <const double *>t.weight)


cdef inline void kn2row_acc_row(algorithm_t *a) except *:
    begin_row(a, b"kn2row_acc", b"Anderson et al. 2017")
    a.supports = kn2row_acc_supports
    cdef form_t *f = add_form(a, kn2row_acc_seconds, kn2row_acc_run)
    f.serves = _serves
    f.workspace = kn2row_acc_workspace
    f.packed, f.pack = tap_weights, pack_taps
    f.multiplications = kn2row_acc_multiplications
