/* SPDX-License-Identifier: BSD-3-Clause */
/* What an instruction set has no operation of its own for, in the vector extensions of C compilers. Included by
 * vocabulary.h after the set's header, which describes the operations by their names in the vocabulary. */

/* a b + c, fused where the instruction set can. */
#if !defined v_fma
#define v_fma NAME(fma)
INLINE vec v_fma(vec a, vec b, vec c) { return a * b + c; }
#endif

/* v_max(bound, v), v_min(bound, v): `bound` comes first, a NaN in v comes back as it is. */
#if !defined v_max
#define v_max NAME(max)
#define v_min NAME(min)
#define INTEGERS __typeof__((vec){0} < (vec){0})
INLINE vec NAME(select)(INTEGERS yes, vec a, vec b) {
    return (vec)((yes & (INTEGERS)a) | (~yes & (INTEGERS)b));
}
INLINE vec v_max(vec bound, vec v) { return NAME(select)(bound > v, bound, v); }
INLINE vec v_min(vec bound, vec v) { return NAME(select)(bound < v, bound, v); }
#undef INTEGERS
#endif

/* Holds a vector in its register: compilers like to read it from memory again for each of its uses. */
#if !defined v_keep && defined __x86_64__
#define v_keep(v) __asm__("" : "+v"(v))
#elif !defined v_keep
#define v_keep(v)
#endif

/* The first n lanes, 0 <= n <= V; no other memory is touched, the lanes loaded beyond are zero. */
#if !defined v_load_n
#define v_load_n NAME(load_n)
#define v_store_n NAME(store_n)
INLINE vec v_load_n(const real *p, ptrdiff_t n) {
    vec v = {0};
    memcpy(&v, p, (size_t)n * sizeof(real));
    return v;
}
INLINE void v_store_n(real *p, vec v, ptrdiff_t n) { memcpy(p, &v, (size_t)n * sizeof(real)); }
#endif

/* v_part_of(first, last): lanes first <= l < last, clipped to 0 .. V. v_load_part(p, part): those of p[l], the others
 * zero; no memory but theirs is read. */
#if !defined v_load_part
#define v_part NAME(part)
#define v_part_of NAME(part_of)
#define v_load_part NAME(load_part)
typedef struct v_part {
    int first, last;
} v_part;
INLINE v_part v_part_of(ptrdiff_t first, ptrdiff_t last) {
    return (v_part){(int)pyconv_clamp(first, 0, V), (int)pyconv_clamp(last, 0, V)};
}
INLINE vec v_load_part(const real *p, v_part part) {
    if (part.first == 0 && part.last == V)
        return v_load(p);
    real lanes[V] = {0};
    for (int l = part.first; l < part.last; l++)
        lanes[l] = p[l];
    return v_load(lanes);
}
#endif

/* Lane l of the result is v[index[l]]. */
#if !defined v_permute
#define v_permute NAME(permute)
INLINE vec v_permute(vec v, NAME(indices) index) {
    vec to = v;
    for (int l = 0; l < V; l++)
        to[l] = v[index[l]];
    return to;
}
#endif

/* 16 bytes each from p, p + step, p + 2 step, ... */
#if !defined v_load_quads
#define v_load_quads NAME(load_quads)
INLINE vec v_load_quads(const real *p, ptrdiff_t step) {
    (void)step;
    return v_load(p);
}
#endif

#if !defined v_of_ints
#define v_of_ints NAME(of_ints)
#define v_of_floats NAME(of_floats)
INLINE vec v_of_ints(ints v) { return __builtin_convertvector(v, vec); }
INLINE vec v_of_floats(floats v) { return __builtin_convertvector(v, vec); }
#endif

/* V integers of one or two bytes from memory, not aligned; to memory, their low bytes. */
#if !defined v_load_u8
#define v_load_u8 NAME(load_u8)
#define v_load_i8 NAME(load_i8)
#define v_load_u16 NAME(load_u16)
#define v_load_i16 NAME(load_i16)
#define v_store_8 NAME(store_8)
#define v_store_16 NAME(store_16)
typedef uint8_t NAME(u8s) __attribute__((vector_size(V)));
typedef int8_t NAME(i8s) __attribute__((vector_size(V)));
typedef uint16_t NAME(u16s) __attribute__((vector_size(2 * V)));
typedef int16_t NAME(i16s) __attribute__((vector_size(2 * V)));
#define LOAD_INTS(T)                                                                                         \
    T v;                                                                                                     \
    memcpy(&v, p, sizeof v);                                                                                 \
    return __builtin_convertvector(v, ints)
INLINE ints v_load_u8(const void *p) { LOAD_INTS(NAME(u8s)); }
INLINE ints v_load_i8(const void *p) { LOAD_INTS(NAME(i8s)); }
INLINE ints v_load_u16(const void *p) { LOAD_INTS(NAME(u16s)); }
INLINE ints v_load_i16(const void *p) { LOAD_INTS(NAME(i16s)); }
#undef LOAD_INTS
INLINE void v_store_8(void *p, ints v) {
    const NAME(u8s) low = __builtin_convertvector(v, NAME(u8s));
    memcpy(p, &low, sizeof low);
}
INLINE void v_store_16(void *p, ints v) {
    const NAME(u16s) low = __builtin_convertvector(v, NAME(u16s));
    memcpy(p, &low, sizeof low);
}
#endif

/* V float16 from and to memory. The exponent of a float is that of a float16 + 112; those below 2^-14 have no leading 1, and
 * an addition of floats brings it, or takes it away and rounds: the ulp of [0.5, 1) is that of such float16s, 2^-24. */
#if !defined v_load_f16
#define v_load_f16 NAME(load_f16)
#define v_store_f16 NAME(store_f16)
INLINE ints NAME(choose)(ints yes, ints a, ints b) { return (yes & a) | (~yes & b); }
INLINE floats v_load_f16(const void *p) {
    const ints bits = v_load_i16(p), size = bits & 0x7FFF, shift = (ints){0} + (112 << 23);
    const ints normal = (size << 13) + shift + ((size >= 0x7C00) & shift); /* the second for inf, NaN */
    const ints small = (ints)((floats)((size << 13) + (113 << 23)) - 0x1p-14f);
    return (floats)(NAME(choose)(size < 0x0400, small, normal) | (bits & (-0x7FFFFFFF - 1)));
}
INLINE void v_store_f16(void *p, floats v) {
    const ints bits = (ints)v, size = bits & 0x7FFFFFFF;
    const ints normal = (size - (112 << 23) + 0x0FFF + (size >> 13 & 1)) >> 13; /* half to even */
    const ints small = (ints)((floats)size + 0.5f) - (ints)((floats){0} + 0.5f);
    const ints large = 0x7C00 | ((size > 255 << 23) & 0x0200); /* inf, NaN */
    const ints of = NAME(choose)(size < 113 << 23, small, NAME(choose)(size < 143 << 23, normal, large));
    v_store_16(p, of | (bits >> 16 & 0x8000));
}
#endif
