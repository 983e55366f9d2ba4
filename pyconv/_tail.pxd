# SPDX-License-Identifier: BSD-3-Clause
"""The last pass over the output: y = clip(y + bias + residual, lo, hi), where NaN stays NaN."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from cython.parallel cimport prange

from pyconv._types cimport *


cdef inline bint has_tail(const task_t *t) noexcept nogil:
    return t.bias != NULL or t.residual != NULL or t.p.lo != -INFINITY or t.p.hi != INFINITY


cdef inline real finished(real v, real lo, real hi) noexcept nogil:
    """Comparisons with NaN are false, so NaN passes."""
    return lo if v < lo else hi if v > hi else v


cdef inline void _finish_row(const task_t *t, int64_t offset, int64_t count, const real *bias, int64_t bias_step) noexcept nogil:
    """y[offset + q] for q < count, with bias[q*bias_step]."""
    cdef real *y = <real *>t.y + offset
    cdef const real *residual = <const real *>t.residual
    cdef real lo = <real>t.p.lo
    cdef real hi = <real>t.p.hi
    cdef int64_t q
    cdef real b
    if residual != NULL:
        residual += offset
        for q in range(count):
            y[q] += residual[q]
    if bias != NULL and bias_step == 0:
        b = bias[0]
        for q in range(count):
            y[q] = finished(y[q] + b, lo, hi)
    elif bias != NULL:
        for q in range(count):
            y[q] = finished(y[q] + bias[q], lo, hi)
    else:
        for q in range(count):
            y[q] = finished(y[q], lo, hi)


cdef inline void finish_image(const task_t *t, int64_t image, const real *bias) noexcept nogil:
    """One image after all its groups: rows are channels in NCHW (oh*ow long), pixels in NHWC (oc long)."""
    cdef const problem_t *p = t.p
    cdef int64_t r
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int64_t rows = p.oc if planes else p.oh * p.ow
    cdef int64_t count = p.oh * p.ow if planes else p.oc
    if not has_tail(t):
        return
    for r in prange(rows, num_threads=t.threads, schedule="static"):
        _finish_row[real](t, image * p.yn + r * count, count,
                          NULL if bias == NULL else bias + (r if planes else 0), 0 if planes else 1)


cdef inline bint poll(task_t *t, double flops) noexcept nogil:
    """Between blocks: whether the caller wants to stop. Asks once in some 5e8 flops, since asking may take the GIL."""
    t.work += flops
    if t.interrupted == NULL or t.work < 5e8:
        return False
    t.work = 0
    return t.interrupted()
