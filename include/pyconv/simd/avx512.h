/* SPDX-License-Identifier: BSD-3-Clause */
/* AVX-512 of Skylake-X and later: F, BW, DQ, VL; and F16C. */
#if !defined PYCONV_T

#define PYCONV_TARGET "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"
#define VECTOR_BYTES 64
#define REGISTERS 32
#define MR 14
#define EACH_M EACH_14
#define EACH_HALF_M EACH_7

#else

#if PYCONV_IS_F32
#define AVX(op) PYCONV_PASTE3(_mm512_, op, _ps)
#define NATIVE __m512
#define MASK __mmask16
#else
#define AVX(op) PYCONV_PASTE3(_mm512_, op, _pd)
#define NATIVE __m512d
#define MASK __mmask8
#endif

#define v_fma NAME(fma)
#define v_max NAME(max)
#define v_min NAME(min)
INLINE vec v_fma(vec a, vec b, vec c) { return (vec)AVX(fmadd)((NATIVE)a, (NATIVE)b, (NATIVE)c); }
INLINE vec v_max(vec bound, vec v) { return (vec)AVX(max)((NATIVE)bound, (NATIVE)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)AVX(min)((NATIVE)bound, (NATIVE)v); }

#define v_load_n NAME(load_n)
#define v_store_n NAME(store_n)
INLINE vec v_load_n(const real *p, ptrdiff_t n) { return (vec)AVX(maskz_loadu)((MASK)((1u << n) - 1), p); }
INLINE void v_store_n(real *p, vec v, ptrdiff_t n) { AVX(mask_storeu)(p, (MASK)((1u << n) - 1), (NATIVE)v); }

#define v_part __mmask16
#define v_part_of NAME(part_of)
#define v_load_part NAME(load_part)
INLINE v_part v_part_of(ptrdiff_t first, ptrdiff_t last) {
    first = pyconv_clamp(first, 0, V), last = pyconv_clamp(last, 0, V);
    return (v_part)(((1u << last) - 1) & ~((1u << first) - 1));
}
INLINE vec v_load_part(const real *p, v_part part) { return (vec)AVX(maskz_loadu)((MASK)part, p); }

#define v_permute NAME(permute)
INLINE vec v_permute(vec v, NAME(indices) index) { return (vec)AVX(permutexvar)((__m512i)index, (NATIVE)v); }

#define v_load_quads NAME(load_quads)
INLINE vec v_load_quads(const real *p, ptrdiff_t step) {
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float *)p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + step)), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + 2 * step)), 2);
    return (vec)_mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + 3 * step)), 3);
}

/* V elements of one and two bytes, and integers of V lanes. */
#if PYCONV_IS_F32
#define LANES_OF(op) PYCONV_PASTE(_mm512_, op)
#define LOAD_BYTES(p) _mm_loadu_si128(p)
#define LOAD_WORDS(p) _mm256_loadu_si256(p)
#define STORE_BYTES(p, v) _mm_storeu_si128(p, v)
#define STORE_WORDS(p, v) _mm256_storeu_si256(p, v)
#define INTS __m512i
#define FLOATS __m512
#else
#define LANES_OF(op) PYCONV_PASTE(_mm256_, op)
#define LOAD_BYTES(p) _mm_loadl_epi64(p)
#define LOAD_WORDS(p) _mm_loadu_si128(p)
#define STORE_BYTES(p, v) _mm_storel_epi64(p, v)
#define STORE_WORDS(p, v) _mm_storeu_si128(p, v)
#define INTS __m256i
#define FLOATS __m256
#endif
#define v_load_u8 NAME(load_u8)
#define v_load_i8 NAME(load_i8)
#define v_load_u16 NAME(load_u16)
#define v_load_i16 NAME(load_i16)
#define v_load_f16 NAME(load_f16)
INLINE ints v_load_u8(const void *p) { return (ints)LANES_OF(cvtepu8_epi32)(LOAD_BYTES(p)); }
INLINE ints v_load_i8(const void *p) { return (ints)LANES_OF(cvtepi8_epi32)(LOAD_BYTES(p)); }
INLINE ints v_load_u16(const void *p) { return (ints)LANES_OF(cvtepu16_epi32)(LOAD_WORDS(p)); }
INLINE ints v_load_i16(const void *p) { return (ints)LANES_OF(cvtepi16_epi32)(LOAD_WORDS(p)); }
INLINE floats v_load_f16(const void *p) { return (floats)LANES_OF(cvtph_ps)(LOAD_WORDS(p)); }

#if !PYCONV_IS_F32
#define v_of_ints NAME(of_ints)
#define v_of_floats NAME(of_floats)
INLINE vec v_of_ints(ints v) { return (vec)_mm512_cvtepi32_pd((INTS)v); }
INLINE vec v_of_floats(floats v) { return (vec)_mm512_cvtps_pd((FLOATS)v); }
#endif

#define v_store_8 NAME(store_8)
#define v_store_16 NAME(store_16)
#define v_store_f16 NAME(store_f16)
INLINE void v_store_8(void *p, ints v) { STORE_BYTES(p, LANES_OF(cvtepi32_epi8)((INTS)v)); }
INLINE void v_store_16(void *p, ints v) { STORE_WORDS(p, LANES_OF(cvtepi32_epi16)((INTS)v)); }
INLINE void v_store_f16(void *p, floats v) { STORE_WORDS(p, LANES_OF(cvtps_ph)((FLOATS)v, 0)); }

#undef FLOATS
#undef INTS
#undef STORE_WORDS
#undef STORE_BYTES
#undef LOAD_WORDS
#undef LOAD_BYTES
#undef LANES_OF
#undef MASK
#undef NATIVE
#undef AVX

#endif
