# SPDX-License-Identifier: BSD-3-Clause
"""
Products of windows: the taps of each phase by rows of x where they stand, as in engines/gemm/windows.pxd.

y[phase's pixels][oc] = sum over its taps of slab[pixel + tap][icg] w[tap][icg][oc]

A slab holds the rows of x under some rows of the grid, of several images where they are small, channels-last, with zeros
around them; an NHWC image whose taps all lie inside is its own slab. All phases read it. In NHWC they write to every sw-th pixel
of y. In NCHW, to a buffer [images][rows][ow][filters] that stays in L2, which is turned to whole rows of planes of y.

  packed [g][unit of nr filters][position][icg][nr]

Weights that are used once, by a call of its own on few pixels, are packed unit by unit as they are needed, in cache.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset
from cython.parallel cimport prange

from pyconv.core.kernels cimport ACCUMULATE, ahead_part, ceil_div, common, split_start
from pyconv.core.machine cimport cache_bytes
from pyconv.core.rows cimport reach
from pyconv.core.sizes cimport aligned, plus, round_up, times
from pyconv.core.tail cimport finish_rows, tail_flags
from pyconv.core.types cimport *
from pyconv.engines.channels_last cimport copy_rectangle, turn_rows
from pyconv.engines.gemm.panels cimport multiply
from pyconv.engines.gemm.panels_cut cimport core_seconds, tile_columns, tile_rows
from pyconv.engines.gemm.windows_cut cimport BLOCK_K, SLAB_BYTES
from pyconv.native.transposed cimport MOST_TAPS, phase_end, phase_t, transposed_t, whole

cdef enum:
    TURNED_BYTES = 262144     # of outputs that are turned together: they stay in L2 beside the slab and some weights
    ONCE_BYTES = 2097152      # of the slab of a whole batch, read again for each unit of weights: from L3 at worst
    MOST_COLUMNS = 32         # of a tile, in any instruction set

ctypedef struct slabs_t:
    bint in_place
    bint raw                  # the weights are packed as they are used
    int64_t mr, nr, units
    int64_t top, below, left  # lines of a slab above its first row of the grid and below its last; columns left of the first
    int64_t image_parts, row_parts, filter_parts
    int64_t images, rows      # of the grid, of one task, at most
    int64_t filters           # that are computed before the next: one unit, or several whose weights fit L1 together
    int64_t width             # columns
    int64_t pixel, pitch, image    # distances
    size_t slab, turned, weights   # bytes

# A task: its images and rows of the grid; row r, column q of image i is at i*image + (r - row0)*pitch + (q - col0)*pixel.
ctypedef struct block_t:
    int64_t g, image, images, row, end, row0, col0


cdef inline void _pack_unit(const transposed_t *s, const real *weight, int64_t g, int64_t unit, real *packed) noexcept nogil:
    """packed[position][icg][nr] from weight[ic][ocg][kh][kw]"""
    cdef const problem_t *p = &s.p
    cdef int64_t nr = tile_columns(p)
    cdef int64_t all_taps = p.kh * p.kw
    cdef int64_t count = min(nr, p.ocg - unit * nr)
    cdef real[MOST_TAPS * MOST_COLUMNS] turned
    cdef int64_t c, at, l
    cdef const real *from_
    cdef real *to
    if count < nr:
        memset(packed, 0, s.taps * p.icg * nr * sizeof(real))
    for c in range(p.icg):
        from_ = weight + ((g * p.icg + c) * p.ocg + unit * nr) * all_taps
        if all_taps > 1:
            p.ops.transpose_rows(count, all_taps, from_, all_taps, turned, nr)
            from_ = turned
        for at in range(s.taps):
            to = packed + (at * p.icg + c) * nr
            if count == nr:
                memcpy(to, from_ + s.order[at] * nr, nr * sizeof(real))
            else:
                for l in range(count):
                    to[l] = from_[s.order[at] * nr + l]


cdef inline void _pack(const transposed_t *s, const real *weight, real *packed) noexcept nogil:
    cdef const slabs_t *b = <const slabs_t *>&s.cut
    cdef int64_t number
    cdef int64_t unit = s.taps * s.p.icg * b.nr
    for number in prange(s.p.g * b.units, num_threads=s.threads, schedule="static"):
        _pack_unit(s, weight, number // b.units, number % b.units, packed + number * unit)


cdef inline void windows_pack(const transposed_t *s, const void *weight, void *packed) noexcept nogil:
    if s.p.dtype == PYCONV_F32:
        _pack(s, <const float *>weight, <float *>packed)
    else:
        _pack(s, <const double *>weight, <double *>packed)


cdef inline void _fill_slab(const transposed_t *s, const slabs_t *b, const block_t *k, const real *x, real *slab) noexcept nogil:
    """x is the group's first channel of the batch."""
    cdef const problem_t *p = &s.p
    cdef int64_t i
    for i in range(k.images):
        copy_rectangle(p, x + (k.image + i) * p.xn, p.icg, k.row0, k.end + b.below - k.row0, k.col0, b.width,
                       slab + i * b.image, b.pitch, b.pixel)


