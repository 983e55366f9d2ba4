# SPDX-License-Identifier: BSD-3-Clause
"""How the gradient of a weight is cut into blocks of outputs, and the workspace that it takes; see native/weight_gradient.pxd."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.native.depthwise_gradient cimport depthwise_gradient_init, depthwise_gradient_t, one_filter_each
from pyconv.core.plan cimport plan_threads
from pyconv.core.kernels cimport ceil_div
from pyconv.core.rows cimport span
from pyconv.engines.gemm.panels_cut cimport tile_columns, tile_rows
from pyconv.core.sizes cimport aligned, plus, times

cdef enum:
    BLOCK_PIXELS = 384        # a tile of dw is fetched and stored once in so many steps
    MOST_PIXELS = 1024        # of one row in a block
    BATCH = 128               # sums of blocks that are added one after another
    CACHE_PITCH = 512         # bytes: pixels that are a multiple apart compete for few sets of L1

ctypedef struct gradient_t:
    problem_t p               # of the convolution; float32 for float16
    bint from_half
    int threads
    bint follow_openmp
    bint by_group             # a thread takes whole groups; else threads share each block
    bint depthwise            # by `channels` instead of all below
    depthwise_gradient_t channels
    bint in_place             # the image itself is the slab
    int64_t mr, nr
    int64_t images, rows, columns                      # of a block, at most
    int64_t image_parts, row_parts, column_parts
    int64_t blocks, batch                              # of all images; that are added up before they join dw
    int64_t pixel, pitch, plane                        # distances in the slab
    int64_t runs, run                                  # stretches of a window that are contiguous, and their length
    int64_t panels, parts                              # of filters; of a run, as tasks
    size_t slab, outputs                               # bytes of a slab, of panels
    size_t partial                                     # bytes of the sums of a batch, 0 if there is but one
    size_t sums                                        # of dw before it is turned or rounded, 0 if it is made in place
    size_t converted_x, converted_y, turned            # float32 copies for float16
    size_t workspace


cdef inline void gradient_init(gradient_t *s, const problem_t *problem, int threads) noexcept nogil:
    """threads: 0 for as many as OpenMP would use. Afterwards `workspace` is the size wanted, saturated."""
    cdef problem_t *p = &s.p
    cdef size_t buffers
    p[0] = problem[0]
    s.from_half = p.x_dtype == PYCONV_F16
    s.threads = plan_threads(p, threads)
    s.follow_openmp = threads == 0
    s.mr, s.nr = tile_rows(p), tile_columns(p)
    s.by_group = p.g > 1
    s.depthwise = one_filter_each(p)

    s.column_parts = ceil_div(p.ow, MOST_PIXELS)
    s.columns = ceil_div(p.ow, s.column_parts)
    s.row_parts = ceil_div(p.oh, max(1, BLOCK_PIXELS // s.columns))
    s.rows = ceil_div(p.oh, s.row_parts)
    s.images = 1
    if s.column_parts * s.row_parts == 1:
        s.images = max(1, min(p.n, BLOCK_PIXELS // (p.oh * p.ow)))
    s.image_parts = ceil_div(p.n, s.images)
    s.blocks = s.image_parts * s.row_parts * s.column_parts
    s.batch = BATCH

    s.in_place = (p.layout == PYCONV_NHWC and p.ph0 + p.ph1 + p.pw0 + p.pw1 == 0
                  and p.xw * <int64_t>p.itemsize % CACHE_PITCH != 0)
    if s.in_place:
        s.pixel, s.pitch = p.xw, p.xh
    else:
        s.pixel = p.icg
        if p.icg * <int64_t>p.itemsize % CACHE_PITCH == 0:
            s.pixel += s.nr
        s.pitch = span(s.columns, p.sw, p.kw, p.dw) * s.pixel
    s.plane = p.xn if s.in_place else span(s.rows, p.sh, p.kh, p.dh) * s.pitch
    s.runs, s.run = p.kh * p.kw, p.icg
    if p.dw == 1 and s.pixel == p.icg:
        s.runs, s.run = p.kh, p.kw * p.icg
    s.panels = ceil_div(p.ocg, s.mr)
    s.parts = max(1, min(ceil_div(s.run, s.nr), ceil_div(4 * <int64_t>s.threads, s.panels * s.runs)))

    s.slab = 0
    if not s.in_place:
        s.slab = aligned(times(times(<size_t>s.images, <size_t>s.plane), p.itemsize))
    s.outputs = aligned(times(times(<size_t>(s.images * s.rows * s.columns), <size_t>p.ocg), p.itemsize))
    s.partial = 0
    if s.blocks > s.batch:
        s.partial = aligned(times(times(<size_t>p.oc, <size_t>p.k), p.itemsize))
    s.sums = s.converted_x = s.converted_y = s.turned = 0
    if p.kh * p.kw > 1 or s.from_half:
        s.sums = aligned(times(times(<size_t>p.oc, <size_t>p.k), p.itemsize))
    if s.from_half:
        s.converted_x = aligned(times(<size_t>(p.n * p.xn), 4))
        s.converted_y = aligned(times(<size_t>(p.n * p.yn), 4))
        s.turned = s.sums
    if s.depthwise:
        depthwise_gradient_init(&s.channels, p, s.threads)
        if s.from_half:
            s.turned = aligned(times(times(<size_t>p.oc, <size_t>p.k), 4))
        s.workspace = plus(plus(s.converted_x, s.converted_y), plus(s.turned, s.channels.workspace))
        return
    buffers = times(plus(s.slab, s.outputs), s.threads if s.by_group else 1)
    s.workspace = plus(plus(plus(s.converted_x, s.converted_y), plus(plus(s.sums, s.turned), s.partial)), buffers)
