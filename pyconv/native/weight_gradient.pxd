# SPDX-License-Identifier: BSD-3-Clause
"""
conv2d_backward_weight: dw[oc][tap][icg] = sum over images and pixels of dy[pixel][oc] x[pixel*stride + tap][icg].

A product whose long side is summed over, so it is cut there: a block is some rows of outputs, of some images if these are
small. Its inputs lie in a channels-last slab with its zero border (an NHWC image without padding is its own), its outputs
channels last too; the product reads both where they stand, and no patch is copied. The elements of one side are broadcast to
multiply vectors of the other: filters, or if windows would leave vectors half empty (those of few channels do) the elements
of a window. That side is copied to panels if it is read often and from far apart.

Sums of a block stay in registers, blocks are added up in float32, those of a batch before they join the others, so that no
chain of additions is long. A small dw is summed by shares of the blocks, added up at the end, else threads share each block:
in the same order for every number of threads.

  slab     [images][rows][cols][pixel]      outputs  [pixels][ocg], if they are turned
  panels   [ceil(rows / mr)][pixels][m]     sums     [shares][oc][taps][icg], or [shares][g][taps][icg][ocg]
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy
from cython.parallel cimport prange

from pyconv.core.types cimport *
from pyconv.engines.channels_last cimport copy_rectangle, turn_rows
from pyconv.native.depthwise_gradient cimport depthwise_gradient_run
from pyconv.native.weight_gradient_cut cimport MOST_PIXELS, TURNED, gradient_t, workers
from pyconv.core.rows cimport span
from pyconv.core.tasks cimport poll, run_some
from pyconv.core.kernels cimport ACCUMULATE, ahead_part, ahead_t, ceil_div, split_start

cdef enum:
    FINISHED = 50000          # sums that one thread joins and turns as fast as several would

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


# Where the pixels of a block are, from the first on.
ctypedef struct pixels_t:
    int64_t count
    ptrdiff_t x[MOST_PIXELS]
    ptrdiff_t dy[MOST_PIXELS]


cdef inline void _place(const gradient_t *s, const block_t *b, pixels_t *at) noexcept nogil:
    cdef const problem_t *p = &s.p
    cdef int64_t i, r, q
    cdef int64_t n = 0
    for i in range(b.images):
        for r in range(b.rows):
            for q in range(b.columns):
                at.x[n] = i * s.plane + r * p.sh * s.pitch + q * p.sw * s.pixel
                at.dy[n] = n * s.output if s.output > 0 else i * p.yn + r * p.yh + q * p.yw
                n += 1
    at.count = n


cdef inline int64_t _slab_rows(const gradient_t *s, const block_t *b) noexcept nogil:
    return span(b.rows, s.p.sh, s.p.kh, s.p.dh)


cdef inline int64_t _fills(const gradient_t *s, const block_t *b) noexcept nogil:
    """Tasks that fill the slab: rows, or pieces of planes."""
    if s.in_place:
        return 0
    return b.images * (ceil_div(_slab_rows(s, b) * s.p.iw, TURNED) if s.flat else _slab_rows(s, b))


cdef inline void _fill(const gradient_t *s, const block_t *b, const real *x, int64_t number, real *slab) noexcept nogil:
    """One of them; x is the first channel of the group in the first image."""
    cdef const problem_t *p = &s.p
    cdef int64_t height = _slab_rows(s, b)
    cdef int64_t count = ceil_div(height * p.iw, TURNED) if s.flat else height
    cdef int64_t image = number // count
    cdef int64_t h = number % count
    x += (b.image + image) * p.xn
    slab += image * s.plane
    if s.flat:
        count = min(height * p.iw - h * TURNED, <int64_t>TURNED)
        turn_rows(p, p.icg, count, x + b.row * p.sh * p.xh + h * TURNED, p.xc, slab + h * TURNED * s.pixel, s.pixel)
        return
    copy_rectangle(p, x, p.icg, b.row * p.sh - p.ph0 + h, 1, b.column * p.sw - p.pw0, span(b.columns, p.sw, p.kw, p.dw),
                   slab + h * s.pitch, s.pitch, s.pixel)


cdef inline void _turn_filters(const gradient_t *s, const block_t *b, const real *dy, int64_t m, real *dst,
                               int64_t pixel) noexcept nogil:
    """dst[pixels][m] from the planes of m filters; dy is the first of them in the first image."""
    cdef const problem_t *p = &s.p
    cdef int64_t rows = b.rows
    cdef int64_t columns = b.columns
    cdef int64_t image, r
    if columns == p.ow:
        columns *= rows
        rows = 1
    for image in range(b.image, b.image + b.images):
        for r in range(rows):
            turn_rows(p, m, columns, dy + image * p.yn + (b.row + r) * p.yh + b.column, p.yc, dst, pixel)
            dst += columns * pixel


cdef inline int64_t _packs_of(const gradient_t *s) noexcept nogil:
    """Tasks that pack: panels, or turn the outputs."""
    return s.panels if s.packed else 1 if s.output > 0 else 0


# Where what a block is made of is in the buffer of a thread; and what the next block reads.
ctypedef struct buffers_t:
    char *slab
    char *outputs
    char *panels
    char *partial
    ahead_t x, dy


cdef inline buffers_t _buffers(const gradient_t *s, char *buffer) noexcept nogil:
    cdef buffers_t f
    f.slab = buffer
    f.outputs = f.slab + s.slab
    f.panels = f.outputs + s.outputs
    f.partial = f.panels + s.panel
    f.x = f.dy = ahead_t(NULL, 0)
    return f


cdef inline void _look_ahead(const gradient_t *s, const real *x, const real *dy, int64_t number, buffers_t *f) noexcept nogil:
    """What block `number` reads, if that is one piece of each array; x and dy are those of the first image."""
    cdef const problem_t *p = &s.p
    cdef int64_t rows = 0
    cdef int64_t item = sizeof(real)
    cdef block_t b
    f.x = f.dy = ahead_t(NULL, 0)
    if number == s.blocks or p.g > 1 or s.column_parts > 1 or s.row_parts > 1 and p.layout == PYCONV_NCHW:
        return
    b = _block(s, number)
    f.x.at, f.dy.at = x + b.image * p.xn, dy + b.image * p.yn
    f.x.bytes, f.dy.bytes = b.images * p.xn * item, b.images * p.yn * item
    if s.row_parts > 1:
        rows = max(0, b.row * p.sh - p.ph0)
        f.x.at, f.dy.at = <const real *>f.x.at + rows * p.xh, <const real *>f.dy.at + b.row * p.yh
        f.x.bytes, f.dy.bytes = max(0, min(_slab_rows(s, &b), p.ih - rows)) * p.xh * item, b.rows * p.yh * item


cdef inline ahead_t _ahead(const buffers_t *f, int64_t task, int64_t tasks) noexcept nogil:
    """What one product asks for: a share of x, or of dy."""
    cdef int64_t first = tasks * f.x.bytes // max(f.x.bytes + f.dy.bytes, 1)
    if task < first:
        return ahead_part(f.x.at, f.x.bytes, task, first)
    return ahead_part(f.dy.at, f.dy.bytes, task - first, tasks - first)


cdef inline const real *_inputs(const gradient_t *s, const block_t *b, const real *x, const buffers_t *f) noexcept nogil:
    if not s.in_place:
        return <const real *>f.slab
    return x + b.image * s.p.xn + b.row * s.p.sh * s.p.xh + b.column * s.p.sw * s.p.xw


cdef inline const real *_outputs(const gradient_t *s, const block_t *b, const real *dy, const buffers_t *f) noexcept nogil:
    if s.output > 0:
        return <const real *>f.outputs
    return dy + b.image * s.p.yn + b.row * s.p.yh + b.column * s.p.yw


cdef inline void _pack(const gradient_t *s, const block_t *b, const pixels_t *at, const real *x, const real *dy, int64_t panel,
                       const buffers_t *f) noexcept nogil:
    """One of them; x and dy are those of the group in the first image."""
    cdef int64_t first = split_start(s.left, s.panels, panel)
    cdef int64_t m = split_start(s.left, s.panels, panel + 1) - first
    cdef real *dst = <real *>f.panels + first * at.count
    cdef const ptrdiff_t *from_ = &at.x[0] if s.swapped else &at.dy[0]
    cdef const real *src
    cdef int64_t i
    if not s.packed:
        _turn_filters(s, b, dy, s.p.ocg, <real *>f.outputs, s.output)
    elif s.p.layout == PYCONV_NCHW and not s.swapped:
        _turn_filters(s, b, dy + first * s.p.yc, m, dst, m)
    else:
        src = (_inputs(s, b, x, f) if s.swapped else _outputs(s, b, dy, f)) + first
        for i in range(at.count):
            memcpy(dst + i * m, src + from_[i], m * sizeof(real))


cdef inline void _product(const gradient_t *s, const block_t *b, const pixels_t *at, const real *x, const real *dy,
                          const buffers_t *f, int64_t task, bint more, real *sums) noexcept nogil:
    """Task number -> panel of rows, run, part of the columns; sums are the group's."""
    cdef const problem_t *p = &s.p
    cdef int64_t part = task % s.parts
    cdef int64_t run = task // s.parts % s.runs
    cdef int64_t panel = task // (s.parts * s.runs)
    cdef int64_t first = split_start(s.left, s.panels, panel)
    cdef int64_t m = split_start(s.left, s.panels, panel + 1) - first
    cdef int64_t units = ceil_div(s.right, s.nr)
    cdef int64_t start = split_start(units, s.parts, part) * s.nr
    cdef int64_t n = min(split_start(units, s.parts, part + 1) * s.nr, s.right) - start
    cdef int64_t tap = run * p.dh * s.pitch
    cdef const real *panels = <const real *>f.panels + first * at.count
    cdef const ptrdiff_t *left_at = NULL if s.packed else &at.x[0] if s.swapped else &at.dy[0]
    cdef ahead_t ahead = _ahead(f, task, s.panels * s.runs * s.parts)
    cdef int flags = ACCUMULATE if more else 0
    if s.runs != p.kh:
        tap = run // p.kw * p.dh * s.pitch + run % p.kw * p.dw * s.pixel
    x = _inputs(s, b, x, f) + tap
    dy = _outputs(s, b, dy, f)
    if s.swapped:
        p.ops.gemm_shifts(m, n, at.count, panels if s.packed else x + first, m, left_at, dy + start, &at.dy[0], ahead,
                          sums + (run * s.run + first) * p.ocg + start, p.ocg, flags)
    else:
        p.ops.gemm_shifts(m, n, at.count, panels if s.packed else dy + first, m, left_at, x + start, &at.x[0], ahead,
                          sums + first * p.k + run * s.run + start, p.k, flags)


