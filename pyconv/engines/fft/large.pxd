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
from cython.parallel cimport prange, threadid

from pyconv.core.types cimport *
from pyconv.engines.fft.cut cimport *
from pyconv.engines.fft.lines cimport *
from pyconv.core.tasks cimport poll, tasks_between_polls
from pyconv.core.kernels cimport FFT_FROM_ROWS, FFT_TO_ROWS, ceil_div


cdef inline void multiply(const problem_t *p, int64_t blocks, int64_t filters, int64_t tiles, const real *w, const real *x,
                          real *y) noexcept nogil:
    p.ops.fft_multiply(blocks, filters, p.icg, tiles, w, x, y)


# Of one tile and one block of filters; x and y point to the group's first channel and the block's first filter.
ctypedef struct shared_t:
    const task_t *t
    const tiles_t *s
    int64_t tile
    int64_t o, filters        # the first filter, how many
    int64_t at                # its first output of the image in y
    const void *x
    const void *spectra       # of the kernel, those filters
    void *tiles               # of channels, then of filters


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
    transform_down(p, s, tables, False, column // lanes(p), cols // lanes(p), workspace, im, STRIP + GAP, to,
                   to + s.fh * (s.fw + GAP), s.fw + GAP, workspace + 2 * s.fh * (STRIP + GAP))


cdef inline void _products_of_rows(const shared_t *job, int64_t number, const real *tables, real *workspace) noexcept nogil:
    cdef const problem_t *p = job.t.p
    cdef const tiles_t *s = job.s
    cdef int64_t v = lanes(p)
    cdef int64_t pitch = s.fw + GAP
    cdef int64_t c
    cdef real *x = workspace
    cdef real *y = x + 2 * s.fw * v * p.icg
    cdef real *scratch = y + 2 * s.fw * v * job.filters
    cdef real *tile = <real *>job.tiles + number * v * pitch
    cdef const real *w = <const real *>job.spectra + number * s.fw * job.filters * p.icg * 2 * v
    for c in range(p.icg):
        transform(p, FFT_FROM_ROWS, s.fw, 0, 1, tile, tile + s.fh * pitch, pitch, 0, x + 2 * v * c, x + 2 * v * c + v,
                  2 * v * p.icg, 0, tables + 2 * s.fh, <const real *>NULL, scratch)
        tile += tile_elements(s)
    multiply(p, s.fw, job.filters, 1, w, x, y)
    for c in range(job.filters):
        transform(p, FFT_TO_ROWS, s.fw, 0, 1, y + 2 * v * c + v, y + 2 * v * c, 2 * v * job.filters, 0, tile + s.fh * pitch,
                  tile, pitch, 0, tables + 2 * s.fh, <const real *>NULL, scratch)
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
    transform_down(p, s, tables, True, column // lanes(p), cols // lanes(p), tile + s.fh * (s.fw + GAP), tile, s.fw + GAP, im,
                   workspace, STRIP + GAP, workspace + 2 * s.fh * (STRIP + GAP))
    store_columns(job.t, s, job.tile, job.o + o, job.at + o * p.yc, column, cols, workspace, im, STRIP + GAP)


cdef inline int64_t _tasks(const shared_t *job, int which) noexcept nogil:
    """Of a pass: which = 0 channels, 1 products, 2 filters."""
    if which == 1:
        return job.s.fh // lanes(job.t.p)
    return ceil_div(job.s.fw, STRIP) * (job.t.p.icg if which == 0 else job.filters)


cdef inline void _task(const shared_t *job, int which, int64_t number, const real *tables, char *workspace) noexcept nogil:
    if which == 0:
        _channel_strip(job, number, tables, <real *>workspace)
    elif which == 1:
        _products_of_rows(job, number, tables, <real *>workspace)
    else:
        _filter_strip(job, number, tables, <real *>workspace)


