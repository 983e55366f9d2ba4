# SPDX-License-Identifier: BSD-3-Clause
"""
Tiles of the fft algorithm beyond a core's cache, in three passes through memory:

channels: strips of columns of the image are transformed into tiles [icg][2][fh][fw + GAP].
products: of V rows of all those tiles the spectra, products with the kernel's, inverse transforms to the filters' tiles,
[filters][2][fh][fw + GAP].
filters: strips of their columns are transformed and stored as outputs.

Each thread goes over tiles of its own, or, where there are too few or one takes long, all share those of each pass.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.engines.fft.cut cimport *
from pyconv.engines.fft.lines cimport *
from pyconv.core.tasks cimport run_some, run_tasks
from pyconv.core.kernels cimport FFT_FROM_ROWS, FFT_TO_ROWS, ceil_div


cdef inline void multiply(const problem_t *p, int64_t blocks, int64_t filters, int64_t tiles, const real *w, const real *x,
                          real *y) noexcept nogil:
    p.ops.fft_multiply(blocks, filters, p.icg, tiles, w, x, y)


# Of one tile and one block of filters; x and y point to the group's first channel and the block's first filter.
ctypedef struct shared_t:
    const task_t *t
    const tiles_t *s
    int64_t tile
    int64_t o, filters, end   # the first filter, how many; where the group's end
    int64_t at                # its first output of the image in y
    const void *x
    const void *spectra       # of the kernel, those filters
    void *tiles               # of channels, then of filters
    int pass_                 # 0 channels, 1 products, 2 filters


cdef inline void _channel_strip(const shared_t *job, int64_t number, const real *tables, real *workspace) noexcept nogil:
    cdef const problem_t *p = job.t.p
    cdef const tiles_t *s = job.s
    cdef int64_t strips = ceil_div(s.fw, STRIP)
    cdef int64_t column = number % strips * STRIP
    cdef int64_t cols = min(STRIP, s.fw - column)
    cdef int64_t c = number // strips
    cdef real *im = workspace + s.fh * (STRIP + GAP)
    cdef real *to = <real *>job.tiles + c * tile_elements(s) + column
    load_columns(s, <const real *>job.x + c * p.xc, job.tile, column, cols, workspace, im, STRIP + GAP)
    transform_down(p, s, tables, PIXELS, column // p.ops.lanes, cols // p.ops.lanes, workspace, im, STRIP + GAP, to,
                   to + s.fh * (s.fw + GAP), s.fw + GAP, workspace + 2 * s.fh * (STRIP + GAP))


cdef inline void _products_of_rows(const shared_t *job, int64_t number, const real *tables, real *workspace) noexcept nogil:
    cdef const problem_t *p = job.t.p
    cdef const tiles_t *s = job.s
    cdef int64_t v = p.ops.lanes
    cdef int64_t pitch = s.fw + GAP
    cdef int64_t c
    cdef real *x = workspace
    cdef real *y = x + 2 * s.fw * v * p.icg
    cdef real *scratch = y + 2 * s.fw * v * job.filters
    cdef real *tile = <real *>job.tiles + number * v * pitch
    cdef const real *w = <const real *>job.spectra + number * s.fw * job.filters * p.icg * 2 * v
    for c in range(p.icg):
        transform(p, FFT_FROM_ROWS, s.fw, 0, 1, tile, tile + s.fh * pitch, pitch, 0, x + 2 * v * c, x + 2 * v * c + v,
                  2 * v * p.icg, 0, tables + 2 * s.fh, <const real *>NULL, <const real *>NULL, scratch)
        tile += tile_elements(s)
    multiply(p, s.fw, job.filters, 1, w, x, y)
    for c in range(job.filters):
        transform(p, FFT_TO_ROWS, s.fw, 0, 1, y + 2 * v * c + v, y + 2 * v * c, 2 * v * job.filters, 0, tile + s.fh * pitch,
                  tile, pitch, 0, tables + 2 * s.fh, <const real *>NULL, <const real *>NULL, scratch)
        tile += tile_elements(s)


cdef inline void _filter_strip(const shared_t *job, int64_t number, const real *tables, real *workspace) noexcept nogil:
    cdef const problem_t *p = job.t.p
    cdef const tiles_t *s = job.s
    cdef int64_t strips = ceil_div(s.fw, STRIP)
    cdef int64_t column = number % strips * STRIP
    cdef int64_t cols = min(STRIP, s.fw - column)
    cdef int64_t o = number // strips
    cdef real *im = workspace + s.fh * (STRIP + GAP)
    cdef const real *tile = <const real *>job.tiles + (p.icg + o) * tile_elements(s) + column
    transform_down(p, s, tables, BACK, column // p.ops.lanes, cols // p.ops.lanes, tile + s.fh * (s.fw + GAP), tile, s.fw + GAP,
                   im, workspace, STRIP + GAP, workspace + 2 * s.fh * (STRIP + GAP))
    store_columns(job.t, s, job.tile, job.o + o, job.at + o * p.yc, column, cols, workspace, im, STRIP + GAP)


cdef inline int64_t _tasks(const shared_t *job) noexcept nogil:
    """Of the pass."""
    if job.pass_ == 1:
        return job.s.fh // job.t.p.ops.lanes
    return ceil_div(job.s.fw, STRIP) * (job.t.p.icg if job.pass_ == 0 else job.filters)


cdef inline void _task(const shared_t *job, int64_t number, real *workspace) noexcept nogil:
    cdef const real *tables = <const real *>job.t.weight
    if job.pass_ == 0:
        _channel_strip(job, number, tables, workspace)
    elif job.pass_ == 1:
        _products_of_rows(job, number, tables, workspace)
    else:
        _filter_strip(job, number, tables, workspace)


cdef inline void _task_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _task(<const shared_t *>cut, number, <float *>buffer)
    else:
        _task(<const shared_t *>cut, number, <double *>buffer)


cdef inline shared_t _tile(const task_t *t, const tiles_t *s, int64_t number, void *tiles) noexcept nogil:
    """Tile `number` of n * g * tiles, before its first pass."""
    cdef const problem_t *p = t.p
    cdef shared_t job
    cdef int64_t image = number // s.tiles // p.g
    cdef int64_t g = number // s.tiles % p.g
    job.t, job.s, job.tiles = t, s, tiles
    job.tile = number % s.tiles
    job.x = <const char *>t.x + (image * p.xn + g * p.icg * p.xc) * <int64_t>p.itemsize
    job.o = g * p.ocg
    job.filters = 0
    job.end = job.o + p.ocg
    job.at = image * p.yn + job.o * p.yc
    job.spectra = <const char *>t.weight + (table_elements(p, s) + 2 * job.o * p.icg * s.fh * s.fw) * <int64_t>p.itemsize
    job.pass_ = 0
    return job


cdef inline bint _next_pass(shared_t *job) noexcept nogil:
    """The channels, then products and filters for each block of at most FILTERS filters; whether one was left."""
    cdef const problem_t *p = job.t.p
    if job.pass_ == 1:
        job.pass_ = 2
        return True
    job.o += job.filters
    job.at += job.filters * p.yc
    job.spectra = <const char *>job.spectra + 2 * job.filters * p.icg * job.s.fh * job.s.fw * <int64_t>p.itemsize
    job.filters = min(FILTERS, job.end - job.o)
    job.pass_ = 1
    return job.filters > 0


cdef inline void _whole_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    """One tile by one thread: its tiles of channels and filters, then what a transform needs."""
    cdef const tiles_t *s = <const tiles_t *>cut
    cdef shared_t job = _tile(t, s, number, buffer)
    cdef int64_t i
    buffer += large_bytes(t.p, s)
    while True:
        for i in range(_tasks(&job)):
            _task_step(t, &job, i, buffer)
        if not _next_pass(&job):
            return


cdef inline int run_large(task_t *t, const tiles_t *s) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef size_t size = thread_bytes(p, s)
    cdef size_t tiles = large_bytes(p, s)
    # Had the cycles that a tile takes been spent on 16 multiply-adds each, a third of them in each kind of pass.
    cdef double flops = 32.0 * s.cycles / s.tiles
    cdef double third
    cdef int64_t jobs = p.n * p.g * s.tiles
    cdef int64_t i, tasks
    cdef shared_t job
    if not s.shared:
        return run_tasks(t, _whole_step, s, jobs, flops, tiles + size)
    for i in range(jobs):
        job = _tile(t, s, i, t.workspace)
        while True:
            tasks = _tasks(&job)
            third = flops / 3 / (1 if job.pass_ == 0 else ceil_div(p.ocg, FILTERS))
            if run_some(t, _task_step, &job, 0, tasks, third / tasks, t.threads, t.workspace + tiles, size):
                return PYCONV_STATUS_INTERRUPTED
            if not _next_pass(&job):
                break
    return PYCONV_STATUS_OK
