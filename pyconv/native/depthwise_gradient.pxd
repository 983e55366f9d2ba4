# SPDX-License-Identifier: BSD-3-Clause
"""
conv2d_backward_weight where each channel has one filter:
dw[c][r][s] = sum over images and pixels of dy[n][c][i][j] x[n][c][i*sh + r*dh - ph0][j*sw + s*dw - pw0].

Both arrays are read where they stand, without their border: channels last, lanes of a vector are channels; in planes of
stride 1 they are neighbours in a row, and are added up at the end. Other planes are turned channels-last first, a bundle of
channels of some rows at a time. A block is some lines of outputs (see depthwise_grad.tmpl.h), of some images if these are
small; threads share the channels, so results do not depend on their number.

  channels last, turned   lines are rows      sums  [taps][g], turned to dw at the end
  planes                  lines go down       lanes [bundle][taps][V], added to dw [g][taps]
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.core.kernels cimport ceil_div, grad_line_t, grad_t, split_start
from pyconv.core.rows cimport span
from pyconv.core.sizes cimport aligned, plus, times
from pyconv.core.tasks cimport poll, share_tasks
from pyconv.engines.channels_last cimport turn_rows

cdef enum:
    CHAIN = 256               # products that one register sums
    BATCH = 128               # sums of blocks that are added one after another
    BUNDLE = 16               # channels that are turned together: a cache line of float32
    LANE_SUMS = 256           # of a bundle of planes: with their turned copy they fit L1
    TALL = 64                 # rows of planes that stay in L1 with their outputs; else parts of half as many

ctypedef struct depthwise_gradient_t:
    grad_t lines              # of outputs, as the kernel takes them
    bint planes, turned
    int64_t across            # lines of an image
    int64_t images, image_parts, across_parts, step_parts      # of a block, of the batch, of an image, of a line
    int64_t blocks
    int64_t bundle, tasks     # channels that one call of the kernel, or a turning, is for; shares of threads
    int64_t width             # columns of x under the steps of a block that is turned, beyond the image too
    size_t slab, buffer       # bytes of x, turned; of a thread in all
    size_t partial, sums      # of a batch, 0 if there is but one; in the kernel's order, 0 if that is dw's
    size_t workspace

# One block: images, lines and steps.
ctypedef struct lines_t:
    int64_t image, images, start, count, first, last


cdef inline bint one_filter_each(const problem_t *p) noexcept nogil:
    return p.icg == 1 and p.ocg == 1 and p.g > 1


cdef inline bint _fills_vectors(const problem_t *p) noexcept nogil:
    """Whether rows of outputs do: a vector takes kh*kw products, turning it and its input as long as 12."""
    cdef int64_t lanes = ceil_div(p.ow, p.ops.lanes) * p.ops.lanes
    cdef int64_t taps = p.kh * p.kw
    return lanes * (taps + 4) < p.ow * (taps + 16)


cdef inline void _cut_blocks(depthwise_gradient_t *s, int64_t n, int64_t steps) noexcept nogil:
    """Of lines in parts of at most so many steps."""
    cdef int64_t most
    s.step_parts = ceil_div(s.lines.outputs + s.lines.taps, steps)
    most = max(1, CHAIN // ceil_div(s.lines.outputs + s.lines.taps, s.step_parts))
    s.across_parts = ceil_div(s.across, most)
    s.images = max(1, min(n, most // s.across)) if s.across_parts == 1 else 1
    s.image_parts = ceil_div(n, s.images)
    s.blocks = s.image_parts * s.across_parts


cdef inline void _cut_planes(depthwise_gradient_t *s, const problem_t *p, int threads) noexcept nogil:
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t rows
    s.bundle = max(1, min(min(BUNDLE, LANE_SUMS // taps), ceil_div(p.g, threads)))
    s.lines = grad_t(outputs=p.oh, inputs=p.ih, taps=p.kh, stride=p.sh, dilation=p.dh, pad=p.ph0, dy_step=p.yh, x_step=p.xh,
                     first=0, last=0, shifts=p.kw, gap=p.dw, x_shift=p.dw, places=p.iw, lanes_move=True,
                     sums_a=p.kw * p.ops.lanes, sums_s=p.ops.lanes, dy_ahead=0, x_ahead=0, fresh=1)
    s.across = ceil_div(p.ow, p.ops.lanes)
    _cut_blocks(s, p.n, TALL if p.oh + p.kh <= TALL else min(CHAIN, max(TALL // 2, p.oh // BATCH)))
    rows = ceil_div(p.oh + p.kh, s.step_parts)       # the next part of a plane lies behind them, or the next plane
    s.lines.dy_ahead, s.lines.x_ahead = min(p.oh, rows) * p.yh, min(p.ih, rows * p.sh) * p.xh
    s.buffer = times(2, aligned(times(<size_t>(s.bundle * p.ops.lanes), times(<size_t>taps, p.itemsize))))


cdef inline void _cut_rows(depthwise_gradient_t *s, const problem_t *p) noexcept nogil:
    cdef int64_t rows
    s.bundle = p.ops.lanes
    s.lines = grad_t(outputs=p.ow, inputs=p.iw, taps=p.kw, stride=p.sw, dilation=p.dw, pad=p.pw0, dy_step=p.yw, x_step=p.xw,
                     first=0, last=0, shifts=p.kh, gap=p.dh, x_shift=p.dh * p.xh, places=p.ih, lanes_move=False,
                     sums_a=p.g, sums_s=p.kw * p.g, dy_ahead=0, x_ahead=0, fresh=p.sh)
    s.across = p.oh
    _cut_blocks(s, p.n, CHAIN)
    s.blocks *= s.step_parts
    s.sums = aligned(times(times(<size_t>p.g, <size_t>(p.kh * p.kw)), p.itemsize))
    rows = ceil_div(p.oh, s.across_parts)            # the rows of the next block lie behind them
    if s.images == 1:
        s.lines.dy_ahead, s.lines.x_ahead = rows * p.yh, span(rows, p.sh, p.kh, p.dh) * p.xh
    else:
        s.lines.dy_ahead, s.lines.x_ahead = s.images * p.yn, s.images * p.xn


cdef inline void _cut_turned(depthwise_gradient_t *s, const problem_t *p) noexcept nogil:
    cdef int64_t rows, columns
    _cut_rows(s, p)
    s.bundle = min(BUNDLE, p.g)
    s.lines.dy_step = s.lines.x_step = s.bundle
    s.lines.dy_ahead = s.lines.x_ahead = s.lines.fresh = 0
    rows = ceil_div(p.oh, s.across_parts)
    columns = ceil_div(p.ow + p.kw, s.step_parts)
    s.width = span(columns, p.sw, p.kw, p.dw) + p.sw - 1
    s.slab = aligned(times(times(<size_t>(s.images * min(p.ih, span(rows, p.sh, p.kh, p.dh))),
                                 <size_t>(min(p.iw, s.width) * s.bundle)), p.itemsize))
    columns = min(p.ow, columns + p.kw)
    s.buffer = plus(s.slab, aligned(times(times(<size_t>(s.images * rows), <size_t>(columns * s.bundle)), p.itemsize)))


cdef inline void depthwise_gradient_init(depthwise_gradient_t *s, const problem_t *p, int threads) noexcept nogil:
    """Of a problem with one filter for each channel; afterwards `workspace` is the size wanted, saturated."""
    s.planes = p.layout == PYCONV_NCHW and p.sw == 1 and _fills_vectors(p)
    s.turned = p.layout == PYCONV_NCHW and not s.planes
    s.sums = s.slab = s.buffer = 0
    if s.planes:
        _cut_planes(s, p, threads)
    elif s.turned:
        _cut_turned(s, p)
    else:
        _cut_rows(s, p)
    s.tasks = min(<int64_t>threads, ceil_div(p.g, s.bundle))
    s.partial = aligned(times(times(<size_t>p.g, <size_t>(p.kh * p.kw)), p.itemsize)) if s.blocks > BATCH else 0
    s.workspace = plus(plus(s.sums, s.partial), times(s.buffer, <size_t>s.tasks))


cdef inline lines_t _lines_of(const depthwise_gradient_t *s, int64_t n, int64_t block) noexcept nogil:
    """Of a block; in planes all steps."""
    cdef lines_t b
    cdef int64_t steps = s.lines.outputs + s.lines.taps
    cdef int64_t part = 0
    b.first, b.last = 0, steps
    if not s.planes:
        part = block % s.step_parts
        block //= s.step_parts
        b.first = split_start(steps, s.step_parts, part)
        b.last = split_start(steps, s.step_parts, part + 1)
    part = block % s.across_parts
    b.start = split_start(s.across, s.across_parts, part)
    b.count = split_start(s.across, s.across_parts, part + 1) - b.start
    part = block // s.across_parts
    b.image = split_start(n, s.image_parts, part)
    b.images = split_start(n, s.image_parts, part + 1) - b.image
    return b


cdef inline void _add_lanes(const problem_t *p, int64_t count, real *lanes, real *turned, real *sums) noexcept nogil:
    """sums[count] += the sum of each row of lanes[count][V]."""
    cdef int64_t i
    cdef int64_t left = p.ops.lanes
    turn_rows(p, count, left, lanes, left, turned, count)
    while left > 1:
        left //= 2
        for i in range(left * count):
            turned[i] += turned[left * count + i]
    for i in range(count):
        sums[i] += turned[i]


cdef inline void _add_planes(const problem_t *p, const depthwise_gradient_t *s, const lines_t *b, const real *x, const real *dy,
                             int64_t first, int64_t last, real *buffer, real *sums) noexcept nogil:
    """Channels first .. last of a block; sums[g][taps]."""
    cdef grad_line_t lines[CHAIN]
    cdef grad_t g = s.lines
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t lane_sums = taps * p.ops.lanes
    cdef int64_t steps = g.outputs + g.taps
    cdef int64_t i, q, c, part, count
    cdef int64_t at = 0
    for i in range(b.image, b.image + b.images):
        for q in range(b.start, b.start + b.count):
            lines[at].dy = i * p.yn + q * p.ops.lanes
            lines[at].at = q * p.ops.lanes - p.pw0
            lines[at].x = i * p.xn + lines[at].at
            lines[at].lanes = p.ow - q * p.ops.lanes
            at += 1
    while first < last:
        count = min(s.bundle, last - first)
        memset(buffer, 0, count * lane_sums * sizeof(real))
        for c in range(count):
            for part in range(s.step_parts):
                g.first = split_start(steps, s.step_parts, part)
                g.last = split_start(steps, s.step_parts, part + 1)
                p.ops.depthwise_grad(&g, p.ops.lanes, at, lines, x + (first + c) * p.xc, dy + (first + c) * p.yc,
                                     buffer + c * lane_sums)
        _add_lanes(p, count * taps, buffer, buffer + s.buffer // 2 // sizeof(real), sums + first * taps)
        first += count


cdef inline void _add_rows(const problem_t *p, const depthwise_gradient_t *s, const lines_t *b, const real *x, const real *dy,
                           int64_t first, int64_t last, real *sums) noexcept nogil:
    """The same where they stand channels last; sums[taps][g]."""
    cdef grad_line_t lines[CHAIN]
    cdef grad_t g = s.lines
    cdef int64_t i, row
    cdef int64_t at = 0
    g.first, g.last = b.first, b.last
    for i in range(b.image, b.image + b.images):
        for row in range(b.start, b.start + b.count):
            lines[at].dy = i * p.yn + row * p.yh
            lines[at].at = row * p.sh - p.ph0
            lines[at].x = i * p.xn + lines[at].at * p.xh
            lines[at].lanes = s.bundle
            at += 1
    while first < last:
        p.ops.depthwise_grad(&g, min(s.bundle, last - first), at, lines, x + first, dy + first, sums + first)
        first += s.bundle


cdef inline void _turn(const problem_t *p, int64_t channels, int64_t rows, int64_t columns, const real *src, int64_t src_c,
                       int64_t src_h, real *to, int64_t pixel) noexcept nogil:
    """to[rows][columns][channels] = src[channels][rows][columns]"""
    cdef int64_t r
    if columns == src_h:      # whole rows: one long one
        columns *= rows
        rows = min(rows, 1)
    for r in range(rows):
        turn_rows(p, channels, columns, src + r * src_h, src_c, to + r * columns * pixel, pixel)


cdef inline void _add_turned(const problem_t *p, const depthwise_gradient_t *s, const lines_t *b, const real *x, const real *dy,
                             int64_t first, int64_t last, real *slab, real *sums) noexcept nogil:
    """The same of planes, of which as much as the block reads is turned."""
    cdef grad_line_t lines[CHAIN]
    cdef grad_t g = s.lines
    cdef real *outputs = slab + s.slab // sizeof(real)
    cdef int64_t i, row, count
    cdef int64_t h0 = max(0, b.start * p.sh - p.ph0)
    cdef int64_t rows = max(0, min(p.ih, b.start * p.sh - p.ph0 + span(b.count, p.sh, p.kh, p.dh)) - h0)
    cdef int64_t w0 = max(0, b.first * p.sw - p.pw0)
    cdef int64_t columns = max(0, min(p.iw, b.first * p.sw - p.pw0 + s.width) - w0)
    cdef int64_t q0 = max(0, b.first - p.kw)
    cdef int64_t width = min(p.ow, b.last) - q0
    cdef int64_t at = 0
    g.first, g.last = b.first, b.last
    g.x_shift = p.dh * columns * s.bundle
    for i in range(b.images):
        for row in range(b.count):
            lines[at].dy = ((i * b.count + row) * width - q0) * s.bundle
            lines[at].at = (b.start + row) * p.sh - p.ph0
            lines[at].x = ((i * rows + lines[at].at - h0) * columns - w0) * s.bundle
            lines[at].lanes = p.ops.lanes
            at += 1
    while first < last:
        count = min(s.bundle, last - first)
        for i in range(b.images):
            _turn(p, count, rows, columns, x + (b.image + i) * p.xn + first * p.xc + h0 * p.xh + w0, p.xc, p.xh,
                  slab + i * rows * columns * s.bundle, s.bundle)
            _turn(p, count, b.count, width, dy + (b.image + i) * p.yn + first * p.yc + b.start * p.yh + q0, p.yc, p.yh,
                  outputs + i * b.count * width * s.bundle, s.bundle)
        i = 0
        while i < count:
            p.ops.depthwise_grad(&g, min(<int64_t>p.ops.lanes, count - i), at, lines, slab + i, outputs + i,
                                 sums + first + i)
            i += p.ops.lanes
        first += count


# Blocks of a batch: what is read, and the sums that they join.
ctypedef struct batch_t:
    const depthwise_gradient_t *s
    const void *x
    const void *dy
    void *partial             # those of the batch; sums if there is but one
    void *sums
    void *dw
    int64_t first, last


cdef inline void _batch(const problem_t *p, const batch_t *a, const real *x, const real *dy, real *partial, real *sums,
                        real *dw, int64_t number, real *buffer) noexcept nogil:
    """A thread's share of channels."""
    cdef const depthwise_gradient_t *s = a.s
    cdef int64_t units = ceil_div(p.g, s.bundle)
    cdef int64_t first = split_start(units, s.tasks, number) * s.bundle
    cdef int64_t last = min(split_start(units, s.tasks, number + 1) * s.bundle, p.g)
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t rows = 1 if s.planes else taps            # of sums, and where a share of them begins
    cdef int64_t width = taps * p.g if s.planes else p.g
    cdef int64_t start = first * taps if s.planes else first
    cdef int64_t count = (last - first) * (taps if s.planes else 1)
    cdef int64_t i, j, block
    cdef lines_t b
    for i in range(rows):
        memset(partial + i * width + start, 0, count * sizeof(real))
        if a.first == 0 and partial != sums:
            memset(sums + i * width + start, 0, count * sizeof(real))
    for block in range(a.first, a.last):
        b = _lines_of(s, p.n, block)
        if s.planes:
            _add_planes(p, s, &b, x, dy, first, last, buffer, partial)
        elif s.turned:
            _add_turned(p, s, &b, x, dy, first, last, buffer, partial)
        else:
            _add_rows(p, s, &b, x, dy, first, last, partial)
    if partial != sums:
        for i in range(rows):
            for j in range(i * width + start, i * width + start + count):
                sums[j] += partial[j]
    if sums != dw and a.last == s.blocks:
        turn_rows(p, taps, last - first, sums + first, p.g, dw + first * taps, taps)


