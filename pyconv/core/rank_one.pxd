# SPDX-License-Identifier: BSD-3-Clause
"""
Depthwise kernels of rank one, as Gaussians, boxes and derivatives are: columns, then rows, by kh + kw products for kh kw.

w[i][j] = u[i] v[j] of each filter      mid[r][c] = sum over i of u[i] x[r + i][c]      y[r][c] = sum over j of v[j] mid[r][c + j]

Both passes are made of one piece after the other (core/stage.pxd), so that mid stays in cache.
"""

from libc.math cimport INFINITY, fabs, frexp, ldexp
from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.choose cimport needs_t, seconds
from pyconv.core.problem cimport is_empty, set_strides
from pyconv.core.sizes cimport aligned, plus, times
from pyconv.core.stage cimport APART, buffer_bytes, cut_stage, pass_t, place_output, stage_slot, usual_piece
from pyconv.core.weights cimport weight_bytes

cdef enum:
    WORTH = 200000            # multiplications from which on it pays to look at the weights


cdef inline bint may_come_apart(const problem_t *p) noexcept nogil:
    """Whether each filter reads one channel, in two dimensions, often enough."""
    return (p.icg == 1 and p.kh > 1 and p.kw > 1 and p.kh * p.kw > 4 and p.n > 0 and not is_empty(p)
            and <double>p.n * p.yn * p.k > WORTH)


cdef inline bint _apart(const real *w, int64_t kh, int64_t kw, double slack, real *u, real *v) noexcept nogil:
    """
    Whether w[i][j] is u[i] v[j] but for `slack` times itself, which are found by the smallest weight that isn't 0: of whole
    numbers they are fractions of it, mostly whole. A power of two makes the sum of |u| at most 1, so that mid can't overflow.
    """
    cdef int64_t i, j
    cdef int64_t at = -1
    cdef int exponent
    cdef double least = INFINITY
    cdef double total = 0
    cdef double value
    for i in range(kh * kw):
        value = fabs(w[i])
        if not value < INFINITY:
            return False
        if 0 < value < least:
            least, at = value, i
    if at < 0:                # all are 0
        at = 0
        least = 1
    for i in range(kh):
        value = <double>w[i * kw + at % kw] / (w[at] if w[at] != 0 else 1)
        total += fabs(value)
        u[i] = <real>value
    frexp(total, &exponent)
    for i in range(kh):
        u[i] = <real>ldexp(u[i], -exponent)
    for j in range(kw):
        v[j] = <real>ldexp(w[at // kw * kw + j], exponent)
    for i in range(kh):
        for j in range(kw):
            if not fabs(<double>u[i] * v[j] - w[i * kw + j]) <= slack * fabs(w[i * kw + j]):
                return False
    return True


cdef inline bint comes_apart(const problem_t *p, const real *weight, bint exactly, real *columns, real *rows) noexcept nogil:
    """Whether each filter is of rank one, to rounding or `exactly`: columns[oc][kh], rows[oc][kw]."""
    cdef double slack = 0 if exactly else 4 * (2.0 ** -53 if real is double else 2.0 ** -24)
    cdef int64_t o
    for o in range(p.oc):
        if not _apart(weight + o * p.k, p.kh, p.kw, slack, columns + o * p.kh, rows + o * p.kw):
            return False
    return True


cdef inline bint _serve_pass(const algorithm_t *a, problem_t *q, pass_t *one) noexcept nogil:
    """The form for one pass on one piece, by one thread."""
    cdef int i
    q.k = q.kh * q.kw
    q.m = q.r = 0
    if a.supports(q) != NULL:
        return False
    for i in range(a.form_count):
        if a.forms[i].serves(q, 1, &one.cut):
            one.form = &a.forms[i]
            one.inner = q[0]
            one.packed = one.form.packed(q, &one.cut)
            one.raw = one.packed == 0
            if one.raw:
                one.packed = weight_bytes(q)
            return True
    return False


cdef inline bint _needs_apart(needs_t *need, const algorithm_t *a, const problem_t *p, bint turned, int threads) noexcept nogil:
    """What both passes need; turned: as planes."""
    cdef problem_t q
    cdef pass_t first
    cdef int64_t cols, rows, width
    cdef size_t passing
    cut_stage(p, turned, True, usual_piece(p), threads, &need.stage, &q)
    need.stage.shared = threads > 1
    rows, cols, width = q.oh, q.ow, q.iw
    # down the columns, between x and mid
    q.kw, q.sw, q.dw, q.ow = 1, 1, 1, width
    q.lo, q.hi = -INFINITY, INFINITY
    set_strides(&q)
    if not _serve_pass(a, &q, &first):
        return False
    # along the rows, from mid, which has a channel for each filter, to y
    q.ic, q.g, q.ocg = p.oc, p.oc, 1
    q.kw, q.sw, q.dw, q.ow = p.kw, min(p.sw, width), min(p.dw, width), cols
    q.kh, q.sh, q.dh, q.ih = 1, 1, 1, rows
    q.lo, q.hi = p.lo, p.hi
    place_output(p, True, &need.stage, &q)
    if not _serve_pass(a, &q, &need.second):
        return False
    if not need.second.form.strided and need.stage.y_bytes == 0:
        place_output(p, False, &need.stage, &q)
        if not _serve_pass(a, &q, &need.second):
            return False
    need.form, need.cut, need.inner = first.form, first.cut, first.inner
    need.raw, need.borrows = first.raw, False
    need.stage.mid_bytes = buffer_bytes(&q, first.inner.n * first.inner.yn)
    passing = plus(need.stage.mid_bytes, max(first.form.workspace(&first.inner, &first.cut, 1),
                                             need.second.form.workspace(&need.second.inner, &need.second.cut, 1)))
    need.stage.slot = stage_slot(&need.stage, passing)
    need.workspace = times(need.stage.slot, threads)
    need.first_packed = aligned(first.packed)
    need.packed = plus(need.first_packed, need.second.packed)
    need.status = PYCONV_STATUS_OK
    return True


cdef inline bint needs_apart(needs_t *need, const algorithm_t *a, const problem_t *p, size_t budget, int threads) noexcept nogil:
    """Whether two passes by algorithm `a`, depthwise, serve within the budget."""
    cdef needs_t planes
    cdef bint serves = _needs_apart(need, a, p, False, threads) and plus(need.workspace, need.packed) <= budget
    if p.layout == PYCONV_NHWC and p.ic <= APART:
        if (_needs_apart(&planes, a, p, True, threads) and plus(planes.workspace, planes.packed) <= budget
                and (not serves or seconds(p, &planes, threads) < seconds(p, need, threads))):
            need[0] = planes
            return True
    return serves
