# SPDX-License-Identifier: BSD-3-Clause
"""
separable_conv2d, fused: a depthwise convolution feeds a pointwise one, NHWC.

mid[pixel][c] = sum over taps of x[pixel + tap][c] w[tap][c]        y[pixel][oc] = mid[pixel][c] v[c][oc]

A task makes some rows of mid in a buffer that stays in L2, and multiplies them at once. The weights are those that the
plans of the two convolutions packed.

  x [n][ih][iw][c]      mid, per thread [rows][ow][c]      y [n][oh][ow][oc]
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.algorithms.pointwise cimport one_matrix_serves
from pyconv.core.plan cimport nothing, plan_t
from pyconv.core.problem cimport patches_of
from pyconv.core.tasks cimport run_tasks
from pyconv.core.kernels cimport ceil_div, patches_t, split_start
from pyconv.core.machine cimport cache_bytes
from pyconv.engines.depthwise.nhwc cimport channel_block, pixel_rows, pixels_serve
from pyconv.engines.gemm.panels cimport _patches_task
from pyconv.engines.gemm.panels_cut cimport blocks_t, cut_blocks
from pyconv.core.sizes cimport aligned, times
from pyconv.core.threads cimport run_threads

cdef enum:
    MID_BYTES = 262144        # of rows between the two, beside the weights in L2
    FEWEST_PIXELS = 96        # of a task: fewer read the weights of the product too often

ctypedef struct separable_t:
    const plan_t *first
    const plan_t *second
    int64_t row_parts         # of an image
    int threads
    blocks_t blocks           # of the product on one task's rows
    size_t mid                # bytes per thread


cdef inline bint separable_init(separable_t *s, const plan_t *first, const plan_t *second) noexcept nogil:
    """Whether the two can be fused, in a way that keeps every thread busy. The plans must outlive s."""
    cdef const problem_t *p = &first.problem
    cdef problem_t part = second.problem
    cdef int64_t rows
    if (p.n == 0 or first.need.form.serves != pixels_serve or second.need.form.serves != one_matrix_serves
            or first.need.stage.pieces > 0 or second.need.stage.pieces > 0 or first.nonfinite):
        return False
    rows = max(1, min(MID_BYTES, cache_bytes(2) // 4) // (p.ow * p.oc * <int64_t>p.itemsize))
    s.first, s.second = first, second
    s.threads = max(first.threads, second.threads)
    s.row_parts = ceil_div(p.oh, rows)
    if p.n * s.row_parts < 2 * <int64_t>s.threads and s.threads > 1:
        s.row_parts = min(p.oh, ceil_div(2 * <int64_t>s.threads, max(p.n, 1)))
    rows = ceil_div(p.oh, s.row_parts)
    if s.threads > 1 and (rows * p.ow < FEWEST_PIXELS or p.n * s.row_parts < s.threads):
        return False
    s.mid = aligned(times(times(<size_t>rows, <size_t>(p.ow * p.oc)), p.itemsize))
    part.n, part.ih, part.oh = 1, rows, rows
    s.blocks = cut_blocks(&part, True, 1)
    return True


cdef inline size_t separable_workspace(const separable_t *s) noexcept nogil:
    return times(s.mid, s.threads)


# The pair of runs.
ctypedef struct pair_t:
    const separable_t *s
    const task_t *second
    patches_t shape           # what the first reads


cdef inline void _rows_task(const task_t *first, const pair_t *both, int64_t number, real *mid) noexcept nogil:
    """Task number -> image and part of its rows."""
    cdef const separable_t *s = both.s
    cdef const task_t *second = both.second
    cdef const problem_t *p = first.p
    cdef const problem_t *q = second.p
    cdef int64_t image = number // s.row_parts
    cdef int64_t row = split_start(p.oh, s.row_parts, number % s.row_parts)
    cdef int64_t rows = split_start(p.oh, s.row_parts, number % s.row_parts + 1) - row
    cdef int64_t block = channel_block(p)
    cdef int64_t c = 0
    while c < p.oc:
        pixel_rows(first, &both.shape, image, row, rows, c, min(block, p.oc - c), mid + c)
        c += block
    _patches_task(second, &s.blocks, &both.shape, <const real *>mid, image * q.yn + row * q.yh, 0, 0, rows * p.ow, 0, q.oc,
                  mid)


cdef inline void _rows_step(const task_t *first, const void *pair, int64_t number, char *buffer) noexcept nogil:
    if first.p.dtype == PYCONV_F32:
        _rows_task(first, <const pair_t *>pair, number, <float *>buffer)
    else:
        _rows_task(first, <const pair_t *>pair, number, <double *>buffer)


cdef inline int separable_run(const separable_t *s, const void *x, const void *residual, void *y, void *workspace,
                              bint (*interrupted)() noexcept nogil) noexcept nogil:
    """x as the first problem describes, y and residual (or NULL) as the second; n > 0."""
    cdef task_t first, second
    cdef pair_t both
    cdef int64_t count
    first.p, second.p = &s.first.problem, &s.second.problem
    first.weight, second.weight = s.first.weight, s.second.weight
    first.bias, second.bias = s.first.bias, s.second.bias
    first.residual, second.residual = NULL, residual
    first.x, first.y = x, NULL
    second.x, second.y = NULL, y
    first.workspace = <char *>workspace if s.mid > 0 else nothing
    first.interrupted = interrupted
    first.work = 0
    first.slots = s.threads
    first.threads = run_threads(s.threads, s.first.follow_openmp)
    both = pair_t(s, &second, patches_of(first.p))
    count = first.p.n * s.row_parts
    return run_tasks(&first, _rows_step, &both, count,
                     2.0 * first.p.n * (first.p.yn * first.p.k + second.p.yn * second.p.k) / count, s.mid)
