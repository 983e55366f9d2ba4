# SPDX-License-Identifier: BSD-3-Clause
"""
The C-level API: convolutions for Cython code without the GIL, and for C and Numba by address.

Use it as ``cimport pyconv`` or ``from pyconv cimport ...`` and compile with `pyconv.get_include()` among the include
folders. Frozen: a function is never changed or removed, and each one added raises PYCONV_ABI_VERSION.

Nothing here raises, takes the GIL or calls Python; a function that can fail returns a status, PYCONV_STATUS_OK (0) or the
reason. float32 and float64 have functions of their own, so that the compiler checks every pointer against them. Arrays
are contiguous and don't overlap; x, residual and y have the layout of the descriptor. A plan is immutable: threads may
run it at once, each with a workspace of its own. NULL for a plan is refused or, where there is no status, 0 or NULL.
"""

from libc.stdint cimport int64_t

from pyconv._abi cimport *

# The text of a status; numbers of the descriptor stand in it by name, in braces.
cdef const char *pyconv_status_text(int status) noexcept nogil

# The same with the numbers in place, and with the reason behind PYCONV_STATUS_UNSUPPORTED: at most `size` bytes with the 0
# at the end. Returns the length of the whole message, as snprintf() does.
cdef size_t pyconv_status_message(int status, const pyconv_conv2d_t *d, char *text, size_t size) noexcept nogil

# The value of a descriptor's `algorithm` for a name: -1 for "auto", -2 (no algorithm's) for an unknown one.
cdef int pyconv_algorithm(const char *name) noexcept nogil

# Checks the descriptor, chooses the algorithm and packs the weights; bias may be NULL. On failure *plan is NULL.
# The plan owns copies, with one exception: where max_workspace has no room for the weights it reads the caller's in place
# (pyconv_plan_packed_bytes() is 0), which must then outlive it.
cdef int pyconv_plan_create(const pyconv_conv2d_t *d, const float *weight, const float *bias,
                            pyconv_plan_t **plan) noexcept nogil
cdef int pyconv_plan_create_f64(const pyconv_conv2d_t *d, const double *weight, const double *bias,
                                pyconv_plan_t **plan) noexcept nogil
cdef void pyconv_plan_destroy(pyconv_plan_t *plan) noexcept nogil

cdef const char *pyconv_plan_algorithm(const pyconv_plan_t *plan) noexcept nogil
cdef size_t pyconv_plan_workspace_bytes(const pyconv_plan_t *plan) noexcept nogil
cdef size_t pyconv_plan_packed_bytes(const pyconv_plan_t *plan) noexcept nogil
cdef int pyconv_plan_output_size(const pyconv_plan_t *plan, int64_t *oh, int64_t *ow) noexcept nogil

# The workspace is aligned to PYCONV_ALIGNMENT and at least pyconv_plan_workspace_bytes() long, and then nothing is
# allocated. NULL: the run allocates and frees its own, or fails with PYCONV_STATUS_NO_MEMORY.
cdef int pyconv_plan_run(const pyconv_plan_t *plan, const float *x, float *y, void *workspace) noexcept nogil
cdef int pyconv_plan_run_f64(const pyconv_plan_t *plan, const double *x, double *y, void *workspace) noexcept nogil

# As above, with a residual of y's shape added before lo and hi clip; NULL for none.
cdef int pyconv_plan_run_residual(const pyconv_plan_t *plan, const float *x, const float *residual, float *y,
                                  void *workspace) noexcept nogil
cdef int pyconv_plan_run_residual_f64(const pyconv_plan_t *plan, const double *x, const double *residual, double *y,
                                      void *workspace) noexcept nogil

# As above, of a descriptor's x_dtype and y_dtype, whatever they are.
cdef int pyconv_plan_run_elements(const pyconv_plan_t *plan, const void *x, const void *residual, void *y,
                                  void *workspace) noexcept nogil
