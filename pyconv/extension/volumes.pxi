# SPDX-License-Identifier: BSD-3-Clause
# The part of the extension that volumes call; arrays come checked, C-contiguous and of the problem's types.

from libc.string cimport memset

from pyconv.core.threads cimport MOST_THREADS, allowed_threads, paying_threads
from pyconv.native.volume cimport NUMBERS, axes_t, set_volume_strides, volume_t
from pyconv.native.volume_depthwise cimport (
    depthwise_t, depthwise_volume_init, depthwise_volume_pack, depthwise_volume_packed, depthwise_volume_run,
    depthwise_volume_workspace,
)
from pyconv.native.volume_direct cimport volume_direct_run, volume_row_products, volume_rows
from pyconv.native.volume_slices cimport slices_init, slices_run, slices_runs, slices_t, slices_take, slices_workspace


cdef int64_t _elements(const int64_t *sizes) noexcept:
    return sizes[0] * sizes[1] * sizes[2]


cdef axes_t _axes(tuple numbers) except *:
    """n; of slices, rows and columns sizes, kernel, outputs, stride, dilation, padding before."""
    cdef axes_t a
    cdef int i
    if len(numbers) != NUMBERS:
        raise ValueError(f"volumes are {NUMBERS} numbers, not {len(numbers)}")
    a.n = numbers[0]
    for i in range(3):
        a.size[i], a.kernel[i], a.outputs[i] = numbers[1 + i], numbers[4 + i], numbers[7 + i]
        a.stride[i], a.dilation[i], a.before[i] = numbers[10 + i], numbers[13 + i], numbers[16 + i]
    return a


cdef int _check_volume(cnp.ndarray a, str name, int typenum, int64_t count) except -1:
    """Raises unless kernels may read a as so many elements."""
    if cnp.PyArray_TYPE(a) != typenum or not cnp.PyArray_ISCARRAY_RO(a) or cnp.PyArray_SIZE(a) != count:
        raise ValueError(f"{name} must be {count} contiguous elements of {cnp.PyArray_DescrFromType(typenum)}")
    return 0


def volume_direct(Problem flat not None, tuple numbers not None, cnp.ndarray x not None, cnp.ndarray weight not None,
                  cnp.ndarray bias, cnp.ndarray residual, cnp.ndarray out not None):
    """out = the convolution of x by the plain loop; `flat` is it without its axes, which `numbers` are, see `_axes`."""
    cdef problem_t p
    cdef volume_t v
    cdef task_t t
    cdef int wanted, status
    problem_init(&p, &flat.d)
    p.padding_mode = flat.d.padding_mode    # without an axis there was nothing to pad
    v.a = _axes(numbers)
    set_volume_strides(&v, &p)
    _check_volume(x, "x", flat.dtype.type_num, v.a.n * p.ic * _elements(v.a.size))
    _check_volume(weight, "weight", flat.weight_dtype.type_num, p.oc * p.icg * _elements(v.a.kernel))
    _check_volume(out, "out", flat.out_dtype.type_num, v.a.n * p.oc * _elements(v.a.outputs))
    memset(&t, 0, sizeof(t))
    if bias is not None:
        _check_volume(bias, "bias", flat.weight_dtype.type_num, p.oc)
        t.bias = cnp.PyArray_DATA(bias)
    if residual is not None:
        _check_volume(residual, "residual", flat.out_dtype.type_num, cnp.PyArray_SIZE(out))
        t.residual = cnp.PyArray_DATA(residual)
    if not cnp.PyArray_ISWRITEABLE(out):
        raise ValueError("out is read-only")
    t.p, t.x, t.y, t.weight = &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(out), cnp.PyArray_DATA(weight)
    t.interrupted = interrupted
    wanted = paying_threads(flat.d.threads if flat.d.threads > 0 else MOST_THREADS,
                            16 * volume_row_products(&v, &p) * volume_rows(&v, &p), 0)
    wanted = wanted if wanted == 1 else min(wanted, allowed_threads(flat.d.threads))
    with nogil:
        t.threads = t.slots = run_threads(wanted, flat.d.threads == 0)
        status = volume_direct_run(&t, &v)
    if status == PYCONV_STATUS_INTERRUPTED:
        raise_pending()


cdef int _check_operands(Problem flat, axes_t *a, int64_t ic, int64_t oc, cnp.ndarray x, cnp.ndarray residual,
                         cnp.ndarray out) except -1:
    _check_volume(x, "x", flat.dtype.type_num, a.n * ic * _elements(a.size))
    _check_volume(out, "out", flat.out_dtype.type_num, a.n * oc * _elements(a.outputs))
    if residual is not None:
        _check_volume(residual, "residual", flat.out_dtype.type_num, cnp.PyArray_SIZE(out))
    if not cnp.PyArray_ISWRITEABLE(out):
        raise ValueError("out is read-only")
    return 0


