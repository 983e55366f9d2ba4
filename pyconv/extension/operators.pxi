# SPDX-License-Identifier: BSD-3-Clause
# The part of the extension that operators other than conv2d call; arrays come checked.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from pyconv.native.gradients cimport (
    GRADIENTS, choose_gradient, gradient_bound, gradient_cut, gradient_in_class, gradient_refuses,
    gradient_row, gradient_row_t, gradient_traffic, weight_gradient_run, weight_gradient_t,
)
from pyconv.native.winograd_gradient_cut cimport all_points
from pyconv.native.separable cimport separable_init, separable_run, separable_t, separable_workspace
from pyconv.native.border cimport fold_images, pad_images
from pyconv.native.channel_sums cimport channel_sums, sums_t
from pyconv.native.copy cimport AXES, copy_strided, copy_t
from pyconv.core.problem cimport is_empty
from pyconv.core.sizes cimport aligned, plus
from pyconv.core.threads cimport allowed_threads, paying_threads, run_threads


cdef int _demand(cnp.ndarray a, str name, int typenum, tuple shape, bint written) except -1:
    """Raises unless kernels may read a, or write it, as it is."""
    if cnp.PyArray_TYPE(a) != typenum or not cnp.PyArray_ISCARRAY_RO(a) or written and not cnp.PyArray_ISWRITEABLE(a):
        raise ValueError(f"{name} must be a contiguous array of {cnp.PyArray_DescrFromType(typenum)}")
    if not _has_shape(a, shape):
        raise ValueError(f"{name} has shape {shape_of(a)}, wanted {shape}")
    return 0


def strided(cnp.ndarray a not None, tuple shape not None, tuple strides not None):
    """
    A view from the first element of `a` on, of this shape and these strides in bytes, which must stay inside it.

    NumPy's `as_strided` ends the process where memory does.
    """
    cdef cnp.npy_intp[AXES] dims
    cdef cnp.npy_intp[AXES] steps
    cdef int flags = cnp.NPY_ARRAY_WRITEABLE if cnp.PyArray_ISWRITEABLE(a) else 0
    cdef int i
    if not len(shape) == len(strides) <= AXES:
        raise ValueError(f"can't view {len(shape)} axes by {len(strides)} strides, of at most {AXES}")
    for i in range(len(shape)):
        dims[i], steps[i] = shape[i], strides[i]
    cdef cnp.ndarray view = cnp.PyArray_New(cnp.ndarray, len(shape), dims, cnp.PyArray_TYPE(a), steps, cnp.PyArray_DATA(a), 0,
                                            flags, None)
    cnp.set_array_base(view, a)
    return view


def copy_array(cnp.ndarray src not None, cnp.ndarray dst not None, int threads):
    """dst[...] = src for two arrays of at most 8 dimensions, one dtype, and strides that are multiples of its size."""
    cdef copy_t c
    cdef int i
    cdef int axis = AXES
    cdef Py_ssize_t size = cnp.PyArray_ITEMSIZE(src)
    cdef const void *a = cnp.PyArray_DATA(src)
    cdef void *b = cnp.PyArray_DATA(dst)
    _check_copy(src, dst)
    for i in range(cnp.PyArray_NDIM(src) - 1, -1, -1):
        if cnp.PyArray_DIM(src, i) != 1:
            axis -= 1
            c.shape[axis] = cnp.PyArray_DIM(src, i)
            c.from_[axis] = cnp.PyArray_STRIDE(src, i) // size
            c.to[axis] = cnp.PyArray_STRIDE(dst, i) // size
    for i in range(axis):
        c.shape[i] = 1
        c.from_[i] = c.to[i] = 0
    with nogil:
        threads = run_threads(max(threads, 1), False)
        if size == 1:
            copy_strided(&c, <const uint8_t *>a, <uint8_t *>b, threads)
        elif size == 2:
            copy_strided(&c, <const uint16_t *>a, <uint16_t *>b, threads)
        elif size == 4:
            copy_strided(&c, <const uint32_t *>a, <uint32_t *>b, threads)
        else:
            copy_strided(&c, <const uint64_t *>a, <uint64_t *>b, threads)


