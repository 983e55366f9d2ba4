# SPDX-License-Identifier: BSD-3-Clause
"""
winograd_f4k3: F(4x4, 3x3), and F(4, 3) for 1x3 and 3x1 (Winograd 1980; Lavin and Gray 2016), see `engines.winograd.blocks`.

4 times fewer multiplications, at 2.4 times the error of im2col; 2 times in one row or column.
"""

from pyconv.core.types cimport *
from pyconv.engines.winograd.blocks cimport (
    winograd_multiplications, winograd_pack, winograd_packed, winograd_run, winograd_seconds, winograd_traffic,
    winograd_workspace,
)
from pyconv.engines.winograd.bound cimport winograd_bound
from pyconv.engines.winograd.form cimport form_fits


cdef inline const char *winograd_f4k3_supports(const problem_t *p) noexcept nogil:
    if not form_fits(p, 4, 3):
        return "it serves 3x3, 1x3 and 3x1 kernels, or kernel / stride rounded up to 3x3; stride or dilation, not both"
    return NULL


cdef inline size_t winograd_f4k3_workspace(const problem_t *p, int threads) noexcept nogil:
    return winograd_workspace(p, 4, 3, threads)


cdef inline size_t winograd_f4k3_packed(const problem_t *p) noexcept nogil:
    return winograd_packed(p, 4, 3)


cdef inline void winograd_f4k3_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    winograd_pack(p, 4, 3, weight, packed)


cdef inline double winograd_f4k3_multiplications(const problem_t *p) noexcept nogil:
    return winograd_multiplications(p, 4, 3)


cdef inline double winograd_f4k3_traffic(const problem_t *p) noexcept nogil:
    return winograd_traffic(p, 4, 3)


cdef inline double winograd_f4k3_seconds(const problem_t *p, int threads) noexcept nogil:
    return winograd_seconds(p, 4, 3, threads)


cdef inline double winograd_f4k3_bound(const problem_t *p) noexcept nogil:
    return winograd_bound(p, 4, 3)


cdef inline int winograd_f4k3_run(task_t *t) noexcept nogil:
    return winograd_run(t, 4, 3)
