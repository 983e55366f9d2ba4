/* SPDX-License-Identifier: BSD-3-Clause */
/* The vocabulary of the operation templates, for the current instruction set (PYCONV_ISA) and real type
 * (PYCONV_T).
 *
 *   real  float or double          vec  a vector of V reals          NAME(op)  pyconv_<t>_<op>__<isa>
 *   v_load v_store v_set1 v_fma v_max v_min v_load_n v_store_n v_even v_odd v_permute v_transpose v_load_turned; + - * /
 * work on vec as they are
 *
 * Included by foreach_isa.h alone, once per pair; so no include guard. simd/end.h takes the names back. */

#define PYCONV_LEVEL PYCONV_PASTE(PYCONV_ISA_, PYCONV_ISA)
#define PYCONV_IS_F32 (PYCONV_PASTE(PYCONV_BITS_, PYCONV_T) == 32)
#define NAME(op) PYCONV_PASTE4(pyconv_, PYCONV_T, PYCONV_PASTE(_, op), PYCONV_PASTE(__, PYCONV_ISA))
#define real PYCONV_PASTE(pyconv_, PYCONV_T)
#define vec NAME(vec)
#if defined PYCONV_NO_UNROLL
#define INLINE static inline
#else
#define INLINE static inline __attribute__((always_inline))
#endif

#if PYCONV_LEVEL == PYCONV_ISA_avx512
#define VECTOR_BYTES 64
#elif PYCONV_LEVEL == PYCONV_ISA_avx2
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if PYCONV_IS_F32 /* a literal, since the shuffles below are written per lane */
#define V (VECTOR_BYTES / 4)
#else
#define V (VECTOR_BYTES / 8)
#endif
enum { NAME(lanes) = V };

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real NAME(unaligned) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#define v_load NAME(load)
#define v_store NAME(store)
#define v_set1 NAME(set1)
#define v_fma NAME(fma)
#define v_max NAME(max)
#define v_min NAME(min)
#define v_load_n NAME(load_n)
#define v_store_n NAME(store_n)
#define v_even NAME(even)
#define v_odd NAME(odd)
#define v_permute NAME(permute)
#define v_transpose NAME(transpose)
#define v_load_turned NAME(load_turned)

/* Holds a vector in its register: compilers like to read it from memory again for each of its uses. */
#if PYCONV_LEVEL == PYCONV_ISA_neon
#define v_keep(v) __asm__("" : "+w"(v))
#elif defined __x86_64__
#define v_keep(v) __asm__("" : "+v"(v))
#else
#define v_keep(v)
#endif

INLINE vec v_load(const real *p) { return *(const NAME(unaligned) *)p; }
INLINE void v_store(real *p, vec v) { *(NAME(unaligned) *)p = v; }
INLINE vec v_set1(real x) { return x - (vec){0}; } /* not +: -0 stays -0 */

/* v_fma(a, b, c) = a b + c, fused where the instruction set can.
 * v_max(bound, v), v_min(bound, v): `bound` comes first, a NaN in v comes back as it is.
 * v_load_n, v_store_n: the first n lanes, 0 <= n <= V; no other memory is touched, the lanes loaded beyond
 * are zero. */
