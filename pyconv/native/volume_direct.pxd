# SPDX-License-Identifier: BSD-3-Clause
"""
direct, of volumes: the plain loop.

y[n][o][d][p][q] = sum over c, t, i, j of x[n][c][d*sd - pd + t*dd][p*sh - ph + i*dh][q*sw - pw + j*dw] * w[o][c][t][i][j],
summed in float64, CHAIN products at a time, and rounded once. Serves everything and needs no memory.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.algorithms.direct cimport _get, _put, held
from pyconv.core.accuracy cimport CHAIN
from pyconv.core.half cimport half
from pyconv.core.rows cimport padded_source
from pyconv.core.tail cimport finished
from pyconv.core.tasks cimport run_tasks
from pyconv.native.volume cimport volume_t

cdef inline double _window(const problem_t *p, const volume_t *v, const held *x, int64_t at, const held *w, int64_t filter_,
                           const int64_t *corner) noexcept nogil:
    """One sum; x[at] is the volume's first channel of the group, w[filter_][icg][taps], `corner` that of the window."""
    cdef double total = 0
    cdef double chain = 0
    cdef double pixel
    cdef int64_t room = CHAIN
    cdef const int64_t *kernel = v.a.kernel
    cdef int64_t taps = kernel[0] * kernel[1] * kernel[2]
    cdef int64_t t, i, j, c, s0, s1, s2, place, tap
    cdef bint inside
    for t in range(kernel[0]):
        s0 = padded_source(corner[0] + t * v.a.dilation[0], v.a.size[0], p.padding_mode)
        for i in range(kernel[1]):
            s1 = padded_source(corner[1] + i * v.a.dilation[1], v.a.size[1], p.padding_mode)
            for j in range(kernel[2]):
                s2 = padded_source(corner[2] + j * v.a.dilation[2], v.a.size[2], p.padding_mode)
                inside = s0 >= 0 and s1 >= 0 and s2 >= 0
                place = at + s0 * v.xs[0] + s1 * v.xs[1] + s2 * v.xs[2]
                tap = (filter_ * p.icg * kernel[0] + t) * kernel[1] * kernel[2] + i * kernel[2] + j
                for c in range(p.icg):
                    pixel = _get(p, x, p.x_dtype, place + c * v.xc) if inside else p.border
                    chain += pixel * _get(p, w, p.w_dtype, tap + c * taps)
                    room -= 1
                    if room == 0:
                        total += chain
                        chain = 0
                        room = CHAIN
    return total + chain


cdef inline void _volume_row(const task_t *t, const volume_t *v, const held *weight, int64_t row) noexcept nogil:
    """Output row `row` of n * oc * slices * rows."""
    cdef const problem_t *p = t.p
    cdef int64_t h = row % v.a.outputs[1]
    cdef int64_t d = row // v.a.outputs[1] % v.a.outputs[0]
    cdef int64_t o = row // (v.a.outputs[1] * v.a.outputs[0]) % p.oc
    cdef int64_t n = row // (v.a.outputs[1] * v.a.outputs[0] * p.oc)
    cdef int64_t at = n * v.yn + o * v.yc + d * v.ys[0] + h * v.ys[1]
    cdef int64_t first = n * v.xn + o // p.ocg * p.icg * v.xc
    cdef int64_t[3] corner
    cdef int64_t q
    cdef double sum_
    corner[0], corner[1] = d * v.a.stride[0] - v.a.before[0], h * v.a.stride[1] - v.a.before[1]
    for q in range(v.a.outputs[2]):
        corner[2] = q * v.a.stride[2] - v.a.before[2]
        sum_ = _window(p, v, <const held *>t.x, first, weight, o, corner)
        if t.bias != NULL:
            sum_ += _get(p, <const held *>t.bias, p.w_dtype, o)
        if t.residual != NULL:
            sum_ += _get(p, <const held *>t.residual, p.y_dtype, at + q * v.ys[2])
        _put(p, <held *>t.y, at + q * v.ys[2], finished[double](sum_, p.lo, p.hi))


cdef inline void _row_step(const task_t *t, const void *volume, int64_t number, char *_buffer) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef const volume_t *v = <const volume_t *>volume
    if p.x_dtype != p.w_dtype or p.y_dtype != p.w_dtype:
        _volume_row(t, v, <const char *>t.weight, number)
    elif p.w_dtype == PYCONV_F32:
        _volume_row(t, v, <const float *>t.weight, number)
    elif p.w_dtype == PYCONV_F64:
        _volume_row(t, v, <const double *>t.weight, number)
    else:
        _volume_row(t, v, <const half *>t.weight, number)


cdef inline int64_t volume_rows(const volume_t *v, const problem_t *p) noexcept nogil:
    """Of the result."""
    return v.a.n * p.oc * v.a.outputs[0] * v.a.outputs[1]


cdef inline double volume_row_products(const volume_t *v, const problem_t *p) noexcept nogil:
    return <double>p.icg * v.a.kernel[0] * v.a.kernel[1] * v.a.kernel[2] * v.a.outputs[2]


cdef inline int volume_direct_run(task_t *t, const volume_t *v) noexcept nogil:
    """A sum of the plain loop takes as long as 16 of vectors."""
    return run_tasks(t, _row_step, v, volume_rows(v, t.p), 32 * volume_row_products(v, t.p) + 1, 0)
