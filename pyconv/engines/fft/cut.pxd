# SPDX-License-Identifier: BSD-3-Clause
"""
How the fft algorithm cuts an image into tiles, and what a cut costs.

A tile of 2*fh rows of fw pixels is one complex transform of fh x fw points: row r is the real part of a row of points, row
r + fh its imaginary part. Where the kernel has a single row, a tile may be 2*fh*fw samples of one row of the image, fw to a
row of points (linear): the transforms down and across are then the two steps of one transform of fh*fw points.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.rates cimport stream_seconds
from pyconv.core.kernels cimport ceil_div, fft_radix
from pyconv.core.machine cimport cache_bytes
from pyconv.core.sizes cimport plus, times

cdef enum:
    SIZES = 46
    LARGEST = 8192            # points of a transform
    GAP = 16                  # elements between rows: no power of two from one to the next, which share cache sets
    FILTERS = 8               # whose products exist at once
    TOGETHER = 4              # tiles that share a load of the kernel's spectrum
    LONG = 100000000          # cycles of a tile that a caller can't wait for: some 30 ms
    STRIP = 64                # columns that are transformed together where a tile is large: whole cache lines of a row

ctypedef struct tiles_t:
    int64_t fh, fw            # points of the transforms down and across
    bint linear               # a tile is a piece of one row
    # The image as tiles see it: rows and columns change places where it has one column and tiles are linear. oh and ow are
    # the outputs at stride 1, of which every sh-th and sw-th is kept; rows that linear tiles don't need don't count.
    int64_t ih, iw, xh, xw, ph, pw, oh, ow, sh, sw, yh, yw, rh, rw
    int64_t down, across      # tiles of an image
    int64_t tiles
    int64_t together          # tiles in a job
    bint large                # a tile is transformed strip by strip,
    bint shared               # and by all threads at once, instead of each having tiles of its own
    double cycles             # of one group and image


cdef inline int64_t kernel_reach(int64_t k, int64_t dilation) noexcept nogil:
    return (k - 1) * dilation + 1


cdef inline int64_t _size(int i) noexcept nogil:
    """The i-th length of a transform: a multiple of any vector's lanes, with few passes."""
    cdef int[SIZES] sizes = [
        16, 32, 48, 64, 80, 96, 128, 144, 160, 192, 240, 256, 288, 320, 384, 400, 480, 512, 576, 640, 720, 768, 800, 960, 1024,
        1152, 1200, 1280, 1440, 1536, 1600, 1920, 2048, 2304, 2560, 3072, 3456, 3840, 4096, 4608, 5120, 5760, 6144, 6912, 7680,
        LARGEST]
    return sizes[i]


cdef inline double transform_cycles(int64_t n) noexcept nogil:
    """Of one point: those of each pass, more where L1 is too small for 16 lanes, more again where L2 is."""
    cdef double cycles = 0
    cdef double moving = 0 if n < 128 else 0.3 if n <= 1024 else 0.45
    cdef int64_t l = n
    cdef int radix
    while l > 1:
        radix = fft_radix(l)
        cycles += (0.5 if radix == 4 else 0.62 if radix == 8 else 0.6 if radix == 3 else 0.8) + moving
        l //= radix
    return cycles


