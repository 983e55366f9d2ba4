# SPDX-License-Identifier: BSD-3-Clause
"""What each algorithm needs for a problem, whether it may serve, and the choice: a pure function."""

from libc.math cimport INFINITY

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport class_bound
from pyconv.core.problem cimport is_empty, padded_problem, set_dtype
from pyconv.core.rates cimport pack_seconds, stream_seconds
from pyconv.core.sizes cimport TOO_LARGE, aligned, plus, times
from pyconv.core.weights cimport weight_bytes
from pyconv.algorithms.table cimport ALGORITHMS, DIRECT

# What one algorithm would need for one problem. Of UNSUPPORTED `inner` and sizes of 0; without a form, no cut either.
ctypedef struct needs_t:
    int status                # OK, or why it may not serve
    const char *reason        # of UNSUPPORTED
    const form_t *form        # that serves, with its cut; NULL if none does
    cut_t cut
    problem_t inner           # what the algorithm sees: float32 for float16, a padded image where it knows zeros only
    size_t converted          # bytes of x, y and residual in float32, each; 0 unless converted
    size_t converted_y
    size_t padded             # bytes of the padded image; 0 unless padded
    size_t workspace          # bytes, all of the above included
    size_t packed             # bytes of weights the plan owns
    bint raw                  # the OIHW weights are read as they are, be they owned or
    bint borrows              # the caller's


cdef inline void _refuse(needs_t *need, const char *reason) noexcept nogil:
    need.status, need.reason = PYCONV_STATUS_UNSUPPORTED, reason
    need.workspace = need.packed = 0
    need.raw = need.borrows = False


cdef inline void needs(needs_t *need, const algorithm_t *a, const problem_t *p, const pyconv_conv2d_t *d, int threads,
                       bint borrow) noexcept nogil:
    """
    borrow: whether weights that need no packing may stay the caller's. A plan that outlives the call owns a copy, if
    max_workspace has room for one.
    """
    cdef int i
    cdef size_t budget = <size_t>d.max_workspace if d.max_workspace >= 0 else TOO_LARGE - 1
    need.form = NULL
    need.inner = p[0]
    need.inner.m, need.inner.r = a.m, a.r
    need.converted = need.converted_y = need.padded = 0
    if is_empty(p) and not a.in_place:
        _refuse(need, "x without channels and weight without filters are served by direct alone")
        return
    if p.dtype == PYCONV_F16 and not a.in_place:
        set_dtype(&need.inner, PYCONV_F32)
        need.converted = aligned(<size_t>(p.n * p.xn) * 4)
        need.converted_y = aligned(<size_t>(p.n * p.yn) * 4)
    if p.padding_mode != PYCONV_ZEROS and not a.in_place:
        need.inner = padded_problem(&need.inner)
        need.padded = aligned(times(<size_t>(need.inner.n * need.inner.xn), need.inner.itemsize))
    need.reason = a.supports(&need.inner)
    if need.reason != NULL:
        _refuse(need, need.reason)
        return
    for i in range(a.form_count):
        if a.forms[i].serves(&need.inner, threads, &need.cut):
            need.form = &a.forms[i]
            break
    promised(need.form != NULL)
    need.workspace = plus(plus(need.converted, times(2, need.converted_y)),
                          plus(need.padded, need.form.workspace(&need.inner, &need.cut, threads)))
    need.packed = need.form.packed(&need.inner, &need.cut)
    need.raw = need.packed == 0
    if need.raw:
        need.packed = weight_bytes(&need.inner)
    need.borrows = need.raw and need.inner.dtype == p.dtype and (
        borrow or need.packed == 0 or plus(need.workspace, need.packed) > budget)
    if need.borrows:
        need.packed = 0
    if a.accuracy > d.accuracy:
        need.status = PYCONV_STATUS_UNDER_ACCURACY
    elif a.accuracy > PYCONV_STRICT and need.form.bound(&need.inner, &need.cut) > class_bound(&need.inner, a.accuracy):
        need.status = PYCONV_STATUS_UNSUPPORTED
        need.reason = "the bound of its error is above that of its class"
    elif plus(need.workspace, need.packed) > budget:
        need.status = PYCONV_STATUS_OVER_BUDGET
    else:
        need.status = PYCONV_STATUS_OK


cdef inline double _copied(const problem_t *p, const needs_t *need) noexcept nogil:
    """Bytes read and written by copies in another type or with another border."""
    cdef double copied = 2.0 * need.padded
    if need.converted > 0:
        copied += need.converted + need.converted_y + (<double>p.n * (p.xn + p.yn)) * p.itemsize
    return copied


cdef inline double traffic(const problem_t *p, const needs_t *need) noexcept nogil:
    """Bytes read and written beyond a core's cache, those copies included; of what has a form."""
    return need.form.traffic(&need.inner, &need.cut) + _copied(p, need)


cdef inline double seconds(const problem_t *p, const needs_t *need, int threads) noexcept nogil:
    """The prediction, with those copies and a microsecond to call a plan."""
    return (need.form.seconds(&need.inner, &need.cut, threads)
            + stream_seconds(&p.rates, _copied(p, need)) / threads + 1e-6)


cdef inline int choose(const algorithm_t *table, const problem_t *p, const pyconv_conv2d_t *d, int threads,
                       bint borrow) noexcept nogil:
    """
    The eligible algorithm with the least predicted time; `direct` serves everything in no memory.

    borrow: for one call, which pays for packing the weights, too.
    """
    cdef int i
    cdef int best = DIRECT
    cdef needs_t need
    cdef double trial
    cdef double least = INFINITY
    for i in range(ALGORITHMS):
        needs(&need, &table[i], p, d, threads, borrow)
        if need.status == PYCONV_STATUS_OK:
            trial = seconds(p, &need, threads)
            if borrow:
                trial += pack_seconds(&p.rates, need.packed)
            if trial < least:
                least = trial
                best = i
    return best