cdef inline bint _batch_ends(const gradient_t *s, int64_t number, int64_t count) noexcept nogil:
    return s.partial > 0 and ((number + 1) % s.batch == 0 or number + 1 == count)


cdef inline void _join(const gradient_t *s, int64_t number, int64_t count, const real *partial, real *sums) noexcept nogil:
    """The sums of the batch that ends with block `number`."""
    cdef int64_t i
    if number < s.batch:
        memcpy(sums, partial, count * sizeof(real))
    else:
        for i in range(count):
            sums[i] += partial[i]


cdef inline void _share(const gradient_t *s, const real *x, const real *dy, int64_t share, real *sums,
                        char *buffer) noexcept nogil:
    """A share of the blocks of one group, by one thread; x, dy and sums are the group's."""
    cdef pixels_t at
    cdef block_t b
    cdef buffers_t f = _buffers(s, buffer)
    cdef int64_t first = split_start(s.blocks, s.shares, share)
    cdef int64_t count = split_start(s.blocks, s.shares, share + 1) - first
    cdef int64_t number, i
    for number in range(count):
        b = _block(s, first + number)
        _place(s, &b, &at)
        _look_ahead(s, x, dy, first + number + 1, &f)
        for i in range(_fills(s, &b)):
            _fill(s, &b, x, i, <real *>f.slab)
        for i in range(_packs_of(s)):
            _pack(s, &b, &at, x, dy, i, &f)
        for i in range(s.panels * s.runs * s.parts):
            _product(s, &b, &at, x, dy, &f, i, number % s.batch > 0, <real *>f.partial if s.partial > 0 else sums)
        if _batch_ends(s, number, count):
            _join(s, number, s.p.ocg * s.p.k, <const real *>f.partial, sums)


