/* SPDX-License-Identifier: BSD-3-Clause */
/* Winograd's transforms against their matrices, which are made from the points alone:
 *
 *   A[p][i] = pⁱ,  G[p][k] = pᵏ / N(p),  N(p) = ∏ (p - other);  of ∞: 1 for the highest power, else 0
 *   B[p] = coefficients of ∏ (x - other) over the finite points, of ∞: of ∏ (x - all) */

#ifndef WINO_MATRICES
#define WINO_MATRICES

typedef struct wino_matrices {
    int size; /* points, ∞ the last */
    double A[8][8], B[8][8], G[8][8];
    double scale; /* of the transformed pixels */
} wino_matrices;

/* Of F(m, r); one point is 1, for an axis that is not transformed. */
static wino_matrices wino_matrices_new(int m, int r) {
    static const double few[] = {0, 1, -1}, six[] = {0, 0.625, -0.625, 1.5625, -1.5625},
                        eight[] = {0, 1, -1, 2, -2, 0.5, -0.5};
    wino_matrices w = {.size = m + r - 1, .scale = m + r > 8 ? 0.125 : m + r > 6 ? 0.25 : 1};
    const double *at = w.size == 8 ? eight : w.size == 6 ? six : few;
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
        for (int k = 0; k < r; k++)
            w.G[p][k] = finite ? pow(at[p], k) / scale : k == r - 1;
    }
    return w;
}

/* out[rows][cols] = left[rows][n] in[n][k] right[cols][k]ᵀ, left and right as they are or, turned, [n][8] and [k][8] */
static void wino_sandwich(int rows, int cols, int n, int k, double left[8][8], double right[8][8], int turned,
                          const double *in, double *out) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) {
            double sum = 0;
            for (int a = 0; a < n; a++)
                for (int b = 0; b < k; b++)
                    sum += in[a * k + b] * (turned ? left[a][i] * right[b][j] : left[i][a] * right[j][b]);
            out[i * cols + j] = sum;
        }
}

/* Every shape of tile with a kernel and strides that lead to it. */
static const pyconv_wino wino_forms[] = {
    {4, 4, 2, 2, 3, 3, 1, 1}, {6, 6, 4, 4, 3, 3, 1, 1},   {8, 8, 6, 6, 3, 3, 1, 1}, {6, 6, 3, 3, 7, 7, 2, 2},
    {6, 6, 2, 2, 5, 5, 1, 1}, {4, 4, 3, 3, 2, 2, 1, 1},   {1, 6, 1, 4, 1, 3, 1, 1}, {6, 1, 4, 1, 3, 1, 1, 1},
    {1, 6, 1, 2, 1, 5, 1, 1}, {6, 1, 2, 1, 5, 1, 1, 1},   {1, 8, 1, 2, 1, 7, 1, 1}, {8, 1, 2, 1, 7, 1, 1, 1},
    {6, 6, 4, 4, 8, 9, 3, 4}, {6, 6, 3, 3, 15, 16, 4, 4}, {3, 3, 2, 2, 3, 3, 2, 2},
};
enum { WINO_FORMS = sizeof wino_forms / sizeof *wino_forms };

/* Where a test puts the outputs: channels side by side, columns side by side, or neither. */
enum { WINO_PIXELS, WINO_PLANES, WINO_APART, WINO_LAYOUTS };

/* F(r, m) for the gradient of a kernel of r, whose filters are tiles of m. */
static const pyconv_wino wino_gradients[] = {
    {4, 4, 3, 3, 2, 2, 1, 1}, {4, 4, 2, 2, 3, 3, 1, 1}, {6, 6, 3, 3, 4, 4, 1, 1},
    {6, 6, 5, 5, 2, 2, 1, 1}, {1, 6, 1, 3, 1, 4, 1, 1}, {6, 1, 3, 1, 4, 1, 1, 1},
};
enum { WINO_GRADIENTS = sizeof wino_gradients / sizeof *wino_gradients };

static const pyconv_wino *wino_form(int form) {
    return form < WINO_FORMS ? &wino_forms[form] : &wino_gradients[form - WINO_FORMS];
}

#endif

