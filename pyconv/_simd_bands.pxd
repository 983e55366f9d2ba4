# SPDX-License-Identifier: BSD-3-Clause
"""
The direct form of implicit_gemm: windows are read from a channels-last band of the image, and no patch is copied.

y[pixels][oc] = sum over taps of band[pixel + tap][icg] w[tap][icg][oc]

A band holds the input rows and columns under a block of outputs, with its zero border: every element of the image is
copied once or twice (turned, from NCHW) instead of kh*kw times. An NHWC image without padding is its own band. Pixels
of one output row stand at equal distances, so a tile takes up to mr of them; filters run along the vectors.

Output rows `apart` = dh / gcd(sh, dh) rows apart read image rows that are multiples of dh apart, and share most of them:
a band takes rows of one such class, and image row h0 + i*dh is its line i. Kernel rows that lie above or below the image
are left out of the sums.
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange, threadid

from pyconv._types cimport *
from pyconv._channels_last cimport copy_rectangle
from pyconv._simd cimport (
    ACCUMULATE, TRANSPOSED, ahead_part, ahead_t, cache_bytes, ceil_div, split_start,
)
from pyconv._simd_gemm cimport last_flags, multiply, tile_columns, tile_rows
from pyconv._sizes cimport reach
from pyconv._tail cimport poll

cdef enum:
    BAND_RUNS = 1024          # longest table of offsets; 31x31 taps fit
    BAND_K = 576              # reals of a window in one block: its weights for nr filters fill a good part of L1 and L2
    BAND_BYTES = 393216       # of a band, where L2 has 2 MB

ctypedef struct bands_t:
    bint in_place             # the image itself is the band
    int64_t mr, nr
    int64_t apart, stride     # of output rows: in the image, and of their lines in the band
    int64_t rows, columns     # outputs of a band, at most
    int64_t row_parts, column_parts, filter_parts   # row_parts: of one class
    int64_t pixel, pitch      # distance of neighbours and of lines in the band
    int64_t width             # columns of the band
    int64_t runs, run         # stretches of a window that are contiguous, and their length
    int64_t block_runs        # runs in a block of K, or
    int64_t chunk             # the part of a run, where one run is too long
    int64_t filters           # filters in a block: one unit, or several where their whole weights fit L1 together
    size_t buffer             # bytes per thread


cdef inline int64_t _span(int64_t outputs, int64_t stride, int64_t kernel, int64_t dilation) noexcept nogil:
    """Inputs under so many outputs."""
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1


cdef inline bint _needs_no_band(const problem_t *p) noexcept nogil:
    return p.layout == PYCONV_NHWC and p.ph0 + p.ph1 + p.pw0 + p.pw1 == 0


cdef inline int64_t _common(int64_t a, int64_t b) noexcept nogil:
    """The greatest common divisor."""
    while b:
        a, b = b, a % b
    return a


cdef inline int64_t _lines(const problem_t *p, int64_t rows) noexcept nogil:
    """Of a band under so many output rows of one class."""
    return _span(rows, p.sh // _common(p.sh, p.dh), p.kh, 1)


cdef inline int64_t _band_elements(const problem_t *p, int64_t rows, int64_t columns) noexcept nogil:
    return _lines(p, rows) * _span(columns, p.sw, p.kw, p.dw) * p.icg


cdef inline bint _weights_stream(const problem_t *p) noexcept nogil:
    """Whether a group's weights come from beyond L2, each time that a band needs them."""
    return p.ocg * p.k * <int64_t>p.itemsize > cache_bytes(2) // 3


