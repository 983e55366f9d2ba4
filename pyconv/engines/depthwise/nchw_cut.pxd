# SPDX-License-Identifier: BSD-3-Clause
"""How depthwise in NCHW is cut into pieces of planes, and the cycles that it takes; see nchw.pxd."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.kernels cimport ceil_div
from pyconv.core.machine cimport cache_bytes
from pyconv.engines.depthwise.planes cimport bands_bytes, cut_plane, pieces_t


cdef inline bint own_band(const problem_t *p) noexcept nogil:
    """Whether planes are laid out as their bands would be, which then aren't filled."""
    return p.slack and p.sw == 1 and p.ph0 + p.ph1 + p.pw0 + p.pw1 == 0


cdef inline pieces_t cut_planes(const problem_t *p) noexcept nogil:
    """Bands of small planes are filled and read several in one call, as far as they fit half of L1."""
    cdef pieces_t s = cut_plane(p, 1)
    s.together = max(1, min(8, cache_bytes(1) // 2 // <int64_t>s.bytes))
    s.bytes = bands_bytes(p, &s)
    return s


cdef inline double planes_cycles(const problem_t *p, const pieces_t *s) noexcept nogil:
    """
    Per image and channel: 4 cycles for each vector of a band, 3 for each of outputs, and the multiply-adds, with idle
    lanes. Kernels that aren't 1, 3, 5 or 7 high have too few sums under way where rows are short, and 30 cycles more for
    each tile of 4 vectors and 4 rows, or of one row where they are lower than that; in a row of more than 16 taps every
    load serves a single sum, and a multiply-add takes four times as long. Measured on a Sapphire-Rapids-class core.
    """
    cdef int64_t lanes = p.ops.lanes
    cdef double fma = p.rates.fma
    cdef int64_t width = ceil_div(s.cols, lanes)
    cdef double rows = <double>s.down * s.across * s.rows
    cdef double band = 0 if own_band(p) else <double>s.down * s.across * s.plane / lanes
    cdef bint known = p.kh == 1 or p.kh == 3 or p.kh == 5 or p.kh == 7
    cdef double waits = (3 if p.kh == 1 and p.kw > 16 else 0) if known else 2.0 / min(width, 4)
    cdef double tiles = 0 if known else rows / (4 if p.kh >= 4 * p.sh else 1) * ceil_div(width, 4)
    return 4 * band + p.ocg * (rows * width * (p.k * (1 + waits) / fma + 3) + 30 * tiles)
