/* SPDX-License-Identifier: BSD-3-Clause */
/* Winograd's minimal filtering F(m x m, 3 x 3), m of 2, 4, 6: y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A. The product ∘, summed over
 * channels, is (m + 2)² products of matrices; here are the transforms around them. */

#include "wino_f2k3.h"
#include "wino_f4k3.h"
#include "wino_f6k3.h"

enum {
    NAME(wino_columns) = 48
}; /* of outputs that stay in L1 on their way to y: whole tiles and whole vectors */

/* y = clamp(pixels + bias + residual) for n <= V channels; see the output pass. `pixels` [rows][wino_columns]. */
static void NAME(wino_store)(const vec *pixels, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t n, real *y,
                             ptrdiff_t ys_h, ptrdiff_t ys_w, ptrdiff_t ys_c, const EPILOGUE *e) {
    const vec lo = v_set1(e->lo), hi = v_set1(e->hi);
    const vec bias = e->bias ? v_load_n(e->bias, n) : (vec){0};
    for (ptrdiff_t r = 0; r < rows; r++, pixels += NAME(wino_columns), y += ys_h) {
        const real *residual = e->residual ? e->residual + r * ys_h : NULL;
        if (ys_c == 1) {
            for (ptrdiff_t q = 0; q < cols; q++)
                v_store_n(y + q * ys_w,
                          NAME(finish)(pixels[q], bias, residual ? residual + q * ys_w : NULL, n, lo, hi), n);
            continue;
        }
        for (ptrdiff_t q = 0; q < cols; q += V) {
            const ptrdiff_t wide = cols - q < V ? cols - q : V;
            vec block[V];
            PYCONV_UNROLL
            for (int l = 0; l < V; l++)
                block[l] = pixels[q + l] + bias;
            v_transpose(block);
            PYCONV_UNROLL
            for (int l = 0; l < V; l++)
                if (l < n) {
                    const ptrdiff_t at = q + l * ys_c;
                    v_store_n(y + at,
                              NAME(finish)(block[l], (vec){0}, residual ? residual + at : NULL, wide, lo, hi),
                              wide);
                }
        }
    }
}

#define WINO f2k3
#define M 2
#include "wino_tile.tmpl.h"
#undef WINO
#undef M

#define WINO f4k3
#define M 4
#include "wino_tile.tmpl.h"
#undef WINO
#undef M

#define WINO f6k3
#define M 6
#include "wino_tile.tmpl.h"
#undef WINO
#undef M

#define EACH_SIZE(pass, ...)                                                                                 \
    do {                                                                                                     \
        if (m == 2)                                                                                          \
            NAME(f2k3_##pass)(__VA_ARGS__);                                                                  \
        else if (m == 4)                                                                                     \
            NAME(f4k3_##pass)(__VA_ARGS__);                                                                  \
        else                                                                                                 \
            NAME(f6k3_##pass)(__VA_ARGS__);                                                                  \
    } while (0)

static void NAME(wino_weights)(int m, ptrdiff_t oc, ptrdiff_t ic, const real *w, real *packed) {
    EACH_SIZE(weights, oc, ic, w, packed);
}

static void NAME(wino_input)(int m, ptrdiff_t tiles, ptrdiff_t channels, const real *band, ptrdiff_t band_h,
                             ptrdiff_t band_w, real *v, ptrdiff_t v_p, ptrdiff_t v_t) {
    EACH_SIZE(input, tiles, channels, band, band_h, band_w, v, v_p, v_t);
}

static void NAME(wino_output)(int m, ptrdiff_t tiles, ptrdiff_t channels, const real *p, ptrdiff_t p_p,
                              ptrdiff_t p_t, ptrdiff_t rows, ptrdiff_t cols, real *y, ptrdiff_t ys_h,
                              ptrdiff_t ys_w, ptrdiff_t ys_c, const EPILOGUE *e) {
    EACH_SIZE(output, tiles, channels, p, p_p, p_t, rows, cols, y, ys_h, ys_w, ys_c, e);
}

#undef EACH_SIZE
