# SPDX-License-Identifier: BSD-3-Clause
"""
What the kn2row family shares: products of whole image rows shifted to the outputs they belong to, and
kn2row and kn2col themselves, which differ only in which way the product z of a whole image is turned.

y[r][q] += z[h][q*sw - pw0 + j*dw] for tap (i, j), h = r*sh - ph0 + i*dh: outputs whose tap is in the padding get nothing.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport CHAIN
from pyconv.core.tasks cimport MOVED, run_some
from pyconv.core.problem cimport direct_traffic
from pyconv.core.product cimport product
from pyconv.core.forms cimport add_form
from pyconv.core.rows cimport moving_seconds, reach
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport finish_image
from pyconv.core.threads cimport paying_threads
from pyconv.core.weights cimport pack_hwoi, weight_bytes

cdef inline const char *kn2_reason(const problem_t *p) noexcept nogil:
    if p.kh * p.kw > CHAIN:
        return b"it serves up to 256 taps: it adds them one after another, and the error of more leaves its class"
    return NULL


cdef inline size_t tap_weights(const problem_t *p, const cut_t *cut) noexcept nogil:
    return 0 if p.kh * p.kw == 1 else weight_bytes(p)


cdef inline void pack_taps(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_hwoi(p, <const float *>weight, <float *>packed)
    else:
        pack_hwoi(p, <const double *>weight, <double *>packed)


cdef inline void _add(int64_t count, const real *src, int64_t step, real *dst) noexcept nogil:
    cdef int64_t i
    if step == 1:
        for i in range(count):
            dst[i] += src[i]
    else:
        for i in range(count):
            dst[i] += src[i * step]


cdef inline void add_shifted(const problem_t *p, int64_t j, const real *z, int64_t pixel, int64_t filter, real *y) noexcept nogil:
    """
    Column j of the taps, from one image row of products onto one output row.

    z[iw][ocg] by the steps `pixel` and `filter`; y is the row of one filter in NCHW, of all of the group's in NHWC.
    """
    cdef int64_t first, last, q
    cdef int64_t offset = j * p.dw - p.pw0
    reach(p.ow, p.iw, p.sw, offset, &first, &last)
    if first == last:
        return
    z += (first * p.sw + offset) * pixel
    if p.layout == PYCONV_NCHW:
        _add(last - first, z, p.sw * pixel, y + first)
    else:
        for q in range(last - first):
            _add(p.ocg, z + q * p.sw * pixel, filter, y + (first + q) * p.yw)


cdef inline size_t _z_bytes(const problem_t *p) noexcept nogil:
    """kh*kw*ocg*ih*iw elements."""
    return times(times(times(<size_t>(p.kh * p.kw), <size_t>p.ocg), <size_t>(p.ih * p.iw)), p.itemsize)


cdef inline size_t kn2_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return _z_bytes(p)


cdef inline double kn2_multiplications(const problem_t *p, const cut_t *cut) noexcept nogil:
    """n*oc*icg*kh*kw*ih*iw: on input pixels, whatever the stride."""
    return <double>p.n * p.oc * p.k * p.ih * p.iw


cdef inline double kn2_traffic(const problem_t *p, const cut_t *cut) noexcept nogil:
    """z is written, and read where it is an output's."""
    cdef double planes = <double>p.n * p.oc * p.kh * p.kw
    return direct_traffic(p) + planes * (p.ih * p.iw + p.oh * p.ow) * p.itemsize


cdef inline double kn2_seconds(const problem_t *p, bint gathers, double multiplying, int threads) noexcept nogil:
    """`multiplying` is the time of one, and `gathers` says that the sums read z across its rows."""
    cdef double rows = <double>p.kh * p.kw * p.oh * (p.ocg if p.layout == PYCONV_NCHW else 1)
    cdef double sums = <double>p.kh * p.kw * p.oh * p.ow * p.ocg
    return p.n * p.g * (moving_seconds(p, rows, sums, gathers, _z_bytes(p), threads) + multiplying)


