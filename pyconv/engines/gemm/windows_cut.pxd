# SPDX-License-Identifier: BSD-3-Clause
"""How a convolution whose windows are read where they stand is cut into slabs, and what it takes; see windows.pxd."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.rows cimport reach, span
from pyconv.core.kernels cimport ceil_div, common
from pyconv.core.machine cimport cache_bytes
from pyconv.engines.gemm.panels_cut cimport tile_columns, tile_rows
from pyconv.core.sizes cimport aligned, round_up, times

cdef enum:
    MOST_RUNS = 1024          # longest table of offsets; 31x31 taps fit
    BLOCK_K = 576              # reals of a window in one block: its weights for nr filters fill a good part of L1 and L2
    SLAB_BYTES = 393216       # of a slab, where L2 has 2 MB

ctypedef struct slabs_t:
    bint lowered              # the slab is part of MEC's matrix
    bint in_place             # or the image itself, or a copy
    int64_t mr, nr
    int64_t apart, stride     # of output rows: in the image, and of their lines in the slab
    int64_t rows, columns     # outputs of a slab, at most
    int64_t row_parts, column_parts, filter_parts   # row_parts: of one class
    int64_t pixel, pitch      # distance of neighbours and of lines in the slab
    int64_t step              # distance of the windows of neighbouring outputs
    int64_t width             # columns of the slab
    int64_t runs, run         # stretches of a window that are contiguous, and their length
    int64_t block_runs        # runs in a block of K, or
    int64_t chunk             # the part of a run, where one run is too long
    int64_t filters           # filters in a block: one unit, or several where their whole weights fit L1 together
    size_t buffer             # bytes per thread


cdef inline bint _needs_no_slab(const problem_t *p) noexcept nogil:
    return p.layout == PYCONV_NHWC and p.ph0 + p.ph1 + p.pw0 + p.pw1 == 0


cdef inline int64_t slab_lines(const problem_t *p, int64_t rows) noexcept nogil:
    """Of a slab under so many output rows of one class."""
    return span(rows, p.sh // common(p.sh, p.dh), p.kh, 1)


cdef inline int64_t _line_elements(const problem_t *p, bint lowered, int64_t columns) noexcept nogil:
    """Saturated: MEC's lines repeat pixels."""
    if lowered:
        return <int64_t>times(<size_t>columns, <size_t>(p.kw * p.icg))
    return <int64_t>times(<size_t>span(columns, p.sw, p.kw, p.dw), <size_t>p.icg)


cdef inline int64_t _slab_elements(const problem_t *p, bint lowered, int64_t rows, int64_t columns) noexcept nogil:
    return <int64_t>times(<size_t>slab_lines(p, rows), <size_t>_line_elements(p, lowered, columns))


cdef inline bint weights_stream(const problem_t *p) noexcept nogil:
    """Whether a group's weights come from beyond L2, each time that a slab needs them."""
    return p.ocg * p.k * <int64_t>p.itemsize > cache_bytes(2) // 3


