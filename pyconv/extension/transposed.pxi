# SPDX-License-Identifier: BSD-3-Clause
# A transposed convolution by all its phases at once; arrays come checked.

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from pyconv.core.plan cimport alloc_weights
from pyconv.core.rates cimport pack_seconds, stream_seconds
from pyconv.core.sizes cimport aligned
from pyconv.engines.winograd.blocks cimport winograd_run
from pyconv.native.filters cimport pick_filters, pick_t
from pyconv.native.transposed cimport (
    MOST_PHASES, MOST_TAPS, phase_t, transposed_init, transposed_run, transposed_t, transposed_workspace, whole,
)
from pyconv.native.transposed_depthwise cimport depthwise_serves
from pyconv.native.transposed_windows cimport windows_serves


def predicted(Problem problem not None, bint once):
    """What "auto" would choose, and its seconds, with those of packing the weights if they are for one call."""
    cdef plan_t plan
    if plan_create(&plan, &problem.d, table, once, NULL) != PYCONV_STATUS_OK:
        raise UnsupportedError(f"{plan.algorithm.name.decode()} can't serve weight {problem.weight_shape}")
    cost = seconds(&plan.problem, &plan.need, plan.threads)
    if once:
        cost += pack_seconds(&plan.problem.rates, plan.need.packed)
    return plan.algorithm.name.decode(), cost


def pick_kernel(cnp.ndarray weight not None, tuple rows not None, tuple columns not None, tuple steps not None,
                cnp.ndarray kernel not None):
    """kernel[g, i, j, o, c, r, s] = weight[g*icg + c, o, rows[i] - r*steps[0], columns[j] - s*steps[1]], both contiguous."""
    cdef pick_t p
    cdef cnp.ndarray first = np.array(rows, np.int64)
    cdef cnp.ndarray last = np.array(columns, np.int64)
    cdef const int64_t *top = <const int64_t *>cnp.PyArray_DATA(first)
    cdef const int64_t *left = <const int64_t *>cnp.PyArray_DATA(last)
    cdef const void *a = cnp.PyArray_DATA(weight)
    cdef void *b = cnp.PyArray_DATA(kernel)
    cdef int size = cnp.PyArray_ITEMSIZE(weight)
    cdef bint fits = (cnp.PyArray_NDIM(weight) == 4 and cnp.PyArray_NDIM(kernel) == 7 and cnp.PyArray_ISCARRAY_RO(weight)
                      and cnp.PyArray_ISCARRAY(kernel) and cnp.PyArray_TYPE(weight) == cnp.PyArray_TYPE(kernel)
                      and size in (2, 4, 8))
    if fits:
        p.g, p.down, p.across = cnp.PyArray_DIM(kernel, 0), len(rows), len(columns)
        p.ocg, p.kh, p.kw = cnp.PyArray_DIM(weight, 1), cnp.PyArray_DIM(weight, 2), cnp.PyArray_DIM(weight, 3)
        p.icg, p.rows, p.cols = cnp.PyArray_DIM(kernel, 4), cnp.PyArray_DIM(kernel, 5), cnp.PyArray_DIM(kernel, 6)
        p.step_h, p.step_w = steps
        fits = (shape_of(kernel)[1:4] == (p.down, p.across, p.ocg) and p.g * p.icg == cnp.PyArray_DIM(weight, 0)
                and min(p.step_h, p.step_w) > 0
                and all([(p.rows - 1) * p.step_h <= row < p.kh for row in rows])
                and all([(p.cols - 1) * p.step_w <= column < p.kw for column in columns]))
    if not fits:
        raise ValueError(f"can't pick {kernel.dtype} {shape_of(kernel)} from {weight.dtype} {shape_of(weight)}")
    with nogil:
        if size == 2:
            pick_filters(&p, top, left, <const uint16_t *>a, <uint16_t *>b)
        elif size == 4:
            pick_filters(&p, top, left, <const uint32_t *>a, <uint32_t *>b)
        else:
            pick_filters(&p, top, left, <const uint64_t *>a, <uint64_t *>b)


