# SPDX-License-Identifier: BSD-3-Clause
"""
A transposed convolution in one pass over x: all phases of the stride of a block of pixels, side by side in y.

y[o, i*sh + r*dh - ph, j*sw + s*dw - pw] += x[c, i, j] * weight[c, o, r, s]

Outputs first, first + sh, ... of an axis are a correlation of stride 1 of x with the taps that reach them (see
operators/phases.py): a phase. Rows i of all phases together, sh rows of y, are row i of the *grid*.

  x [n][ic][ih][iw] or [n][ih][iw][ic]     y [n][oc][oh][ow] or [n][oh][ow][oc]     weight [ic][ocg][kh][kw]

Weights are packed by position: tap (i, j) of phase (a, b) is number start[a][b] + i*length(b) + j.

A phase may be left to a plan of its own, whose form writes to any strides of y: one by Winograd's tiles, in NHWC.
"""

from libc.stdint cimport int64_t

from pyconv.core.kernels cimport ceil_div
from pyconv.core.plan cimport nothing
from pyconv.core.problem cimport set_strides
from pyconv.core.sizes cimport times
from pyconv.core.tasks cimport run_tasks, step_t
from pyconv.core.threads cimport MOST_THREADS, allowed_threads, paying_threads, run_threads
from pyconv.core.types cimport *

cdef enum:
    MOST_PHASES = 8           # along an axis
    MOST_TAPS = 256           # of the kernel

# Outputs first, first + stride, ... of one axis, `outputs` of them: a correlation of stride 1 with taps last, last - step, ...,
# `length` of them, `dilation` apart in x, with `before` zeros in front.
ctypedef struct phase_t:
    int64_t first, outputs, last, step, length, dilation, before

ctypedef struct transposed_t:
    problem_t p               # x and y as above; sh, sw, kh, kw as in the formula, k = icg*kh*kw
    int64_t down, across      # phases
    phase_t[MOST_PHASES] rows
    phase_t[MOST_PHASES] columns
    bint[MOST_PHASES][MOST_PHASES] elsewhere   # phases that are left to others
    int64_t[MOST_PHASES][MOST_PHASES] start    # where the taps of each of the rest begin
    int64_t taps              # of these
    int64_t[MOST_TAPS] order  # the tap of the kernel at each position
    int64_t grid              # rows
    int threads
    bint follow_openmp
    # What serves fills in.
    cut_t cut
    int64_t tasks
    step_t step               # its `cut` is this struct
    size_t bytes              # of workspace, per thread
    size_t packed             # bytes
    void (*pack)(const transposed_t *s, const void *weight, void *packed) noexcept nogil
    double seconds


cdef inline bint whole(const transposed_t *s) noexcept nogil:
    """Whether every output belongs to a phase that has taps."""
    return s.down == min(s.p.sh, s.p.oh) and s.across == min(s.p.sw, s.p.ow)


cdef inline int64_t phase_end(const phase_t *a, int64_t end) noexcept nogil:
    """Of the rows of the grid before `end` those that the phase has."""
    return min(end, a.outputs)


cdef inline void transposed_init(transposed_t *s, const problem_t *forward, int64_t ih, int64_t iw, int wanted) noexcept nogil:
    """
    Of the convolution whose gradient it is, images of ih x iw, and the phases, which are filled in; `wanted` threads, 0 for any.
    """
    cdef problem_t *p = &s.p
    cdef int64_t a, b, i, j
    p[0] = forward[0]
    p.ic, p.oc, p.icg, p.ocg = forward.oc, forward.ic, forward.ocg, forward.icg
    p.ih, p.iw, p.oh, p.ow = ih, iw, forward.ih, forward.iw
    p.sh, p.sw = min(p.sh, p.oh), min(p.sw, p.ow)
    p.k = p.icg * p.kh * p.kw
    set_strides(p)
    s.grid = ceil_div(p.oh, p.sh)
    s.taps = 0
    for a in range(s.down):
        for b in range(s.across):
            s.start[a][b] = s.taps
            if s.elsewhere[a][b]:
                continue
            for i in range(s.rows[a].length):
                for j in range(s.columns[b].length):
                    s.order[s.taps] = (s.rows[a].last - i * s.rows[a].step) * p.kw + s.columns[b].last - j * s.columns[b].step
                    s.taps += 1
    s.threads = paying_threads(MOST_THREADS if wanted == 0 else wanted, <double>p.n * p.ic * ih * iw * p.ocg * s.taps,
                               <double>p.n * (p.xn + p.yn))
    if s.threads > 1:
        s.threads = min(s.threads, allowed_threads(wanted))
    s.follow_openmp = wanted == 0


cdef inline size_t transposed_workspace(const transposed_t *s) noexcept nogil:
    return times(s.bytes, s.threads)


cdef inline int transposed_run(const transposed_t *s, const void *x, const void *weight, const void *bias, void *y,
                               void *workspace, bint (*interrupted)() noexcept nogil) noexcept nogil:
    """weight as packed, bias NULL or (oc,), workspace of transposed_workspace() bytes, aligned to 64."""
    cdef const problem_t *p = &s.p
    cdef task_t t
    t.p, t.cut = p, &s.cut
    t.weight, t.bias, t.residual = weight, bias, NULL
    t.x, t.y = x, y
    t.workspace = <char *>workspace if s.bytes > 0 else nothing
    t.interrupted, t.work = interrupted, 0
    t.slots = s.threads
    t.threads = run_threads(s.threads, s.follow_openmp)
    return run_tasks(&t, s.step, s, s.tasks, 2.0 * p.n * p.xn * p.ocg * s.taps / s.tasks + 1, s.bytes)