cdef inline int64_t _turns(const gradient_t *s) noexcept nogil:
    """Tasks that turn a group's sums: as many as filters, or channels of several taps."""
    return s.p.ocg if not s.swapped else s.p.icg if s.p.kh * s.p.kw > 1 else 1


cdef inline void _turn(const gradient_t *s, const real *sums, real *dw, int64_t number) noexcept nogil:
    """Task number -> group, part of its sums; to dw."""
    cdef const problem_t *p = &s.p
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t group = number // _turns(s)
    cdef int64_t part = number % _turns(s)
    sums += group * p.ocg * p.k
    dw += group * p.ocg * p.k
    if s.swapped and taps == 1:
        turn_rows(p, p.icg, p.ocg, sums, p.ocg, dw, p.icg)
    elif s.swapped:
        turn_rows(p, taps, p.ocg, sums + part * p.ocg, p.icg * p.ocg, dw + part * taps, p.k)
    elif taps == 1:
        memcpy(dw + part * p.k, sums + part * p.k, p.k * sizeof(real))
    else:
        turn_rows(p, taps, p.icg, sums + part * p.k, p.icg, dw + part * p.k, taps)


cdef inline void _add_shares(const gradient_t *s, real *sums, int64_t filter) noexcept nogil:
    """Of as many sums as a filter has, all to those of the first share."""
    cdef int64_t i, share
    cdef int64_t k = s.p.k
    for share in range(1, s.shares):
        for i in range(filter * k, filter * k + k):
            sums[i] += sums[share * s.p.oc * k + i]


