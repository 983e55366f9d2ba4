# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise in NHWC with one filter per channel: vectors run over channels, rows of outputs are computed straight from the
image. Weights are packed [block of channels][kh][kw][channels].
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.forms cimport add_form, whole_weights
from pyconv.core.problem cimport patches_of
from pyconv.core.tasks cimport run_tasks
from pyconv.core.kernels cimport ceil_div, epilogue_t, patches_t, split_start
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.core.weights cimport pack_hwio
from pyconv.engines.depthwise.planes cimport passing_seconds


cdef inline int64_t channel_block(const problem_t *p) noexcept nogil:
    """Channels whose weights stay in L1, whole cache lines."""
    return max(16, min(256, 16384 // (p.k * <int64_t>p.itemsize) // 16 * 16))


cdef inline void pack_channels(const problem_t *p, int64_t block, const real *weight, real *packed) noexcept nogil:
    """packed[block of channels][kh][kw][channels]"""
    cdef problem_t q = p[0]
    q.icg = 1
    q.g, q.ocg = p.oc // block, block
    pack_hwio(&q, weight, packed)
    q.g, q.ocg = 1, p.oc % block
    pack_hwio(&q, weight + (p.oc - q.ocg) * p.k, packed + (p.oc - q.ocg) * p.k)


cdef inline bint pixels_serve(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    return p.layout == PYCONV_NHWC and p.ocg == 1


cdef inline void pixels_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_channels(p, channel_block(p), <const float *>weight, <float *>packed)
    else:
        pack_channels(p, channel_block(p), <const double *>weight, <double *>packed)


cdef inline double pixels_cycles(const problem_t *p) noexcept nogil:
    """
    Per image: multiply-adds, and 2 cycles for each vector of outputs. The channels that fill no vector take 2.6 times as
    long, since their loads aren't shared, and 9 cycles. Measured on a Sapphire-Rapids-class core.
    """
    cdef int64_t lanes = p.ops.lanes
    cdef double taps = p.k / p.rates.fma
    cdef bint known = p.kw == 3 or p.kw == 5 or p.kw == 7
    cdef double rest = 0 if p.oc % lanes == 0 else 2.6 * taps + 9
    return <double>p.oh * p.ow * (p.oc // lanes * (taps * (1 if known else 1.1) + 2) + rest)


cdef inline double pixels_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return passing_seconds(p, p.n * pixels_cycles(p), threads)


cdef inline void pixel_rows(const task_t *t, const patches_t *s, int64_t image, int64_t row, int64_t rows, int64_t c,
                            int64_t channels, real *y) noexcept nogil:
    """Channels c to c + channels of some output rows, of which y is the first."""
    cdef const problem_t *p = t.p
    cdef int64_t at = image * p.yn + row * p.yh + c
    cdef int64_t from_ = image * p.xn + c
    cdef epilogue_t e = tail_of(t, tail_flags(t, False), c, at)
    p.ops.depthwise_nhwc(s, row, rows, channels, <const real *>t.x + from_, <const real *>t.weight + c * p.k,
                         channels, y, p.yh, p.yw, &e)


# Strips of rows in blocks of channels.
ctypedef struct pixels_t:
    patches_t shape
    int64_t block, blocks     # channels of one, how many
    int64_t strips


cdef inline void _pixels_task(const task_t *t, const pixels_t *s, int64_t number, real *y) noexcept nogil:
    """Task number -> image, block of channels, strip."""
    cdef const problem_t *p = t.p
    cdef int64_t image = number // (s.strips * s.blocks)
    cdef int64_t c = number // s.strips % s.blocks * s.block
    cdef int64_t row = split_start(p.oh, s.strips, number % s.strips)
    pixel_rows(t, &s.shape, image, row, split_start(p.oh, s.strips, number % s.strips + 1) - row, c, min(s.block, p.oc - c),
               y + image * p.yn + row * p.yh + c)


cdef inline void _pixels_step(const task_t *t, const void *cut, int64_t number, char *_buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _pixels_task(t, <const pixels_t *>cut, number, <float *>t.y)
    else:
        _pixels_task(t, <const pixels_t *>cut, number, <double *>t.y)


cdef inline int pixels_run(task_t *t) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef pixels_t s
    cdef int64_t count
    s.shape = patches_of(p)
    s.block = channel_block(p)
    s.blocks = ceil_div(p.oc, s.block)
    s.strips = max(1, min(p.oh, max(p.oh * p.ow * s.block // 65536, ceil_div(4 * t.threads, p.n * s.blocks))))
    count = p.n * s.blocks * s.strips
    return run_tasks(t, _pixels_step, &s, count, 2.0 * p.n * p.yn * p.k / count, 0)


cdef inline void add_pixels_form(algorithm_t *a) except *:
    cdef form_t *f = add_form(a, pixels_seconds, pixels_run)
    f.strided = True
    f.serves = pixels_serve
    f.packed, f.pack = whole_weights, pixels_pack
