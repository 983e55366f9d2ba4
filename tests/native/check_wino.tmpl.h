/* SPDX-License-Identifier: BSD-3-Clause */
/* Winograd's transforms against their matrices, which are made from the points alone:
 *
 *   A[p][i] = pⁱ,  G[p][k] = pᵏ / N(p),  N(p) = ∏ (p - other);  of ∞: 1 for the highest power, else 0
 *   B[p] = coefficients of ∏ (x - other) over the finite points, of ∞: of ∏ (x - all) */

#ifndef WINO_MATRICES
#define WINO_MATRICES

typedef struct wino_matrices {
    int size; /* points, ∞ the last */
    double A[8][6], B[8][8], G[8][3];
} wino_matrices;

static wino_matrices wino_matrices_new(int m) {
    static const double points[][7] = {
        {0, 1, -1}, {0, 0.625, -0.625, 1.5625, -1.5625}, {0, 1, -1, 2, -2, 0.5, -0.5}};
    const double *at = points[m / 2 - 1];
    wino_matrices w = {.size = m + 2};
    for (int p = 0; p < w.size; p++) {
        const int finite = p < w.size - 1;
        double scale = 1;
        w.B[p][0] = 1;
        for (int q = 0, degree = 0; q < w.size - 1; q++)
            if (q != p) {
                scale *= finite ? at[p] - at[q] : 1;
                degree++;
                for (int i = degree; i >= 0; i--)
                    w.B[p][i] = (i > 0 ? w.B[p][i - 1] : 0) - at[q] * w.B[p][i];
            }
        for (int i = 0; i < m; i++)
            w.A[p][i] = finite ? pow(at[p], i) : i == m - 1;
        for (int k = 0; k < 3; k++)
            w.G[p][k] = finite ? pow(at[p], k) / scale : k == 2;
    }
    return w;
}

/* out[rows][rows] = left[rows][n] in[n][n] leftᵀ, left being [rows][left_s] or, turned, [n][left_s] */
static void wino_sandwich(int rows, int n, const double *left, int left_s, int turned, const double *in,
                          double *out) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                for (int l = 0; l < n; l++)
                    sum += in[k * n + l] * (turned ? left[k * left_s + i] * left[l * left_s + j]
                                                   : left[i * left_s + k] * left[j * left_s + l]);
            out[i * rows + j] = sum;
        }
}

#endif

/* Whether `got` is `want` to a few roundings of numbers of size `scale`. */
static int CHECK_NAME(near)(double got, double want, double scale) {
    return fabs(got - want) <= 8 * scale * (sizeof(real) == 4 ? 0x1p-24 : 0x1p-53);
}

static void CHECK_NAME(wino_weights)(const KERNELS *kernels, const char *isa) {
    const double once = sizeof(real) == 4 ? 0x1p-24 : 0; /* rounded, from a double good to 1e-13 */
    const ptrdiff_t nr = kernels->nr, counts[] = {1, nr - 1, nr, nr + 1};
    for (int m = 2; m <= 6; m += 2)
        for (int n = 0; n < 4; n++)
            for (ptrdiff_t ic = 1; ic < 4; ic++) {
                const wino_matrices w = wino_matrices_new(m);
                const ptrdiff_t oc = counts[n], units = (oc + nr - 1) / nr, points = w.size * w.size;
                guarded weight = CHECK_NAME(numbers)(oc * ic * 9),
                        packed = CHECK_NAME(numbers)(units * points * ic * nr);
                const real *W = (real *)weight.data;
                kernels->wino_weights(m, oc, ic, W, (real *)packed.data);
                long wrong = 0;
                for (ptrdiff_t o = 0; o < units * nr; o++)
                    for (ptrdiff_t c = 0; c < ic; c++) {
                        double g[9], want[64];
                        for (int t = 0; t < 9; t++)
                            g[t] = o < oc ? (double)W[(o * ic + c) * 9 + t] : 0;
                        wino_sandwich(w.size, 3, w.G[0], 3, 0, g, want);
                        for (ptrdiff_t p = 0; p < points; p++) {
                            const real got =
                                ((real *)packed.data)[((o / nr * points + p) * ic + c) * nr + o % nr];
                            wrong +=
                                !(fabs((double)got - want[p]) <= once * fabs(want[p]) + (o < oc ? 1e-13 : 0));
                        }
                    }
                wrong += !guarded_free(weight) + !guarded_free(packed);
                CHECK(wrong == 0, "%s wino_weights m=%d oc=%td ic=%td: %ld wrong", isa, m, oc, ic, wrong);
            }
}

