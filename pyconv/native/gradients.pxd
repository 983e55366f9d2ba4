# SPDX-License-Identifier: BSD-3-Clause
"""
The algorithms of a weight's gradient: which may serve, what each takes, and the choice.

They have the names and codes of the convolution's own: "implicit_gemm" sums windows that are nowhere copied, "depthwise" is of
one channel a filter, and the gradient of F(m, r) is F(r, m), of the same points.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.algorithms.table cimport DEPTHWISE, IMPLICIT_GEMM, WINOGRAD_F2K3, WINOGRAD_F2K5, WINOGRAD_F3K2, WINOGRAD_F4K3
from pyconv.core.accuracy cimport CHAIN, class_bound
from pyconv.core.half cimport half, narrow, widen
from pyconv.core.kernels cimport ceil_div
from pyconv.core.plan cimport nothing, plan_threads
from pyconv.core.rates cimport stream_seconds
from pyconv.core.sizes cimport aligned, plus, times
from pyconv.core.threads cimport run_threads
from pyconv.engines.winograd.bound cimport growth, passes
from pyconv.native.depthwise_gradient cimport one_filter_each
from pyconv.native.weight_gradient cimport gradient_run
from pyconv.native.weight_gradient_cut cimport gradient_init, gradient_t
from pyconv.native.winograd_gradient cimport wino_gradient_run
from pyconv.native.winograd_gradient_cut cimport cut_wino_gradient, phase_taps, wino_gradient_t

cdef enum:
    GRADIENTS = 6             # rows of gradient_row()

# One of them; of F(m, r) the sizes, else 0.
ctypedef struct gradient_row_t:
    int code, accuracy
    int m, r

# The gradient for one problem by one algorithm.
ctypedef struct weight_gradient_t:
    problem_t p               # of the convolution; float32 for float16
    gradient_row_t row
    int threads
    bint follow_openmp
    bint from_half
    gradient_t products       # of implicit_gemm and depthwise
    wino_gradient_t tiles     # of Winograd
    size_t x_bytes, dy_bytes, dw_bytes        # float32 copies for float16
    size_t workspace
    double work               # seconds of one thread, predicted: the choice is the same for every number of threads
    double seconds            # predicted


cdef inline gradient_row_t gradient_row(int number) noexcept nogil:
    """In the order of preference between equals."""
    if number == 0:
        return gradient_row_t(IMPLICIT_GEMM, PYCONV_STRICT, 0, 0)
    if number == 1:           # which does not read the border, so that NaN times a zero of it is lost
        return gradient_row_t(DEPTHWISE, PYCONV_STANDARD, 0, 0)
    if number == 2:
        return gradient_row_t(WINOGRAD_F4K3, PYCONV_STANDARD, 4, 3)
    if number == 3:
        return gradient_row_t(WINOGRAD_F2K3, PYCONV_STANDARD, 2, 3)
    if number == 4:
        return gradient_row_t(WINOGRAD_F2K5, PYCONV_STANDARD, 2, 5)
    return gradient_row_t(WINOGRAD_F3K2, PYCONV_STANDARD, 3, 2)


cdef inline const char *gradient_refuses(const gradient_row_t *row, const problem_t *p) noexcept nogil:
    """The reason why not, or NULL."""
    if row.code == DEPTHWISE:
        if one_filter_each(p):
            return NULL
        return b"it sums for one channel and one filter a group"
    if row.code == IMPLICIT_GEMM:
        return NULL
    if p.sh * p.sw > 1 and p.dh * p.dw > 1:
        return b"of a stride and a dilation one must be 1"
    if p.sh > 2 or p.sw > 2:
        return b"its strides are 1 and 2"
    if phase_taps(p.kh, p.sh, 0) == row.r and phase_taps(p.kw, p.sw, 0) == row.r:
        return NULL
    if row.m == 4 and p.kh * p.kw == 3 and p.sh * p.sw == 1:
        return NULL
    if row.r == 2:
        return b"it is for kernels of 2x2, of stride 2 for 3x3 and 4x4"
    if row.m == 4:
        return b"it is for kernels of 3x3, 1x3 and 3x1, of stride 2 for 5x5 and 6x6"
    return b"it is for kernels of 3x3, of stride 2 for 5x5 and 6x6" if row.r == 3 else b"it is for kernels of 5x5"


cdef inline double gradient_traffic(const weight_gradient_t *s) noexcept nogil:
    """Bytes of x, dy and dw, each once."""
    cdef const problem_t *p = &s.p
    return (<double>p.n * (p.xn + p.yn) + <double>p.oc * p.k) * p.itemsize


cdef inline double gradient_bound(const weight_gradient_t *s) noexcept nogil:
    """
    Roundings of A or E, see core/accuracy.pxd and engines/winograd/bound.pxd: of the sums over pixels, or over tiles between
    the transforms, of which that of dy has one for each number of G, each product and each sum.
    """
    cdef const problem_t *p = &s.p
    cdef const wino_gradient_t *w = &s.tiles
    cdef int64_t count = p.n * p.oh * p.ow
    if s.row.m == 0:
        return min(count, CHAIN) + 512.0 + count // 192
    count = w.images * w.rows * w.cols
    return growth(w.taps.h, w.taps.mh) * growth(w.taps.w, w.taps.mw) * (
        passes(w.taps.h) + passes(w.taps.w) + w.th + w.tw + 5 + min(count, CHAIN) + ceil_div(count, CHAIN) + w.blocks)


cdef inline double _products_seconds(const weight_gradient_t *s) noexcept nogil:
    """Steps at 0.8 of the rate of multiply-adds, x and dy turned on the way."""
    cdef const problem_t *p = &s.p
    cdef const gradient_t *q = &s.products
    cdef double lanes = q.nr // 2
    cdef double pixels = <double>p.n * p.oh * p.ow
    cdef double steps = pixels * p.g * q.steps
    cdef double turned = <double>p.n * (p.xn + p.yn) / lanes * 7
    if q.depthwise:
        steps = 1.5 * pixels * p.kh * p.kw * ceil_div(p.oc, <int64_t>lanes)
    return (steps / 0.8 / p.rates.fma + turned) / p.rates.clock


cdef inline void gradient_cut(weight_gradient_t *s, const problem_t *problem, const gradient_row_t *row,
                              int threads) noexcept nogil:
    """By an algorithm that does not refuse. threads: 0 for as many as OpenMP would use; p.n > 0."""
    cdef problem_t *p = &s.p
    p[0] = problem[0]
    s.row = row[0]
    s.from_half = p.x_dtype == PYCONV_F16
    s.x_bytes = s.dy_bytes = s.dw_bytes = 0
    if s.from_half:
        p.x_dtype = p.y_dtype = p.w_dtype = PYCONV_F32
        s.x_bytes = aligned(times(<size_t>(p.n * p.xn), 4))
        s.dy_bytes = aligned(times(<size_t>(p.n * p.yn), 4))
        s.dw_bytes = aligned(times(times(<size_t>p.oc, <size_t>p.k), 4))
    s.threads = plan_threads(p, threads)
    s.follow_openmp = threads == 0
    if row.m == 0:
        gradient_init(&s.products, p, s.threads, row.code == DEPTHWISE)
        s.workspace = s.products.workspace
        s.work = _products_seconds(s)
    else:
        cut_wino_gradient(p, row.m, &s.tiles)
        s.workspace = plus(plus(plus(s.tiles.u_bytes, s.tiles.v_bytes), s.tiles.d_bytes),
                           times(s.tiles.buffer, s.threads))
        s.work = p.g * s.tiles.cycles / p.rates.clock
    s.seconds = s.work / s.threads + stream_seconds(&p.rates, gradient_traffic(s))
    s.workspace = plus(s.workspace, plus(plus(s.x_bytes, s.dy_bytes), s.dw_bytes))


cdef inline bint gradient_in_class(const weight_gradient_t *s) noexcept nogil:
    """Whether its bound is; a sum is over pixels here."""
    cdef problem_t p = s.p
    p.k = p.n * p.oh * p.ow
    return s.row.m == 0 or gradient_bound(s) <= class_bound(&p, s.row.accuracy)


cdef inline void choose_gradient(weight_gradient_t *best, const problem_t *p, int threads, int accuracy,
                                 size_t budget) noexcept nogil:
    """The fastest within class and budget, by the model; if there is none, the one that takes the least memory."""
    cdef weight_gradient_t trial
    cdef gradient_row_t row
    cdef bint found = False
    cdef int i
    best.workspace = <size_t>-1
    for i in range(GRADIENTS):
        row = gradient_row(i)
        if row.accuracy > accuracy or gradient_refuses(&row, p) != NULL:
            continue
        gradient_cut(&trial, p, &row, threads)
        if not gradient_in_class(&trial):
            continue
        if trial.workspace <= budget:
            if not found or trial.work < best.work:
                best[0], found = trial, True
        elif not found and trial.workspace < best.workspace:
            best[0] = trial


cdef inline int _run(const weight_gradient_t *s, task_t *t, const void *x, const void *dy, void *dw) noexcept nogil:
    if s.row.m == 0:
        return gradient_run(&s.products, t, x, dy, dw)
    return wino_gradient_run(&s.tiles, t, <const char *>x, <const char *>dy, <char *>dw)


cdef inline int weight_gradient_run(const weight_gradient_t *s, const void *x, const void *dy, void *dw, void *workspace,
                                    bint (*interrupted)() noexcept nogil) noexcept nogil:
    """x, dy as the problem describes, dw (oc, icg, kh, kw); workspace of s.workspace bytes, aligned to 64. n > 0."""
    cdef const problem_t *p = &s.p
    cdef task_t t
    cdef int status
    cdef float *images
    cdef float *outputs
    cdef float *turned
    t.p = p
    t.workspace = <char *>workspace if s.workspace > 0 else nothing
    t.interrupted = interrupted
    t.work = 0
    t.slots = s.threads
    t.threads = run_threads(s.threads, s.follow_openmp)
    if not s.from_half:
        return _run(s, &t, x, dy, dw)
    images = <float *>t.workspace
    outputs = <float *>(t.workspace + s.x_bytes)
    turned = <float *>(t.workspace + s.x_bytes + s.dy_bytes)
    t.workspace += s.x_bytes + s.dy_bytes + s.dw_bytes
    widen(<const half *>x, images, p.n * p.xn, t.threads)
    widen(<const half *>dy, outputs, p.n * p.yn, t.threads)
    status = _run(s, &t, images, outputs, turned)
    if status == PYCONV_STATUS_OK:
        narrow(turned, <half *>dw, p.oc * p.k, t.threads)
    return status
