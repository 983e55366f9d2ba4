# SPDX-License-Identifier: BSD-3-Clause
"""
implicit_gemm: im2col fused into the packing of a blocked GEMM (Chetlur et al. 2014, Goto and van de Geijn 2008).

Patches exist only as a panel per thread that stays in the second cache level; weights are packed once.
"""

from pyconv._types cimport *
from pyconv._simd_gemm cimport blocks_seconds, blocks_t, cut, pack_weights, packed_weights, run_blocks, weights_broadcast
from pyconv._sizes cimport times


cdef inline const char *implicit_gemm_supports(const problem_t *p) noexcept nogil:
    return NULL


cdef inline size_t implicit_gemm_workspace(const problem_t *p, int threads) noexcept nogil:
    cdef blocks_t b = cut(p, False, threads)
    return times(b.buffer, threads)


cdef inline size_t implicit_gemm_packed(const problem_t *p) noexcept nogil:
    return packed_weights(p, weights_broadcast(p))


cdef inline void implicit_gemm_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_weights(p, <const float *>weight, weights_broadcast(p), <float *>packed)
    else:
        pack_weights(p, <const double *>weight, weights_broadcast(p), <double *>packed)


cdef inline double implicit_gemm_seconds(const problem_t *p, int threads) noexcept nogil:
    cdef blocks_t b = cut(p, False, threads)
    return blocks_seconds(p, &b, threads)


cdef inline int implicit_gemm_run(task_t *t) noexcept nogil:
    cdef blocks_t b = cut(t.p, False, t.slots)
    if t.p.dtype == PYCONV_F32:
        return run_blocks(t, &b, <const float *>NULL)
    return run_blocks(t, &b, <const double *>NULL)
