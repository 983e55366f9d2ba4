# SPDX-License-Identifier: BSD-3-Clause
"""How depthwise on small planes is cut into strips, and the cycles that it takes; see turned.pxd."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.kernels cimport ceil_div
from pyconv.core.sizes cimport plus, times

cdef enum:
    BLOCK = 16                # channels: a cache line of float32
    STRIP_PIXELS = 512        # of x in a strip, as far as the kernel's height allows: 32 KB of float32

# How an output plane is cut into strips of rows, and the memory of the largest.
ctypedef struct strips_t:
    int64_t count
    int64_t rows              # outputs
    size_t x_bytes, bytes     # turned inputs; with the outputs behind them


cdef inline strips_t cut_strips(const problem_t *p) noexcept nogil:
    cdef strips_t s
    cdef int64_t reach = (p.kh - 1) * p.dh
    cdef int64_t fits = (STRIP_PIXELS // p.iw - reach) // p.sh
    s.count = ceil_div(p.oh, max(fits, max(reach // p.sh, 1)))
    s.rows = ceil_div(p.oh, s.count)
    s.x_bytes = times(<size_t>(min(p.ih, (s.rows - 1) * p.sh + reach + 1) * p.iw * BLOCK), p.itemsize)
    s.bytes = plus(s.x_bytes, times(<size_t>(s.rows * p.ow * BLOCK), p.itemsize))
    return s


cdef inline double turned_cycles(const problem_t *p, const strips_t *s) noexcept nogil:
    """
    Per image and channel: 6.5 cycles for each vector of inputs that is turned, as much for outputs, and the multiply-adds
    inside the image. Measured on a Sapphire-Rapids-class core.
    """
    cdef double turned = s.count * <double>min(p.ih, (s.rows - 1) * p.sh + (p.kh - 1) * p.dh + 1) * p.iw
    cdef double taps = p.k * min(1.0, <double>p.ih / (p.oh * p.sh + 0.5 * (p.kh - 1) * p.dh))
    cdef double vectors = ceil_div(p.ic, p.ops.lanes) / <double>p.ic      # a channel's part of them: 1 where it is alone
    return (6.5 * turned + p.oh * p.ow * (taps * 1.1 / p.rates.fma + 11.5)) * vectors
