# SPDX-License-Identifier: BSD-3-Clause
"""
implicit_gemm: im2col fused into a blocked GEMM (Chetlur et al. 2014; Goto and van de Geijn 2008; Zhang et al. 2018).

No patch matrix exists. Where rows are long and channels not too few, windows are read from a channels-last slab of the
image (`engines.gemm.windows`); elsewhere patches are packed into a panel per thread (`engines.gemm.panels`).
Weights are packed once.
"""

from pyconv.core.types cimport *
from pyconv.core.forms cimport add_form, begin_row
from pyconv.engines.gemm.windows cimport run_slabs
from pyconv.engines.gemm.windows_cut cimport slabs_cycles, slabs_serve, slabs_t, cut_slabs
from pyconv.engines.gemm.panels cimport columns_packed, pack_columns, pack_weights, packed_weights, run_blocks
from pyconv.engines.gemm.panels_cut cimport blocks_cycles, blocks_t, core_seconds, cut_blocks
from pyconv.core.sizes cimport times


cdef inline bint windows_serve(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    if not slabs_serve(p) or slabs_cycles(p) >= blocks_cycles(p, False):
        return False
    (<slabs_t *>room(cut, sizeof(slabs_t)))[0] = cut_slabs(p, False, threads)
    return True


cdef inline size_t windows_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return times((<const slabs_t *>cut).buffer, threads)


cdef inline double windows_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return core_seconds(p, slabs_cycles(p), threads)


cdef inline int windows_run(task_t *t) noexcept nogil:
    return run_slabs(t, <const slabs_t *>t.cut, 0, t.p.g)


cdef inline bint panels_serve(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<blocks_t *>room(cut, sizeof(blocks_t)))[0] = cut_blocks(p, False, threads)
    return True


cdef inline size_t panels_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return times((<const blocks_t *>cut).buffer, threads)


cdef inline size_t panels_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    return packed_weights(p, (<const blocks_t *>cut).weights_broadcast)


cdef inline void panels_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    cdef bint broadcast = (<const blocks_t *>cut).weights_broadcast
    if p.dtype == PYCONV_F32:
        pack_weights(p, <const float *>weight, broadcast, p.layout == PYCONV_NHWC, <float *>packed)
    else:
        pack_weights(p, <const double *>weight, broadcast, p.layout == PYCONV_NHWC, <double *>packed)


cdef inline double panels_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return core_seconds(p, blocks_cycles(p, False), threads)


cdef inline int panels_run(task_t *t) noexcept nogil:
    """Of patches that are packed or read in place, as the cut says."""
    return run_blocks(t, <const blocks_t *>t.cut)


cdef inline void add_gemm_forms(algorithm_t *a,
                                double (*of_windows)(const problem_t *, const cut_t *, int) noexcept nogil,
                                double (*of_panels)(const problem_t *, const cut_t *, int) noexcept nogil) except *:
    """Each with its seconds."""
    cdef form_t *f = add_form(a, of_windows, windows_run)
    f.serves = windows_serve
    f.workspace = windows_workspace
    f.packed, f.pack = columns_packed, pack_columns
    f = add_form(a, of_panels, panels_run)
    f.serves = panels_serve
    f.workspace = panels_workspace
    f.packed, f.pack = panels_packed, panels_pack


cdef inline void implicit_gemm_row(algorithm_t *a) except *:
    begin_row(a, b"implicit_gemm", b"Chetlur et al. 2014")
    a.planes = True
    add_gemm_forms(a, windows_seconds, panels_seconds)
