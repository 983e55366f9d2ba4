/* SPDX-License-Identifier: BSD-3-Clause */
/* Eight points, 0, ±a, ±b, ±c, ∞ with a = 1, b = 2, c = 1/2:
 *
 *   Bᵀ row of 0:   -a²b²c² d0 + e2 d2 - e1 d4 + d6,  e1 = a² + b² + c², e2 = a²b² + b²c² + c²a²
 *          of ±a:  even ± a odd,  even = b²c² d2 - (b² + c²) d4 + d6,  odd = b²c² d1 - (b² + c²) d3 + d5
 *          of ∞:   -a²b²c² d1 + e2 d3 - e1 d5 + d7
 *   Aᵀ row i < m:  pⁱ for each p;  ∞ counts in row m - 1 alone */

/* The rows of ±p times s; t and u are the squares of the other points. No sum on the way exceeds them by much. */
INLINE void NAME(wino_pair_8)(const double s, const vec d[8], vec sd5, vec sd6, double p, double t, double u,
                              vec *plus, vec *minus) {
    const vec product = v_set1((real)(s * t * u)), minus_sum = v_set1((real)(s * (-t - u)));
    const vec even = v_fma(minus_sum, d[4], v_fma(product, d[2], sd6));
    const vec odd = v_fma(minus_sum, d[3], v_fma(product, d[1], sd5));
    *plus = v_fma(v_set1((real)p), odd, even);
    *minus = v_fma(v_set1((real)-p), odd, even);
}

/* d <- s Bᵀ d; the largest term comes last, so that small sums are rounded. */
INLINE void NAME(wino_input_8)(const double s, vec d[8]) {
    const double a2 = WINO_8_A * WINO_8_A, b2 = WINO_8_B * WINO_8_B, c2 = WINO_8_C * WINO_8_C;
    const vec minus_e1 = v_set1((real)(s * (-a2 - b2 - c2)));
    const vec e2 = v_set1((real)(s * (a2 * b2 + b2 * c2 + c2 * a2)));
    const vec minus_e3 = v_set1((real)(s * -a2 * b2 * c2));
    const vec d5 = NAME(wino_times)(s, d[5]), d6 = NAME(wino_times)(s, d[6]), d7 = NAME(wino_times)(s, d[7]);
    vec row[8];
    row[0] = v_fma(minus_e1, d[4], v_fma(e2, d[2], v_fma(minus_e3, d[0], d6)));
    row[7] = v_fma(minus_e1, d[5], v_fma(e2, d[3], v_fma(minus_e3, d[1], d7)));
    NAME(wino_pair_8)(s, d, d5, d6, WINO_8_A, b2, c2, &row[1], &row[2]);
    NAME(wino_pair_8)(s, d, d5, d6, WINO_8_B, c2, a2, &row[3], &row[4]);
    NAME(wino_pair_8)(s, d, d5, d6, WINO_8_C, a2, b2, &row[5], &row[6]);
    PYCONV_UNROLL
    for (int i = 0; i < 8; i++)
        d[i] = row[i];
}

/* y = Aᵀ p, m of 2, 6 */
INLINE void NAME(wino_output_8)(const int m, const vec p[8], vec y[6]) {
    const vec even[3] = {p[1] + p[2], p[3] + p[4], p[5] + p[6]};
    const vec odd[3] = {p[1] - p[2], p[3] - p[4], p[5] - p[6]};
    double a = 1, b = 1, c = 1; /* pⁱ */
    PYCONV_UNROLL
    for (int i = 0; i < m; i++) {
        const vec *part = i % 2 ? odd : even;
        const vec first = i == 0       ? p[0] + part[2]
                          : i == m - 1 ? v_fma(v_set1((real)c), part[2], p[7])
                                       : v_set1((real)c) * part[2];
        y[i] = v_fma(v_set1((real)a), part[0], v_fma(v_set1((real)b), part[1], first));
        a *= WINO_8_A, b *= WINO_8_B, c *= WINO_8_C;
    }
}