cdef int _check_copy(cnp.ndarray src, cnp.ndarray dst) except -1:
    """Raises unless `copy_array` can."""
    cdef int i
    cdef Py_ssize_t size = cnp.PyArray_ITEMSIZE(src)
    cdef bint fits = (cnp.PyArray_NDIM(src) <= AXES and cnp.PyArray_TYPE(src) == cnp.PyArray_TYPE(dst)
                      and element_code(src.dtype) >= 0
                      and _has_shape(dst, shape_of(src))
                      and cnp.PyArray_ISBEHAVED_RO(src) and cnp.PyArray_ISBEHAVED(dst))
    if fits:
        for i in range(cnp.PyArray_NDIM(src)):
            fits = fits and cnp.PyArray_STRIDE(src, i) % size == 0 and cnp.PyArray_STRIDE(dst, i) % size == 0
    if not fits:
        raise ValueError(f"can't copy {src.dtype} {shape_of(src)} to {dst.dtype} {shape_of(dst)}")
    return 0


def bordered(Problem problem not None, size_t room=0):
    """
    The same convolution of images that what stands around them has been laid around; None where that is zeros.

    Its `max_workspace` leaves room for so many bytes.
    """
    cdef problem_t p
    cdef const pyconv_conv2d_t *d = &problem.d
    problem_init(&p, d)
    if p.padding_mode == PYCONV_ZEROS:
        return None
    image = (p.ph0 + p.ih + p.ph1, p.pw0 + p.iw + p.pw1)
    image = (p.ic, *image) if p.layout == PYCONV_NCHW else (*image, p.ic)
    budget = None if d.max_workspace < 0 else max(0, problem.max_workspace - <object>room)
    return problem.derive(x_shape=(*problem.x_shape[:-3], *image), padding=(0, 0, 0, 0), padding_mode=PYCONV_ZEROS, border=0.0,
                          max_workspace=budget)


def fold_border(Problem problem not None, cnp.ndarray padded not None, cnp.ndarray dx not None):
    """
    dx, the gradient of x, from that of x with its border, which continues the image; contiguous arrays of the type computed in.
    """
    cdef problem_t p
    cdef Problem wide = bordered(problem)
    cdef int typenum = cnp.NPY_FLOAT64 if problem.d.dtype == PYCONV_F64 else cnp.NPY_FLOAT32
    cdef int threads = problem.d.threads
    _demand(padded, "padded", typenum, wide.x_shape, False)
    _demand(dx, "dx", typenum, problem.x_shape, True)
    problem_init(&p, &problem.d)
    with nogil:
        threads = run_threads(allowed_threads(threads), threads == 0)
        if p.dtype == PYCONV_F64:
            fold_images(&p, <const double *>cnp.PyArray_DATA(padded), <double *>cnp.PyArray_DATA(dx), threads)
        else:
            fold_images(&p, <const float *>cnp.PyArray_DATA(padded), <float *>cnp.PyArray_DATA(dx), threads)


def sum_channels(cnp.ndarray dy not None, int64_t n, int64_t channels, int64_t pixels, bint last, int threads):
    """
    The sum of each channel in float64, of contiguous float32 or float64 of shape (n, channels, pixels), or (n, pixels, channels)
    if they are `last`; by 0 threads or more, 0 for as many as OpenMP would use.
    """
    cdef sums_t s = sums_t(n, channels, pixels, last)
    cdef int typenum = cnp.PyArray_TYPE(dy)
    cdef cnp.ndarray total = np.zeros(channels)
    cdef double *sums = <double *>cnp.PyArray_DATA(total)
    if typenum not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64):
        raise ValueError(f"dy must be float32 or float64, is {dy.dtype}")
    _demand(dy, "dy", typenum, (n, pixels, channels) if last else (n, channels, pixels), False)
    with nogil:
        threads = run_threads(paying_threads(allowed_threads(threads), 0, <double>n * channels * pixels), threads == 0)
        if typenum == cnp.NPY_FLOAT64:
            channel_sums(&s, <const double *>cnp.PyArray_DATA(dy), sums, threads)
        else:
            channel_sums(&s, <const float *>cnp.PyArray_DATA(dy), sums, threads)
    return total


