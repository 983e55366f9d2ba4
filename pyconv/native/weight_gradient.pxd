# SPDX-License-Identifier: BSD-3-Clause
"""
conv2d_backward_weight: dw[oc][tap][icg] = sum over images and pixels of dy[pixel][oc] x[pixel*stride + tap][icg].

A product whose long side is summed over, so it is cut there: a block is some rows of outputs, of some images if these are
small. Its inputs lie in a channels-last slab with its zero border (an NHWC image without padding is its own), its outputs
in panels [mr filters][pixel][m]; the product reads both where they stand, and no patch is copied. Sums of a block stay in
registers, blocks are added up in float32, those of a batch before they join the others, so that no chain of additions is
long: in the same order for every number of threads.

  slab   [images][rows][cols][pixel]          panels   [ceil(ocg / mr)][pixels][m]           gradient   [oc][kh][kw][icg]
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy
from cython.parallel cimport prange

from pyconv.core.types cimport *
from pyconv.engines.channels_last cimport copy_rectangle, turn_rows
from pyconv.core.half cimport half, narrow, widen
from pyconv.native.depthwise_gradient cimport depthwise_gradient_run
from pyconv.native.weight_gradient_cut cimport MOST_PIXELS, gradient_t
from pyconv.core.plan cimport nothing
from pyconv.core.rows cimport span
from pyconv.core.tasks cimport poll, run_some
from pyconv.core.kernels cimport ACCUMULATE, ceil_div, split_start
from pyconv.core.threads cimport run_threads

# One block: images, rows and columns of outputs.
ctypedef struct block_t:
    int64_t image, images, row, rows, column, columns


cdef inline block_t _block(const gradient_t *s, int64_t number) noexcept nogil:
    cdef block_t b
    cdef int64_t part = number % s.column_parts
    b.column = split_start(s.p.ow, s.column_parts, part)
    b.columns = split_start(s.p.ow, s.column_parts, part + 1) - b.column
    part = number // s.column_parts % s.row_parts
    b.row = split_start(s.p.oh, s.row_parts, part)
    b.rows = split_start(s.p.oh, s.row_parts, part + 1) - b.row
    part = number // (s.column_parts * s.row_parts)
    b.image = split_start(s.p.n, s.image_parts, part)
    b.images = split_start(s.p.n, s.image_parts, part + 1) - b.image
    return b


cdef inline void _place(const gradient_t *s, const block_t *b, ptrdiff_t *offsets) noexcept nogil:
    """Where the pixels of a block are in its slab."""
    cdef int64_t i, r, q
    cdef int64_t at = 0
    for i in range(b.images):
        for r in range(b.rows):
            for q in range(b.columns):
                offsets[at] = i * s.plane + r * s.p.sh * s.pitch + q * s.p.sw * s.pixel
                at += 1


cdef inline void _fill_row(const gradient_t *s, const block_t *b, const real *x, int64_t channels, int64_t number,
                           real *slab) noexcept nogil:
    """One row of the slab; x is the first of the channels in the first image."""
    cdef const problem_t *p = &s.p
    cdef int64_t height = span(b.rows, p.sh, p.kh, p.dh)
    cdef int64_t image = number // height
    cdef int64_t h = number % height
    copy_rectangle(p, x + (b.image + image) * p.xn, channels, b.row * p.sh - p.ph0 + h, 1, b.column * p.sw - p.pw0,
                   span(b.columns, p.sw, p.kw, p.dw), slab + image * s.plane + h * s.pitch, s.pitch, s.pixel)


cdef inline void _pack_filters(const gradient_t *s, const block_t *b, const real *dy, int64_t m, real *dst) noexcept nogil:
    """dst[pixels][m] from the outputs of m filters; dy is the first of them in the first image."""
    cdef const problem_t *p = &s.p
    cdef int64_t image, r, q
    cdef const real *src
    for image in range(b.image, b.image + b.images):
        for r in range(b.row, b.row + b.rows):
            src = dy + image * p.yn + r * p.yh + b.column * p.yw
            if p.layout == PYCONV_NCHW:
                turn_rows(p, m, b.columns, src, p.yc, dst, m)
            else:
                for q in range(b.columns):
                    memcpy(dst + q * m, src + q * p.yw, m * sizeof(real))
            dst += b.columns * m


cdef inline void _pack_panel(const gradient_t *s, const block_t *b, const real *dy, int64_t panel, real *outputs) noexcept nogil:
    """dy is the first filter of the group in the first image."""
    cdef int64_t first = split_start(s.p.ocg, s.panels, panel)
    _pack_filters(s, b, dy + first * s.p.yc, split_start(s.p.ocg, s.panels, panel + 1) - first,
                  outputs + first * b.images * b.rows * b.columns)


cdef inline void _product(const gradient_t *s, int64_t pixels, const ptrdiff_t *offsets, const real *slab, const real *outputs,
                          int64_t task, bint more, real *dw) noexcept nogil:
    """Task number -> panel of filters, run, part of the run; dw is the group's."""
    cdef const problem_t *p = &s.p
    cdef int64_t part = task % s.parts
    cdef int64_t run = task // s.parts % s.runs
    cdef int64_t panel = task // (s.parts * s.runs)
    cdef int64_t first = split_start(p.ocg, s.panels, panel)
    cdef int64_t m = split_start(p.ocg, s.panels, panel + 1) - first
    cdef int64_t units = ceil_div(s.run, s.nr)
    cdef int64_t start = split_start(units, s.parts, part) * s.nr
    cdef int64_t n = min(split_start(units, s.parts, part + 1) * s.nr, s.run) - start
    cdef int64_t tap = run * p.dh * s.pitch
    cdef int flags = ACCUMULATE if more else 0
    if s.runs != p.kh:
        tap = run // p.kw * p.dh * s.pitch + run % p.kw * p.dw * s.pixel
    outputs += first * pixels
    slab += tap + start
    dw += first * p.k + run * s.run + start
    p.ops.gemm_shifts(m, n, pixels, outputs, m, slab, offsets, dw, p.k, flags)


