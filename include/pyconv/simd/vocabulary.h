/* SPDX-License-Identifier: BSD-3-Clause */
/* The vocabulary of the operation templates, for the current instruction set (PYCONV_ISA) and real type
 * (PYCONV_T).
 *
 *   real  float or double          vec  a vector of V reals          NAME(op)  pyconv_<t>_<op>__<isa>
 *   v_load v_store v_set1 v_fma v_max v_min v_load_n v_store_n v_load_part v_even v_odd v_permute v_transpose v_load_turned;
 * + - * / work on vec as they are
 *
 *   ints, floats  V lanes of 32 bits          v_of_ints v_of_floats  as reals
 *   v_load_u8 _i8 _u16 _i16 _f16, v_store_8 _16 _f16  from and to narrow elements
 *
 * An instruction set has a header that says in its first pass
 *
 *   PYCONV_TARGET  for the compiler, if its flags do not have it      VECTOR_BYTES, REGISTERS
 *   MR  rows of the products' tiles, EACH_M(F)  F(1) .. F(MR), EACH_HALF_M(F)  F(1) .. F(MR / 2)
 *
 * and in a second one, for each type, has operations of its own; generic.h has the others.
 *
 * Included by foreach_type.h alone, once per type; so no include guard. simd/end.h takes the names back. */

#define PYCONV_IS_F32 (PYCONV_PASTE(PYCONV_BITS_, PYCONV_T) == 32)
#define NAME(op) PYCONV_PASTE4(pyconv_, PYCONV_T, PYCONV_PASTE(_, op), PYCONV_PASTE(__, PYCONV_ISA))
#define real PYCONV_PASTE(pyconv_, PYCONV_T)
#define vec NAME(vec)
#if defined PYCONV_NO_UNROLL
#define INLINE static inline
#else
#define INLINE static inline __attribute__((always_inline))
#endif

#if PYCONV_IS_F32 /* a literal, since the shuffles below are written per lane */
#define V (VECTOR_BYTES / 4)
typedef int NAME(indices) __attribute__((vector_size(VECTOR_BYTES)));
#else
#define V (VECTOR_BYTES / 8)
typedef long long NAME(indices) __attribute__((vector_size(VECTOR_BYTES)));
#endif
enum { NAME(lanes) = V };

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
#define ints NAME(ints)
#define floats NAME(floats)
typedef int32_t ints __attribute__((vector_size(4 * V)));
typedef float floats __attribute__((vector_size(4 * V)));
typedef real NAME(unaligned) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#define v_load NAME(load)
#define v_store NAME(store)
#define v_set1 NAME(set1)
INLINE vec v_load(const real *p) { return *(const NAME(unaligned) *)p; }
INLINE void v_store(real *p, vec v) { *(NAME(unaligned) *)p = v; }
INLINE vec v_set1(real x) { return x - (vec){0}; } /* not +: -0 stays -0 */

#include PYCONV_ISA_HEADER

#include "generic.h"

/* LANES(F, b): F(0, b), F(1, b), ..., F(V - 1, b) */
#define LANES_2(F, b) F(0, b), F(1, b)
#define LANES_4(F, b) LANES_2(F, b), F(2, b), F(3, b)
#define LANES_8(F, b) LANES_4(F, b), F(4, b), F(5, b), F(6, b), F(7, b)
#define LANES_16(F, b)                                                                                       \
    LANES_8(F, b), F(8, b), F(9, b), F(10, b), F(11, b), F(12, b), F(13, b), F(14, b), F(15, b)
#if V == 16
#define LANES LANES_16
#elif V == 8
#define LANES LANES_8
#elif V == 4
#define LANES LANES_4
#else
#define LANES LANES_2
#endif

/* Even and odd elements of the 2 V reals in a, b. */
#define v_even NAME(even)
#define v_odd NAME(odd)
#define STEP_2(lane, first) (2 * (lane) + (first))
INLINE vec v_even(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(STEP_2, 0)); }
INLINE vec v_odd(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(STEP_2, 1)); }

