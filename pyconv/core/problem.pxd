# SPDX-License-Identifier: BSD-3-Clause
"""Validation in one place: a descriptor becomes a problem, or a status that says why not."""

from libc.math cimport isfinite
from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.rates cimport rates_in_use
from pyconv.core.kernels cimport element_bytes, kernels_in_use, patches_t
from pyconv.core.sizes cimport TOO_LARGE, times

# Any one size, and with it every sum of two or three of them, stays far from the end of int64.
cdef enum:
    LARGEST_BITS = 40
    LARGEST_BATCH_BITS = 44


cdef inline bint _too_large(int64_t size) noexcept nogil:
    return size >> LARGEST_BITS != 0


cdef inline bint _product_overflows(int64_t a, int64_t b, int64_t c, int64_t d) noexcept nogil:
    """
    Whether an array of a*b*c*d elements is larger than any memory: 2^49, which leaves int64 room for what cuts multiply
    the elements of one array by, bytes, lanes and the points of a tile. Products of two arrays need times() all the same.
    """
    return times(times(times(times(<size_t>a, <size_t>b), <size_t>c), <size_t>d), 1 << 14) >= TOO_LARGE


cdef inline void _set_types(problem_t *p, const pyconv_conv2d_t *d) noexcept nogil:
    """Weights in float16 are computed in float32."""
    p.w_dtype = d.dtype
    p.x_dtype = d.dtype if d.x_dtype < 0 else d.x_dtype
    p.y_dtype = d.dtype if d.y_dtype < 0 else d.y_dtype
    p.dtype = PYCONV_F64 if d.dtype == PYCONV_F64 else PYCONV_F32
    p.itemsize = element_bytes(p.dtype)
    p.ops = &p.kernels.f64 if p.dtype == PYCONV_F64 else &p.kernels.f32


cdef inline bint _border_fits(problem_t *p, double border) noexcept nogil:
    """Whether x's element type can hold this constant, which is rounded to it: no integer type a fraction, a NaN or more."""
    cdef char element[8]
    p.kernels.f64.stage_out(p.x_dtype, &border, 1, 1, 1, element)
    p.kernels.f64.stage_in(p.x_dtype, element, 1, 1, &p.border, 1)
    if p.x_dtype in (PYCONV_F32, PYCONV_F64, PYCONV_F16, PYCONV_BF16):
        return isfinite(p.border) == isfinite(border)
    return p.border == border


cdef inline void set_strides(problem_t *p) noexcept nogil:
    if p.layout == PYCONV_NCHW:
        p.xw, p.xh, p.xc = 1, p.iw, p.ih * p.iw
        p.yw, p.yh, p.yc = 1, p.ow, p.oh * p.ow
    else:
        p.xc, p.xw, p.xh = 1, p.ic, p.iw * p.ic
        p.yc, p.yw, p.yh = 1, p.oc, p.ow * p.oc
    p.xn = p.ic * p.ih * p.iw
    p.yn = p.oc * p.oh * p.ow


