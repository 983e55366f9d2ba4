# SPDX-License-Identifier: BSD-3-Clause
"""
The blocked product behind implicit_gemm and pointwise: how a convolution is cut into tasks, and what one task does.

One side of the product is broadcast (rows of a tile), the other runs along the vectors (columns of a tile):

  weights broadcast   y[oc][pixels] = w[oc][K] patches[K][pixels]     patches are packed [pixels / nr][kc][nr], natural in NCHW
  patches broadcast   y[pixels][oc] = patches[pixels][K] w[K][oc]     patches are packed [kc][m] or read in place, natural in NHWC

Either can store its tiles turned, so both serve both layouts; the one that wastes fewer lanes is taken. K is ordered
c, kh, kw in NCHW and kh, kw, c in NHWC. A task is a run of pixels times a run of filters of one image and group, and
sums each output in the same order whatever the number of threads.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from cython.parallel cimport prange, threadid

from pyconv._types cimport *
from pyconv._poll cimport poll, tasks_between_polls
from pyconv._rates cimport stream_seconds
from pyconv._simd cimport (
    ACCUMULATE, BIAS_COLUMN, BIAS_ROW, CLAMP, RESIDUAL, TRANSPOSED, ahead_part, ahead_t, cache_bytes, ceil_div,
    f32_epilogue, f64_epilogue, patches_t, split_start,
)
from pyconv._sizes cimport times

cdef enum:
    PATCH_BYTES = 196608      # of patches that meet one unit of filters before the next: they stay in L2

# How one problem is cut. `rows` and `columns` are the sides of the tile, `units` of nr columns.
ctypedef struct blocks_t:
    bint weights_broadcast
    bint in_place             # the patches are rows of the image, read where they stand
    int64_t mr, nr
    int64_t images, pixels    # and pixels of one; a batch read in place is one image
    int64_t panels            # of weights, where they are broadcast
    int64_t kc                # longest block of K
    int64_t run               # units of patches that are packed together, where weights are broadcast
    int64_t group             # panels of patches that are packed together, where those are broadcast
    int64_t pixel_parts       # of an image
    int64_t filter_parts      # of a group
    size_t buffer             # bytes per thread


cdef inline int64_t tile_rows(const problem_t *p) noexcept nogil:
    return p.kernels.f32.mr if p.itemsize == 4 else p.kernels.f64.mr


cdef inline int64_t tile_columns(const problem_t *p) noexcept nogil:
    return p.kernels.f32.nr if p.itemsize == 4 else p.kernels.f64.nr


cdef inline double tile_cost(int64_t rows, int64_t columns, int64_t mr, int64_t nr) noexcept nogil:
    """
    Vector products of an rows x columns result per step of K, idle lanes and short tiles included.

    A tile of m rows takes as long as m + 1 full rows: its two loads of the vector side are shared by m products. A
    last unit at most half full is computed with one vector.
    """
    cdef int64_t tiles = ceil_div(rows, mr)
    return (rows + tiles) * ceil_div(columns, nr // 2)


cdef inline double turned_toll(const problem_t *p) noexcept nogil:
    """Turning a full tile on its way to memory takes as long as some 12 steps of K; K is summed in blocks of about 512."""
    return 1 + 12.0 / min(p.k, 512)


cdef inline bint weights_broadcast(const problem_t *p) noexcept nogil:
    cdef int64_t mr = tile_rows(p)
    cdef int64_t nr = tile_columns(p)
    cdef double weights = tile_cost(p.ocg, p.oh * p.ow, mr, nr)
    cdef double patches = tile_cost(p.oh * p.ow, p.ocg, mr, nr)
    if p.layout == PYCONV_NCHW:
        return weights <= turned_toll(p) * patches
    return turned_toll(p) * weights < patches


cdef inline double _idle(const blocks_t *b, int64_t pixel_units, int64_t filter_units, int64_t groups,
                         int threads) noexcept nogil:
    """Longest thread over mean thread, with tasks dealt out evenly: 1 is perfect."""
    cdef double tasks = <double>b.images * groups * b.pixel_parts * b.filter_parts
    cdef double longest = ceil_div(<int64_t>tasks, threads) * ceil_div(pixel_units, b.pixel_parts) \
        * ceil_div(filter_units, b.filter_parts)
    return longest * threads / (<double>b.images * groups * pixel_units * filter_units)


cdef inline void _share(blocks_t *b, int64_t pixel_units, int64_t filter_units, int64_t groups, int threads) noexcept nogil:
    """
    Cuts finer until the threads have equal work. Cutting pixels reads the weights once more, cutting filters packs the
    patches once more: the smaller side is the one to repeat.
    """
    cdef double pixel_toll = 0.06 * filter_units * b.nr / (filter_units * b.nr + b.pixels)
    cdef int64_t pixel_parts = b.pixel_parts
    cdef int64_t filter_parts = b.filter_parts
    cdef int64_t i, j
    cdef blocks_t trial = b[0]
    cdef double idle
    cdef double best = _idle(b, pixel_units, filter_units, groups, threads)
    for j in range(filter_parts, min(filter_units, filter_parts + threads) + 1):
        for i in range(pixel_parts, min(pixel_units, pixel_parts + 2 * threads) + 1):
            trial.pixel_parts = i
            trial.filter_parts = j
            idle = _idle(&trial, pixel_units, filter_units, groups, threads) + pixel_toll * (i - pixel_parts) \
                + (0.06 - pixel_toll) * (j - filter_parts)
            if idle < best:
                best = idle
                b.pixel_parts = i
                b.filter_parts = j


cdef inline bint small_weights(const problem_t *p) noexcept nogil:
    """Whether a group's weights stay in L2 beside all else, so that it is the image whose arrival counts."""
    return p.ocg * p.k * <int64_t>p.itemsize <= cache_bytes(2) // 8


