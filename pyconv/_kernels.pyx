# SPDX-License-Identifier: BSD-3-Clause
"""The one extension: plans for NumPy arrays over the nogil core in the `.pxd` files beside this one."""

from libc.math cimport isfinite, isinf
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from cython.parallel cimport prange
cimport numpy as cnp

from pyconv._types cimport *
from pyconv._blas cimport PyThread_allocate_lock, gemm, pyconv_blas_lock
from pyconv._choose cimport ALGORITHMS, fill_table, needs, needs_t, seconds, traffic
from pyconv._plan cimport aligned_in, plan_create, plan_destroy, plan_owned_bytes, plan_pack, plan_run, plan_t
from pyconv._rates cimport last_cache_bytes, shipped_rates
from pyconv._simd cimport ISA_COUNT, cache_bytes, isa_level, isa_name, select_kernels
from pyconv cimport _rates, _simd
from pyconv._sizes cimport TOO_LARGE
from pyconv._threads cimport OPENMP, available_threads, note_parallel, watch_forks

import os

import numpy as np

cnp.import_array()

cdef algorithm_t table[ALGORITHMS]
fill_table(table)
pyconv_blas_lock = PyThread_allocate_lock()
watch_forks()

include "_c_api.pxi"

cdef extern from *:
    """
    #ifdef __VERSION__
    #define PYCONV_COMPILER __VERSION__
    #else
    #define PYCONV_COMPILER "unknown"
    #endif
    #if defined(__clang__)
    #define PYCONV_COMPILER_NAME "Clang"
    #elif defined(__GNUC__)
    #define PYCONV_COMPILER_NAME "GCC"
    #else
    #define PYCONV_COMPILER_NAME "C"
    #endif
    static int pyconv_raised(void) { return -1; }
    /* 16 additions, each of the result before it. */
    static uintptr_t pyconv_add_in_turn(uintptr_t x) {
        uintptr_t one = 1;
        for (int i = 0; i < 16; i++) {
            __asm__ volatile("" : "+r"(x), "+r"(one));
            x += one;
        }
        __asm__ volatile("" : "+r"(x));
        return x;
    }
    """
    const char *PYCONV_COMPILER
    const char *PYCONV_COMPILER_NAME
    int raise_pending "pyconv_raised"() except -1
    int PyErr_CheckSignals() noexcept
    uintptr_t add_in_turn "pyconv_add_in_turn"(uintptr_t x) noexcept nogil


cdef dict _words(const char *const *words, int count):
    return {words[i].decode(): i for i in range(count)}


ALGORITHM_NAMES = [table[i].name.decode() for i in range(ALGORITHMS)]
LAYOUTS = _words(pyconv_layout_words, PYCONV_LAYOUT_COUNT)
PADDING_MODES = _words(pyconv_padding_mode_words, PYCONV_PADDING_MODE_COUNT)
ACCURACIES = _words(pyconv_accuracy_words, PYCONV_ACCURACY_COUNT)
DTYPES = _words(pyconv_dtype_words, PYCONV_DTYPE_COUNT)

cdef int[PYCONV_DTYPE_COUNT] type_numbers = [cnp.NPY_FLOAT32, cnp.NPY_FLOAT64, cnp.NPY_FLOAT16]


class UnsupportedError(ValueError):
    """A named algorithm cannot serve this convolution within the bounds given; the text says why."""


cdef bint interrupted() noexcept nogil:
    """Leaves the exception of the signal handler set, for raise_pending()."""
    with gil:
        return PyErr_CheckSignals() != 0


cdef int _dtype_code(cnp.dtype dtype) except -1:
    cdef int code
    for code in range(PYCONV_DTYPE_COUNT):
        if dtype.type_num == type_numbers[code]:
            return code
    raise TypeError(f"x must be float32, float64 or float16, is {dtype}")


cpdef object as_array(object value, str name):
    """value as an ndarray, not copied: through ``__array__``, the buffer protocol or DLPack."""
    if value is None:
        raise TypeError(f"{name} must be an array, is None")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return np.asarray(value)