cdef size_t _budget(const pyconv_conv2d_t *d):
    return <size_t>d.max_workspace if d.max_workspace >= 0 else <size_t>-1


cdef object _gradient_products(const weight_gradient_t *s):
    """Exact: more than a double, or int64, counts one by one."""
    cdef const problem_t *p = &s.p
    if s.row.m == 0:
        return <object>p.n * p.yn * p.k
    tiles = <object>s.tiles.all_images * s.tiles.down * s.tiles.across
    return tiles * all_points(p, &s.tiles) * p.oc * p.icg


cdef str _reason_against(const gradient_row_t *row, const problem_t *p, const pyconv_conv2d_t *d, weight_gradient_t *gradient):
    """Why this algorithm may not make a gradient, with the numbers; None if it may. It is cut unless it refuses."""
    cdef const char *refusal = gradient_refuses(row, p)
    if refusal != NULL:
        return refusal.decode()
    gradient_cut(gradient, p, row, d.threads)
    if row.accuracy > d.accuracy:
        return (f"its accuracy class is {pyconv_accuracy_words[row.accuracy].decode()!r}, "
                f"{pyconv_accuracy_words[d.accuracy].decode()!r} is asked for")
    if not gradient_in_class(gradient):
        return "the bound of its error is above that of its class"
    if d.max_workspace >= 0 and gradient.workspace > <size_t>d.max_workspace:
        return f"it needs {gradient.workspace} bytes of workspace, max_workspace allows {d.max_workspace}"
    return None


cdef int _named_gradient(Problem problem, const problem_t *p, weight_gradient_t *gradient) except -1:
    """The one that was asked for; raises where it can't serve."""
    cdef const pyconv_conv2d_t *d = &problem.d
    cdef gradient_row_t row
    cdef str reason = "gradients of weights are made by " + ", ".join(
        [table[gradient_row(i).code].name.decode() for i in range(GRADIENTS)])
    cdef int i
    for i in range(GRADIENTS):
        row = gradient_row(i)
        if row.code == d.algorithm:
            reason = _reason_against(&row, p, d, gradient)
    if reason is not None:
        raise UnsupportedError(f"algorithm {table[d.algorithm].name.decode()!r} can't make the gradient of weight "
                               f"{problem.weight_shape} for x {problem.x_shape}: {reason}")
    return 0


def weight_gradient_rows(Problem problem not None):
    """
    What every algorithm of a weight's gradient would cost, and what `auto` chooses; as `explain_rows`.
    """
    cdef const pyconv_conv2d_t *d = &problem.d
    cdef problem_t p
    cdef weight_gradient_t s
    cdef gradient_row_t kind
    cdef bint serves
    cdef int i, chosen, threads
    cdef list rows = []
    problem_init(&p, d)
    if p.n == 0 or is_empty(&p):
        raise ValueError(f"x {problem.x_shape} and weight {problem.weight_shape} leave nothing to sum")
    choose_gradient(&s, &p, d.threads, d.accuracy, _budget(d))
    chosen, threads = s.row.code, s.threads
    for i in range(GRADIENTS):
        kind = gradient_row(i)
        serves = gradient_refuses(&kind, &p) == NULL
        reason = _reason_against(&kind, &p, d, &s)
        rows.append({
            "algorithm": table[kind.code].name.decode(),
            "source": table[kind.code].source.decode(),
            "eligible": reason is None,
            "reason": reason,
            "workspace_bytes": s.workspace if serves else None,
            "packed_bytes": 0 if serves else None,
            "multiplications": _gradient_products(&s) if serves else None,
            "traffic_bytes": int(gradient_traffic(&s)) if serves else None,
            "accuracy": pyconv_accuracy_words[kind.accuracy].decode(),
            "error_bound": gradient_bound(&s) if serves else None,
            "nan_reach": "window" if kind.accuracy == PYCONV_STRICT else "tile",
            "predicted_seconds": s.seconds if serves else None,
        })
    return rows, table[chosen].name.decode(), threads