/* More tiles than one piece of the pass holds, channels around the vector; lanes beyond the channels are zero. */
static void CHECK_NAME(wino_input)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t lanes = kernels->lanes, counts[] = {1, lanes - 1, lanes, 2 * lanes + 1};
    for (int m = 2; m <= 6; m += 2)
        for (int n = 0; n < 4; n++)
            for (ptrdiff_t tiles = 1; tiles < 28; tiles += 13) {
                const wino_matrices w = wino_matrices_new(m);
                const ptrdiff_t channels = counts[n], padded = (channels + lanes - 1) / lanes * lanes;
                const ptrdiff_t width = tiles * m + 2, pixel = channels + 1, pitch = width * pixel;
                const ptrdiff_t v_p = tiles * padded + 3;
                guarded band = CHECK_NAME(numbers)(w.size * pitch - 1),
                        v = CHECK_NAME(numbers)(w.size * w.size * v_p - 3);
                kernels->wino_input(m, tiles, channels, (real *)band.data, pitch, pixel, (real *)v.data, v_p,
                                    padded);
                long wrong = 0;
                for (ptrdiff_t t = 0; t < tiles; t++)
                    for (ptrdiff_t c = 0; c < padded; c++) {
                        double d[64], want[64];
                        for (int i = 0; i < w.size * w.size; i++) {
                            const ptrdiff_t at = i / w.size * pitch + (t * m + i % w.size) * pixel + c;
                            d[i] = c < channels ? (double)((real *)band.data)[at] : 0;
                        }
                        wino_sandwich(w.size, w.size, w.B[0], 8, 0, d, want);
                        for (int p = 0; p < w.size * w.size; p++)
                            wrong += !CHECK_NAME(near)((double)((real *)v.data)[p * v_p + t * padded + c],
                                                       want[p], 1000);
                    }
                wrong += !guarded_free(band) + !guarded_free(v);
                CHECK(wrong == 0, "%s wino_input m=%d tiles=%td channels=%td: %ld wrong", isa, m, tiles,
                      channels, wrong);
            }
}

/* One row of tiles, clipped to rows x cols, into either layout: every element of y is checked, gaps included. */
static void CHECK_NAME(wino_output_case)(const KERNELS *kernels, const char *isa, int m, ptrdiff_t tiles,
                                         ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t cols, int planes,
                                         int form) {
    const wino_matrices w = wino_matrices_new(m);
    const ptrdiff_t lanes = kernels->lanes, padded = (channels + lanes - 1) / lanes * lanes,
                    p_p = tiles * padded + 5;
    const ptrdiff_t ys_w = planes ? 1 : channels + 2, ys_h = cols * ys_w + 3,
                    ys_c = planes ? rows * ys_h + 1 : 1;
    const ptrdiff_t count = (rows - 1) * ys_h + (cols - 1) * ys_w + (channels - 1) * ys_c + 1;
    guarded p = CHECK_NAME(numbers)(w.size * w.size * p_p), y = CHECK_NAME(numbers)(count);
    guarded bias = CHECK_NAME(numbers)(channels), residual = CHECK_NAME(numbers)(count);
    const EPILOGUE e = {.lo = form & 1 ? -20 : -INFINITY,
                        .hi = form & 1 ? 30 : INFINITY,
                        .bias = form & 2 ? (real *)bias.data : NULL,
                        .residual = form & 4 ? (real *)residual.data : NULL};
    double *want = malloc((size_t)count * sizeof *want);
    for (ptrdiff_t i = 0; i < count; i++)
        want[i] = (double)((real *)y.data)[i];
    for (ptrdiff_t t = 0; t < tiles; t++)
        for (ptrdiff_t c = 0; c < channels; c++) {
            double product[64], out[36];
            for (int i = 0; i < w.size * w.size; i++)
                product[i] = (double)((real *)p.data)[i * p_p + t * padded + c];
            wino_sandwich(m, w.size, w.A[0], 6, 1, product, out);
            for (int i = 0; i < m && i < rows; i++)
                for (int j = 0; j < m && t * m + j < cols; j++) {
                    const ptrdiff_t at = i * ys_h + (t * m + j) * ys_w + c * ys_c;
                    double v = out[i * m + j] + (e.bias ? (double)e.bias[c] : 0) +
                               (e.residual ? (double)e.residual[at] : 0);
                    want[at] = v < e.lo ? e.lo : v > e.hi ? e.hi : v;
                }
        }
    kernels->wino_output(m, tiles, channels, (real *)p.data, p_p, padded, rows, cols, (real *)y.data, ys_h,
                         ys_w, ys_c, &e);
    long wrong = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        wrong += !CHECK_NAME(near)((double)((real *)y.data)[i], want[i], m == 6 ? 1e5 : 1000);
    free(want);
    wrong += !guarded_free(p) + !guarded_free(y) + !guarded_free(bias) + !guarded_free(residual);
    CHECK(wrong == 0, "%s wino_output m=%d tiles=%td channels=%td %tdx%td planes=%d form=%d: %ld wrong", isa,
          m, tiles, channels, rows, cols, planes, form, wrong);
}

static void CHECK_NAME(wino_output)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t lanes = kernels->lanes, counts[] = {1, lanes, lanes + 1, 2 * lanes};
    int form = 0;
    for (int m = 2; m <= 6; m += 2)
        for (int n = 0; n < 4; n++)
            for (ptrdiff_t tiles = 1; tiles < 28; tiles += 13)
                for (int cut = 0; cut < m; cut++, form = (form + 3) % 16)
                    CHECK_NAME(wino_output_case)(kernels, isa, m, tiles, counts[n], m - cut, tiles * m - cut,
                                                 form & 1, form >> 1);
}
