# SPDX-License-Identifier: BSD-3-Clause
"""What stands behind the C-level API of `_kernels.pxd`: descriptors and pointers of strangers are checked here."""

from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, strcmp

from pyconv.core.types cimport *
from pyconv.algorithms.table cimport ALGORITHMS
from pyconv.core.plan cimport aligned_in, plan_create, plan_destroy, plan_pack, plan_run, plan_t
from pyconv.core.sizes cimport plus

cdef extern from "pyconv/message.h" nogil:
    size_t pyconv_fill_in(const char *text, const pyconv_conv2d_t *d, char *to, size_t size) noexcept

cdef extern from "pyconv/api.h" nogil:
    ctypedef struct pyconv_api_t:
        int abi_version
        const char *(*status_text)(int) noexcept
        size_t (*status_message)(int, const pyconv_conv2d_t *, char *, size_t) noexcept
        int (*algorithm)(const char *) noexcept
        int (*plan_create)(const pyconv_conv2d_t *, const float *, const float *, pyconv_plan_t **) noexcept
        int (*plan_create_f64)(const pyconv_conv2d_t *, const double *, const double *, pyconv_plan_t **) noexcept
        void (*plan_destroy)(pyconv_plan_t *) noexcept
        const char *(*plan_algorithm)(const pyconv_plan_t *) noexcept
        size_t (*plan_workspace_bytes)(const pyconv_plan_t *) noexcept
        size_t (*plan_packed_bytes)(const pyconv_plan_t *) noexcept
        int (*plan_output_size)(const pyconv_plan_t *, int64_t *, int64_t *) noexcept
        int (*plan_run)(const pyconv_plan_t *, const float *, float *, void *) noexcept
        int (*plan_run_f64)(const pyconv_plan_t *, const double *, double *, void *) noexcept
        int (*plan_run_residual)(const pyconv_plan_t *, const float *, const float *, float *, void *) noexcept
        int (*plan_run_residual_f64)(const pyconv_plan_t *, const double *, const double *, double *, void *) noexcept
        int (*plan_run_elements)(const pyconv_plan_t *, const void *, const void *, void *, void *) noexcept


cdef inline const char *status_text(int status) noexcept nogil:
    if 0 <= status < PYCONV_STATUS_COUNT:
        return pyconv_status_words[status]
    return "not a status of this version"


cdef inline int algorithm_code(const algorithm_t *table, const char *name) noexcept nogil:
    """-1 for "auto", -2 for a name that is none."""
    cdef int i
    if name == NULL:
        return -2
    for i in range(ALGORITHMS):
        if strcmp(name, table[i].name) == 0:
            return i
    return -1 if strcmp(name, b"auto") == 0 else -2


cdef inline int _complete(const pyconv_conv2d_t *given, pyconv_conv2d_t *d) noexcept nogil:
    """The caller's struct, which may be an older and shorter one, over the defaults."""
    if given == NULL:
        return PYCONV_STATUS_NULL_POINTER
    if not pyconv_conv2d_known(given.struct_size):
        return PYCONV_STATUS_STRUCT_SIZE
    pyconv_conv2d_init(d)
    memcpy(d, given, given.struct_size)
    if d.icg == 0 and d.g > 0:
        d.icg = d.ic // d.g
    return PYCONV_STATUS_OK


cdef inline size_t embed_message(const algorithm_t *table, int status, const pyconv_conv2d_t *given, char *text,
                                 size_t size) noexcept nogil:
    """The status text filled in, "it can't: why" where the algorithm named is the one that can't."""
    cdef pyconv_conv2d_t d
    cdef plan_t plan
    cdef size_t length, at
    if given == NULL:
        pyconv_conv2d_init(&d)
    elif _complete(given, &d) != PYCONV_STATUS_OK:
        pyconv_conv2d_init(&d)
        d.struct_size = given.struct_size
    length = pyconv_fill_in(status_text(status), &d, text, size)
    if (status == PYCONV_STATUS_UNSUPPORTED and given != NULL
            and plan_create(&plan, &d, table, False, NULL) == PYCONV_STATUS_UNSUPPORTED):
        at = min(length, size)
        length += pyconv_fill_in(b": ", &d, text + at, size - at)
        at = min(length, size)
        length += pyconv_fill_in(plan.need.reason, &d, text + at, size - at)
    return length


cdef inline int embed_create(const algorithm_t *table, const pyconv_conv2d_t *given, int dtype, const void *weight,
                             const void *bias, pyconv_plan_t **out) noexcept nogil:
    cdef pyconv_conv2d_t d
    cdef plan_t *plan
    cdef int status
    if out == NULL:
        return PYCONV_STATUS_NULL_POINTER
    out[0] = NULL
    status = _complete(given, &d)
    if status != PYCONV_STATUS_OK:
        return status
    if weight == NULL:
        return PYCONV_STATUS_NULL_POINTER
    if 0 <= d.dtype < PYCONV_DTYPE_COUNT and d.dtype != dtype:
        return PYCONV_STATUS_WRONG_DTYPE
    plan = <plan_t *>malloc(sizeof(plan_t))
    if plan == NULL:
        return PYCONV_STATUS_NO_MEMORY
    status = plan_create(plan, &d, table, False, weight)
    if status == PYCONV_STATUS_OK:
        status = plan_pack(plan, weight, bias)
    if status == PYCONV_STATUS_OK:
        out[0] = <pyconv_plan_t *>plan
    else:
        free(plan)
    return status


cdef inline void embed_destroy(pyconv_plan_t *plan) noexcept nogil:
    if plan != NULL:
        plan_destroy(<plan_t *>plan)
        free(plan)


cdef inline int embed_output_size(const plan_t *plan, int64_t *oh, int64_t *ow) noexcept nogil:
    if plan == NULL or oh == NULL or ow == NULL:
        return PYCONV_STATUS_NULL_POINTER
    oh[0] = plan.problem.oh
    ow[0] = plan.problem.ow
    return PYCONV_STATUS_OK


cdef inline int embed_run(const plan_t *plan, int dtype, const void *x, const void *residual, void *y,
                          void *workspace) noexcept nogil:
    """
    dtype: of x and y, or -1 for those of the plan. Never asks for signals between blocks: that would take the GIL.
    """
    cdef void *own = NULL
    cdef int status
    if plan == NULL:
        return PYCONV_STATUS_NULL_POINTER
    if plan.problem.n > 0 and (x == NULL and plan.problem.xn > 0 or y == NULL and plan.problem.yn > 0):
        return PYCONV_STATUS_NULL_POINTER
    if dtype >= 0 and (plan.problem.x_dtype != dtype or plan.problem.y_dtype != dtype):
        return PYCONV_STATUS_WRONG_DTYPE
    if plan.need.workspace == 0:
        workspace = NULL
    elif <uintptr_t>workspace % PYCONV_ALIGNMENT:
        return PYCONV_STATUS_MISALIGNED
    elif workspace == NULL:
        own = malloc(plus(plan.need.workspace, 63))
        if own == NULL:
            return PYCONV_STATUS_NO_MEMORY
        workspace = aligned_in(own)
    status = plan_run(plan, x, residual, y, workspace, NULL)
    free(own)
    return status