cdef inline int64_t _band_budget(const problem_t *p) noexcept nogil:
    """Elements: a fifth of L2, or two fifths where weights don't stay there."""
    return min(cache_bytes(2) // 5, BAND_BYTES) // <int64_t>p.itemsize * (2 if _weights_stream(p) else 1)


cdef inline double _rows_inside(const problem_t *p) noexcept nogil:
    """Kernel rows that lie in the image, on average over the output rows."""
    cdef int64_t first, last, i
    cdef double inside = 0
    for i in range(p.kh):
        reach(p.oh, p.ih, p.sh, i * p.dh - p.ph0, &first, &last)
        inside += last - first
    return inside / p.oh


cdef inline bint bands_serve(const problem_t *p) noexcept nogil:
    """Whether one tile's band is small, and its windows are few runs of some length."""
    cdef int64_t columns = min(p.ow, tile_rows(p))
    return (p.kh * p.kw <= BAND_RUNS and p.icg * (p.kw if p.dw == 1 else 1) >= 8
            and (_needs_no_band(p) or _band_elements(p, 1, columns) <= 2 * _band_budget(p)))


cdef inline double bands_cycles(const problem_t *p) noexcept nogil:
    """
    Per image and group, on one thread. A tile of m pixels takes as long as m + 1 full rows per step, and 6 cycles more
    for each run and unit of filters; the band costs a sixth of a cycle per element from NHWC, three fifths from NCHW.
    Measured on a Sapphire-Rapids-class core.
    """
    cdef int64_t lanes = tile_columns(p) // 2
    cdef double tiles = ceil_div(p.ow, tile_rows(p))
    cdef double inside = _rows_inside(p)
    cdef double steps = p.oh * (p.ow + tiles) * ceil_div(p.ocg, lanes) * <double>p.kw * p.icg * inside / p.rates.fma
    cdef double starts = p.oh * tiles * ceil_div(p.ocg, 2 * lanes) * inside * (1 if p.dw == 1 else p.kw) * 6.0
    cdef double copied = 0 if _needs_no_band(p) else 1.5 * p.ih * p.iw * p.icg * (0.6 if p.layout == PYCONV_NCHW else 0.17)
    cdef double turned = 1.04 if p.layout == PYCONV_NCHW else 1
    return steps * turned + starts + copied


cdef inline void _share_bands(bands_t *b, const problem_t *p, int threads) noexcept nogil:
    """
    Fewer filters per task where the weights outweigh the image, else lower bands, until the threads have equal work:
    lower bands read the weights once more, fewer filters fill the bands once more.
    """
    cdef int64_t fixed = max(p.n, 1) * p.g * b.column_parts * b.apart
    cdef int64_t units = ceil_div(p.ocg, b.nr)
    cdef bint heavy = p.ocg * p.k > 2 * p.icg * p.ih * p.iw
    if fixed * b.row_parts % threads == 0 or fixed * b.row_parts >= 8 * threads:
        return
    if heavy and (units % threads == 0 or units >= 4 * threads):
        b.filter_parts = threads
        return
    while fixed * b.row_parts % threads and fixed * b.row_parts < 8 * threads and 2 * b.row_parts * b.apart < p.oh:
        b.row_parts += 1
    if fixed * b.row_parts % threads and fixed * b.row_parts < 4 * threads and units > 1:
        b.filter_parts = min(units, threads)


cdef inline bands_t cut_bands(const problem_t *p, int threads) noexcept nogil:
    cdef bands_t b
    cdef int64_t budget = _band_budget(p)
    cdef int64_t l1 = cache_bytes(1) // 2 // <int64_t>p.itemsize
    b.mr = tile_rows(p)
    b.nr = tile_columns(p)
    b.in_place = _needs_no_band(p)
    b.stride = p.sh // _common(p.sh, p.dh)
    b.apart = min(p.dh // _common(p.sh, p.dh), p.oh)
    b.columns = p.ow
    while b.columns > b.mr and _band_elements(p, 1, b.columns) > budget:
        b.columns = ceil_div(ceil_div(b.columns, 2), b.mr) * b.mr
    b.column_parts = ceil_div(p.ow, b.columns)
    b.rows = 1
    while b.rows < ceil_div(p.oh, b.apart) and _band_elements(p, b.rows + 1, b.columns) <= budget:
        b.rows += 1
    b.row_parts = ceil_div(ceil_div(p.oh, b.apart), b.rows)
    b.filter_parts = 1
    if threads > 1:
        _share_bands(&b, p, threads)
    b.rows = ceil_div(ceil_div(p.oh, b.apart), b.row_parts)
    b.width = _span(b.columns, p.sw, p.kw, p.dw)
    b.pixel = p.xw if b.in_place else p.icg
    b.pitch = p.dh * p.xh if b.in_place else b.width * p.icg
    b.runs, b.run = p.kh * p.kw, p.icg
    if p.dw == 1 and b.pixel == p.icg:
        b.runs, b.run = p.kh, p.kw * p.icg
    b.chunk = ceil_div(b.run, ceil_div(b.run, BAND_K))
    b.block_runs = ceil_div(b.runs, ceil_div(b.runs * b.run, BAND_K)) if b.chunk == b.run else 1
    b.filters = max(1, l1 // (p.k * b.nr)) * b.nr
    b.buffer = 0
    if not b.in_place:
        b.buffer = (<size_t>_band_elements(p, b.rows, b.columns) * p.itemsize + 63) & ~<size_t>63
    return b


cdef inline void _fill_band(const problem_t *p, const bands_t *b, const real *x, int64_t row, int64_t column,
                            int64_t rows, int64_t columns, real *band) noexcept nogil:
    """The inputs under `rows` output rows of a class, the first being `row`, and columns column .. + columns."""
    cdef int64_t h0 = row * p.sh - p.ph0
    cdef int64_t w0 = column * p.sw - p.pw0
    cdef int64_t width = _span(columns, p.sw, p.kw, p.dw)
    cdef int64_t lines = _lines(p, rows)
    cdef int64_t i
    if p.dh == 1:
        copy_rectangle(p, x, p.icg, h0, lines, w0, width, band, b.pitch, b.pixel)
    else:
        for i in range(lines):
            copy_rectangle(p, x, p.icg, h0 + i * p.dh, 1, w0, width, band + i * b.pitch, b.pitch, b.pixel)


# The input rows of the band below, to be asked for while this one is computed: a stretch of each plane.
ctypedef struct below_t:
    const char *rows          # of the first plane
    int64_t planes, step      # channels in NCHW, else 1; bytes from one to the next
    int64_t bytes             # of one plane; 0 for none


cdef inline below_t _rows_below(const problem_t *p, const real *x, int64_t row, int64_t rows) noexcept nogil:
    """What the band below adds to that of output rows row .. + rows."""
    cdef below_t below
    cdef int64_t first = row * p.sh - p.ph0 + _span(rows, p.sh, p.kh, p.dh)
    cdef int64_t last = min(first + rows * p.sh, p.ih)
    below.rows = <const char *>(x + first * p.xh)
    below.planes = p.icg if p.layout == PYCONV_NCHW else 1
    below.step = p.xc * <int64_t>sizeof(real)
    below.bytes = 0
    if p.dh == 1 and 0 <= first < last:
        below.bytes = (last - first) * p.xh * <int64_t>sizeof(real)
    return below


cdef inline ahead_t _ask(const below_t *below, int64_t part, int64_t parts) noexcept nogil:
    """Part of the stretches as if they followed each other, as far as one of them goes."""
    cdef ahead_t ahead
    cdef int64_t start = split_start(below.planes * below.bytes, parts, part)
    cdef int64_t plane = start // below.bytes
    ahead.at = below.rows + plane * below.step + start % below.bytes
    ahead.bytes = min(split_start(below.planes * below.bytes, parts, part + 1), (plane + 1) * below.bytes) - start
    return ahead


cdef inline void _block(const task_t *t, const bands_t *b, const ptrdiff_t *offsets, const real *band, int64_t at,
                        int64_t row, int64_t rows, int64_t columns, int64_t first_run, int64_t runs, int64_t c0, int64_t k,
                        const real *weight, int64_t g, int64_t first_filter, int64_t filters, int flags,
                        const below_t *below, int64_t block, int64_t blocks) noexcept nogil:
    """
    One block of K (runs first_run .. + runs, reals c0 .. + k of each) and of filters for all pixels of a band.

    `at` is the place of the band's first pixel and the group's first filter in y.
    """
    cdef const problem_t *p = t.p
    cdef bint turned = p.layout == PYCONV_NCHW
    cdef int64_t ldc = p.yc if turned else p.yw
    cdef int64_t tiles = ceil_div(columns, b.mr)
    cdef int64_t used = runs * k * b.filters      # the weights of the next block follow these
    cdef int64_t calls = rows * tiles
    cdef ahead_t ahead
    cdef int64_t row_runs = b.runs // p.kh
    cdef int64_t r, tile, column, m, where, first, last
    cdef const real *bias = <const real *>t.bias + g * p.ocg + first_filter if t.bias != NULL else NULL
    for r in range(rows):
        reach(p.kh, p.ih, p.dh, (row + r * b.apart) * p.sh - p.ph0, &first, &last)
        first = min(max(first * row_runs, first_run), first_run + runs)
        last = max(min(last * row_runs, first_run + runs), first)
        for tile in range(tiles):
            if below.bytes > 0:
                ahead = _ask(below, block * calls + r * tiles + tile, blocks * calls)
            else:
                ahead = ahead_part(weight + used, used * <int64_t>p.itemsize, r * tiles + tile, calls)
            column = split_start(columns, tiles, tile)
            m = split_start(columns, tiles, tile + 1) - column
            where = at + r * b.apart * p.yh + column * p.yw + first_filter * p.yc
            multiply(p, m, filters, last - first, k, band + r * b.stride * b.pitch + column * p.sw * b.pixel + c0,
                     p.sw * b.pixel, offsets + first, weight + (first - first_run) * b.run * b.nr, p.k * b.nr,
                     <real *>t.y + where, ldc, ahead, flags, bias,
                     <const real *>t.residual + where if t.residual != NULL else NULL)


cdef inline void _band_task(const task_t *t, const bands_t *b, const ptrdiff_t *offsets, int64_t task,
                            real *buffer) noexcept nogil:
    """Task number -> image, group, part of the filters, class of rows, part of it, part of the columns, changing fastest."""
    cdef const problem_t *p = t.p
    cdef int64_t column_part = task % b.column_parts
    cdef int64_t bands = b.column_parts * b.row_parts * b.apart
    cdef int64_t row_part = task // b.column_parts % b.row_parts
    cdef int64_t row_class = task // (b.column_parts * b.row_parts) % b.apart
    cdef int64_t filter_part = task // bands % b.filter_parts
    cdef int64_t g = task // (bands * b.filter_parts) % p.g
    cdef int64_t image = task // (bands * b.filter_parts * p.g)
    cdef int64_t column = column_part * b.columns
    cdef int64_t columns = min(b.columns, p.ow - column)
    cdef int64_t class_rows = ceil_div(p.oh - row_class, b.apart)
    cdef int64_t start = split_start(class_rows, b.row_parts, row_part)
    cdef int64_t rows = split_start(class_rows, b.row_parts, row_part + 1) - start
    cdef int64_t row = row_class + start * b.apart
    cdef int64_t units = ceil_div(p.ocg, b.nr)
    cdef int64_t filter = split_start(units, b.filter_parts, filter_part) * b.nr
    cdef int64_t end = min(split_start(units, b.filter_parts, filter_part + 1) * b.nr, p.ocg)
    cdef int64_t at = image * p.yn + g * p.ocg * p.yc + row * p.yh + column * p.yw
    cdef const real *x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
    cdef const real *weight = <const real *>t.weight + g * units * b.nr * p.k
    cdef const real *band = x + row * p.sh * p.xh + column * p.sw * p.xw
    cdef int64_t first_run, runs, c0, k, filters
    cdef int flags
    cdef int tail = last_flags(t, False)
    cdef below_t below = _rows_below(p, x, row, rows)
    cdef int64_t block = 0
    cdef int64_t blocks = ceil_div(end - filter, b.filters) * ceil_div(b.runs, b.block_runs) * ceil_div(b.run, b.chunk)
    if _weights_stream(p):
        below.bytes = 0       # weights come first
    if rows == 0:
        return
    if not b.in_place:
        _fill_band(p, b, x, row, column, rows, columns, buffer)
        band = buffer
    while filter < end:
        filters = min(b.filters, end - filter)
        first_run = 0
        while first_run < b.runs:
            runs = min(b.block_runs, b.runs - first_run)
            c0 = 0
            while c0 < b.run:
                k = min(b.chunk, b.run - c0)
                flags = TRANSPOSED if p.layout == PYCONV_NCHW else 0
                if first_run > 0 or c0 > 0:
                    flags |= ACCUMULATE
                if first_run + runs == b.runs and c0 + k == b.run:
                    flags |= tail
                _block(t, b, offsets, band, at, row, rows, columns, first_run, runs, c0, k,
                       weight + filter * p.k + (first_run * b.run + c0) * b.nr, g, filter, filters, flags, &below,
                       block, blocks)
                block += 1
                c0 += k
            first_run += runs
        filter += filters


cdef inline int run_bands(task_t *t, const bands_t *b, const real *tag) noexcept nogil:
    """All tasks; tag is NULL and names the type."""
    cdef const problem_t *p = t.p
    cdef ptrdiff_t offsets[BAND_RUNS]
    cdef int64_t tasks = p.n * p.g * b.filter_parts * b.apart * b.row_parts * b.column_parts
    cdef double flops = 2.0 * p.n * p.yn * p.k / tasks
    cdef int64_t chunk = max(<int64_t>(5e8 / flops), 1) * t.threads
    cdef int64_t first = 0
    cdef int64_t last, i
    promised(b.runs <= BAND_RUNS)
    for i in range(b.runs):
        if b.runs == p.kh:
            offsets[i] = i * b.pitch
        else:
            offsets[i] = i // p.kw * b.pitch + i % p.kw * p.dw * b.pixel
    while first < tasks:
        last = min(first + chunk, tasks)
        if t.threads == 1:
            for i in range(first, last):
                _band_task[real](t, b, offsets, i, <real *>t.workspace)
        else:
            for i in prange(first, last, num_threads=t.threads, schedule="static"):
                _band_task[real](t, b, offsets, i, <real *>(t.workspace + threadid() * b.buffer))
        if poll(t, flops * (last - first)):
            return PYCONV_STATUS_INTERRUPTED
        first = last
    return PYCONV_STATUS_OK
