/* SPDX-License-Identifier: BSD-3-Clause */
/* Three points, 0, 1, ∞:
 *
 *        -1  1  0         1  1  0
 *   Bᵀ =  0  1  0    Aᵀ = 0  1  1
 *         0 -1  1
 */

/* d <- Bᵀ d */
INLINE void NAME(wino_input_3)(vec d[3]) {
    d[0] = d[1] - d[0];
    d[2] = d[2] - d[1];
}

/* y = Aᵀ p */
INLINE void NAME(wino_output_3)(const vec p[3], vec y[2]) {
    y[0] = p[0] + p[1];
    y[1] = p[1] + p[2];
}
