/* SPDX-License-Identifier: BSD-3-Clause */
/* Instruction sets by level, the lesser first, and which of them this CPU and its operating system run. */
#ifndef PYCONV_CPU_H
#define PYCONV_CPU_H

#include <string.h>
#if defined __x86_64__
#include <cpuid.h>
#endif

enum { PYCONV_ISA_scalar, PYCONV_ISA_neon, PYCONV_ISA_avx2, PYCONV_ISA_avx512, PYCONV_ISA_COUNT };

/* Those of this architecture, X(name, whether this machine has it). They need not be steps of one ladder: each has what it
 * improves on the lesser ones that the machine has.
 *
 * __builtin_cpu_supports answers for CPU and operating system alike: both libgcc and compiler-rt read XCR0 (xgetbv) and
 * report no AVX feature whose registers the system does not save. It does not know F16C in every Clang; where AVX2 runs,
 * F16C needs nothing more of the system. */
#if defined __x86_64__
static inline int pyconv_has_f16c(void) {
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}

#define PYCONV_HAS_AVX2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && pyconv_has_f16c())
#define PYCONV_ISAS(X)                                                                                       \
    X(scalar, 1)                                                                                             \
    X(avx2, PYCONV_HAS_AVX2)                                                                                 \
    X(avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&                     \
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&                \
                  PYCONV_HAS_AVX2)
#elif defined __aarch64__
#define PYCONV_ISAS(X) X(scalar, 1) X(neon, 1)
#else
#define PYCONV_ISAS(X) X(scalar, 1)
#endif

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

#endif
