# SPDX-License-Identifier: BSD-3-Clause
"""
conv2d_backward_weight by Winograd: the tile of dy plays the filter, the gradient is the output.

dw = A^T [sum over tiles of (G dy G^T) * (B^T x B)] A: the gradient of F(m x m, r x r) is F(r x r, m x m) of the same points,
in which r x r sums of m x m products each take (m + r - 1)^2 products (Winograd 1980; Lavin and Gray 2016).

Of stride s, pixels q s + a are a phase: an image of its own under a kernel of the taps k s + a, and all phases share U.

Both transforms of a block of T tiles stream from slabs with their channels side by side, then each point is one product over
tiles; the sums over blocks are transformed back once, at the end.

  U[points][T][oc]      V[phases][points][T][ic]      D[phases][points][oc][ic] = sum of U^T V      gradient   [oc][ic][kh][kw]

Threads share the transforms, then the points, then the filters: sums are the same for every number of threads. Where one
block holds all tiles, D is made and transformed back for some filters at a time, which stay in cache; else it is all filters,
or V is made anew for each chunk of them, as the model finds cheaper.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.engines.channels_last cimport copy_lattice, turn_rows
from pyconv.core.kernels cimport ACCUMULATE, ahead_t, ceil_div, epilogue_t, split_start
from pyconv.core.tasks cimport run_some
from pyconv.engines.gemm.panels_cut cimport tile_rows
from pyconv.native.winograd_gradient_cut cimport MOST, SHARED, phase_points, phase_taps, wino_gradient_t

# What one phase of one block reads and writes; x, dy and dw are the group's.
ctypedef struct wino_arrays_t:
    const wino_gradient_t *w
    problem_t outputs         # dy as an image
    const void *x
    const void *dy
    void *dw
    void *U
    void *V
    void *D
    int64_t image, images, row, rows, col, cols               # the block
    int64_t filter, filters                                   # the chunk
    int64_t u_first, u_filters                                # those of U: the chunk, or all
    int64_t u_pieces, v_pieces                                # of channels, that fill a slab
    int64_t parts                                             # of the chunk, as tasks
    bint more                                                 # D holds sums already


cdef inline void _transform(const wino_arrays_t *a, const problem_t *p, bint pixels, int64_t channels, const real *src,
                            int64_t number, real *to, int64_t to_p, int64_t to_t, real *slab) noexcept nogil:
    """Piece, row of tiles, image of a block, phase of x: from an image to the points of `channels` channels at most."""
    cdef const wino_gradient_t *w = a.w
    cdef int64_t pieces = a.v_pieces if pixels else a.u_pieces
    cdef int64_t piece = number % pieces
    cdef int64_t row = number // pieces % a.rows
    cdef int64_t image = number // (pieces * a.rows) % a.images
    cdef int64_t phase = number // (pieces * a.rows * a.images)
    cdef int64_t step_h = p.dh
    cdef int64_t step_w = p.dw
    cdef int64_t i = a.image + image
    cdef int64_t h = i // p.dw % p.dh + (a.row + row) * w.th * p.dh
    cdef int64_t v = i % p.dw + a.col * w.tw * p.dw
    cdef int64_t first = piece * w.wide
    cdef int64_t count = min(w.wide, channels - first)
    cdef int64_t width = a.cols * w.tw
    cdef int64_t high = w.th
    if pixels:
        h, v = h * p.sh + phase // p.sw - p.ph0, v * p.sw + phase % p.sw - p.pw0
        step_h, step_w = step_h * p.sh, step_w * p.sw         # one of each is 1
        to += phase * w.points * to_p
        width += w.pixels.w - w.tw
        high = w.pixels.h
    copy_lattice(p, src + i // (p.dh * p.dw) * p.xn + first * p.xc, count, h, high, step_h, v, width, step_w, slab,
                 width * w.wide, w.wide)
    to += (image * a.rows + row) * a.cols * to_t + first
    if pixels:
        p.ops.wino_input(&w.pixels, a.cols, count, w.pixels.h, w.pixels.w, slab, width * w.wide, w.wide, to, to_p, to_t)
    else:
        p.ops.wino_taps(&w.taps, a.cols, count, slab, width * w.wide, w.wide, to, to_p, to_t)


cdef inline void _taps_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const wino_arrays_t *a = <const wino_arrays_t *>cut
    cdef int64_t first = a.u_first * t.p.yc
    if t.p.dtype == PYCONV_F32:
        _transform[float](a, &a.outputs, False, a.u_filters, <const float *>a.dy + first, number, <float *>a.U, a.w.u_p,
                          a.w.u_t, <float *>buffer)
    else:
        _transform[double](a, &a.outputs, False, a.u_filters, <const double *>a.dy + first, number, <double *>a.U, a.w.u_p,
                           a.w.u_t, <double *>buffer)


cdef inline void _pixels_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const wino_arrays_t *a = <const wino_arrays_t *>cut
    if t.p.dtype == PYCONV_F32:
        _transform[float](a, t.p, True, t.p.icg, <const float *>a.x, number, <float *>a.V, a.w.v_p, a.w.v_t, <float *>buffer)
    else:
        _transform[double](a, t.p, True, t.p.icg, <const double *>a.x, number, <double *>a.V, a.w.v_p, a.w.v_t,
                           <double *>buffer)


cdef inline void _product_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    """Part of the chunk's filters, point, phase: D (+)= U^T V."""
    cdef const wino_arrays_t *a = <const wino_arrays_t *>cut
    cdef const wino_gradient_t *w = a.w
    cdef const problem_t *p = t.p
    cdef ptrdiff_t offsets[MOST]
    cdef int64_t phase = number // (a.parts * w.points)
    cdef int64_t point = number // a.parts % w.points
    cdef int64_t tiles = a.images * a.rows * a.cols
    cdef int64_t panels = ceil_div(a.filters, tile_rows(p))
    cdef int64_t panel, first, m, i
    cdef size_t item = p.itemsize
    cdef const char *U = <const char *>a.U + (point * w.u_p + a.filter - a.u_first) * item
    cdef const char *V = <const char *>a.V + (phase * w.points + point) * w.v_p * item
    cdef char *D = <char *>a.D + (phase * w.points + point) * w.d_p * item
    if (point // w.taps.w >= phase_points(w.taps.h, p.kh, p.sh, phase // p.sw)
            or point % w.taps.w >= phase_points(w.taps.w, p.kw, p.sw, phase % p.sw)):
        return                # of which nothing is made
    for i in range(tiles):
        offsets[i] = i * w.v_t
    for panel in range(split_start(panels, a.parts, number % a.parts), split_start(panels, a.parts, number % a.parts + 1)):
        first = split_start(a.filters, panels, panel)
        m = split_start(a.filters, panels, panel + 1) - first
        p.ops.gemm_shifts(m, p.icg, tiles, U + first * item, w.u_t, NULL, V, offsets, ahead_t(NULL, 0),
                          D + first * w.d_o * item, w.d_o, ACCUMULATE if a.more else 0)