cpdef cnp.ndarray check_array(object value, str name, int typenum, tuple shape, str like):
    """value as an array of the dtype and shape wanted, not copied."""
    cdef cnp.ndarray a
    if type(value) is not np.ndarray:
        value = as_array(value, name)
    a = value
    if cnp.PyArray_TYPE(a) != typenum:
        raise TypeError(f"{name} is {a.dtype}, {like} is {cnp.PyArray_DescrFromType(typenum)}: dtypes must match")
    if value.shape != shape:
        raise ValueError(f"{name} has shape {value.shape}, wanted {shape}")
    return a


cpdef cnp.ndarray as_operand(cnp.ndarray a, str name):
    """a as the kernels read it: C-contiguous, aligned, in native byte order; copied only if it is not."""
    if cnp.PyArray_ISCARRAY_RO(a):
        return a
    try:
        return np.require(a, a.dtype.newbyteorder("="), ("C", "A"))
    except MemoryError:
        raise MemoryError(f"cannot allocate {a.nbytes} bytes for a contiguous copy of {name}") from None


cpdef check_out(out, cnp.dtype dtype, tuple shape):
    """Raises unless kernels can write to out as it is."""
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be a numpy.ndarray, is {type(out).__name__}")
    if out.dtype != dtype:
        raise ValueError(f"out is {out.dtype}, wanted {dtype} in native byte order")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, wanted {shape}")
    flags = out.flags
    if not flags.c_contiguous:
        raise ValueError(f"out must be C-contiguous, has strides {out.strides} for shape {out.shape}")
    if not flags.aligned:
        raise ValueError(f"out is misaligned: its address is not a multiple of {dtype.alignment}")
    if not flags.writeable:
        raise ValueError("out is read-only")


cpdef refuse_overlap(cnp.ndarray target, str name, tuple operands):
    """operands: names and arrays of the caller's own, or None; they count whether the kernels read them or a copy."""
    for other, operand in operands:
        if operand is not None and np.may_share_memory(target, operand):
            raise ValueError(f"{name} overlaps {other} in memory")


cpdef cnp.ndarray take_workspace(workspace, size_t size, tuple operands):
    """The caller's buffer as an array of bytes that has the size, the alignment and no operand in it."""
    cdef cnp.ndarray block
    try:
        block = np.frombuffer(workspace, np.uint8)
    except (BufferError, TypeError, ValueError) as error:
        raise ValueError(f"workspace must be a writable, contiguous buffer: {error}") from None
    if not cnp.PyArray_ISWRITEABLE(block):
        raise ValueError("workspace must be a writable, contiguous buffer: it is read-only")
    if <size_t>cnp.PyArray_SIZE(block) < size:
        raise ValueError(f"workspace has {cnp.PyArray_SIZE(block)} bytes, this plan needs {size}")
    cdef uintptr_t offset = <uintptr_t>cnp.PyArray_DATA(block) % PYCONV_ALIGNMENT
    if size > 0 and offset:
        raise ValueError(f"workspace starts at an address that is {offset} modulo 64, must be 0")
    refuse_overlap(block, "workspace", operands)
    return block


cpdef cnp.ndarray fresh_workspace(size_t size):
    """size bytes, aligned to 64."""
    try:
        block = np.empty(size + 63, np.uint8)
    except MemoryError:
        raise MemoryError(f"cannot allocate {size} bytes of workspace") from None
    start = -block.ctypes.data % PYCONV_ALIGNMENT
    return block[start:][:size]


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


