/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles every operation template once per instruction set and once per real type. The file includes itself
 * twice: the first pass goes over the instruction sets, the second over the real types, the third over the
 * templates. */

#if !defined PYCONV_ISA

#if defined __GNUC__ && !defined __clang__ && __GNUC__ < 12
#error "pyconv needs GCC 12 or later, the first with __builtin_shufflevector, or Clang: set CC to one of them"
#endif

#include <stddef.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#define PYCONV_BITS_f32 32
#define PYCONV_BITS_f64 64

#define PYCONV_PASTE_(a, b) a##b
#define PYCONV_PASTE(a, b) PYCONV_PASTE_(a, b)
#define PYCONV_PASTE3(a, b, c) PYCONV_PASTE(a, PYCONV_PASTE(b, c))
#define PYCONV_PASTE4(a, b, c, d) PYCONV_PASTE(PYCONV_PASTE(a, b), PYCONV_PASTE(c, d))

/* Wide instructions for the functions between the two, whatever the compiler's flags. */
#define PYCONV_PRAGMA(...) _Pragma(#__VA_ARGS__)
#if defined __clang__
#define PYCONV_TARGET(isa)                                                                                   \
    PYCONV_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define PYCONV_TARGET_END PYCONV_PRAGMA(clang attribute pop)
#else
#define PYCONV_TARGET(isa) PYCONV_PRAGMA(GCC push_options) PYCONV_PRAGMA(GCC target(isa))
#define PYCONV_TARGET_END PYCONV_PRAGMA(GCC pop_options)
#endif
/* Loops over registers; under a sanitizer each step of one would be instrumented, for hours. */
#if defined PYCONV_NO_UNROLL
#define PYCONV_UNROLL
#elif defined __clang__
#define PYCONV_UNROLL PYCONV_PRAGMA(clang loop unroll(full))
#else
#define PYCONV_UNROLL PYCONV_PRAGMA(GCC unroll 32)
#endif

/* A register of its own for a pointer, which compilers else rebuild from others, slowly or from the stack. */
#define PYCONV_KEEP(pointer) __asm__("" : "+r"(pointer))

#define PYCONV_ISA scalar
#include "foreach_isa.h"
#undef PYCONV_ISA

#if defined PYCONV_HAS_avx2
PYCONV_TARGET("avx2,fma")
#define PYCONV_ISA avx2
#include "foreach_isa.h"
#undef PYCONV_ISA
PYCONV_TARGET_END
#endif

#if defined PYCONV_HAS_avx512
PYCONV_TARGET("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")
#define PYCONV_ISA avx512
#include "foreach_isa.h"
#undef PYCONV_ISA
PYCONV_TARGET_END
#endif

#if defined PYCONV_HAS_neon
#define PYCONV_ISA neon
#include "foreach_isa.h"
#undef PYCONV_ISA
#endif

#elif !defined PYCONV_T

#define PYCONV_T f32
#include "foreach_isa.h"
#undef PYCONV_T
#define PYCONV_T f64
#include "foreach_isa.h"
#undef PYCONV_T

#else

#include "simd/vocabulary.h"

#include "ops/fma_peak.tmpl.h"
#include "ops/gemm_store.tmpl.h"

#include "ops/gemm.tmpl.h"
#include "ops/gemm_shifts.tmpl.h"

#include "ops/epilogue.tmpl.h"
#include "ops/pack.tmpl.h"

#include "ops/gemm_planes.tmpl.h"

#include "ops/transpose.tmpl.h"

#include "ops/split.tmpl.h"
#include "ops/spread.tmpl.h"

#include "ops/depthwise.tmpl.h"
#include "ops/depthwise_pixels.tmpl.h"
#include "ops/depthwise_nhwc.tmpl.h"

#include "ops/depthwise_grad.tmpl.h"
#include "ops/direct.tmpl.h"
#include "ops/f2k3_rows.tmpl.h"

#include "ops/wino.tmpl.h"

#include "ops/fft.tmpl.h"

#include "simd/end.h"

#endif