cdef class WeightGradientPlan:
    """
    The gradient of conv2d's weight made ready for one input shape.

    Made by `pyconv.plan_conv2d_backward_weight`. Immutable, so that threads may share it; each concurrent call needs a
    workspace of its own.

    Attributes
    ----------
    x_shape, dy_shape, output_shape : tuple of int
        The last is that of the weight.
    dtype : numpy.dtype
    algorithm, accuracy : str
        The algorithm that serves, and its class.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes.
    multiplications : int
    """

    cdef weight_gradient_t gradient    # of x with its border, where that is not of zeros
    cdef Problem problem
    cdef problem_t image        # x then
    cdef size_t padded          # and the bytes of x with its border, at the beginning of the workspace; else 0
    cdef int typenum
    cdef object __weakref__
    cdef readonly tuple x_shape
    cdef readonly tuple dy_shape
    cdef readonly tuple output_shape
    cdef readonly cnp.dtype dtype

    __class_getitem__ = classmethod(GenericAlias)

    def __cinit__(self, Problem problem not None):
        cdef const pyconv_conv2d_t *d
        cdef problem_t p
        cdef Problem given = problem
        cdef Problem wide = bordered(problem)
        if problem.axes != 2:
            raise ValueError("the gradient of a weight is that of images")
        if not problem.dtype == problem.weight_dtype == problem.out_dtype or problem.d.x_dtype >= PYCONV_DTYPE_COUNT:
            raise TypeError(f"x must be float32, float64 or float16 for a gradient, is {problem.dtype}")
        if wide is not None:
            problem_init(&self.image, &problem.d)
            self.padded = aligned(math.prod(wide.x_shape) * problem.dtype.itemsize)
            problem = bordered(problem, self.padded)
        d = &problem.d
        problem_init(&p, d)
        if p.n == 0 or is_empty(&p):    # nothing to sum, or nowhere to
            self.gradient.p = p
            self.gradient.row = gradient_row(0)
        elif d.algorithm >= 0:
            _named_gradient(problem, &p, &self.gradient)
        else:
            choose_gradient(&self.gradient, &p, d.threads, d.accuracy, _budget(d))
        if given.d.max_workspace >= 0 and self.workspace_bytes > given.max_workspace:
            raise UnsupportedError(f"the gradient of weight {given.weight_shape} needs {self.workspace_bytes} bytes of "
                                   f"workspace for x {given.x_shape}, max_workspace allows {given.max_workspace}")
        self.problem, self.dtype, self.typenum = given, given.dtype, given.dtype.type_num
        self.x_shape, self.dy_shape, self.output_shape = given.x_shape, given.y_shape, given.weight_shape

    def __call__(self, x, dy, out=None, workspace=None):
        """
        The gradient for one x and one dy.

        Parameters
        ----------
        x, dy : array_like
            Of `x_shape` and `dy_shape`, and `dtype`.
        out : ndarray, optional
            Array of `output_shape` and `dtype` that overlaps neither; of any strides, as in `pyconv.Plan`.
        workspace : buffer, optional
            Writable, aligned to 64 bytes, of at least `workspace_bytes`; see `new_workspace`.

        Returns
        -------
        ndarray
            `out`, or a new array of `output_shape`.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As in `pyconv.Plan`.
        """
        cdef cnp.ndarray given = as_array(x, "x")
        cdef cnp.ndarray given_dy = as_array(dy, "dy")
        cdef cnp.ndarray block = None if workspace is None else workspace_array(workspace)
        cdef cnp.ndarray a, b, dw, target
        cdef const void *pixels
        cdef int status
        check_operand(given, "x", self.typenum, self.x_shape, "the plan")
        check_operand(given_dy, "dy", self.typenum, self.dy_shape, "the plan")
        dw, target, block = take_buffers(out, self.output_shape, self.dtype, block, self.workspace_bytes,
                                         (("x", given), ("dy", given_dy)))
        if self.gradient.p.n == 0 or is_empty(&self.gradient.p):
            target.fill(0)
            return deliver(out, dw, target)
        a, b = as_operand(given, "x"), as_operand(given_dy, "dy")
        pixels = cnp.PyArray_DATA(a)
        with nogil:
            if self.padded:
                pad_images(&self.image, pixels, cnp.PyArray_DATA(block),
                           run_threads(self.gradient.threads, self.gradient.follow_openmp))
                pixels = cnp.PyArray_DATA(block)
            status = weight_gradient_run(&self.gradient, pixels, cnp.PyArray_DATA(b), cnp.PyArray_DATA(target),
                                         <char *>cnp.PyArray_DATA(block) + self.padded, interrupted)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()
        return deliver(out, dw, target)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return WeightGradientPlan, (self.problem,)

    def new_workspace(self):
        """A fresh buffer for one call at a time: uint8, aligned to 64 bytes, exactly `workspace_bytes` long."""
        return fresh_workspace(self.workspace_bytes)

    @property
    def workspace_bytes(self):
        return plus(self.padded, self.gradient.workspace)

    @property
    def multiplications(self):
        return _gradient_products(&self.gradient)

    @property
    def algorithm(self):
        return table[self.gradient.row.code].name.decode()

    @property
    def accuracy(self):
        return pyconv_accuracy_words[self.gradient.row.accuracy].decode()

    def __repr__(self):
        return f"<pyconv.WeightGradientPlan {self.algorithm} {self.dtype} {self.x_shape}, {self.dy_shape} -> {self.output_shape}>"


