# SPDX-License-Identifier: BSD-3-Clause
"""
winograd_f6k3: F(6x6, 3x3) (Winograd 1980; Lavin and Gray 2016), see `engines.winograd.blocks`.

5.06 times fewer multiplications, at 11 times the error of im2col.
"""

from pyconv.core.types cimport *
from pyconv.engines.winograd.blocks cimport (
    winograd_multiplications, winograd_pack, winograd_packed, winograd_run, winograd_seconds, winograd_traffic,
    winograd_workspace,
)
from pyconv.engines.winograd.bound cimport winograd_bound
from pyconv.engines.winograd.form cimport form_fits


cdef inline const char *winograd_f6k3_supports(const problem_t *p) noexcept nogil:
    if not form_fits(p, 6, 3):
        return "it serves 3x3 kernels, or kernel / stride rounded up to 3x3; stride or dilation, not both"
    return NULL


cdef inline size_t winograd_f6k3_workspace(const problem_t *p, int threads) noexcept nogil:
    return winograd_workspace(p, 6, 3, threads)


cdef inline size_t winograd_f6k3_packed(const problem_t *p) noexcept nogil:
    return winograd_packed(p, 6, 3)


cdef inline void winograd_f6k3_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    winograd_pack(p, 6, 3, weight, packed)


cdef inline double winograd_f6k3_multiplications(const problem_t *p) noexcept nogil:
    return winograd_multiplications(p, 6, 3)


cdef inline double winograd_f6k3_traffic(const problem_t *p) noexcept nogil:
    return winograd_traffic(p, 6, 3)


cdef inline double winograd_f6k3_seconds(const problem_t *p, int threads) noexcept nogil:
    return winograd_seconds(p, 6, 3, threads)


cdef inline double winograd_f6k3_bound(const problem_t *p) noexcept nogil:
    return winograd_bound(p, 6, 3)


cdef inline int winograd_f6k3_run(task_t *t) noexcept nogil:
    return winograd_run(t, 6, 3)
