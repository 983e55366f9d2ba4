# SPDX-License-Identifier: BSD-3-Clause
"""
Whether others want our CPUs too. OpenMP's barriers spin, and one thread that was put aside makes all others wait for it: a
millisecond's work on two busy cores took 46 with two threads, 4 with one.

The sign is involuntary context switches of this process. A leaky bucket counts them, since an idle system makes some, too:

    level = max(0, level + switches - LEAK * seconds),  crowded from FULL on

Then runs that follow OpenMP take one thread for a while, twice as long each time that the crowd is still there afterwards.
"""

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #include <sys/resource.h>
    #include <time.h>

    typedef struct {
        int64_t until;    /* crowded so long; times in nanoseconds */
        int64_t pause;    /* the last one's length */
        int64_t seen;     /* when the switches were counted, */
        int64_t switches; /* and their number then */
        double level;
    } pyconv_crowd_t;

    static pyconv_crowd_t pyconv_crowd;
    static char pyconv_crowd_guard;

    static int64_t pyconv_nanoseconds(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
    }

    static int64_t pyconv_involuntary_switches(void) {
        struct rusage u;
        return getrusage(RUSAGE_SELF, &u) ? 0 : u.ru_nivcsw;
    }
    """
    ctypedef struct crowd_t "pyconv_crowd_t":
        int64_t until, pause, seen, switches
        double level
    crowd_t crowd "pyconv_crowd"
    char crowd_guard "pyconv_crowd_guard"
    int64_t nanoseconds "pyconv_nanoseconds"() noexcept nogil
    int64_t involuntary_switches "pyconv_involuntary_switches"() noexcept nogil
    bint test_and_set "__atomic_test_and_set"(char *guard, int order) noexcept nogil
    void clear_guard "__atomic_clear"(char *guard, int order) noexcept nogil
    enum:
        ACQUIRE "__ATOMIC_ACQUIRE"
        RELEASE "__ATOMIC_RELEASE"

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
    if test_and_set(&crowd_guard, ACQUIRE):
        return False
    answer = nanoseconds() < crowd.until or crowd_step(&crowd, nanoseconds(), involuntary_switches())
    clear_guard(&crowd_guard, RELEASE)
    return answer
