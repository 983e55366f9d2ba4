/* SPDX-License-Identifier: BSD-3-Clause */
/* Winograd's minimal filtering F(m, r): m outputs of a filter of r taps in m + r - 1 products, y = Aᵀ [(G g) ∘ (Bᵀ d)].
 *
 * Row p of each matrix belongs to a point of interpolation, the last to ∞. Bᵀ depends on the points alone, so all F(m, r)
 * of as many points share it; Aᵀ has m rows and G has r columns. */
#ifndef PYCONV_WINO_H
#define PYCONV_WINO_H

/* A tile of mh x mw outputs from h x w pixels, mh + rh - 1 = h and mw + rw - 1 = w; an axis of one pixel stays as it is.
 *
 * The filter's rh x rw taps come from a kernel of kh x kw taps and strides sh x sw: output q reads pixels q sh + i of the
 * image, i = k sh + a, so phase a < sh of the pixels is a channel of its own under ceil(kh / sh) taps of stride 1. */
typedef struct pyconv_wino {
    int h, w, mh, mw;
    int kh, kw, sh, sw;
} pyconv_wino;

#define WINO_6_A 0.625
#define WINO_6_B 1.5625
#define WINO_8_A 1.0
#define WINO_8_B 2.0
#define WINO_8_C 0.5

/* The finite points of a tile of `size` pixels. */
static inline const double *pyconv_wino_points(int size) {
    static const double few[] = {0, 1, -1}, six[] = {0, WINO_6_A, -WINO_6_A, WINO_6_B, -WINO_6_B},
                        eight[] = {0, WINO_8_A, -WINO_8_A, WINO_8_B, -WINO_8_B, WINO_8_C, -WINO_8_C};
    return size == 6 ? six : size == 8 ? eight : few;
}

/* A power of two for an axis of so many pixels, which Bᵀ takes and Aᵀ gives back: rows of Bᵀ add up to 5.6 times the
 * largest pixel of six and to 15 times that of eight, along both axes to the square of it. Scaled, no transformed pixel
 * exceeds four times the largest one, and products and sums have as much room. */
static const double pyconv_wino_scale[9] = {0, 1, 0, 1, 1, 0, 0.25, 0, 0.125};

/* g[p][k] = pᵏ / N(p), N(p) = ∏ (p - other);  of ∞: 1 for k = r - 1, else 0. Each is rounded once: pᵏ and N(p) are exact. */
static inline void pyconv_wino_g(int size, int r, double g[8][8]) {
    const double *at = pyconv_wino_points(size);
    for (int p = 0; p < size; p++) {
        double power = 1, product = 1;
        for (int q = 0; q < size - 1; q++)
            product *= p < size - 1 && q != p ? at[p] - at[q] : 1;
        for (int k = 0; k < r; k++, power *= at[p < size - 1 ? p : 0])
            g[p][k] = p < size - 1 ? power / product : k == r - 1;
    }
}

#endif
