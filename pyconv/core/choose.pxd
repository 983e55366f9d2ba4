# SPDX-License-Identifier: BSD-3-Clause
"""What each algorithm needs for a problem, whether it may serve, and the choice: a pure function."""

from libc.math cimport INFINITY

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport class_bound
from pyconv.core.kernels cimport ceil_div
from pyconv.core.problem cimport is_empty, set_strides
from pyconv.core.rates cimport pack_seconds
from pyconv.core.sizes cimport TOO_LARGE, plus, times
from pyconv.core.stage cimport (
    APART, SMALLEST_PIECE, cut_stage, foreign_types, pass_t, place_output, stage_slot, stage_t, staged_bytes, staging_seconds,
    usual_piece,
)
from pyconv.core.weights cimport given_bytes, weight_bytes
from pyconv.algorithms.table cimport ALGORITHMS, DIRECT

# What one algorithm would need for one problem. Of UNSUPPORTED `inner` and sizes of 0; without a form, no cut either.
ctypedef struct needs_t:
    int status                # OK, or why it may not serve
    const char *reason        # of UNSUPPORTED
    const form_t *form        # that serves, with its cut; NULL if none does
    cut_t cut
    problem_t inner           # what the algorithm sees: all, or a piece
    stage_t stage
    size_t workspace          # bytes, buffers of pieces included
    pass_t second             # of kernels of rank one: along the rows, after `form` down the columns; form NULL: none
    size_t packed             # bytes of weights the plan owns
    size_t first_packed       # of them those of `form`, if there is a second
    bint raw                  # the OIHW weights are read as they are, be they owned or
    bint borrows              # the caller's


cdef inline void _refuse(needs_t *need, const char *reason) noexcept nogil:
    need.status, need.reason = PYCONV_STATUS_UNSUPPORTED, reason
    need.workspace = need.packed = 0
    need.raw = need.borrows = False


cdef inline void _measure(needs_t *need, const algorithm_t *a, const problem_t *p, int threads, bint borrow,
                          size_t budget) noexcept nogil:
    """Bytes of the form that serves."""
    cdef stage_t *s = &need.stage
    need.workspace = need.form.workspace(&need.inner, &need.cut, 1 if s.pieces > 0 and s.shared else threads)
    if s.pieces > 0:
        s.slot = stage_slot(s, need.workspace)
        need.workspace = times(s.slot, threads if s.shared else 1)
    need.packed = need.form.packed(&need.inner, &need.cut)
    need.raw = need.packed == 0
    if need.raw:
        need.packed = given_bytes(p) if a.in_place else weight_bytes(p)
    need.borrows = need.raw and (a.in_place or p.w_dtype == p.dtype) and (
        borrow or need.packed == 0 or plus(need.workspace, need.packed) > budget)
    if need.borrows:
        need.packed = 0


cdef inline void _serve(needs_t *need, const algorithm_t *a, const problem_t *p, const pyconv_conv2d_t *d, int threads,
                        bint borrow) noexcept nogil:
    """What the algorithm needs for `inner`, which is all of p, or a piece as the stage says."""
    cdef size_t budget = <size_t>d.max_workspace if d.max_workspace >= 0 else TOO_LARGE - 1
    cdef stage_t *s = &need.stage
    cdef int workers = 1 if s.pieces > 0 and s.shared else threads
    cdef int i
    need.form = need.second.form = NULL
    need.inner.m, need.inner.r = a.m, a.r
    need.reason = a.supports(&need.inner)
    if need.reason != NULL:
        _refuse(need, need.reason)
        return
    for i in range(a.form_count):
        if s.pieces > 0:
            place_output(p, a.forms[i].strided, s, &need.inner)
        if a.forms[i].serves(&need.inner, workers, &need.cut):
            need.form = &a.forms[i]
            break
    promised(need.form != NULL)
    _measure(need, a, p, threads, borrow, budget)
    if a.accuracy > d.accuracy:
        need.status = PYCONV_STATUS_UNDER_ACCURACY
    elif a.accuracy > PYCONV_STRICT and need.form.bound(&need.inner, &need.cut) > class_bound(&need.inner, a.accuracy):
        need.status = PYCONV_STATUS_UNSUPPORTED
        need.reason = "the bound of its error is above that of its class"
    elif plus(need.workspace, need.packed) > budget:
        need.status = PYCONV_STATUS_OVER_BUDGET
    else:
        need.status = PYCONV_STATUS_OK


