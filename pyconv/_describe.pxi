# SPDX-License-Identifier: BSD-3-Clause
# What callers say as a descriptor of the C-level API, and what a status says as an exception.

from pyconv._choose cimport needs_t
from pyconv._sizes cimport TOO_LARGE


cdef dict _words(const char *const *words, int count):
    return {words[i].decode(): i for i in range(count)}


ALGORITHM_NAMES = [table[i].name.decode() for i in range(ALGORITHMS)]
LAYOUTS = _words(pyconv_layout_words, PYCONV_LAYOUT_COUNT)
PADDING_MODES = _words(pyconv_padding_mode_words, PYCONV_PADDING_MODE_COUNT)
ACCURACIES = _words(pyconv_accuracy_words, PYCONV_ACCURACY_COUNT)
DTYPES = _words(pyconv_dtype_words, PYCONV_DTYPE_COUNT)

cdef int[PYCONV_DTYPE_COUNT] type_numbers = [cnp.NPY_FLOAT32, cnp.NPY_FLOAT64, cnp.NPY_FLOAT16]


cdef int _dtype_code(cnp.dtype dtype) except -1:
    cdef int code
    for code in range(PYCONV_DTYPE_COUNT):
        if dtype.type_num == type_numbers[code]:
            return code
    raise TypeError(f"x must be float32, float64 or float16, is {dtype}")


cdef describe(pyconv_conv2d_t *d, tuple shape, int dtype, tuple wshape, int layout, tuple stride, tuple padding, tuple dilation,
              object groups, int padding_mode, double lo, double hi, int algorithm, int accuracy, object max_workspace,
              object threads):
    """Fills d with what the caller said."""
    cdef int i
    cdef int ndim = len(shape)
    if ndim > 32:
        raise ValueError(f"x has {ndim} dimensions, at most 32 are possible")
    d.struct_size = sizeof(d[0])
    d.dtype, d.layout, d.padding_mode, d.accuracy, d.algorithm = dtype, layout, padding_mode, accuracy, algorithm
    d.lo, d.hi = lo, hi
    try:
        d.n = 1
        for i in range(ndim - 3):
            if <int64_t>shape[i] and d.n > (<int64_t>1 << 40) // <int64_t>shape[i]:
                raise OverflowError
            d.n *= <int64_t>shape[i]
        if layout == PYCONV_NCHW:
            d.ic, d.ih, d.iw = shape[ndim - 3], shape[ndim - 2], shape[ndim - 1]
        else:
            d.ih, d.iw, d.ic = shape[ndim - 3], shape[ndim - 2], shape[ndim - 1]
        d.oc, d.icg, d.kh, d.kw = wshape
        d.sh, d.sw = stride
        d.dh, d.dw = dilation
        d.ph0, d.ph1, d.pw0, d.pw1 = padding
        d.g = groups
        d.max_workspace = -1 if max_workspace is None else min(max_workspace, TOO_LARGE - 1)
        d.threads = 0 if threads is None else min(threads, 1 << 16)
    except OverflowError:
        raise ValueError(f"the sizes overflow: x {shape}, weight {wshape}, stride {stride}, dilation {dilation}, "
                         f"padding {padding}, groups {groups}") from None


cdef refuse_invalid(int status, pyconv_conv2d_t *d):
    """Raises for a convolution that no algorithm could serve."""
    if PYCONV_STATUS_OK < status < PYCONV_STATUS_UNSUPPORTED:
        raise ValueError(pyconv_status_words[status].decode().format(**<dict>d[0]))


cdef str reason_against(const algorithm_t *algorithm, const needs_t *need, const pyconv_conv2d_t *d):
    """Why this algorithm may not serve, with the numbers; None if it may."""
    if need.status == PYCONV_STATUS_OK:
        return None
    if need.status == PYCONV_STATUS_UNSUPPORTED:
        return need.reason.decode()
    if need.status == PYCONV_STATUS_OVER_BUDGET:
        return (f"it needs {need.workspace} bytes of workspace and {need.packed} bytes of packed weights, max_workspace "
                f"allows {d.max_workspace}")
    return (f"its accuracy class is {pyconv_accuracy_words[algorithm.accuracy].decode()!r}, "
            f"{pyconv_accuracy_words[d.accuracy].decode()!r} was asked for")


cdef tuple output_shape(const problem_t *p, tuple shape):
    """Of y, for x of this shape."""
    if p.layout == PYCONV_NCHW:
        return shape[:len(shape) - 3] + (p.oc, p.oh, p.ow)
    return shape[:len(shape) - 3] + (p.oh, p.ow, p.oc)