cdef int _check_block(cnp.ndarray workspace, size_t size) except -1:
    if (not cnp.PyArray_ISCARRAY(workspace) or <size_t>cnp.PyArray_NBYTES(workspace) < size
            or size > 0 and <uintptr_t>cnp.PyArray_DATA(workspace) % PYCONV_ALIGNMENT):
        raise ValueError(f"workspace must be {size} writable, contiguous bytes, aligned to 64")
    return 0


SLICED = [ALGORITHM_NAMES[i] for i in range(ALGORITHMS) if slices_take(i)]


cdef class VolumeSlices:
    """
    A convolution of volumes of one group by that of the slices under a slice of the result, as so many more channels.

    Attributes
    ----------
    algorithm, accuracy : str
    workspace_bytes, packed_bytes, threads : int
    multiplications : object
    """

    cdef slices_t s
    cdef Problem window

    def __cinit__(self, Problem window not None, tuple numbers not None, cnp.ndarray weight not None, cnp.ndarray bias):
        """
        window: one slice of the result; weight[oc][t][ic][kh][kw] of what is computed in, and the bias, both contiguous.
        UnsupportedError if it can't be served so.
        """
        cdef pyconv_conv2d_t d = window.d
        cdef problem_t p
        cdef int status
        d.dtype = PYCONV_F64 if d.dtype == PYCONV_F64 else PYCONV_F32
        inner = cnp.NPY_FLOAT64 if d.dtype == PYCONV_F64 else cnp.NPY_FLOAT32
        self.window, self.s.v.a = window, _axes(numbers)
        if d.g != 1 or d.n != 1 or d.algorithm >= 0 and not slices_take(d.algorithm):
            raise UnsupportedError("it does not go by the strides of images that overlap")
        status = problem_init(&p, &d)
        p.ic //= self.s.v.a.kernel[0]
        set_volume_strides(&self.s.v, &p)
        _check_volume(weight, "weight", inner, p.oc * p.k)
        if bias is not None:
            _check_volume(bias, "bias", inner, p.oc)
        status = slices_init(&self.s, &d, table)
        if status == PYCONV_STATUS_OK:
            with nogil:
                status = plan_pack(&self.s.plan, cnp.PyArray_DATA(weight), cnp.PyArray_DATA(bias) if bias is not None else NULL)
        if status == PYCONV_STATUS_NO_MEMORY:
            raise MemoryError(f"cannot allocate {plan_owned_bytes(&self.s.plan, bias is not None)} bytes for packed weights")
        if status != PYCONV_STATUS_OK:
            raise UnsupportedError(
                f"{self.algorithm} can't serve {window.x} {window.x_shape}, weight {window.weight_shape}: "
                f"{reason_against(self.s.plan.algorithm, &self.s.plan.need, &d) or 'max_workspace has no room for the slices'}")

    def __dealloc__(self):
        plan_destroy(&self.s.plan)

    def run(self, cnp.ndarray x not None, cnp.ndarray residual, cnp.ndarray out not None, cnp.ndarray workspace not None):
        """out from x and residual (or None), workspace of `workspace_bytes`, aligned to 64; all contiguous."""
        cdef const char *extra = NULL if residual is None else <const char *>cnp.PyArray_DATA(residual)
        cdef int status
        _check_operands(self.window, &self.s.v.a, self.s.ic, self.s.plan.problem.oc, x, residual, out)
        _check_block(workspace, slices_workspace(&self.s))
        with nogil:
            status = slices_run(&self.s, <const char *>cnp.PyArray_DATA(x), extra, <char *>cnp.PyArray_DATA(out),
                                <char *>cnp.PyArray_DATA(workspace), interrupted)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()

    @property
    def algorithm(self):
        return self.s.plan.algorithm.name.decode()

    @property
    def accuracy(self):
        return pyconv_accuracy_words[self.s.plan.algorithm.accuracy].decode()

    @property
    def images(self):
        """Of the result that are computed at once."""
        return self.s.count

    @property
    def workspace_bytes(self):
        return slices_workspace(&self.s)

    @property
    def packed_bytes(self):
        return plan_packed_bytes(&self.s.plan)

    @property
    def multiplications(self):
        return int(multiplications(&self.s.plan.need)) * <object>slices_runs(&self.s)

    @property
    def threads(self):
        return self.s.plan.threads


def explain_slices(Problem window not None, tuple numbers not None):
    """The row of `explain_rows` of the algorithm that `window` names, for volumes in the way of `VolumeSlices`."""
    cdef pyconv_conv2d_t d = window.d
    cdef slices_t s
    cdef problem_t p
    cdef needs_t *need = &s.plan.need
    memset(&s, 0, sizeof(s))
    d.dtype = PYCONV_F64 if d.dtype == PYCONV_F64 else PYCONV_F32
    problem_init(&p, &d)
    s.v.a = _axes(numbers)
    p.ic //= s.v.a.kernel[0]
    set_volume_strides(&s.v, &p)
    slices_init(&s, &d, table)
    need.workspace = slices_workspace(&s) if need.status != PYCONV_STATUS_UNSUPPORTED else 0
    found = row(s.plan.algorithm, &s.plan.problem, need, s.plan.threads, reason_against(s.plan.algorithm, need, &window.d))
    for key in ("multiplications", "traffic_bytes", "predicted_seconds"):
        if found[key] is not None:
            found[key] *= slices_runs(&s)
    return found


