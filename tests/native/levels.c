/* SPDX-License-Identifier: BSD-3-Clause */
/* core/kernels.c with made-up instruction sets: a greater one that has a single operation, beside one that this machine
 * does not have. */
#include <assert.h>

#include "../../pyconv/core/kernels.c"

#define EMPTY(isa, has) const pyconv_kernels_t pyconv_own__##isa;
PYCONV_ISAS(EMPTY)

static double lesser_peak(ptrdiff_t steps, void *sink) { return (void)sink, (double)steps; }
static double greater_peak(ptrdiff_t steps, void *sink) { return (void)sink, (double)steps + 1; }
static void lesser_spread(const pyconv_spread *s, const void *x, void *to) { (void)s, (void)x, (void)to; }

int main(void) {
    const pyconv_kernels_t lesser = {"lesser", 0,
                                     .f32 = {.lanes = 4, .fma_peak = lesser_peak, .spread = lesser_spread}};
    const pyconv_kernels_t greater = {"greater", 2, .f32 = {.lanes = 4, .fma_peak = greater_peak}};
    pyconv_kernels_t table = {0};
    add(&table, &lesser);
    add(&table, &greater);
    for (int level = 0; level < PYCONV_ISA_COUNT; level++) {
        const pyconv_kernels_t *kernels = pyconv_kernels_select(level);
        assert(kernels->level == (level < 2 ? 0 : 2));
        assert(kernels->f32.lanes == 4 && kernels->f32.spread == lesser_spread);
        assert(kernels->f32.fma_peak == (level < 2 ? lesser_peak : greater_peak));
        assert(kernels->f64.fma_peak == NULL);
    }
    assert(pyconv_kernels_select(-1) == pyconv_kernels_select(0));
    assert(pyconv_kernels_select(99) == pyconv_kernels_select(PYCONV_ISA_COUNT - 1));
    return 0;
}
