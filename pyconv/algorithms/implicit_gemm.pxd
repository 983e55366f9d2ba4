# SPDX-License-Identifier: BSD-3-Clause
"""
implicit_gemm: im2col fused into a blocked GEMM (Chetlur et al. 2014; Goto and van de Geijn 2008; Zhang et al. 2018).

No patch matrix exists. Where rows are long and channels not too few, windows are read from a channels-last band of the
image (`engines.gemm.windows`); elsewhere patches are packed into a panel per thread (`engines.gemm.panels`).
Weights are packed once.
"""

from pyconv.core.types cimport *
from pyconv.engines.gemm.windows cimport run_bands
from pyconv.engines.gemm.windows_cut cimport bands_cycles, bands_serve, bands_t, cut_bands
from pyconv.engines.gemm.panels cimport pack_weights, packed_weights, run_blocks
from pyconv.engines.gemm.panels_cut cimport blocks_cycles, blocks_t, core_seconds, cut, weights_broadcast
from pyconv.core.sizes cimport times


cdef inline bint _banded(const problem_t *p) noexcept nogil:
    return bands_serve(p) and bands_cycles(p) < blocks_cycles(p, False)


cdef inline bint _broadcast(const problem_t *p) noexcept nogil:
    return not _banded(p) and weights_broadcast(p)


cdef inline const char *implicit_gemm_supports(const problem_t *p) noexcept nogil:
    return NULL


cdef inline size_t implicit_gemm_workspace(const problem_t *p, int threads) noexcept nogil:
    if _banded(p):
        return times(cut_bands(p, False, threads).buffer, threads)
    return times(cut(p, False, threads).buffer, threads)


cdef inline size_t implicit_gemm_packed(const problem_t *p) noexcept nogil:
    return packed_weights(p, _broadcast(p))


cdef inline void implicit_gemm_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    cdef bint hwc = _banded(p) or p.layout == PYCONV_NHWC
    if p.dtype == PYCONV_F32:
        pack_weights(p, <const float *>weight, _broadcast(p), hwc, <float *>packed)
    else:
        pack_weights(p, <const double *>weight, _broadcast(p), hwc, <double *>packed)


cdef inline double implicit_gemm_seconds(const problem_t *p, int threads) noexcept nogil:
    return core_seconds(p, bands_cycles(p) if _banded(p) else blocks_cycles(p, False), threads)


cdef inline int implicit_gemm_run(task_t *t) noexcept nogil:
    cdef blocks_t blocks
    cdef bands_t bands
    if _banded(t.p):
        bands = cut_bands(t.p, False, t.slots)
        if t.p.dtype == PYCONV_F32:
            return run_bands(t, &bands, 0, t.p.g, <const float *>NULL)
        return run_bands(t, &bands, 0, t.p.g, <const double *>NULL)
    blocks = cut(t.p, False, t.slots)
    if t.p.dtype == PYCONV_F32:
        return run_blocks(t, &blocks, <const float *>NULL)
    return run_blocks(t, &blocks, <const double *>NULL)
