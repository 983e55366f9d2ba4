/* SPDX-License-Identifier: BSD-3-Clause */
/* AVX2, FMA and F16C. */
#if !defined PYCONV_T

#define PYCONV_TARGET "avx2,fma,f16c"
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

#define v_part __m256i
#define v_part_of NAME(part_of)
#define v_load_part NAME(load_part)
INLINE v_part v_part_of(ptrdiff_t first, ptrdiff_t last) {
    first = pyconv_clamp(first, 0, V), last = pyconv_clamp(last, 0, V);
    return _mm256_andnot_si256(NAME(first_n)(first), NAME(first_n)(last));
}
INLINE vec v_load_part(const real *p, v_part part) { return (vec)AVX(maskload)(p, part); }

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

/* V elements of one and two bytes in the first bytes of a register, and integers of V lanes. */
#if PYCONV_IS_F32
#define LANES_OF(op) PYCONV_PASTE(_mm256_, op)
INLINE __m128i NAME(load_bytes)(const void *p) { return _mm_loadl_epi64(p); }
INLINE __m128i NAME(load_words)(const void *p) { return _mm_loadu_si128(p); }
#else
#define LANES_OF(op) PYCONV_PASTE(_mm_, op)
INLINE __m128i NAME(load_bytes)(const void *p) {
    int bytes;
    memcpy(&bytes, p, sizeof bytes);
    return _mm_cvtsi32_si128(bytes);
}
INLINE __m128i NAME(load_words)(const void *p) { return _mm_loadl_epi64(p); }
#endif
#define v_load_u8 NAME(load_u8)
#define v_load_i8 NAME(load_i8)
#define v_load_u16 NAME(load_u16)
#define v_load_i16 NAME(load_i16)
#define v_load_f16 NAME(load_f16)
INLINE ints v_load_u8(const void *p) { return (ints)LANES_OF(cvtepu8_epi32)(NAME(load_bytes)(p)); }
INLINE ints v_load_i8(const void *p) { return (ints)LANES_OF(cvtepi8_epi32)(NAME(load_bytes)(p)); }
INLINE ints v_load_u16(const void *p) { return (ints)LANES_OF(cvtepu16_epi32)(NAME(load_words)(p)); }
INLINE ints v_load_i16(const void *p) { return (ints)LANES_OF(cvtepi16_epi32)(NAME(load_words)(p)); }
INLINE floats v_load_f16(const void *p) { return (floats)LANES_OF(cvtph_ps)(NAME(load_words)(p)); }

#if !PYCONV_IS_F32
#define v_of_ints NAME(of_ints)
#define v_of_floats NAME(of_floats)
INLINE vec v_of_ints(ints v) { return (vec)_mm256_cvtepi32_pd((__m128i)v); }
INLINE vec v_of_floats(floats v) { return (vec)_mm256_cvtps_pd((__m128)v); }
#endif

#define v_store_8 NAME(store_8)
#define v_store_16 NAME(store_16)
#define v_store_f16 NAME(store_f16)
#if PYCONV_IS_F32
INLINE void v_store_8(void *p, ints v) {
    const __m256i quads = _mm256_shuffle_epi8((__m256i)v, _mm256_set1_epi32(0x0C080400));
    const __m128i high = _mm256_extracti128_si256(quads, 1);
    _mm_storel_epi64(p, _mm_unpacklo_epi32(_mm256_castsi256_si128(quads), high));
}
INLINE void v_store_16(void *p, ints v) {
    const __m256i pairs = _mm256_shuffle_epi8((__m256i)v, _mm256_set1_epi64x(0x0D0C090805040100));
    _mm_storeu_si128(p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(pairs, 8)));
}
INLINE void v_store_f16(void *p, floats v) { _mm_storeu_si128(p, _mm256_cvtps_ph((__m256)v, 0)); }
#else
INLINE void v_store_8(void *p, ints v) {
    const int bytes = _mm_cvtsi128_si32(_mm_shuffle_epi8((__m128i)v, _mm_set1_epi32(0x0C080400)));
    memcpy(p, &bytes, sizeof bytes);
}
INLINE void v_store_16(void *p, ints v) {
    _mm_storel_epi64(p, _mm_shuffle_epi8((__m128i)v, _mm_set1_epi64x(0x0D0C090805040100)));
}
INLINE void v_store_f16(void *p, floats v) { _mm_storel_epi64(p, _mm_cvtps_ph((__m128)v, 0)); }
#endif

#undef LANES_OF
#undef NATIVE
#undef AVX

#endif
