# SPDX-License-Identifier: BSD-3-Clause
"""How the gradient of a weight is cut into blocks of outputs, and the workspace that it takes; see native/weight_gradient.pxd."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.native.depthwise_gradient cimport depthwise_gradient_init, depthwise_gradient_t
from pyconv.core.kernels cimport ceil_div
from pyconv.core.rows cimport span
from pyconv.engines.gemm.panels_cut cimport tile_columns, tile_rows
from pyconv.core.sizes cimport TOO_LARGE, aligned, plus, times

cdef enum:
    BLOCK_PIXELS = 384        # a tile of dw is fetched and stored once in so many steps
    MOST_PIXELS = 1024        # of one row in a block
    BATCH = 128               # sums of blocks that are added one after another
    CACHE_PITCH = 512         # bytes: pixels that are a multiple apart compete for few sets of L1
    NEAR = 128                # bytes: a panel of pixels at most so far apart is read as fast where it is
    SHARES = 16               # of the blocks, each summed for itself
    SHARED = 1 << 20          # bytes that their sums may take: those of one are in L2
    TURNED = 64               # pixels of a plane that are turned as one task

ctypedef struct gradient_t:
    problem_t p               # of the convolution
    int threads
    bint depthwise            # by `channels` instead of all below
    depthwise_gradient_t channels
    bint apart                # a thread takes a group's blocks, or a share of them; else threads share each block
    int64_t shares
    bint in_place             # the image itself is the slab
    bint flat                 # rows of a plane follow each other in the slab as they do in the plane
    bint swapped              # rows of the products are those of a window, columns are filters; else the other way
    bint packed               # the rows' side is copied to panels
    int64_t mr, nr
    int64_t images, rows, columns                      # of a block, at most
    int64_t image_parts, row_parts, column_parts
    int64_t blocks, batch                              # of all images; that are added up before they join dw
    int64_t pixel, pitch, plane                        # distances in the slab
    int64_t output                                     # distance between pixels of outputs that are turned, else 0
    int64_t runs, run                                  # stretches of a window that are contiguous, and their length
    int64_t left, right                                # rows and columns of a run's product
    int64_t panels, parts                              # of the rows; of the columns, as tasks
    double steps                                       # of a pixel in a group, see _steps()
    size_t slab, outputs, panel                        # bytes of a slab, of turned outputs, of panels
    size_t partial                                     # bytes of the sums of a batch, 0 if there is but one
    size_t buffer                                      # of a thread that works apart, or of all
    size_t sums                                        # of dw before it is joined, turned or rounded; 0 if it is made in place
    size_t workspace


cdef inline bint _packs(const gradient_t *s, int64_t columns, int64_t pitch) noexcept nogil:
    """Whether panels pay: they are read for each tile of columns."""
    return pitch > NEAR and s.runs * ceil_div(columns, s.nr) > 2


cdef inline double _steps(const gradient_t *s, int64_t rows, int64_t columns, int64_t pitch) noexcept nogil:
    """
    Of a pixel: products of vectors, a lone vector waiting for its broadcasts besides; and the copies of a row's elements to
    panels if pixels are `pitch` bytes apart.
    """
    cdef int64_t lanes = s.nr // 2
    cdef int64_t pairs = columns // s.nr
    cdef double steps = rows * s.runs * (2.0 * pairs + (2 if columns % s.nr > lanes else 1.2 if columns % s.nr > 0 else 0))
    return steps + (0.7 * rows if _packs(s, columns, pitch) else 0)


cdef inline void _cut_blocks(gradient_t *s) noexcept nogil:
    cdef problem_t *p = &s.p
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


cdef inline void _cut_slab(gradient_t *s) noexcept nogil:
    cdef problem_t *p = &s.p
    cdef bint bordered = p.ph0 + p.ph1 + p.pw0 + p.pw1 > 0
    s.in_place = p.layout == PYCONV_NHWC and not bordered and p.xw * <int64_t>p.itemsize % CACHE_PITCH != 0
    if s.in_place:
        s.pixel, s.pitch = p.xw, p.xh
    else:
        s.pixel = p.icg
        if p.icg * <int64_t>p.itemsize % CACHE_PITCH == 0:
            s.pixel += s.nr
        s.pitch = span(s.columns, p.sw, p.kw, p.dw) * s.pixel
    s.flat = p.layout == PYCONV_NCHW and not bordered and s.pitch == p.iw * s.pixel
    s.plane = p.xn if s.in_place else span(s.rows, p.sh, p.kh, p.dh) * s.pitch
    s.runs, s.run = p.kh * p.kw, p.icg
    if p.dw == 1 and s.pixel == p.icg:
        s.runs, s.run = p.kh, p.kw * p.icg


cdef inline void _cut_products(gradient_t *s) noexcept nogil:
    """Which side's elements are broadcast, and whether they are copied to panels."""
    cdef problem_t *p = &s.p
    cdef int64_t item = p.itemsize
    cdef int64_t outputs = p.yw * item if p.layout == PYCONV_NHWC else 0     # planes are turned to either
    cdef int64_t inputs = s.pixel * item
    cdef double windows = _steps(s, s.run, p.ocg, inputs)
    s.steps = _steps(s, p.ocg, s.run, outputs)
    s.swapped = (s.runs == 1 or s.pixel * item <= NEAR) and windows < 0.95 * s.steps
    s.steps = windows if s.swapped else s.steps
    s.left, s.right = (s.run, p.ocg) if s.swapped else (p.ocg, s.run)
    s.packed = _packs(s, s.right, inputs if s.swapped else outputs) or p.layout == PYCONV_NCHW and not s.swapped
    s.panels = ceil_div(s.left, s.mr)
    s.parts = max(1, min(ceil_div(s.right, s.nr), ceil_div(4 * <int64_t>s.threads, s.panels * s.runs)))
    s.output = 0
    if p.layout == PYCONV_NCHW and s.swapped:
        s.output = p.ocg if p.ocg * item % CACHE_PITCH != 0 else p.ocg + s.nr


