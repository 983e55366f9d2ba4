/* SPDX-License-Identifier: BSD-3-Clause */
/* Guarded memory, counters, numbers and clocks for the kernel tests. */
#ifndef PYCONV_TEST_HARNESS_H
#define PYCONV_TEST_HARNESS_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static long passed, failed;

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (condition)                                                                                       \
            passed++;                                                                                        \
        else if (++failed <= 20) {                                                                           \
            printf("FAILED ");                                                                               \
            printf(__VA_ARGS__);                                                                             \
            printf("\n");                                                                                    \
        }                                                                                                    \
    } while (0)

/* An array between two pages that must not be touched: its end is the start of the second, so that reading or
 * writing one element too far ends the program. The slack before it, and the array itself, are 0xA5. */
typedef struct guarded {
    char *pages, *data;
    size_t mapped, bytes;
} guarded;

static guarded guarded_new(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
    guarded g = {.mapped = body + 2 * page, .bytes = bytes};
    g.pages = mmap(NULL, g.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.pages == MAP_FAILED || mprotect(g.pages + page, body ? body : page, PROT_READ | PROT_WRITE)) {
        perror("guarded_new");
        exit(2);
    }
    g.data = g.pages + page + body - bytes;
    memset(g.pages + page, 0xA5, body);
    return g;
}

/* 1 if the slack before the array is untouched. */
static int guarded_free(guarded g) {
    const char *slack = g.pages + sysconf(_SC_PAGESIZE);
    const size_t bytes = (size_t)(g.data - slack);
    const int intact =
        bytes == 0 || ((unsigned char)*slack == 0xA5 && memcmp(slack, slack + 1, bytes - 1) == 0);
    munmap(g.pages, g.mapped);
    return intact;
}

/* Small integers, so that every sum below is exact and results are compared bit for bit. */
static uint32_t random_state = 1;
static int small_integer(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (int)(random_state >> 16) % 9 - 4;
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
