# SPDX-License-Identifier: BSD-3-Clause
"""
The steps of a network between convolutions, on float32: one struct for all kinds, a function for each.

Arrays are [images][rows][cols]: of images in NCHW a row is a plane and a column its pixel; in NHWC a row is a pixel and a
column its channel.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy
from cython.parallel cimport prange

from pyconv.core.types cimport *
from pyconv.core.kernels cimport ceil_div, point_t, split_start
from pyconv.core.plan cimport plan_run, plan_t
from pyconv.core.threads cimport paying_threads, run_threads
from pyconv.native.separable cimport separable_run, separable_t

cdef enum:
    STEP_CONV       # y = plan(x, residual other)
    STEP_PAIR       # likewise, of two plans fused
    STEP_POINT      # y[image][i][j] = curve(x scale + other), scale [images][rows], or [images][cols] by_column
    STEP_MEAN       # y[image][i] = mean over j; by_column: y[image][j] = mean over i
    STEP_REPEAT     # [images][rows][cols][inner] to [images][rows tall][cols wide][inner]
    STEP_COPY       # y[image][at .. at + cols] = x[image], rows of y are `pitch` long
    STEP_TURN       # y[image][j][i] = x[image][i][j]
    STEP_POOL       # [images][rows][cols][inner] to [images][oh][ow][inner], the largest or the mean of tall x wide pixels

cdef enum:
    MOST_COLS = 16384         # of a row that is pooled down before it is pooled across

ctypedef struct step_t:
    int kind
    int64_t x, other, scale, y          # numbers of values, -1 for none
    const plan_t *plan
    const separable_t *pair
    point_t curve
    int64_t images, rows, cols
    int64_t scale_images                # 1 if all images have the same scale
    int64_t inner, tall, wide, at, pitch
    int64_t sh, sw, ph, pw, oh, ow      # POOL
    bint mean, whole                    # mean: not the largest; whole: divided by tall wide, pixels outside or not
    int threads                         # at most
    bint follow_openmp

# Where the values of a run are.
ctypedef char *address_t


cdef inline int _threads(const step_t *s, double elements) noexcept nogil:
    cdef int paying = paying_threads(s.threads, 0, elements)
    return run_threads(paying, s.follow_openmp) if paying > 1 else 1


cdef inline void _point_part(const step_t *s, const ops_t *ops, int64_t first, int64_t last, const float *x,
                             const float *scale, const float *other, float *y) noexcept nogil:
    """Rows first .. last, counted over all images."""
    cdef int64_t row = first, count, image
    cdef const float *factor
    while row < last:
        image = row // s.rows
        count = min(last, (image + 1) * s.rows) - row
        factor = scale
        if scale != NULL and s.scale_images > 1:
            factor += image * (s.cols if s.curve.by_column else s.rows)
        if scale != NULL and not s.curve.by_column:
            factor += row - image * s.rows
        ops.point_rows(&s.curve, count, s.cols, x + row * s.cols, factor, NULL if other == NULL else other + row * s.cols,
                       y + row * s.cols)
        row += count


cdef inline void point_run(const step_t *s, const ops_t *ops, const float *x, const float *scale, const float *other,
                           float *y) noexcept nogil:
    cdef step_t flat = s[0]
    cdef int64_t total = s.images * s.rows
    cdef int threads = _threads(s, <double>total * s.cols)
    cdef int part
    if scale == NULL:         # runs of a cache line, so that threads share the work evenly
        total = total * s.cols
        if total % 16 == 0:
            flat.images, flat.rows, flat.cols = 1, total // 16, 16
        else:
            flat.images, flat.rows, flat.cols = 1, 1, total
        total = flat.rows
    if threads == 1:
        _point_part(&flat, ops, 0, total, x, scale, other, y)
    else:
        for part in prange(threads, num_threads=threads, schedule="static"):
            _point_part(&flat, ops, split_start(total, threads, part), split_start(total, threads, part + 1), x, scale, other, y)


cdef inline void mean_run(const step_t *s, const ops_t *ops, const float *x, float *y) noexcept nogil:
    cdef int threads = _threads(s, <double>s.images * s.rows * s.cols)
    cdef int64_t image
    cdef int64_t total = s.images * s.rows, first
    cdef int part
    if s.curve.by_column:
        for image in prange(s.images, num_threads=threads, schedule="static"):
            ops.mean_columns(s.rows, s.cols, x + image * s.rows * s.cols, y + image * s.cols)
    elif threads == 1:
        ops.mean_rows(total, s.cols, x, y)
    else:
        for part in prange(threads, num_threads=threads, schedule="static"):
            first = split_start(total, threads, part)
            ops.mean_rows(split_start(total, threads, part + 1) - first, s.cols, x + first * s.cols, y + first)


cdef inline void _repeat_row(const step_t *s, const float *x, float *y) noexcept nogil:
    """One row of x to `tall` rows of y."""
    cdef int64_t j, k, _copy, length = s.cols * s.wide * s.inner
    cdef float *to = y
    if s.inner == 1 and s.wide == 2:
        for j in range(s.cols):
            to[2 * j] = x[j]
            to[2 * j + 1] = x[j]
    elif s.inner == 1:
        for j in range(s.cols):
            for k in range(s.wide):
                to[j * s.wide + k] = x[j]
    else:
        for j in range(s.cols):
            for _copy in range(s.wide):
                memcpy(to, x + j * s.inner, s.inner * sizeof(float))
                to += s.inner
    for k in range(1, s.tall):
        memcpy(y + k * length, y, length * sizeof(float))


cdef inline void repeat_run(const step_t *s, const float *x, float *y) noexcept nogil:
    cdef int64_t row, total = s.images * s.rows
    cdef int64_t from_row = s.cols * s.inner, to_row = from_row * s.wide * s.tall
    cdef int threads = _threads(s, <double>total * to_row)
    if threads == 1:
        for row in range(total):
            _repeat_row(s, x + row * from_row, y + row * to_row)
    else:
        for row in prange(total, num_threads=threads, schedule="static"):
            _repeat_row(s, x + row * from_row, y + row * to_row)


cdef inline void _join(bint mean, int64_t count, const float *x, float *y) noexcept nogil:
    cdef int64_t k
    if mean:
        for k in range(count):
            y[k] += x[k]
    else:
        for k in range(count):
            y[k] = x[k] if x[k] > y[k] else y[k]


cdef inline void _scale(float share, int64_t count, float *y) noexcept nogil:
    cdef int64_t k
    for k in range(count):
        y[k] *= share


cdef inline void _pool_row(const step_t *s, int64_t number, const float *x, float *y) noexcept nogil:
    """Row `number` of y, counted over all images: down the columns first where pixels are single numbers."""
    cdef float line[MOST_COLS]
    cdef int64_t row = number % s.oh * s.sh - s.ph, first = max(<int64_t>0, row), last = min(s.rows, row + s.tall)
    cdef int64_t j, k, i, col, left, right, pitch = s.cols * s.inner
    cdef float v
    x += number // s.oh * s.rows * pitch
    y += number * s.ow * s.inner
    if s.inner == 1:
        memcpy(line, x + first * pitch, pitch * sizeof(float))
        for i in range(first + 1, last):
            _join(s.mean, pitch, x + i * pitch, line)
    for j in range(s.ow):
        col = j * s.sw - s.pw
        left, right = max(<int64_t>0, col), min(s.cols, col + s.wide)
        if s.inner == 1:
            v = line[left]
            if s.mean:
                for k in range(left + 1, right):
                    v += line[k]
                v /= s.tall * s.wide if s.whole else (last - first) * (right - left)
            else:
                for k in range(left + 1, right):
                    v = line[k] if line[k] > v else v
            y[j] = v
            continue
        memcpy(y, x + first * pitch + left * s.inner, s.inner * sizeof(float))
        for i in range(first, last):
            for k in range(left, right):
                if i > first or k > left:
                    _join(s.mean, s.inner, x + i * pitch + k * s.inner, y)
        if s.mean:
            _scale(<float>1 / <float>(s.tall * s.wide if s.whole else (last - first) * (right - left)), s.inner, y)
        y += s.inner


cdef inline void pool_run(const step_t *s, const float *x, float *y) noexcept nogil:
    cdef int64_t row, total = s.images * s.oh
    cdef int threads = _threads(s, <double>s.images * s.rows * s.cols * s.inner)
    if threads == 1:
        for row in range(total):
            _pool_row(s, row, x, y)
    else:
        for row in prange(total, num_threads=threads, schedule="static"):
            _pool_row(s, row, x, y)


cdef inline void copy_run(const step_t *s, const float *x, float *y) noexcept nogil:
    cdef int64_t image
    for image in range(s.images):
        memcpy(y + image * s.pitch + s.at, x + image * s.cols, s.cols * sizeof(float))


cdef inline void turn_run(const step_t *s, const ops_t *ops, const float *x, float *y) noexcept nogil:
    """In strips of rows that stay in L1 while they are turned."""
    cdef int64_t image, strip, first, size = s.rows * s.cols, strips = ceil_div(s.rows, 16), total = s.images * strips
    cdef int threads = _threads(s, <double>s.images * size)
    for strip in prange(total, num_threads=threads, schedule="static"):
        image = strip // strips
        first = strip % strips * 16
        ops.transpose_rows(min(<int64_t>16, s.rows - first), s.cols, x + image * size + first * s.cols, s.cols,
                           y + image * size + first, s.rows)


cdef inline int step_run(const step_t *s, const ops_t *ops, const address_t *at, char *workspace,
                         bint (*interrupted)() noexcept nogil) noexcept nogil:
    """The status of the step; `at`: where the values are."""
    cdef const char *x = at[s.x]
    cdef const char *other = at[s.other] if s.other >= 0 else NULL
    cdef const char *scale = at[s.scale] if s.scale >= 0 else NULL
    cdef char *y = at[s.y]
    if s.kind == STEP_CONV:
        return plan_run(s.plan, x, other, y, workspace, interrupted)
    if s.kind == STEP_PAIR:
        return separable_run(s.pair, x, other, y, workspace, interrupted)
    if s.kind == STEP_POINT:
        point_run(s, ops, <const float *>x, <const float *>scale, <const float *>other, <float *>y)
    elif s.kind == STEP_MEAN:
        mean_run(s, ops, <const float *>x, <float *>y)
    elif s.kind == STEP_REPEAT:
        repeat_run(s, <const float *>x, <float *>y)
    elif s.kind == STEP_COPY:
        copy_run(s, <const float *>x, <float *>y)
    elif s.kind == STEP_POOL:
        pool_run(s, <const float *>x, <float *>y)
    else:
        turn_run(s, ops, <const float *>x, <float *>y)
    return PYCONV_STATUS_OK
