# SPDX-License-Identifier: BSD-3-Clause
"""How a convolution by Winograd is cut into blocks of tiles, and the cycles that it takes; see engines/winograd/blocks.pxd."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.rates cimport arrival_rate
from pyconv.core.kernels cimport ceil_div
from pyconv.core.machine cimport cache_bytes
from pyconv.engines.gemm.panels_cut cimport tile_columns, tile_rows
from pyconv.core.sizes cimport aligned, plus, round_up, times
from pyconv.engines.winograd.view cimport total_depth, view_t, winograd_view

cdef enum:
    DEEPEST = 128             # channels summed in one product: longer sums are more accurate in blocks
    LINE = 64                 # bytes
    MERGED = 65536            # elements of a slab of merged phases, at most
    LARGEST = 8 << 20         # bytes of V and P together

ctypedef struct winograd_t:
    view_t view
    int64_t mr, nr, lanes
    int64_t all_images                            # interleaved ones of a dilated convolution count each
    int64_t down, across                          # tiles of an image
    int64_t images, rows, cols                    # of a block: whole images, or a rectangle of tiles of one
    int64_t image_parts, row_parts, col_parts
    int64_t units, filter_parts                   # of nr filters in a group; of a group
    int64_t run                                   # units multiplied before they are transformed back
    bint merged                                   # all phases of a pixel lie side by side in the slab
    int64_t chunk                                 # channels in a slab
    int64_t height, width                         # of a slab, in pixels of the image or, merged, of a phase
    int64_t v_t, v_p, p_p                         # between tiles and points of V, between points of P
    size_t v_bytes, p_bytes, buffer               # buffer: of one thread, with the slab
    bint streams                                  # weights come from beyond L2
    double cycles                                 # of the longest thread


cdef inline double _cycles(const problem_t *p, const winograd_t *w, int threads) noexcept nogil:
    """
    Of the longest thread: the product, its operands between core and L2, transforms.

    Measured on a Sapphire-Rapids-class core: weights that stream from L3, at 1.25 times the rate of copying, arrive
    beside the steps of the product; a fifth of the shorter of the two shows. V and one unit of P move at 40 bytes a cycle,
    several units of P at 20; where all that is touched between two uses exceeds L2, V moves at 16 and several units of P
    at 6, as does V on its way out of L2. NCHW is turned in blocks as wide as a vector; of NHWC only the tiles at the
    border are copied. Phases, whose pixels are strides apart, take 2.8 times as long to transform.
    """
    cdef int64_t blocks = w.image_parts * w.row_parts * w.col_parts
    cdef double tasks = <double>blocks * w.filter_parts * p.g
    cdef double tiles = <double>w.images * w.rows * w.cols
    cdef double share = 1 if threads > 1 else w.all_images * w.down * w.across / (tiles * blocks)   # mean block of the first
    cdef int64_t panels = ceil_div(<int64_t>tiles, w.mr)
    cdef double units = ceil_div(w.units, w.filter_parts)
    cdef double vectors = min(<double>ceil_div(p.ocg, w.lanes), units * w.nr / w.lanes)
    cdef double phases = 1 if w.merged else p.sh * p.sw
    cdef double deep = ceil_div(w.view.depth if w.merged else p.icg, w.lanes)
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int64_t width = w.cols * w.view.tile.mw
    cdef int64_t depth = total_depth(p, &w.view)
    cdef double halo = <double>w.images * w.height * (round_up(w.width, w.lanes) if planes else w.width)
    cdef double outputs = <double>w.images * w.rows * w.view.tile.mh * (round_up(width, w.lanes) if planes else width)
    cdef double columns = phases * w.images * w.rows * (width + w.view.rw - 1) * w.view.tile.h
    cdef double points = tiles * w.view.points
    cdef double stored = points if w.merged else tiles * depth / p.icg        # pixels of V, of icg channels unless merged
    cdef double v_bytes = w.v_bytes * <double>depth / (w.view.points * w.view.depth)
    cdef double weights = units * w.nr * depth * p.itemsize
    cdef double arriving = weights * 0.8 * p.rates.clock / min(p.rates.l3, arrival_rate(&p.rates, weights)) if w.streams else 0
    cdef double kept = v_bytes + w.p_bytes + (weights * w.run / units if w.streams else weights)
    cdef bint near = kept < cache_bytes(2) * 5 // 6
    cdef double steps = (share * tiles + panels) * vectors * depth / p.rates.fma
    cdef double product = max(arriving, steps) + 0.2 * min(arriving, steps)
    cdef double operands = v_bytes * ceil_div(<int64_t>units, w.run) / (40 if near else 16)
    operands += 2.0 * w.p_bytes * units / w.run / (40 if w.run == 1 else 20 if near else 6)
    if v_bytes > cache_bytes(2) * 3 // 4:
        operands += v_bytes / 6
    cdef double calls = w.view.points * panels * units * ceil_div(w.view.depth, DEEPEST) * 60
    cdef bint apart = planes and w.view.dw > 1
    cdef double copying = 1.5 * halo * w.chunk if w.merged else deep * halo * (1.5 * w.lanes if apart else 7 if planes else 1)
    cdef double before = deep * (4.2 if phases > 1 else 1.5) * (stored + columns) + copying
    cdef double after = vectors * (points * 2 + outputs * (2 * w.lanes if apart else 7 if planes else 3))
    return ceil_div(<int64_t>tasks, threads) * (product + calls + share * (operands + before + after))


cdef inline void _size(const problem_t *p, winograd_t *w) noexcept nogil:
    """Buffers for the block's shape. Rows and planes whose distance is a power of two would share sets of the cache."""
    cdef int64_t line = LINE // <int64_t>p.itemsize
    cdef int64_t tiles = w.images * w.rows * w.cols
    cdef int64_t area
    w.height = w.rows * w.view.tile.mh + w.view.rh - 1
    w.width = w.cols * w.view.tile.mw + w.view.rw - 1
    area = w.height * w.width * p.sh * p.sw
    w.merged = p.sh * p.sw > 1 and p.icg % w.lanes != 0 and area * p.icg <= MERGED
    if w.merged:
        w.chunk = w.view.depth
        w.v_t = round_up(w.view.depth, line)
    else:
        w.height *= p.sh
        w.width *= p.sw
        w.chunk = min(round_up(p.icg, w.lanes), max(1, 16384 // (area * w.lanes)) * w.lanes)
        w.v_t = round_up(w.view.depth - p.icg + round_up(p.icg, w.lanes), line)      # the last phase ends in whole vectors
    if w.v_t % (16 * line) == 0:
        w.v_t += line
    w.v_p = tiles * w.v_t + line
    w.p_p = tiles * w.nr + line
    w.v_bytes = aligned(times(times(<size_t>w.view.points, <size_t>w.v_p), p.itemsize))
    w.p_bytes = aligned(times(times(<size_t>(w.run * w.view.points), <size_t>w.p_p), p.itemsize))
    w.buffer = plus(plus(w.v_bytes, w.p_bytes), aligned(times(<size_t>(w.height * w.width * w.chunk), p.itemsize)))


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
            w.image_parts = min(round_up(w.image_parts, threads), w.all_images)
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
                w.row_parts = min(round_up(w.row_parts, threads), w.down)
                _consider(p, w, best, threads)
            size = size * 3 // 4
        if width * w.view.tile.mw < 4 * w.lanes:
            break
        w.col_parts *= 2


cdef inline winograd_t cut_winograd(const problem_t *p, int threads) noexcept nogil:
    """
    The cheapest way to cut the problem.

    Few tiles wait for weights that stream past. A network's come from memory, and soonest two units at a time: 16 tiles
    of 256 channels took them at 12.6, 14.6, 11.9 and 10.4 GB/s by 1, 2, 4 and 8 units, and from L3 at 22 by any.
    """
    cdef winograd_t w, best
    cdef int64_t v_tile, p_tile, last, i
    cdef bint few
    w.view = winograd_view(p)
    w.mr = tile_rows(p)
    w.nr = tile_columns(p)
    w.lanes = w.nr // 2
    w.all_images = p.n * w.view.dh * w.view.dw
    w.down = ceil_div(w.view.oh, w.view.tile.mh)
    w.across = ceil_div(w.view.ow, w.view.tile.mw)
    w.units = ceil_div(p.ocg, w.nr)
    v_tile = w.view.points * round_up(w.view.depth, w.lanes) * <int64_t>p.itemsize
    p_tile = w.view.points * w.nr * <int64_t>p.itemsize
    few = w.all_images * w.down * w.across <= 2 * w.mr
    if p.n == 0:
        w.buffer, w.cycles = 0, 0
        return w
    best.cycles = INFINITY
    for i in range(1 if w.units == 1 or threads == 1 else 2):
        w.filter_parts = 1 if i == 0 else min(w.units, threads)
        last = ceil_div(w.units, w.filter_parts)
        w.streams = total_depth(p, &w.view) * last * w.nr * <int64_t>p.itemsize > cache_bytes(2) // 3
        w.run = min(2, last) if w.streams and few else 1
        _cut_tiles(p, &w, &best, max(1, LARGEST // (v_tile + p_tile * w.run)), threads)
        while w.run < last and not (w.streams and few):
            w.run = min(w.run * 2, last) if w.run < 4 else last
            _cut_tiles(p, &w, &best, max(1, LARGEST // (v_tile + p_tile * w.run)), threads)
    return best