cdef inline void turn_filters(const problem_t *p, int64_t first, int64_t last, const real *sums, real *dw) noexcept nogil:
    """dw[first .. last][icg][taps] = sums[first .. last][taps][icg]"""
    cdef int64_t o
    cdef int64_t taps = p.kh * p.kw
    for o in range(first, last):
        turn_rows(p, taps, p.icg, sums + o * p.k, p.icg, dw + o * p.k, taps)


cdef inline const real *_slab_of(const gradient_t *s, const block_t *b, const real *x, const real *slab) noexcept nogil:
    if not s.in_place:
        return slab
    return x + b.image * s.p.xn + b.row * s.p.sh * s.p.xh + b.column * s.p.sw * s.p.xw


cdef inline bint _batch_ends(const gradient_t *s, int64_t number) noexcept nogil:
    return s.partial > 0 and ((number + 1) % s.batch == 0 or number + 1 == s.blocks)


cdef inline void _join(const gradient_t *s, int64_t number, int64_t count, const real *partial, real *sums) noexcept nogil:
    """The sums of the batch that ends with block `number`."""
    cdef int64_t i
    if number < s.batch:
        memcpy(sums, partial, count * sizeof(real))
    else:
        for i in range(count):
            sums[i] += partial[i]


cdef inline void _group(const gradient_t *s, const real *x, const real *dy, real *dw, real *partial, real *slab,
                        real *outputs) noexcept nogil:
    """All blocks of one group, by one thread; partial and dw are the group's."""
    cdef ptrdiff_t offsets[MOST_PIXELS]
    cdef block_t b
    cdef int64_t number, i
    for number in range(s.blocks):
        b = _block(s, number)
        _place(s, &b, offsets)
        if not s.in_place:
            for i in range(b.images * span(b.rows, s.p.sh, s.p.kh, s.p.dh)):
                _fill_row(s, &b, x, s.p.icg, i, slab)
        for i in range(s.panels):
            _pack_panel(s, &b, dy, i, outputs)
        for i in range(s.panels * s.runs * s.parts):
            _product(s, b.images * b.rows * b.columns, offsets, _slab_of(s, &b, x, slab), outputs, i, number % s.batch > 0,
                     partial if s.partial > 0 else dw)
        if _batch_ends(s, number):
            _join(s, number, s.p.ocg * s.p.k, partial, dw)


# What is read and written: sums is dw, or what becomes dw once it is turned; partial those of a batch.
ctypedef struct arrays_t:
    const gradient_t *s
    const void *x
    const void *dy
    void *sums
    void *partial
    void *dw


cdef inline void _one_group(const gradient_t *s, const real *x, const real *dy, real *sums, real *partial, real *dw,
                            int64_t number, char *buffer) noexcept nogil:
    """From the images to the group's part of dw."""
    cdef const problem_t *p = &s.p
    cdef int64_t at = number * p.ocg * p.k
    cdef real *slab = <real *>buffer
    cdef real *outputs = <real *>(buffer + s.slab)
    _group(s, x + number * p.icg * p.xc, dy + number * p.ocg * p.yc, sums + at, partial + at, slab, outputs)
    if sums != dw:
        turn_filters(p, 0, p.ocg, sums + at, dw + at)