#if PYCONV_LEVEL == PYCONV_ISA_avx512 && PYCONV_IS_F32
INLINE vec v_fma(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE vec v_max(vec bound, vec v) { return (vec)_mm512_max_ps((__m512)bound, (__m512)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)_mm512_min_ps((__m512)bound, (__m512)v); }
INLINE vec v_load_n(const real *p, ptrdiff_t n) {
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
INLINE void v_store_n(real *p, vec v, ptrdiff_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
#elif PYCONV_LEVEL == PYCONV_ISA_avx512
INLINE vec v_fma(vec a, vec b, vec c) { return (vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c); }
INLINE vec v_max(vec bound, vec v) { return (vec)_mm512_max_pd((__m512d)bound, (__m512d)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)_mm512_min_pd((__m512d)bound, (__m512d)v); }
INLINE vec v_load_n(const real *p, ptrdiff_t n) {
    return (vec)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}
INLINE void v_store_n(real *p, vec v, ptrdiff_t n) {
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
}
#elif PYCONV_LEVEL == PYCONV_ISA_avx2 && PYCONV_IS_F32
INLINE vec v_fma(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE vec v_max(vec bound, vec v) { return (vec)_mm256_max_ps((__m256)bound, (__m256)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)_mm256_min_ps((__m256)bound, (__m256)v); }
INLINE __m256i NAME(first_n)(ptrdiff_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vec v_load_n(const real *p, ptrdiff_t n) { return (vec)_mm256_maskload_ps(p, NAME(first_n)(n)); }
INLINE void v_store_n(real *p, vec v, ptrdiff_t n) { _mm256_maskstore_ps(p, NAME(first_n)(n), (__m256)v); }
#elif PYCONV_LEVEL == PYCONV_ISA_avx2
INLINE vec v_fma(vec a, vec b, vec c) { return (vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
INLINE vec v_max(vec bound, vec v) { return (vec)_mm256_max_pd((__m256d)bound, (__m256d)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)_mm256_min_pd((__m256d)bound, (__m256d)v); }
INLINE __m256i NAME(first_n)(ptrdiff_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
INLINE vec v_load_n(const real *p, ptrdiff_t n) { return (vec)_mm256_maskload_pd(p, NAME(first_n)(n)); }
INLINE void v_store_n(real *p, vec v, ptrdiff_t n) { _mm256_maskstore_pd(p, NAME(first_n)(n), (__m256d)v); }
#else
#if PYCONV_LEVEL == PYCONV_ISA_neon && PYCONV_IS_F32
INLINE vec v_fma(vec a, vec b, vec c) {
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
INLINE vec v_max(vec bound, vec v) { return (vec)vmaxq_f32((float32x4_t)bound, (float32x4_t)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)vminq_f32((float32x4_t)bound, (float32x4_t)v); }
#elif PYCONV_LEVEL == PYCONV_ISA_neon
INLINE vec v_fma(vec a, vec b, vec c) {
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
INLINE vec v_max(vec bound, vec v) { return (vec)vmaxq_f64((float64x2_t)bound, (float64x2_t)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)vminq_f64((float64x2_t)bound, (float64x2_t)v); }
#else
#define INTEGERS __typeof__((vec){0} < (vec){0})
INLINE vec NAME(select)(INTEGERS yes, vec a, vec b) {
    return (vec)((yes & (INTEGERS)a) | (~yes & (INTEGERS)b));
}
INLINE vec v_fma(vec a, vec b, vec c) { return a * b + c; }
INLINE vec v_max(vec bound, vec v) { return NAME(select)(bound > v, bound, v); }
INLINE vec v_min(vec bound, vec v) { return NAME(select)(bound < v, bound, v); }
#undef INTEGERS
#endif
INLINE vec v_load_n(const real *p, ptrdiff_t n) {
    vec v = {0};
    memcpy(&v, p, (size_t)n * sizeof(real));
    return v;
}
INLINE void v_store_n(real *p, vec v, ptrdiff_t n) { memcpy(p, &v, (size_t)n * sizeof(real)); }
#endif

/* Lane l of the result is v[index[l]]. */
#if PYCONV_IS_F32
typedef int NAME(indices) __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef long long NAME(indices) __attribute__((vector_size(VECTOR_BYTES)));
#endif
INLINE vec v_permute(vec v, NAME(indices) index) {
#if PYCONV_LEVEL == PYCONV_ISA_avx512 && PYCONV_IS_F32
    return (vec)_mm512_permutexvar_ps((__m512i)index, (__m512)v);
#elif PYCONV_LEVEL == PYCONV_ISA_avx512
    return (vec)_mm512_permutexvar_pd((__m512i)index, (__m512d)v);
#elif PYCONV_LEVEL == PYCONV_ISA_avx2 && PYCONV_IS_F32
    return (vec)_mm256_permutevar8x32_ps((__m256)v, (__m256i)index);
#elif PYCONV_LEVEL == PYCONV_ISA_avx2
    const NAME(indices) halves = 2 * index + ((2 * index + 1) << 32);
    return (vec)_mm256_permutevar8x32_ps((__m256)v, (__m256i)halves);
#else
    vec to = v;
    for (int l = 0; l < V; l++)
        to[l] = v[index[l]];
    return to;
#endif
}

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
#define STEP_2(lane, first) (2 * (lane) + (first))
INLINE vec v_even(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(STEP_2, 0)); }
INLINE vec v_odd(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(STEP_2, 1)); }

/* r[i][j] <-> r[j][i], V x V: swaps the off-diagonal blocks of 1, then 2, 4, 8 lanes. */
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
INLINE vec NAME(load_quads)(const real *p, ptrdiff_t step) {
#if PYCONV_LEVEL == PYCONV_ISA_avx512
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float *)p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + step)), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + 2 * step)), 2);
    return (vec)_mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + 3 * step)), 3);
#elif PYCONV_LEVEL == PYCONV_ISA_avx2
    const __m256 v = _mm256_castps128_ps256(_mm_loadu_ps((const float *)p));
    return (vec)_mm256_insertf128_ps(v, _mm_loadu_ps((const float *)(p + step)), 1);
#else
    (void)step;
    return v_load(p);
#endif
}
INLINE void v_load_turned(vec r[V], const real *p, ptrdiff_t step) {
    PYCONV_UNROLL
    for (int j = 0; j < V; j += QUAD) {
        vec rows[QUAD], zipped[QUAD];
        PYCONV_UNROLL
        for (int i = 0; i < QUAD; i++)
            rows[i] = NAME(load_quads)(p + j + i * step, QUAD * step);
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
