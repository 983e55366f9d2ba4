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
ELEMENTS = _words(pyconv_element_words, PYCONV_ELEMENT_COUNT)
cdef str ANY_ELEMENT = " or".join(", ".join(ELEMENTS).rsplit(",", 1))

# NumPy's numbers, in the order of the elements; bfloat16, which ml_dtypes adds, has one of the day.
cdef int[PYCONV_BF16] type_numbers = [
    cnp.NPY_FLOAT32, cnp.NPY_FLOAT64, cnp.NPY_FLOAT16, cnp.NPY_UINT8, cnp.NPY_INT8, cnp.NPY_UINT16, cnp.NPY_INT16,
]


cdef int element_code(cnp.dtype dtype) noexcept:
    """Of an element type in native byte order, or -1."""
    cdef int code
    for code in range(PYCONV_BF16):
        if dtype.type_num == type_numbers[code]:
            return code
    return PYCONV_BF16 if dtype.type_num >= cnp.NPY_NTYPES_LEGACY and dtype.name == "bfloat16" else -1


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
}
cdef dict AXES_OF_X = {1: "channels, length", 2: "channels, rows, columns"}
cdef dict AXES_OF_WEIGHT = {1: "filters, channels / groups, length", 2: "filters, channels / groups, rows, columns"}


cdef cnp.dtype _native(cnp.dtype dtype):
    return dtype if dtype.isnative else dtype.newbyteorder("=")


cdef str remedy(object dtype, str name, str instead="float32"):
    """What to do about a dtype that isn't served."""
    if dtype.kind == "c":
        return f"pass {name}.real and {name}.imag one after the other"
    if dtype.kind == "f" and dtype.itemsize > 8:
        instead = "float64"
    return f"pass {name}.astype(numpy.{instead})"


cpdef int check_element(cnp.dtype dtype, str name, str x) except -1:
    """Raises unless x may have this dtype, which is that of the argument `name`."""
    if element_code(dtype) < 0:
        raise TypeError(f"{name} must be {ANY_ELEMENT}, is {dtype}: "
                        f"{remedy(dtype, x, 'uint8' if dtype.type_num == cnp.NPY_BOOL else 'float32')}")
    return 0


cpdef cnp.dtype computed_in(cnp.dtype dtype, str name, str weight):
    """The type that weights of this dtype, which is that of the argument `name`, are computed in."""
    if not 0 <= element_code(dtype) < PYCONV_DTYPE_COUNT:
        raise TypeError(f"{name} must be float32, float64 or float16, is {dtype}: {remedy(dtype, weight)}")
    return cnp.PyArray_DescrFromType(cnp.NPY_FLOAT64 if dtype.type_num == cnp.NPY_FLOAT64 else cnp.NPY_FLOAT32)


def border_words(int padding_mode, double border):
    """``"zeros"``, ``"constant 255"``"""
    word = pyconv_padding_mode_words[padding_mode].decode()
    return f"{word} {border:g}" if padding_mode == PYCONV_CONSTANT else word


def type_words(cnp.dtype x, cnp.dtype weight, cnp.dtype out):
    """``"float32"``, or ``"uint8 by float32 to uint8"`` where types differ."""
    return str(x) if x == weight == out else f"{x} by {weight} to {out}"


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
    dtype, weight_dtype, out_dtype : numpy.dtype
        Of x; of weight and bias; of y and residual.
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
    border : float
        What stands around x where `padding_mode` is that of a constant.
    """

    cdef pyconv_conv2d_t d
    cdef readonly tuple x_shape
    cdef readonly tuple weight_shape
    cdef readonly tuple y_shape
    cdef readonly cnp.dtype dtype
    cdef readonly cnp.dtype weight_dtype
    cdef readonly cnp.dtype out_dtype
    cdef readonly int axes
    cdef readonly str x
    cdef readonly str dtype_of

    def __cinit__(self, tuple x_shape not None, cnp.dtype dtype not None, tuple weight_shape not None, int layout,
                  tuple stride not None, tuple padding not None, tuple dilation not None, object groups, int padding_mode,
                  tuple bounds not None, int algorithm, int accuracy, object max_workspace, object threads, int axes=2,
                  str x not None="x", str dtype_of not None="x", cnp.dtype weight_dtype=None, cnp.dtype out_dtype=None,
                  double border=0):
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
        self.dtype = _native(dtype)
        self.weight_dtype = self.dtype if weight_dtype is None else _native(weight_dtype)
        self.out_dtype = self.weight_dtype if out_dtype is None else _native(out_dtype)
        d.struct_size = sizeof(d[0])
        d.layout, d.padding_mode, d.border = layout, padding_mode, border
        self._set_types(dtype_of if weight_dtype is None else "weight")
        d.accuracy, d.algorithm = accuracy, algorithm
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
            if status == PYCONV_STATUS_BAD_BORDER:
                text = f"padding_mode ('constant', {border!r}) does not fit {x}, which is {self.dtype}{_range(self.dtype)}"
            if axes == 1:
                text = ONE_AXIS.get(status, text)
            raise ValueError(text.format(**<dict>d[0]))
        self.y_shape = output_shape(&p, x_shape, axes)

    cdef int _set_types(self, str weight) except -1:
        """weight: the argument whose dtype that of the weight is."""
        cdef pyconv_conv2d_t *d = &self.d
        d.x_dtype, d.dtype, d.y_dtype = element_code(self.dtype), element_code(self.weight_dtype), element_code(self.out_dtype)
        if weight != self.dtype_of:
            check_element(self.dtype, self.dtype_of, self.x)
        if not 0 <= d.dtype < PYCONV_DTYPE_COUNT:
            computed_in(self.weight_dtype, weight, self.x if weight == "dtype" else weight)
        if d.y_dtype < 0:
            raise ValueError(f"out_dtype must be {ANY_ELEMENT}, is {self.out_dtype}")
        return 0

    def derive(self, **changes):
        """The same convolution but for some attributes."""
        cdef list values = [None] * len(PROBLEM_WORDS)     # filled in place: where a comprehension has no memory to grow,
        for i, name in enumerate(PROBLEM_WORDS):           # Cython 3.2 frees the value twice
            values[i] = changes.pop(name) if name in changes else getattr(self, name)
        if changes:
            raise TypeError(f"a problem has no {', '.join(changes)}")
        return Problem(*values)    # by position: of 17 keywords or more Cython 3.2 frees what it has not yet filled

    def __reduce__(self):
        return Problem, tuple([getattr(self, name) for name in PROBLEM_WORDS])

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
    def border(self):
        return self.d.border

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


cdef str _range(object dtype):
    """What integers can be; an object, since `kind` of a `cnp.dtype` may be a number."""
    if dtype.kind not in "iu":
        return ""
    info = np.iinfo(dtype)
    return f": whole numbers from {info.min} to {info.max}"


# In the order of Problem's parameters.
cdef tuple PROBLEM_WORDS = (
    "x_shape", "dtype", "weight_shape", "layout", "stride", "padding", "dilation", "groups", "padding_mode", "bounds",
    "algorithm", "accuracy", "max_workspace", "threads", "axes", "x", "dtype_of", "weight_dtype", "out_dtype", "border",
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
