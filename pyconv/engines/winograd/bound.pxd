# SPDX-License-Identifier: BSD-3-Clause
"""
The bound of the error of F(m, r), see `core.accuracy` (after Barabasz, Anderson, Soodhalter, Gregg 2020).

An output sums a products P_p = (B_p . d) (G_p . g) of tile d and filter g, a of A^T. Every term of it passes through one
rounding after another, n of them; |B_p| . |d| <= |B_p|_2 |d|_2 and likewise of G make the error at most

  n eps growth |d|_2 |g|_2,   growth = max over outputs i of sum over points p of |A_pi| |B_p|_2 |G_p|_2

along one axis, the product of the two along both; sums over channels of |d_c|_2 |g_c|_2 stay below |d|_2 |g|_2 of all.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.kernels cimport ceil_div
from pyconv.engines.winograd.blocks_cut cimport DEEPEST, winograd_t
from pyconv.engines.winograd.view cimport view_t


cdef inline double growth(int size, int m) noexcept nogil:
    """Of a tile of `size` points and m outputs, from its matrices (tests/test_bounds.py), rounded up; 1 for one point."""
    if size == 3:
        return 2.83
    if size == 4:
        return 3.87 if m == 2 else 3.42
    if size == 6:
        return 9.35 if m == 4 else 10.17 if m == 3 else 8.63 if m == 5 else 11.33
    if size == 8:
        return 24.61 if m == 6 else 32.86
    return 1


cdef inline int passes(int size) noexcept nogil:
    """Roundings of one transform in and one out, with each multiply-add rounded twice."""
    return 0 if size == 1 else 2 if size == 3 else 3 if size == 4 else 8 if size == 6 else 10


cdef inline int weight_roundings(const problem_t *p, int size, int r) noexcept nogil:
    """float32 is rounded once, from doubles; in double an axis takes one for G, one for each product and r - 1 sums."""
    return 0 if p.dtype != PYCONV_F64 or size == 1 else r + 1


cdef inline double winograd_bound(const problem_t *p, const cut_t *cut) noexcept nogil:
    """Transforms, weights, the sums over channels in blocks and, of phases, row by row; bias and residual."""
    cdef const view_t *f = &(<const winograd_t *>cut).view
    cdef int64_t chain = min(f.depth, DEEPEST) + ceil_div(f.depth, DEEPEST) + p.sh
    cdef int transforms = (passes(f.tile.h) + passes(f.tile.w) + 1 + weight_roundings(p, f.tile.h, p.r)
                           + weight_roundings(p, f.tile.w, p.r))
    return growth(f.tile.h, f.tile.mh) * growth(f.tile.w, f.tile.mw) * (transforms + chain + 2)
