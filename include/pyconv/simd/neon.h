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

#undef NATIVE
#undef NEON

#endif