cdef class FusedPair:
    """
    Two plans, depthwise and pointwise, run block by block without the array between them.

    Attributes
    ----------
    serves : bool
        Whether these two can.
    workspace_bytes : int
        Exact size of the workspace of a run, in bytes.
    """

    cdef Plan first
    cdef Plan second
    cdef separable_t pair
    cdef readonly bint serves

    def __cinit__(self, Plan first not None, Plan second not None):
        if first.out_dtype != second.dtype or first.output_shape != second.input_shape:
            raise ValueError(f"the first plan makes {first.out_dtype} {first.output_shape}, the second takes {second.dtype} "
                             f"{second.input_shape}")
        self.first, self.second = first, second
        self.serves = separable_init(&self.pair, &first.plan, &second.plan)

    @property
    def workspace_bytes(self):
        return separable_workspace(&self.pair) if self.serves else 0

    def run(self, cnp.ndarray x not None, cnp.ndarray residual, cnp.ndarray out not None, cnp.ndarray workspace not None):
        """out from x and residual (or None), workspace of `workspace_bytes`, aligned to 64; all contiguous."""
        cdef const void *extra = NULL if residual is None else cnp.PyArray_DATA(residual)
        cdef separable_t pair = self.pair
        cdef plan_t first = self.first.plan
        cdef plan_t second = self.second.plan
        cdef cnp.ndarray w, v
        cdef int status
        if not self.serves:
            raise ValueError("these two plans can't be fused")
        _demand(x, "x", self.first.dtype.type_num, self.first.input_shape, False)
        _demand(out, "out", self.second.out_dtype.type_num, self.second.output_shape, True)
        if residual is not None:
            _demand(residual, "residual", self.second.out_dtype.type_num, self.second.output_shape, False)
        if (not cnp.PyArray_ISCARRAY(workspace) or <uintptr_t>cnp.PyArray_DATA(workspace) % PYCONV_ALIGNMENT
                or <size_t>cnp.PyArray_NBYTES(workspace) < separable_workspace(&self.pair)):
            raise ValueError(f"workspace must be {self.workspace_bytes} writable, contiguous bytes, aligned to 64")
        w, v = self.first._borrowed(), self.second._borrowed()
        if w is not None:
            first.weight = cnp.PyArray_DATA(w)
        if v is not None:
            second.weight = cnp.PyArray_DATA(v)
        pair.first, pair.second = &first, &second
        with nogil:
            status = separable_run(&pair, cnp.PyArray_DATA(x), extra, cnp.PyArray_DATA(out),
                                   cnp.PyArray_DATA(workspace), interrupted)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()
