# SPDX-License-Identifier: BSD-3-Clause
"""
winograd_f2k2: F(2x2, 2x2) (Winograd 1980; Lavin and Gray 2016), see `engines.winograd.blocks`.

1.78 times fewer multiplications of 2x2 kernels, and 1.44 times of 3x3 at stride 2.
"""

from pyconv.core.types cimport *
from pyconv.engines.winograd.blocks cimport (
    winograd_multiplications, winograd_pack, winograd_packed, winograd_run, winograd_seconds, winograd_traffic,
    winograd_workspace,
)
from pyconv.engines.winograd.bound cimport winograd_bound
from pyconv.engines.winograd.form cimport form_fits


cdef inline const char *winograd_f2k2_supports(const problem_t *p) noexcept nogil:
    if not form_fits(p, 2, 2):
        return "it serves 2x2 kernels, or kernel / stride rounded up to 2x2; stride or dilation, not both"
    return NULL


cdef inline size_t winograd_f2k2_workspace(const problem_t *p, int threads) noexcept nogil:
    return winograd_workspace(p, 2, 2, threads)


cdef inline size_t winograd_f2k2_packed(const problem_t *p) noexcept nogil:
    return winograd_packed(p, 2, 2)


cdef inline void winograd_f2k2_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    winograd_pack(p, 2, 2, weight, packed)


cdef inline double winograd_f2k2_multiplications(const problem_t *p) noexcept nogil:
    return winograd_multiplications(p, 2, 2)


cdef inline double winograd_f2k2_traffic(const problem_t *p) noexcept nogil:
    return winograd_traffic(p, 2, 2)


cdef inline double winograd_f2k2_seconds(const problem_t *p, int threads) noexcept nogil:
    return winograd_seconds(p, 2, 2, threads)


cdef inline double winograd_f2k2_bound(const problem_t *p) noexcept nogil:
    return winograd_bound(p, 2, 2)


cdef inline int winograd_f2k2_run(task_t *t) noexcept nogil:
    return winograd_run(t, 2, 2)
