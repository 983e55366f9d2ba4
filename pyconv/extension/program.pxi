# SPDX-License-Identifier: BSD-3-Clause
# Program: the steps of a network between two of its seams, run one after the other in one block of memory without the GIL.

from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from pyconv.core.kernels cimport POINT_CLAMP, POINT_GATE, POINT_LEAK, POINT_SIGMOID, POINT_SILU
from pyconv.native.steps cimport (
    MOST_COLS,
    STEP_CONV, STEP_COPY, STEP_MEAN, STEP_PAIR, STEP_POINT, STEP_POOL, STEP_REPEAT, STEP_TURN, address_t, step_run, step_t,
)

STEPS = {"conv": STEP_CONV, "pair": STEP_PAIR, "point": STEP_POINT, "mean": STEP_MEAN, "repeat": STEP_REPEAT,
         "copy": STEP_COPY, "turn": STEP_TURN, "pool": STEP_POOL}
CURVES = {"clamp": POINT_CLAMP, "gate": POINT_GATE, "leak": POINT_LEAK, "sigmoid": POINT_SIGMOID, "silu": POINT_SILU}


cdef inline double _seconds_now() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + 1e-9 * now.tv_nsec


cdef class Program:
    """
    Steps over values that lie in a block of memory or in arrays of the caller's.

    Parameters
    ----------
    values : list of (int, int, int)
        Of each value the number of the caller's array that it is, or -1; its offset in the block; its bytes.
    steps : list of dict
        ``kind``, a word of `STEPS`, and what the kind wants of ``plan`` (a `Plan` or `FusedPair`), ``x``, ``other``,
        ``scale``, ``y`` (numbers of values), ``curve`` (a word of `CURVES`), ``p q lo hi r s``, and the integers of
        native/steps.pxd.
    arrays : int
        How many the caller gives to a run.
    workspace : (int, int)
        Offset and bytes in the block.
    threads : int or None
        Of a run at most; None: what OpenMP says.

    Attributes
    ----------
    block_bytes : int
        Of the block that a run needs, aligned to 64.
    """

    cdef step_t *steps
    cdef int64_t count
    cdef int64_t value_count
    cdef int64_t *places             # [values][4]: array or -1, offset, bytes, whether it is written
    cdef list kept                   # the plans
    cdef int64_t arrays
    cdef size_t workspace
    cdef readonly size_t block_bytes

    def __cinit__(self, list values not None, list steps not None, int arrays, tuple workspace not None, threads=None):
        cdef int64_t i, size
        cdef int64_t *place
        self.count, self.value_count, self.arrays = len(steps), len(values), arrays
        self.workspace = workspace[0]
        self.block_bytes = workspace[0] + workspace[1]
        self.kept = [step.get("plan") for step in steps]
        self.steps = <step_t *>malloc(max(self.count, 1) * sizeof(step_t))
        self.places = <int64_t *>malloc(max(self.value_count, 1) * 4 * sizeof(int64_t))
        if self.steps == NULL or self.places == NULL:
            raise MemoryError(f"cannot allocate {self.count} steps")
        for i in range(self.value_count):
            place = self.places + 4 * i
            place[0], place[1], place[2] = values[i]
            place[3] = 0
            if not -1 <= place[0] < arrays or place[1] < 0 or place[2] < 0:
                raise ValueError(f"value {i} is {values[i]}")
            if place[0] < 0:
                self.block_bytes = max(self.block_bytes, <size_t>(place[1] + place[2]))
        if self.workspace % PYCONV_ALIGNMENT:
            raise ValueError(f"the workspace begins at {self.workspace}, no multiple of 64")
        for i in range(self.count):
            self._set(&self.steps[i], steps[i], workspace[1])
            self.places[4 * self.steps[i].y + 3] = 1
            self.steps[i].threads = threads or 65536
            self.steps[i].follow_openmp = threads is None

    cdef int _set(self, step_t *s, dict given, size_t workspace) except -1:
        """One step, whose values are large enough for it."""
        cdef Plan plan
        cdef FusedPair pair
        memset(s, 0, sizeof(step_t))
        s.kind = STEPS[given["kind"]]
        s.x, s.y = given["x"], given["y"]
        s.other, s.scale = given.get("other", -1), given.get("scale", -1)
        if s.x < 0 or s.y < 0:
            raise ValueError(f"a step from value {s.x} to value {s.y}")
        if s.kind == STEP_CONV:
            plan = given["plan"]
            if plan.copies:
                raise ValueError("a plan that copies its weight in each call can't be a step")
            s.plan = &plan.plan
            self._demand_plan(s, plan, plan, workspace, plan.workspace_bytes)
            return 0
        if s.kind == STEP_PAIR:
            pair = given["plan"]
            if not pair.serves or pair.first.copies or pair.second.copies:
                raise ValueError("these two plans can't be fused")
            s.pair = &pair.pair
            self._demand_plan(s, pair.first, pair.second, workspace, pair.workspace_bytes)
            return 0
        s.images, s.rows, s.cols = given["images"], given["rows"], given["cols"]
        s.curve.by_column = given.get("by_column", False)
        if min(s.images, s.rows, s.cols) < 1:
            raise ValueError(f"a step of {s.images} images of {s.rows}x{s.cols}")
        size = s.images * s.rows * s.cols
        if s.kind == STEP_POINT:
            s.curve.kind = CURVES[given["curve"]]
            s.curve.p, s.curve.q, s.curve.r, s.curve.s = given["p"], given["q"], given["r"], given["s"]
            s.curve.lo, s.curve.hi = given["lo"], given["hi"]
            s.scale_images = given.get("scale_images", s.images)
            self._demand(s.y, size)
            self._demand(s.other, size)
            if s.scale_images not in (1, s.images):
                raise ValueError(f"scales of {s.scale_images} images for {s.images}")
            self._demand(s.scale, s.scale_images * (s.cols if s.curve.by_column else s.rows))
        elif s.kind == STEP_MEAN:
            self._demand(s.y, s.images * (s.cols if s.curve.by_column else s.rows))
        elif s.kind == STEP_REPEAT:
            s.inner, s.tall, s.wide = given["inner"], given["tall"], given["wide"]
            if min(s.inner, s.tall, s.wide) < 1:
                raise ValueError(f"a step of {s.inner} elements {s.tall}x{s.wide} times")
            size *= s.inner
            self._demand(s.y, size * s.tall * s.wide)
        elif s.kind == STEP_POOL:
            s.inner, s.tall, s.wide, s.sh, s.sw = (given[word] for word in ("inner", "tall", "wide", "sh", "sw"))
            s.ph, s.pw, s.oh, s.ow = (given[word] for word in ("ph", "pw", "oh", "ow"))
            s.mean, s.whole = given["mean"], given["whole"]
            # Every window has a pixel of the image: its first row and column, or the padding, are not far off.
            if (min(s.inner, s.tall, s.wide, s.sh, s.sw, s.oh, s.ow) < 1 or s.cols > MOST_COLS and s.inner == 1
                    or not (0 <= s.ph < s.tall and 0 <= s.pw < s.wide)
                    or (s.oh - 1) * s.sh - s.ph >= s.rows or (s.ow - 1) * s.sw - s.pw >= s.cols):
                raise ValueError(f"a pool of {s.rows}x{s.cols} by {s.tall}x{s.wide} to {s.oh}x{s.ow}")
            size *= s.inner
            self._demand(s.y, s.images * s.oh * s.ow * s.inner)
        elif s.kind == STEP_COPY:
            s.at, s.pitch = given["at"], given["pitch"]
            if s.rows != 1 or not 0 <= s.at <= s.pitch - s.cols:
                raise ValueError(f"a copy of {s.rows}x{s.cols} to {s.at} of {s.pitch}")
            self._demand(s.y, s.images * s.pitch)
        else:
            self._demand(s.y, size)
        self._demand(s.x, size)
        return 0

    cdef int _demand_plan(self, step_t *s, Plan first, Plan last, size_t workspace, size_t needed) except -1:
        if not (first.dtype.type_num == last.out_dtype.type_num == cnp.NPY_FLOAT32):
            raise TypeError(f"steps are float32, a plan has {first.dtype} and {last.out_dtype}")
        if needed > workspace:
            raise ValueError(f"a plan needs {needed} bytes of workspace, there are {workspace}")
        self._demand(s.x, math.prod(first.input_shape))
        self._demand(s.y, math.prod(last.output_shape))
        self._demand(s.other, math.prod(last.output_shape))
        return 0

    cdef int _demand(self, int64_t value, int64_t elements) except -1:
        """Raises unless a value, or none (-1), has room for so many float32."""
        if not -1 <= value < self.value_count:
            raise ValueError(f"there is no value {value}")
        if value >= 0 and self.places[4 * value + 2] < 4 * elements:
            raise ValueError(f"value {value} has {self.places[4 * value + 2]} bytes, wanted {4 * elements}")
        return 0

    def __dealloc__(self):
        free(self.steps)
        free(self.places)

    def run(self, list arrays not None, cnp.ndarray block not None, int64_t first=0, int64_t last=-1, cnp.ndarray times=None):
        """
        Steps first .. last (all, if last is negative).

        Parameters
        ----------
        arrays : list of ndarray
            float32, contiguous.
        block : ndarray
            `block_bytes`, aligned to 64.
        times : ndarray, optional
            float64; the seconds of each step are added to it.
        """
        cdef address_t few[64]
        cdef address_t *at = few
        cdef int64_t i
        cdef int64_t *place
        cdef int status = PYCONV_STATUS_OK
        cdef const ops_t *ops = &kernels_in_use().f32
        cdef double *seconds = NULL
        cdef double then, now
        cdef cnp.ndarray a
        cdef char *base = <char *>cnp.PyArray_DATA(block)
        if last < 0:
            last = self.count
        if not 0 <= first <= last <= self.count:
            raise ValueError(f"there are no steps {first} .. {last}")
        if len(arrays) != self.arrays:
            raise ValueError(f"{len(arrays)} arrays were given, wanted {self.arrays}")
        if (not cnp.PyArray_ISCARRAY(block) or <size_t>cnp.PyArray_NBYTES(block) < self.block_bytes
                or <uintptr_t>base % PYCONV_ALIGNMENT):
            raise ValueError(f"block must be {self.block_bytes} writable, contiguous bytes, aligned to 64")
        if times is not None:
            if (cnp.PyArray_TYPE(times) != cnp.NPY_FLOAT64 or not cnp.PyArray_ISCARRAY(times)
                    or cnp.PyArray_SIZE(times) < self.count):
                raise ValueError(f"times must be {self.count} float64")
            seconds = <double *>cnp.PyArray_DATA(times)
        if self.value_count > 64:
            at = <address_t *>malloc(self.value_count * sizeof(address_t))
            if at == NULL:
                raise MemoryError(f"cannot allocate {self.value_count} addresses")
        try:
            for i in range(self.value_count):
                place = self.places + 4 * i
                if place[0] < 0:
                    at[i] = base + place[1]
                    continue
                a = arrays[place[0]]
                if (cnp.PyArray_TYPE(a) != cnp.NPY_FLOAT32 or not cnp.PyArray_ISCARRAY_RO(a)
                        or cnp.PyArray_NBYTES(a) < place[2] or place[3] and not cnp.PyArray_ISWRITEABLE(a)):
                    raise ValueError(f"array {place[0]} must be contiguous float32 of {place[2]} bytes")
                at[i] = <char *>cnp.PyArray_DATA(a)
            with nogil:
                then = _seconds_now() if seconds != NULL else 0
                for i in range(first, last):
                    status = step_run(&self.steps[i], ops, at, base + self.workspace, interrupted)
                    if seconds != NULL:
                        now = _seconds_now()
                        seconds[i] += now - then
                        then = now
                    if status != PYCONV_STATUS_OK:
                        break
        finally:
            if at != few:
                free(at)
        if status == PYCONV_STATUS_INTERRUPTED:
            raise_pending()

    def __len__(self):
        return self.count
