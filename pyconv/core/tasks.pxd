# SPDX-License-Identifier: BSD-3-Clause
"""
The loop of every run: tasks by one thread or several, in chunks between which the caller may stop it.

Threads take whole tasks, a run of neighbours each (OpenMP's static schedule), and a task sums in an order of its own: results
depend neither on the number of threads nor on where a chunk ends.
"""

from libc.stdint cimport int64_t
from cython.parallel cimport prange, threadid

from pyconv.core.types cimport *

cdef enum:
    POLL_FLOPS = 500000000    # milliseconds of one core; asking may take the GIL
    MOVED = 16                # flops in the time that an element takes to be copied, or added, from and to memory

# Task `number` of what has been cut as `cut` says; `buffer` is the thread's own. Casts to the type of the elements are here.
ctypedef void (*step_t)(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil


cdef inline bint poll(task_t *t, double flops) noexcept nogil:
    """Asks once in some POLL_FLOPS; `flops` are those since the last call."""
    t.work += flops
    if t.interrupted == NULL or t.work < POLL_FLOPS:
        return False
    t.work = 0
    return t.interrupted()


cdef inline int64_t tasks_between_polls(double flops, int threads) noexcept nogil:
    """So many tasks of `flops` each that every thread has POLL_FLOPS, or one task."""
    return max(<int64_t>(POLL_FLOPS / flops), 1) * threads


cdef inline void share_tasks(const task_t *t, step_t step, const void *cut, int64_t first, int64_t last, int threads,
                             char *buffers, size_t bytes) noexcept nogil:
    """Tasks first .. last; thread i has the i-th of the buffers, which are `bytes` apart."""
    cdef int64_t i
    if threads == 1:          # a parallel region of one thread takes 0.4 us
        for i in range(first, last):
            step(t, cut, i, buffers)
    else:
        for i in prange(first, last, num_threads=threads, schedule="static"):
            step(t, cut, i, buffers + threadid() * bytes)


cdef inline int run_some(task_t *t, step_t step, const void *cut, int64_t first, int64_t last, double flops, int threads,
                         char *buffers, size_t bytes) noexcept nogil:
    """The same, `flops` each, unless the caller wants to stop: the status of the run."""
    cdef int64_t chunk = tasks_between_polls(flops, threads)
    cdef int64_t end
    while first < last:
        end = min(first + chunk, last)
        share_tasks(t, step, cut, first, end, threads, buffers, bytes)
        if poll(t, flops * (end - first)):
            return PYCONV_STATUS_INTERRUPTED
        first = end
    return PYCONV_STATUS_OK


cdef inline int run_tasks(task_t *t, step_t step, const void *cut, int64_t count, double flops, size_t bytes) noexcept nogil:
    """All `count` tasks by all threads, with `bytes` of the workspace each."""
    return run_some(t, step, cut, 0, count, flops, t.threads, t.workspace, bytes)