cdef dict row(const algorithm_t *algorithm, const problem_t *p, const needs_t *need, int threads, str reason):
    """What one algorithm costs; None stands for what has no meaning where it can't serve."""
    cdef bint serves = need.status != PYCONV_STATUS_UNSUPPORTED
    cdef double predicted = seconds(algorithm, p, need, threads) if serves else 0
    if isinf(predicted) and reason is None:
        reason = "auto stays away: with so few channels its error leaves the class"
    cdef double multiplications = algorithm.multiplications(&need.inner)
    return {
        "algorithm": algorithm.name.decode(),
        "source": algorithm.source.decode(),
        "eligible": reason is None,
        "reason": reason,
        "workspace_bytes": need.workspace if serves else None,
        "packed_bytes": need.packed if serves else None,
        "multiplications": int(multiplications) if isfinite(multiplications) else None,
        "traffic_bytes": int(traffic(algorithm, p, need)) if serves else None,
        "accuracy": pyconv_accuracy_words[algorithm.accuracy].decode(),
        "nan_reach": pyconv_nan_reach_words[algorithm.nan_reach].decode(),
        "predicted_seconds": predicted if serves and isfinite(predicted) else None,
    }


def explain_rows(tuple shape, cnp.dtype dtype, tuple wshape, int layout, tuple stride, tuple padding, tuple dilation,
                 object groups, int padding_mode, double lo, double hi, int algorithm, int accuracy, object max_workspace,
                 object threads):
    """
    What every algorithm would cost, and what `auto` chooses.

    Returns
    -------
    (list of dict, str, dict)
        A row for each algorithm in the order of the table; the name of the one chosen; facts of the problem.

    Raises
    ------
    ValueError
        As `Plan`.
    """
    cdef pyconv_conv2d_t d
    cdef plan_t plan
    cdef needs_t need
    cdef int i
    describe(&d, shape, _dtype_code(dtype), wshape, layout, stride, padding, dilation, groups, padding_mode, lo, hi, -1,
             accuracy, max_workspace, threads)
    refuse_invalid(plan_create(&plan, &d, table, False), &d)
    rows = []
    for i in range(ALGORITHMS):
        need = needs(&table[i], &plan.problem, &d, plan.threads, False)
        rows.append(row(&table[i], &plan.problem, &need, plan.threads, reason_against(&table[i], &need, &d)))
    return rows, plan.algorithm.name.decode(), {
        "output_shape": output_shape(&plan.problem, shape),
        "threads": plan.threads,
        "padding": ((d.ph0, d.ph1), (d.pw0, d.pw1)),
    }


cdef enum:
    SPARE_BYTES = 2 << 20     # about what workspaces made for L2 take

# Memory of the workspace that was freed last, under the GIL: from the system each time, its pages would be faulted in
# again by each call, which takes up to a tenth of a small layer.
cdef void *spare = NULL
cdef size_t spare_size = 0


cdef void *_take_block(size_t *size) noexcept:
    """The spare block if it is large enough, whose size is then written to `size`, else a new one; NULL without memory."""
    global spare
    cdef void *block = spare
    if block == NULL or spare_size < size[0]:
        return malloc(size[0])
    size[0] = spare_size
    spare = NULL
    return block


cdef void _give_block(void *block, size_t size) noexcept:
    """Keeps the block if it is larger than the spare one, up to SPARE_BYTES."""
    global spare, spare_size
    if block == NULL or size > SPARE_BYTES or (spare != NULL and spare_size >= size):
        free(block)
        return
    free(spare)
    spare = block
    spare_size = size