cdef inline void _shift_row(const problem_t *p, const real *z, int64_t tap, int64_t pixel, int64_t filter, int64_t r,
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


# The sums of one image and group: z, its steps, and where y begins.
ctypedef struct shifts_t:
    int64_t tap, pixel, filter
    int64_t at


cdef inline void _shift(const task_t *t, const shifts_t *s, int64_t row, const real *z) noexcept nogil:
    """Row `row` of ocg*oh in NCHW, of oh in NHWC."""
    cdef const problem_t *p = t.p
    cdef real *y = <real *>t.y + s.at
    if p.layout == PYCONV_NCHW:
        _shift_row(p, z + row // p.oh * s.filter, s.tap, s.pixel, s.filter, row % p.oh, y + row * p.ow)
    else:
        _shift_row(p, z, s.tap, s.pixel, s.filter, row, y + row * p.yh)


cdef inline void _shift_step(const task_t *t, const void *cut, int64_t number, char *_buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _shift(t, <const shifts_t *>cut, number, <const float *>t.workspace)
    else:
        _shift(t, <const shifts_t *>cut, number, <const double *>t.workspace)


cdef inline bint _shift_group(task_t *t, int64_t tap, int64_t pixel, int64_t filter, int64_t at) noexcept nogil:
    """All output rows of one image and group; whether the caller wants to stop."""
    cdef const problem_t *p = t.p
    cdef shifts_t s = shifts_t(tap, pixel, filter, at)
    cdef int64_t rows = p.ocg * p.oh if p.layout == PYCONV_NCHW else p.oh
    cdef double moved = <double>p.kh * p.kw * p.ocg * p.oh * p.ow
    return run_some(t, _shift_step, &s, 0, rows, MOVED * moved / rows, paying_threads(t.threads, 0, moved), NULL, 0)


cdef inline int _kn2(task_t *t, bint by_pixels, const real *weight) noexcept nogil:
    """z[ih*iw][kh*kw*ocg] if by_pixels, else z[kh*kw*ocg][ih*iw]; one image and group after the other."""
    cdef const problem_t *p = t.p
    cdef int64_t pixels = p.ih * p.iw
    cdef int64_t kernels = p.kh * p.kw * p.ocg
    cdef bint nchw = p.layout == PYCONV_NCHW
    cdef int64_t ldx = pixels if nchw else p.ic
    cdef int64_t image, g
    cdef const real *x
    cdef const real *w
    cdef real *z = <real *>t.workspace
    cdef int64_t at
    cdef bint stopped
    for image in range(p.n):
        for g in range(p.g):
            x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
            w = weight + g * p.ocg * p.k
            at = image * p.yn + g * p.ocg * p.yc
            if by_pixels:
                stopped = (product(t, nchw, True, pixels, kernels, p.icg, x, ldx, w, p.icg, z, kernels)
                           or _shift_group(t, p.ocg, kernels, 1, at))
            else:
                stopped = (product(t, False, not nchw, kernels, pixels, p.icg, w, p.icg, x, ldx, z, pixels)
                           or _shift_group(t, p.ocg * pixels, 1, pixels, at))
            if stopped:
                return PYCONV_STATUS_INTERRUPTED
        finish_image(t, image)
    return PYCONV_STATUS_OK


cdef inline int kn2_run(task_t *t, bint by_pixels) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _kn2(t, by_pixels, <const float *>t.weight)
    return _kn2(t, by_pixels, <const double *>t.weight)


cdef inline void add_kn2_form(algorithm_t *a, double (*seconds)(const problem_t *, const cut_t *, int) noexcept nogil,
                              int (*run)(task_t *) noexcept nogil) except *:
    cdef form_t *f = add_form(a, seconds, run)
    f.workspace = kn2_workspace
    f.packed, f.pack = tap_weights, pack_taps
    f.multiplications, f.traffic = kn2_multiplications, kn2_traffic