cdef inline blocks_t cut(const problem_t *p, bint in_place, int threads) noexcept nogil:
    """
    kc steps of the broadcast side fill three quarters of L1: both sides may stream from L2, and fewer blocks of K read
    and write the outputs less often. The vector side of a task stays in a quarter of L2, at most 512 KB; where the
    weights are small, in L1, a unit at a time.
    """
    cdef blocks_t b
    cdef int64_t l2 = min(cache_bytes(2) // 4, 524288) // <int64_t>p.itemsize
    cdef int64_t pixel_units, filter_units, k_blocks, widest
    b.in_place = in_place
    b.weights_broadcast = not in_place and weights_broadcast(p)
    b.mr = tile_rows(p)
    b.nr = tile_columns(p)
    b.images = p.n
    b.pixels = p.oh * p.ow
    if in_place:
        b.images = 1
        b.pixels *= p.n
    k_blocks = ceil_div(p.k, max(64, cache_bytes(1) // <int64_t>p.itemsize * 3 // 4 // b.mr))
    b.kc = ceil_div(p.k, k_blocks)
    b.group = max(1, PATCH_BYTES // (b.kc * b.mr * <int64_t>p.itemsize))
    widest = max(1, l2 // (b.kc * b.nr))
    b.panels = ceil_div(p.ocg, b.mr)
    b.pixel_parts = b.filter_parts = 1
    if b.weights_broadcast:
        pixel_units, filter_units = ceil_div(b.pixels, b.nr), b.panels
        b.pixel_parts = ceil_div(pixel_units, widest)
    else:
        pixel_units, filter_units = ceil_div(b.pixels, b.mr), ceil_div(p.ocg, b.nr)
    if threads > 1:
        _share(&b, pixel_units, filter_units, p.g, threads)
    if in_place:
        b.buffer = 0
    elif b.weights_broadcast:
        b.run = 1 if small_weights(p) else ceil_div(pixel_units, b.pixel_parts)
        b.buffer = <size_t>(b.run * b.nr * b.kc) * p.itemsize
    else:
        b.group = min(b.group, ceil_div(pixel_units, b.pixel_parts))
        b.buffer = <size_t>(b.group * b.mr * b.kc) * p.itemsize
    b.buffer = (b.buffer + 63) & ~<size_t>63
    return b


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
        if real is float:
            if broadcast:
                p.kernels.f32.pack_weights_rows(p.ocg, p.icg, p.kh * p.kw, weight, hwc, panels, packed)
            else:
                p.kernels.f32.pack_weights_columns(p.ocg, p.icg, p.kh * p.kw, weight, hwc, packed)
        else:
            if broadcast:
                p.kernels.f64.pack_weights_rows(p.ocg, p.icg, p.kh * p.kw, weight, hwc, panels, packed)
            else:
                p.kernels.f64.pack_weights_columns(p.ocg, p.icg, p.kh * p.kw, weight, hwc, packed)
        weight += p.ocg * p.k
        packed += g_step


cdef inline void _pack_patches(const problem_t *p, const patches_t *shape, const real *x, int64_t pixel, int64_t count,
                               int64_t w, int64_t k0, int64_t k1, real *panel) noexcept nogil:
    if real is float:
        if p.layout == PYCONV_NCHW:
            p.kernels.f32.pack_chw(shape, x, pixel, count, w, k0, k1, panel)
        else:
            p.kernels.f32.pack_hwc(shape, x, pixel, count, w, k0, k1, panel)
    else:
        if p.layout == PYCONV_NCHW:
            p.kernels.f64.pack_chw(shape, x, pixel, count, w, k0, k1, panel)
        else:
            p.kernels.f64.pack_hwc(shape, x, pixel, count, w, k0, k1, panel)


cdef inline void multiply(const problem_t *p, int64_t m, int64_t n, int64_t taps, int64_t k, const real *a, int64_t a_rs,
                          const ptrdiff_t *offsets, const real *b, int64_t b_ps, real *c, int64_t ldc, ahead_t ahead,
                          int flags, const real *bias, const real *residual) noexcept nogil:
    """
    c[m][n] = a[m][taps k] b[taps k][n] with the tail that flags ask for; see gemm.tmpl.h.

    a is read in place, a run of k at each of the offsets of a row; or it is packed [k][m], and offsets is NULL.
    """
    cdef f32_epilogue e32
    cdef f64_epilogue e64
    if real is float:
        e32.flags, e32.lo, e32.hi, e32.bias, e32.residual = flags, <float>p.lo, <float>p.hi, bias, residual
        if offsets == NULL:
            p.kernels.f32.gemm_panel(m, n, k, a, 1, m, b, b_ps, c, ldc, ahead, &e32)
        else:
            p.kernels.f32.gemm_taps(m, n, taps, k, a, a_rs, offsets, b, b_ps, c, ldc, ahead, &e32)
    else:
        e64.flags, e64.lo, e64.hi, e64.bias, e64.residual = flags, p.lo, p.hi, bias, residual
        if offsets == NULL:
            p.kernels.f64.gemm_panel(m, n, k, a, 1, m, b, b_ps, c, ldc, ahead, &e64)
        else:
            p.kernels.f64.gemm_taps(m, n, taps, k, a, a_rs, offsets, b, b_ps, c, ldc, ahead, &e64)


cdef inline int last_flags(const task_t *t, bint filters_are_rows) noexcept nogil:
    cdef int flags = 0
    if t.bias != NULL:
        flags |= BIAS_ROW if filters_are_rows else BIAS_COLUMN
    if t.residual != NULL:
        flags |= RESIDUAL
    if t.p.lo != -INFINITY or t.p.hi != INFINITY:
        flags |= CLAMP
    return flags


cdef inline ahead_t _beyond(const problem_t *p, const blocks_t *b, const real *x, int64_t pixel, const real *weight,
                            int64_t kc, int64_t m, int64_t panel, int64_t panels) noexcept nogil:
    """
    What follows a panel of weights: the next one; or, where all stay in cache, the next unit of pixels of each of a 1x1
    kernel's planes. At each step of K a product asks for as many bytes as the product has for each, so that it goes from
    plane to plane.
    """
    if b.run > 1:
        return ahead_t(weight, kc * m * <int64_t>p.itemsize if panel + 1 < panels else 0)
    if panel > 0 or p.k != p.icg or p.layout != PYCONV_NCHW:
        return ahead_t(NULL, 0)
    return ahead_t(x + pixel // p.ow * p.sh * p.xh + pixel % p.ow * p.sw + b.nr * p.sw,
                   kc * p.xc * <int64_t>p.itemsize)


cdef inline void _weights_task(const task_t *t, const blocks_t *b, const patches_t *shape, const real *x, int64_t at,
                               int64_t g, int64_t first_pixel, int64_t pixels, int64_t first_panel, int64_t last_panel,
                               real *buffer) noexcept nogil:
    """Weights broadcast. `at` is the image's and group's offset in y."""
    cdef const problem_t *p = t.p
    cdef const real *weight = <const real *>t.weight + g * p.ocg * p.k
    cdef const real *bias = <const real *>t.bias + g * p.ocg if t.bias != NULL else NULL
    cdef const real *residual
    cdef bint turned = p.layout == PYCONV_NHWC
    cdef int64_t ldc = p.yw if turned else p.yc
    cdef int tail = last_flags(t, True)
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
            unit = 0
            while unit < count:
                _pack_patches(p, shape, x, first_pixel + first + unit, min(b.nr, count - unit), b.nr, k0, k0 + kc,
                              buffer + unit * kc)
                unit += b.nr
            for panel in range(first_panel, last_panel):
                row = split_start(p.ocg, b.panels, panel)
                m = split_start(p.ocg, b.panels, panel + 1) - row
                where = at + row * p.yc + (first_pixel + first) * p.yw
                residual = <const real *>t.residual + where if t.residual != NULL else NULL
                multiply(p, m, count, 1, kc, weight + row * p.k + k0 * m, 1, NULL, buffer, kc * b.nr, <real *>t.y + where,
                         ldc, _beyond(p, b, x, first_pixel + first, weight + (row + m) * p.k + k0 * m, kc, m,
                                      panel - first_panel, last_panel - first_panel),
                         flags, bias + row if bias != NULL else NULL, residual)
            first += run
        k0 += kc


cdef inline void _patches_task(const task_t *t, const blocks_t *b, const patches_t *shape, const real *x, int64_t at,
                               int64_t g, int64_t first_pixel, int64_t pixels, int64_t first_filter, int64_t filters,
                               real *buffer) noexcept nogil:
    """Patches broadcast, packed or in place."""
    cdef const problem_t *p = t.p
    cdef int64_t group = ceil_div(p.ocg, b.nr) * b.nr * p.k
    cdef const real *weight = <const real *>t.weight + g * group + first_filter * p.k
    cdef const real *bias = <const real *>t.bias + g * p.ocg + first_filter if t.bias != NULL else NULL
    cdef const real *residual
    cdef bint turned = p.layout == PYCONV_NCHW
    cdef int64_t ldc = p.yc if turned else p.yw
    cdef int64_t panels = ceil_div(pixels, b.mr)
    cdef int64_t l1 = cache_bytes(1) // 2 // <int64_t>p.itemsize
    cdef int tail = last_flags(t, False)
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
                    residual = <const real *>t.residual + where if t.residual != NULL else NULL
                    if b.in_place:
                        multiply(p, m, min(n, filters - filter), 1, kc, x + pixel * p.xw + k0, p.xw, &here, columns,
                                 b.nr * p.k, <real *>t.y + where, ldc, ahead, flags,
                                 bias + filter if bias != NULL else NULL, residual)
                    else:
                        multiply(p, m, min(n, filters - filter), 1, kc, buffer + (panel - first) * b.mr * kc, 1, NULL,
                                 columns, b.nr * p.k, <real *>t.y + where, ldc, ahead, flags,
                                 bias + filter if bias != NULL else NULL, residual)
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


cdef inline int run_blocks(task_t *t, const blocks_t *b, const real *tag) noexcept nogil:
    """All tasks; tag is NULL and names the type."""
    cdef const problem_t *p = t.p
    cdef patches_t shape
    cdef int64_t tasks = b.images * p.g * b.pixel_parts * b.filter_parts
    cdef double flops = 2.0 * p.n * p.yn * p.k / tasks
    cdef int64_t chunk = tasks_between_polls(t, flops)
    cdef int64_t first = 0
    cdef int64_t last, i
    shape.c, shape.ih, shape.iw = p.icg, p.ih, p.iw
    shape.kh, shape.kw, shape.sh, shape.sw, shape.dh, shape.dw = p.kh, p.kw, p.sh, p.sw, p.dh, p.dw
    shape.ph, shape.pw, shape.oh, shape.ow = p.ph0, p.pw0, p.oh, p.ow
    shape.xs_c, shape.xs_h, shape.xs_w = p.xc, p.xh, p.xw
    while first < tasks:
        last = min(first + chunk, tasks)
        if t.threads == 1:
            for i in range(first, last):
                _one_task[real](t, b, &shape, i, <real *>t.workspace)
        else:
            for i in prange(first, last, num_threads=t.threads, schedule="static"):
                _one_task[real](t, b, &shape, i, <real *>(t.workspace + threadid() * b.buffer))
        if poll(t, flops * (last - first)):
            return PYCONV_STATUS_INTERRUPTED
        first = last
    return PYCONV_STATUS_OK


cdef inline double _packing_cycles(const problem_t *p, int64_t width) noexcept nogil:
    """
    Of the patches of one image and group, in panels of `width` pixels.

    NCHW: for each tap, pieces of rows that end with the panel or the image row, and their vectors in every channel; taps
    that no vector load serves go one by one. NHWC: blocks of V pixels by V reals turned, for each run of a window;
    windows that the padding cuts are filled one real at a time. Measured on a Sapphire-Rapids-class core.
    """
    cdef int64_t lanes = tile_columns(p) // 2
    cdef double pixels = <double>p.oh * p.ow
    cdef double taps = p.kh * p.kw
    cdef int64_t panels = ceil_div(p.oh * p.ow, width)
    cdef double pieces, vectors, blocks, runs, run, cut
    cdef bint whole_rows
    if p.layout == PYCONV_NCHW:
        pieces = panels if (taps == 1 and p.sh == 1 and p.sw == 1 and p.ow == p.iw) else panels + p.oh
        vectors = max(pieces, pixels / lanes)
        if p.sw == 1 or p.sw == 2 or p.sw == 4:
            return taps * (30 * pieces + (4 if p.sw == 1 else 5) * vectors * p.icg)
        return taps * (30 * pieces + 1.5 * pixels * p.icg)
    whole_rows = p.icg < lanes and p.icg == p.ic and p.dw == 1
    run = p.kw * p.icg if whole_rows else p.icg
    runs = p.kh if whole_rows else taps
    blocks = panels * ceil_div(width, lanes)
    cut = min(1.0, 1.5 * lanes / p.ow) if whole_rows and p.pw0 + p.pw1 > 0 else 0
    return blocks * runs * (40 + lanes * (7.0 * ceil_div(<int64_t>run, lanes) + run * cut))


cdef inline double blocks_cycles(const problem_t *p, bint in_place) noexcept nogil:
    """
    Per image and group, on one thread: steps of the tiles, 80 cycles to begin and store a tile, 250 to store it turned, and
    the packing. Measured on a Sapphire-Rapids-class core.
    """
    cdef int64_t mr = tile_rows(p)
    cdef int64_t nr = tile_columns(p)
    cdef int64_t pixels = p.oh * p.ow
    cdef bint weights = not in_place and weights_broadcast(p)
    cdef int64_t rows = p.ocg if weights else pixels
    cdef int64_t columns = pixels if weights else p.ocg
    cdef double tiles = <double>ceil_div(rows, mr) * ceil_div(columns, nr)
    cdef double stores = tiles * (250 if weights == (p.layout == PYCONV_NHWC) else 80)
    cdef double packing = 0 if in_place else _packing_cycles(p, nr if weights else mr)
    return tile_cost(rows, columns, mr, nr) * p.k / p.rates.fma + stores + packing


cdef inline double core_seconds(const problem_t *p, double cycles, int threads) noexcept nogil:
    """cycles per image and group, and the bytes that pass."""
    cdef double bytes = <double>p.itemsize * (p.n * (p.xn + p.yn) + p.oc * p.k)
    return p.n * p.g * cycles / threads / p.rates.clock + stream_seconds(&p.rates, bytes)