cdef inline void _batch_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const batch_t *a = <const batch_t *>cut
    if t.p.dtype == PYCONV_F32:
        _batch(t.p, a, <const float *>a.x, <const float *>a.dy, <float *>a.partial, <float *>a.sums, <float *>a.dw, number,
               <float *>buffer)
    else:
        _batch(t.p, a, <const double *>a.x, <const double *>a.dy, <double *>a.partial, <double *>a.sums, <double *>a.dw,
               number, <double *>buffer)


cdef inline int depthwise_gradient_run(const depthwise_gradient_t *s, task_t *t, const void *x, const void *dy,
                                       void *dw) noexcept nogil:
    """x, dy as the problem describes, dw (g, 1, kh, kw); t.workspace of s.workspace bytes. n > 0."""
    cdef const problem_t *p = t.p
    cdef batch_t a = batch_t(s=s, x=x, dy=dy, dw=dw, sums=dw, partial=dw, first=0, last=0)
    cdef char *buffers = t.workspace + s.sums + s.partial
    if s.sums > 0:
        a.sums = t.workspace
    a.partial = t.workspace + s.sums if s.partial > 0 else a.sums
    while a.last < s.blocks:
        a.first = a.last
        a.last = min(a.first + BATCH, s.blocks)
        share_tasks(t, _batch_step, &a, 0, s.tasks, <int>min(<int64_t>t.threads, s.tasks), buffers, s.buffer)
        if poll(t, 2.0 * p.n * p.yn * p.k * (a.last - a.first) / s.blocks):
            return PYCONV_STATUS_INTERRUPTED
    return PYCONV_STATUS_OK
