# SPDX-License-Identifier: BSD-3-Clause
"""
winograd_f3k4: F(3x3, 4x4) (Winograd 1980; Lavin and Gray 2016), see `engines.winograd.blocks`.

4 times fewer multiplications of 4x4 kernels, and 3.6 times of 7x7 at stride 2.
"""

from pyconv.core.types cimport *
from pyconv.engines.winograd.blocks cimport (
    winograd_multiplications, winograd_pack, winograd_packed, winograd_run, winograd_seconds, winograd_traffic,
    winograd_workspace,
)
from pyconv.engines.winograd.bound cimport winograd_bound
from pyconv.engines.winograd.form cimport form_fits


cdef inline const char *winograd_f3k4_supports(const problem_t *p) noexcept nogil:
    if not form_fits(p, 3, 4):
        return "it serves 4x4 kernels, or kernel / stride rounded up to 4x4; stride or dilation, not both"
    return NULL


cdef inline size_t winograd_f3k4_workspace(const problem_t *p, int threads) noexcept nogil:
    return winograd_workspace(p, 3, 4, threads)


cdef inline size_t winograd_f3k4_packed(const problem_t *p) noexcept nogil:
    return winograd_packed(p, 3, 4)


cdef inline void winograd_f3k4_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    winograd_pack(p, 3, 4, weight, packed)


cdef inline double winograd_f3k4_multiplications(const problem_t *p) noexcept nogil:
    return winograd_multiplications(p, 3, 4)


cdef inline double winograd_f3k4_traffic(const problem_t *p) noexcept nogil:
    return winograd_traffic(p, 3, 4)


cdef inline double winograd_f3k4_seconds(const problem_t *p, int threads) noexcept nogil:
    return winograd_seconds(p, 3, 4, threads)


cdef inline double winograd_f3k4_bound(const problem_t *p) noexcept nogil:
    return winograd_bound(p, 3, 4)


cdef inline int winograd_f3k4_run(task_t *t) noexcept nogil:
    return winograd_run(t, 3, 4)