cdef class Plan:
    """
    A convolution made ready for one input shape: chosen algorithm and packed weights.

    Made by `pyconv.plan`. Immutable, so that threads may share it; each concurrent call needs a workspace of its own.

    Attributes
    ----------
    algorithm : str
        The name, as in `pyconv.algorithms`.
    input_shape, output_shape : tuple of int
    dtype : numpy.dtype
        Of input, weights and output.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes.
    packed_bytes : int
        Bytes of weights that the plan owns; 0 if it reads the caller's array in place.
    multiplications : int
        Of one call, batch included.
    threads : int
        OpenMP threads of one call.
    accuracy : str
        Error class of the algorithm: ``"strict"``, ``"standard"`` or ``"fast"``.
    address : int
        Of the plan for `pyconv.c_functions`, a ``const pyconv_plan_t *`` that lives as long as this object.
    """

    cdef plan_t plan
    cdef readonly tuple input_shape
    cdef readonly tuple output_shape
    cdef readonly cnp.dtype dtype
    cdef object weight          # kept alive where the plan reads it in place
    cdef tuple operands         # names and arrays of the caller's that out and workspace may not overlap
    cdef int typenum
    cdef int ndim
    cdef cnp.npy_intp dims[32]  # of the output

    def __cinit__(self, tuple shape, cnp.dtype dtype, object weight, object bias, int layout, tuple stride, tuple padding,
                  tuple dilation, object groups, int padding_mode, double lo, double hi, int algorithm, int accuracy,
                  object max_workspace, object threads, bint borrow):
        cdef pyconv_conv2d_t d
        cdef cnp.ndarray w
        cdef cnp.ndarray b = None
        cdef const void *bias_data = NULL
        cdef int status
        cdef int i
        cdef tuple wshape
        self.ndim = len(shape)
        self.input_shape = shape
        self.typenum = type_numbers[_dtype_code(dtype)]
        self.dtype = dtype if dtype.isnative else dtype.newbyteorder("=")
        if type(weight) is not np.ndarray:
            weight = as_array(weight, "weight")
        w = weight
        if cnp.PyArray_TYPE(w) != self.typenum:
            raise TypeError(f"weight is {w.dtype}, x is {dtype}: dtypes must match")
        wshape = weight.shape
        describe(&d, shape, _dtype_code(dtype), wshape, layout, stride, padding, dilation, groups, padding_mode, lo, hi,
                 algorithm, accuracy, max_workspace, threads)
        status = plan_create(&self.plan, &d, table, borrow)
        if status != PYCONV_STATUS_OK:
            self._refuse(status, &d)
        self.output_shape = output_shape(&self.plan.problem, shape)
        for i in range(self.ndim):
            self.dims[i] = self.output_shape[i]
        if bias is not None:
            bias = check_array(bias, "bias", self.typenum, (self.plan.problem.oc,), "x")
            b = as_operand(bias, "bias")
            bias_data = cnp.PyArray_DATA(b)
        w = as_operand(weight, "weight")
        with nogil:
            status = plan_pack(&self.plan, cnp.PyArray_DATA(w), bias_data)
        if status != PYCONV_STATUS_OK:
            raise MemoryError(f"cannot allocate {plan_owned_bytes(&self.plan, bias is not None)} bytes for packed weights")
        if self.plan.need.borrows:
            self.weight = w
        if borrow:
            self.operands = (("weight", weight), ("bias", bias))
        elif self.plan.need.borrows:
            self.operands = (("weight", weight),)
        else:
            self.operands = ()

    def __dealloc__(self):
        plan_destroy(&self.plan)

    cdef _refuse(self, int status, pyconv_conv2d_t *d):
        """Raises what status means, with the numbers."""
        refuse_invalid(status, d)
        problem = f"x {self.input_shape}, weight ({d.oc}, {d.icg}, {d.kh}, {d.kw})"
        raise UnsupportedError(f"{self.plan.algorithm.name.decode()} can't serve {problem}: "
                               f"{reason_against(self.plan.algorithm, &self.plan.need, d)}")

    def __call__(self, x, out=None, workspace=None, residual=None):
        """
        Convolve x.

        Parameters
        ----------
        x : array_like
            Of `input_shape` and `dtype`, in any memory layout.
        out : ndarray, optional
            C-contiguous array of `output_shape` and `dtype` that overlaps no operand.
        workspace : buffer, optional
            Writable, aligned to 64 bytes, of at least `workspace_bytes`; see `new_workspace`. Without it the call
            allocates its own; the process keeps one of at most 2 MB for the next call.
        residual : array_like, optional
            Of `output_shape`, added before the activation.

        Returns
        -------
        ndarray
            `out`, or a new array of `output_shape`.

        Raises
        ------
        TypeError
            If a dtype differs from the plan's.
        ValueError
            If a shape differs from the plan's, or `out` or `workspace` does not fit.
        MemoryError
            With the bytes asked for.
        """
        cdef cnp.ndarray given = check_array(x, "x", self.typenum, self.input_shape, "the plan")
        cdef cnp.ndarray given_residual = None
        cdef cnp.ndarray a, y, block
        cdef cnp.ndarray r = None
        cdef const void *residual_data = NULL
        cdef void *buffer = NULL
        cdef void *own = NULL
        cdef size_t size = self.plan.need.workspace
        cdef size_t own_size = 0
        cdef int status
        if residual is not None:
            given_residual = check_array(residual, "residual", self.typenum, self.output_shape, "the plan")
        if out is None:
            try:
                y = cnp.PyArray_SimpleNew(self.ndim, self.dims, self.typenum)
            except (MemoryError, ValueError):
                raise MemoryError(f"cannot allocate {self._output_bytes()} bytes for an output of shape {self.output_shape}") \
                    from None
        else:
            check_out(out, self.dtype, self.output_shape)
            y = out
            refuse_overlap(y, "out", (("x", given), ("residual", given_residual), *self.operands))
        a = as_operand(given, "x")
        if residual is not None:
            r = as_operand(given_residual, "residual")
            residual_data = cnp.PyArray_DATA(r)
        if workspace is not None:
            block = take_workspace(workspace, size,
                                   (("out", y), ("x", given), ("residual", given_residual), *self.operands))
            buffer = cnp.PyArray_DATA(block)
        elif size > 0:
            own_size = size + 63
            own = _take_block(&own_size)
            if own == NULL:
                raise MemoryError(f"cannot allocate {size} bytes of workspace")
            buffer = aligned_in(own)
        with nogil:
            status = plan_run(&self.plan, cnp.PyArray_DATA(a), residual_data, cnp.PyArray_DATA(y), buffer, interrupted)
        _give_block(own, own_size)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()
        return y

    cdef size_t _output_bytes(self):
        return self.plan.problem.n * self.plan.problem.yn * self.plan.problem.itemsize

    def new_workspace(self):
        """A fresh buffer for one call at a time: uint8, aligned to 64 bytes, exactly `workspace_bytes` long."""
        return fresh_workspace(self.plan.need.workspace)

    @property
    def algorithm(self):
        return self.plan.algorithm.name.decode()

    @property
    def workspace_bytes(self):
        return self.plan.need.workspace

    @property
    def packed_bytes(self):
        return self.plan.need.packed

    @property
    def multiplications(self):
        return int(self.plan.algorithm.multiplications(&self.plan.need.inner))

    @property
    def threads(self):
        return self.plan.threads

    @property
    def accuracy(self):
        return pyconv_accuracy_words[self.plan.algorithm.accuracy].decode()

    @property
    def address(self):
        return <uintptr_t>&self.plan

    def __repr__(self):
        return f"<pyconv.Plan {self.algorithm} {self.dtype} {self.input_shape} -> {self.output_shape}>"

    def __str__(self):
        cdef problem_t *p = &self.plan.problem
        cost = row(self.plan.algorithm, p, &self.plan.need, self.plan.threads, None)
        return "\n".join((
            f"{self.algorithm}: {self.input_shape} -> {self.output_shape}, {self.dtype}, "
            f"{pyconv_layout_words[p.layout].decode()}",
            f"  kernel {p.kh}x{p.kw}, {p.oc} filters of {p.icg} channels, groups {p.g}, stride ({p.sh}, {p.sw}), "
            f"dilation ({p.dh}, {p.dw}), padding (({p.ph0}, {p.ph1}), ({p.pw0}, {p.pw1})) "
            f"{pyconv_padding_mode_words[p.padding_mode].decode()}",
            f"  workspace {self.workspace_bytes:,} bytes, packed weights {self.packed_bytes:,} bytes",
            f"  multiplications {self.multiplications:,}, memory traffic {cost['traffic_bytes']:,} bytes, predicted "
            f"{(cost['predicted_seconds'] or float('nan')) * 1e3:.4g} ms",
            f"  threads {self.threads}, accuracy {self.accuracy}, "
            f"a NaN reaches its {pyconv_nan_reach_words[self.plan.algorithm.nan_reach].decode()}",
        ))


