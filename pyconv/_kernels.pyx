# SPDX-License-Identifier: BSD-3-Clause
"""The one extension: plans for NumPy arrays over the nogil core in the `.pxd` files beside this one."""

from libc.stdint cimport int64_t, uintptr_t
cimport numpy as cnp

from pyconv.core.types cimport *
from pyconv.core.blas cimport blas_init
from pyconv.core.choose cimport multiplications
from pyconv.core.kernels cimport element_bytes
from pyconv.algorithms.table cimport ALGORITHMS, fill_table
from pyconv.core.plan cimport (
    aligned_in, plan_create, plan_destroy, plan_owned_bytes, plan_pack, plan_packed_bytes, plan_run, plan_t,
)
from pyconv.core.threads cimport watch_forks
from pyconv.core.weights cimport given_bytes

import os
import threading
from types import GenericAlias

import numpy as np

cnp.import_array()

cdef algorithm_t table[ALGORITHMS]
fill_table(table)
if blas_init() != 0 or watch_forks() != 0:
    raise MemoryError("cannot register what a fork must do")

include "extension/c_api.pxi"

cdef extern from "extension/interpreter.h":
    int raise_pending "pyconv_raised"() except -1
    int PyErr_CheckSignals() noexcept
    unsigned long PyThread_get_thread_ident() noexcept nogil
    bint finalizing "PYCONV_FINALIZING"() noexcept nogil

# The thread that handles signals; in a forked child that which forked.
cdef unsigned long main_thread = threading.main_thread().ident


def _after_fork():
    global main_thread
    main_thread = PyThread_get_thread_ident()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class UnsupportedError(ValueError):
    """A named algorithm cannot serve this convolution within the bounds given; the text says why."""


cdef bint interrupted() noexcept nogil:
    """
    Leaves the exception of the signal handler set, for raise_pending().

    Other threads have no signals to handle, and may not ask for the GIL while the interpreter ends.
    """
    if PyThread_get_thread_ident() != main_thread or finalizing():
        return False
    with gil:
        return PyErr_CheckSignals() != 0


include "extension/describe.pxi"
include "extension/arrays.pxi"
include "extension/explain.pxi"


