# SPDX-License-Identifier: BSD-3-Clause
"""
direct: the plain loop.

y[n][o][p][q] = sum over c, i, j of x[n][c][p*sh - ph0 + i*dh][q*sw - pw0 + j*dw] * w[o][c][i][j], summed in float64,
CHAIN products at a time, and rounded once. Serves everything, needs no memory, and is what the other algorithms are
compared with.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport CHAIN
from pyconv.core.half cimport element, half, load, store
from pyconv.core.tasks cimport run_tasks
from pyconv.core.problem cimport direct_multiplications
from pyconv.core.forms cimport add_form, begin_row
from pyconv.core.rows cimport padded_source
from pyconv.core.tail cimport finished


cdef inline double direct_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return 50e-9 + 2 * direct_multiplications(p) / p.rates.scalar / threads


cdef inline double _window(const problem_t *p, const element *x, const element *w, int64_t h0, int64_t w0) noexcept nogil:
    """One sum; x at the image's first channel of the group, w[icg][kh][kw] at the filter, (h0, w0) the window's corner."""
    cdef double total = 0
    cdef double chain = 0
    cdef int64_t room = CHAIN
    cdef int64_t i, j, c, h, v, first, last
    cdef const element *px
    cdef const element *pw
    for i in range(p.kh):
        h = padded_source(h0 + i * p.dh, p.ih, p.padding_mode)
        if h < 0:
            continue
        for j in range(p.kw):
            v = padded_source(w0 + j * p.dw, p.iw, p.padding_mode)
            if v < 0:
                continue
            px = x + h * p.xh + v * p.xw
            pw = w + i * p.kw + j
            first = 0
            while first < p.icg:
                last = min(first + room, p.icg)
                for c in range(first, last):
                    chain += load(px[c * p.xc]) * load(pw[c * p.kh * p.kw])
                room -= last - first
                first = last
                if room == 0:
                    total += chain
                    chain = 0
                    room = CHAIN
    return total + chain


cdef inline void _direct_row(const task_t *t, const element *weight, int64_t row) noexcept nogil:
    """Output row `row` of n*oc*oh."""
    cdef const problem_t *p = t.p
    cdef int64_t h = row % p.oh
    cdef int64_t o = row // p.oh % p.oc
    cdef int64_t n = row // (p.oh * p.oc)
    cdef int64_t q
    cdef int64_t at = n * p.yn + o * p.yc + h * p.yh
    cdef const element *x = <const element *>t.x + n * p.xn + o // p.ocg * p.icg * p.xc
    cdef const element *bias = <const element *>t.bias
    cdef const element *residual = <const element *>t.residual
    cdef double v
    for q in range(p.ow):
        v = _window(p, x, weight + o * p.k, h * p.sh - p.ph0, q * p.sw - p.pw0)
        if bias != NULL:
            v += load(bias[o])
        if residual != NULL:
            v += load(residual[at + q * p.yw])
        store(<element *>t.y + at + q * p.yw, finished[double](v, p.lo, p.hi))


cdef inline void _row_step(const task_t *t, const void *_cut, int64_t number, char *_buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _direct_row(t, <const float *>t.weight, number)
    elif t.p.dtype == PYCONV_F64:
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
