/* SPDX-License-Identifier: BSD-3-Clause */
/* Instruction sets by level, and the highest level that this CPU and its operating system run. */
#ifndef PYCONV_CPU_H
#define PYCONV_CPU_H

#include <string.h>

/* Macros and not an enum, so that the preprocessor can compare them. */
#define PYCONV_ISA_scalar 0
#define PYCONV_ISA_neon 1
#define PYCONV_ISA_avx2 2
#define PYCONV_ISA_avx512 3
#define PYCONV_ISA_COUNT 4

static inline const char *pyconv_isa_name(int level) {
    static const char *const names[PYCONV_ISA_COUNT] = {"scalar", "neon", "avx2", "avx512"};
    return level >= 0 && level < PYCONV_ISA_COUNT ? names[level] : NULL;
}

/* The level called `name`, -1 if there is none. */
static inline int pyconv_isa_level(const char *name) {
    for (int level = 0; level < PYCONV_ISA_COUNT; level++)
        if (strcmp(name, pyconv_isa_name(level)) == 0)
            return level;
    return -1;
}

/* __builtin_cpu_supports answers for CPU and operating system alike: both libgcc and compiler-rt read XCR0
 * (xgetbv) and report no AVX feature whose registers the system does not save. */
static inline int pyconv_cpu_supports(int level) {
    if (level == PYCONV_ISA_scalar)
        return 1;
#if defined __x86_64__
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (level == PYCONV_ISA_avx2)
        return avx2;
    if (level == PYCONV_ISA_avx512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined __aarch64__
    return level == PYCONV_ISA_neon;
#endif
    return 0;
}

#endif