include "_operators.pxi"


def set_isa(str name=None):
    """
    Use the kernels of an instruction set, or of the best below it that this machine runs, for the plans made from now on.

    A hook for tests; callers set the environment variable ``PYCONV_ISA`` before the import.

    Parameters
    ----------
    name : {"scalar", "neon", "avx2", "avx512"}, optional
        By default the best.

    Returns
    -------
    str
        The instruction set now in use.

    Raises
    ------
    ValueError
        For a name that is none of these.
    """
    level = ISA_COUNT - 1
    if name is not None:
        level = isa_level(name.encode())
        if level < 0:
            names = ", ".join(isa_name(i).decode() for i in range(ISA_COUNT))
            raise ValueError(f"the instruction set must be one of {names}, is {name!r}")
    _simd.kernels = select_kernels(level)
    set_rates()
    return _simd.kernels.isa.decode()


def rates():
    """The constants of the cost model in use, as a dict; see `_rates.pxd`."""
    return <dict>_rates.rates


def set_rates(dict given=None):
    """Use these rates, or those shipped for the instruction set in use, for the plans made from now on."""
    if given is None:
        _rates.rates = shipped_rates(_simd.kernels.level > 0, select_kernels(ISA_COUNT - 1).f32.lanes)
    else:
        _rates.rates = given


