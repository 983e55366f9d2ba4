# SPDX-License-Identifier: BSD-3-Clause
"""
Volumes, some slices of the result at once: the slices under one of them are so many more channels of an image.

  y[o][d] = sum over c, t of the convolution of x[c][d*sd + t*dd - pd] with w[o][t][c]

Slices of x are converted once each to a buffer that holds those under `count` slices of the result, in which the image under
the next one begins `step` slices later, so that images overlap:

  buffer   NCDHW [positions][ic][h][w]   image j at j*step*ic*h*w, kernel[0]*ic planes
           NDHWC [h][w][positions][ic]   image j at j*step*ic, kernel[0]*ic channels side by side

The volume is its own buffer where one slice is all that is under a slice of the result, or one channel's slices lie as the
buffer's would. Of a dilated convolution, slices of the result `apart` = dd / gcd(sd, dd) apart share slices of x, which are dd
apart. The last images of such a class overlap the ones before, so that all runs are alike.

One channel lies in NDHWC as in NCDHW, where vectors along the rows are full: it is convolved there, and the filters' planes
are turned channels-last as they are stored.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memmove, memset

from pyconv.core.types cimport *
from pyconv.algorithms.table cimport (
    DIRECT_SIMD, FFT, IMPLICIT_GEMM, WINOGRAD_F2K2, WINOGRAD_F2K3, WINOGRAD_F2K5, WINOGRAD_F2K7, WINOGRAD_F3K2, WINOGRAD_F3K4,
    WINOGRAD_F4K3, WINOGRAD_F6K3,
)
from pyconv.core.choose cimport _serve, needs_t, seconds
from pyconv.core.kernels cimport ceil_div, common, element_bytes
from pyconv.core.machine cimport cache_bytes
from pyconv.core.plan cimport plan_run, plan_t, plan_threads
from pyconv.core.problem cimport problem_init
from pyconv.core.rows cimport padded_source, reach, span
from pyconv.core.sizes cimport TOO_LARGE, aligned, plus, times
from pyconv.core.tasks cimport poll, share_tasks
from pyconv.core.threads cimport paying_threads, run_threads
from pyconv.native.volume cimport volume_t

cdef enum:
    MOST_IMAGES = 16          # of a run: the workspace doesn't grow with the volume

ctypedef struct slices_t:
    volume_t v
    int x_dtype, y_dtype      # in memory; the plan's images are of what is computed in
    int mode                  # of padding, and the constant
    double border
    int64_t ic, h0, w0        # channels of x; where the buffer's rows and columns begin in it
    int64_t count             # images of a run
    int64_t apart, step, positions
    bint whole                # x is its own buffer,
    bint inside               # or may be, where no slice is missing
    bint turned               # planes of the result are stored channels-last
    size_t x_bytes, y_bytes   # of the buffers; y_bytes for the result and for the residual
    plan_t plan


cdef inline bint slices_take(int algorithm) noexcept nogil:
    """Whether an algorithm goes by all strides of a problem, those of overlapping images, too."""
    return algorithm in (IMPLICIT_GEMM, DIRECT_SIMD, FFT, WINOGRAD_F2K2, WINOGRAD_F2K3, WINOGRAD_F2K5, WINOGRAD_F2K7,
                         WINOGRAD_F3K2, WINOGRAD_F3K4, WINOGRAD_F4K3, WINOGRAD_F6K3)


cdef inline void _set_strides(slices_t *s) noexcept nogil:
    """Of the images in the buffer, and of the slices of y, or those of its buffer."""
    cdef problem_t *p = &s.plan.problem
    cdef const volume_t *v = &s.v
    if s.whole:
        p.xc, p.xh, p.xw, p.xn = v.xc, v.xs[1], v.xs[2], v.a.stride[0] * v.xs[0]
    elif p.layout == PYCONV_NCHW:
        p.xn = s.step * s.ic * p.xc
    else:
        p.xw = s.positions * s.ic
        p.xh = p.iw * p.xw
        p.xn = s.step * s.ic
    if s.y_bytes == 0:
        p.yc, p.yh, p.yw, p.yn = v.yc, v.ys[1], v.ys[2], s.apart * v.ys[0]


cdef inline int64_t _most_images(const slices_t *s, const pyconv_conv2d_t *d) noexcept nogil:
    """
    Of a run: as many as have a buffer that stays in L2, but 3 at least, so that the slices that two runs share aren't moved
    too often; so with a buffer of results, one at least; and of those, so many that few are computed twice.
    """
    cdef int64_t all_ = max(1, s.v.a.outputs[0] // s.apart)
    cdef int64_t size = 8 if d.dtype == PYCONV_F64 else 4
    cdef int64_t slice = s.ic * d.ih * d.iw * size
    cdef int64_t result = d.oc * s.v.a.outputs[1] * s.v.a.outputs[2] * size
    cdef int64_t fits = (cache_bytes(2) // max(slice, 1) - s.v.a.kernel[0]) // s.step + 1
    cdef int64_t most = min(max(fits, 3), min(all_, <int64_t>MOST_IMAGES))
    cdef int64_t best, i
    if s.turned or s.y_dtype != d.dtype:
        most = min(most, max(cache_bytes(2) // max(result, 1), 1))
    best = most
    for i in range(most - 1, most // 2, -1):
        if ceil_div(all_, i) * i < ceil_div(all_, best) * best:
            best = i
    return best


cdef inline int _try(slices_t *s, const algorithm_t *table, pyconv_conv2d_t *d, size_t budget) noexcept nogil:
    """With so many images in a run: the fastest algorithm, or the one that is named."""
    cdef problem_t *p = &s.plan.problem
    cdef needs_t need
    cdef size_t own
    cdef int i, status
    cdef double trial
    cdef double least = 0
    cdef bint found = False
    s.positions = span(s.count, s.step, s.v.a.kernel[0], 1)
    d.n = s.count
    status = problem_init(p, d)
    if status != PYCONV_STATUS_OK:
        return status
    s.plan.threads = plan_threads(p, d.threads)
    s.x_bytes = 0 if s.whole else aligned(times(<size_t>s.positions, <size_t>(s.ic * p.ih * p.iw) * p.itemsize))
    s.y_bytes = 0 if s.y_dtype == p.dtype and not s.turned else aligned(times(<size_t>(p.n * p.yn), p.itemsize))
    own = plus(s.x_bytes, times(2, s.y_bytes))
    _set_strides(s)
    s.plan.budget = budget - own if own <= budget else 0
    d.max_workspace = -1 if budget >= TOO_LARGE else <int64_t>(budget - own) if own <= budget else 0
    for i in range(FFT + 1):
        if not slices_take(i) or (d.algorithm >= 0 and d.algorithm != i):
            continue
        need.inner = p[0]
        need.stage.pieces = 0
        _serve(&need, &table[i], p, d, s.plan.threads, False)
        trial = seconds(p, &need, s.plan.threads) if need.status == PYCONV_STATUS_OK else 0
        if d.algorithm >= 0 or (need.status == PYCONV_STATUS_OK and (not found or trial < least)):
            found, least = need.status == PYCONV_STATUS_OK, trial
            s.plan.need, s.plan.algorithm = need, &table[i]
    if d.algorithm >= 0 and s.plan.need.status in (PYCONV_STATUS_UNSUPPORTED, PYCONV_STATUS_UNDER_ACCURACY):
        return s.plan.need.status
    if own > budget or not found:
        s.plan.need.status = PYCONV_STATUS_OVER_BUDGET
        return PYCONV_STATUS_OVER_BUDGET
    return s.plan.need.status


cdef inline int slices_init(slices_t *s, const pyconv_conv2d_t *flat, const algorithm_t *table) noexcept nogil:
    """
    s.v is set; flat: one slice of the result with the slices under it, of x's and y's types, computed in its dtype; one group.

    OK, or why it can't be served: then s.plan has the algorithm that was named, and what it needs.
    """
    cdef pyconv_conv2d_t d = flat[0]
    cdef const volume_t *v = &s.v
    cdef int64_t dd = v.a.dilation[0]
    cdef int64_t shared = common(v.a.stride[0], dd)
    cdef size_t budget = TOO_LARGE if flat.max_workspace < 0 else <size_t>flat.max_workspace
    cdef int status
    cdef bint plain
    s.x_dtype, s.y_dtype = flat.x_dtype, flat.y_dtype
    d.x_dtype = d.y_dtype = d.dtype
    s.mode, s.border = d.padding_mode, d.border
    s.ic, s.h0, s.w0 = d.ic // v.a.kernel[0], 0, 0
    s.turned = d.layout == PYCONV_NHWC and s.ic == 1
    if s.turned:
        d.layout = PYCONV_NCHW
    if s.mode != PYCONV_ZEROS:
        s.h0, s.w0 = -d.ph0, -d.pw0
        d.ih += d.ph0 + d.ph1
        d.iw += d.pw0 + d.pw1
        d.ph0 = d.ph1 = d.pw0 = d.pw1 = 0
        d.padding_mode = PYCONV_ZEROS
    plain = s.x_dtype == d.dtype and d.ih == v.a.size[1] and d.iw == v.a.size[2]
    s.apart, s.step = dd // shared, v.a.stride[0] // shared
    s.whole = (plain and v.a.kernel[0] == 1 and v.a.before[0] == 0
               and (v.a.outputs[0] - 1) * v.a.stride[0] < v.a.size[0])
    s.inside = plain and d.layout == PYCONV_NCHW and s.ic == 1 and dd == 1
    if s.whole:
        s.apart = 1
        s.step = v.a.stride[0]
    s.plan.follow_openmp = d.threads == 0
    s.plan.owned = NULL
    s.plan.weight = s.plan.bias = s.plan.record = NULL
    s.plan.nonfinite = s.plan.exactly = False
    s.plan.recorded = 0
    s.plan.fallback = NULL
    s.plan.algorithm = &table[max(d.algorithm, 0)]
    s.count = v.a.outputs[0] if s.whole else _most_images(s, &d)
    status = _try(s, table, &d, budget)
    while status == PYCONV_STATUS_OVER_BUDGET and s.count > 1 and not s.whole:
        s.count //= 2
        status = _try(s, table, &d, budget)
    return status


cdef inline size_t slices_workspace(const slices_t *s) noexcept nogil:
    return plus(plus(s.x_bytes, times(2, s.y_bytes)), s.plan.need.workspace)


cdef inline int64_t slices_runs(const slices_t *s) noexcept nogil:
    """How often the plan is run."""
    cdef int64_t all_ = 0
    cdef int64_t r
    for r in range(min(s.apart, s.v.a.outputs[0])):
        all_ += ceil_div(ceil_div(s.v.a.outputs[0] - r, s.apart), s.count)
    return s.v.a.n * all_


# Filling the buffer: position q holds slice first + q*dd; those before `kept` are in it, `shift` positions later.
ctypedef struct filling_t:
    const slices_t *s
    const char *x             # the volume
    char *buffer
    int64_t first, kept, shift


cdef inline int64_t _source(const filling_t *f, int64_t q) noexcept nogil:
    """The slice of x at position q, or -1 for the constant."""
    return padded_source(f.first + q * f.s.v.a.dilation[0], f.s.v.a.size[0], f.s.mode)


cdef inline bint _needed(const slices_t *s, int64_t q) noexcept nogil:
    return q % s.step < s.v.a.kernel[0]


cdef inline void _constant(const slices_t *s, char *to, int64_t count) noexcept nogil:
    cdef const problem_t *p = &s.plan.problem
    cdef double border = s.border if s.mode == PYCONV_CONSTANT else 0
    cdef int64_t i
    if border == 0:
        memset(to, 0, count * p.itemsize)
    elif p.dtype == PYCONV_F32:
        for i in range(count):
            (<float *>to)[i] = <float>border
    else:
        for i in range(count):
            (<double *>to)[i] = border


cdef inline void _convert(const slices_t *s, const char *src, char *to, int64_t count) noexcept nogil:
    """Neighbours."""
    cdef const problem_t *p = &s.plan.problem
    if s.x_dtype == p.dtype:
        memcpy(to, src, count * p.itemsize)
    else:
        p.ops.stage_in(s.x_dtype, src, 1, count, to, 0)


cdef inline void _fill_row(const filling_t *f, int64_t slice, int64_t c, int64_t h, int64_t pixel, char *to) noexcept nogil:
    """
    Row h of the buffer: its pixels, `pixel` elements apart, from the channel c of that slice of planes, else from all channels.
    """
    cdef const slices_t *s = f.s
    cdef const problem_t *p = &s.plan.problem
    cdef const volume_t *v = &s.v
    cdef int64_t size = element_bytes(s.x_dtype)
    cdef int64_t channels = 1 if p.layout == PYCONV_NCHW else s.ic
    cdef int64_t row = padded_source(s.h0 + h, v.a.size[1], s.mode) if slice >= 0 else -1
    cdef const char *src
    cdef int64_t w, column, first, last
    if row < 0:
        for w in range(1 if pixel == channels else p.iw):
            _constant(s, to + w * pixel * <int64_t>p.itemsize, p.iw * channels if pixel == channels else channels)
        return
    src = f.x + (c * v.xc + slice * v.xs[0] + row * v.xs[1]) * size
    reach(p.iw, v.a.size[2], 1, s.w0, &first, &last)
    for w in range(p.iw):
        if first <= w < last:
            continue
        column = padded_source(s.w0 + w, v.a.size[2], s.mode)
        if column < 0:
            _constant(s, to + w * pixel * <int64_t>p.itemsize, channels)
        else:
            _convert(s, src + column * v.xs[2] * size, to + w * pixel * <int64_t>p.itemsize, channels)
    if pixel == channels:
        _convert(s, src + (s.w0 + first) * channels * size, to + first * pixel * <int64_t>p.itemsize, (last - first) * channels)
        return
    for w in range(first, last):
        _convert(s, src + (s.w0 + w) * channels * size, to + w * pixel * <int64_t>p.itemsize, channels)


cdef inline void _fill_plane(const filling_t *f, int64_t c) noexcept nogil:
    """All positions of one channel, NCDHW."""
    cdef const slices_t *s = f.s
    cdef const problem_t *p = &s.plan.problem
    cdef int64_t plane = p.ih * p.iw
    cdef int64_t q, h, slice
    cdef char *to
    for q in range(s.positions):
        to = f.buffer + (q * s.ic + c) * plane * <int64_t>p.itemsize
        if not _needed(s, q):
            continue
        if q < f.kept:
            memcpy(to, to + f.shift * s.ic * plane * <int64_t>p.itemsize, plane * p.itemsize)
            continue
        slice = _source(f, q)
        if slice < 0:
            _constant(s, to, plane)
        elif p.ih == s.v.a.size[1] and p.iw == s.v.a.size[2]:
            _convert(s, f.x + (c * s.v.xc + slice * plane) * element_bytes(s.x_dtype), to, plane)
        else:
            for h in range(p.ih):
                _fill_row(f, slice, c, h, 1, to + h * p.iw * <int64_t>p.itemsize)


cdef inline void _fill_line(const filling_t *f, int64_t h) noexcept nogil:
    """All positions of one row, NDHWC."""
    cdef const slices_t *s = f.s
    cdef const problem_t *p = &s.plan.problem
    cdef int64_t pixel = s.positions * s.ic
    cdef char *to = f.buffer + h * p.iw * pixel * <int64_t>p.itemsize
    cdef int64_t size = s.ic * <int64_t>p.itemsize
    cdef int64_t q, w
    if f.kept > 0:
        for w in range(p.iw):
            memmove(to + w * pixel * <int64_t>p.itemsize, to + w * pixel * <int64_t>p.itemsize + f.shift * size,
                    <size_t>(f.kept * size))
    for q in range(f.kept, s.positions):
        if _needed(s, q):
            _fill_row(f, _source(f, q), 0, h, pixel, to + q * size)


cdef inline void _fill_step(const task_t *_t, const void *filling, int64_t number, char *_buffer) noexcept nogil:
    cdef const filling_t *f = <const filling_t *>filling
    if f.s.plan.problem.layout == PYCONV_NCHW:
        _fill_plane(f, number)
    else:
        _fill_line(f, number)


# The result of a run, of another type than is computed in: images first .. last of it are stored, or fetched from residual.
ctypedef struct storing_t:
    const slices_t *s
    char *y                   # of the first image of the run, in the whole array
    char *buffer
    bint fetches


cdef inline void _turn_row(const storing_t *a, int64_t image, int64_t row) noexcept nogil:
    """[oc] planes of a row of the buffer to or from [ow][oc]."""
    cdef const slices_t *s = a.s
    cdef const problem_t *p = &s.plan.problem
    cdef int64_t plane = p.oh * p.ow
    cdef char *inner = a.buffer + (image * p.oc * plane + row * p.ow) * <int64_t>p.itemsize
    cdef char *outer = a.y + (image * s.apart * s.v.ys[0] + row * s.v.ys[1]) * element_bytes(s.y_dtype)
    if s.y_dtype != p.dtype and a.fetches:
        p.ops.stage_in(s.y_dtype, outer, p.oc, p.ow, inner, plane)
    elif s.y_dtype != p.dtype:
        p.ops.stage_out(s.y_dtype, inner, plane, p.oc, p.ow, outer)
    elif a.fetches:
        p.ops.transpose_rows(p.ow, p.oc, outer, p.oc, inner, plane)
    else:
        p.ops.transpose_rows(p.oc, p.ow, inner, plane, outer, p.oc)


cdef inline void _store_step(const task_t *_t, const void *storing, int64_t number, char *_buffer) noexcept nogil:
    """One plane of NCDHW, or one row of NDHWC, or of planes that are turned."""
    cdef const storing_t *a = <const storing_t *>storing
    cdef const slices_t *s = a.s
    cdef const problem_t *p = &s.plan.problem
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int64_t lines = p.oc if planes else p.oh
    cdef int64_t count = p.oh * p.ow if planes else p.ow * p.oc
    cdef int64_t image = number // lines
    cdef int64_t at = image * s.apart * s.v.ys[0] + number % lines * (s.v.yc if planes else s.v.ys[1])
    cdef char *inner = a.buffer + number * count * <int64_t>p.itemsize
    cdef char *outer = a.y + at * element_bytes(s.y_dtype)
    if s.turned:
        _turn_row(a, number // p.oh, number % p.oh)
    elif a.fetches:
        p.ops.stage_in(s.y_dtype, outer, 1, count, inner, 0)
    else:
        p.ops.stage_out(s.y_dtype, inner, 0, 1, count, outer)


cdef inline int _store(const slices_t *s, const task_t *t, int threads, char *y, char *buffer, bint fetches) noexcept nogil:
    cdef storing_t a = storing_t(s, y, buffer, fetches)
    cdef const problem_t *p = &s.plan.problem
    cdef int64_t lines = p.oc if p.layout == PYCONV_NCHW and not s.turned else p.oh
    share_tasks(t, _store_step, &a, 0, p.n * lines, threads, NULL, 0)
    return 0


cdef inline int slices_run(const slices_t *s, const char *x, const char *residual, char *y, char *workspace,
                           bint (*interrupted)() noexcept nogil) noexcept nogil:
    """x, y and residual (or NULL) as the volume has them; workspace of slices_workspace() bytes, aligned to 64."""
    cdef const problem_t *p = &s.plan.problem
    cdef const volume_t *v = &s.v
    cdef int64_t x_size = element_bytes(s.x_dtype)
    cdef int64_t y_size = element_bytes(s.y_dtype)
    cdef char *y_buffer = workspace + s.x_bytes
    cdef char *r_buffer = y_buffer + s.y_bytes
    cdef int threads = run_threads(paying_threads(s.plan.threads, 0, <double>s.positions * s.ic * p.ih * p.iw),
                                   s.plan.follow_openmp)
    cdef task_t t
    cdef filling_t f
    cdef int64_t n, r, all_, j, before, at
    cdef const char *images
    cdef const char *extra
    cdef double flops = 2.0 * p.n * p.oc * p.oh * p.ow * p.k
    cdef int status
    memset(&t, 0, sizeof(t))
    t.interrupted = interrupted
    f.s, f.buffer = s, workspace
    for n in range(v.a.n):
        f.x = x + n * v.xn * x_size
        for r in range(min(s.apart, v.a.outputs[0])):
            all_ = (v.a.outputs[0] - r - 1) // s.apart + 1
            j = before = -s.count
            while j + s.count < all_:
                j = min(j + s.count, all_ - s.count)
                f.first = (r + j * s.apart) * v.a.stride[0] - v.a.before[0]
                images = workspace
                if s.whole:
                    images = f.x
                elif s.inside and f.first >= 0 and f.first + s.positions <= v.a.size[0]:
                    images = f.x + f.first * v.xs[0] * x_size
                else:
                    f.shift = (j - before) * s.step
                    f.kept = max(s.positions - f.shift, 0) if before >= 0 else 0
                    share_tasks(&t, _fill_step, &f, 0, s.ic if p.layout == PYCONV_NCHW else p.ih, threads, NULL, 0)
                    before = j
                at = (n * v.yn + (r + j * s.apart) * v.ys[0]) * y_size
                extra = residual + at if residual != NULL else NULL
                if s.y_bytes == 0:
                    status = plan_run(&s.plan, images, extra, y + at, r_buffer + s.y_bytes, interrupted)
                else:
                    if residual != NULL:
                        _store(s, &t, threads, <char *>extra, r_buffer, True)
                        extra = r_buffer
                    status = plan_run(&s.plan, images, extra, y_buffer, r_buffer + s.y_bytes, interrupted)
                    _store(s, &t, threads, y + at, y_buffer, False)
                if status != PYCONV_STATUS_OK:
                    return status
                if poll(&t, flops):      # a run by itself may be too short to ask
                    return PYCONV_STATUS_INTERRUPTED
    return PYCONV_STATUS_OK
