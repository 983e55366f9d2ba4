# SPDX-License-Identifier: BSD-3-Clause
# The functions of _kernels.pxd, and the table of them for C: each is one call of core/embed.pxd.

from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer, PyCapsule_New

from pyconv.core.embed cimport (
    algorithm_code, embed_create, embed_destroy, embed_message, embed_output_size, embed_run, pyconv_api_t, status_text,
)


cdef const char *pyconv_status_text(int status) noexcept nogil:
    return status_text(status)


cdef size_t pyconv_status_message(int status, const pyconv_conv2d_t *d, char *text, size_t size) noexcept nogil:
    return embed_message(table, status, d, text, size)


cdef int pyconv_algorithm(const char *name) noexcept nogil:
    return algorithm_code(table, name)


cdef int pyconv_plan_create(const pyconv_conv2d_t *d, const float *weight, const float *bias,
                            pyconv_plan_t **plan) noexcept nogil:
    return embed_create(table, d, PYCONV_F32, weight, bias, plan)


cdef int pyconv_plan_create_f64(const pyconv_conv2d_t *d, const double *weight, const double *bias,
                                pyconv_plan_t **plan) noexcept nogil:
    return embed_create(table, d, PYCONV_F64, weight, bias, plan)


cdef void pyconv_plan_destroy(pyconv_plan_t *plan) noexcept nogil:
    embed_destroy(plan)


cdef const char *pyconv_plan_algorithm(const pyconv_plan_t *plan) noexcept nogil:
    return NULL if plan == NULL else (<const plan_t *>plan).algorithm.name


cdef size_t pyconv_plan_workspace_bytes(const pyconv_plan_t *plan) noexcept nogil:
    return 0 if plan == NULL else (<const plan_t *>plan).need.workspace


cdef size_t pyconv_plan_packed_bytes(const pyconv_plan_t *plan) noexcept nogil:
    return 0 if plan == NULL else plan_packed_bytes(<const plan_t *>plan)


cdef int pyconv_plan_output_size(const pyconv_plan_t *plan, int64_t *oh, int64_t *ow) noexcept nogil:
    return embed_output_size(<const plan_t *>plan, oh, ow)


cdef int pyconv_plan_run(const pyconv_plan_t *plan, const float *x, float *y, void *workspace) noexcept nogil:
    return embed_run(<const plan_t *>plan, PYCONV_F32, x, NULL, y, workspace)


cdef int pyconv_plan_run_f64(const pyconv_plan_t *plan, const double *x, double *y, void *workspace) noexcept nogil:
    return embed_run(<const plan_t *>plan, PYCONV_F64, x, NULL, y, workspace)


cdef int pyconv_plan_run_residual(const pyconv_plan_t *plan, const float *x, const float *residual, float *y,
                                  void *workspace) noexcept nogil:
    return embed_run(<const plan_t *>plan, PYCONV_F32, x, residual, y, workspace)


cdef int pyconv_plan_run_residual_f64(const pyconv_plan_t *plan, const double *x, const double *residual, double *y,
                                      void *workspace) noexcept nogil:
    return embed_run(<const plan_t *>plan, PYCONV_F64, x, residual, y, workspace)


cdef int pyconv_plan_run_elements(const pyconv_plan_t *plan, const void *x, const void *residual, void *y,
                                  void *workspace) noexcept nogil:
    return embed_run(<const plan_t *>plan, -1, x, residual, y, workspace)


cdef pyconv_api_t api = pyconv_api_t(
    PYCONV_ABI_VERSION, pyconv_status_text, pyconv_status_message, pyconv_algorithm, pyconv_plan_create, pyconv_plan_create_f64,
    pyconv_plan_destroy, pyconv_plan_algorithm, pyconv_plan_workspace_bytes, pyconv_plan_packed_bytes,
    pyconv_plan_output_size, pyconv_plan_run, pyconv_plan_run_f64, pyconv_plan_run_residual, pyconv_plan_run_residual_f64,
    pyconv_plan_run_elements)

_C_API = PyCapsule_New(&api, b"pyconv._kernels._C_API", NULL)


def c_functions():
    """
    Addresses of the functions of the C-level API, for Numba, ctypes and cffi.

    Returns
    -------
    dict of str to int
        ``pyconv_plan_run`` and so on, as ``pyconv/_kernels.pxd`` declares them; see `Plan.address` for a plan to run.
    """
    return {
        name: <uintptr_t>PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule))
        for name, capsule in globals()["__pyx_capi__"].items()
    }
