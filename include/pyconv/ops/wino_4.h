/* SPDX-License-Identifier: BSD-3-Clause */
/* Four points, 0, ±1, ∞:
 *
 *        -1  0  1  0
 *   Bᵀ =  0  1  1  0    Aᵀ = 1  1  1  0    the first m rows,
 *         0 -1  1  0         0  1 -1  0    the last of them
 *         0 -1  0  1         0  1  1  0    with 1 for ∞ */

/* d <- Bᵀ d */
INLINE void NAME(wino_input_4)(vec d[4]) {
    const vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    d[0] = d2 - d0;
    d[1] = d2 + d1;
    d[2] = d2 - d1;
    d[3] = d3 - d1;
}

/* y = Aᵀ p, m of 2, 3 */
INLINE void NAME(wino_output_4)(const int m, const vec p[4], vec y[3]) {
    const vec sum = p[1] + p[2], difference = p[1] - p[2];
    y[0] = p[0] + sum;
    y[1] = m == 2 ? p[3] + difference : difference;
    if (m == 3)
        y[2] = p[3] + sum;
}