cdef inline void _finish(const wino_arrays_t *a, const problem_t *p, int64_t filter, const real *D, real *dw,
                         real *buffer) noexcept nogil:
    """dw[filter] = A^T D A, made channels-last in the buffer."""
    cdef epilogue_t e
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t i, j
    cdef const wino_gradient_t *w = a.w
    e.flags = 0
    D += filter * w.d_o
    for i in range(p.sh):
        for j in range(p.sw):
            p.ops.wino_output(&w.taps, 1, p.icg, D + (i * p.sw + j) * w.points * w.d_p, w.d_p, 0, phase_taps(p.kh, p.sh, i),
                              phase_taps(p.kw, p.sw, j), buffer + (i * p.kw + j) * p.icg, p.sh * p.kw * p.icg, p.sw * p.icg, 1,
                              &e)
    turn_rows(p, taps, p.icg, <const real *>buffer, p.icg, dw + (a.filter + filter) * p.k, taps)


cdef inline void _finish_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const wino_arrays_t *a = <const wino_arrays_t *>cut
    if t.p.dtype == PYCONV_F32:
        _finish(a, t.p, number, <const float *>a.D, <float *>a.dw, <float *>buffer)
    else:
        _finish(a, t.p, number, <const double *>a.D, <double *>a.dw, <double *>buffer)