cdef inline void _phase(const task_t *t, const transposed_t *s, const slabs_t *b, const block_t *k, int64_t i, int64_t j,
                        const real *x, const real *weight, int64_t unit_step, int64_t filter, int64_t filters, int64_t at,
                        int64_t y_n, int64_t y_h, int64_t y_w) noexcept nogil:
    """
    Phase (i, j) for the pixels of a task and some filters of its group; weight is that of the first, units unit_step apart.

    y[at] is the first filter of the first image's output row row*sh, column 0; images, rows and columns of y are y_n, y_h
    and y_w apart.
    """
    cdef const problem_t *p = &s.p
    cdef const phase_t *a = &s.rows[i]
    cdef const phase_t *c = &s.columns[j]
    cdef bint merged = c.dilation == 1 and b.pixel == p.icg
    cdef int64_t row_runs = 1 if merged else c.length
    cdef int64_t runs = a.length * row_runs
    cdef int64_t run = c.length * p.icg if merged else p.icg
    cdef int64_t chunk = ceil_div(run, ceil_div(run, BLOCK_K))
    cdef int64_t block_runs = ceil_div(runs, ceil_div(runs * run, BLOCK_K)) if chunk == run else 1
    # Rows of a tile are pixels of a row, or of several images where these have but one.
    cdef bint stacked = c.outputs == 1
    cdef int64_t images = 1 if stacked else k.images
    cdef int64_t pixels = k.images if stacked else c.outputs
    cdef int64_t step = b.image if stacked else b.pixel
    cdef int64_t y_step = y_n if stacked else p.sw * y_w
    cdef int64_t tiles = ceil_div(pixels, b.mr)
    cdef int64_t rows = phase_end(a, k.end) - k.row
    cdef int64_t calls = images * rows * tiles
    cdef int64_t first_run, block, c0, depth, image, r, tile, column, m, first, last, call, l
    cdef int flags
    cdef int tail = tail_flags(t, False)
    cdef ptrdiff_t[MOST_TAPS] offsets
    cdef const real *w
    if rows <= 0:
        return
    for l in range(runs):
        offsets[l] = l // row_runs * a.dilation * b.pitch + l % row_runs * c.dilation * b.pixel
    at += a.first * y_h + c.first * y_w
    x += (k.row - a.before - k.row0) * b.pitch - (c.before + k.col0) * b.pixel
    first_run = 0
    while first_run < runs:
        block = min(block_runs, runs - first_run)
        c0 = 0
        while c0 < run:
            depth = min(chunk, run - c0)
            flags = 0
            if first_run > 0 or c0 > 0:
                flags |= ACCUMULATE
            if first_run + block == runs and c0 + depth == run:
                flags |= tail
            w = weight + (first_run * run + c0) * b.nr
            call = 0
            for image in range(images):
                for r in range(rows):
                    reach(a.length, p.ih, a.dilation, k.row + r - a.before, &first, &last)
                    first = min(max(first * row_runs, first_run), first_run + block)
                    last = max(min(last * row_runs, first_run + block), first)
                    for tile in range(tiles):
                        column = split_start(pixels, tiles, tile)
                        m = split_start(pixels, tiles, tile + 1) - column
                        multiply(t, m, filters, last - first, depth, x + image * b.image + r * b.pitch + column * step + c0,
                                 step, offsets + first, w + (first - first_run) * run * b.nr, unit_step,
                                 at + image * y_n + r * p.sh * y_h + column * y_step, y_step,
                                 ahead_part(w + block * depth * b.nr, block * depth * b.nr * <int64_t>sizeof(real), call, calls),
                                 flags, k.g * p.ocg + filter)
                        call += 1
            c0 += depth
        first_run += block


