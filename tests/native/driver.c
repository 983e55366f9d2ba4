/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests every kernel of every instruction set that this CPU has:  driver
 * and prints its speed and share of the multiply-add peak:        driver --bench */
#include "pyconv/kernels.h"

#include "harness.h"

#define PASTE(a, b) PYCONV_PASTE(a, b)
#define real PASTE(pyconv_, T)
#define KERNELS PYCONV_PASTE3(pyconv_, T, _kernels)
#define EPILOGUE PYCONV_PASTE3(pyconv_, T, _epilogue)
#define CHECK_NAME(op) PASTE(PASTE(check_, T), PASTE(_, op))

/* An operation in the list of kernels.h with no check_<t>_<op> here does not compile. */
#define CHECK_OPERATION(t, isa, op, result, parameters) check_##t##_##op(&kernels->t, isa);

#define T f32
#include "check.tmpl.h"
#undef T
#define T f64
#include "check.tmpl.h"
#undef T

int main(int argc, char **argv) {
    const int bench = argc > 1 && strcmp(argv[1], "--bench") == 0;
    for (int level = 0; level < PYCONV_ISA_COUNT; level++) {
        const pyconv_kernels_t *kernels = pyconv_kernels_select(level);
        if (kernels->level != level) {
            printf("%s: not on this machine\n", pyconv_isa_name(level));
            continue;
        }
        printf("%s: %d lanes\n", kernels->isa, kernels->f32.lanes);
        if (bench) {
            bench_f32_all(&kernels->f32, kernels->isa);
            bench_f64_all(&kernels->f64, kernels->isa);
        } else {
            PYCONV_OPERATIONS(CHECK_OPERATION, f32, kernels->isa)
            PYCONV_OPERATIONS(CHECK_OPERATION, f64, kernels->isa)
        }
    }
    if (!bench)
        printf("%ld passed, %ld failed\n", passed, failed);
    return failed != 0;
}
