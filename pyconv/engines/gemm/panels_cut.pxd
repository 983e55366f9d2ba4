# SPDX-License-Identifier: BSD-3-Clause
"""How the blocked product behind implicit_gemm and pointwise is cut into tasks, and what it takes; see panels.pxd."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport SHORTEST
from pyconv.core.sizes cimport aligned
from pyconv.core.rates cimport stream_seconds
from pyconv.core.kernels cimport ceil_div
from pyconv.core.machine cimport cache_bytes

cdef enum:
    PATCH_BYTES = 196608      # of patches that meet one unit of filters before the next: they stay in L2
    TASK_FLOPS = 2000000000   # some 10 ms: a caller who wants to stop waits for the end of a task

# How one problem is cut. `rows` and `columns` are the sides of the tile, `units` of nr columns.
ctypedef struct blocks_t:
    bint weights_broadcast
    bint in_place             # the patches are rows of the image, read where they stand
    bint planes               # or pieces of its planes, which the first panel of weights packs while it is multiplied
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
    return p.ops.mr


cdef inline int64_t tile_columns(const problem_t *p) noexcept nogil:
    return p.ops.nr


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
                         int64_t threads) noexcept nogil:
    """Longest thread over mean thread, with tasks dealt out evenly: 1 is perfect."""
    cdef double tasks = <double>b.images * groups * b.pixel_parts * b.filter_parts
    cdef double longest = ceil_div(<int64_t>tasks, threads) * ceil_div(pixel_units, b.pixel_parts) \
        * ceil_div(filter_units, b.filter_parts)
    return longest * threads / (<double>b.images * groups * pixel_units * filter_units)


cdef inline void _share(blocks_t *b, int64_t pixel_units, int64_t filter_units, int64_t groups,
                        int64_t threads) noexcept nogil:
    """
    Cuts finer until the threads have equal work. Cutting pixels reads the weights once more, cutting filters packs the
    patches once more: the smaller side is the one to repeat.
    """
    cdef double pixel_toll = 0.06 * filter_units * b.nr / (filter_units * b.nr + b.pixels)
    cdef int64_t pixel_parts = b.pixel_parts
    cdef int64_t filter_parts = b.filter_parts
    # All counts for up to some 30 threads; of more, some 2,000 pairs, evenly apart.
    cdef int64_t filter_step = 1 + threads // 32
    cdef int64_t pixel_step = 1 + threads // 32
    cdef int64_t i = pixel_parts
    cdef int64_t j = filter_parts
    cdef blocks_t trial = b[0]
    cdef double idle
    cdef double best = _idle(b, pixel_units, filter_units, groups, threads)
    while j <= min(filter_units, filter_parts + threads):
        i = pixel_parts
        while i <= min(pixel_units, pixel_parts + 2 * threads):
            trial.pixel_parts = i
            trial.filter_parts = j
            idle = _idle(&trial, pixel_units, filter_units, groups, threads) + pixel_toll * (i - pixel_parts) \
                + (0.06 - pixel_toll) * (j - filter_parts)
            if idle < best:
                best = idle
                b.pixel_parts = i
                b.filter_parts = j
            i += pixel_step
        j += filter_step


cdef inline bint small_weights(const problem_t *p) noexcept nogil:
    """Whether a group's weights stay in L2 beside all else, so that it is the image whose arrival counts."""
    return p.ocg * p.k * <int64_t>p.itemsize <= cache_bytes(2) // 8


cdef inline bint _whole_planes(const problem_t *p) noexcept nogil:
    """Whether patches are pieces of the planes of an NCHW image, as in a 1x1 kernel of stride 1 without padding."""
    return (p.layout == PYCONV_NCHW and p.kh == p.kw == p.sh == p.sw == 1 and p.oh == p.ih and p.ow == p.iw
            and p.ph0 == 0 and p.pw0 == 0 and p.xw == 1 and p.xh == p.iw)


cdef inline int64_t _units_together(const problem_t *p, const blocks_t *b, int64_t most) noexcept nogil:
    """
    Units of patches that each panel of weights meets in turn: a sixteenth of L2 where weights stay there, too, so that an
    output plane is written to for longer; all of a task where they don't stay there.
    """
    cdef int64_t weights = p.ocg * p.k * <int64_t>p.itemsize
    if b.planes and weights <= cache_bytes(2) // 4:
        return max(1, min(most, cache_bytes(2) // 16 // (b.kc * b.nr * <int64_t>p.itemsize)))
    return 1 if small_weights(p) else most


cdef inline blocks_t cut_blocks(const problem_t *p, bint in_place, int threads) noexcept nogil:
    """
    kc steps of the broadcast side fill three quarters of L1: both sides may stream from L2, and fewer blocks of K read
    and write the outputs less often. The vector side of a task stays in a quarter of L2, at most 512 KB; where the
    weights are small, a few units at a time.
    """
    cdef blocks_t b
    cdef int64_t l2 = min(cache_bytes(2) // 4, 524288) // <int64_t>p.itemsize
    cdef int64_t pixel_units, filter_units, k_blocks, widest
    b.in_place = in_place
    b.weights_broadcast = not in_place and weights_broadcast(p)
    b.planes = b.weights_broadcast and _whole_planes(p)
    b.mr = tile_rows(p)
    b.nr = tile_columns(p)
    b.images = p.n
    b.pixels = p.oh * p.ow
    if in_place:
        b.images = 1
        b.pixels *= p.n
    k_blocks = ceil_div(p.k, max(SHORTEST, cache_bytes(1) // <int64_t>p.itemsize * 3 // 4 // b.mr))
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
        b.pixel_parts = <int64_t>min(<double>pixel_units, 1 + 2.0 * b.pixels * p.ocg * p.k / TASK_FLOPS)
    if threads > 1:
        _share(&b, pixel_units, filter_units, p.g, threads)
    b.run = 1
    if in_place:
        b.buffer = 0
    elif b.weights_broadcast:
        b.run = _units_together(p, &b, ceil_div(pixel_units, b.pixel_parts))
        b.buffer = <size_t>(b.run * b.nr * b.kc) * p.itemsize
    else:
        b.group = min(b.group, ceil_div(pixel_units, b.pixel_parts))
        b.buffer = <size_t>(b.group * b.mr * b.kc) * p.itemsize
    b.buffer = aligned(b.buffer)
    return b


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
    cdef double pieces, vectors, blocks, runs, run, clipped
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
    clipped = min(1.0, 1.5 * lanes / p.ow) if whole_rows and p.pw0 + p.pw1 > 0 else 0
    return blocks * runs * (40 + lanes * (7.0 * ceil_div(<int64_t>run, lanes) + run * clipped))


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
    cdef double packing = 0 if in_place or (weights and _whole_planes(p)) else _packing_cycles(p, nr if weights else mr)
    return tile_cost(rows, columns, mr, nr) * p.k / p.rates.fma + stores + packing


cdef inline double core_seconds(const problem_t *p, double cycles, int threads) noexcept nogil:
    """
    cycles per image and group, and the bytes that pass. Weights are asked for ahead of the product, at 1.25 times the rate
    of copying, so that a fifth of the shorter of the two shows.
    """
    cdef double images = stream_seconds(&p.rates, <double>p.itemsize * p.n * (p.xn + p.yn))
    cdef double weights = 0.8 * stream_seconds(&p.rates, <double>p.itemsize * p.oc * p.k)
    cdef double product = p.n * p.g * cycles / threads / p.rates.clock
    return images + max(product, weights) + 0.2 * min(product, weights)
