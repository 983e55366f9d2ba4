# SPDX-License-Identifier: BSD-3-Clause
"""
pointwise: a 1x1 kernel is a GEMM on the image itself.

On NHWC the pixels are rows of that GEMM, read where they stand whatever the stride, so there is no workspace; on NCHW
a panel of pixels is packed, as implicit_gemm does.
"""

from pyconv._types cimport *
from pyconv._simd_gemm cimport (
    blocks_cycles, blocks_t, core_seconds, cut, pack_weights, packed_weights, run_blocks, weights_broadcast,
)
from pyconv._sizes cimport times


cdef inline bint _rows_in_place(const problem_t *p) noexcept nogil:
    return p.layout == PYCONV_NHWC


cdef inline const char *pointwise_supports(const problem_t *p) noexcept nogil:
    if p.kh * p.kw != 1:
        return "it serves 1x1 kernels only"
    if p.ph0 + p.ph1 + p.pw0 + p.pw1 != 0:
        return "it serves no padding"
    return NULL


cdef inline size_t pointwise_workspace(const problem_t *p, int threads) noexcept nogil:
    cdef blocks_t b = cut(p, _rows_in_place(p), threads)
    return times(b.buffer, threads)


cdef inline bint _broadcast(const problem_t *p) noexcept nogil:
    return not _rows_in_place(p) and weights_broadcast(p)


cdef inline size_t pointwise_packed(const problem_t *p) noexcept nogil:
    return packed_weights(p, _broadcast(p))


cdef inline void pointwise_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_weights(p, <const float *>weight, _broadcast(p), False, <float *>packed)
    else:
        pack_weights(p, <const double *>weight, _broadcast(p), False, <double *>packed)


cdef inline double pointwise_seconds(const problem_t *p, int threads) noexcept nogil:
    """A little less than implicit_gemm's, which it equals on NCHW."""
    return 0.99 * core_seconds(p, blocks_cycles(p, _rows_in_place(p)), threads)


cdef inline int pointwise_run(task_t *t) noexcept nogil:
    cdef blocks_t b = cut(t.p, _rows_in_place(t.p), t.slots)
    if t.p.dtype == PYCONV_F32:
        return run_blocks(t, &b, <const float *>NULL)
    return run_blocks(t, &b, <const double *>NULL)