cdef class VolumeDepthwise:
    """
    A convolution of volumes, each channel with one filter, of one floating type, padded with zeros; attributes as above.
    """

    cdef depthwise_t s
    cdef Problem flat
    cdef cnp.ndarray weight
    cdef cnp.ndarray bias
    cdef bint follow_openmp

    def __cinit__(self, Problem flat not None, tuple numbers not None, cnp.ndarray weight not None, cnp.ndarray bias):
        """flat: a slice of the result under one of x; weight[oc][1][t][kh][kw], finite, and bias are kept as they are."""
        cdef const pyconv_conv2d_t *d = &flat.d
        cdef int wanted
        cdef int64_t taps
        if not d.x_dtype == d.dtype == d.y_dtype or d.dtype not in (PYCONV_F32, PYCONV_F64):
            raise UnsupportedError("it serves float32 and float64 only")
        if d.padding_mode != PYCONV_ZEROS or d.icg != 1 or d.g != d.oc:
            raise UnsupportedError("it serves one filter for each channel, and zeros around the volume")
        problem_init(&self.s.p, d)
        self.flat, self.s.v.a = flat, _axes(numbers)
        set_volume_strides(&self.s.v, &self.s.p)
        taps = self.s.v.a.kernel[0] * self.s.p.kh * self.s.p.kw
        _check_volume(weight, "weight", flat.dtype.type_num, self.s.p.oc * taps)
        if bias is not None:
            _check_volume(bias, "bias", flat.dtype.type_num, self.s.p.oc)
        self.s.p.xh, self.s.p.xw, self.s.p.xc = self.s.v.xs[1], self.s.v.xs[2], self.s.v.xc
        self.s.p.yh, self.s.p.yw, self.s.p.yc = self.s.v.ys[1], self.s.v.ys[2], self.s.v.yc
        wanted = paying_threads(d.threads if d.threads > 0 else MOST_THREADS, <double>self.s.v.a.n * self.s.v.yn * taps,
                                <double>self.s.v.a.n * (self.s.v.xn + self.s.v.yn))
        depthwise_volume_init(&self.s, wanted if wanted == 1 else min(wanted, allowed_threads(d.threads)))
        self.follow_openmp = d.threads == 0
        self.weight, self.bias = weight, bias
        if self.s.p.layout == PYCONV_NHWC:
            self.weight = np.empty(depthwise_volume_packed(&self.s), weight.dtype)
            depthwise_volume_pack(&self.s, cnp.PyArray_DATA(weight), cnp.PyArray_DATA(self.weight))
        if d.max_workspace >= 0 and self.workspace_bytes + self.packed_bytes > d.max_workspace:
            raise UnsupportedError(f"it needs {self.workspace_bytes} bytes of workspace and {self.packed_bytes} bytes of packed "
                                   f"weights, max_workspace allows {d.max_workspace}")

    def run(self, cnp.ndarray x not None, cnp.ndarray residual, cnp.ndarray out not None, cnp.ndarray workspace not None):
        """out from x and residual (or None), workspace of `workspace_bytes`, aligned to 64; all contiguous."""
        cdef task_t t
        cdef int status
        _check_operands(self.flat, &self.s.v.a, self.s.p.ic, self.s.p.oc, x, residual, out)
        _check_block(workspace, depthwise_volume_workspace(&self.s))
        memset(&t, 0, sizeof(t))
        t.p, t.x, t.y, t.weight = &self.s.p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(out), cnp.PyArray_DATA(self.weight)
        t.bias = NULL if self.bias is None else cnp.PyArray_DATA(self.bias)
        t.residual = NULL if residual is None else cnp.PyArray_DATA(residual)
        t.workspace = <char *>cnp.PyArray_DATA(workspace)
        t.interrupted = interrupted
        t.slots = self.s.threads
        with nogil:
            t.threads = run_threads(self.s.threads, self.follow_openmp)
            status = depthwise_volume_run(&t, &self.s)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()

    @property
    def algorithm(self):
        return "depthwise"

    @property
    def accuracy(self):
        return "strict"

    @property
    def workspace_bytes(self):
        return depthwise_volume_workspace(&self.s)

    @property
    def packed_bytes(self):
        return cnp.PyArray_NBYTES(self.weight)

    @property
    def multiplications(self):
        return <object>self.s.v.a.n * self.s.v.yn * self.s.v.a.kernel[0] * self.s.p.kh * self.s.p.kw

    @property
    def threads(self):
        return self.s.threads
