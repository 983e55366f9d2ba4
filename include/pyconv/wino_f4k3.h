/* SPDX-License-Identifier: BSD-3-Clause */
/* F(4, 3), points 0, ±a, ±b, ∞ with a = 5/8, b = 25/16: four outputs of a three-tap filter in six products,
 *
 *   y = Aᵀ [(G g) ∘ (Bᵀ d)]
 *
 *        a²b²  0  -a²-b²  0   1  0                                  1  1  1  1  1  0
 *         0  -ab²  -b²    a   1  0    G row of point p:        Aᵀ = 0  a -a  b -b  0
 *   Bᵀ =  0   ab²  -b²   -a   1  0      (1, p, p²) / N(p)           0  a² a² b² b² 0
 *         0  -ba²  -a²    b   1  0      N(p) = ∏ (p - other)        0  a³-a³ b³-b³ 1
 *         0   ba²  -a²   -b   1  0    of ∞: (0, 0, 1)
 *         0  a²b²   0  -a²-b² 0  1
 *
 * These points give less than half the error of 0, ±1, ±2, ∞, and all constants are exact in float32. */
#ifndef PYCONV_WINO_F4K3_H
#define PYCONV_WINO_F4K3_H

#define PYCONV_F4K3_A 0.625
#define PYCONV_F4K3_A2 (0.625 * 0.625)
#define PYCONV_F4K3_B 1.5625
#define PYCONV_F4K3_B2 (1.5625 * 1.5625)

/* The row of a point p whose square is s; t is the other square. */
#define ROW(p, s, t) {1 / (2 * (s) * ((s) - (t))), (p) / (2 * (s) * ((s) - (t))), 1 / (2 * ((s) - (t)))}
static const double pyconv_f4k3_g[6][3] = {
    {1 / (PYCONV_F4K3_A2 * PYCONV_F4K3_B2), 0, 0},       ROW(PYCONV_F4K3_A, PYCONV_F4K3_A2, PYCONV_F4K3_B2),
    ROW(-PYCONV_F4K3_A, PYCONV_F4K3_A2, PYCONV_F4K3_B2), ROW(PYCONV_F4K3_B, PYCONV_F4K3_B2, PYCONV_F4K3_A2),
    ROW(-PYCONV_F4K3_B, PYCONV_F4K3_B2, PYCONV_F4K3_A2), {0, 0, 1}};
#undef ROW

#endif

/* d <- Bᵀ d; the largest term comes last, so that small sums are rounded. The rows of ±p are an even part and p times an odd one. */
INLINE void NAME(f4k3_input_1d)(vec d[6]) {
    const vec a = v_set1((real)PYCONV_F4K3_A), a2 = v_set1((real)PYCONV_F4K3_A2);
    const vec b = v_set1((real)PYCONV_F4K3_B), b2 = v_set1((real)PYCONV_F4K3_B2);
    const vec product = v_set1((real)(PYCONV_F4K3_A2 * PYCONV_F4K3_B2));
    const vec minus_sum = v_set1((real)(-PYCONV_F4K3_A2 - PYCONV_F4K3_B2));
    const vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const vec even_a = v_fma(-b2, d2, d4), odd_a = v_fma(-b2, d1, d3);
    const vec even_b = v_fma(-a2, d2, d4), odd_b = v_fma(-a2, d1, d3);
    d[0] = v_fma(minus_sum, d2, v_fma(product, d0, d4));
    d[1] = v_fma(a, odd_a, even_a);
    d[2] = v_fma(-a, odd_a, even_a);
    d[3] = v_fma(b, odd_b, even_b);
    d[4] = v_fma(-b, odd_b, even_b);
    d[5] = v_fma(minus_sum, d3, v_fma(product, d1, d5));
}

/* y = Aᵀ p */
INLINE void NAME(f4k3_output_1d)(const vec p[6], vec y[4]) {
    const vec a = v_set1((real)PYCONV_F4K3_A), a2 = v_set1((real)PYCONV_F4K3_A2);
    const vec b = v_set1((real)PYCONV_F4K3_B), b2 = v_set1((real)PYCONV_F4K3_B2);
    const vec a3 = v_set1((real)(PYCONV_F4K3_A * PYCONV_F4K3_A2)),
              b3 = v_set1((real)(PYCONV_F4K3_B * PYCONV_F4K3_B2));
    const vec sum_a = p[1] + p[2], difference_a = p[1] - p[2];
    const vec sum_b = p[3] + p[4], difference_b = p[3] - p[4];
    y[0] = (p[0] + sum_a) + sum_b;
    y[1] = v_fma(b, difference_b, a * difference_a);
    y[2] = v_fma(b2, sum_b, a2 * sum_a);
    y[3] = v_fma(a3, difference_a, v_fma(b3, difference_b, p[5]));
}
