# SPDX-License-Identifier: BSD-3-Clause
"""
winograd_f2k7: F(2, 7) for 1x7 and 7x1 (Winograd 1980; Lavin and Gray 2016), see `engines.winograd.blocks`.

1.75 times fewer multiplications.
"""

from pyconv.core.types cimport *
from pyconv.engines.winograd.blocks cimport (
    winograd_multiplications, winograd_pack, winograd_packed, winograd_run, winograd_seconds, winograd_traffic,
    winograd_workspace,
)
from pyconv.engines.winograd.bound cimport winograd_bound
from pyconv.engines.winograd.form cimport form_fits


cdef inline const char *winograd_f2k7_supports(const problem_t *p) noexcept nogil:
    if not form_fits(p, 2, 7):
        return "it serves 1x7 and 7x1 kernels of stride 1"
    return NULL


cdef inline size_t winograd_f2k7_workspace(const problem_t *p, int threads) noexcept nogil:
    return winograd_workspace(p, 2, 7, threads)


cdef inline size_t winograd_f2k7_packed(const problem_t *p) noexcept nogil:
    return winograd_packed(p, 2, 7)


cdef inline void winograd_f2k7_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    winograd_pack(p, 2, 7, weight, packed)


cdef inline double winograd_f2k7_multiplications(const problem_t *p) noexcept nogil:
    return winograd_multiplications(p, 2, 7)


cdef inline double winograd_f2k7_traffic(const problem_t *p) noexcept nogil:
    return winograd_traffic(p, 2, 7)


cdef inline double winograd_f2k7_seconds(const problem_t *p, int threads) noexcept nogil:
    return winograd_seconds(p, 2, 7, threads)


cdef inline double winograd_f2k7_bound(const problem_t *p) noexcept nogil:
    return winograd_bound(p, 2, 7)


cdef inline int winograd_f2k7_run(task_t *t) noexcept nogil:
    return winograd_run(t, 2, 7)
