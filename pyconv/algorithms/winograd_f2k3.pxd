# SPDX-License-Identifier: BSD-3-Clause
"""
winograd_f2k3: F(2x2, 3x3) (Winograd 1980; Lavin and Gray 2016), see `engines.winograd.blocks`.

2.25 times fewer multiplications; exact on small integers. Its error is near that of im2col, but spreads over its tile.
Of 2 or 3 channels in NCHW, F(2, 3) along the rows alone, see `engines.winograd.f2k3_rows`.
"""

from pyconv.core.types cimport *
from pyconv.engines.winograd.blocks cimport (
    winograd_multiplications, winograd_pack, winograd_packed, winograd_run, winograd_seconds, winograd_traffic,
    winograd_workspace,
)
from pyconv.engines.winograd.bound cimport winograd_bound
from pyconv.engines.winograd.form cimport form_fits
from pyconv.engines.winograd.f2k3_rows cimport (
    rows_bound, rows_multiplications, rows_pack, rows_packed, rows_seconds, rows_serve, rows_workspace, run_rows,
)


cdef inline const char *winograd_f2k3_supports(const problem_t *p) noexcept nogil:
    if not form_fits(p, 2, 3):
        return "it serves 3x3 kernels, or kernel / stride rounded up to 3x3; stride or dilation, not both"
    return NULL


cdef inline size_t winograd_f2k3_workspace(const problem_t *p, int threads) noexcept nogil:
    if rows_serve(p):
        return rows_workspace(p, threads)
    return winograd_workspace(p, 2, 3, threads)


cdef inline size_t winograd_f2k3_packed(const problem_t *p) noexcept nogil:
    if rows_serve(p):
        return rows_packed(p)
    return winograd_packed(p, 2, 3)


cdef inline void winograd_f2k3_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    if not rows_serve(p):
        winograd_pack(p, 2, 3, weight, packed)
    elif p.dtype == PYCONV_F32:
        rows_pack(p, <const float *>weight, <float *>packed)
    else:
        rows_pack(p, <const double *>weight, <double *>packed)


cdef inline double winograd_f2k3_multiplications(const problem_t *p) noexcept nogil:
    if rows_serve(p):
        return rows_multiplications(p)
    return winograd_multiplications(p, 2, 3)


cdef inline double winograd_f2k3_traffic(const problem_t *p) noexcept nogil:
    if rows_serve(p):
        return <double>p.n * (p.xn + p.yn) * p.itemsize + rows_packed(p)
    return winograd_traffic(p, 2, 3)


cdef inline double winograd_f2k3_seconds(const problem_t *p, int threads) noexcept nogil:
    if rows_serve(p):
        return rows_seconds(p, threads)
    return winograd_seconds(p, 2, 3, threads)


cdef inline double winograd_f2k3_bound(const problem_t *p) noexcept nogil:
    if rows_serve(p):
        return rows_bound(p)
    return winograd_bound(p, 2, 3)


cdef inline int winograd_f2k3_run(task_t *t) noexcept nogil:
    if rows_serve(t.p):
        return run_rows(t)
    return winograd_run(t, 2, 3)
