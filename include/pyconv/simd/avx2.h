/* SPDX-License-Identifier: BSD-3-Clause */
/* AVX2 and FMA. */
#if !defined PYCONV_T

#define PYCONV_TARGET "avx2,fma"
#define VECTOR_BYTES 32
#define REGISTERS 16
#define MR 6
#define EACH_M EACH_6
#define EACH_HALF_M EACH_3

#else

#if PYCONV_IS_F32
#define AVX(op) PYCONV_PASTE3(_mm256_, op, _ps)
#define NATIVE __m256
#else
#define AVX(op) PYCONV_PASTE3(_mm256_, op, _pd)
#define NATIVE __m256d
#endif

#define v_fma NAME(fma)
#define v_max NAME(max)
#define v_min NAME(min)
INLINE vec v_fma(vec a, vec b, vec c) { return (vec)AVX(fmadd)((NATIVE)a, (NATIVE)b, (NATIVE)c); }
INLINE vec v_max(vec bound, vec v) { return (vec)AVX(max)((NATIVE)bound, (NATIVE)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)AVX(min)((NATIVE)bound, (NATIVE)v); }

INLINE __m256i NAME(first_n)(ptrdiff_t n) {
#if PYCONV_IS_F32
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
#else
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
#endif
}
#define v_load_n NAME(load_n)
#define v_store_n NAME(store_n)
INLINE vec v_load_n(const real *p, ptrdiff_t n) { return (vec)AVX(maskload)(p, NAME(first_n)(n)); }
INLINE void v_store_n(real *p, vec v, ptrdiff_t n) { AVX(maskstore)(p, NAME(first_n)(n), (NATIVE)v); }

#define v_permute NAME(permute)
INLINE vec v_permute(vec v, NAME(indices) index) {
#if PYCONV_IS_F32
    return (vec)_mm256_permutevar8x32_ps((__m256)v, (__m256i)index);
#else
    const NAME(indices) halves = 2 * index + ((2 * index + 1) << 32);
    return (vec)_mm256_permutevar8x32_ps((__m256)v, (__m256i)halves);
#endif
}

#define v_load_quads NAME(load_quads)
INLINE vec v_load_quads(const real *p, ptrdiff_t step) {
    const __m256 v = _mm256_castps128_ps256(_mm_loadu_ps((const float *)p));
    return (vec)_mm256_insertf128_ps(v, _mm_loadu_ps((const float *)(p + step)), 1);
}

#undef NATIVE
#undef AVX

#endif