cdef inline void _group_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const arrays_t *a = <const arrays_t *>cut
    if t.p.dtype == PYCONV_F32:
        _one_group(a.s, <const float *>a.x, <const float *>a.dy, <float *>a.sums, <float *>a.partial, <float *>a.dw, number,
                   buffer)
    else:
        _one_group(a.s, <const double *>a.x, <const double *>a.dy, <double *>a.sums, <double *>a.partial, <double *>a.dw, number,
                   buffer)


cdef inline int _groups(task_t *t, const arrays_t *a, char *buffers) noexcept nogil:
    """Threads take whole groups."""
    cdef const problem_t *p = t.p
    return run_some(t, _group_step, a, 0, p.g, 2.0 * p.n * p.yn * p.k / p.g, t.threads, buffers, a.s.slab + a.s.outputs)


cdef inline int _blocks(const gradient_t *s, task_t *t, const real *x, const real *dy, real *sums, real *partial, real *dw,
                        char *buffers) noexcept nogil:
    """One group: threads share the rows of the slab, then the panels, then the products of each block."""
    cdef const problem_t *p = &s.p
    cdef ptrdiff_t offsets[MOST_PIXELS]
    cdef real *slab = <real *>buffers
    cdef real *outputs = <real *>(buffers + s.slab)
    cdef block_t b
    cdef int64_t number, i, height, pixels
    for number in range(s.blocks):
        b = _block(s, number)
        _place(s, &b, offsets)
        pixels = b.images * b.rows * b.columns
        if not s.in_place:
            height = b.images * span(b.rows, p.sh, p.kh, p.dh)
            for i in prange(height, num_threads=t.threads, schedule="static"):
                _fill_row(s, &b, x, p.icg, i, slab)
        for i in prange(s.panels, num_threads=t.threads, schedule="static"):
            _pack_panel(s, &b, dy, i, outputs)
        for i in prange(s.panels * s.runs * s.parts, num_threads=t.threads, schedule="static"):
            _product(s, pixels, offsets, _slab_of(s, &b, x, slab), outputs, i, number % s.batch > 0,
                     partial if s.partial > 0 else sums)
        if _batch_ends(s, number):
            for i in prange(p.oc, num_threads=t.threads, schedule="static"):
                _join(s, number, p.k, partial + i * p.k, sums + i * p.k)
        if poll(t, 2.0 * pixels * p.oc * p.k):
            return PYCONV_STATUS_INTERRUPTED
    if sums != dw:
        for i in prange(p.oc, num_threads=t.threads, schedule="static"):
            turn_filters(p, i, i + 1, sums, dw)
    return PYCONV_STATUS_OK


cdef inline int _gradient(const gradient_t *s, task_t *t, const real *x, const real *dy, real *dw) noexcept nogil:
    cdef char *workspace = t.workspace
    cdef real *sums = dw
    cdef real *partial
    cdef arrays_t arrays
    if s.depthwise:
        return depthwise_gradient_run(&s.channels, t, x, dy, dw)
    if s.sums > 0:
        sums = <real *>workspace
        workspace += s.sums
    partial = <real *>workspace       # read if s.partial > 0
    workspace += s.partial
    if s.by_group:
        arrays = arrays_t(s, x, dy, sums, partial, dw)
        return _groups(t, &arrays, workspace)
    return _blocks(s, t, x, dy, sums, partial, dw, workspace)


cdef inline int gradient_run(const gradient_t *s, const void *x, const void *dy, void *dw, void *workspace,
                             bint (*interrupted)() noexcept nogil) noexcept nogil:
    """x, dy as the problem describes, dw (oc, icg, kh, kw); workspace of s.workspace bytes, aligned to 64. n > 0."""
    cdef const problem_t *p = &s.p
    cdef task_t t
    cdef int status
    cdef float *turned
    t.p = p
    t.workspace = <char *>workspace if s.workspace > 0 else nothing
    t.interrupted = interrupted
    t.work = 0
    t.slots = s.threads
    t.threads = run_threads(s.threads, s.follow_openmp)
    if p.dtype == PYCONV_F64:
        return _gradient(s, &t, <const double *>x, <const double *>dy, <double *>dw)
    if not s.from_half:
        return _gradient(s, &t, <const float *>x, <const float *>dy, <float *>dw)
    widen(<const half *>x, <float *>t.workspace, p.n * p.xn, t.threads)
    x = t.workspace
    t.workspace += s.converted_x
    widen(<const half *>dy, <float *>t.workspace, p.n * p.yn, t.threads)
    dy = t.workspace
    t.workspace += s.converted_y
    turned = <float *>t.workspace
    t.workspace += s.turned
    status = _gradient(s, &t, <const float *>x, <const float *>dy, turned)
    if status == PYCONV_STATUS_OK:
        narrow(turned, <half *>dw, p.oc * p.k, t.threads)
    return status
