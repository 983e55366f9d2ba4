/* SPDX-License-Identifier: BSD-3-Clause */
/* F(6, 3), points 0, ±a, ±b, ±c, ∞: six outputs of a three-tap filter in eight products,
 *
 *   y = Aᵀ [(G g) ∘ (Bᵀ d)]
 *
 *   Bᵀ row of 0:   -a²b²c² d0 + e2 d2 - e1 d4 + d6,  e1 = a² + b² + c², e2 = a²b² + b²c² + c²a²
 *          of ±a:  even ± a odd,  even = b²c² d2 - (b² + c²) d4 + d6,  odd = b²c² d1 - (b² + c²) d3 + d5
 *          of ∞:   -a²b²c² d1 + e2 d3 - e1 d5 + d7
 *   G row of p:    (1, p, p²) / N(p),  N(p) = ∏ (p - other);  of ∞: (0, 0, 1)
 *   Aᵀ row i:      pⁱ for each p;  ∞ counts in row 5 alone */
#ifndef PYCONV_WINO_F6K3_H
#define PYCONV_WINO_F6K3_H

#define PYCONV_F6K3_A 1.0
#define PYCONV_F6K3_B 2.0
#define PYCONV_F6K3_C 0.5
#define PYCONV_F6K3_A2 (PYCONV_F6K3_A * PYCONV_F6K3_A)
#define PYCONV_F6K3_B2 (PYCONV_F6K3_B * PYCONV_F6K3_B)
#define PYCONV_F6K3_C2 (PYCONV_F6K3_C * PYCONV_F6K3_C)

/* The row of a point p whose square is s; t and u are the other squares. */
#define SCALE(s, t, u) (2 * ((s) - (t)) * ((s) - (u)))
#define ROW(p, s, t, u) {1 / ((s) * SCALE(s, t, u)), (p) / ((s) * SCALE(s, t, u)), 1 / SCALE(s, t, u)}
static const double pyconv_f6k3_g[8][3] = {
    {-1 / (PYCONV_F6K3_A2 * PYCONV_F6K3_B2 * PYCONV_F6K3_C2), 0, 0},
    ROW(PYCONV_F6K3_A, PYCONV_F6K3_A2, PYCONV_F6K3_B2, PYCONV_F6K3_C2),
    ROW(-PYCONV_F6K3_A, PYCONV_F6K3_A2, PYCONV_F6K3_B2, PYCONV_F6K3_C2),
    ROW(PYCONV_F6K3_B, PYCONV_F6K3_B2, PYCONV_F6K3_C2, PYCONV_F6K3_A2),
    ROW(-PYCONV_F6K3_B, PYCONV_F6K3_B2, PYCONV_F6K3_C2, PYCONV_F6K3_A2),
    ROW(PYCONV_F6K3_C, PYCONV_F6K3_C2, PYCONV_F6K3_A2, PYCONV_F6K3_B2),
    ROW(-PYCONV_F6K3_C, PYCONV_F6K3_C2, PYCONV_F6K3_A2, PYCONV_F6K3_B2),
    {0, 0, 1}};
#undef ROW
#undef SCALE

#endif

/* The rows of ±p; t and u are the squares of the other points. */
INLINE void NAME(f6k3_pair)(const vec d[8], double p, double t, double u, vec *plus, vec *minus) {
    const vec product = v_set1((real)(t * u)), minus_sum = v_set1((real)(-t - u));
    const vec even = v_fma(minus_sum, d[4], v_fma(product, d[2], d[6]));
    const vec odd = v_fma(minus_sum, d[3], v_fma(product, d[1], d[5]));
    *plus = v_fma(v_set1((real)p), odd, even);
    *minus = v_fma(v_set1((real)-p), odd, even);
}

/* d <- Bᵀ d; the largest term comes last, so that small sums are rounded. */
INLINE void NAME(f6k3_input_1d)(vec d[8]) {
    const double a2 = PYCONV_F6K3_A2, b2 = PYCONV_F6K3_B2, c2 = PYCONV_F6K3_C2;
    const vec minus_e1 = v_set1((real)(-a2 - b2 - c2)), e2 = v_set1((real)(a2 * b2 + b2 * c2 + c2 * a2));
    const vec minus_e3 = v_set1((real)(-a2 * b2 * c2));
    vec row[8];
    row[0] = v_fma(minus_e1, d[4], v_fma(e2, d[2], v_fma(minus_e3, d[0], d[6])));
    row[7] = v_fma(minus_e1, d[5], v_fma(e2, d[3], v_fma(minus_e3, d[1], d[7])));
    NAME(f6k3_pair)(d, PYCONV_F6K3_A, b2, c2, &row[1], &row[2]);
    NAME(f6k3_pair)(d, PYCONV_F6K3_B, c2, a2, &row[3], &row[4]);
    NAME(f6k3_pair)(d, PYCONV_F6K3_C, a2, b2, &row[5], &row[6]);
    PYCONV_UNROLL
    for (int i = 0; i < 8; i++)
        d[i] = row[i];
}

/* y = Aᵀ p */
INLINE void NAME(f6k3_output_1d)(const vec p[8], vec y[6]) {
    const vec even[3] = {p[1] + p[2], p[3] + p[4], p[5] + p[6]};
    const vec odd[3] = {p[1] - p[2], p[3] - p[4], p[5] - p[6]};
    double a = 1, b = 1, c = 1; /* pⁱ */
    PYCONV_UNROLL
    for (int i = 0; i < 6; i++) {
        const vec *part = i % 2 ? odd : even;
        const vec first = i == 0   ? p[0] + part[2]
                          : i == 5 ? v_fma(v_set1((real)c), part[2], p[7])
                                   : v_set1((real)c) * part[2];
        y[i] = v_fma(v_set1((real)a), part[0], v_fma(v_set1((real)b), part[1], first));
        a *= PYCONV_F6K3_A, b *= PYCONV_F6K3_B, c *= PYCONV_F6K3_C;
    }
}