/* Whether `got` is `want` to a few roundings of numbers of size `scale`. */
static int CHECK_NAME(near)(double got, double want, double scale) {
    return fabs(got - want) <= 8 * scale * (sizeof(real) == 4 ? 0x1p-24 : 0x1p-53);
}

static void CHECK_NAME(wino_weights)(const KERNELS *kernels, const char *isa) {
    const double once = sizeof(real) == 4 ? 0x1p-24 : 0; /* rounded, from a double good to 1e-13 */
    const ptrdiff_t nr = kernels->nr, counts[] = {1, nr - 1, nr, nr + 1};
    for (int form = 0; form < WINO_FORMS; form++)
        for (int n = 0; n < 4; n++)
            for (ptrdiff_t ic = 1; ic < 4; ic++) {
                const pyconv_wino *f = &wino_forms[form];
                const int rh = f->h - f->mh + 1, rw = f->w - f->mw + 1, taps = f->kh * f->kw;
                wino_matrices down = wino_matrices_new(f->mh, rh), across = wino_matrices_new(f->mw, rw);
                const ptrdiff_t oc = counts[n], units = (oc + nr - 1) / nr, points = f->h * f->w;
                const ptrdiff_t depth = f->sh * f->sw * ic;
                guarded weight = CHECK_NAME(numbers)(oc * ic * taps),
                        packed = CHECK_NAME(numbers)(units * points * depth * nr);
                const real *W = (real *)weight.data;
                kernels->wino_weights(f, oc, ic, W, (real *)packed.data);
                long wrong = 0;
                for (ptrdiff_t o = 0; o < units * nr; o++)
                    for (ptrdiff_t d = 0; d < depth; d++) {
                        const ptrdiff_t c = d % ic, phase = d / ic;
                        double g[64] = {0}, want[64];
                        for (int i = 0; i < taps; i++) {
                            const int row = i / f->kw, col = i % f->kw;
                            if (o < oc && row % f->sh == phase / f->sw && col % f->sw == phase % f->sw)
                                g[row / f->sh * rw + col / f->sw] = (double)W[(o * ic + c) * taps + i];
                        }
                        wino_sandwich(f->h, f->w, rh, rw, down.G, across.G, 0, g, want);
                        for (ptrdiff_t p = 0; p < points; p++) {
                            const real got =
                                ((real *)packed.data)[((o / nr * points + p) * depth + d) * nr + o % nr];
                            wrong +=
                                !(fabs((double)got - want[p]) <= once * fabs(want[p]) + (o < oc ? 1e-13 : 0));
                        }
                    }
                wrong += !guarded_free(weight) + !guarded_free(packed);
                CHECK(wrong == 0, "%s wino_weights form=%d oc=%td ic=%td: %ld wrong", isa, form, oc, ic,
                      wrong);
            }
}

/* More tiles than one piece of the pass holds, channels around the vector; lanes beyond the channels are zero. Points
 * beyond the rows and columns asked for are left alone. */