cdef inline void _constant(const task_t *t, const transposed_t *s, int64_t filter, int64_t filters, int64_t at, int64_t count,
                           int64_t step, real zero) noexcept nogil:
    """Outputs that no tap reaches: `count` pixels of y from offset `at` on, `step` apart."""
    cdef real *y = <real *>t.y + at
    cdef int64_t i
    for i in range(count):
        memset(y + i * step, 0, filters * sizeof(real))
    if tail_flags(t, False):
        for i in range(count):
            finish_rows(t, at + i * step, 1, filters, filter, False)


cdef inline void _constants(const task_t *t, const transposed_t *s, const block_t *k, int64_t filter, int64_t filters, int64_t at,
                            int64_t y_n, int64_t y_h, int64_t y_w, real zero) noexcept nogil:
    """All of a task."""
    cdef const problem_t *p = &s.p
    cdef int64_t image, h, i, j
    cdef bint none
    for image in range(k.images):
        for h in range(min(k.end * p.sh, p.oh) - k.row * p.sh):
            none = True
            for i in range(s.down):
                none = none and h % p.sh != s.rows[i].first
            if none:
                _constant(t, s, filter, filters, at + image * y_n + h * y_h, p.ow, y_w, zero)
                continue
            for j in range(min(p.sw, p.ow)):
                none = True
                for i in range(s.across):
                    none = none and j != s.columns[i].first
                if none:
                    _constant(t, s, filter, filters, at + image * y_n + h * y_h + j * y_w, (p.ow - j - 1) // p.sw + 1,
                              p.sw * y_w, zero)


cdef inline void _filters(const task_t *t, const transposed_t *s, const slabs_t *b, const block_t *k, const real *x,
                          const real *weight, int64_t unit_step, int64_t filter, int64_t filters, real *turned) noexcept nogil:
    """All phases for some filters of a group, the first of which `weight` belongs to."""
    cdef const problem_t *p = &s.p
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int64_t rows = min(k.end * p.sh, p.oh) - k.row * p.sh
    cdef int64_t at = k.image * p.yn + (k.g * p.ocg + filter) * p.yc + k.row * p.sh * p.yh
    cdef int64_t y_n = p.yn
    cdef int64_t y_h = p.yh
    cdef int64_t y_w = p.yw
    cdef int64_t start = 0 if planes else at
    cdef task_t u = t[0]
    cdef int64_t i, j
    if planes:
        u.y = turned
        y_w, y_h = filters, p.ow * filters
        y_n = rows * y_h
    if not whole(s):
        _constants[real](&u, s, k, k.g * p.ocg + filter, filters, start, y_n, y_h, y_w, 0)
    for i in range(s.down):
        for j in range(s.across):
            if not s.elsewhere[i][j]:
                _phase(&u, s, b, k, i, j, x, weight + s.start[i][j] * p.icg * b.nr, unit_step, filter, filters, start, y_n, y_h,
                       y_w)
    if planes:
        for i in range(k.images):
            turn_rows(p, rows * p.ow, filters, <const real *>turned + i * y_n, filters, <real *>t.y + at + i * p.yn, p.yc)