# What is read and written: sums is dw, or what becomes dw once it is joined and turned.
ctypedef struct arrays_t:
    const gradient_t *s
    const void *x
    const void *dy
    void *sums


cdef inline void _one_share(const arrays_t *a, const real *x, const real *dy, real *sums, int64_t number,
                            char *buffer) noexcept nogil:
    cdef const problem_t *p = &a.s.p
    cdef int64_t group = number // a.s.shares
    cdef int64_t share = number % a.s.shares
    _share(a.s, x + group * p.icg * p.xc, dy + group * p.ocg * p.yc, share, sums + (share * p.oc + group * p.ocg) * p.k, buffer)


cdef inline void _share_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const arrays_t *a = <const arrays_t *>cut
    if t.p.dtype == PYCONV_F32:
        _one_share(a, <const float *>a.x, <const float *>a.dy, <float *>a.sums, number, buffer)
    else:
        _one_share(a, <const double *>a.x, <const double *>a.dy, <double *>a.sums, number, buffer)


cdef inline int _blocks(const gradient_t *s, task_t *t, const real *x, const real *dy, real *sums, char *buffer) noexcept nogil:
    """One group: threads share the rows of the slab and the panels, then the products of each block."""
    cdef const problem_t *p = &s.p
    cdef pixels_t at
    cdef block_t b
    cdef buffers_t f = _buffers(s, buffer)
    cdef int64_t number, i, fills, packs
    for number in range(s.blocks):
        b = _block(s, number)
        _place(s, &b, &at)
        _look_ahead(s, x, dy, number + 1, &f)
        fills = _fills(s, &b)
        packs = _packs_of(s)
        if s.packed and s.swapped:           # from the slab
            for i in prange(fills, num_threads=t.threads, schedule="static"):
                _fill(s, &b, x, i, <real *>f.slab)
            fills = 0
        for i in prange(fills + packs, num_threads=t.threads, schedule="static"):
            if i < fills:
                _fill(s, &b, x, i, <real *>f.slab)
            else:
                _pack(s, &b, &at, x, dy, i - fills, &f)
        for i in prange(s.panels * s.runs * s.parts, num_threads=t.threads, schedule="static"):
            _product(s, &b, &at, x, dy, &f, i, number % s.batch > 0, <real *>f.partial if s.partial > 0 else sums)
        if _batch_ends(s, number, s.blocks):
            for i in prange(p.oc, num_threads=t.threads, schedule="static"):
                _join(s, number, p.k, <const real *>f.partial + i * p.k, sums + i * p.k)
        if poll(t, 2.0 * at.count * p.oc * p.k):
            return PYCONV_STATUS_INTERRUPTED
    return PYCONV_STATUS_OK


cdef inline int _gradient(const gradient_t *s, task_t *t, const real *x, const real *dy, real *dw) noexcept nogil:
    cdef const problem_t *p = &s.p
    cdef char *buffers = t.workspace + s.sums
    cdef real *sums = <real *>t.workspace if s.sums > 0 else dw
    cdef arrays_t arrays = arrays_t(s, x, dy, sums)
    cdef int64_t i
    cdef int status
    cdef int threads = t.threads
    if s.depthwise:
        return depthwise_gradient_run(&s.channels, t, x, dy, dw)
    if s.apart:
        status = run_some(t, _share_step, &arrays, 0, p.g * s.shares, 2.0 * p.n * p.yn * p.k / (p.g * s.shares),
                          min(t.threads, workers(s)), buffers, s.buffer)
    else:
        status = _blocks(s, t, x, dy, sums, buffers)
    if status != PYCONV_STATUS_OK:
        return status
    if p.oc * p.k * s.shares < FINISHED:
        threads = 1
    if s.shares > 1:
        for i in prange(p.oc, num_threads=threads, schedule="static"):
            _add_shares(s, sums, i)
    if sums != dw:
        for i in prange(p.g * _turns(s), num_threads=threads, schedule="static"):
            _turn(s, sums, dw, i)
    return PYCONV_STATUS_OK


cdef inline int gradient_run(const gradient_t *s, task_t *t, const void *x, const void *dy, void *dw) noexcept nogil:
    """x, dy as the problem describes, dw (oc, icg, kh, kw); the workspace has s.workspace bytes."""
    if s.p.dtype == PYCONV_F64:
        return _gradient(s, t, <const double *>x, <const double *>dy, <double *>dw)
    return _gradient(s, t, <const float *>x, <const float *>dy, <float *>dw)
