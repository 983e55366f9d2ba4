# SPDX-License-Identifier: BSD-3-Clause
"""A plan: a problem, its algorithm and the packed weights. Immutable once created, so threads may share it; no GIL needed."""

from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from pyconv.core.types cimport *
from pyconv.algorithms.table cimport ALGORITHMS, DEPTHWISE, DIRECT
from pyconv.core.choose cimport choose, needs, needs_t, seconds
from pyconv.core.nonfinite cimport meets_padding, record_bytes, record_nonfinite, spoil_padded
from pyconv.core.kernels cimport element_bytes
from pyconv.core.rank_one cimport comes_apart, may_come_apart, needs_apart
from pyconv.core.problem cimport direct_multiplications, problem_init
from pyconv.core.sizes cimport TOO_LARGE, aligned, plus, times
from pyconv.core.stage cimport pass_t, stage_run
from pyconv.core.weights cimport weight_bytes
from pyconv.core.threads cimport MOST_THREADS, allowed_threads, paying_threads, run_threads

cdef extern from "core/plan.h":
    void *alloc_weights "pyconv_alloc_weights"(size_t bytes) noexcept nogil
    char *nothing "pyconv_nothing"

ctypedef struct plan_t:
    problem_t problem           # as asked
    needs_t need                # of the algorithm
    bint exactly                # kernels of rank one have come apart without rounding
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


cdef inline bint _factor(const plan_t *plan, const real *weight, bint exactly, char *packed) noexcept nogil:
    """Whether the weights come apart; packed: NULL, or where both passes' weights are to go, if there is memory."""
    cdef const problem_t *p = &plan.problem
    cdef const needs_t *need = &plan.need
    cdef const pass_t *second = &need.second
    cdef size_t count = <size_t>(p.oc * p.kh)
    cdef real *factors = <real *>malloc(times(<size_t>p.oc, <size_t>(p.kh + p.kw)) * sizeof(real))
    cdef bint apart = factors != NULL and comes_apart(p, weight, exactly, factors, factors + count)
    if apart and packed != NULL:
        if need.raw:
            memcpy(packed, factors, count * sizeof(real))
        else:
            need.form.pack(&need.inner, &need.cut, factors, packed)
        if second.raw:
            memcpy(packed + need.first_packed, factors + count, <size_t>(p.oc * p.kw) * sizeof(real))
        else:
            second.form.pack(&second.inner, &second.cut, factors + count, packed + need.first_packed)
    free(factors)
    return apart


cdef inline void _try_apart(plan_t *plan, const algorithm_t *depthwise, const pyconv_conv2d_t *d,
                            const real *weight) noexcept nogil:
    """Two passes in the place of what was chosen, if the weights are of rank one and that is faster."""
    cdef needs_t need
    if (needs_apart(&need, depthwise, &plan.problem, plan.budget, plan.threads)
            and seconds(&plan.problem, &need, plan.threads) < seconds(&plan.problem, &plan.need, plan.threads)
            and _factor(plan, weight, d.accuracy == PYCONV_STRICT, NULL)):
        plan.need, plan.algorithm = need, depthwise
        plan.exactly = d.accuracy == PYCONV_STRICT


cdef inline int plan_create(plan_t *plan, const pyconv_conv2d_t *d, const algorithm_t *table, bint borrow,
                            const void *weight) noexcept nogil:
    """
    Validates and chooses. Then plan_pack() may be called once.

    weight: OIHW, contiguous and of the problem's w_dtype, to be looked at, or NULL.
    """
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
    plan.exactly = False
    cdef int index = d.algorithm
    if index < 0:
        index = choose(table, &plan.problem, d, plan.threads, borrow)
        if d.max_workspace >= 0:
            plan.fallback = &table[DIRECT]
            needs(&plan.fallback_need, plan.fallback, &plan.problem, d, plan.threads, borrow)
    plan.algorithm = &table[index]
    needs(&plan.need, plan.algorithm, &plan.problem, d, plan.threads, borrow)
    if (weight != NULL and plan.need.status == PYCONV_STATUS_OK and d.algorithm in (-1, DEPTHWISE)
            and may_come_apart(&plan.problem)):
        if plan.problem.w_dtype == PYCONV_F32:
            _try_apart(plan, &table[DEPTHWISE], d, <const float *>weight)
        elif plan.problem.w_dtype == PYCONV_F64:
            _try_apart(plan, &table[DEPTHWISE], d, <const double *>weight)
    return plan.need.status


cdef inline size_t plan_owned_bytes(const plan_t *plan, bint with_bias) noexcept nogil:
    """What plan_pack() allocates."""
    cdef size_t size = plan.need.packed
    if with_bias:
        size = plus(aligned(size), times(<size_t>plan.problem.oc, plan.problem.itemsize))
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
    weight OIHW, bias NULL or (oc,), both contiguous and of the problem's w_dtype.

    Over budget is what weights that aren't finite alone can make a plan, of an algorithm that was named.
    """
    cdef const problem_t *p = &plan.problem
    cdef const problem_t *q = &plan.need.inner
    cdef const void *given = weight
    cdef size_t size
    cdef char *block = NULL
    cdef bint converts
    cdef void *converted = NULL
    plan.nonfinite = plan.need.second.form == NULL and plan.algorithm.accuracy == PYCONV_STRICT and meets_padding(p, weight)
    if plan.nonfinite and not (plan.need.raw and (plan.algorithm.in_place or p.w_dtype == p.dtype)):
        plan.recorded = record_bytes(p)
        if plus(plan.need.workspace, plan_packed_bytes(plan)) > plan.budget:
            if plan.fallback == NULL:
                return PYCONV_STATUS_OVER_BUDGET
            plan.algorithm, plan.need, plan.recorded = plan.fallback, plan.fallback_need, 0
    converts = p.w_dtype != p.dtype and not plan.algorithm.in_place
    size = plan_owned_bytes(plan, bias != NULL)
    if size > 0:
        plan.owned = alloc_weights(plus(size, 63))
        if plan.owned == NULL:
            return PYCONV_STATUS_NO_MEMORY
        block = <char *>aligned_in(plan.owned)
    if converts:
        converted = malloc(weight_bytes(p))
        if converted == NULL:
            plan_destroy(plan)
            return PYCONV_STATUS_NO_MEMORY
        p.ops.stage_in(p.w_dtype, weight, 1, p.oc * p.k, converted, 0)
        weight = converted
    if plan.need.second.form != NULL:
        plan.weight = block
        if not (_factor(plan, <const float *>weight, plan.exactly, block) if p.dtype == PYCONV_F32
                else _factor(plan, <const double *>weight, plan.exactly, block)):
            plan_destroy(plan)
            return PYCONV_STATUS_NO_MEMORY
    elif plan.need.borrows:
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
        if converts:
            p.ops.stage_in(p.w_dtype, bias, 1, p.oc, <void *>plan.bias, 0)
        else:
            memcpy(<void *>plan.bias, bias, p.oc * element_bytes(p.w_dtype))
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
    promised(t.threads <= t.slots)
    cdef int status
    if plan.need.stage.pieces > 0:
        status = stage_run(&t, p, &plan.need.stage, plan.need.form,
                           &plan.need.second if plan.need.second.form != NULL else NULL,
                           <const char *>plan.weight + plan.need.first_packed)
    else:
        status = plan.need.form.run(&t)
    if plan.nonfinite and status == PYCONV_STATUS_OK:
        spoil_padded(p, plan.weight, plan.record, y)
    return status