cdef inline void _slab_task(const task_t *t, const transposed_t *s, int64_t number, real *buffer) noexcept nogil:
    """Task number -> group, part of the filters, part of the images, part of the rows."""
    cdef const problem_t *p = &s.p
    cdef const slabs_t *b = <const slabs_t *>&s.cut
    cdef int64_t part = number // b.row_parts % b.image_parts
    cdef int64_t filter_part = number // (b.row_parts * b.image_parts) % b.filter_parts
    cdef int64_t unit = split_start(b.units, b.filter_parts, filter_part)
    cdef int64_t end = split_start(b.units, b.filter_parts, filter_part + 1)
    cdef int64_t step = s.taps * p.icg * b.nr
    cdef int64_t units
    cdef block_t k
    cdef const real *x
    cdef const real *weight
    cdef real *turned = <real *>(<char *>buffer + b.slab)
    cdef real *packed = <real *>(<char *>turned + b.turned)
    k.g = number // (b.row_parts * b.image_parts * b.filter_parts)
    k.image = split_start(p.n, b.image_parts, part)
    k.images = split_start(p.n, b.image_parts, part + 1) - k.image
    k.row = split_start(s.grid, b.row_parts, number % b.row_parts)
    k.end = split_start(s.grid, b.row_parts, number % b.row_parts + 1)
    k.row0, k.col0 = k.row - b.top, -b.left
    x = <const real *>t.x + k.g * p.icg * p.xc
    if b.in_place:
        k.row0 = k.col0 = 0
        x += k.image * p.xn
    else:
        _fill_slab(s, b, &k, x, buffer)
        x = buffer
    while unit < end:
        units = min(b.filters // b.nr, end - unit)
        if b.raw:
            _pack_unit(s, <const real *>t.weight, k.g, unit, packed)
            weight = packed
        else:
            weight = <const real *>t.weight + (k.g * b.units + unit) * step
        _filters(t, s, b, &k, x, weight, step, unit * b.nr, min(units * b.nr, p.ocg - unit * b.nr), turned)
        unit += units


cdef inline void _slab_step(const task_t *t, const void *s, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _slab_task(t, <const transposed_t *>s, number, <float *>buffer)
    else:
        _slab_task(t, <const transposed_t *>s, number, <double *>buffer)


cdef inline double _cycles(const transposed_t *s, const slabs_t *b) noexcept nogil:
    """
    Per image and group, as in engines/gemm/windows_cut.pxd: a tile of m pixels takes as long as m + 1 rows, 130 cycles to begin
    and store and 10 for each run; half a cycle per real of a slab from NHWC, 7 for each vector that is turned.
    """
    cdef const problem_t *p = &s.p
    cdef int64_t lanes = b.nr // 2
    cdef double cycles = 0
    cdef double tiles, rows, pixels
    cdef int64_t i, j
    for i in range(s.down):
        for j in range(s.across):
            if s.elsewhere[i][j]:
                continue
            rows = s.rows[i].outputs
            pixels = s.columns[j].outputs
            tiles = ceil_div(s.columns[j].outputs, b.mr) if pixels > 1 else 1.0 / min(p.n, b.mr)
            cycles += rows * ((pixels + tiles) * ceil_div(p.ocg, lanes) * s.rows[i].length * s.columns[j].length
                              * p.icg / p.rates.fma + tiles * b.units * (130 + 10 * s.rows[i].length))
    if p.layout == PYCONV_NCHW:
        return cycles + 7.0 * (p.oh * p.ow * ceil_div(p.ocg, lanes) + p.ih * p.iw * ceil_div(p.icg, lanes))
    return cycles if b.in_place else cycles + 0.5 * p.ih * p.iw * p.icg


cdef inline void _size(const transposed_t *s, slabs_t *b) noexcept nogil:
    cdef const problem_t *p = &s.p
    b.rows, b.images = ceil_div(s.grid, b.row_parts), ceil_div(p.n, b.image_parts)
    b.image = p.xn if b.in_place else (b.rows + b.top + b.below) * b.pitch
    b.slab = 0 if b.in_place else aligned(times(<size_t>(b.images * b.image), p.itemsize))
    b.turned = 0
    if p.layout == PYCONV_NCHW:
        b.turned = aligned(times(times(<size_t>(b.images * b.rows * p.sh * p.ow), <size_t>min(b.filters, p.ocg)), p.itemsize))
    b.weights = aligned(times(<size_t>(s.taps * p.icg * b.nr), p.itemsize)) if b.raw else 0


cdef inline void _share(const transposed_t *s, slabs_t *b) noexcept nogil:
    """Fewer filters per task where weights outweigh x, else fewer images or rows, so that threads have equal work."""
    cdef const problem_t *p = &s.p
    cdef int64_t threads = s.threads
    cdef int64_t tasks = p.g * b.image_parts * b.row_parts
    if threads == 1 or tasks % threads == 0 or tasks >= 8 * threads:
        return
    if p.ocg * s.taps > p.n * p.ih * p.iw and (b.units % threads == 0 or b.units >= 4 * threads):
        b.filter_parts = threads
    elif b.row_parts == 1 and p.n >= threads:
        b.image_parts = min(p.n, round_up(b.image_parts, threads))
    else:
        b.row_parts = min(s.grid, round_up(b.row_parts, threads // common(threads, p.g * b.image_parts)))


cdef inline bint windows_serves(transposed_t *s, bint once) noexcept nogil:
    """once: the weights are those of one call, which may pack them on its way."""
    cdef const problem_t *p = &s.p
    cdef slabs_t *b = <slabs_t *>room(&s.cut, sizeof(slabs_t))
    cdef int64_t inner = p.icg * s.taps
    cdef int64_t right = 0
    cdef int64_t i, budget, line, most
    b.mr, b.nr = tile_rows(p), tile_columns(p)
    if p.icg < 8 or b.nr > MOST_COLUMNS or s.taps == 0:
        return False
    b.units = ceil_div(p.ocg, b.nr)
    b.top = s.rows[0].before
    b.below = (s.rows[0].length - 1) * s.rows[0].dilation - s.rows[0].before
    for i in range(s.down):
        b.top = max(b.top, s.rows[i].before)
        b.below = max(b.below, (s.rows[i].length - 1) * s.rows[i].dilation - s.rows[i].before)
    b.left = s.columns[0].before
    for i in range(s.across):
        b.left = max(b.left, s.columns[i].before)
        right = max(right, s.columns[i].outputs + (s.columns[i].length - 1) * s.columns[i].dilation - s.columns[i].before)
    b.in_place = p.layout == PYCONV_NHWC and b.left <= 0 and right <= p.iw
    b.width = b.left + right
    b.pixel = p.xw if b.in_place else p.icg
    b.pitch = p.xh if b.in_place else b.width * p.icg
    b.filters = max(1, min(cache_bytes(1) // 2 // <int64_t>p.itemsize // (inner * b.nr), b.units)) * b.nr
    # Slabs as large as those of a convolution, and outputs that are turned.
    budget = min(cache_bytes(2) // 5, SLAB_BYTES) // <int64_t>p.itemsize
    if p.ocg * inner * <int64_t>p.itemsize > cache_bytes(2) // 3:
        budget *= 2
    line = b.width * p.icg
    if line > 2 * budget:
        return False
    most = max(budget // line - b.top - b.below, 1)
    if p.layout == PYCONV_NCHW:
        most = min(most, max(TURNED_BYTES // (p.sh * p.ow * b.filters * <int64_t>p.itemsize), 1))
    b.row_parts = ceil_div(s.grid, most)
    b.image_parts = p.n
    if b.row_parts == 1:
        most = budget // ((s.grid + b.top + b.below) * line)
        if p.layout == PYCONV_NCHW:
            most = min(most, TURNED_BYTES // (p.oh * p.ow * b.filters * <int64_t>p.itemsize))
        # Weights that are packed as they are used had better meet all images at once.
        if once and p.n * (s.grid + b.top + b.below) * line * <int64_t>p.itemsize <= ONCE_BYTES:
            most = p.n
        b.image_parts = ceil_div(p.n, max(most, 1))
    b.filter_parts = 1
    _share(s, b)
    # A unit is packed by each task that needs it.
    b.raw = once and b.image_parts * b.row_parts == 1 and b.filters == b.nr
    _size(s, b)
    s.bytes = plus(plus(b.slab, b.turned), b.weights)
    s.tasks = p.g * b.image_parts * b.row_parts * b.filter_parts
    s.step = _slab_step
    s.packed = 0 if b.raw else times(times(<size_t>(p.g * b.units * b.nr), <size_t>inner), p.itemsize)
    s.pack = windows_pack
    s.seconds = core_seconds(p, _cycles(s, b), s.threads)
    return True
