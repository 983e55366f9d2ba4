# SPDX-License-Identifier: BSD-3-Clause
# What callers say: a descriptor of the C-level API, or the exception that a status stands for.

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
}
cdef dict AXES_OF_X = {1: "channels, length", 2: "channels, rows, columns"}
cdef dict AXES_OF_WEIGHT = {1: "filters, channels / groups, length", 2: "filters, channels / groups, rows, columns"}


cdef int _check_sizes(tuple shape, str name) except -1:
    """Sizes are exact ints: converting them runs no code of the caller's."""
    for size in shape:
        if type(size) is not int:
            raise TypeError(f"{name} must be a tuple of ints, is {shape}")
    return 0


cpdef int check_dimensions(tuple x_shape, tuple weight_shape, int axes=2) except -1:
    """Raises unless images have 2 axes, signals 1, and filters as many."""
    cdef int ndim = len(x_shape)
    if not 1 <= axes <= 2:
        raise ValueError(f"images have 1 or 2 axes, not {axes}")
    if ndim <= axes:
        raise ValueError(f"x must have at least {axes + 1} dimensions ({AXES_OF_X[axes]}), has shape {x_shape}")
    if ndim > 32:
        raise ValueError(f"x has {ndim} dimensions, at most 32 are possible")
    if len(weight_shape) != axes + 2:
        raise ValueError(f"weight must have {axes + 2} dimensions ({AXES_OF_WEIGHT[axes]}), has shape {weight_shape}")
    return 0


cdef class Problem:
    """
    A convolution as callers describe it, validated; immutable. `pyconv._problem.problem` makes it of their words.

    A signal has 1 axis, and counts as an image of one row: stride, padding and dilation speak of 2 all the same.

    Attributes
    ----------
    x_shape, weight_shape, y_shape : tuple of int
    dtype : numpy.dtype
    layout, padding_mode, algorithm, accuracy : int
        Codes of the enumerations; algorithm -1 for ``"auto"``.
    stride, dilation : (int, int)
    padding : (int, int, int, int)
        Top, bottom, left, right.
    groups : int
    bounds : (float, float)
        That the activation clips to.
    max_workspace, threads : int or None
    axes : int
    x, dtype_of : str
        What messages call x, and the argument whose dtype it is.
    """

    cdef pyconv_conv2d_t d
    cdef int typenum
    cdef readonly tuple x_shape
    cdef readonly tuple weight_shape
    cdef readonly tuple y_shape
    cdef readonly cnp.dtype dtype
    cdef readonly int axes
    cdef readonly str x
    cdef readonly str dtype_of

    def __cinit__(self, tuple x_shape not None, cnp.dtype dtype not None, tuple weight_shape not None, int layout,
                  tuple stride not None, tuple padding not None, tuple dilation not None, object groups, int padding_mode,
                  tuple bounds not None, int algorithm, int accuracy, object max_workspace, object threads, int axes=2,
                  str x not None="x", str dtype_of not None="x"):
        cdef pyconv_conv2d_t *d = &self.d
        cdef problem_t p
        cdef int i
        cdef int ndim = len(x_shape)
        cdef int lead = ndim - axes - 1
        cdef int status = PYCONV_STATUS_OVERFLOW
        _check_sizes(x_shape, "the shape of x")
        _check_sizes(weight_shape, "the shape of weight")
        check_dimensions(x_shape, weight_shape, axes)
        self.x_shape, self.weight_shape, self.axes, self.x, self.dtype_of = x_shape, weight_shape, axes, x, dtype_of
        self.dtype = dtype if dtype.isnative else dtype.newbyteorder("=")
        d.struct_size = sizeof(d[0])
        d.dtype, d.layout, d.padding_mode = self._dtype_code(), layout, padding_mode
        d.accuracy, d.algorithm = accuracy, algorithm
        self.typenum = type_numbers[d.dtype]
        d.lo, d.hi = bounds
        try:
            d.n = 1
            for i in range(lead):
                if <int64_t>x_shape[i] and d.n > (<int64_t>1 << 40) // <int64_t>x_shape[i]:
                    raise OverflowError
                d.n *= <int64_t>x_shape[i]
            i = lead + (layout == PYCONV_NCHW)
            d.ic = x_shape[lead if layout == PYCONV_NCHW else ndim - 1]
            d.ih = x_shape[i] if axes == 2 else 1
            d.iw = x_shape[i + axes - 1]
            d.oc, d.icg = weight_shape[0], weight_shape[1]
            d.kh = weight_shape[2] if axes == 2 else 1
            d.kw = weight_shape[axes + 1]
            d.sh, d.sw = stride
            d.dh, d.dw = dilation
            d.ph0, d.ph1, d.pw0, d.pw1 = padding
            d.g = groups
            d.max_workspace = -1 if max_workspace is None else min(max_workspace, TOO_LARGE - 1)
            d.threads = 0 if threads is None else min(threads, 1 << 16)
            status = problem_init(&p, d)
        except OverflowError:
            pass
        if status == PYCONV_STATUS_OVERFLOW:
            if axes == 1:
                stride, dilation, padding = stride[1:], dilation[1:], padding[2:]
            raise ValueError(f"the sizes overflow: {x} {x_shape}, weight {weight_shape}, stride {stride}, dilation {dilation}, "
                             f"padding {padding}, groups {groups}")
        if status == PYCONV_STATUS_OK and not -1 <= algorithm < ALGORITHMS:
            status = PYCONV_STATUS_BAD_ENUM
        if status != PYCONV_STATUS_OK:
            text = pyconv_status_words[status].decode()
            if axes == 1:
                text = ONE_AXIS.get(status, text)
            raise ValueError(text.format(**<dict>d[0]))
        self.y_shape = output_shape(&p, x_shape, axes)

    cdef int _dtype_code(self) except -1:
        cdef int code
        for code in range(PYCONV_DTYPE_COUNT):
            if self.dtype.type_num == type_numbers[code]:
                return code
        raise TypeError(f"{self.dtype_of} must be float32, float64 or float16, is {self.dtype}")

    def derive(self, **changes):
        """The same convolution but for some attributes."""
        return Problem(**{name: getattr(self, name) for name in PROBLEM_WORDS} | changes)

    @property
    def layout(self):
        return self.d.layout

    @property
    def stride(self):
        return self.d.sh, self.d.sw

    @property
    def padding(self):
        return self.d.ph0, self.d.ph1, self.d.pw0, self.d.pw1

    @property
    def dilation(self):
        return self.d.dh, self.d.dw

    @property
    def groups(self):
        return self.d.g

    @property
    def padding_mode(self):
        return self.d.padding_mode

    @property
    def bounds(self):
        return self.d.lo, self.d.hi

    @property
    def algorithm(self):
        return self.d.algorithm

    @property
    def accuracy(self):
        return self.d.accuracy

    @property
    def max_workspace(self):
        return None if self.d.max_workspace < 0 else self.d.max_workspace

    @property
    def threads(self):
        return self.d.threads or None


cdef tuple PROBLEM_WORDS = (
    "x_shape", "dtype", "weight_shape", "layout", "stride", "padding", "dilation", "groups", "padding_mode", "bounds",
    "algorithm", "accuracy", "max_workspace", "threads", "axes", "x", "dtype_of",
)


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
