/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory, a yardstick and one table for the kernel benchmarks. */
#ifndef PYCONV_TEST_BENCH_H
#define PYCONV_TEST_BENCH_H

#include <regex.h>

#include "harness.h"

typedef struct bench_label {
    const char *isa, *type, *op;
} bench_label;

enum { bench_rounds = 101, bench_peak_steps = 20000 };
static const double bench_seconds = 50e-6; /* of a round: long to the clock, short to the scheduler */

/* Times `call`, which does `work`, and right beside it `yardstick`, which does some work and returns how much:
 * neighbours share the clock and the machine's other load, so their ratio means more than either speed. A line
 * holds the median speed and the median ratio; what follows `call` says the size, as printf does. */
#define BENCH(unit, work, yardstick, call, ...)                                                              \
    do {                                                                                                     \
        double speed[bench_rounds], share[bench_rounds];                                                     \
        long calls = 1;                                                                                      \
        for (int round = 0; round < bench_rounds;) {                                                         \
            const double start = seconds();                                                                  \
            for (long call_number = 0; call_number < calls; call_number++)                                   \
                call;                                                                                        \
            const double middle = seconds();                                                                 \
            if (round == 0 && middle - start < bench_seconds) {                                              \
                calls *= 2;                                                                                  \
                continue;                                                                                    \
            }                                                                                                \
            const double roof = (yardstick) / (seconds() - middle);                                          \
            speed[round] = (double)(work) * (double)calls / (middle - start);                                \
            share[round] = speed[round] / roof;                                                              \
            round++;                                                                                         \
        }                                                                                                    \
        printf("%s\t%s\t%s\t", label.isa, label.type, label.op);                                             \
        printf(__VA_ARGS__);                                                                                 \
        printf("\t%.3f\t%s\t%.4f\n", bench_median(speed) * 1e-9, unit, bench_median(share));                 \
    } while (0)

/* Against the multiply-adds of registers alone, and against memcpy of as many bytes, read and written. */
#define BENCH_FLOPS(flops, call, ...)                                                                        \
    BENCH("GFLOP/s", flops, kernels->fma_peak(bench_peak_steps, sink), call, __VA_ARGS__)
#define BENCH_BYTES(bytes, call, ...) BENCH("GB/s", bytes, bench_copy(bytes, calls), call, __VA_ARGS__)

static double bench_median(double *values) {
    qsort(values, bench_rounds, sizeof *values, compare_doubles);
    return values[bench_rounds / 2];
}

/* The arrays of one operation, 64-byte aligned. The gaps keep those that are a power of two long off each other's
 * cache sets. */
static _Alignas(64) char bench_pool[16 << 20];
static size_t bench_used;

static void *bench_take(size_t bytes) {
    char *taken = bench_pool + bench_used;
    bench_used += (bytes + 63) / 64 * 64 + 320;
    if (bench_used > sizeof bench_pool) {
        fprintf(stderr, "bench_pool is too small by %zu bytes\n", bench_used - sizeof bench_pool);
        exit(2);
    }
    return taken;
}

static double bench_copy(ptrdiff_t bytes, long times) {
    const size_t before = bench_used, half = (size_t)bytes / 2;
    const char *from = bench_take(half);
    char *to = bench_take(half);
    for (long i = 0; i < times; i++) {
        memcpy(to, from, half);
        __asm__ volatile("" ::: "memory"); /* else the compiler copies once */
    }
    bench_used = before;
    return (double)bytes * (double)times;
}

static int bench_matches(const char *pattern, const char *text) {
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB)) {
        fprintf(stderr, "not a regular expression: %s\n", pattern);
        exit(2);
    }
    const int found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

#endif
