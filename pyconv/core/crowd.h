/* SPDX-License-Identifier: BSD-3-Clause */
/* What the controller of crowd.pxd remembers. */
#ifndef PYCONV_CORE_CROWD_H
#define PYCONV_CORE_CROWD_H

#include <stdint.h>

typedef struct {
    int64_t until;    /* crowded so long; times in nanoseconds */
    int64_t pause;    /* the last one's length */
    int64_t seen;     /* when the switches were counted, */
    int64_t switches; /* and their number then */
    double level;
} pyconv_crowd_t;

static pyconv_crowd_t pyconv_crowd;
static char pyconv_crowd_guard;

static inline int pyconv_crowd_enter(void) {
    return !__atomic_test_and_set(&pyconv_crowd_guard, __ATOMIC_ACQUIRE);
}

static inline void pyconv_crowd_leave(void) { __atomic_clear(&pyconv_crowd_guard, __ATOMIC_RELEASE); }

#endif
