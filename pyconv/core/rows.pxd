# SPDX-License-Identifier: BSD-3-Clause
"""Moving rows of an image: which outputs a tap reaches, gathers with zeros, the padding modes."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from pyconv.core.types cimport *
from pyconv.core.rates cimport stream_seconds
from pyconv.core.machine cimport cache_bytes
from pyconv.core.threads cimport paying_threads


cdef inline void reach(int64_t outputs, int64_t inputs, int64_t stride, int64_t offset,
                       int64_t *first, int64_t *last) noexcept nogil:
    """Outputs first <= q < last whose input q*stride + offset lies in [0, inputs)."""
    cdef int64_t lo = 0
    cdef int64_t hi = 0
    if offset < 0:
        lo = (-offset + stride - 1) // stride
    if inputs > offset:
        hi = (inputs - offset - 1) // stride + 1
    if hi > outputs:
        hi = outputs
    if lo > hi:
        lo = hi
    first[0] = lo
    last[0] = hi


cdef inline int64_t span(int64_t outputs, int64_t stride, int64_t kernel, int64_t dilation) noexcept nogil:
    """Inputs under so many outputs."""
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1


cdef inline void gather_row(const problem_t *p, const real *row, int64_t tap, real *dst, int64_t step) noexcept nogil:
    """dst[q*step] = row[(q*sw - pw0 + tap*dw)*xw] for the ow outputs of a row, 0 outside the image."""
    cdef int64_t first, last, q
    cdef int64_t offset = tap * p.dw - p.pw0
    cdef int64_t jump = p.sw * p.xw
    reach(p.ow, p.iw, p.sw, offset, &first, &last)
    if step == 1:
        memset(dst, 0, first * sizeof(real))
        memset(dst + last, 0, (p.ow - last) * sizeof(real))
        if jump == 1 and last > first:
            memcpy(dst + first, row + first + offset, (last - first) * sizeof(real))
            return
    else:
        for q in range(first):
            dst[q * step] = 0
        for q in range(last, p.ow):
            dst[q * step] = 0
    for q in range(first, last):
        dst[q * step] = row[q * jump + offset * p.xw]


cdef inline void gather_taps(const problem_t *p, const real *row, int64_t start, real *dst) noexcept nogil:
    """dst[kw][icg] = row[start + j*dw][c]: the taps of one window in one image row, 0 outside the image."""
    cdef int64_t j, c, first, last
    reach(p.kw, p.iw, p.dw, start, &first, &last)
    memset(dst, 0, first * p.icg * sizeof(real))
    memset(dst + last * p.icg, 0, (p.kw - last) * p.icg * sizeof(real))
    if last == first:
        return
    if p.xc == 1 and (last - first == 1 or p.dw * p.xw == p.icg):
        memcpy(dst + first * p.icg, row + (start + first * p.dw) * p.xw, (last - first) * p.icg * sizeof(real))
    elif p.xc == 1:
        for j in range(first, last):
            memcpy(dst + j * p.icg, row + (start + j * p.dw) * p.xw, p.icg * sizeof(real))
    else:
        for j in range(first, last):
            for c in range(p.icg):
                dst[j * p.icg + c] = row[(start + j * p.dw) * p.xw + c * p.xc]


cdef inline int64_t lowered_row(const problem_t *p, int64_t h) noexcept nogil:
    """
    Where row h of an image stands in MEC's matrix: all rows of residue 0 modulo dh, then those of residue 1, and so on,
    so that the taps of a window are neighbours. Rows above and below the image would stand before and behind the others
    of their residue.
    """
    cdef int64_t row = h // p.dh
    cdef int64_t residue = h - row * p.dh
    if residue < 0:
        residue += p.dh
        row -= 1
    return residue * (p.ih // p.dh) + min(residue, p.ih % p.dh) + row


cdef inline int64_t padded_source(int64_t i, int64_t size, int mode) noexcept nogil:
    """The coordinate in [0, size) that stands at i, as `numpy.pad` continues, or -1 for a constant."""
    cdef int64_t period
    if 0 <= i < size:
        return i
    if mode == PYCONV_REPLICATE:
        return 0 if i < 0 else size - 1
    if mode == PYCONV_CIRCULAR:
        return (i % size + size) % size
    if mode == PYCONV_REFLECT:
        period = max(2 * (size - 1), 1)
        i = (i % period + period) % period
        return i if i < size else period - i
    if mode == PYCONV_SYMMETRIC:
        i = (i % (2 * size) + 2 * size) % (2 * size)
        return i if i < size else 2 * size - 1 - i
    return -1


cdef inline double moving_seconds(const problem_t *p, double rows, double elements, bint gathers, double buffer,
                                  int threads) noexcept nogil:
    """
    Of one image and group around its product by BLAS: so many elements, in so many rows, are copied to a buffer or added
    up from it, neighbours to neighbours or gathered one by one, by as many of the threads as pay.

    Measured on a Sapphire-Rapids-class core. The image passes once and the result, which bias and activation read and write
    again, three times; a buffer beyond L2 moves at a quarter of the rate of copying; in NHWC each pixel of one of several
    groups is a cache line of its own, to be read and written.
    """
    cdef double bytes = <double>p.n * (p.xn + 3 * p.yn) * p.itemsize
    cdef double seconds = (20 * rows + (1.7 if gathers else 0.35) * elements) / p.rates.clock
    seconds += stream_seconds(&p.rates, bytes) / (max(p.n, 1) * p.g)
    if buffer > cache_bytes(2):
        seconds += 8 * buffer / p.rates.l3
    if p.layout == PYCONV_NHWC and p.g > 1:
        seconds += 128.0 * p.oh * p.ow / p.rates.l3
    threads = paying_threads(threads, 0, max(elements, p.xn + p.yn))
    return seconds if threads == 1 else seconds / threads + p.rates.fork
