# SPDX-License-Identifier: BSD-3-Clause
"""
direct: the plain loop.

y[n][o][p][q] = sum over c, i, j of x[n][c][p*sh - ph0 + i*dh][q*sw - pw0 + j*dw] * w[o][c][i][j], summed in float64,
CHAIN products at a time, and rounded once. Serves everything, needs no memory, and is what the other algorithms are
compared with.
"""

from libc.stdint cimport int8_t, int16_t, int64_t, uint8_t, uint16_t

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport CHAIN
from pyconv.core.half cimport half, load, store
from pyconv.core.tasks cimport run_tasks
from pyconv.core.kernels cimport element_bytes
from pyconv.core.problem cimport direct_multiplications
from pyconv.core.forms cimport add_form, begin_row
from pyconv.core.rows cimport padded_source
from pyconv.core.tail cimport finished


cdef inline double direct_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return 50e-9 + 2 * direct_multiplications(p) / p.rates.scalar / threads


# What x, weight, bias, residual and y are made of: all of one type, or `char`, each of its own.
ctypedef fused held:
    float
    double
    half
    char


cdef inline double _get(const problem_t *p, const held *a, int dtype, int64_t i) noexcept nogil:
    cdef double v
    if held is not char:
        return load(a[i])
    elif dtype == PYCONV_F32:
        return (<const float *>a)[i]
    elif dtype == PYCONV_F64:
        return (<const double *>a)[i]
    elif dtype == PYCONV_U8:
        return (<const uint8_t *>a)[i]
    elif dtype == PYCONV_I8:
        return (<const int8_t *>a)[i]
    elif dtype == PYCONV_U16:
        return (<const uint16_t *>a)[i]
    elif dtype == PYCONV_I16:
        return (<const int16_t *>a)[i]
    else:
        p.kernels.f64.stage_in(dtype, a + i * element_bytes(dtype), 1, 1, &v, 0)
        return v


cdef inline void _put(const problem_t *p, held *a, int64_t i, double v) noexcept nogil:
    if held is char:
        p.kernels.f64.stage_out(p.y_dtype, &v, 0, 1, 1, a + i * element_bytes(p.y_dtype))
    else:
        store(a + i, v)


cdef inline double _window(const problem_t *p, const held *x, int64_t at, const held *w, int64_t filter_, int64_t h0,
                           int64_t w0) noexcept nogil:
    """One sum; x[at] is the image's first channel of the group, w[filter_][icg][kh][kw], (h0, w0) the window's corner."""
    cdef double total = 0
    cdef double chain = 0
    cdef double pixel = p.border
    cdef int64_t room = CHAIN
    cdef int64_t i, j, c, h, v, first, last, tap
    cdef bint inside
    for i in range(p.kh):
        h = padded_source(h0 + i * p.dh, p.ih, p.padding_mode)
        for j in range(p.kw):
            v = padded_source(w0 + j * p.dw, p.iw, p.padding_mode)
            inside = h >= 0 and v >= 0
            if not inside and p.padding_mode == PYCONV_ZEROS:
                continue
            tap = filter_ * p.k + i * p.kw + j
            first = 0
            while first < p.icg:
                last = min(first + room, p.icg)
                for c in range(first, last):
                    if inside:
                        pixel = _get(p, x, p.x_dtype, at + h * p.xh + v * p.xw + c * p.xc)
                    chain += pixel * _get(p, w, p.w_dtype, tap + c * p.kh * p.kw)
                room -= last - first
                first = last
                if room == 0:
                    total += chain
                    chain = 0
                    room = CHAIN
            pixel = p.border
    return total + chain


cdef inline void _direct_row(const task_t *t, const held *weight, int64_t row) noexcept nogil:
    """Output row `row` of n*oc*oh."""
    cdef const problem_t *p = t.p
    cdef int64_t h = row % p.oh
    cdef int64_t o = row // p.oh % p.oc
    cdef int64_t n = row // (p.oh * p.oc)
    cdef int64_t q
    cdef int64_t at = n * p.yn + o * p.yc + h * p.yh
    cdef int64_t first = n * p.xn + o // p.ocg * p.icg * p.xc
    cdef double v
    for q in range(p.ow):
        v = _window(p, <const held *>t.x, first, weight, o, h * p.sh - p.ph0, q * p.sw - p.pw0)
        if t.bias != NULL:
            v += _get(p, <const held *>t.bias, p.w_dtype, o)
        if t.residual != NULL:
            v += _get(p, <const held *>t.residual, p.y_dtype, at + q * p.yw)
        _put(p, <held *>t.y, at + q * p.yw, finished[double](v, p.lo, p.hi))


cdef inline void _row_step(const task_t *t, const void *_cut, int64_t number, char *_buffer) noexcept nogil:
    cdef const problem_t *p = t.p
    if p.x_dtype != p.w_dtype or p.y_dtype != p.w_dtype:
        _direct_row(t, <const char *>t.weight, number)
    elif p.w_dtype == PYCONV_F32:
        _direct_row(t, <const float *>t.weight, number)
    elif p.w_dtype == PYCONV_F64:
        _direct_row(t, <const double *>t.weight, number)
    else:
        _direct_row(t, <const half *>t.weight, number)


cdef inline int direct_run(task_t *t) noexcept nogil:
    """A sum of the plain loop takes as long as 16 of vectors."""
    cdef const problem_t *p = t.p
    return run_tasks(t, _row_step, NULL, p.n * p.oc * p.oh, 32.0 * max(p.k, 1) * p.ow, 0)


cdef inline void direct_row(algorithm_t *a) except *:
    begin_row(a, b"direct", b"the definition")
    a.in_place = True
    add_form(a, direct_seconds, direct_run)
