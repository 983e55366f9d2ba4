# SPDX-License-Identifier: BSD-3-Clause
"""
pointwise: a 1x1 kernel is a GEMM on the image itself.

On NHWC the pixels are rows of that GEMM and are read where they stand, at stride 1 the whole batch as one matrix, so
there is no workspace; elsewhere it is implicit_gemm, said to take a little less, so that it is preferred.
"""

from pyconv.core.types cimport *
from pyconv.algorithms.implicit_gemm cimport add_gemm_forms, panels_run, panels_seconds, windows_seconds
from pyconv.core.forms cimport add_form, begin_row
from pyconv.engines.gemm.panels cimport columns_packed, pack_columns
from pyconv.engines.gemm.panels_cut cimport blocks_cycles, blocks_t, core_seconds, cut_blocks


cdef inline const char *pointwise_supports(const problem_t *p) noexcept nogil:
    if p.kh * p.kw != 1:
        return "it serves 1x1 kernels only"
    if p.ph0 + p.ph1 + p.pw0 + p.pw1 != 0:
        return "it serves no padding"
    return NULL


cdef inline bint one_matrix_serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    if p.layout != PYCONV_NHWC or p.sh > 1 or p.sw > 1:
        return False
    (<blocks_t *>room(cut, sizeof(blocks_t)))[0] = cut_blocks(p, True, threads)
    return True


cdef inline double _one_matrix_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return 0.99 * core_seconds(p, blocks_cycles(p, True), threads)


cdef inline double _windows_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return 0.99 * windows_seconds(p, cut, threads)


cdef inline double _panels_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return 0.99 * panels_seconds(p, cut, threads)


cdef inline void pointwise_row(algorithm_t *a) except *:
    begin_row(a, b"pointwise", b"Goto, van de Geijn 2008")
    a.supports = pointwise_supports
    cdef form_t *f = add_form(a, _one_matrix_seconds, panels_run)
    f.serves = one_matrix_serves
    f.packed, f.pack = columns_packed, pack_columns
    add_gemm_forms(a, _windows_seconds, _panels_seconds)
