/* SPDX-License-Identifier: BSD-3-Clause */
/* NEON, which every AArch64 has. */
#if !defined PYCONV_T

#define VECTOR_BYTES 16
#define REGISTERS 32
#define MR 12
#define EACH_M EACH_12
#define EACH_HALF_M EACH_6

#else

#if PYCONV_IS_F32
#define NEON(op) PYCONV_PASTE(op, q_f32)
#define NATIVE float32x4_t
#else
#define NEON(op) PYCONV_PASTE(op, q_f64)
#define NATIVE float64x2_t
#endif

#define v_fma NAME(fma)
#define v_max NAME(max)
#define v_min NAME(min)
INLINE vec v_fma(vec a, vec b, vec c) { return (vec)NEON(vfma)((NATIVE)c, (NATIVE)a, (NATIVE)b); }
INLINE vec v_max(vec bound, vec v) { return (vec)NEON(vmax)((NATIVE)bound, (NATIVE)v); }
INLINE vec v_min(vec bound, vec v) { return (vec)NEON(vmin)((NATIVE)bound, (NATIVE)v); }

#define v_keep(v) __asm__("" : "+w"(v))

#if PYCONV_IS_F32
#define v_load_f16 NAME(load_f16)
#define v_store_f16 NAME(store_f16)
INLINE floats v_load_f16(const void *p) { return (floats)vcvt_f32_f16((float16x4_t)vld1_u8(p)); }
INLINE void v_store_f16(void *p, floats v) { vst1_u8(p, (uint8x8_t)vcvt_f16_f32((float32x4_t)v)); }
#endif

#undef NATIVE
#undef NEON

#endif
