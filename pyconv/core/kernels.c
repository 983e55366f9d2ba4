/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of kernels of each level: that of the lesser level, overwritten by what its instruction set has of its own. */
#include "pyconv/kernels.h"

static pyconv_kernels_t tables[PYCONV_ISA_COUNT];

#define OVERWRITE(T, isa, op, result, parameters)                                                            \
    if (own->op)                                                                                             \
        table->op = own->op;
#define OVERWRITE_TYPE(T)                                                                                    \
    static void overwrite_##T(pyconv_##T##_kernels *table, const pyconv_##T##_kernels *own) {                \
        table->lanes = own->lanes, table->mr = own->mr, table->nr = own->nr;                                 \
        PYCONV_OPERATIONS(OVERWRITE, T, )                                                                    \
    }
OVERWRITE_TYPE(f32)
OVERWRITE_TYPE(f64)

static void add(pyconv_kernels_t *table, const pyconv_kernels_t *own) {
    table->isa = own->isa;
    table->level = own->level;
    overwrite_f32(&table->f32, &own->f32);
    overwrite_f64(&table->f64, &own->f64);
    for (int level = own->level; level < PYCONV_ISA_COUNT; level++)
        tables[level] = *table;
}

/* When the library is loaded, so that tables never change while somebody reads them. */
__attribute__((constructor)) static void fill_tables(void) {
    pyconv_kernels_t table = {0};
#if defined __x86_64__
    __builtin_cpu_init();
#endif
#define ADD(isa, has)                                                                                        \
    if (has)                                                                                                 \
        add(&table, &pyconv_own__##isa);
    PYCONV_ISAS(ADD)
}

const pyconv_kernels_t *pyconv_kernels_select(int max_level) {
    return &tables[max_level < 0 ? 0 : max_level < PYCONV_ISA_COUNT ? max_level : PYCONV_ISA_COUNT - 1];
}
