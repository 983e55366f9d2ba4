# SPDX-License-Identifier: BSD-3-Clause
"""
The direct form of implicit_gemm: windows are read from a slab of the image, and no patch is copied.

y[pixels][oc] = sum over taps of slab[pixel + tap][icg] w[tap][icg][oc]

A slab holds the input rows and columns under a block of outputs, channels-last, with its zero border: every element of the
image is copied once or twice (turned, from NCHW) instead of kh*kw times. An NHWC image without padding is its own slab, and
so is the matrix that MEC lowers an image to. Pixels of one output row stand at equal distances, so a tile takes up to mr of
them; filters run along the vectors.

Output rows `apart` = dh / gcd(sh, dh) rows apart read image rows that are multiples of dh apart, and share most of them:
a slab takes rows of one such class, and image row h0 + i*dh is its line i. Kernel rows that lie above or below the image
are left out of the sums.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.engines.channels_last cimport copy_rectangle
from pyconv.core.tasks cimport run_some
from pyconv.core.rows cimport lowered_row, reach, span
from pyconv.core.kernels cimport ACCUMULATE, TRANSPOSED, ahead_part, ahead_t, ceil_div, split_start
from pyconv.engines.gemm.windows_cut cimport MOST_RUNS, slab_lines, slabs_t, weights_stream
from pyconv.engines.gemm.panels cimport multiply
from pyconv.core.tail cimport tail_flags


cdef inline void _fill_slab(const problem_t *p, const slabs_t *b, const real *x, int64_t row, int64_t column,
                            int64_t rows, int64_t columns, real *slab) noexcept nogil:
    """The inputs under `rows` output rows of a class, the first being `row`, and columns column .. + columns."""
    cdef int64_t h0 = row * p.sh - p.ph0
    cdef int64_t w0 = column * p.sw - p.pw0
    cdef int64_t width = span(columns, p.sw, p.kw, p.dw)
    cdef int64_t lines = slab_lines(p, rows)
    cdef int64_t i
    if p.dh == 1:
        copy_rectangle(p, x, p.icg, h0, lines, w0, width, slab, b.pitch, b.pixel)
    else:
        for i in range(lines):
            copy_rectangle(p, x, p.icg, h0 + i * p.dh, 1, w0, width, slab + i * b.pitch, b.pitch, b.pixel)


# The input rows of the slab below, to be asked for while this one is computed: a stretch of each plane.
ctypedef struct below_t:
    const char *rows          # of the first plane
    int64_t planes, step      # channels in NCHW, else 1; bytes from one to the next
    int64_t bytes             # of one plane; 0 for none


cdef inline below_t _rows_below(const problem_t *p, const real *x, int64_t row, int64_t rows) noexcept nogil:
    """What the slab below adds to that of output rows row .. + rows."""
    cdef below_t below
    cdef int64_t first = row * p.sh - p.ph0 + span(rows, p.sh, p.kh, p.dh)
    cdef int64_t last = min(first + rows * p.sh, p.ih)
    below.rows = <const char *>(x + first * p.xh)
    below.planes = p.icg if p.layout == PYCONV_NCHW else 1
    below.step = p.xc * <int64_t>sizeof(real)
    below.bytes = 0
    if p.dh == 1 and 0 <= first < last:
        below.bytes = (last - first) * p.xh * <int64_t>sizeof(real)
    return below


cdef inline ahead_t _ask(const below_t *below, int64_t part, int64_t parts) noexcept nogil:
    """Part of the stretches as if they followed each other, as far as one of them goes."""
    cdef ahead_t ahead
    cdef int64_t start = split_start(below.planes * below.bytes, parts, part)
    cdef int64_t plane = start // below.bytes
    ahead.at = below.rows + plane * below.step + start % below.bytes
    ahead.bytes = min(split_start(below.planes * below.bytes, parts, part + 1), (plane + 1) * below.bytes) - start
    return ahead


cdef inline void _block(const task_t *t, const slabs_t *b, const ptrdiff_t *offsets, const real *slab, int64_t at,
                        int64_t row, int64_t rows, int64_t columns, int64_t first_run, int64_t runs, int64_t c0, int64_t k,
                        const real *weight, int64_t g, int64_t first_filter, int64_t filters, int flags,
                        const below_t *below, int64_t block, int64_t blocks) noexcept nogil:
    """
    One block of K (runs first_run .. + runs, reals c0 .. + k of each) and of filters for all pixels of a slab.

    `at` is the place of the slab's first pixel and the group's first filter in y.
    """
    cdef const problem_t *p = t.p
    cdef bint turned = p.layout == PYCONV_NCHW
    cdef int64_t ldc = p.yc if turned else p.yw
    cdef int64_t tiles = ceil_div(columns, b.mr)
    cdef int64_t used = runs * k * b.filters      # the weights of the next block follow these
    cdef int64_t calls = rows * tiles
    cdef ahead_t ahead
    cdef int64_t row_runs = b.runs // p.kh
    cdef int64_t r, tile, column, m, where, first, last
    for r in range(rows):
        reach(p.kh, p.ih, p.dh, (row + r * b.apart) * p.sh - p.ph0, &first, &last)
        first = min(max(first * row_runs, first_run), first_run + runs)
        last = max(min(last * row_runs, first_run + runs), first)
        for tile in range(tiles):
            if below.bytes > 0:
                ahead = _ask(below, block * calls + r * tiles + tile, blocks * calls)
            else:
                ahead = ahead_part(weight + used, used * <int64_t>p.itemsize, r * tiles + tile, calls)
            column = split_start(columns, tiles, tile)
            m = split_start(columns, tiles, tile + 1) - column
            where = at + r * b.apart * p.yh + column * p.yw + first_filter * p.yc
            multiply(t, m, filters, last - first, k, slab + r * b.stride * b.pitch + column * b.step + c0, b.step,
                     offsets + first, weight + (first - first_run) * b.run * b.nr, p.k * b.nr, where, ldc, ahead, flags,
                     g * p.ocg + first_filter)


# A cut, and the place of each run of a window in the slab.
ctypedef struct windows_t:
    const slabs_t *b
    ptrdiff_t[MOST_RUNS] offsets


cdef inline void _slab_task(const task_t *t, const slabs_t *b, const ptrdiff_t *offsets, int64_t task,
                            real *buffer) noexcept nogil:
    """
    Task number -> group, image, part of the filters, class of rows, part of it, part of the columns, changing fastest.

    `buffer` holds the slab, or MEC's matrix.
    """
    cdef const problem_t *p = t.p
    cdef int64_t column_part = task % b.column_parts
    cdef int64_t slabs = b.column_parts * b.row_parts * b.apart
    cdef int64_t row_part = task // b.column_parts % b.row_parts
    cdef int64_t row_class = task // (b.column_parts * b.row_parts) % b.apart
    cdef int64_t filter_part = task // slabs % b.filter_parts
    cdef int64_t image = task // (slabs * b.filter_parts) % p.n
    cdef int64_t g = task // (slabs * b.filter_parts * p.n)
    cdef int64_t column = column_part * b.columns
    cdef int64_t columns = min(b.columns, p.ow - column)
    cdef int64_t class_rows = ceil_div(p.oh - row_class, b.apart)
    cdef int64_t start = split_start(class_rows, b.row_parts, row_part)
    cdef int64_t rows = split_start(class_rows, b.row_parts, row_part + 1) - start
    cdef int64_t row = row_class + start * b.apart
    cdef int64_t units = ceil_div(p.ocg, b.nr)
    cdef int64_t filter = split_start(units, b.filter_parts, filter_part) * b.nr
    cdef int64_t end = min(split_start(units, b.filter_parts, filter_part + 1) * b.nr, p.ocg)
    cdef int64_t at = image * p.yn + g * p.ocg * p.yc + row * p.yh + column * p.yw
    cdef const real *x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
    cdef const real *weight = <const real *>t.weight + g * units * b.nr * p.k
    cdef const real *slab = x + row * p.sh * p.xh + column * p.sw * p.xw
    cdef int64_t first_run, runs, c0, k, filters
    cdef int flags
    cdef int tail = tail_flags(t, False)
    cdef below_t below = _rows_below(p, x, row, rows)
    cdef int64_t block = 0
    cdef int64_t blocks = ceil_div(end - filter, b.filters) * ceil_div(b.runs, b.block_runs) * ceil_div(b.run, b.chunk)
    if b.lowered or weights_stream(p):
        below.bytes = 0       # weights come first
    if rows == 0:
        return
    if b.lowered:
        slab = buffer + (image * p.ow + column) * b.step + lowered_row(p, row * p.sh - p.ph0) * b.pitch
    elif not b.in_place:
        _fill_slab(p, b, x, row, column, rows, columns, buffer)
        slab = buffer
    while filter < end:
        filters = min(b.filters, end - filter)
        first_run = 0
        while first_run < b.runs:
            runs = min(b.block_runs, b.runs - first_run)
            c0 = 0
            while c0 < b.run:
                k = min(b.chunk, b.run - c0)
                flags = TRANSPOSED if p.layout == PYCONV_NCHW else 0
                if first_run > 0 or c0 > 0:
                    flags |= ACCUMULATE
                if first_run + runs == b.runs and c0 + k == b.run:
                    flags |= tail
                _block(t, b, offsets, slab, at, row, rows, columns, first_run, runs, c0, k,
                       weight + filter * p.k + (first_run * b.run + c0) * b.nr, g, filter, filters, flags, &below,
                       block, blocks)
                block += 1
                c0 += k
            first_run += runs
        filter += filters


cdef inline void _slab_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const windows_t *w = <const windows_t *>cut
    if t.p.dtype == PYCONV_F32:
        _slab_task(t, w.b, w.offsets, number, <float *>buffer)
    else:
        _slab_task(t, w.b, w.offsets, number, <double *>buffer)


cdef inline int run_slabs(task_t *t, const slabs_t *b, int64_t first_group, int64_t groups) noexcept nogil:
    """All tasks of some groups."""
    cdef const problem_t *p = t.p
    cdef windows_t w
    cdef int64_t tasks = p.n * b.filter_parts * b.apart * b.row_parts * b.column_parts      # of a group
    cdef int64_t first = first_group * tasks
    cdef int64_t i
    w.b = b
    promised(b.runs <= MOST_RUNS)
    for i in range(b.runs):
        if b.runs == p.kh:
            w.offsets[i] = i * b.pitch
        else:
            w.offsets[i] = i // p.kw * b.pitch + i % p.kw * p.dw * b.pixel
    return run_some(t, _slab_step, &w, first, first + groups * tasks, 2.0 * p.n * p.yn * p.k / (tasks * p.g), t.threads,
                    t.workspace, b.buffer)