/* r[i][j] <-> r[j][i], V x V: swaps the off-diagonal blocks of 1, then 2, 4, 8 lanes. */
#define v_transpose NAME(transpose)
#define SWAP_LOW(lane, b) ((lane) & (b) ? (lane) - (b) + V : (lane))
#define SWAP_HIGH(lane, b) ((lane) & (b) ? (lane) + V : (lane) + (b))
#define SWAP_STAGE(b)                                                                                        \
    PYCONV_UNROLL                                                                                            \
    for (int i = 0; i < V; i++)                                                                              \
        if (!(i & (b))) {                                                                                    \
            const vec low = r[i], high = r[i + (b)];                                                         \
            r[i] = __builtin_shufflevector(low, high, LANES(SWAP_LOW, b));                                   \
            r[i + (b)] = __builtin_shufflevector(low, high, LANES(SWAP_HIGH, b));                            \
        }
INLINE void v_transpose(vec r[V]){SWAP_STAGE(1)
#if V > 2
                                      SWAP_STAGE(2)
#endif
#if V > 4
                                          SWAP_STAGE(4)
#endif
#if V > 8
                                              SWAP_STAGE(8)
#endif
}

/* r[j][i] = p[i step + j], V x V. Lanes of 16 bytes are gathered by the loads, and turned by shuffles that stay inside
 * them: half as many as v_transpose needs. */
#define QUAD (16 / (int)sizeof(real))
#define ZIP_LOW(lane, b) ((lane) % QUAD / 2 + (lane) / QUAD * QUAD + (lane) % 2 * V)
#define ZIP_HIGH(lane, b) (ZIP_LOW(lane, b) + QUAD / 2)
#define PAIR_LOW(lane, b) ((lane) % 4 < 2 ? (lane) : (lane) - 2 + V)
#define PAIR_HIGH(lane, b) ((lane) % 4 < 2 ? (lane) + 2 : (lane) + V)
#define v_load_turned NAME(load_turned)
INLINE void v_load_turned(vec r[V], const real *p, ptrdiff_t step) {
    PYCONV_UNROLL
    for (int j = 0; j < V; j += QUAD) {
        vec rows[QUAD], zipped[QUAD];
        PYCONV_UNROLL
        for (int i = 0; i < QUAD; i++)
            rows[i] = v_load_quads(p + j + i * step, QUAD * step);
        PYCONV_UNROLL
        for (int i = 0; i < QUAD; i += 2) {
            zipped[i] = __builtin_shufflevector(rows[i], rows[i + 1], LANES(ZIP_LOW, 0));
            zipped[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], LANES(ZIP_HIGH, 0));
        }
#if PYCONV_IS_F32
        r[j] = __builtin_shufflevector(zipped[0], zipped[2], LANES(PAIR_LOW, 0));
        r[j + 1] = __builtin_shufflevector(zipped[0], zipped[2], LANES(PAIR_HIGH, 0));
        r[j + 2] = __builtin_shufflevector(zipped[1], zipped[3], LANES(PAIR_LOW, 0));
        r[j + 3] = __builtin_shufflevector(zipped[1], zipped[3], LANES(PAIR_HIGH, 0));
#else
        r[j] = zipped[0];
        r[j + 1] = zipped[1];
#endif
    }
}
#undef QUAD
#undef ZIP_LOW
#undef ZIP_HIGH
#undef PAIR_LOW
#undef PAIR_HIGH
#undef SWAP_STAGE
#undef SWAP_LOW
#undef SWAP_HIGH
#undef STEP_2

/* F(1), F(2), ... */
#define EACH_3(F) F(1) F(2) F(3)
#define EACH_6(F) EACH_3(F) F(4) F(5) F(6)
#define EACH_7(F) EACH_6(F) F(7)
#define EACH_12(F) EACH_7(F) F(8) F(9) F(10) F(11) F(12)
#define EACH_14(F) EACH_12(F) F(13) F(14)
