/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands between the convolutions of a network, element by element in one pass, with v = x scale + other:
 *
 *   PYCONV_POINT_CLAMP     y = clamp(p v + q, lo, hi)
 *   PYCONV_POINT_GATE      y = v clamp(p v + q, lo, hi) + s       hard swish: p = 1/6, q = 1/2, lo = 0, hi = 1
 *   PYCONV_POINT_LEAK      y = max(v, 0) r + min(v, 0) p + s
 *   PYCONV_POINT_SIGMOID   y = r / (1 + exp(-p v)) + s
 *   PYCONV_POINT_SILU      y = r v / (1 + exp(-p v)) + s
 *
 *   x, other, y  [rows][cols]; other may be NULL, y may be x or other
 *   scale        [rows], or [cols] with by_column, or NULL */

/* exp(x) = 2^n e^r, n = round(x / ln 2), |r| <= ln(2) / 2, e^r by the terms of its series down to half an ulp; ln 2 in two
 * parts, so that n times the first is exact. Arguments are held where 2^n is a normal number: at -87 sigmoid is 1e-38. A NaN
 * comes back as it is. */
#if PYCONV_IS_F32
#define EXP_TERMS 7
#define EXP_SHIFT 23
#define EXP_ROUND 0x1.8p23f
#define EXP_LEAST -87.0f
#define EXP_MOST 88.0f
#define LN2_HIGH 0x1.63p-1f
#define LN2_LOW -0x1.bd0106p-13f
#else
#define EXP_TERMS 13
#define EXP_SHIFT 52
#define EXP_ROUND 0x1.8p52
#define EXP_LEAST -708.0
#define EXP_MOST 709.0
#define LN2_HIGH 0x1.62e4p-1
#define LN2_LOW 0x1.7f7d1cf79abcap-20
#endif
INLINE vec NAME(exp)(vec given) {
    static const real inverse[] = {1,
                                   1,
                                   1.0 / 2,
                                   1.0 / 6,
                                   1.0 / 24,
                                   1.0 / 120,
                                   1.0 / 720,
                                   1.0 / 5040,
                                   1.0 / 40320,
                                   1.0 / 362880,
                                   1.0 / 3628800,
                                   1.0 / 39916800,
                                   1.0 / 479001600,
                                   1.0 / 6227020800};
    const vec x = v_min(v_set1(EXP_MOST), v_max(v_set1(EXP_LEAST), given));
    const vec shifted = v_fma(x, v_set1((real)1.44269504088896340736), v_set1(EXP_ROUND)),
              n = shifted - EXP_ROUND;
    const vec r = v_fma(n, v_set1(-LN2_LOW), v_fma(n, v_set1(-LN2_HIGH), x));
    vec sum = v_set1(inverse[EXP_TERMS]);
    PYCONV_UNROLL
    for (int i = EXP_TERMS - 1; i >= 0; i--)
        sum = v_fma(sum, r, v_set1(inverse[i]));
    return (vec)((NAME(indices))sum + ((NAME(indices))shifted << EXP_SHIFT)) + (x - x);
}
#undef EXP_TERMS
#undef EXP_SHIFT
#undef EXP_ROUND
#undef EXP_LEAST
#undef EXP_MOST
#undef LN2_HIGH
#undef LN2_LOW

typedef struct NAME(curve) {
    vec p, q, lo, hi, r, s;
} NAME(curve);

INLINE vec NAME(point)(int kind, vec v, const NAME(curve) * c) {
    switch (kind) {
    case PYCONV_POINT_CLAMP:
        return v_min(c->hi, v_max(c->lo, v_fma(c->p, v, c->q)));
    case PYCONV_POINT_GATE:
        return v_fma(v, v_min(c->hi, v_max(c->lo, v_fma(c->p, v, c->q))), c->s);
    case PYCONV_POINT_LEAK:
        return v_fma(v_max((vec){0}, v), c->r, v_fma(v_min((vec){0}, v), c->p, c->s));
    case PYCONV_POINT_SIGMOID:
        return c->r / (1 + NAME(exp)(-c->p * v)) + c->s;
    default:
        return c->r * v / (1 + NAME(exp)(-c->p * v)) + c->s;
    }
}

/* One kind, which the compiler knows: its loop has no branches. */
INLINE void NAME(point_loop)(int kind, const NAME(curve) * c, ptrdiff_t rows, ptrdiff_t cols, const real *x,
                             const real *scale, int by_column, const real *other, real *y) {
    for (ptrdiff_t i = 0; i < rows; i++) {
        const vec row_scale = v_set1(scale && !by_column ? scale[i] : 1);
        const real *column_scale = by_column ? scale : NULL;
        ptrdiff_t j = 0;
        for (; j + V <= cols; j += V) {
            const vec v = v_load(x + j), m = column_scale ? v_load(column_scale + j) : row_scale;
            v_store(y + j, NAME(point)(kind, other ? v_fma(v, m, v_load(other + j)) : v * m, c));
        }
        if (j < cols) {
            const ptrdiff_t n = cols - j;
            const vec v = v_load_n(x + j, n), m = column_scale ? v_load_n(column_scale + j, n) : row_scale;
            v_store_n(y + j, NAME(point)(kind, other ? v_fma(v, m, v_load_n(other + j, n)) : v * m, c), n);
        }
        x += cols, y += cols;
        if (other)
            other += cols;
    }
}

static void NAME(point_rows)(const pyconv_point *f, ptrdiff_t rows, ptrdiff_t cols, const void *x,
                             const void *scale, const void *other, void *y) {
    const NAME(curve) c = {v_set1((real)f->p),  v_set1((real)f->q), v_set1((real)f->lo),
                           v_set1((real)f->hi), v_set1((real)f->r), v_set1((real)f->s)};
    if (!f->by_column && !scale) /* one long row */
        cols *= rows, rows = 1;
    switch (f->kind) {
#define POINT_CASE(kind)                                                                                     \
    case kind:                                                                                               \
        NAME(point_loop)(kind, &c, rows, cols, x, scale, f->by_column, other, y);                            \
        break;
        POINT_CASE(PYCONV_POINT_CLAMP)
        POINT_CASE(PYCONV_POINT_GATE)
        POINT_CASE(PYCONV_POINT_LEAK)
        POINT_CASE(PYCONV_POINT_SIGMOID)
        POINT_CASE(PYCONV_POINT_SILU)
#undef POINT_CASE
    }
}