cdef inline void _serve_pieces(needs_t *need, const algorithm_t *a, const problem_t *p, bint apart, const pyconv_conv2d_t *d,
                               int threads, bint borrow) noexcept nogil:
    """The same by pieces, as small as the budget demands."""
    cdef size_t bytes = usual_piece(p)
    while True:
        cut_stage(p, apart, False, bytes, threads, &need.stage, &need.inner)
        _serve(need, a, p, d, threads, borrow)
        bytes = bytes // 4
        if need.status != PYCONV_STATUS_OVER_BUDGET or bytes < SMALLEST_PIECE:
            return


cdef inline bint _better(const problem_t *p, const needs_t *a, const needs_t *b, int threads) noexcept nogil:
    """Whether a serves and b doesn't, or not as fast."""
    return a.status == PYCONV_STATUS_OK and (b.status != PYCONV_STATUS_OK or seconds(p, a, threads) < seconds(p, b, threads))


cdef inline void needs(needs_t *need, const algorithm_t *a, const problem_t *p, const pyconv_conv2d_t *d, int threads,
                       bint borrow) noexcept nogil:
    """
    borrow: whether weights that need no packing may stay the caller's. A plan that outlives the call owns a copy, if
    max_workspace has room for one.
    """
    cdef needs_t planes
    need.inner = p[0]
    need.stage.pieces = 0
    if is_empty(p) and not a.in_place:
        need.form = need.second.form = NULL
        _refuse(need, "x without channels and weight without filters are served by direct alone")
        return
    if a.in_place or p.n == 0 or not (foreign_types(p) or p.padding_mode != PYCONV_ZEROS):
        if a.planes and p.ic == 1 and p.oc == 1:      # the same memory in both layouts
            need.inner.layout = PYCONV_NCHW
            set_strides(&need.inner)
        _serve(need, a, p, d, threads, borrow)
    else:
        _serve_pieces(need, a, p, False, d, threads, borrow)
    if a.planes and need.inner.layout == PYCONV_NHWC and p.ic <= APART and p.n > 0:
        _serve_pieces(&planes, a, p, True, d, threads, borrow)
        if _better(p, &planes, need, threads):
            need[0] = planes


cdef inline double multiplications(const needs_t *need) noexcept nogil:
    """Of what has a form: where pieces overlap, twice."""
    cdef double each = need.form.multiplications(&need.inner, &need.cut)
    if need.second.form != NULL:
        each += need.second.form.multiplications(&need.second.inner, &need.second.cut)
    return max(need.stage.pieces, 1) * each


cdef inline double traffic(const problem_t *p, const needs_t *need) noexcept nogil:
    """Bytes read and written beyond a core's cache, of what has a form: pieces stay in it, but for the weights."""
    cdef double whole = need.form.traffic(&need.inner, &need.cut)
    if need.stage.pieces == 0:
        return whole
    whole -= (<double>need.inner.n * (need.inner.xn + need.inner.yn)) * p.itemsize
    return staged_bytes(p) + need.stage.pieces * max(whole, 0)


cdef inline double seconds(const problem_t *p, const needs_t *need, int threads) noexcept nogil:
    """The prediction, with the conversion of pieces and a microsecond to call a plan."""
    cdef const stage_t *s = &need.stage
    cdef int workers = 1 if s.pieces > 0 and s.shared else threads
    cdef double each = need.form.seconds(&need.inner, &need.cut, workers)
    if need.second.form != NULL:
        each += need.second.form.seconds(&need.second.inner, &need.second.cut, workers)
    if s.pieces == 0:
        return each + 1e-6
    return staging_seconds(p, s, &need.inner, threads) + 1e-6 + each * (ceil_div(s.pieces, threads) if s.shared else s.pieces)


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
