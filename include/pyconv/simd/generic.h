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
