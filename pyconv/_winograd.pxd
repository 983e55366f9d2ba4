# SPDX-License-Identifier: BSD-3-Clause
"""
The engine of winograd_fMkR: F(mh x mw, rh x rw) fused over blocks of tiles, of what `_winograd_form` makes of the problem.

y = A^T [sum over channels of (G g G^T) * (B^T d B)] A for tiles of mh x mw outputs (Winograd 1980; Lavin and Gray 2016).

A task is a block of T tiles, a rectangle of one image or several whole images, times a part of the filters:

  V[points][T][depth]       a channels-last band under the tiles, transformed; points = (mh + rh - 1)(mw + rw - 1)
  P[unit][points][T][nr]    for each point one product, V[point] by weights [unit][point][depth][nr], units of nr filters
  y                         P transformed back, with bias, residual and activation

One, two, four or all units at a time: V and P stay in L2, or V is read less often while weights stream past.
"""

from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t
from cython.parallel cimport prange, threadid

from pyconv._types cimport *
from pyconv._channels_last cimport copy_lattice
from pyconv._poll cimport poll, tasks_between_polls
from pyconv._rates cimport stream_seconds
from pyconv._simd cimport ACCUMULATE, cache_bytes, ceil_div, f32_epilogue, f64_epilogue, split_start, wino_t
from pyconv._simd_gemm_cut cimport tile_columns, tile_rows
from pyconv._sizes cimport aligned, times
from pyconv._winograd_form cimport form_fits, form_t, total_depth, winograd_form

cdef enum:
    DEEPEST = 128             # channels summed in one product: longer sums are more accurate in blocks
    LINE = 64                 # bytes
    MERGED = 65536            # elements of a band of merged phases, at most
    LARGEST = 8 << 20         # bytes of V and P together

ctypedef struct winograd_t:
    form_t form
    int64_t mr, nr, lanes
    int64_t all_images                            # interleaved ones of a dilated convolution count each
    int64_t down, across                          # tiles of an image
    int64_t images, rows, cols                    # of a block: whole images, or a rectangle of tiles of one
    int64_t image_parts, row_parts, col_parts
    int64_t units, filter_parts                   # of nr filters in a group; of a group
    int64_t run                                   # units multiplied before they are transformed back
    bint merged                                   # all phases of a pixel lie side by side in the band
    int64_t chunk                                 # channels in a band
    int64_t height, width                         # of a band, in pixels of the image or, merged, of a phase
    int64_t v_t, v_p, p_p                         # between tiles and points of V, between points of P
    size_t v_bytes, p_bytes, buffer               # buffer: of one thread, with the band
    bint streams                                  # weights come from beyond L2
    double cycles                                 # of the longest thread


cdef inline int64_t _up(int64_t count, int64_t step) noexcept nogil:
    return ceil_div(count, step) * step