cdef class Plan:
    """
    A convolution made ready for one input shape: chosen algorithm and packed weights.

    Made by `pyconv.plan`. Immutable, so that threads may share it; each concurrent call needs a workspace of its own.

    Attributes
    ----------
    algorithm : str
        The name, as in `pyconv.algorithms`.
    input_shape, output_shape : tuple of int
    dtype, weight_dtype, out_dtype : numpy.dtype
        Of input; of weights and bias; of output and residual.
    workspace_bytes : int
        Exact size of the workspace of a call, in bytes.
    packed_bytes : int
        Bytes of weights that the plan owns, 0 if it reads the caller's array in place, or, where that isn't C-contiguous,
        a copy made in each call; and a bit for each filter and
        tap, if some weight that meets padding is NaN or infinite.
    multiplications : int
        Of one call, batch included.
    threads : int
        Of one call, at most: what was asked for, within the CPUs that could be used when the plan was made.
    accuracy : str
        Error class of the algorithm: ``"strict"``, ``"standard"`` or ``"fast"``.
    passes : int
        2 if depthwise kernels of rank one, which the plan has seen, run down the columns and then along the rows; else 1.
    address : int
        Of the plan for `pyconv.c_functions`, a ``const pyconv_plan_t *`` that lives as long as this object; ValueError if
        the plan copies its weight in each call.
    """

    cdef plan_t plan
    cdef object __weakref__
    cdef readonly tuple input_shape
    cdef readonly tuple output_shape
    cdef readonly cnp.dtype dtype
    cdef readonly cnp.dtype weight_dtype
    cdef readonly cnp.dtype out_dtype
    cdef cnp.ndarray weight     # the caller's, where the plan owns none
    cdef bint copies            # it in each call, since it can't be read in place
    cdef tuple operands         # names and arrays of the caller's that out and workspace may not overlap
    cdef object origin          # what a pickle remakes it from, None in a plan of one call or of a part of another
    cdef int ndim
    cdef cnp.npy_intp dims[32]  # of the output

    __class_getitem__ = classmethod(GenericAlias)   # Plan[numpy.float32], for annotations

    def __cinit__(self, Problem problem not None, object weight, object bias=None, bint single=False, bint borrow=False):
        """For one call only if `single`; it may read the weights in place then, to `borrow` them."""
        cdef cnp.ndarray w = as_array(weight, "weight")
        cdef cnp.ndarray b = as_bias(bias, "bias", problem.weight_dtype)
        cdef const void *bias_data = NULL
        cdef int status
        cdef int i
        self.dtype, self.weight_dtype, self.out_dtype = problem.dtype, problem.weight_dtype, problem.out_dtype
        self.input_shape, self.output_shape = problem.x_shape, problem.y_shape
        self.ndim = len(self.output_shape)
        check_operand(w, "weight", self.weight_dtype.type_num, problem.weight_shape, problem.dtype_of)
        given_weight, given_bias = w, b
        w = as_operand(w, "weight")
        status = plan_create(&self.plan, &problem.d, table, borrow, cnp.PyArray_DATA(w))
        if status != PYCONV_STATUS_OK:
            raise UnsupportedError(
                f"{self.algorithm} can't serve {problem.x} {problem.x_shape}, weight {problem.weight_shape}: "
                f"{reason_against(self.plan.algorithm, &self.plan.need, &problem.d)}")
        for i in range(self.ndim):
            self.dims[i] = self.output_shape[i]
        if b is not None:
            check_operand(b, "bias", self.weight_dtype.type_num, (self.plan.problem.oc,), "weight")
            b = as_operand(b, "bias")
            bias_data = cnp.PyArray_DATA(b)
        with nogil:
            status = plan_pack(&self.plan, cnp.PyArray_DATA(w), bias_data)
        if status == PYCONV_STATUS_OVER_BUDGET:
            raise UnsupportedError(
                f"{self.algorithm} can't serve weights that are NaN or infinite: it needs {self.plan.need.workspace} bytes of "
                f"workspace and {plan_packed_bytes(&self.plan)} bytes of packed weights, max_workspace allows "
                f"{problem.d.max_workspace}")
        if status != PYCONV_STATUS_OK:
            raise MemoryError(f"cannot allocate {plan_owned_bytes(&self.plan, b is not None)} bytes for packed weights")
        if self.plan.need.borrows:
            self.weight = w
            self.copies = not single and cnp.PyArray_DATA(w) != cnp.PyArray_DATA(given_weight)
            if self.copies:
                self.weight, self.plan.weight = given_weight, NULL
        if single:
            self.operands = (("weight", given_weight), ("bias", given_bias))
        elif self.plan.need.borrows:
            self.operands = (("weight", given_weight),)
        else:
            self.operands = ()

    def __dealloc__(self):
        plan_destroy(&self.plan)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        if self.origin is None:
            raise TypeError("this plan is part of another and can't be pickled by itself")
        return self.origin.reduced()

    def __call__(self, x, out=None, workspace=None, residual=None):
        """
        Convolve x.

        Parameters
        ----------
        x : array_like
            Of `input_shape` and `dtype`, in any memory layout.
        out : ndarray, optional
            Array of `output_shape` and `out_dtype`, in native byte order, that overlaps no operand. If it is not C-contiguous
            and aligned, the result is copied to it at the end, from memory that no bound counts.
        workspace : buffer, optional
            Writable, aligned to 64 bytes, of at least `workspace_bytes`; see `new_workspace`. Without it the call
            allocates its own; the process keeps one of at most 2 MB for the next call.
        residual : array_like, optional
            Of `output_shape` and `out_dtype`, added before the activation.

        Returns
        -------
        ndarray
            `out`, or a new array of `output_shape` and `out_dtype`, aligned to 64 bytes.

        Raises
        ------
        TypeError
            If a dtype differs from the plan's.
        ValueError
            If a shape differs from the plan's, or `out` or `workspace` does not fit.
        MemoryError
            With the bytes asked for.
        """
        cdef cnp.ndarray given = as_array(x, "x")
        cdef cnp.ndarray given_residual = as_optional(residual, "residual")
        cdef cnp.ndarray block = None if workspace is None else workspace_array(workspace)
        cdef cnp.ndarray a, y, target
        cdef cnp.ndarray r = None
        cdef cnp.ndarray w
        cdef const plan_t *plan = &self.plan
        cdef plan_t copied
        cdef const void *residual_data = NULL
        cdef void *buffer = NULL
        cdef void *own = NULL
        cdef size_t size = self.plan.need.workspace
        cdef size_t own_size = 0
        cdef int status
        check_operand(given, "x", self.dtype.type_num, self.input_shape, "the plan")
        if given_residual is not None:
            check_operand(given_residual, "residual", self.out_dtype.type_num, self.output_shape, "the result")
        w = self._borrowed()
        if self.copies:
            copied = self.plan
            copied.weight = cnp.PyArray_DATA(w)
            plan = &copied
        if out is None:
            try:
                y = target = fresh_output(self.ndim, self.dims, self.out_dtype.type_num, self._output_bytes())
            except (MemoryError, ValueError):
                raise MemoryError(f"cannot allocate {self._output_bytes()} bytes for an output of shape {self.output_shape}") \
                    from None
        else:
            y = take_out(out, self.out_dtype.type_num, self.output_shape)
            refuse_overlap(y, "out", (("x", given), ("residual", given_residual), *self.operands))
            target = target_for(y)
        a = as_operand(given, "x")
        if given_residual is not None:
            r = as_operand(given_residual, "residual")
            residual_data = cnp.PyArray_DATA(r)
        if block is not None:
            check_workspace(block, size, (("out", y), ("x", given), ("residual", given_residual), *self.operands))
            buffer = cnp.PyArray_DATA(block)
        elif size > 0:
            own_size = size + 63
            own = _take_block(&own_size)
            if own == NULL:
                raise MemoryError(f"cannot allocate {size} bytes of workspace")
            buffer = aligned_in(own)
        with nogil:
            status = plan_run(plan, cnp.PyArray_DATA(a), residual_data, cnp.PyArray_DATA(target), buffer, interrupted)
        _give_block(own, own_size)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()
        return deliver(out, y, target)

    cdef cnp.ndarray _borrowed(self):
        """
        The weights that the plan reads and doesn't own, or None: the caller's, or a copy of what they are now.

        They are still where they were: resize(refcheck=False) frees them behind the plan's back.
        """
        cdef cnp.ndarray w = self.weight
        if not self.plan.need.borrows:
            return None
        if ((not self.copies and cnp.PyArray_DATA(w) != self.plan.weight)
                or <size_t>cnp.PyArray_NBYTES(w) < given_bytes(&self.plan.problem)):
            raise ValueError("weight, which this plan reads in place, has been resized")
        return as_operand(w, "weight") if self.copies else w

    cdef size_t _output_bytes(self):
        return self.plan.problem.n * self.plan.problem.yn * element_bytes(self.plan.problem.y_dtype)

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
        return plan_packed_bytes(&self.plan)

    @property
    def multiplications(self):
        return int(multiplications(&self.plan.need))

    @property
    def threads(self):
        return self.plan.threads

    @property
    def passes(self):
        return 2 if self.plan.need.second.form != NULL else 1

    @property
    def accuracy(self):
        cdef bint rounded = self.plan.need.second.form != NULL and not self.plan.exactly
        return pyconv_accuracy_words[PYCONV_STANDARD if rounded else self.plan.algorithm.accuracy].decode()

    @property
    def address(self):
        if self.copies:
            raise ValueError("this plan copies its weight in each call, since the array isn't C-contiguous and max_workspace has "
                             "no room for a copy to keep: pass a C-contiguous one")
        return <uintptr_t>&self.plan

    def __repr__(self):
        types = type_words(self.dtype, self.weight_dtype, self.out_dtype)
        return f"<pyconv.Plan {self.algorithm} {types} {self.input_shape} -> {self.output_shape}>"

    def __str__(self):
        cdef problem_t *p = &self.plan.problem
        cost = row(self.plan.algorithm, p, &self.plan.need, self.plan.threads, None)
        return "\n".join((
            f"{self.algorithm}: {self.input_shape} -> {self.output_shape}, "
            f"{type_words(self.dtype, self.weight_dtype, self.out_dtype)}, "
            f"{pyconv_layout_words[p.layout].decode()}",
            f"  kernel {p.kh}x{p.kw}, {p.oc} filters of {p.icg} channels, groups {p.g}, stride ({p.sh}, {p.sw}), "
            f"dilation ({p.dh}, {p.dw}), padding (({p.ph0}, {p.ph1}), ({p.pw0}, {p.pw1})) "
            f"{border_words(p.padding_mode, p.border)}",
            *(["  of rank one: down the columns, then along the rows"] if self.passes == 2 else []),
            f"  workspace {self.workspace_bytes:,} bytes, packed weights {self.packed_bytes:,} bytes",
            f"  multiplications {self.multiplications:,}, memory traffic {cost['traffic_bytes']:,} bytes, predicted "
            f"{cost['predicted_seconds'] * 1e3:.4g} ms",
            f"  threads {self.threads}, accuracy {self.accuracy}, "
            f"a NaN reaches its {pyconv_nan_reach_words[self.plan.algorithm.nan_reach].decode()}",
        ))


def remember(plan, origin):
    """A pickle of plan, new, is what origin, of `pyconv._pickling`, says."""
    if isinstance(plan, Plan):
        (<Plan>plan).origin = origin
    else:
        vars(plan)["_origin"] = origin


include "extension/operators.pxi"
include "extension/transposed.pxi"
include "extension/volumes.pxi"
include "extension/program.pxi"
include "extension/machine.pxi"
include "extension/measure.pxi"
