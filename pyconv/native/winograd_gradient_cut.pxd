# SPDX-License-Identifier: BSD-3-Clause
"""How the gradient of a weight by Winograd is cut into blocks of tiles, and what it takes; see native/winograd_gradient.pxd."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.kernels cimport ceil_div, wino_t
from pyconv.core.rates cimport arrival_rate
from pyconv.engines.gemm.panels_cut cimport tile_columns, tile_rows
from pyconv.core.sizes cimport aligned, round_up, times

cdef enum:
    LINE = 64                 # bytes
    SLAB = 8192               # elements of a slab: L1, with what is made of it
    MOST = 1024               # tiles of a block
    LARGEST = 48 << 20        # bytes of U and V together
    SHARED = 400000           # cycles of a block that threads share: its regions cost some ten microseconds each

ctypedef struct wino_gradient_t:
    wino_t pixels             # tiles of x, as far apart as those of dy
    wino_t taps               # F(r, m): tiles of dy are its filters, the gradient its outputs
    int64_t th, tw            # rows, columns of a tile of dy
    int64_t points, phases                        # phases: of a stride, kernels of their own that share U
    int64_t all_images                            # interleaved ones of a dilated convolution count each
    int64_t down, across                          # tiles of an image
    int64_t images, rows, cols                    # of a block, at most: whole images, or a rectangle of tiles of one
    int64_t image_parts, row_parts, col_parts
    int64_t blocks
    int64_t chunk                                 # filters whose sums are held at a time
    int64_t wide                                  # channels in a slab
    int64_t u_t, u_p, v_t, v_p, d_o, d_p          # between tiles, filters and points of U, V and D
    size_t u_bytes, v_bytes, d_bytes, buffer      # buffer: of one thread, a slab or the gradient of a filter
    double cycles


cdef inline int64_t _apart(int64_t count, int64_t line) noexcept nogil:
    """A distance of rows of so many elements, whole lines, whose multiples do not share few sets of the cache."""
    count = round_up(count, line)
    return count + line if count % (16 * line) == 0 else count


cdef inline void _size(const problem_t *p, wino_gradient_t *w) noexcept nogil:
    cdef int64_t line = LINE // <int64_t>p.itemsize
    cdef int64_t tiles = w.images * w.rows * w.cols
    cdef int64_t area = w.pixels.h * ((w.cols - 1) * w.tw + w.pixels.w)
    cdef int64_t lanes = tile_columns(p) // 2
    # Several blocks make U anew for each chunk of filters, one makes it for all.
    w.u_t = _apart(w.chunk if w.blocks > 1 else p.ocg, line)
    w.v_t = w.d_o = _apart(p.icg, line)
    w.u_p, w.v_p = tiles * w.u_t + line, tiles * w.v_t + line
    w.d_p = w.chunk * w.d_o + line
    w.wide = max(1, SLAB // (area * lanes)) * lanes
    w.u_bytes = aligned(times(<size_t>(w.points * w.u_p), p.itemsize))
    w.v_bytes = aligned(times(<size_t>(w.phases * w.points * w.v_p), p.itemsize))
    w.d_bytes = aligned(times(<size_t>(w.phases * w.points * w.d_p), p.itemsize))
    w.buffer = aligned(times(<size_t>max(area * w.wide, p.kh * p.kw * p.icg), p.itemsize))


cdef inline int64_t phase_taps(int64_t taps, int64_t stride, int64_t phase) noexcept nogil:
    """Those of a kernel that phase, phase + stride, ... are."""
    return (taps - phase + stride - 1) // stride


cdef inline int64_t phase_points(int size, int64_t taps, int64_t stride, int64_t phase) noexcept nogil:
    """Of one axis: the last, infinity, is for the last tap of the longest phase alone."""
    return size - (phase_taps(taps, stride, phase) < phase_taps(taps, stride, 0))


cdef inline int64_t all_points(const problem_t *p, const wino_gradient_t *w) noexcept nogil:
    """Products of a tile, a filter and a channel, of all phases."""
    cdef int64_t i
    cdef int64_t down = 0
    cdef int64_t across = 0
    for i in range(p.sh):
        down += phase_points(w.taps.h, p.kh, p.sh, i)
    for i in range(p.sw):
        across += phase_points(w.taps.w, p.kw, p.sw, i)
    return down * across


cdef inline double _cycles(const problem_t *p, const wino_gradient_t *w) noexcept nogil:
    """
    Of all blocks and one group by one thread: the product, D fetched and stored once a block and chunk, U and V made and read,
    the end. The cut, and with it the sums, is the same for every number of threads.
    """
    cdef double vector = tile_columns(p) // 2
    cdef double tiles = <double>w.images * w.rows * w.cols
    cdef double chunks = ceil_div(p.ocg, w.chunk)
    cdef double repeats = chunks if w.blocks > 1 else 1       # of V, transformed anew for each chunk
    cdef double panel = ceil_div(min(w.chunk, p.ocg), ceil_div(min(w.chunk, p.ocg), tile_rows(p)))
    cdef double columns = ceil_div(p.icg, <int64_t>vector)
    cdef double points = all_points(p, w)
    cdef double product = points * tiles * p.ocg * columns / p.rates.fma * (1 + 3 / panel)
    cdef double calls = points * ceil_div(p.ocg, <int64_t>panel) * ceil_div(<int64_t>columns, 2) * 60.0
    cdef double sums = <double>w.d_bytes * chunks * (2 + 2.0 / w.blocks)       # and once more at the end
    cdef double operands = w.u_bytes * repeats + w.v_bytes * repeats
    cdef double reads = w.u_bytes * repeats + w.v_bytes * chunks
    cdef double level = p.rates.clock / arrival_rate(&p.rates, w.d_bytes)
    cdef double behind = p.rates.clock / arrival_rate(&p.rates, w.u_bytes + w.v_bytes)
    cdef double transform = tiles * w.points * 4.5 * (ceil_div(p.ocg, <int64_t>vector) + w.phases * columns * repeats)
    cdef double moved = sums * level * 0.7 + (operands + reads * 0.6) * behind * 0.5
    cdef double last = p.ocg * columns * (points * 3.0 + 9 * p.kh * p.kw)
    return w.blocks * (product + calls + transform + moved) + last


cdef inline void _consider(const problem_t *p, wino_gradient_t *trial, wino_gradient_t *best) noexcept nogil:
    trial.images = ceil_div(trial.all_images, trial.image_parts)
    trial.rows = ceil_div(trial.down, trial.row_parts)
    trial.cols = ceil_div(trial.across, trial.col_parts)
    trial.blocks = trial.image_parts * trial.row_parts * trial.col_parts
    trial.chunk = p.ocg
    while True:
        _size(p, trial)
        trial.cycles = _cycles(p, trial)
        if trial.cycles < best.cycles and (trial.u_bytes + trial.v_bytes <= LARGEST or best.cycles == INFINITY):
            best[0] = trial[0]
        if trial.chunk <= 4 * tile_rows(p):
            return
        trial.chunk = ceil_div(trial.chunk, 2)


cdef inline void cut_wino_gradient(const problem_t *p, int m, wino_gradient_t *w) noexcept nogil:
    """The cheapest cut of the gradient by tiles of m outputs along each axis on which the kernel is more than one tap long."""
    cdef wino_gradient_t trial
    cdef int64_t image, size
    w.th, w.tw = m if p.kh > 1 else 1, m if p.kw > 1 else 1
    w.taps.mh, w.taps.mw = <int>phase_taps(p.kh, p.sh, 0), <int>phase_taps(p.kw, p.sw, 0)
    w.taps.h, w.taps.w = <int>(w.th + w.taps.mh - 1), <int>(w.tw + w.taps.mw - 1)
    w.taps.kh, w.taps.kw = <int>w.th, <int>w.tw
    w.taps.sh = w.taps.sw = 1
    w.pixels = w.taps
    w.pixels.mh, w.pixels.mw = <int>w.th, <int>w.tw
    w.pixels.kh, w.pixels.kw = w.taps.mh, w.taps.mw
    w.phases = p.sh * p.sw
    w.points = w.taps.h * w.taps.w
    w.all_images = p.n * p.dh * p.dw
    w.down = ceil_div(ceil_div(p.oh, p.dh), w.th)
    w.across = ceil_div(ceil_div(p.ow, p.dw), w.tw)
    w.cycles = INFINITY
    trial = w[0]
    image = w.down * w.across
    trial.row_parts = trial.col_parts = 1
    size = max(1, min(w.all_images, MOST // image))
    while size > 0 and image <= MOST:
        trial.image_parts = ceil_div(w.all_images, size)
        _consider(p, &trial, w)
        size = size * 2 // 3
    trial.image_parts = w.all_images
    trial.col_parts = ceil_div(w.across, MOST)
    size = max(1, min(w.down, MOST // ceil_div(w.across, trial.col_parts)))
    while size > 0:
        trial.row_parts = ceil_div(w.down, size)
        _consider(p, &trial, w)
        size = size * 2 // 3
