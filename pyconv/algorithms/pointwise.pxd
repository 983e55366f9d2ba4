# SPDX-License-Identifier: BSD-3-Clause
"""
pointwise: a 1x1 kernel is a GEMM on the image itself.

On NHWC the pixels are rows of that GEMM and are read where they stand, at stride 1 the whole batch as one matrix, so
there is no workspace; on NCHW a panel of pixels is packed, as implicit_gemm does.
"""

from pyconv.core.types cimport *
from pyconv.algorithms.implicit_gemm cimport (
    implicit_gemm_pack, implicit_gemm_packed, implicit_gemm_run, implicit_gemm_seconds, implicit_gemm_workspace,
)
from pyconv.engines.gemm.panels cimport pack_weights, packed_weights, run_blocks
from pyconv.engines.gemm.panels_cut cimport blocks_cycles, blocks_t, core_seconds, cut


cdef inline bint _one_matrix(const problem_t *p) noexcept nogil:
    return p.layout == PYCONV_NHWC and p.sh == 1 and p.sw == 1


cdef inline const char *pointwise_supports(const problem_t *p) noexcept nogil:
    if p.kh * p.kw != 1:
        return "it serves 1x1 kernels only"
    if p.ph0 + p.ph1 + p.pw0 + p.pw1 != 0:
        return "it serves no padding"
    return NULL


cdef inline size_t pointwise_workspace(const problem_t *p, int threads) noexcept nogil:
    return 0 if _one_matrix(p) else implicit_gemm_workspace(p, threads)


cdef inline size_t pointwise_packed(const problem_t *p) noexcept nogil:
    return packed_weights(p, False) if _one_matrix(p) else implicit_gemm_packed(p)


cdef inline void pointwise_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    if not _one_matrix(p):
        implicit_gemm_pack(p, weight, packed)
    elif p.dtype == PYCONV_F32:
        pack_weights(p, <const float *>weight, False, True, <float *>packed)
    else:
        pack_weights(p, <const double *>weight, False, True, <double *>packed)


cdef inline double pointwise_seconds(const problem_t *p, int threads) noexcept nogil:
    """A little less than implicit_gemm's, which it equals elsewhere."""
    if _one_matrix(p):
        return 0.99 * core_seconds(p, blocks_cycles(p, True), threads)
    return 0.99 * implicit_gemm_seconds(p, threads)


cdef inline int pointwise_run(task_t *t) noexcept nogil:
    cdef blocks_t b
    if not _one_matrix(t.p):
        return implicit_gemm_run(t)
    b = cut(t.p, True, t.slots)
    if t.p.dtype == PYCONV_F32:
        return run_blocks(t, &b, <const float *>NULL)
    return run_blocks(t, &b, <const double *>NULL)
