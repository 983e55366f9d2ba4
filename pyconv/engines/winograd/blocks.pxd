# SPDX-License-Identifier: BSD-3-Clause
"""
The blocks of winograd: F(mh x mw, rh x rw) fused over blocks of tiles, of what `engines.winograd.view` makes of the problem.

y = A^T [sum over channels of (G g G^T) * (B^T d B)] A for tiles of mh x mw outputs (Winograd 1980; Lavin and Gray 2016).

A task is a block of T tiles, a rectangle of one image or several whole images, times a part of the filters:

  V[points][T][depth]       a channels-last slab under the tiles, transformed; points = (mh + rh - 1)(mw + rw - 1)
  P[unit][points][T][nr]    for each point one product, V[point] by weights [unit][point][depth][nr], units of nr filters
  y                         P transformed back, with bias, residual and activation

One, two, four or all units at a time: V and P stay in L2, or V is read less often while weights stream past.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.engines.channels_last cimport copy_lattice
from pyconv.core.tasks cimport run_tasks
from pyconv.core.rates cimport stream_seconds
from pyconv.core.kernels cimport ACCUMULATE, ceil_div, epilogue_t, split_start, wino_t
from pyconv.engines.gemm.panels_cut cimport tile_columns
from pyconv.core.sizes cimport round_up, times
from pyconv.core.tail cimport tail_flags, tail_of
from pyconv.engines.winograd.blocks_cut cimport DEEPEST, cut_winograd, winograd_t
from pyconv.engines.winograd.view cimport total_depth, view_t


cdef inline bint winograd_serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<winograd_t *>room(cut, sizeof(winograd_t)))[0] = cut_winograd(p, threads)
    return True


cdef inline size_t winograd_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """Per thread: V, P and the slab."""
    return times((<const winograd_t *>cut).buffer, threads)


cdef inline size_t winograd_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    """[g][unit][point][depth][nr]"""
    cdef size_t columns = <size_t>(p.g * round_up(p.ocg, tile_columns(p)))
    cdef const view_t *f = &(<const winograd_t *>cut).view
    return times(times(times(columns, <size_t>f.depth), <size_t>f.points), p.itemsize)


cdef inline void winograd_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    cdef int64_t g
    cdef const view_t *f = &(<const winograd_t *>cut).view
    cdef int64_t group = round_up(p.ocg, tile_columns(p)) * f.depth * f.points
    for g in range(p.g):
        p.ops.wino_weights(&f.tile, p.ocg, p.icg, <const char *>weight + g * p.ocg * p.k * p.itemsize,
                           <char *>packed + g * group * p.itemsize)


cdef inline double winograd_multiplications(const problem_t *p, const cut_t *cut) noexcept nogil:
    """images * tiles * points * oc * depth, less the phases that have no channels at a point."""
    cdef const view_t *f = &(<const winograd_t *>cut).view
    return <double>p.n * f.dh * f.dw * ceil_div(f.oh, f.tile.mh) * ceil_div(f.ow, f.tile.mw) * total_depth(p, f) * p.oc


cdef inline double winograd_traffic(const problem_t *p, const cut_t *cut) noexcept nogil:
    """x, the transformed weights, y."""
    return <double>p.n * (p.xn + p.yn) * p.itemsize + winograd_packed(p, cut)


cdef inline double winograd_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """Tiles of 6x6 or more of fewer than 12 channels took 1.6 times what the model says: products too short for their stores."""
    cdef const winograd_t *w = <const winograd_t *>cut
    cdef double cycles = w.cycles
    if w.view.points >= 36 and w.view.depth < 12:
        cycles *= 1.6
    return cycles / 0.95 / p.rates.clock + stream_seconds(&p.rates, <double>p.itemsize * p.n * (p.xn + p.yn))


# Tiles of one block: images, rows and columns of tiles, from .. to.
ctypedef struct block_t:
    int64_t image, images, row, rows, col, cols


cdef inline block_t _numbered_block(const winograd_t *w, int64_t number) noexcept nogil:
    """Columns change fastest, images slowest."""
    cdef block_t b
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


# Of an image as tiles see it: which one it is, and the first pixel and output of its phase.
ctypedef struct image_t:
    int64_t number, h, w


cdef inline image_t _image(const view_t *f, int64_t number) noexcept nogil:
    return image_t(number // (f.dh * f.dw), number // f.dw % f.dh, number % f.dw)


cdef inline void _transform_phases(const problem_t *p, const winograd_t *w, const block_t *b, const block_t *part,
                                   int64_t channels, const real *src, int64_t src_h, int64_t src_w, real *V) noexcept nogil:
    """
    Every phase and row of tiles of a part of one image, at the points where the phase is multiplied; later phases overwrite
    the zeros behind earlier ones. Pixels of src are src_h and src_w apart.
    """
    cdef int64_t sh = 1 if w.merged else p.sh
    cdef int64_t sw = 1 if w.merged else p.sw
    cdef int64_t i, j, row, rows, cols
    cdef const real *at
    cdef real *to
    V += ((part.row - b.row) * b.cols + part.col - b.col) * w.v_t
    for i in range(sh):
        rows = w.view.tile.h - (i >= w.view.full_h)
        for j in range(sw):
            cols = w.view.tile.w - (j >= w.view.full_w)
            for row in range(part.rows):
                at = src + (row * w.view.tile.mh * sh + i) * src_h + j * src_w
                to = V + (i * sw + j) * p.icg + row * b.cols * w.v_t
                p.ops.wino_input(&w.view.tile, part.cols, channels, rows, cols, at, sh * src_h, sw * src_w, to,
                                 w.v_p, w.v_t)


cdef inline int64_t _first_row(const problem_t *p, const view_t *f, int64_t row, const image_t *image) noexcept nogil:
    """Of the image, under a row of tiles."""
    return row * f.tile.mh * p.sh * f.dh + image.h - p.ph0


cdef inline int64_t _first_col(const problem_t *p, const view_t *f, int64_t col, const image_t *image) noexcept nogil:
    return col * f.tile.mw * p.sw * f.dw + image.w - p.pw0


cdef inline void _fill_slab(const problem_t *p, const winograd_t *w, const block_t *part, const image_t *image, const real *x,
                            int64_t channels, real *slab) noexcept nogil:
    """The pixels under the tiles; x is the first channel of the image."""
    cdef const view_t *f = &w.view
    cdef int64_t pitch = w.width * w.chunk
    cdef int64_t height = part.rows * f.tile.mh + f.rh - 1
    cdef int64_t width = part.cols * f.tile.mw + f.rw - 1
    cdef int64_t h = _first_row(p, f, part.row, image)
    cdef int64_t v = _first_col(p, f, part.col, image)
    cdef int64_t i, j
    if not w.merged:
        copy_lattice(p, x, channels, h, height * p.sh, f.dh, v, width * p.sw, f.dw, slab, pitch, w.chunk)
        return
    for i in range(p.sh):
        for j in range(p.sw):
            copy_lattice(p, x, p.icg, h + i, height, p.sh, v + j, width, p.sw, slab + (i * p.sw + j) * p.icg, pitch, w.chunk)


cdef inline void _transform_copied(const problem_t *p, const winograd_t *w, const block_t *b, const block_t *part,
                                   const image_t *image, const real *x, real *V, real *slab) noexcept nogil:
    """So many channels at a time that their slab stays in cache; the last, perhaps in part a vector, come first."""
    cdef int64_t depth = w.view.depth if w.merged else p.icg
    cdef int64_t c = (depth - 1) // w.chunk * w.chunk
    cdef int64_t channels
    if part.rows <= 0 or part.cols <= 0:
        return
    while c >= 0:
        channels = min(w.chunk, depth - c)
        _fill_slab(p, w, part, image, x + c * p.xc, channels, slab)
        _transform_phases(p, w, b, part, channels, slab, w.width * w.chunk, w.chunk, V + c)
        c -= w.chunk


cdef inline block_t _inside(const problem_t *p, const view_t *f, const block_t *b, const image_t *image) noexcept nogil:
    """The tiles of a block whose pixels all lie in the image."""
    cdef block_t t = b[0]
    cdef int64_t high = (f.tile.h * p.sh - 1) * f.dh
    cdef int64_t wide = (f.tile.w * p.sw - 1) * f.dw
    while t.rows > 0 and _first_row(p, f, t.row, image) < 0:
        t.row, t.rows = t.row + 1, t.rows - 1
    while t.rows > 0 and _first_row(p, f, t.row + t.rows - 1, image) + high >= p.ih:
        t.rows -= 1
    while t.cols > 0 and _first_col(p, f, t.col, image) < 0:
        t.col, t.cols = t.col + 1, t.cols - 1
    while t.cols > 0 and _first_col(p, f, t.col + t.cols - 1, image) + wide >= p.iw:
        t.cols -= 1
    return t


cdef inline void _transform_image(const problem_t *p, const winograd_t *w, const block_t *b, const image_t *image, const real *x,
                                  real *V, real *slab) noexcept nogil:
    """One image of a block: where channels are neighbours, tiles inside the image are read in place, those around them copied."""
    cdef const view_t *f = &w.view
    cdef block_t inner, part
    if w.merged or p.xc != 1:
        _transform_copied(p, w, b, b, image, x, V, slab)
        return
    inner = _inside(p, f, b, image)
    if inner.rows == 0 or inner.cols == 0:
        _transform_copied(p, w, b, b, image, x, V, slab)
        return
    part = b[0]
    part.rows = inner.row - b.row
    _transform_copied(p, w, b, &part, image, x, V, slab)
    part.row = inner.row + inner.rows
    part.rows = b.row + b.rows - part.row
    _transform_copied(p, w, b, &part, image, x, V, slab)
    part.row, part.rows = inner.row, inner.rows
    part.cols = inner.col - b.col
    _transform_copied(p, w, b, &part, image, x, V, slab)
    part.col = inner.col + inner.cols
    part.cols = b.col + b.cols - part.col
    _transform_copied(p, w, b, &part, image, x, V, slab)
    x += _first_row(p, f, inner.row, image) * p.xh + _first_col(p, f, inner.col, image) * p.xw
    _transform_phases(p, w, b, &inner, p.icg, x, f.dh * p.xh, f.dw * p.xw, V)


cdef inline void _transform(const task_t *t, const winograd_t *w, const block_t *b, int64_t g, real *V,
                            real *slab) noexcept nogil:
    """V = B^T d B"""
    cdef const problem_t *p = t.p
    cdef int64_t number
    cdef image_t image
    for number in range(b.images):
        image = _image(&w.view, b.image + number)
        _transform_image(p, w, b, &image, <const real *>t.x + image.number * p.xn + g * p.icg * p.xc,
                         V + number * b.rows * b.cols * w.v_t, slab)


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
        p.ops.gemm_stream(tiles, n, depth, V + c, w.v_t, weight + c * w.nr, ahead, P, w.nr,
                          ACCUMULATE if accumulate or block > 0 else 0)
        c += depth


cdef inline void _multiply_phases(const problem_t *p, const winograd_t *w, int64_t point, int64_t tiles, int64_t filters,
                                  const real *V, const real *weight, const real *following, real *P) noexcept nogil:
    """All phases but those that have no tap at this point; where only columns are missing, a product for each row of phases."""
    cdef const view_t *f = &w.view
    cdef int64_t rows = f.full_h if point // f.tile.w == f.tile.h - 1 else p.sh
    cdef int64_t cols = f.full_w if point % f.tile.w == f.tile.w - 1 else p.sw
    cdef int64_t row, at
    if cols == p.sw:
        _multiply(p, w, tiles, filters, rows * p.sw * p.icg, False, V, weight, following, P)
        return
    for row in range(rows):
        at = row * p.sw * p.icg
        _multiply(p, w, tiles, filters, cols * p.icg, row > 0, V + at, weight + at * w.nr, following, P)


cdef inline void _transform_back(const task_t *t, const winograd_t *w, const block_t *b, int64_t filter, int64_t filters,
                                 const real *P) noexcept nogil:
    """y = A^T P A for one unit, `filter` counting from the first group's."""
    cdef const problem_t *p = t.p
    cdef epilogue_t e
    cdef int flags = tail_flags(t, False)
    cdef const wino_t *f = &w.view.tile
    cdef int64_t dh = w.view.dh
    cdef int64_t dw = w.view.dw
    cdef int64_t number, row, at, rows, cols
    cdef image_t image
    for number in range(b.image, b.image + b.images):
        image = _image(&w.view, number)
        cols = min(b.cols * f.mw, ceil_div(p.ow - image.w, dw) - b.col * f.mw)
        for row in range(b.row, b.row + b.rows):
            rows = min(f.mh, ceil_div(p.oh - image.h, dh) - row * f.mh)
            at = image.number * p.yn + filter * p.yc + (row * f.mh * dh + image.h) * p.yh + (b.col * f.mw * dw + image.w) * p.yw
            if rows > 0 and cols > 0:
                e = tail_of(t, flags, filter, at)
                p.ops.wino_output(f, b.cols, filters, P, w.p_p, w.nr, rows, cols, <real *>t.y + at, dh * p.yh,
                                  dw * p.yw, p.yc, &e)
            P += b.cols * w.nr