cdef inline double _cycles(const problem_t *p, const winograd_t *w, int threads) noexcept nogil:
    """
    Of the longest thread: the product, its operands between core and L2, transforms.

    Measured on a Sapphire-Rapids-class core: weights that stream from L3, at 1.25 times the rate of copying, arrive
    beside the steps of the product; a fifth of the shorter of the two shows. V and P move at 40 bytes a cycle; where all
    that is touched between two uses exceeds L2, V moves at 16 and several units of P at 6, as does V on its way out of
    L2. NCHW is turned in blocks as wide as a vector.
    """
    cdef int64_t blocks = w.image_parts * w.row_parts * w.col_parts
    cdef double tasks = <double>blocks * w.filter_parts * p.g
    cdef double tiles = <double>w.images * w.rows * w.cols
    cdef double share = 1 if threads > 1 else w.all_images * w.down * w.across / (tiles * blocks)   # mean block of the first
    cdef int64_t panels = ceil_div(<int64_t>tiles, w.mr)
    cdef double units = ceil_div(w.units, w.filter_parts)
    cdef double vectors = min(<double>ceil_div(p.ocg, w.lanes), units * w.nr / w.lanes)
    cdef double phases = 1 if w.merged else p.sh * p.sw
    cdef double deep = ceil_div(w.form.depth if w.merged else p.icg, w.lanes)
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int64_t width = w.cols * w.form.tile.mw
    cdef int64_t depth = total_depth(p, &w.form)
    cdef double halo = <double>w.images * w.height * (_up(w.width, w.lanes) if planes else w.width)
    cdef double outputs = <double>w.images * w.rows * w.form.tile.mh * (_up(width, w.lanes) if planes else width)
    cdef double columns = phases * w.images * w.rows * (width + w.form.rw - 1) * w.form.tile.h
    cdef double points = tiles * w.form.points
    cdef double weights = units * w.nr * depth * p.itemsize
    cdef double arriving = weights * 0.8 * p.rates.clock / p.rates.l3 if w.streams else 0
    cdef double kept = <double>w.v_bytes + w.p_bytes + (weights * w.run / units if w.streams else weights)
    cdef bint near = kept < cache_bytes(2) * 5 // 6
    cdef double steps = (share * tiles + panels) * vectors * depth / p.rates.fma
    cdef double product = max(arriving, steps) + 0.2 * min(arriving, steps)
    cdef double operands = w.v_bytes * ceil_div(<int64_t>units, w.run) / (40 if near else 16)
    operands += 2.0 * w.p_bytes * units / w.run / (40 if near or w.run == 1 else 6)
    if w.v_bytes > cache_bytes(2) * 3 // 4:
        operands += w.v_bytes / 6.0
    cdef double calls = w.form.points * panels * units * ceil_div(w.form.depth, DEEPEST) * 60
    cdef bint apart = planes and w.form.dw > 1
    cdef double copying = 1.5 * halo * w.chunk if w.merged else deep * halo * (1.5 * w.lanes if apart else 7 if planes else 3)
    cdef double before = deep * 1.5 * (phases * points + columns) + copying
    cdef double after = vectors * (points * 2 + outputs * (2 * w.lanes if apart else 7 if planes else 3))
    return ceil_div(<int64_t>tasks, threads) * (product + calls + share * (operands + before + after))


