# SPDX-License-Identifier: BSD-3-Clause
"""A plan: a problem, its algorithm and the packed weights. Immutable once created, so threads may share it; no GIL needed."""

from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from pyconv.core.types cimport *
from pyconv.algorithms.table cimport ALGORITHMS, DIRECT
from pyconv.core.choose cimport choose, needs, needs_t
from pyconv.core.half cimport half, narrow, widen
from pyconv.core.nonfinite cimport meets_padding, record_bytes, record_nonfinite, spoil_padded
from pyconv.core.problem cimport direct_multiplications, problem_init
from pyconv.core.rows cimport pad_images
from pyconv.core.sizes cimport TOO_LARGE, aligned, plus, times
from pyconv.core.threads cimport MOST_THREADS, allowed_threads, paying_threads, run_threads

cdef extern from "core/plan.h":
    void *alloc_weights "pyconv_alloc_weights"(size_t bytes) noexcept nogil
    char *nothing "pyconv_nothing"

ctypedef struct plan_t:
    problem_t problem           # as asked
    needs_t need                # of the algorithm
    const algorithm_t *algorithm
    int threads
    bint follow_openmp          # threads were not asked for: obey OpenMP's limit at each run
    const void *weight
    const void *bias
    bint nonfinite              # some weight is NaN or infinite and meets padding, in the strict class
    size_t recorded             # bytes of the record of such weights; 0 where plan.weight itself can be looked through
    const void *record          # or NULL
    size_t budget               # bytes of workspace and weights
    void *owned                 # one block: packed weights, then bias, then the record
    # Of "auto" under a budget: the plain loop, which needs no record of weights that aren't finite. Else NULL.
    const algorithm_t *fallback
    needs_t fallback_need


cdef inline void *aligned_in(void *block) noexcept nogil:
    """The first 64-byte boundary in a block that has 63 bytes to spare."""
    return <void *>((<uintptr_t>block + 63) & ~<uintptr_t>63)


cdef inline int plan_threads(const problem_t *p, int wanted) noexcept nogil:
    """Of those wanted (0: of all that there are) as many as pay; CPUs are only counted where two would."""
    cdef int paying = paying_threads(MOST_THREADS if wanted == 0 else wanted, direct_multiplications(p),
                                     <double>p.n * (p.xn + p.yn))
    return paying if paying == 1 else min(paying, allowed_threads(wanted))


cdef inline int plan_create(plan_t *plan, const pyconv_conv2d_t *d, const algorithm_t *table,
                            bint borrow) noexcept nogil:
    """Validates and chooses; allocates nothing. Then plan_pack() may be called once."""
    cdef int status = problem_init(&plan.problem, d)
    if status == PYCONV_STATUS_OK and not -1 <= d.algorithm < ALGORITHMS:
        status = PYCONV_STATUS_BAD_ENUM
    if status != PYCONV_STATUS_OK:
        return status
    plan.threads = plan_threads(&plan.problem, d.threads)
    plan.follow_openmp = d.threads == 0
    plan.owned = NULL
    plan.weight = NULL
    plan.bias = NULL
    plan.nonfinite = False
    plan.recorded = 0
    plan.record = NULL
    plan.budget = <size_t>d.max_workspace if d.max_workspace >= 0 else TOO_LARGE - 1
    plan.fallback = NULL
    cdef int index = d.algorithm
    if index < 0:
        index = choose(table, &plan.problem, d, plan.threads, borrow)
        if d.max_workspace >= 0:
            plan.fallback = &table[DIRECT]
            needs(&plan.fallback_need, plan.fallback, &plan.problem, d, plan.threads, borrow)
    plan.algorithm = &table[index]
    needs(&plan.need, plan.algorithm, &plan.problem, d, plan.threads, borrow)
    return plan.need.status


cdef inline size_t plan_owned_bytes(const plan_t *plan, bint with_bias) noexcept nogil:
    """What plan_pack() allocates."""
    cdef size_t size = plan.need.packed
    if with_bias:
        size = plus(aligned(size), times(<size_t>plan.problem.oc, plan.need.inner.itemsize))
    if plan.recorded > 0:
        size = plus(aligned(size), plan.recorded)
    return size


cdef inline size_t plan_packed_bytes(const plan_t *plan) noexcept nogil:
    """Of the weights that the plan owns, and of the record of those that aren't finite."""
    return plan.need.packed + plan.recorded


cdef inline void plan_destroy(plan_t *plan) noexcept nogil:
    free(plan.owned)
    plan.owned = NULL