cdef inline void _place_block(const wino_gradient_t *w, int64_t number, wino_arrays_t *a) noexcept nogil:
    """Columns change fastest, images slowest."""
    cdef int64_t col = number % w.col_parts
    cdef int64_t row = number // w.col_parts % w.row_parts
    cdef int64_t image = number // (w.col_parts * w.row_parts)
    a.col = split_start(w.across, w.col_parts, col)
    a.cols = split_start(w.across, w.col_parts, col + 1) - a.col
    a.row = split_start(w.down, w.row_parts, row)
    a.rows = split_start(w.down, w.row_parts, row + 1) - a.row
    a.image = split_start(w.all_images, w.image_parts, image)
    a.images = split_start(w.all_images, w.image_parts, image + 1) - a.image


cdef inline int _block(task_t *t, wino_arrays_t *a, int64_t number, char *buffers) noexcept nogil:
    """The sums of one block for one chunk of filters; U is made with the first."""
    cdef const wino_gradient_t *w = a.w
    cdef const problem_t *p = t.p
    cdef int64_t rows
    cdef double work
    cdef int status = PYCONV_STATUS_OK
    _place_block(w, number, a)
    rows = a.images * a.rows
    work = <double>a.cols * w.points * w.wide * 20
    if w.blocks > 1 or a.filter == 0:
        status = run_some(t, _taps_step, a, 0, rows * a.u_pieces, work, t.threads, buffers, w.buffer)
        if status == PYCONV_STATUS_OK:
            status = run_some(t, _pixels_step, a, 0, w.phases * rows * a.v_pieces, work, t.threads, buffers, w.buffer)
    if status != PYCONV_STATUS_OK:
        return status
    a.more = number > 0
    work = 2.0 * rows * a.cols * a.filters * p.icg / a.parts
    return run_some(t, _product_step, a, 0, w.phases * w.points * a.parts, work, t.threads, buffers, w.buffer)


cdef inline int wino_gradient_run(const wino_gradient_t *w, task_t *t, const char *x, const char *dy, char *dw) noexcept nogil:
    """x, dy as the problem describes, dw (oc, icg, kh, kw); the workspace holds U, V, D and a buffer of each thread."""
    cdef const problem_t *p = t.p
    cdef wino_arrays_t a
    cdef char *buffers = t.workspace + w.u_bytes + w.v_bytes + w.d_bytes
    cdef int64_t g, number
    cdef int status = PYCONV_STATUS_OK
    if w.cycles < SHARED * w.blocks:
        t.threads = 1         # a block is shared in three parallel regions
    a.w = w
    a.U, a.V, a.D = t.workspace, t.workspace + w.u_bytes, t.workspace + w.u_bytes + w.v_bytes
    a.outputs = p[0]
    a.outputs.ih, a.outputs.iw = p.oh, p.ow
    a.outputs.sh = a.outputs.sw = 1
    a.outputs.xn, a.outputs.xc, a.outputs.xh, a.outputs.xw = p.yn, p.yc, p.yh, p.yw
    a.v_pieces = ceil_div(p.icg, w.wide)
    for g in range(p.g):
        a.x, a.dy = x + g * p.icg * p.xc * p.itemsize, dy + g * p.ocg * p.yc * p.itemsize
        a.dw = dw + g * p.ocg * p.k * p.itemsize
        a.filter = 0
        while a.filter < p.ocg:
            a.filters = min(w.chunk, p.ocg - a.filter)
            a.u_first, a.u_filters = a.filter if w.blocks > 1 else 0, a.filters if w.blocks > 1 else p.ocg
            a.u_pieces = ceil_div(a.u_filters, w.wide)
            a.parts = min(ceil_div(a.filters, tile_rows(p)), ceil_div(4 * <int64_t>t.slots, w.points))
            for number in range(w.blocks):
                status = _block(t, &a, number, buffers)
                if status != PYCONV_STATUS_OK:
                    return status
            status = run_some(t, _finish_step, &a, 0, a.filters, 64.0 * w.points * p.icg, t.threads, buffers, w.buffer)
            if status != PYCONV_STATUS_OK:
                return status
            a.filter += w.chunk
    return PYCONV_STATUS_OK
