/* SPDX-License-Identifier: BSD-3-Clause */
/* Six points, 0, ±a, ±b, ∞ with a = 5/8, b = 25/16:
 *
 *        a²b²  0  -a²-b²  0   1  0         1  1  1  1  1  0
 *         0  -ab²  -b²    a   1  0    Aᵀ = 0  a -a  b -b  0    the first m rows,
 *   Bᵀ =  0   ab²  -b²   -a   1  0         0  a² a² b² b² 0    the last of them
 *         0  -ba²  -a²    b   1  0         0  a³-a³ b³-b³ 0    with 1 for ∞
 *         0   ba²  -a²   -b   1  0            0  a⁴ a⁴ b⁴ b⁴ 0
 *         0  a²b²   0  -a²-b² 0  1
 *
 * These points give less than half the error of 0, ±1, ±2, ∞, and all constants are exact in float32. */

/* d <- s Bᵀ d; the largest term comes last, so that small sums are rounded. The rows of ±p are an even part and p times an odd one. */
INLINE void NAME(wino_input_6)(const double s, vec d[6]) {
    const double a2_ = WINO_6_A * WINO_6_A, b2_ = WINO_6_B * WINO_6_B;
    const vec a = v_set1((real)(s * WINO_6_A)), a2 = v_set1((real)a2_), sa2 = v_set1((real)(s * a2_));
    const vec b = v_set1((real)(s * WINO_6_B)), b2 = v_set1((real)b2_), sb2 = v_set1((real)(s * b2_));
    const vec product = v_set1((real)(s * a2_ * b2_)), minus_sum = v_set1((real)(s * (-a2_ - b2_)));
    const vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    const vec d4 = NAME(wino_times)(s, d[4]), d5 = NAME(wino_times)(s, d[5]);
    const vec even_a = v_fma(-sb2, d2, d4), odd_a = v_fma(-b2, d1, d3);
    const vec even_b = v_fma(-sa2, d2, d4), odd_b = v_fma(-a2, d1, d3);
    d[0] = v_fma(minus_sum, d2, v_fma(product, d0, d4));
    d[1] = v_fma(a, odd_a, even_a);
    d[2] = v_fma(-a, odd_a, even_a);
    d[3] = v_fma(b, odd_b, even_b);
    d[4] = v_fma(-b, odd_b, even_b);
    d[5] = v_fma(minus_sum, d3, v_fma(product, d1, d5));
}

/* y = Aᵀ p, m of 2, 3, 4, 5 */
INLINE void NAME(wino_output_6)(const int m, const vec p[6], vec y[5]) {
    const vec sum_a = p[1] + p[2], difference_a = p[1] - p[2];
    const vec sum_b = p[3] + p[4], difference_b = p[3] - p[4];
    double a = WINO_6_A, b = WINO_6_B; /* aⁱ, bⁱ */
    y[0] = (p[0] + sum_a) + sum_b;
    PYCONV_UNROLL
    for (int i = 1; i < m; i++) {
        const vec part_a = i % 2 ? difference_a : sum_a, part_b = i % 2 ? difference_b : sum_b;
        y[i] = i == m - 1 ? v_fma(v_set1((real)a), part_a, v_fma(v_set1((real)b), part_b, p[5]))
                          : v_fma(v_set1((real)b), part_b, v_set1((real)a) * part_a);
        a *= WINO_6_A, b *= WINO_6_B;
    }
}
