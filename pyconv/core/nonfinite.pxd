# SPDX-License-Identifier: BSD-3-Clause
"""
Weights that are NaN or infinite, in the strict class: zeros of the padding take part in the sums, and 0 NaN = 0 Inf = NaN.

  y[n][o][r][q] = NaN, 0 of an integer, where tap (i, j) of output (r, q) is padding and w[o][c][i][j] is not finite for some c

Some algorithms leave such taps out. So a plan looks for them once, when it packs its weights, and if there are any it
keeps a bit for each filter and tap; weights that it reads in place it looks through again. A run sets these outputs last.
"""

from libc.math cimport NAN
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from pyconv.core.half cimport element, half
from pyconv.core.kernels cimport element_bytes
from pyconv.core.rows cimport reach
from pyconv.core.sizes cimport aligned
from pyconv.core.types cimport *

cdef extern from "core/nonfinite.h":
    bint _all_finite_f16 "pyconv_all_finite_f16"(const void *values, int64_t count) noexcept nogil
    bint _all_finite_f32 "pyconv_all_finite_f32"(const void *values, int64_t count) noexcept nogil
    bint _all_finite_f64 "pyconv_all_finite_f64"(const void *values, int64_t count) noexcept nogil


cdef inline bint _all_finite(int dtype, const void *values, int64_t count) noexcept nogil:
    if dtype == PYCONV_F32:
        return _all_finite_f32(values, count)
    if dtype == PYCONV_F64:
        return _all_finite_f64(values, count)
    return _all_finite_f16(values, count)


cdef inline bint meets_padding(const problem_t *p, const void *weight) noexcept nogil:
    """Whether some weight isn't finite, and there are zeros around the image that it could meet."""
    return (p.padding_mode == PYCONV_ZEROS and p.ph0 + p.ph1 + p.pw0 + p.pw1 > 0
            and not _all_finite(p.w_dtype, weight, p.oc * p.k))


cdef inline size_t record_bytes(const problem_t *p) noexcept nogil:
    """A bit for each filter and tap."""
    return aligned(<size_t>((p.oc * p.kh * p.kw + 7) // 8))


cdef inline bint _tap_is_finite(const problem_t *p, const element *weight, int64_t o, int64_t tap) noexcept nogil:
    """weight[oc][icg][taps]"""
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t c
    for c in range(p.icg):
        if not _all_finite(p.w_dtype, weight + o * p.k + c * taps + tap, 1):
            return False
    return True


cdef inline void _record(const problem_t *p, const element *weight, unsigned char *record) noexcept nogil:
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t o, tap
    memset(record, 0, record_bytes(p))
    for o in range(p.oc):
        if not _all_finite(p.w_dtype, weight + o * p.k, p.k):
            for tap in range(taps):
                if not _tap_is_finite(p, weight, o, tap):
                    record[(o * taps + tap) >> 3] |= <unsigned char>(1 << ((o * taps + tap) & 7))


cdef inline void record_nonfinite(const problem_t *p, const void *weight, void *record) noexcept nogil:
    """weight[oc][icg][kh][kw] as the problem says."""
    if p.w_dtype == PYCONV_F32:
        _record(p, <const float *>weight, <unsigned char *>record)
    elif p.w_dtype == PYCONV_F64:
        _record(p, <const double *>weight, <unsigned char *>record)
    else:
        _record(p, <const half *>weight, <unsigned char *>record)


# A NaN of y's element type, of integers 0.
ctypedef struct nan_t:
    char element[8]
    int64_t size


cdef inline void _columns(const problem_t *p, const nan_t *nan, int64_t first, int64_t last, char *row) noexcept nogil:
    cdef int64_t q
    for q in range(first, last):
        memcpy(row + q * p.yw * nan.size, nan.element, nan.size)


cdef inline void _spoil_tap(const problem_t *p, const nan_t *nan, int64_t i, int64_t j, char *y) noexcept nogil:
    """One filter's plane of one image, from tap (i, j)."""
    cdef int64_t top, bottom, left, right, r
    cdef char *row
    reach(p.oh, p.ih, p.sh, i * p.dh - p.ph0, &top, &bottom)
    reach(p.ow, p.iw, p.sw, j * p.dw - p.pw0, &left, &right)
    for r in range(p.oh):
        row = y + r * p.yh * nan.size
        if top <= r < bottom:
            _columns(p, nan, 0, left, row)
            _columns(p, nan, right, p.ow, row)
        else:
            _columns(p, nan, 0, p.ow, row)


cdef inline void _spoil(const problem_t *p, const element *weight, const unsigned char *record, const nan_t *nan,
                        char *y) noexcept nogil:
    """The record, or the weights themselves."""
    cdef int64_t taps = p.kh * p.kw
    cdef int64_t o, tap, image
    cdef bint hit
    for o in range(p.oc):
        if record == NULL and _all_finite(p.w_dtype, weight + o * p.k, p.k):
            continue
        for tap in range(taps):
            if record != NULL:
                hit = (record[(o * taps + tap) >> 3] >> ((o * taps + tap) & 7)) & 1
            else:
                hit = not _tap_is_finite(p, weight, o, tap)
            if hit:
                for image in range(p.n):
                    _spoil_tap(p, nan, tap // p.kw, tap % p.kw, y + (image * p.yn + o * p.yc) * nan.size)


cdef inline void spoil_padded(const problem_t *p, const void *weight, const void *record, void *y) noexcept nogil:
    """Sets those outputs; record NULL: from weight[oc][icg][kh][kw]."""
    cdef nan_t nan
    cdef double value = NAN
    nan.size = element_bytes(p.y_dtype)
    p.kernels.f64.stage_out(p.y_dtype, &value, 1, 1, 1, nan.element)
    if p.w_dtype == PYCONV_F32:
        _spoil(p, <const float *>weight, <const unsigned char *>record, &nan, <char *>y)
    elif p.w_dtype == PYCONV_F64:
        _spoil(p, <const double *>weight, <const unsigned char *>record, &nan, <char *>y)
    else:
        _spoil(p, <const half *>weight, <const unsigned char *>record, &nan, <char *>y)
