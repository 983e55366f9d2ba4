# SPDX-License-Identifier: BSD-3-Clause
"""The last pass over the output: y = clip(y + bias + residual, lo, hi), where NaN stays NaN."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from cython.parallel cimport prange

from pyconv.core.kernels cimport BIAS_COLUMN, BIAS_ROW, CLAMP, RESIDUAL, epilogue_t, split_start
from pyconv.core.threads cimport paying_threads
from pyconv.core.types cimport *


cdef inline bint has_tail(const task_t *t) noexcept nogil:
    return t.bias != NULL or t.residual != NULL or t.p.lo != -INFINITY or t.p.hi != INFINITY


cdef inline int tail_flags(const task_t *t, bint filters_are_rows) noexcept nogil:
    """The same pass as an epilogue of the kernels: of rows that are filters, or else columns."""
    cdef int flags = 0
    if t.bias != NULL:
        flags |= BIAS_ROW if filters_are_rows else BIAS_COLUMN
    if t.residual != NULL:
        flags |= RESIDUAL
    if t.p.lo != -INFINITY or t.p.hi != INFINITY:
        flags |= CLAMP
    return flags


cdef inline epilogue_t tail_of(const task_t *t, int flags, int64_t filter, int64_t at) noexcept nogil:
    """What `flags` ask of the kernels for outputs from offset `at` in y on, of filters from this one on."""
    cdef epilogue_t e
    cdef int64_t size = t.p.itemsize
    e.flags, e.lo, e.hi = flags, t.p.lo, t.p.hi
    e.bias = <const char *>t.bias + filter * size if t.bias != NULL else NULL
    e.residual = <const char *>t.residual + at * size if t.residual != NULL else NULL
    return e


cdef inline real finished(real v, real lo, real hi) noexcept nogil:
    """Comparisons with NaN are false, so NaN passes."""
    return lo if v < lo else hi if v > hi else v


cdef inline void finish_rows(const task_t *t, int64_t at, int64_t rows, int64_t count, int64_t filter,
                             bint planes) noexcept nogil:
    """rows of `count` elements from offset `at`: a filter each where rows are channel planes, else a row of filters."""
    cdef epilogue_t e = tail_of(t, tail_flags(t, planes), filter, at)
    t.p.ops.epilogue_rows(rows, count, <char *>t.y + at * <int64_t>t.p.itemsize, count, count, &e)


cdef inline void finish_image(const task_t *t, int64_t image) noexcept nogil:
    """One image after all its groups: rows are channels in NCHW (oh*ow long), pixels in NHWC (oc long)."""
    cdef const problem_t *p = t.p
    cdef int64_t part, first, last
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int64_t rows = p.oc if planes else p.oh * p.ow
    cdef int64_t count = p.oh * p.ow if planes else p.oc
    cdef int threads = paying_threads(t.threads, 0, p.yn)
    if not has_tail(t):
        return
    if threads == 1:
        finish_rows(t, image * p.yn, rows, count, 0, planes)
        return
    for part in prange(threads, num_threads=threads, schedule="static"):
        first = split_start(rows, threads, part)
        last = split_start(rows, threads, part + 1)
        finish_rows(t, image * p.yn + first * count, last - first, count, first if planes else 0, planes)
