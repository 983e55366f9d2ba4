/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of kernels of each level: that of the lesser level, overwritten by what its instruction set has of its own. */
#include "pyconv/kernels.h"

static pyconv_kernels_t tables[PYCONV_ISA_COUNT];

static void overwrite(pyconv_ops *table, const pyconv_ops *own) {
    table->lanes = own->lanes, table->mr = own->mr, table->nr = own->nr;
#define OVERWRITE(T, isa, op, result, parameters)                                                            \
    if (own->op)                                                                                             \
        table->op = own->op;
    PYCONV_OPERATIONS(OVERWRITE, , )
}

static void add(pyconv_kernels_t *table, const pyconv_kernels_t *own) {
    table->isa = own->isa;
    table->level = own->level;
#define OVERWRITE_TYPE(T, none) overwrite(&table->T, &own->T);
    PYCONV_TYPES(OVERWRITE_TYPE, )
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