cdef inline int plan_pack(plan_t *plan, const void *weight, const void *bias) noexcept nogil:
    """
    weight OIHW, bias NULL or (oc,), both contiguous and of the problem's dtype.

    Over budget is what weights that aren't finite alone can make a plan, of an algorithm that was named.
    """
    cdef const problem_t *p = &plan.problem
    cdef const problem_t *q = &plan.need.inner
    cdef const void *given = weight
    cdef size_t size
    cdef char *block = NULL
    cdef float *converted = NULL
    plan.nonfinite = plan.algorithm.accuracy == PYCONV_STRICT and meets_padding(p, weight)
    if plan.nonfinite and (not plan.need.raw or q.dtype != p.dtype):
        plan.recorded = record_bytes(p)
        if plus(plan.need.workspace, plan_packed_bytes(plan)) > plan.budget:
            if plan.fallback == NULL:
                return PYCONV_STATUS_OVER_BUDGET
            plan.algorithm, plan.need, plan.recorded = plan.fallback, plan.fallback_need, 0
    size = plan_owned_bytes(plan, bias != NULL)
    if size > 0:
        plan.owned = alloc_weights(plus(size, 63))
        if plan.owned == NULL:
            return PYCONV_STATUS_NO_MEMORY
        block = <char *>aligned_in(plan.owned)
    if q.dtype != p.dtype:
        converted = <float *>malloc(times(<size_t>(p.oc * p.k), 4))
        if converted == NULL:
            plan_destroy(plan)
            return PYCONV_STATUS_NO_MEMORY
        widen(<const half *>weight, converted, p.oc * p.k, 1)
        weight = converted
    if plan.need.borrows:
        plan.weight = weight
    else:
        plan.weight = block
        if plan.need.raw:
            memcpy(block, weight, plan.need.packed)
        else:
            plan.need.form.pack(q, &plan.need.cut, weight, block)
    free(converted)
    if bias != NULL:
        plan.bias = block + aligned(plan.need.packed)
        if q.dtype != p.dtype:
            widen(<const half *>bias, <float *>plan.bias, p.oc, 1)
        else:
            memcpy(<void *>plan.bias, bias, p.oc * p.itemsize)
    if plan.recorded > 0:
        plan.record = block + size - plan.recorded
        record_nonfinite(p, given, <void *>plan.record)
    return PYCONV_STATUS_OK


cdef inline int plan_run(const plan_t *plan, const void *x, const void *residual, void *y, void *workspace,
                         bint (*interrupted)() noexcept nogil) noexcept nogil:
    """x and y as the problem describes, residual NULL or as y; workspace of need.workspace bytes, aligned to 64."""
    cdef task_t t
    cdef const problem_t *p = &plan.problem
    if p.n == 0 or p.yn == 0:
        return PYCONV_STATUS_OK
    promised((x != NULL or p.xn == 0) and y != NULL and plan.weight != NULL)
    if plan.need.workspace == 0:
        workspace = nothing
    promised(workspace != NULL and <uintptr_t>workspace % PYCONV_ALIGNMENT == 0)
    memset(&t, 0, sizeof(t))
    t.p = &plan.need.inner
    t.cut = &plan.need.cut
    t.weight = plan.weight
    t.bias = plan.bias
    t.residual = residual
    t.x = x
    t.y = y
    t.workspace = <char *>workspace
    t.interrupted = interrupted
    t.slots = plan.threads
    t.threads = run_threads(plan.threads, plan.follow_openmp)
    if plan.need.converted > 0:
        widen(<const half *>x, <float *>t.workspace, p.n * p.xn, t.threads)
        t.x = t.workspace
        t.workspace += plan.need.converted
        t.y = t.workspace
        t.workspace += plan.need.converted_y
        if residual != NULL:
            widen(<const half *>residual, <float *>t.workspace, p.n * p.yn, t.threads)
            t.residual = t.workspace
        t.workspace += plan.need.converted_y
    if plan.need.padded > 0:
        if t.p.dtype == PYCONV_F32:
            pad_images(p, t.p, <const float *>t.x, <float *>t.workspace, t.threads)
        else:
            pad_images(p, t.p, <const double *>t.x, <double *>t.workspace, t.threads)
        t.x = t.workspace
        t.workspace += plan.need.padded
    promised(t.threads <= t.slots and <uintptr_t>t.workspace % PYCONV_ALIGNMENT == 0)
    cdef int status = plan.need.form.run(&t)
    if plan.need.converted > 0 and status == PYCONV_STATUS_OK:
        narrow(<const float *>t.y, <half *>y, p.n * p.yn, t.threads)
    if plan.nonfinite and status == PYCONV_STATUS_OK:
        spoil_padded(p, plan.weight, plan.record, y)
    return status