cdef inline int problem_init(problem_t *p, const pyconv_conv2d_t *d) noexcept nogil:
    """
    oh = (ih + ph0 + ph1 - dh*(kh - 1) - 1) // sh + 1, and ow alike.

    The status is that of the first rule broken, in the order in which a caller would look for it.
    """
    if not (0 <= d.dtype < PYCONV_DTYPE_COUNT and 0 <= d.layout < PYCONV_LAYOUT_COUNT
            and 0 <= d.padding_mode < PYCONV_PADDING_MODE_COUNT and 0 <= d.accuracy < PYCONV_ACCURACY_COUNT
            and -1 <= d.x_dtype < PYCONV_ELEMENT_COUNT and -1 <= d.y_dtype < PYCONV_ELEMENT_COUNT):
        return PYCONV_STATUS_BAD_ENUM
    if d.n < 0:
        return PYCONV_STATUS_BAD_BATCH
    if d.ic < 0 or d.ih < 1 or d.iw < 1:
        return PYCONV_STATUS_BAD_IMAGE
    if d.oc < 0 or d.icg < 0 or d.kh < 1 or d.kw < 1:
        return PYCONV_STATUS_BAD_KERNEL
    if d.sh < 1 or d.sw < 1:
        return PYCONV_STATUS_BAD_STRIDE
    if d.dh < 1 or d.dw < 1:
        return PYCONV_STATUS_BAD_DILATION
    if d.g < 1:
        return PYCONV_STATUS_BAD_GROUPS
    if d.ph0 < 0 or d.ph1 < 0 or d.pw0 < 0 or d.pw1 < 0:
        return PYCONV_STATUS_BAD_PADDING
    if d.ic % d.g:
        return PYCONV_STATUS_GROUPS_INPUT
    if d.oc % d.g:
        return PYCONV_STATUS_GROUPS_OUTPUT
    if d.icg != d.ic // d.g:
        return PYCONV_STATUS_CHANNELS
    if d.threads < 0:
        return PYCONV_STATUS_BAD_THREADS
    if d.max_workspace < -1:
        return PYCONV_STATUS_BAD_MAX_WORKSPACE
    if not d.lo <= d.hi:
        return PYCONV_STATUS_BAD_CLIP
    if (d.n >> LARGEST_BATCH_BITS or _too_large(d.ic) or _too_large(d.ih) or _too_large(d.iw) or _too_large(d.oc)
            or _too_large(d.kh) or _too_large(d.kw) or _too_large(d.sh) or _too_large(d.sw)
            or _too_large(d.ph0) or _too_large(d.ph1) or _too_large(d.pw0) or _too_large(d.pw1)
            or times(<size_t>d.dh, <size_t>d.kh) >> LARGEST_BITS or times(<size_t>d.dw, <size_t>d.kw) >> LARGEST_BITS):
        return PYCONV_STATUS_OVERFLOW

    p.kernels = kernels_in_use()
    _set_types(p, d)
    p.layout, p.padding_mode = d.layout, d.padding_mode
    p.n, p.g, p.ic, p.ih, p.iw = d.n, d.g, d.ic, d.ih, d.iw
    p.oc, p.icg, p.kh, p.kw = d.oc, d.icg, d.kh, d.kw
    p.sh, p.sw, p.dh, p.dw = d.sh, d.sw, d.dh, d.dw
    p.ph0, p.ph1, p.pw0, p.pw1 = d.ph0, d.ph1, d.pw0, d.pw1
    p.lo, p.hi = d.lo, d.hi

    cdef int64_t slack_h = p.ih + p.ph0 + p.ph1 - p.dh * (p.kh - 1) - 1
    cdef int64_t slack_w = p.iw + p.pw0 + p.pw1 - p.dw * (p.kw - 1) - 1
    if slack_h < 0 or slack_w < 0:
        return PYCONV_STATUS_KERNEL_TOO_LARGE
    p.border = 0
    p.slack = False
    if p.padding_mode == PYCONV_CONSTANT and not _border_fits(p, d.border):
        return PYCONV_STATUS_BAD_BORDER
    p.oh = slack_h // p.sh + 1
    p.ow = slack_w // p.sw + 1
    # Longer steps than the padded image lead nowhere either.
    p.sh, p.dh = min(p.sh, p.ih + p.ph0 + p.ph1), min(p.dh, p.ih + p.ph0 + p.ph1)
    p.sw, p.dw = min(p.sw, p.iw + p.pw0 + p.pw1), min(p.dw, p.iw + p.pw0 + p.pw1)
    p.ocg = p.oc // p.g
    if (_product_overflows(max(p.n, 1), max(p.ic, 1), p.ih + p.ph0 + p.ph1, p.iw + p.pw0 + p.pw1)
            or _product_overflows(max(p.n, 1), max(p.oc, 1), p.oh, p.ow)
            or _product_overflows(max(p.oc, 1), max(p.icg, 1), p.kh, p.kw)):
        return PYCONV_STATUS_OVERFLOW
    p.k = p.icg * p.kh * p.kw
    if p.ph0 + p.ph1 + p.pw0 + p.pw1 == 0 or p.padding_mode == PYCONV_CONSTANT and p.border == 0:
        p.padding_mode = PYCONV_ZEROS
    p.rates = rates_in_use()[0]
    set_strides(p)
    return PYCONV_STATUS_OK


cdef inline bint is_empty(const problem_t *p) noexcept nogil:
    """No channels, whose sums are 0, or no filters: `direct` alone serves these, so that no other divides by 0."""
    return p.ic == 0 or p.oc == 0


cdef inline patches_t patches_of(const problem_t *p) noexcept nogil:
    """The windows of one image and group, as the kernels see them."""
    cdef patches_t s
    s.c, s.ih, s.iw = p.icg, p.ih, p.iw
    s.kh, s.kw, s.sh, s.sw, s.dh, s.dw = p.kh, p.kw, p.sh, p.sw, p.dh, p.dw
    s.ph, s.pw, s.oh, s.ow = p.ph0, p.pw0, p.oh, p.ow
    s.xs_c, s.xs_h, s.xs_w = p.xc, p.xh, p.xw
    return s


cdef inline double direct_traffic(const problem_t *p) noexcept nogil:
    """Bytes of x, weight and y, each once: what every algorithm moves, and those that keep their panels in cache move alone."""
    return (<double>p.n * (p.xn + p.yn) + <double>p.oc * p.k) * p.itemsize


cdef inline double direct_multiplications(const problem_t *p) noexcept nogil:
    """n*oc*oh*ow*icg*kh*kw: padding counts, as everywhere in the literature."""
    return <double>p.n * p.oc * p.oh * p.ow * p.k