static void CHECK_NAME(wino_input)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t lanes = kernels->lanes, counts[] = {1, lanes - 1, lanes, 2 * lanes + 1};
    for (int form = 0; form < WINO_FORMS; form++)
        for (int n = 0; n < 4; n++)
            for (ptrdiff_t tiles = 1; tiles < 28; tiles += 13) {
                const pyconv_wino *f = &wino_forms[form];
                wino_matrices down = wino_matrices_new(f->mh, f->h - f->mh + 1),
                              across = wino_matrices_new(f->mw, f->w - f->mw + 1);
                const int points = f->h * f->w;
                const ptrdiff_t channels = counts[n], padded = (channels + lanes - 1) / lanes * lanes;
                const ptrdiff_t width = (tiles - 1) * f->mw + f->w, pixel = channels + 1,
                                pitch = width * pixel;
                const ptrdiff_t v_p = tiles * padded + 3;
                const int rows = f->h - (f->h > 1 && n % 2), cols = f->w - (f->w > 1 && tiles == 14);
                guarded band = CHECK_NAME(numbers)(f->h * pitch - 1),
                        v = CHECK_NAME(numbers)(points * v_p - 3),
                        was = CHECK_NAME(numbers)(points * v_p - 3);
                memcpy(was.data, v.data, (size_t)(points * v_p - 3) * sizeof(real));
                kernels->wino_input(f, tiles, channels, rows, cols, (real *)band.data, pitch, pixel,
                                    (real *)v.data, v_p, padded);
                long wrong = 0;
                for (ptrdiff_t t = 0; t < tiles; t++)
                    for (ptrdiff_t c = 0; c < padded; c++) {
                        double d[64], want[64];
                        for (int i = 0; i < points; i++) {
                            const ptrdiff_t at = i / f->w * pitch + (t * f->mw + i % f->w) * pixel + c;
                            d[i] = c < channels ? (double)((real *)band.data)[at] : 0;
                        }
                        wino_sandwich(f->h, f->w, f->h, f->w, down.B, across.B, 0, d, want);
                        for (int p = 0; p < points; p++) {
                            const ptrdiff_t at = p * v_p + t * padded + c;
                            const real got = ((real *)v.data)[at];
                            const double scaled = down.scale * across.scale * want[p];
                            wrong += p / f->w < rows && p % f->w < cols
                                         ? !CHECK_NAME(near)((double)got, scaled, 1000)
                                         : got != ((real *)was.data)[at];
                        }
                    }
                wrong += !guarded_free(band) + !guarded_free(v) + !guarded_free(was);
                CHECK(wrong == 0, "%s wino_input form=%d tiles=%td channels=%td: %ld wrong", isa, form, tiles,
                      channels, wrong);
            }
}

static void CHECK_NAME(wino_taps)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t lanes = kernels->lanes, counts[] = {1, lanes - 1, lanes, 2 * lanes + 1};
    for (int form = 0; form < WINO_GRADIENTS; form++)
        for (int n = 0; n < 4; n++)
            for (ptrdiff_t tiles = 1; tiles < 12; tiles += 5) {
                const pyconv_wino *f = &wino_gradients[form];
                wino_matrices down = wino_matrices_new(f->mh, f->kh),
                              across = wino_matrices_new(f->mw, f->kw);
                const ptrdiff_t channels = counts[n], padded = (channels + lanes - 1) / lanes * lanes;
                const ptrdiff_t pixel = channels + 1, pitch = tiles * f->kw * pixel, u_p = tiles * padded + 3;
                const int points = f->h * f->w, taps = f->kh * f->kw;
                guarded band = CHECK_NAME(numbers)(f->kh * pitch - 1),
                        u = CHECK_NAME(numbers)(points * u_p - 3);
                kernels->wino_taps(f, tiles, channels, (real *)band.data, pitch, pixel, (real *)u.data, u_p,
                                   padded);
                long wrong = 0;
                for (ptrdiff_t t = 0; t < tiles; t++)
                    for (ptrdiff_t c = 0; c < padded; c++) {
                        double d[64], want[64];
                        for (int i = 0; i < taps; i++) {
                            const ptrdiff_t at = i / f->kw * pitch + (t * f->kw + i % f->kw) * pixel + c;
                            d[i] = c < channels ? (double)((real *)band.data)[at] : 0;
                        }
                        wino_sandwich(f->h, f->w, f->kh, f->kw, down.G, across.G, 0, d, want);
                        for (int p = 0; p < points; p++)
                            wrong += !CHECK_NAME(near)((double)((real *)u.data)[p * u_p + t * padded + c],
                                                       want[p], 100);
                    }
                wrong += !guarded_free(band) + !guarded_free(u);
                CHECK(wrong == 0, "%s wino_taps form=%d tiles=%td channels=%td: %ld wrong", isa, form, tiles,
                      channels, wrong);
            }
}