set_isa(os.environ.get("PYCONV_ISA") or None)


def multiply_add(Py_ssize_t steps):
    """
    Multiply and add in registers alone, the most that a core of this machine can do; for benchmarks to time.

    Parameters
    ----------
    steps : int
        Length of the loop.

    Returns
    -------
    float
        Floating-point operations done, in float32. The GIL is released meanwhile.
    """
    cdef float sink[64]
    cdef double flops
    with nogil:
        flops = _simd.kernels.f32.fma_peak(steps, sink)
    return flops


def lanes():
    """float32 lanes of a vector of the instruction set in use."""
    return _simd.kernels.f32.lanes


def cache_sizes():
    """Bytes of the second and the last level of cache, as far as the system tells."""
    return cache_bytes(2), last_cache_bytes()


def multiply_matrices(int size, Py_ssize_t calls):
    """
    Call BLAS for float32 matrices of size x size; for `calibrate` to time.

    Returns
    -------
    float
        Floating-point operations done. The GIL is released meanwhile.
    """
    cdef float[:, ::1] a = np.ones((3, size * size), np.float32)
    cdef Py_ssize_t _i
    with nogil:
        for _i in range(calls):
            gemm(False, False, size, size, size, &a[0, 0], size, &a[1, 0], size, &a[2, 0], size)
    return 2.0 * size * size * size * calls


def spin(Py_ssize_t steps):
    """
    A chain of additions of 64-bit integers; for `calibrate` to time.

    Returns
    -------
    float
        Cycles that it takes on a core which adds in one.
    """
    cdef Py_ssize_t _i
    cdef uintptr_t x = 1
    with nogil:
        for _i in range(steps):
            x = add_in_turn(x)
    return 16.0 * steps


def run_loops(int threads, Py_ssize_t loops):
    """Start and join so many threads, again and again; for `calibrate` to time."""
    cdef Py_ssize_t _i
    cdef int thread
    with nogil:
        note_parallel(threads)
        for _i in range(loops):
            for thread in prange(threads, num_threads=threads, schedule="static"):
                add_in_turn(thread)


def build_info():
    """What this extension was built with, and what it would run on now."""
    best = select_kernels(ISA_COUNT - 1)
    return {
        "compiler": f"{PYCONV_COMPILER_NAME.decode()} {PYCONV_COMPILER.decode()}",
        "instruction sets": [isa_name(i).decode() for i in range(best.level + 1) if select_kernels(i).level == i],
        "instruction set in use": _simd.kernels.isa.decode(),
        "tile": f"{_simd.kernels.f32.mr}x{_simd.kernels.f32.nr} float32, {_simd.kernels.f64.mr}x{_simd.kernels.f64.nr} float64",
        "openmp": OPENMP,
        "threads": available_threads(),
    }
