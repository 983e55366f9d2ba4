# SPDX-License-Identifier: BSD-3-Clause
"""
The blocked product behind implicit_gemm and pointwise: packing, and what one task does.

One side of the product is broadcast (rows of a tile), the other runs along the vectors (columns of a tile):

  weights broadcast   y[oc][pixels] = w[oc][K] patches[K][pixels]     patches are packed [pixels / nr][kc][nr], natural in NCHW
  patches broadcast   y[pixels][oc] = patches[pixels][K] w[K][oc]     patches are packed [kc][m] or read in place, natural in NHWC

Either can store its tiles turned, so both serve both layouts; the one that wastes fewer lanes is taken. K is ordered
c, kh, kw in NCHW and kh, kw, c in NHWC. A task is a run of pixels times a run of filters of one image and group, and
sums each output in the same order whatever the number of threads.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.problem cimport patches_of
from pyconv.core.tasks cimport run_tasks
from pyconv.core.kernels cimport ACCUMULATE, TRANSPOSED, ahead_part, ahead_t, ceil_div, epilogue_t, patches_t, split_start
from pyconv.core.machine cimport cache_bytes
from pyconv.engines.gemm.panels_cut cimport blocks_t, small_weights, tile_columns, tile_rows, weights_broadcast
from pyconv.core.sizes cimport times
from pyconv.core.tail cimport tail_flags, tail_of


cdef inline size_t packed_weights(const problem_t *p, bint broadcast) noexcept nogil:
    """[g][ocg][K] in panels, or [g][ceil(ocg / nr)][K][nr]."""
    cdef int64_t nr = tile_columns(p)
    cdef int64_t columns = p.ocg if broadcast else ceil_div(p.ocg, nr) * nr
    return times(times(<size_t>(p.g * columns), <size_t>p.k), p.itemsize)


cdef inline void pack_weights(const problem_t *p, const real *weight, bint broadcast, bint hwc, real *packed) noexcept nogil:
    """K in the order kh, kw, c if hwc."""
    cdef int64_t nr = tile_columns(p)
    cdef int64_t panels = ceil_div(p.ocg, tile_rows(p))
    cdef int64_t g_step = p.k * (p.ocg if broadcast else ceil_div(p.ocg, nr) * nr)
    cdef int64_t _g
    for _g in range(p.g):
        if broadcast:
            p.ops.pack_weights_rows(p.ocg, p.icg, p.kh * p.kw, weight, hwc, panels, packed)
        else:
            p.ops.pack_weights_columns(p.ocg, p.icg, p.kh * p.kw, weight, hwc, packed)
        weight += p.ocg * p.k
        packed += g_step


cdef inline size_t columns_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    """Of a form whose weights run along the vectors, K in the order kh, kw, c."""
    return packed_weights(p, False)


cdef inline void pack_columns(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_weights(p, <const float *>weight, False, True, <float *>packed)
    else:
        pack_weights(p, <const double *>weight, False, True, <double *>packed)


cdef inline void _pack_patches(const problem_t *p, const patches_t *shape, const real *x, int64_t pixel, int64_t count,
                               int64_t w, int64_t k0, int64_t k1, real *panel) noexcept nogil:
    cdef bint nchw = p.layout == PYCONV_NCHW
    (p.ops.pack_chw if nchw else p.ops.pack_hwc)(shape, x, pixel, count, w, k0, k1, panel)


cdef inline void multiply(const task_t *t, int64_t m, int64_t n, int64_t taps, int64_t k, const real *a, int64_t a_rs,
                          const ptrdiff_t *offsets, const real *b, int64_t b_ps, int64_t at, int64_t ldc, ahead_t ahead,
                          int flags, int64_t filter) noexcept nogil:
    """
    y[at ..] = a[m][taps k] b[taps k][n] with the tail that flags ask for, of filters from this one on; see gemm.tmpl.h.

    a is read in place, a run of k at each of the offsets of a row; or it is packed [k][m], and offsets is NULL.
    """
    cdef epilogue_t e = tail_of(t, flags, filter, at)
    if offsets == NULL:
        t.p.ops.gemm_panel(m, n, k, a, 1, m, b, b_ps, <real *>t.y + at, ldc, ahead, &e)
    else:
        t.p.ops.gemm_taps(m, n, taps, k, a, a_rs, offsets, b, b_ps, <real *>t.y + at, ldc, ahead, &e)


cdef inline void _multiply_planes(const task_t *t, int64_t m, int64_t n, int64_t k, const real *a, const real *b, real *to,
                                  int64_t at, int flags, int64_t filter) noexcept nogil:
    """The same for planes of image and result, which `to` then holds packed; see gemm_planes.tmpl.h."""
    cdef epilogue_t e = tail_of(t, flags, filter, at)
    t.p.ops.gemm_planes(m, n, k, a, b, t.p.xc, to, <real *>t.y + at, t.p.yc, &e)


cdef inline ahead_t _beyond(const problem_t *p, const blocks_t *b, const real *x, int64_t pixel, const real *weight,
                            int64_t kc, int64_t m, int64_t panel, int64_t panels) noexcept nogil:
    """
    What follows a panel of weights: the next one; or, where all stay in cache, the next unit of pixels of each of a 1x1
    kernel's planes. At each step of K a product asks for as many bytes as the product has for each, so that it goes from
    plane to plane.
    """
    if b.run > 1 and not small_weights(p):
        return ahead_t(weight, kc * m * <int64_t>p.itemsize if panel + 1 < panels else 0)
    if b.planes or panel > 0 or p.k != p.icg or p.layout != PYCONV_NCHW:
        return ahead_t(NULL, 0)
    return ahead_t(x + pixel // p.ow * p.sh * p.xh + pixel % p.ow * p.sw + b.nr * p.sw,
                   kc * p.xc * <int64_t>p.itemsize)


cdef inline void _weights_task(const task_t *t, const blocks_t *b, const patches_t *shape, const real *x, int64_t at,
                               int64_t g, int64_t first_pixel, int64_t pixels, int64_t first_panel, int64_t last_panel,
                               real *buffer) noexcept nogil:
    """Weights broadcast. `at` is the image's and group's offset in y."""
    cdef const problem_t *p = t.p
    cdef const real *weight = <const real *>t.weight + g * p.ocg * p.k
    cdef bint turned = p.layout == PYCONV_NHWC
    cdef int64_t ldc = p.yw if turned else p.yc
    cdef int tail = tail_flags(t, True)
    cdef int64_t run = b.run * b.nr
    cdef int64_t k0 = 0
    cdef int64_t kc, first, count, unit, panel, row, m, where
    cdef int flags
    while k0 < p.k:
        kc = min(b.kc, p.k - k0)
        flags = (TRANSPOSED if turned else 0) | (ACCUMULATE if k0 > 0 else 0) | (tail if k0 + kc == p.k else 0)
        first = 0
        while first < pixels:
            count = min(run, pixels - first)
            unit = count if b.planes else 0
            while unit < count:
                _pack_patches(p, shape, x, first_pixel + first + unit, min(b.nr, count - unit), b.nr, k0, k0 + kc,
                              buffer + unit * kc)
                unit += b.nr
            for panel in range(first_panel, last_panel):
                row = split_start(p.ocg, b.panels, panel)
                m = split_start(p.ocg, b.panels, panel + 1) - row
                where = at + row * p.yc + (first_pixel + first) * p.yw
                if b.planes and panel == first_panel:
                    _multiply_planes(t, m, count, kc, weight + row * p.k + k0 * m, x + k0 * p.xc + first_pixel + first, buffer,
                                     where, flags, g * p.ocg + row)
                    continue
                multiply(t, m, count, 1, kc, weight + row * p.k + k0 * m, 1, NULL, buffer, kc * b.nr, where, ldc,
                         _beyond(p, b, x, first_pixel + first, weight + (row + m) * p.k + k0 * m, kc, m,
                                 panel - first_panel, last_panel - first_panel), flags, g * p.ocg + row)
            first += run
        k0 += kc


cdef inline void _patches_task(const task_t *t, const blocks_t *b, const patches_t *shape, const real *x, int64_t at,
                               int64_t g, int64_t first_pixel, int64_t pixels, int64_t first_filter, int64_t filters,
                               real *buffer) noexcept nogil:
    """Patches broadcast, packed or in place."""
    cdef const problem_t *p = t.p
    cdef int64_t group = ceil_div(p.ocg, b.nr) * b.nr * p.k
    cdef const real *weight = <const real *>t.weight + g * group + first_filter * p.k
    cdef bint turned = p.layout == PYCONV_NCHW
    cdef int64_t ldc = p.yc if turned else p.yw
    cdef int64_t panels = ceil_div(pixels, b.mr)
    cdef int64_t l1 = cache_bytes(1) // 2 // <int64_t>p.itemsize
    cdef int tail = tail_flags(t, False)
    cdef int64_t k0 = 0
    cdef int64_t kc, n, filter, first, last, panel, pixel, m, where
    cdef int flags
    cdef const real *columns
    cdef bint rows_ahead = b.in_place and small_weights(p)
    cdef ahead_t ahead
    cdef ptrdiff_t here = 0
    while k0 < p.k:
        kc = min(b.kc, p.k - k0)
        n = max(1, l1 // (kc * b.nr)) * b.nr      # filters whose block of weights stays in L1, at least a unit
        flags = (TRANSPOSED if turned else 0) | (ACCUMULATE if k0 > 0 else 0) | (tail if k0 + kc == p.k else 0)
        first = 0
        while first < panels:
            last = min(first + b.group, panels)
            if not b.in_place:
                for panel in range(first, last):
                    pixel = first_pixel + split_start(pixels, panels, panel)
                    m = first_pixel + split_start(pixels, panels, panel + 1) - pixel
                    _pack_patches(p, shape, x, pixel, m, m, k0, k0 + kc, buffer + (panel - first) * b.mr * kc)
            filter = 0
            while filter < filters:
                columns = weight + filter * p.k + k0 * b.nr
                for panel in range(first, last):
                    pixel = first_pixel + split_start(pixels, panels, panel)
                    m = first_pixel + split_start(pixels, panels, panel + 1) - pixel
                    if rows_ahead:
                        ahead = ahead_t(x + (pixel + m) * p.xw, 0 if filter > 0 or k0 > 0 else m * p.xw * <int64_t>p.itemsize)
                    else:
                        ahead = ahead_part(columns + p.k * b.nr, kc * b.nr * <int64_t>p.itemsize, panel - first, last - first)
                    where = at + (first_filter + filter) * p.yc + pixel * p.yw
                    if b.in_place:
                        multiply(t, m, min(n, filters - filter), 1, kc, x + pixel * p.xw + k0, p.xw, &here, columns,
                                 b.nr * p.k, where, ldc, ahead, flags, g * p.ocg + first_filter + filter)
                    else:
                        multiply(t, m, min(n, filters - filter), 1, kc, buffer + (panel - first) * b.mr * kc, 1, NULL,
                                 columns, b.nr * p.k, where, ldc, ahead, flags, g * p.ocg + first_filter + filter)
                filter += n
            first = last
        k0 += kc


cdef inline void _one_task(const task_t *t, const blocks_t *b, const patches_t *shape, int64_t task, real *buffer) noexcept nogil:
    """Task number -> image, group, part of its filters, part of its pixels; pixels change fastest."""
    cdef const problem_t *p = t.p
    cdef int64_t pixel_part = task % b.pixel_parts
    cdef int64_t filter_part = task // b.pixel_parts % b.filter_parts
    cdef int64_t g = task // (b.pixel_parts * b.filter_parts) % p.g
    cdef int64_t image = task // (b.pixel_parts * b.filter_parts * p.g)
    cdef int64_t unit = b.nr if b.weights_broadcast else b.mr
    cdef int64_t units = ceil_div(b.pixels, unit)
    cdef int64_t first = split_start(units, b.pixel_parts, pixel_part) * unit
    cdef int64_t count = min(split_start(units, b.pixel_parts, pixel_part + 1) * unit, b.pixels) - first
    cdef const real *x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
    cdef int64_t at = image * p.yn + g * p.ocg * p.yc
    cdef int64_t filters, start
    if b.weights_broadcast:
        _weights_task(t, b, shape, x, at, g, first, count, split_start(b.panels, b.filter_parts, filter_part),
                      split_start(b.panels, b.filter_parts, filter_part + 1), buffer)
    else:
        units = ceil_div(p.ocg, b.nr)
        start = split_start(units, b.filter_parts, filter_part) * b.nr
        filters = min(split_start(units, b.filter_parts, filter_part + 1) * b.nr, p.ocg) - start
        _patches_task(t, b, shape, x, at, g, first, count, start, filters, buffer)


# A cut, and the image as the kernels see it.
ctypedef struct panels_t:
    const blocks_t *b
    patches_t shape


cdef inline void _panel_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    cdef const panels_t *s = <const panels_t *>cut
    if t.p.dtype == PYCONV_F32:
        _one_task(t, s.b, &s.shape, number, <float *>buffer)
    else:
        _one_task(t, s.b, &s.shape, number, <double *>buffer)


cdef inline int run_blocks(task_t *t, const blocks_t *b) noexcept nogil:
    """All tasks."""
    cdef const problem_t *p = t.p
    cdef panels_t s = panels_t(b, patches_of(p))
    cdef int64_t tasks = b.images * p.g * b.pixel_parts * b.filter_parts
    return run_tasks(t, _panel_step, &s, tasks, 2.0 * p.n * p.yn * p.k / tasks, b.buffer)
