/* SPDX-License-Identifier: BSD-3-Clause */
/* Every kernel of every instruction set that this CPU has, against its definition:
 *
 *     driver
 *
 * or against the multiply-add peak, and memcpy, as a table of tabs; the two patterns choose:
 *
 *     driver --bench [ISA [OPERATION]] */
#include "pyconv/kernels.h"
#include "pyconv/paste.h"

#include "harness.h"

#include "bench.h"

#define PASTE(a, b) PYCONV_PASTE(a, b)
#define real PASTE(pyconv_, T)
#define KERNELS pyconv_ops
#define EPILOGUE pyconv_epilogue
#define CHECK_NAME(op) PASTE(PASTE(check_, T), PASTE(_, op))
#define BENCH_NAME(op) PASTE(PASTE(bench_, T), PASTE(_, op))

/* An operation in the list of kernels.h with no check_<t>_<op> and bench_<t>_<op> here does not compile. */
#define CHECK_OPERATION(t, isa, op, result, parameters) check_##t##_##op(&kernels->t, isa);
#define BENCH_OPERATION(t, isa, op, result, parameters)                                                      \
    if (bench_matches(pattern, #op)) {                                                                       \
        bench_used = 0;                                                                                      \
        bench_##t##_##op(&kernels->t, (bench_label){isa, #t, #op});                                          \
    }

#define CHECK_TYPE(t, isa) PYCONV_OPERATIONS(CHECK_OPERATION, t, isa)
#define BENCH_TYPE(t, isa) PYCONV_OPERATIONS(BENCH_OPERATION, t, isa)

#define T f32
#include "check.tmpl.h"
#undef T
#define T f64
#include "check.tmpl.h"
#undef T

static void check(const pyconv_kernels_t *kernels) {
    printf("%s: %d lanes\n", kernels->isa, kernels->f32.lanes);
    PYCONV_TYPES(CHECK_TYPE, kernels->isa)
}

static void bench(const pyconv_kernels_t *kernels, const char *pattern) {
    PYCONV_TYPES(BENCH_TYPE, kernels->isa)
}

int main(int argc, char **argv) {
    const int timed = argc > 1 && strcmp(argv[1], "--bench") == 0;
    if (timed)
        printf("isa\ttype\toperation\tsize\tspeed\tunit\tshare\n");
    for (int level = 0; level < PYCONV_ISA_COUNT; level++) {
        const pyconv_kernels_t *kernels = pyconv_kernels_select(level);
        if (timed && kernels->level == level && bench_matches(argc > 2 ? argv[2] : ".", kernels->isa))
            bench(kernels, argc > 3 ? argv[3] : ".");
        else if (!timed && kernels->level == level)
            check(kernels);
        else if (!timed)
            printf("%s: not on this machine\n", pyconv_isa_name(level));
    }
    if (!timed)
        printf("%ld passed, %ld failed\n", passed, failed);
    return failed != 0;
}
