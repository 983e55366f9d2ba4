# SPDX-License-Identifier: BSD-3-Clause
"""
Whether others want our CPUs too. OpenMP's barriers spin, and one thread that was put aside makes all others wait for it: a
millisecond's work on two busy cores took 46 with two threads, 4 with one.

The sign is involuntary context switches of this process. A leaky bucket counts them, since an idle system makes some, too:

    level = max(0, level + switches - LEAK * seconds),  crowded from FULL on

Then runs that follow OpenMP take one thread for a while, twice as long each time that the crowd is still there afterwards.
"""

from libc.stdint cimport int64_t

from pyconv.core.machine cimport involuntary_switches, nanoseconds

cdef extern from "core/crowd.h":
    ctypedef struct crowd_t "pyconv_crowd_t":
        int64_t until, pause, seen, switches
        double level
    crowd_t crowd "pyconv_crowd"
    bint crowd_enter "pyconv_crowd_enter"() noexcept nogil    # alone, or not at all
    void crowd_leave "pyconv_crowd_leave"() noexcept nogil

cdef enum:
    LEAK = 40                 # switches a second that mean nothing; two threads on two busy cores have hundreds
    FULL = 3
    SHORTEST = 10000000       # of the pauses, in ns
    LONGEST = 1000000000
    CROWDED_RUN = 100000000


cdef inline bint crowd_step(crowd_t *c, int64_t now, int64_t switches) noexcept nogil:
    """Whether it is crowded, where so many switches have happened since the process began."""
    c.level = min(max(c.level + (switches - c.switches) - LEAK * 1e-9 * (now - c.seen), 0), FULL)
    c.seen, c.switches = now, switches
    if c.level < FULL:
        return now < c.until
    # A pause that ended long ago has nothing to do with this crowd; one crowded run alone takes tens of milliseconds.
    c.pause = min(2 * c.pause, LONGEST) if 0 < now - c.until < c.pause + CROWDED_RUN else SHORTEST
    c.until = now + c.pause
    c.level = 0
    return True


cdef inline bint crowded() noexcept nogil:
    """Of several threads that ask at once, one looks; the others hear no, which costs them one run at most."""
    cdef bint answer
    if not crowd_enter():
        return False
    answer = nanoseconds() < crowd.until or crowd_step(&crowd, nanoseconds(), involuntary_switches())
    crowd_leave()
    return answer
