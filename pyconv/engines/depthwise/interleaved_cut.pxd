# SPDX-License-Identifier: BSD-3-Clause
"""How depthwise in NHWC is cut where the channels of a row are one run of reals, and its cycles; see interleaved.pxd."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.kernels cimport BAND_SLACK, band_rows, ceil_div, common
from pyconv.core.machine cimport cache_bytes
from pyconv.core.rows cimport reach
from pyconv.core.sizes cimport aligned, plus, round_up, times
from pyconv.engines.depthwise.planes cimport WIDEST

cdef enum:
    TILE = 8                  # rows of the highest tile of outputs
    TASK = 131072             # outputs of a task: enough that the edges of its rows cost little

# Strips of rows. Columns are reals, and runs of them begin with a whole vector.
ctypedef struct strips_t:
    int64_t phases            # kinds of vectors, see include/pyconv/ops/depthwise_interleaved.tmpl.h
    int64_t top, bottom       # rows: a strip above `top` and one from `bottom` on, if there are such, and between them
    int64_t inner             # so many strips
    int64_t left, right       # columns: of the inner strips those between read the image where it stands
    int64_t run               # columns of one pass over these
    int64_t wide              # and of a band
    size_t bytes              # of the largest band


cdef inline bint splits_rows(const problem_t *p) noexcept nogil:
    """Whether the rows of a band are parted by the phase of the stride as those of a plane, vector by vector, if at all."""
    return p.sw == 1 or (p.ic == 1 and (p.sw == 2 or p.sw == 4))


cdef inline int64_t interleaved_pitch(const problem_t *p, int64_t cols) noexcept nogil:
    """Of the band under so many columns of outputs."""
    return round_up(cols + (p.kw - 1) * p.dw // p.sw * p.ic, 16)


cdef inline size_t _band_bytes(const problem_t *p, const strips_t *s, int64_t rows, int64_t cols) noexcept nogil:
    """Under outputs, saturated."""
    cdef size_t reals
    if rows == 0 or cols == 0:
        return 0
    reals = times(<size_t>(band_rows(rows, p.kh, p.sh, p.dh) * p.sw), <size_t>interleaved_pitch(p, min(cols, s.wide)))
    return aligned(times(plus(reals, BAND_SLACK), p.itemsize))


cdef inline bint _stands(const problem_t *p, strips_t *s) noexcept nogil:
    """Which outputs can be computed from the image where it stands, and whether they are most."""
    cdef int64_t lanes = p.ops.lanes
    cdef int64_t first, last, ignored
    reach(p.oh, p.ih, p.sh, -p.ph0, &first, &ignored)
    reach(p.oh, p.ih, p.sh, (p.kh - 1) * p.dh - p.ph0, &ignored, &last)
    s.top = min(round_up(first, TILE), p.oh)
    s.bottom = max(p.oh - round_up(p.oh - last, TILE), 0)
    reach(p.ow, p.iw, 1, -p.pw0, &first, &ignored)
    reach(p.ow, p.iw, 1, (p.kw - 1) * p.dw - p.pw0, &ignored, &last)
    s.left = round_up(first * p.ic, lanes)
    s.right = last * p.ic // lanes * lanes
    return p.sw == 1 and s.bottom - s.top >= TILE and s.right - s.left >= p.ow * p.ic // 2


cdef inline strips_t cut_strips(const problem_t *p, int threads) noexcept nogil:
    """
    Rows and columns near the border go through bands, all where most are near it. Bands are up to 512 columns wide, beginning
    with whole pixels if they are split by the phase of the stride, and, where all goes through them, fill half of L1 or are
    as high as twice the reach of the kernel.
    """
    cdef strips_t s
    cdef int64_t cols = p.ow * p.ic
    cdef int64_t size = <int64_t>p.itemsize
    cdef int64_t deep = (p.kh - 1) * p.dh
    cdef int64_t least = ceil_div(2 * threads, max(p.n, 1)) if threads > 1 else 1       # strips
    cdef int64_t fits, rows
    cdef bint stands = _stands(p, &s)
    s.phases = p.ic // common(p.ic, p.ops.lanes)
    s.wide = WIDEST if p.sw == 1 else WIDEST // (s.phases * p.ops.lanes) * s.phases * p.ops.lanes
    if stands:
        s.inner = (s.bottom - s.top) * cols // TASK
        s.run = max(WIDEST, cache_bytes(2) // 2 // ((TILE * p.sh + deep) * size) // WIDEST * WIDEST)
    else:
        s.top, s.bottom, s.left, s.right, s.run = 0, p.oh, 0, 0, WIDEST
        fits = (cache_bytes(1) // 2 // (interleaved_pitch(p, min(cols, s.wide)) * p.sw * size) - deep) // p.sh
        s.inner = ceil_div(p.oh, max(max(fits, deep // p.sh), TILE))
    rows = ceil_div(s.bottom - s.top, TILE)
    s.inner = max(1, min(max(s.inner, least), rows))
    rows = min(s.bottom - s.top, ceil_div(rows, s.inner) * TILE)
    s.bytes = max(max(_band_bytes(p, &s, s.top, cols), _band_bytes(p, &s, p.oh - s.bottom, cols)),
                  max(_band_bytes(p, &s, rows, s.left), _band_bytes(p, &s, rows, cols - s.right)))
    return s


cdef inline int64_t strips_of(const problem_t *p, const strips_t *s) noexcept nogil:
    """Of an image."""
    return (s.top > 0) + s.inner + (s.bottom < p.oh)


cdef inline double interleaved_cycles(const problem_t *p, const strips_t *s) noexcept nogil:
    """
    Per image: 4 cycles for each vector of a band, 2 for each pixel of one that is parted by the phase of the stride, 5 for
    each vector of outputs, 300 for a strip, and the multiply-adds, with idle lanes. Tiles of one row and one row of more than
    16 taps share no loads, other waits and tiles are those of planes_cycles() in nchw_cut.pxd; weights come from L2, a third
    of a cycle for a vector of outputs, if half of L1 doesn't hold them. Measured on a Sapphire-Rapids-class core.
    """
    cdef int64_t lanes = p.ops.lanes
    cdef double fma = p.rates.fma
    cdef int64_t classes = p.sh // common(p.sh, p.dh)
    cdef int64_t width = ceil_div(p.ow * p.ic, lanes)
    cdef double vectors = <double>p.oh * width
    cdef double outside = vectors - <double>(s.bottom - s.top) * (s.right - s.left) / lanes
    cdef double band = outside * p.sh * p.sw * (4 if splits_rows(p) else 2.0 * lanes / p.ic)
    cdef bint known = p.kh == 1 or (classes <= (2 if p.ic == 1 else 1) and (p.kh == 3 or p.kh == 5 or p.kh == 7))
    cdef int64_t high = 4 if p.kh >= 4 * classes else 1
    cdef double tiles = 0 if known else <double>p.oh / high * ceil_div(width, 4)
    cdef bint far = not known and p.k * s.phases * lanes * <int64_t>p.itemsize > cache_bytes(1) // 2
    cdef double waits = 2.0 / min(ceil_div(width, s.phases), 4)
    if known:
        waits = 3 if p.kh == 1 and p.kw > 16 else 0
    elif high == 1:
        waits = 3.5
    return band + vectors * (p.k * ((1 + waits) / fma + far / 3.0) + 5) + 30 * tiles + 300 * strips_of(p, s)