/* One row of tiles, clipped to rows x cols, into each layout: every element of y is checked, gaps included. */
static void CHECK_NAME(wino_output_case)(const KERNELS *kernels, const char *isa, int form, ptrdiff_t tiles,
                                         ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t cols, int layout,
                                         int tail) {
    const pyconv_wino *f = wino_form(form);
    wino_matrices down = wino_matrices_new(f->mh, f->h - f->mh + 1),
                  across = wino_matrices_new(f->mw, f->w - f->mw + 1);
    const int points = f->h * f->w;
    const ptrdiff_t lanes = kernels->lanes, padded = (channels + lanes - 1) / lanes * lanes,
                    p_p = tiles * padded + 5;
    const ptrdiff_t ys_w = layout == WINO_PIXELS   ? channels + 2
                           : layout == WINO_PLANES ? 1
                                                   : 3,
                    ys_h = cols * ys_w + 3, ys_c = layout == WINO_PIXELS ? 1 : rows * ys_h + 1;
    const ptrdiff_t count = (rows - 1) * ys_h + (cols - 1) * ys_w + (channels - 1) * ys_c + 1;
    guarded p = CHECK_NAME(numbers)(points * p_p), y = CHECK_NAME(numbers)(count);
    guarded bias = CHECK_NAME(numbers)(channels), residual = CHECK_NAME(numbers)(count);
    const int clamped = tail & 1, biased = tail & 2, added = tail & 4;
    const EPILOGUE e = {.flags = (clamped ? PYCONV_CLAMP : 0) | (biased ? PYCONV_BIAS_COLUMN : 0) |
                                 (added ? PYCONV_RESIDUAL : 0),
                        .lo = -20,
                        .hi = 30,
                        .bias = bias.data,
                        .residual = residual.data};
    double *want = malloc((size_t)count * sizeof *want);
    for (ptrdiff_t i = 0; i < count; i++)
        want[i] = (double)((real *)y.data)[i];
    for (ptrdiff_t t = 0; t < tiles; t++)
        for (ptrdiff_t c = 0; c < channels; c++) {
            double product[64], out[36];
            for (int i = 0; i < points; i++)
                product[i] = (double)((real *)p.data)[i * p_p + t * padded + c];
            wino_sandwich(f->mh, f->mw, f->h, f->w, down.A, across.A, 1, product, out);
            for (int i = 0; i < f->mh && i < rows; i++)
                for (int j = 0; j < f->mw && t * f->mw + j < cols; j++) {
                    const ptrdiff_t at = i * ys_h + (t * f->mw + j) * ys_w + c * ys_c;
                    double v = out[i * f->mw + j] / (down.scale * across.scale) +
                               (biased ? (double)((real *)bias.data)[c] : 0) +
                               (added ? (double)((real *)residual.data)[at] : 0);
                    want[at] = !clamped ? v : v < e.lo ? e.lo : v > e.hi ? e.hi : v;
                }
        }
    kernels->wino_output(f, tiles, channels, (real *)p.data, p_p, padded, rows, cols, (real *)y.data, ys_h,
                         ys_w, ys_c, &e);
    long wrong = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        wrong += !CHECK_NAME(near)((double)((real *)y.data)[i], want[i],
                                   (f->mh == 6 ? 1e5 : 1000) / (down.scale * across.scale));
    free(want);
    wrong += !guarded_free(p) + !guarded_free(y) + !guarded_free(bias) + !guarded_free(residual);
    CHECK(wrong == 0, "%s wino_output form=%d tiles=%td channels=%td %tdx%td layout=%d tail=%d: %ld wrong",
          isa, form, tiles, channels, rows, cols, layout, tail, wrong);
}

static void CHECK_NAME(wino_output)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t lanes = kernels->lanes, counts[] = {1, lanes, lanes + 1, 2 * lanes};
    int tail = 0;
    for (int form = 0; form < WINO_FORMS + WINO_GRADIENTS; form++)
        for (int n = 0; n < 4; n++)
            for (ptrdiff_t tiles = 1; tiles < 54; tiles += 13)
                for (int layout = 0; layout < WINO_LAYOUTS; layout++, tail = (tail + 3) % 8)
                    for (int cut = 0; cut < wino_form(form)->mh || cut < wino_form(form)->mw; cut++) {
                        const int mh = wino_form(form)->mh, mw = wino_form(form)->mw;
                        CHECK_NAME(wino_output_case)(kernels, isa, form, tiles, counts[n], mh - cut % mh,
                                                     tiles * mw - cut % mw, layout, tail);
                    }
}