cdef inline void _winograd_task(const task_t *t, const winograd_t *w, int64_t task, real *buffer) noexcept nogil:
    """Task number -> group, part of the filters, block of tiles; blocks change fastest."""
    cdef const problem_t *p = t.p
    cdef int64_t blocks = w.image_parts * w.row_parts * w.col_parts
    cdef int64_t part = task // blocks % w.filter_parts
    cdef int64_t g = task // (blocks * w.filter_parts)
    cdef block_t b = _numbered_block(w, task % blocks)
    cdef int64_t tiles = b.images * b.rows * b.cols
    cdef real *V = buffer
    cdef real *P = <real *>(<char *>buffer + w.v_bytes)
    cdef int64_t points = w.view.points
    cdef int64_t slice = w.view.depth * w.nr
    cdef const real *weight = <const real *>t.weight + g * w.units * points * slice
    cdef int64_t unit = split_start(w.units, w.filter_parts, part)
    cdef int64_t end = split_start(w.units, w.filter_parts, part + 1)
    cdef int64_t point, last, i
    cdef const real *here
    cdef const real *after
    _transform[real](t, w, &b, g, V, <real *>(<char *>P + w.p_bytes))
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


cdef inline void _winograd_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _winograd_task(t, <const winograd_t *>cut, number, <float *>buffer)
    else:
        _winograd_task(t, <const winograd_t *>cut, number, <double *>buffer)


cdef inline int winograd_run(task_t *t) noexcept nogil:
    cdef const winograd_t *w = <const winograd_t *>t.cut
    cdef int64_t tasks = w.image_parts * w.row_parts * w.col_parts * w.filter_parts * t.p.g
    return run_tasks(t, _winograd_step, w, tasks, 2 * winograd_multiplications(t.p, t.cut) / tasks, w.buffer)
