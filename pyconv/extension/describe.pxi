# SPDX-License-Identifier: BSD-3-Clause
# What callers say as a descriptor of the C-level API, and what a status says as an exception.

from pyconv.core.choose cimport needs_t
from pyconv.core.problem cimport problem_init
from pyconv.core.sizes cimport TOO_LARGE


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


# Texts of conv1d, which speaks of one axis, where those of abi.h speak of two.
cdef dict ONE_AXIS = {
    PYCONV_STATUS_BAD_IMAGE: "x needs a length of at least 1 and no negative number of channels, has {ic} channels of "
                             "length {iw}",
    PYCONV_STATUS_BAD_KERNEL: "weight needs a length of at least 1 and no negative size, has shape ({oc}, {icg}, {kw})",
    PYCONV_STATUS_BAD_STRIDE: "stride must be positive, is {sw}",
    PYCONV_STATUS_BAD_DILATION: "dilation must be positive (1 means none), is {dw}",
    PYCONV_STATUS_BAD_PADDING: "padding must not be negative, is ({pw0}, {pw1})",
    PYCONV_STATUS_KERNEL_TOO_LARGE: "a kernel of length {kw} with dilation {dw} is longer than the input of length {iw} with "
                                    "padding ({pw0}, {pw1})",
    PYCONV_STATUS_REFLECT_TOO_LARGE: "reflect padding ({pw0}, {pw1}) must be smaller than the input of length {iw}",
    PYCONV_STATUS_CIRCULAR_TOO_LARGE: "circular padding ({pw0}, {pw1}) must not exceed the input of length {iw}",
    PYCONV_STATUS_OVERFLOW: "the sizes overflow: x of {n} signals of {ic} channels and length {iw}, weight ({oc}, {icg}, {kw}), "
                            "stride {sw}, dilation {dw}, padding ({pw0}, {pw1})",
}
cdef dict AXES_OF_X = {1: "channels, length", 2: "channels, rows, columns"}
cdef dict AXES_OF_WEIGHT = {1: "filters, channels / groups, length", 2: "filters, channels / groups, rows, columns"}


cdef int _check_sizes(tuple shape, str name) except -1:
    """Sizes are exact ints: converting them runs no code of the caller's."""
    for size in shape:
        if type(size) is not int:
            raise TypeError(f"{name} must be a tuple of ints, is {shape}")
    return 0


cdef describe(pyconv_conv2d_t *d, tuple shape, int dtype, tuple wshape, int layout, tuple stride, tuple padding, tuple dilation,
              object groups, int padding_mode, double lo, double hi, int algorithm, int accuracy, object max_workspace,
              object threads, int axes):
    """Fills d with what the caller said; images have 2 axes, signals 1: then they are images of one row."""
    cdef int i
    cdef int ndim = len(shape)
    cdef int lead = ndim - axes - 1
    _check_sizes(shape, "the shape of x")
    _check_sizes(wshape, "the shape of weight")
    if lead < 0:
        raise ValueError(f"x must have at least {axes + 1} dimensions ({AXES_OF_X[axes]}), has shape {shape}")
    if ndim > 32:
        raise ValueError(f"x has {ndim} dimensions, at most 32 are possible")
    if len(wshape) != axes + 2:
        raise ValueError(f"weight must have {axes + 2} dimensions ({AXES_OF_WEIGHT[axes]}), has shape {wshape}")
    d.struct_size = sizeof(d[0])
    d.dtype, d.layout, d.padding_mode, d.accuracy, d.algorithm = dtype, layout, padding_mode, accuracy, algorithm
    d.lo, d.hi = lo, hi
    try:
        d.n = 1
        for i in range(lead):
            if <int64_t>shape[i] and d.n > (<int64_t>1 << 40) // <int64_t>shape[i]:
                raise OverflowError
            d.n *= <int64_t>shape[i]
        i = lead + (layout == PYCONV_NCHW)
        d.ic = shape[lead if layout == PYCONV_NCHW else ndim - 1]
        d.ih = shape[i] if axes == 2 else 1
        d.iw = shape[i + axes - 1]
        d.oc, d.icg = wshape[0], wshape[1]
        d.kh = wshape[2] if axes == 2 else 1
        d.kw = wshape[axes + 1]
        d.sh, d.sw = stride
        d.dh, d.dw = dilation
        d.ph0, d.ph1, d.pw0, d.pw1 = padding
        d.g = groups
        d.max_workspace = -1 if max_workspace is None else min(max_workspace, TOO_LARGE - 1)
        d.threads = 0 if threads is None else min(threads, 1 << 16)
    except OverflowError:
        if axes == 1:
            stride, dilation, padding = stride[1:], dilation[1:], padding[2:]
        raise ValueError(f"the sizes overflow: x {shape}, weight {wshape}, stride {stride}, dilation {dilation}, "
                         f"padding {padding}, groups {groups}") from None


cdef refuse_invalid(int status, pyconv_conv2d_t *d, int axes):
    """Raises for a convolution that no algorithm could serve."""
    if PYCONV_STATUS_OK < status < PYCONV_STATUS_UNSUPPORTED or status == PYCONV_STATUS_BAD_MAX_WORKSPACE:
        text = pyconv_status_words[status].decode()
        if axes == 1:
            text = ONE_AXIS.get(status, text)
        raise ValueError(text.format(**<dict>d[0]))


def result_shape(tuple shape not None, cnp.dtype dtype not None, tuple wshape not None, int layout, tuple stride, tuple padding,
                 tuple dilation, object groups, int padding_mode, double lo, double hi, int algorithm, int accuracy,
                 object max_workspace, object threads):
    """Of conv2d, whose arguments are as `Plan` takes them; raises what it would."""
    cdef pyconv_conv2d_t d
    cdef problem_t p
    describe(&d, shape, _dtype_code(dtype), wshape, layout, stride, padding, dilation, groups, padding_mode, lo, hi, algorithm,
             accuracy, max_workspace, threads, 2)
    refuse_invalid(problem_init(&p, &d), &d, 2)
    return output_shape(&p, shape, 2)


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


cdef tuple output_shape(const problem_t *p, tuple shape, int axes):
    """Of y, for x of this shape."""
    image = (p.oh, p.ow)[2 - axes:]
    if p.layout == PYCONV_NCHW:
        return shape[:len(shape) - axes - 1] + (p.oc, *image)
    return shape[:len(shape) - axes - 1] + (*image, p.oc)