cdef inline void gradient_init(gradient_t *s, const problem_t *problem, int threads, bint depthwise) noexcept nogil:
    """
    depthwise: by sums for one channel each, where one_filter_each(). Afterwards `workspace` is the size wanted, saturated.
    """
    cdef problem_t *p = &s.p
    cdef size_t pixels, whole
    p[0] = problem[0]
    s.threads = threads
    s.mr, s.nr = tile_rows(p), tile_columns(p)
    s.depthwise = depthwise
    _cut_blocks(s)
    _cut_slab(s)
    _cut_products(s)

    pixels = <size_t>(s.images * s.rows * s.columns)
    whole = times(times(<size_t>p.oc, <size_t>p.k), p.itemsize)
    s.shares = max(1, min(min(SHARES // p.g, s.blocks), <int64_t>min(SHARED // max(whole, 1), <size_t>SHARES)))
    if p.g == 1 and s.shares < SHARES // 2:
        s.shares = 1
    s.apart = p.g * s.shares > 1
    s.slab = s.partial = s.sums = 0
    if not s.in_place:
        s.slab = aligned(times(times(<size_t>s.images, <size_t>s.plane), p.itemsize))
    s.outputs = aligned(times(times(pixels, <size_t>s.output), p.itemsize))
    s.panel = aligned(times(times(pixels, <size_t>s.left), p.itemsize)) if s.packed else 0
    if ceil_div(s.blocks, s.shares) > s.batch:
        s.partial = aligned(whole // <size_t>p.g) if s.apart and whole < TOO_LARGE else aligned(whole)
    if p.kh * p.kw > 1 or s.swapped or s.shares > 1:
        s.sums = aligned(times(whole, <size_t>s.shares))
    s.buffer = plus(plus(s.slab, s.outputs), plus(s.panel, s.partial))
    if s.depthwise:
        depthwise_gradient_init(&s.channels, p, s.threads)
        s.workspace = s.channels.workspace
    else:
        s.workspace = plus(s.sums, times(s.buffer, workers(s)))


cdef inline int workers(const gradient_t *s) noexcept nogil:
    """Threads with a buffer of their own."""
    return <int>min(<int64_t>s.threads, s.p.g * s.shares) if s.apart else 1
