# SPDX-License-Identifier: BSD-3-Clause
"""Between blocks of work: whether the caller wants to stop."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *

cdef enum:
    POLL_FLOPS = 500000000    # milliseconds of one core; asking may take the GIL
    MOVED = 16                # flops in the time that an element takes to be copied, or added, from and to memory


cdef inline bint poll(task_t *t, double flops) noexcept nogil:
    """Asks once in some POLL_FLOPS; `flops` are those since the last call."""
    t.work += flops
    if t.interrupted == NULL or t.work < POLL_FLOPS:
        return False
    t.work = 0
    return t.interrupted()


cdef inline int64_t tasks_between_polls(const task_t *t, double flops) noexcept nogil:
    """So many tasks of `flops` each that every thread has POLL_FLOPS, or one task."""
    return max(<int64_t>(POLL_FLOPS / flops), 1) * t.threads
