# SPDX-License-Identifier: BSD-3-Clause
"""
What the kn2row family shares: weights by taps, and products of whole image rows shifted to the outputs they belong to.

y[r][q] += z[h][q*sw - pw0 + j*dw] for tap (i, j), h = r*sh - ph0 + i*dh: outputs whose tap is in the padding get nothing.
"""

from libc.stdint cimport int64_t

from pyconv._types cimport *
from pyconv._rows cimport weight_bytes
from pyconv._sizes cimport reach

cdef enum:
    TAPS = 256                # added one after another; with 961 the error was 1.6 times im2col's, beyond the class


cdef inline const char *kn2_reason(const problem_t *p) noexcept nogil:
    if p.kh * p.kw > TAPS:
        return b"it serves up to 256 taps: it adds them one after another, and the error of more leaves its class"
    return NULL


cdef inline size_t tap_weights(const problem_t *p) noexcept nogil:
    return 0 if p.kh * p.kw == 1 else weight_bytes(p)


cdef inline void _pack_taps(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    cdef int64_t g, o, c, tap
    cdef int64_t taps = p.kh * p.kw
    for g in range(p.g):
        for tap in range(taps):
            for o in range(p.ocg):
                for c in range(p.icg):
                    packed[((g * taps + tap) * p.ocg + o) * p.icg + c] = weight[((g * p.ocg + o) * p.icg + c) * taps + tap]


cdef inline void pack_taps(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    """packed[g][kh][kw][ocg][icg] = weight[g][ocg][icg][kh][kw]"""
    if p.dtype == PYCONV_F32:
        _pack_taps(p, <const float *>weight, <float *>packed)
    else:
        _pack_taps(p, <const double *>weight, <double *>packed)


cdef inline void _add(int64_t count, const real *src, int64_t step, real *dst) noexcept nogil:
    cdef int64_t i
    if step == 1:
        for i in range(count):
            dst[i] += src[i]
    else:
        for i in range(count):
            dst[i] += src[i * step]


cdef inline void add_shifted(const problem_t *p, int64_t j, const real *z, int64_t pixel, int64_t filter, real *y) noexcept nogil:
    """
    Column j of the taps, from one image row of products onto one output row.

    z[iw][ocg] by the steps `pixel` and `filter`; y is the row of one filter in NCHW, of all of the group's in NHWC.
    """
    cdef int64_t first, last, q
    cdef int64_t offset = j * p.dw - p.pw0
    reach(p.ow, p.iw, p.sw, offset, &first, &last)
    if first == last:
        return
    z += (first * p.sw + offset) * pixel
    if p.layout == PYCONV_NCHW:
        _add(last - first, z, p.sw * pixel, y + first)
    else:
        for q in range(last - first):
            _add(p.ocg, z + q * p.sw * pixel, filter, y + (first + q) * p.yw)
