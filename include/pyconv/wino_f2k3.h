/* SPDX-License-Identifier: BSD-3-Clause */
/* F(2, 3), points 0, ±1, ∞: two outputs of a three-tap filter in four products,
 *
 *   y = Aᵀ [(G g) ∘ (Bᵀ d)]
 *
 *        -1  0  1  0         -1   0   0
 *   Bᵀ =  0  1  1  0    G =  1/2 1/2 1/2    Aᵀ = 1  1  1  0
 *         0 -1  1  0         1/2 -1/2 1/2        0  1 -1  1
 *         0 -1  0  1          0   0   1 */
#ifndef PYCONV_WINO_F2K3_H
#define PYCONV_WINO_F2K3_H

static const double pyconv_f2k3_g[4][3] = {{-1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

#endif

/* d <- Bᵀ d */
INLINE void NAME(f2k3_input_1d)(vec d[4]) {
    const vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    d[0] = d2 - d0;
    d[1] = d2 + d1;
    d[2] = d2 - d1;
    d[3] = d3 - d1;
}

/* y = Aᵀ p */
INLINE void NAME(f2k3_output_1d)(const vec p[4], vec y[2]) {
    y[0] = p[0] + (p[1] + p[2]);
    y[1] = p[3] + (p[1] - p[2]);
}