cdef inline double transform_multiplications(int64_t n) noexcept nogil:
    """Real ones in the passes of fft.tmpl.h: 4 for a root that is not 1, 4 inside a butterfly of 3 or 8, 12 in one of 5."""
    cdef int64_t l = n
    cdef int64_t radix
    cdef double count = 0
    while l > 1:
        radix = fft_radix(l)
        count += (<double>n // radix * (0 if radix == 4 else 12 if radix == 5 else 4)
                  + <double>(n // radix - n // l) * (radix - 1) * 4)
        l //= radix
    return count


cdef inline tiles_t _seen(const problem_t *p, bint linear) noexcept nogil:
    """The image without a cut; rows of one column are turned for linear tiles."""
    cdef tiles_t t
    t.linear = linear
    t.fh = t.fw = LARGEST
    t.down = t.across = t.tiles = t.together = 1
    t.large = t.shared = False
    t.cycles = -1
    t.ih, t.iw, t.xh, t.xw = p.ih, p.iw, p.xh, p.xw
    t.ph, t.pw, t.sh, t.sw = p.ph0, p.pw0, p.sh, p.sw
    t.oh, t.ow, t.yh, t.yw = p.oh, p.ow, p.yh, p.yw
    t.rh, t.rw = kernel_reach(p.kh, p.dh), kernel_reach(p.kw, p.dw)
    if linear and p.kh > 1:
        t.ih, t.iw, t.xh, t.xw = t.iw, t.ih, t.xw, t.xh
        t.ph, t.pw, t.sh, t.sw = t.pw, t.ph, t.sw, t.sh
        t.oh, t.ow, t.yh, t.yw = t.ow, t.oh, t.yw, t.yh
        t.rh, t.rw = t.rw, t.rh
    if not linear:
        t.oh = (t.oh - 1) * t.sh + 1
    t.ow = (t.ow - 1) * t.sw + 1
    return t


cdef inline bint may_be_linear(const problem_t *p) noexcept nogil:
    """One row of taps; or one column of them on an image that is one."""
    return p.kh == 1 or (p.kw == 1 and p.ow == 1)


cdef inline int64_t _one_tile(int64_t outputs, int64_t reach, int64_t inputs, int64_t before) noexcept nogil:
    """
    The pixels of a tile that is the only one: what wraps around may fall on the zeros before the image.

    Outputs o < outputs see the pixels from o to o + reach - 1, the image begins at pixel `before`.
    """
    cdef int64_t seen = outputs + reach - 1
    return max(max(outputs, reach), max(min(seen, before + inputs), seen - before))


cdef inline int64_t _count(int64_t pixels, int64_t whole, int64_t outputs, int64_t reach) noexcept nogil:
    """Tiles of so many pixels, 0 where even the kernel doesn't fit; `whole` is the size of an only one."""
    return 1 if pixels >= whole else 0 if pixels < reach else ceil_div(outputs, pixels - reach + 1)


cdef inline double _cycles(const problem_t *p, double cache, int64_t points, double tiles,
                           double transform) noexcept nogil:
    """
    Of one group and image: transforms and moves, products, and the kernel's spectra where they leave the second level of cache,
    as the tiles do where one is large.

    Measured at 16 lanes, two multiply-adds a cycle, on a Sapphire-Rapids-class core.

    cache: bytes of that level.
    """
    cdef double slower = 16.0 / p.ops.lanes * 2 / p.rates.fma
    cdef double products = <double>p.icg * p.ocg
    cdef double bytes = 2 * points * products * p.itemsize
    cdef double passing = bytes / p.ocg + bytes / p.icg     # of the tiles of channels and filters
    cdef double streaming = 0 if bytes < cache / 2 else stream_seconds(&p.rates, bytes) * p.rates.clock
    if is_large(p, cache, points):
        streaming = streaming * TOGETHER + 2 * stream_seconds(&p.rates, passing) * p.rates.clock * TOGETHER
    return (tiles * points * ((<double>p.icg + p.ocg) * (transform + 1.9) + products / 4) * slower
            + (tiles + TOGETHER - 1) // TOGETHER * streaming)


cdef inline bint is_large(const problem_t *p, double cache, int64_t points) noexcept nogil:
    """Whether a tile, its spectra and those of the kernel leave no room in the second level of cache."""
    return 2.0 * points * p.itemsize > cache / 4


cdef inline tiles_t _cut_plane(const problem_t *p) noexcept nogil:
    """The sizes that cost least: larger tiles waste less on the kernel's reach, and more on the image's border."""
    cdef tiles_t t = _seen(p, False)
    cdef int64_t high = _one_tile(t.oh, t.rh, t.ih, t.ph)
    cdef int64_t wide = _one_tile(t.ow, t.rw, t.iw, t.pw)
    cdef double cache = cache_bytes(2)
    cdef int64_t fh, fw, down, across
    cdef double cycles, upright
    cdef int i, j
    cdef double[SIZES] lying
    for j in range(SIZES):
        lying[j] = -1
    for i in range(SIZES):
        fh = _size(i)
        down = _count(2 * fh, high, t.oh, t.rh)
        if down == 0:
            continue
        upright = transform_cycles(fh)
        for j in range(SIZES):
            fw = _size(j)
            across = _count(fw, wide, t.ow, t.rw)
            if across == 0:
                continue
            if lying[j] < 0:
                lying[j] = transform_cycles(fw)
            cycles = _cycles(p, cache, fh * fw, <double>down * across, upright + lying[j])
            if t.cycles < 0 or cycles < t.cycles:
                t.fh, t.fw, t.down, t.across, t.cycles = fh, fw, down, across, cycles
            if across == 1:
                break
        if down == 1:
            break
    return t


cdef inline tiles_t _cut_line(const problem_t *p) noexcept nogil:
    """The same for pieces of rows; the two steps of their transforms are of like lengths."""
    cdef tiles_t t = _seen(p, True)
    cdef int64_t wide = _one_tile(t.ow, t.rw, t.iw, t.pw)
    cdef double cache = cache_bytes(2)
    cdef int64_t fh, fw
    cdef int64_t across = 0
    cdef double cycles, upright
    cdef int i, j
    t.down = t.oh
    for i in range(SIZES):
        fh = _size(i)
        upright = transform_cycles(fh)
        for j in range(i, SIZES):
            fw = _size(j)
            if fw > 4 * fh and fh < 4096:
                break
            across = _count(2 * fh * fw, wide, t.ow, t.rw)
            if across == 0:
                continue
            cycles = _cycles(p, cache, fh * fw, <double>t.down * across, upright + transform_cycles(fw) + 0.3)
            if t.cycles < 0 or cycles < t.cycles:
                t.fh, t.fw, t.across, t.cycles = fh, fw, across, cycles
            if across == 1:
                break
        if across == 1 and j == i:
            break
    return t


cdef inline tiles_t shared_out(const problem_t *p, const tiles_t *sizes, int threads) noexcept nogil:
    """Tiles of these sizes, dealt to the threads."""
    cdef tiles_t t = sizes[0]
    t.together = 1 if p.icg * p.ocg < 16 else max(1, min(TOGETHER, p.n * p.g * t.tiles // threads))
    t.together = min(t.together, t.tiles)
    t.shared = <double>p.n * p.g * t.tiles * ceil_div(p.ocg, FILTERS) < threads and t.fh * t.fw >= 4096
    t.large = t.shared or is_large(p, cache_bytes(2), t.fh * t.fw)
    if t.large:
        t.together = 1
        t.shared = p.n * p.g * t.tiles < threads or t.cycles / t.tiles > LONG
    return t


cdef inline tiles_t cut_tiles(const problem_t *p, int threads) noexcept nogil:
    """The cheaper of planes and lines. Sizes don't depend on the threads."""
    cdef tiles_t t = _cut_plane(p)
    cdef tiles_t line
    if may_be_linear(p):
        line = _cut_line(p)
        if line.cycles >= 0 and (t.cycles < 0 or line.cycles < t.cycles):
            t = line
    t.tiles = t.down * t.across
    return shared_out(p, &t, threads)


cdef inline int64_t table_elements(const problem_t *p, const tiles_t *s) noexcept nogil:
    """Roots of unity of both transforms, and what points are turned by."""
    cdef int64_t turns = s.fh * (2 + p.ops.lanes + s.fw // p.ops.lanes) if s.linear else 2 * s.fh
    return 2 * (s.fh + s.fw + turns)


cdef inline int64_t passes_elements(const tiles_t *s) noexcept nogil:
    """What a transform needs."""
    return 6 * max(s.fh, s.fw) * GAP


cdef inline int64_t tile_elements(const tiles_t *s) noexcept nogil:
    """A complex tile."""
    return 2 * s.fh * (s.fw + GAP)


cdef inline size_t spectra_bytes(const problem_t *p, const tiles_t *s, int64_t count) noexcept nogil:
    return times(times(<size_t>(2 * s.fh * s.fw), <size_t>count), p.itemsize)


cdef inline size_t large_bytes(const problem_t *p, const tiles_t *s) noexcept nogil:
    """A large tile of each of icg channels and of at most FILTERS filters, which threads share or have one each of."""
    if not s.large:
        return 0
    return times(times(<size_t>tile_elements(s), <size_t>(p.icg + min(p.ocg, FILTERS))), p.itemsize)


cdef inline size_t thread_bytes(const problem_t *p, const tiles_t *s) noexcept nogil:
    """
    What a transform needs, and a tile with the spectra of its channels and filters; or, of a large one, a strip of columns or
    the spectra of as many rows as there are lanes.
    """
    cdef size_t passes = <size_t>passes_elements(s) * p.itemsize
    cdef size_t strip, rows
    if s.large:
        strip = <size_t>(2 * s.fh * (STRIP + GAP)) * p.itemsize
        rows = times(times(<size_t>(2 * s.fw * p.ops.lanes), <size_t>(p.icg + min(p.ocg, FILTERS))), p.itemsize)
        return plus(passes, max(strip, rows))
    return plus(plus(passes, <size_t>tile_elements(s) * p.itemsize),
                spectra_bytes(p, s, s.together * (p.icg + min(p.ocg, FILTERS))))


cdef inline size_t workspace_bytes(const problem_t *p, const tiles_t *s, int threads) noexcept nogil:
    """large_bytes, shared by all threads or of each, and thread_bytes of each."""
    return plus(times(large_bytes(p, s), 1 if s.shared else threads), times(thread_bytes(p, s), threads))