cdef class Phases:
    """
    All phases of a transposed convolution in one pass over its input.

    forward describes the conv2d whose gradient it is; size are the rows and columns of the input; rows and columns its phases,
    tuples of (first, outputs, last tap, step, length, dilation, before); elsewhere the numbers (row, column) of those that plans
    of their own compute. `once` says that the weights are packed for one call.

    Attributes
    ----------
    algorithm : str or None
        What it is the transpose of; None where nothing here serves.
    workspace_bytes, packed_bytes, multiplications : int
        With those of the plans.
    seconds : float
        Predicted, without the plans; with those of packing if `once`.
    turning_seconds, copying_seconds : float
        Predicted of what it spares: picking the weights of each phase, if `once`, and copying its outputs to their place.
    """

    cdef transposed_t s
    cdef readonly str algorithm
    cdef bint once
    cdef list plans             # (Plan, the offset of its first output in bytes)
    cdef void *owned            # packed weights, then the bias
    cdef const void *weight
    cdef const void *bias
    cdef cnp.ndarray given      # the caller's weight where it is read in place

    def __cinit__(self, Problem forward not None, tuple size not None, list rows not None, list columns not None,
                  tuple elsewhere not None, bint once):
        cdef problem_t p
        cdef int i, j
        self.once, self.plans = once, []
        problem_init(&p, &forward.d)
        if (is_empty(&p) or p.n == 0 or p.x_dtype != p.dtype or p.y_dtype != p.dtype or p.w_dtype != p.dtype
                or not 0 < len(rows) <= MOST_PHASES or not 0 < len(columns) <= MOST_PHASES or p.kh * p.kw > MOST_TAPS):
            return
        self.s.down, self.s.across = len(rows), len(columns)
        for i in range(len(rows)):
            self._set(&self.s.rows[i], rows[i])
        for i in range(len(columns)):
            self._set(&self.s.columns[i], columns[i])
        for i, j in elsewhere:
            self.s.elsewhere[i][j] = True
        transposed_init(&self.s, &p, size[0], size[1], forward.d.threads)
        if self.s.taps == 0:
            self.algorithm = "winograd" if whole(&self.s) else None
        elif depthwise_serves(&self.s):
            self.algorithm = "depthwise"
        elif windows_serves(&self.s, once):
            self.algorithm = "implicit_gemm"

    cdef int _set(self, phase_t *a, tuple phase) except -1:
        a.first, a.outputs, a.last, a.step, a.length, a.dilation, a.before = phase
        return 0

    def __dealloc__(self):
        free(self.owned)

    def leave(self, int row, int column, Plan plan not None):
        """Whether this plan can compute phase (row, column); from now on it does."""
        cdef const plan_t *a = &plan.plan
        cdef size_t first = self.s.rows[row].first * self.s.p.yh + self.s.columns[column].first * self.s.p.yw
        if a.need.stage.pieces > 0 or a.need.second.form != NULL or a.nonfinite or a.need.form.run != winograd_run:
            return False
        self.plans.append((plan, first * self.s.p.itemsize))
        return True

    @property
    def workspace_bytes(self):
        return max([transposed_workspace(&self.s)] + [plan.workspace_bytes for plan, _ in self.plans])

    @property
    def packed_bytes(self):
        return self.s.packed + sum([plan.packed_bytes for plan, _ in self.plans])

    @property
    def multiplications(self):
        each = <object>self.s.p.n * self.s.p.xn * self.s.p.ocg
        return each * self.s.taps + sum([plan.multiplications for plan, _ in self.plans])

    @property
    def seconds(self):
        cdef const problem_t *p = &self.s.p
        cdef double packing = 0
        if self.once:
            packing = pack_seconds(&p.rates, self.s.packed) if self.s.packed > 0 else \
                stream_seconds(&p.rates, <double>p.ic * p.ocg * p.kh * p.kw * p.itemsize)
        return self.s.seconds + packing

    @property
    def turning_seconds(self):
        cdef const problem_t *p = &self.s.p
        cdef double bytes = <double>p.ic * p.ocg * p.kh * p.kw * p.itemsize
        return 2 * pack_seconds(&p.rates, bytes) if self.once else 0

    @property
    def copying_seconds(self):
        cdef const problem_t *p = &self.s.p
        cdef bint alone = self.s.down == self.s.across == 1 and whole(&self.s)
        return 0 if alone else 2 * stream_seconds(&p.rates, <double>p.n * p.yn * p.itemsize)

    def pack(self, cnp.ndarray weight not None, cnp.ndarray bias):
        """Once, before it runs: weight (C, K / groups, R, S), bias (K,) or None, both contiguous and of the dtype computed in."""
        cdef size_t biases = 0 if bias is None else <size_t>cnp.PyArray_NBYTES(bias)
        cdef size_t size = aligned(self.s.packed) + biases
        cdef char *block = NULL
        if size > 0:
            self.owned = alloc_weights(size + 63)
            if self.owned == NULL:
                raise MemoryError(f"cannot allocate {size} bytes for packed weights")
            block = <char *>aligned_in(self.owned)
        if self.s.packed > 0:
            self.weight = block
            with nogil:
                self.s.pack(&self.s, cnp.PyArray_DATA(weight), block)
        elif self.s.taps > 0:
            self.given, self.weight = weight, cnp.PyArray_DATA(weight)
        if bias is not None:
            self.bias = block + aligned(self.s.packed)
            memcpy(block + aligned(self.s.packed), cnp.PyArray_DATA(bias), biases)

    def run(self, cnp.ndarray x not None, cnp.ndarray out not None, cnp.ndarray workspace not None):
        """out from x, both contiguous; workspace of `workspace_bytes`, aligned to 64."""
        cdef int status = PYCONV_STATUS_OK
        if self.s.taps > 0:
            if self.weight == NULL:
                raise ValueError("it has no weights yet")
            with nogil:
                status = transposed_run(&self.s, cnp.PyArray_DATA(x), self.weight, self.bias, cnp.PyArray_DATA(out),
                                        cnp.PyArray_DATA(workspace), interrupted)
        for plan, first in self.plans:
            if status == PYCONV_STATUS_OK:
                status = self._run_plan(plan, x, out, first, workspace)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()

    cdef int _run_plan(self, Plan plan, cnp.ndarray x, cnp.ndarray out, size_t first, cnp.ndarray workspace) except -1:
        """The status of a run whose outputs are those of its phase."""
        cdef plan_t placed = plan.plan
        cdef problem_t *q = &placed.need.inner
        cdef int status
        q.yn, q.yh, q.yw = self.s.p.yn, self.s.p.sh * self.s.p.yh, self.s.p.sw * self.s.p.yw
        with nogil:
            status = plan_run(&placed, cnp.PyArray_DATA(x), NULL, <char *>cnp.PyArray_DATA(out) + first,
                              cnp.PyArray_DATA(workspace), interrupted)
        return status
