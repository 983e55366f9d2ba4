# SPDX-License-Identifier: BSD-3-Clause
"""
How a convolution looks to F(m, r) tiles, which know stride 1 and dilation 1 alone.

Stride s       pixels of phase a, columns q s + a, are channels of their own: k taps become ceil(k / s) on s times the channels.
               Phases whose last tap lies beyond the kernel have nothing to multiply at the point ∞.
Dilation d     outputs of phase a see pixels of phase a alone: d interleaved images.
One row, 1xr   rows of tiles one output high, F(1 x m, 1 x r); one column likewise.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.kernels cimport ceil_div, wino_t

cdef enum:
    MOST_PHASES = 16          # of pixels, along an axis
    SHALLOW = 32              # channels: products of fewer aren't worth splitting to leave phases out

ctypedef struct view_t:
    wino_t tile
    int points                    # of a tile
    int64_t rh, rw                # taps per phase
    int64_t dh, dw                # interleaved images
    int64_t oh, ow                # outputs of the largest of them
    int64_t depth                 # channels per group, sh*sw*icg
    int64_t full_h, full_w        # phases that are multiplied at the point ∞


cdef inline bint _along(int64_t taps, int64_t stride) noexcept nogil:
    """Whether there is anything to transform along this axis."""
    return taps > 1 or stride > 1


cdef inline bint _fits(const problem_t *p) noexcept nogil:
    """One row or column takes F(4, 3), F(2, 5), F(2, 7); both axes all but F(2, 7), whose error would leave its class."""
    cdef int m = p.m
    cdef int r = p.r
    cdef int64_t rh = ceil_div(p.kh, p.sh)
    cdef int64_t rw = ceil_div(p.kw, p.sw)
    cdef bint strided = p.sh > 1 or p.sw > 1
    if max(p.sh, p.sw) > MOST_PHASES:
        return False
    if strided and ((p.dh > 1 and p.kh > 1) or (p.dw > 1 and p.kw > 1)):
        return False
    if _along(p.kh, p.sh) and _along(p.kw, p.sw):
        return r < 7 and rh == r and rw == r
    if strided or not (r > 4 or (m == 4 and r == 3)):
        return False
    return rh * rw == r


cdef inline const char *winograd_supports(const problem_t *p) noexcept nogil:
    if _fits(p):
        return NULL
    if p.r == 2:
        return "it serves 2x2 kernels, or kernel / stride rounded up to 2x2; stride or dilation, not both"
    if p.r == 3 and p.m == 4:
        return "it serves 3x3, 1x3 and 3x1 kernels, or kernel / stride rounded up to 3x3; stride or dilation, not both"
    if p.r == 3:
        return "it serves 3x3 kernels, or kernel / stride rounded up to 3x3; stride or dilation, not both"
    if p.r == 4:
        return "it serves 4x4 kernels, or kernel / stride rounded up to 4x4; stride or dilation, not both"
    if p.r == 5:
        return "it serves 5x5, 1x5 and 5x1 kernels, or kernel / stride rounded up to 5x5; stride or dilation, not both"
    return "it serves 1x7 and 7x1 kernels of stride 1"


cdef inline view_t winograd_view(const problem_t *p) noexcept nogil:
    """Of a problem that fits."""
    cdef view_t f
    cdef int m = p.m
    f.rh = ceil_div(p.kh, p.sh)
    f.rw = ceil_div(p.kw, p.sw)
    f.tile.kh, f.tile.kw, f.tile.sh, f.tile.sw = <int>p.kh, <int>p.kw, <int>p.sh, <int>p.sw
    f.tile.mh = m if _along(p.kh, p.sh) else 1
    f.tile.mw = m if _along(p.kw, p.sw) else 1
    f.tile.h = f.tile.mh + <int>f.rh - 1
    f.tile.w = f.tile.mw + <int>f.rw - 1
    f.points = f.tile.h * f.tile.w
    f.dh = p.dh if p.kh > 1 else 1
    f.dw = p.dw if p.kw > 1 else 1
    f.oh = ceil_div(p.oh, f.dh)
    f.ow = ceil_div(p.ow, f.dw)
    f.depth = p.sh * p.sw * p.icg
    f.full_h = p.kh - (f.rh - 1) * p.sh
    f.full_w = p.kw - (f.rw - 1) * p.sw if p.icg >= SHALLOW else p.sw
    return f


cdef inline int64_t total_depth(const problem_t *p, const view_t *f) noexcept nogil:
    """Channels that are multiplied, summed over the points of a tile: phases without a last tap have no channels at ∞."""
    cdef int64_t rows = f.tile.h * p.sh - (p.sh - f.full_h)
    cdef int64_t cols = f.tile.w * p.sw - (p.sw - f.full_w)
    return rows * cols * p.icg