cdef inline shared_t _tile(const task_t *t, const tiles_t *s, int64_t number, void *tiles, const real *packed) noexcept nogil:
    """Tile `number` of n * g * tiles."""
    cdef const problem_t *p = t.p
    cdef shared_t job
    cdef int64_t image = number // s.tiles // p.g
    cdef int64_t g = number // s.tiles % p.g
    job.t, job.s, job.tiles = t, s, tiles
    job.tile = number % s.tiles
    job.x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
    job.o = g * p.ocg
    job.filters = 0
    job.at = image * p.yn + job.o * p.yc
    job.spectra = packed + table_elements(p, s) + 2 * job.o * p.icg * s.fh * s.fw
    return job


cdef inline void _next_filters(shared_t *job, int64_t end, const real *packed) noexcept nogil:
    """The next block of at most FILTERS filters of a group that ends there."""
    cdef const problem_t *p = job.t.p
    job.o += job.filters
    job.at += job.filters * p.yc
    job.spectra = <const real *>job.spectra + 2 * job.filters * p.icg * job.s.fh * job.s.fw
    job.filters = min(FILTERS, end - job.o)


cdef inline void _whole(const task_t *t, const tiles_t *s, int64_t number, const real *packed, char *tiles,
                        char *workspace) noexcept nogil:
    """One tile by one thread."""
    cdef shared_t job = _tile(t, s, number, tiles, packed)
    cdef int64_t end = job.o + t.p.ocg
    cdef int64_t i
    cdef int which
    for i in range(_tasks(&job, 0)):
        _task(&job, 0, i, packed, workspace)
    while job.o + job.filters < end:
        _next_filters(&job, end, packed)
        for which in range(1, 3):
            for i in range(_tasks(&job, which)):
                _task(&job, which, i, packed, workspace)


cdef inline bint _pass(task_t *t, const shared_t *job, int which, double flops, const real *tables, char *workspace,
                       size_t size) noexcept nogil:
    """Whether it was interrupted; `flops` are those of the whole pass."""
    cdef int64_t tasks = _tasks(job, which)
    cdef int64_t chunk = tasks_between_polls(t, flops / tasks)
    cdef int64_t first = 0
    cdef int64_t last, i
    while first < tasks:
        last = min(first + chunk, tasks)
        for i in prange(first, last, num_threads=t.threads, schedule="static"):
            _task(job, which, i, tables, workspace + threadid() * size)
        if poll(t, flops * (last - first) / tasks):
            return True
        first = last
    return False


cdef inline int run_large(task_t *t, const tiles_t *s, const real *packed) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef size_t size = thread_bytes(p, s)
    cdef size_t tiles = large_bytes(p, s)
    cdef char *workspace = t.workspace + tiles * (1 if s.shared else t.slots)
    # Had the cycles that a tile takes been spent on 16 multiply-adds each.
    cdef double flops = 32.0 * s.cycles / s.tiles
    cdef int64_t jobs = p.n * p.g * s.tiles
    cdef int64_t chunk = tasks_between_polls(t, flops)
    cdef int64_t blocks = ceil_div(p.ocg, FILTERS)
    cdef int64_t first = 0
    cdef int64_t last, i, end
    cdef shared_t job
    if not s.shared:
        while first < jobs:
            last = min(first + chunk, jobs)
            for i in prange(first, last, num_threads=t.threads, schedule="static"):
                _whole(t, s, i, packed, t.workspace + threadid() * tiles, workspace + threadid() * size)
            if poll(t, flops * (last - first)):
                return PYCONV_STATUS_INTERRUPTED
            first = last
        return PYCONV_STATUS_OK
    for first in range(jobs):
        job = _tile(t, s, first, t.workspace, packed)
        end = job.o + p.ocg
        if _pass(t, &job, 0, flops / 3, packed, workspace, size):
            return PYCONV_STATUS_INTERRUPTED
        while job.o + job.filters < end:
            _next_filters(&job, end, packed)
            if _pass(t, &job, 1, flops / 3 / blocks, packed, workspace, size):
                return PYCONV_STATUS_INTERRUPTED
            if _pass(t, &job, 2, flops / 3 / blocks, packed, workspace, size):
                return PYCONV_STATUS_INTERRUPTED
    return PYCONV_STATUS_OK