cdef inline void _size(const problem_t *p, winograd_t *w) noexcept nogil:
    """Buffers for the block's shape. Rows and planes whose distance is a power of two would share sets of the cache."""
    cdef int64_t line = LINE // <int64_t>p.itemsize
    cdef int64_t tiles = w.images * w.rows * w.cols
    cdef int64_t area
    w.height = w.rows * w.form.tile.mh + w.form.rh - 1
    w.width = w.cols * w.form.tile.mw + w.form.rw - 1
    area = w.height * w.width * p.sh * p.sw
    w.merged = p.sh * p.sw > 1 and p.icg % w.lanes != 0 and area * p.icg <= MERGED
    if w.merged:
        w.chunk = w.form.depth
        w.v_t = _up(w.form.depth, line)
    else:
        w.height *= p.sh
        w.width *= p.sw
        w.chunk = min(_up(p.icg, w.lanes), max(1, 16384 // (area * w.lanes)) * w.lanes)
        w.v_t = _up(w.form.depth - p.icg + _up(p.icg, w.lanes), line)      # the last phase ends in whole vectors
    if w.v_t % (16 * line) == 0:
        w.v_t += line
    w.v_p = tiles * w.v_t + line
    w.p_p = tiles * w.nr + line
    w.v_bytes = aligned(<size_t>(w.form.points * w.v_p) * p.itemsize)
    w.p_bytes = aligned(<size_t>(w.run * w.form.points * w.p_p) * p.itemsize)
    w.buffer = w.v_bytes + w.p_bytes + aligned(<size_t>(w.height * w.width * w.chunk) * p.itemsize)


cdef inline void _consider(const problem_t *p, winograd_t *trial, winograd_t *best, int threads) noexcept nogil:
    trial.images = ceil_div(trial.all_images, trial.image_parts)
    trial.rows = ceil_div(trial.down, trial.row_parts)
    trial.cols = ceil_div(trial.across, trial.col_parts)
    _size(p, trial)
    trial.cycles = _cycles(p, trial, threads)
    if trial.cycles < best.cycles:
        best[0] = trial[0]


cdef inline void _cut_tiles(const problem_t *p, winograd_t *w, winograd_t *best, int64_t most, int threads) noexcept nogil:
    """
    Blocks of at most `most` tiles, each three quarters of the one before: whole images, or rows of tiles of one, in
    halves of the width as long as those are two vectors wide.
    """
    cdef int64_t image = w.down * w.across
    cdef int64_t size = min(w.all_images, most // image)
    cdef int64_t width
    w.row_parts = w.col_parts = 1
    while size > 0:
        w.image_parts = ceil_div(w.all_images, size)
        _consider(p, w, best, threads)
        if threads > 1:
            w.image_parts = min(_up(w.image_parts, threads), w.all_images)
            _consider(p, w, best, threads)
        size = size * 3 // 4
    w.image_parts = w.all_images
    w.col_parts = ceil_div(w.across, most)
    while True:
        width = ceil_div(w.across, w.col_parts)
        size = min(w.down, most // width)
        while size > 0:
            w.row_parts = ceil_div(w.down, size)
            _consider(p, w, best, threads)
            if threads > 1:
                w.row_parts = min(_up(w.row_parts, threads), w.down)
                _consider(p, w, best, threads)
            size = size * 3 // 4
        if width * w.form.tile.mw < 4 * w.lanes:
            break
        w.col_parts *= 2


cdef inline winograd_t cut_winograd(const problem_t *p, int m, int threads) noexcept nogil:
    """The cheapest way to cut the problem; p.n > 0."""
    cdef winograd_t w, best
    cdef int64_t v_tile, p_tile, i
    w.form = winograd_form(p, m)
    w.mr = tile_rows(p)
    w.nr = tile_columns(p)
    w.lanes = w.nr // 2
    w.all_images = p.n * w.form.dh * w.form.dw
    w.down = ceil_div(w.form.oh, w.form.tile.mh)
    w.across = ceil_div(w.form.ow, w.form.tile.mw)
    w.units = ceil_div(p.ocg, w.nr)
    v_tile = w.form.points * _up(w.form.depth, w.lanes) * <int64_t>p.itemsize
    p_tile = w.form.points * w.nr * <int64_t>p.itemsize
    best.cycles = INFINITY
    for i in range(1 if w.units == 1 or threads == 1 else 2):
        w.filter_parts = 1 if i == 0 else min(w.units, threads)
        w.streams = v_tile * ceil_div(w.units, w.filter_parts) * w.nr > cache_bytes(2) // 3
        w.run = 1
        _cut_tiles(p, &w, &best, max(1, LARGEST // (v_tile + p_tile)), threads)
        while w.run * w.filter_parts < w.units:
            w.run = min(w.run * 2, ceil_div(w.units, w.filter_parts)) if w.run < 4 else ceil_div(w.units, w.filter_parts)
            _cut_tiles(p, &w, &best, max(1, LARGEST // (v_tile + p_tile * w.run)), threads)
    return best


cdef inline size_t winograd_workspace(const problem_t *p, int m, int r, int threads) noexcept nogil:
    """Per thread: V, P and the band."""
    if p.n == 0 or not form_fits(p, m, r):
        return 0
    return times(cut_winograd(p, m, threads).buffer, threads)


cdef inline size_t winograd_packed(const problem_t *p, int m, int r) noexcept nogil:
    """[g][unit][point][depth][nr]"""
    cdef size_t columns = <size_t>(p.g * _up(p.ocg, tile_columns(p)))
    cdef form_t f
    if not form_fits(p, m, r):
        return 0
    f = winograd_form(p, m)
    return times(times(times(columns, <size_t>f.depth), <size_t>f.points), p.itemsize)


cdef inline void winograd_pack(const problem_t *p, int m, int r, const void *weight, void *packed) noexcept nogil:
    cdef int64_t g
    cdef form_t f = winograd_form(p, m)
    cdef int64_t group = _up(p.ocg, tile_columns(p)) * f.depth * f.points
    for g in range(p.g):
        if p.dtype == PYCONV_F32:
            p.kernels.f32.wino_weights(&f.tile, p.ocg, p.icg, <const float *>weight + g * p.ocg * p.k,
                                       <float *>packed + g * group)
        else:
            p.kernels.f64.wino_weights(&f.tile, p.ocg, p.icg, <const double *>weight + g * p.ocg * p.k,
                                       <double *>packed + g * group)


cdef inline double winograd_multiplications(const problem_t *p, int m, int r) noexcept nogil:
    """images * tiles * points * oc * depth, less the phases that have no channels at a point; NAN for what doesn't fit."""
    cdef form_t f
    if not form_fits(p, m, r):
        return NAN
    f = winograd_form(p, m)
    return <double>p.n * f.dh * f.dw * ceil_div(f.oh, f.tile.mh) * ceil_div(f.ow, f.tile.mw) * total_depth(p, &f) * p.oc


cdef inline double winograd_traffic(const problem_t *p, int m, int r) noexcept nogil:
    """x, the transformed weights, y."""
    return <double>p.n * (p.xn + p.yn) * p.itemsize + winograd_packed(p, m, r)


cdef inline double winograd_seconds(const problem_t *p, int m, int r, int threads) noexcept nogil:
    if p.n == 0 or not form_fits(p, m, r):
        return 0
    return (cut_winograd(p, m, threads).cycles / 0.95 / p.rates.clock
            + stream_seconds(&p.rates, <double>p.itemsize * p.n * (p.xn + p.yn)))


# Tiles of one block: images, rows and columns of tiles, from .. to.
ctypedef struct tiles_t:
    int64_t image, images, row, rows, col, cols


cdef inline tiles_t _block(const winograd_t *w, int64_t number) noexcept nogil:
    """Columns change fastest, images slowest."""
    cdef tiles_t b
    cdef int64_t col = number % w.col_parts
    cdef int64_t row = number // w.col_parts % w.row_parts
    cdef int64_t image = number // (w.col_parts * w.row_parts)
    b.col = split_start(w.across, w.col_parts, col)
    b.cols = split_start(w.across, w.col_parts, col + 1) - b.col
    b.row = split_start(w.down, w.row_parts, row)
    b.rows = split_start(w.down, w.row_parts, row + 1) - b.row
    b.image = split_start(w.all_images, w.image_parts, image)
    b.images = split_start(w.all_images, w.image_parts, image + 1) - b.image
    return b


# Of an image of the form: which one it is, and the first pixel and output of its phase.
ctypedef struct image_t:
    int64_t number, h, w


cdef inline image_t _image(const form_t *f, int64_t number) noexcept nogil:
    return image_t(number // (f.dh * f.dw), number // f.dw % f.dh, number % f.dw)


cdef inline void _transform_phases(const problem_t *p, const winograd_t *w, const tiles_t *b, int64_t channels,
                                   const real *band, real *V) noexcept nogil:
    """Every phase and row of tiles of one image; later phases overwrite the zeros behind earlier ones."""
    cdef int64_t sh = 1 if w.merged else p.sh
    cdef int64_t sw = 1 if w.merged else p.sw
    cdef int64_t pitch = w.width * w.chunk
    cdef int64_t i, j, row
    cdef const real *src
    cdef real *to
    for i in range(sh):
        for j in range(sw):
            for row in range(b.rows):
                src = band + (row * w.form.tile.mh * sh + i) * pitch + j * w.chunk
                to = V + (i * sw + j) * p.icg + row * b.cols * w.v_t
                if real is float:
                    p.kernels.f32.wino_input(&w.form.tile, b.cols, channels, src, sh * pitch, sw * w.chunk, to, w.v_p, w.v_t)
                else:
                    p.kernels.f64.wino_input(&w.form.tile, b.cols, channels, src, sh * pitch, sw * w.chunk, to, w.v_p, w.v_t)


cdef inline void _fill_band(const problem_t *p, const winograd_t *w, const tiles_t *b, const image_t *image, const real *x,
                            int64_t channels, real *band) noexcept nogil:
    """The pixels under the tiles; x is the first channel of the image."""
    cdef const form_t *f = &w.form
    cdef int64_t pitch = w.width * w.chunk
    cdef int64_t height = b.rows * f.tile.mh + f.rh - 1
    cdef int64_t width = b.cols * f.tile.mw + f.rw - 1
    cdef int64_t h = b.row * f.tile.mh * p.sh * f.dh + image.h - p.ph0
    cdef int64_t v = b.col * f.tile.mw * p.sw * f.dw + image.w - p.pw0
    cdef int64_t i, j
    if not w.merged:
        copy_lattice(p, x, channels, h, height * p.sh, f.dh, v, width * p.sw, f.dw, band, pitch, w.chunk)
        return
    for i in range(p.sh):
        for j in range(p.sw):
            copy_lattice(p, x, p.icg, h + i, height, p.sh, v + j, width, p.sw, band + (i * p.sw + j) * p.icg, pitch, w.chunk)


cdef inline void _transform(const task_t *t, const winograd_t *w, const tiles_t *b, int64_t g, real *V,
                            real *band) noexcept nogil:
    """V = B^T d B, so many channels at a time that their band stays in cache; the last, perhaps in part a vector, come first."""
    cdef const problem_t *p = t.p
    cdef int64_t channels, number
    cdef int64_t depth = w.form.depth if w.merged else p.icg
    cdef int64_t c = (depth - 1) // w.chunk * w.chunk
    cdef image_t image
    while c >= 0:
        channels = min(w.chunk, depth - c)
        for number in range(b.images):
            image = _image(&w.form, b.image + number)
            _fill_band(p, w, b, &image, <const real *>t.x + image.number * p.xn + (g * p.icg + c) * p.xc, channels, band)
            _transform_phases(p, w, b, channels, band, V + number * b.rows * b.cols * w.v_t + c)
        c -= w.chunk


cdef inline void _multiply(const problem_t *p, const winograd_t *w, int64_t tiles, int64_t filters, int64_t channels,
                           bint accumulate, const real *V, const real *weight, const real *following,
                           real *P) noexcept nogil:
    """P[tiles][nr] (+)= V[tiles][channels] weight[channels][nr] for one point and unit; fetches the weights that follow."""
    cdef int64_t blocks = ceil_div(channels, DEEPEST)
    cdef int64_t n = w.lanes if filters <= w.lanes else w.nr
    cdef int64_t block, depth
    cdef int64_t c = 0
    cdef const real *ahead
    for block in range(blocks):
        depth = split_start(channels, blocks, block + 1) - c
        ahead = weight + (c + depth) * w.nr if block + 1 < blocks else following
        if real is float:
            p.kernels.f32.gemm_stream(tiles, n, depth, V + c, w.v_t, weight + c * w.nr, ahead, P, w.nr,
                                      ACCUMULATE if accumulate or block > 0 else 0)
        else:
            p.kernels.f64.gemm_stream(tiles, n, depth, V + c, w.v_t, weight + c * w.nr, ahead, P, w.nr,
                                      ACCUMULATE if accumulate or block > 0 else 0)
        c += depth


cdef inline void _multiply_phases(const problem_t *p, const winograd_t *w, int64_t point, int64_t tiles, int64_t filters,
                                  const real *V, const real *weight, const real *following, real *P) noexcept nogil:
    """All phases but those that have no tap at this point; where only columns are missing, a product for each row of phases."""
    cdef const form_t *f = &w.form
    cdef int64_t rows = f.full_h if point // f.tile.w == f.tile.h - 1 else p.sh
    cdef int64_t cols = f.full_w if point % f.tile.w == f.tile.w - 1 else p.sw
    cdef int64_t row, at
    if cols == p.sw:
        _multiply(p, w, tiles, filters, rows * p.sw * p.icg, False, V, weight, following, P)
        return
    for row in range(rows):
        at = row * p.sw * p.icg
        _multiply(p, w, tiles, filters, cols * p.icg, row > 0, V + at, weight + at * w.nr, following, P)


cdef inline void _transform_back(const task_t *t, const winograd_t *w, const tiles_t *b, int64_t filter, int64_t filters,
                                 const real *P) noexcept nogil:
    """y = A^T P A for one unit, `filter` counting from the first group's."""
    cdef const problem_t *p = t.p
    cdef f32_epilogue e32
    cdef f64_epilogue e64
    cdef const real *bias = <const real *>t.bias + filter if t.bias != NULL else NULL
    cdef const real *residual = NULL
    cdef const wino_t *f = &w.form.tile
    cdef int64_t dh = w.form.dh
    cdef int64_t dw = w.form.dw
    cdef int64_t number, row, at, rows, cols
    cdef image_t image
    for number in range(b.image, b.image + b.images):
        image = _image(&w.form, number)
        cols = min(b.cols * f.mw, ceil_div(p.ow - image.w, dw) - b.col * f.mw)
        for row in range(b.row, b.row + b.rows):
            rows = min(f.mh, ceil_div(p.oh - image.h, dh) - row * f.mh)
            at = image.number * p.yn + filter * p.yc + (row * f.mh * dh + image.h) * p.yh + (b.col * f.mw * dw + image.w) * p.yw
            if t.residual != NULL:
                residual = <const real *>t.residual + at
            if rows <= 0 or cols <= 0:
                pass
            elif real is float:
                e32.flags, e32.lo, e32.hi, e32.bias, e32.residual = 0, <float>p.lo, <float>p.hi, bias, residual
                p.kernels.f32.wino_output(f, b.cols, filters, P, w.p_p, w.nr, rows, cols, <float *>t.y + at, dh * p.yh,
                                          dw * p.yw, p.yc, &e32)
            else:
                e64.flags, e64.lo, e64.hi, e64.bias, e64.residual = 0, p.lo, p.hi, bias, residual
                p.kernels.f64.wino_output(f, b.cols, filters, P, w.p_p, w.nr, rows, cols, <double *>t.y + at, dh * p.yh,
                                          dw * p.yw, p.yc, &e64)
            P += b.cols * w.nr


cdef inline void _winograd_task(const task_t *t, const winograd_t *w, int64_t task, char *buffer, const real *tag) noexcept nogil:
    """Task number -> group, part of the filters, block of tiles; blocks change fastest."""
    cdef const problem_t *p = t.p
    cdef int64_t blocks = w.image_parts * w.row_parts * w.col_parts
    cdef int64_t part = task // blocks % w.filter_parts
    cdef int64_t g = task // (blocks * w.filter_parts)
    cdef tiles_t b = _block(w, task % blocks)
    cdef int64_t tiles = b.images * b.rows * b.cols
    cdef real *V = <real *>buffer
    cdef real *P = <real *>(buffer + w.v_bytes)
    cdef int64_t points = w.form.points
    cdef int64_t slice = w.form.depth * w.nr
    cdef const real *weight = <const real *>t.weight + g * w.units * points * slice
    cdef int64_t unit = split_start(w.units, w.filter_parts, part)
    cdef int64_t end = split_start(w.units, w.filter_parts, part + 1)
    cdef int64_t point, last, i
    cdef const real *here
    cdef const real *after
    _transform[real](t, w, &b, g, V, <real *>(buffer + w.v_bytes + w.p_bytes))
    while unit < end:
        last = min(unit + w.run, end)
        for point in range(points):
            for i in range(unit, last):
                here = weight + (i * points + point) * slice
                after = here + points * slice if i + 1 < last else weight + (unit * points + point + 1) * slice
                _multiply_phases(p, w, point, tiles, p.ocg - i * w.nr, V + point * w.v_p, here, after,
                                 P + ((i - unit) * points + point) * w.p_p)
        for i in range(unit, last):
            _transform_back(t, w, &b, g * p.ocg + i * w.nr, min(w.nr, p.ocg - i * w.nr),
                            P + (i - unit) * points * w.p_p)
        unit = last


cdef inline int _winograd(task_t *t, int m, int r, const real *tag) noexcept nogil:
    """All tasks; tag is NULL and names the type."""
    cdef const problem_t *p = t.p
    cdef winograd_t w = cut_winograd(p, m, t.slots)
    cdef int64_t tasks = w.image_parts * w.row_parts * w.col_parts * w.filter_parts * p.g
    cdef double flops = 2 * winograd_multiplications(p, m, r) / tasks
    cdef int64_t chunk = tasks_between_polls(t, flops)
    cdef int64_t first = 0
    cdef int64_t last, i
    while first < tasks:
        last = min(first + chunk, tasks)
        if t.threads == 1:
            for i in range(first, last):
                _winograd_task(t, &w, i, t.workspace, tag)
        else:
            for i in prange(first, last, num_threads=t.threads, schedule="static"):
                _winograd_task(t, &w, i, t.workspace + threadid() * w.buffer, tag)
        if poll(t, flops * (last - first)):
            return PYCONV_STATUS_INTERRUPTED
        first = last
    return PYCONV_STATUS_OK


cdef inline int winograd_run(task_t *t, int m, int r) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _winograd(t, m, r, <const float *>NULL)
    return _winograd(t, m, r, <const double *>NULL)
