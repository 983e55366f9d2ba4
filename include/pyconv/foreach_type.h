/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles the operation templates for one instruction set, PYCONV_ISA, once per element type, and makes the table
 * pyconv_own__<isa> of them. The file includes itself: the first pass goes over the types, the second over the templates.
 *
 * A set that improves some operations alone says which, PYCONV_OWN(OP, T, isa) in its header as PYCONV_OPERATIONS lists them
 * all, and keeps the lanes and tiles of the lesser set. */

#if !defined PYCONV_T

#if defined __GNUC__ && !defined __clang__ && __GNUC__ < 12
#error "pyconv needs GCC 12 or later, the first with __builtin_shufflevector, or Clang: set CC to one of them"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#include "kernels.h"
#include "paste.h"

#define PYCONV_BITS_f32 32
#define PYCONV_BITS_f64 64

/* Wide instructions for the functions between the two, whatever the compiler's flags. */
#define PYCONV_PRAGMA(...) _Pragma(#__VA_ARGS__)
#if defined __clang__
#define PYCONV_TARGET_BEGIN(isa)                                                                             \
    PYCONV_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define PYCONV_TARGET_END PYCONV_PRAGMA(clang attribute pop)
#else
#define PYCONV_TARGET_BEGIN(isa) PYCONV_PRAGMA(GCC push_options) PYCONV_PRAGMA(GCC target(isa))
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

/* The set's header: what it is, here; what it does, for each type in vocabulary.h. */
#include PYCONV_ISA_HEADER

#if defined PYCONV_OWN
#pragma GCC diagnostic ignored "-Wunused-function" /* the operations that it does not have */
#endif

#if defined PYCONV_TARGET
PYCONV_TARGET_BEGIN(PYCONV_TARGET)
#endif
#define PYCONV_T f32
#include "foreach_type.h"
#undef PYCONV_T
#define PYCONV_T f64
#include "foreach_type.h"
#undef PYCONV_T
#if defined PYCONV_TARGET
PYCONV_TARGET_END
#endif

#if !defined PYCONV_OWN
#define PYCONV_OWN PYCONV_OPERATIONS
#endif
#define PYCONV_ENTRY(T, isa, op, result, parameters) .op = pyconv_##T##_##op##__##isa,
#define PYCONV_OPS(T, isa)                                                                                   \
    .T = {.lanes = pyconv_##T##_lanes__##isa,                                                                \
          .mr = pyconv_##T##_mr__##isa,                                                                      \
          .nr = pyconv_##T##_nr__##isa,                                                                      \
          PYCONV_OWN(PYCONV_ENTRY, T, isa)},
#define PYCONV_TABLE(isa_)                                                                                   \
    const pyconv_kernels_t pyconv_own__##isa_ = {                                                            \
        .isa = #isa_, .level = PYCONV_ISA_##isa_, PYCONV_TYPES(PYCONV_OPS, isa_)}
#define PYCONV_TABLE_(isa) PYCONV_TABLE(isa)
PYCONV_TABLE_(PYCONV_ISA);

#else

#include "simd/vocabulary.h"

#include "ops/fill.tmpl.h"
#include "ops/fma_peak.tmpl.h"
#include "ops/store.tmpl.h"

#include "ops/gemm_store.tmpl.h"

#include "ops/gemm.tmpl.h"
#include "ops/gemm_shifts.tmpl.h"

#include "ops/epilogue.tmpl.h"
#include "ops/mean.tmpl.h"
#include "ops/pack.tmpl.h"

#include "ops/gemm_planes.tmpl.h"

#include "ops/transpose.tmpl.h"

#include "ops/elements.tmpl.h"

#include "ops/interleave.tmpl.h"

#include "ops/stage.tmpl.h"

#include "ops/split.tmpl.h"
#include "ops/split_pixels.tmpl.h"
#include "ops/spread.tmpl.h"

#include "ops/depthwise_tile.tmpl.h"

#include "ops/depthwise.tmpl.h"
#include "ops/depthwise_interleaved.tmpl.h"

#include "ops/depthwise_pixels.tmpl.h"
#include "ops/depthwise_nhwc.tmpl.h"

#include "ops/depthwise_grad.tmpl.h"
#include "ops/direct.tmpl.h"
#include "ops/f2k3_rows.tmpl.h"

#include "ops/wino.tmpl.h"

#include "ops/fft.tmpl.h"

#include "ops/point.tmpl.h"

#include "simd/end.h"

#endif
