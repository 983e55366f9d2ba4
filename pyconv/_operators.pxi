# SPDX-License-Identifier: BSD-3-Clause
# The part of the extension that operators other than conv2d call; arrays come checked.

from libc.math cimport INFINITY
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from pyconv._op_backward_weight cimport gradient_run
from pyconv._op_backward_weight_cut cimport gradient_init, gradient_t
from pyconv._op_separable cimport separable_init, separable_run, separable_t, separable_workspace
from pyconv._op_transpose cimport copy_strided, copy_t
from pyconv._problem cimport problem_init
from pyconv._threads cimport run_threads


def copy_array(cnp.ndarray src, cnp.ndarray dst, int threads):
    """dst[...] = src for two arrays of 5 dimensions, one dtype, and strides that are multiples of its size."""
    cdef copy_t c
    cdef int i
    cdef Py_ssize_t size = cnp.PyArray_ITEMSIZE(src)
    cdef const void *a = cnp.PyArray_DATA(src)
    cdef void *b = cnp.PyArray_DATA(dst)
    for i in range(5):
        c.shape[i] = cnp.PyArray_DIM(src, i)
        c.from_[i] = cnp.PyArray_STRIDE(src, i) // size
        c.to[i] = cnp.PyArray_STRIDE(dst, i) // size
    with nogil:
        threads = run_threads(threads, False)
        if size == 2:
            copy_strided(&c, <const uint16_t *>a, <uint16_t *>b, threads)
        elif size == 4:
            copy_strided(&c, <const uint32_t *>a, <uint32_t *>b, threads)
        else:
            copy_strided(&c, <const uint64_t *>a, <uint64_t *>b, threads)


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
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes.
    multiplications : int
    """

    cdef gradient_t gradient
    cdef int typenum
    cdef object __weakref__
    cdef readonly tuple x_shape
    cdef readonly tuple dy_shape
    cdef readonly tuple output_shape
    cdef readonly cnp.dtype dtype

    def __cinit__(self, tuple x_shape, tuple weight_shape, cnp.dtype dtype, int layout, tuple stride, tuple padding,
                  tuple dilation, object groups, object max_workspace, object threads):
        cdef pyconv_conv2d_t d
        cdef problem_t p
        describe(&d, x_shape, _dtype_code(dtype), weight_shape, layout, stride, padding, dilation, groups, PYCONV_ZEROS,
                 -INFINITY, INFINITY, -1, PYCONV_STRICT, max_workspace, threads)
        refuse_invalid(problem_init(&p, &d), &d)
        gradient_init(&self.gradient, &p, d.threads)
        if d.max_workspace >= 0 and self.gradient.workspace > <size_t>d.max_workspace:
            raise UnsupportedError(f"the gradient of weight {weight_shape} needs {self.gradient.workspace} bytes of workspace "
                                   f"for x {x_shape}, max_workspace allows {d.max_workspace}")
        self.typenum = type_numbers[d.dtype]
        self.dtype = dtype.newbyteorder("=")
        self.x_shape, self.output_shape = x_shape, weight_shape
        self.dy_shape = output_shape(&p, x_shape)

    def __call__(self, x, dy, out=None, workspace=None):
        """
        The gradient for one x and one dy.

        Parameters
        ----------
        x, dy : array_like
            Of `x_shape` and `dy_shape`, and `dtype`.
        out : ndarray, optional
            C-contiguous array of `output_shape` and `dtype` that overlaps neither.
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
        cdef cnp.ndarray given = check_array(x, "x", self.typenum, self.x_shape, "the plan")
        cdef cnp.ndarray given_dy = check_array(dy, "dy", self.typenum, self.dy_shape, "the plan")
        cdef cnp.ndarray a, b, dw, block
        cdef int status
        dw, block = take_buffers(out, self.output_shape, self.dtype, workspace, self.gradient.workspace,
                                 (("x", given), ("dy", given_dy)))
        if self.gradient.p.n == 0:
            dw.fill(0)
            return dw
        a, b = as_operand(given, "x"), as_operand(given_dy, "dy")
        with nogil:
            status = gradient_run(&self.gradient, cnp.PyArray_DATA(a), cnp.PyArray_DATA(b), cnp.PyArray_DATA(dw),
                                  cnp.PyArray_DATA(block), interrupted)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()
        return dw

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        raise TypeError("a plan is cut for this machine and can't be pickled: make it anew")

    def new_workspace(self):
        """A fresh buffer for one call at a time: uint8, aligned to 64 bytes, exactly `workspace_bytes` long."""
        return fresh_workspace(self.gradient.workspace)

    @property
    def workspace_bytes(self):
        return self.gradient.workspace

    @property
    def multiplications(self):
        return self.gradient.p.n * self.gradient.p.yn * self.gradient.p.k

    def __repr__(self):
        return f"<pyconv.WeightGradientPlan {self.dtype} {self.x_shape}, {self.dy_shape} -> {self.output_shape}>"


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

    def __cinit__(self, Plan first, Plan second):
        self.first, self.second = first, second
        self.serves = separable_init(&self.pair, &first.plan, &second.plan)

    @property
    def workspace_bytes(self):
        return separable_workspace(&self.pair) if self.serves else 0

    def run(self, cnp.ndarray x, cnp.ndarray residual, cnp.ndarray out, cnp.ndarray workspace):
        """out from x and residual (or None), all checked; workspace of `workspace_bytes`, aligned to 64."""
        cdef const void *extra = NULL if residual is None else cnp.PyArray_DATA(residual)
        cdef int status = PYCONV_STATUS_OK
        if self.first.plan.problem.n > 0:
            with nogil:
                status = separable_run(&self.pair, cnp.PyArray_DATA(x), extra, cnp.PyArray_DATA(out),
                                       cnp.PyArray_DATA(workspace), interrupted)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()