cdef inline int64_t _slab_budget(const problem_t *p) noexcept nogil:
    """Elements: a fifth of L2, or two fifths where weights don't stay there."""
    return min(cache_bytes(2) // 5, SLAB_BYTES) // <int64_t>p.itemsize * (2 if weights_stream(p) else 1)


cdef inline double _rows_inside(const problem_t *p) noexcept nogil:
    """Kernel rows that lie in the image, on average over the output rows."""
    cdef int64_t first, last, i
    cdef double inside = 0
    for i in range(p.kh):
        reach(p.oh, p.ih, p.sh, i * p.dh - p.ph0, &first, &last)
        inside += last - first
    return inside / p.oh


cdef inline bint slabs_serve(const problem_t *p) noexcept nogil:
    """Whether one tile's slab is small, and its windows are few runs of some length."""
    cdef int64_t columns = min(p.ow, tile_rows(p))
    return (p.kh * p.kw <= MOST_RUNS and p.icg * (p.kw if p.dw == 1 else 1) >= 8
            and (_needs_no_slab(p) or _slab_elements(p, False, 1, columns) <= 2 * _slab_budget(p)))


cdef inline double windows_cycles(const problem_t *p) noexcept nogil:
    """
    Of the products, per image and group, on one thread. A tile of m pixels takes as long as m + 1 full rows per step, 130
    cycles to begin and store, and 10 for each run of its windows. Measured on a Sapphire-Rapids-class core.
    """
    cdef int64_t lanes = tile_columns(p) // 2
    cdef double tiles = ceil_div(p.ow, tile_rows(p))
    cdef double inside = _rows_inside(p)
    cdef double steps = p.oh * (p.ow + tiles) * ceil_div(p.ocg, lanes) * <double>p.kw * p.icg * inside / p.rates.fma
    cdef double starts = p.oh * tiles * ceil_div(p.ocg, 2 * lanes) * (130 + 10 * inside * (1 if p.dw == 1 else p.kw))
    return steps + starts


cdef inline double slabs_cycles(const problem_t *p) noexcept nogil:
    """
    With the slabs: half a cycle per real from NHWC; from NCHW 5 for each vector that is read and 2.5 for each that is
    written. Measured likewise.
    """
    cdef int64_t lanes = tile_columns(p) // 2
    cdef double pixels = <double>p.ih * p.iw
    if _needs_no_slab(p):
        return windows_cycles(p)
    if p.layout == PYCONV_NHWC:
        return windows_cycles(p) + 0.5 * pixels * p.icg
    return windows_cycles(p) + 2.5 * pixels * ceil_div(p.icg, lanes) + 5.0 * p.ih * ceil_div(p.iw, lanes) * p.icg


cdef inline void _share_slabs(slabs_t *b, const problem_t *p, int64_t threads) noexcept nogil:
    """
    Fewer filters per task where the weights outweigh the image, else lower slabs, until the threads have equal work:
    lower slabs read the weights once more, fewer filters fill the slabs once more.
    """
    cdef int64_t fixed = max(p.n, 1) * p.g * b.column_parts * b.apart
    cdef int64_t units = ceil_div(p.ocg, b.nr)
    cdef bint heavy = p.ocg * p.k > 2 * p.icg * p.ih * p.iw
    cdef int64_t most
    if fixed * b.row_parts % threads == 0 or fixed * b.row_parts >= 8 * threads:
        return
    if heavy and (units % threads == 0 or units >= 4 * threads):
        b.filter_parts = threads
        return
    # The next row_parts that gives all threads as much is a multiple of threads / gcd; else as many as the bounds allow.
    most = max(b.row_parts, min(ceil_div(8 * threads, fixed), ceil_div(p.oh, 2 * b.apart)))
    b.row_parts = min(most, round_up(b.row_parts, threads // common(threads, fixed)))
    if fixed * b.row_parts % threads and fixed * b.row_parts < 4 * threads and units > 1:
        b.filter_parts = min(units, threads)


cdef inline slabs_t cut_slabs(const problem_t *p, bint lowered, int threads) noexcept nogil:
    """Bands of the image, or of MEC's L[n][ow][ih][kw icg]."""
    cdef slabs_t b
    cdef int64_t budget = _slab_budget(p)
    cdef int64_t l1 = cache_bytes(1) // 2 // <int64_t>p.itemsize
    b.mr = tile_rows(p)
    b.nr = tile_columns(p)
    b.lowered = lowered
    b.in_place = lowered or _needs_no_slab(p)
    b.stride = p.sh // common(p.sh, p.dh)
    b.apart = min(p.dh // common(p.sh, p.dh), p.oh)
    b.columns = p.ow
    while b.columns > b.mr and _slab_elements(p, lowered, 1, b.columns) > budget:
        b.columns = ceil_div(ceil_div(b.columns, 2), b.mr) * b.mr
    b.column_parts = ceil_div(p.ow, b.columns)
    # slab_lines(rows) lines fit, solved for rows.
    b.rows = max(1, min(ceil_div(p.oh, b.apart),
                        (budget // _line_elements(p, lowered, b.columns) - p.kh) // b.stride + 1))
    b.row_parts = ceil_div(ceil_div(p.oh, b.apart), b.rows)
    b.filter_parts = 1
    if threads > 1:
        _share_slabs(&b, p, threads)
    b.rows = ceil_div(ceil_div(p.oh, b.apart), b.row_parts)
    b.width = span(b.columns, p.sw, p.kw, p.dw)
    b.pixel = p.xw if b.in_place else p.icg
    b.pitch = p.dh * p.xh if b.in_place else b.width * p.icg
    b.step = p.sw * b.pixel
    b.runs, b.run = p.kh * p.kw, p.icg
    if lowered:
        b.pitch = p.kw * p.icg
        b.step = <int64_t>times(<size_t>p.ih, <size_t>b.pitch)
    if lowered or (p.dw == 1 and b.pixel == p.icg):
        b.runs, b.run = p.kh, p.kw * p.icg
    b.chunk = ceil_div(b.run, ceil_div(b.run, BLOCK_K))
    b.block_runs = ceil_div(b.runs, ceil_div(b.runs * b.run, BLOCK_K)) if b.chunk == b.run else 1
    b.filters = max(1, l1 // (p.k * b.nr)) * b.nr
    b.buffer = 0
    if not b.in_place:
        b.buffer = aligned(times(<size_t>_slab_elements(p, False, b.rows, b.columns), p.itemsize))
    return b
