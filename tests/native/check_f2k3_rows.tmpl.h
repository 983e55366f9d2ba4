/* SPDX-License-Identifier: BSD-3-Clause */
/* f2k3_points and f2k3_rows, against their definitions. */

static void CHECK_NAME(f2k3_points)(const KERNELS *kernels, const char *isa) {
    for (ptrdiff_t pitch = 16; pitch <= 48; pitch += 16) {
        const ptrdiff_t rows = 3, band_pitch = 32;
        guarded in = CHECK_NAME(numbers)(rows * 2 * band_pitch + 1),
                out = CHECK_NAME(numbers)(rows * 4 * pitch);
        const real *band = (real *)in.data, *points = (real *)out.data;
        kernels->f2k3_points(rows, band, band_pitch, (real *)out.data, pitch);
        long wrong = 0;
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t q = 0; q < pitch && q < band_pitch; q++) {
                const real *even = band + r * 2 * band_pitch + q, *odd = even + band_pitch;
                const real *at = points + r * 4 * pitch + q;
                wrong += at[0] != even[0] - even[1] || at[pitch] != odd[0] + even[1] ||
                         at[2 * pitch] != even[1] - odd[0] || at[3 * pitch] != odd[0] - odd[1];
            }
        wrong += !guarded_free(in) + !guarded_free(out);
        CHECK(wrong == 0, "%s f2k3_points pitch=%td: %ld wrong", isa, pitch, wrong);
    }
}

static void CHECK_NAME(f2k3_rows_case)(const KERNELS *kernels, const char *isa, ptrdiff_t m,
                                       ptrdiff_t channels, ptrdiff_t cols, int flags) {
    const ptrdiff_t rows = 3, gap = 3, k = 3 * channels, pitch = pyconv_ceil_div(cols, 32) * 16;
    const ptrdiff_t plane = (rows + 2) * 4 * pitch, ys_h = cols + gap, ys_c = rows * ys_h + gap;
    const ptrdiff_t y_count = m * ys_c - 2 * gap;
    const pyconv_band b = {.rows = rows, .cols = cols, .pitch = pitch, .ys_h = ys_h};
    guarded in = CHECK_NAME(numbers)(channels * plane), weights = CHECK_NAME(numbers)(k * 4 * m);
    guarded out = CHECK_NAME(numbers)(y_count), residual = CHECK_NAME(numbers)(y_count),
            bias = CHECK_NAME(numbers)(m);
    guarded table = guarded_new((size_t)k * sizeof(ptrdiff_t));
    ptrdiff_t *offsets = (ptrdiff_t *)table.data;
    for (ptrdiff_t l = 0; l < k; l++)
        offsets[l] = l / 3 * plane + l % 3 * 4 * pitch;
    const real *points = (real *)in.data, *w = (real *)weights.data;
    real *y = (real *)out.data, *old = malloc((size_t)y_count * sizeof(real));
    memcpy(old, y, (size_t)y_count * sizeof(real));
    const EPILOGUE e = {flags, -11, 13, (real *)bias.data, (real *)residual.data};
    kernels->f2k3_rows(&b, m, k, points, offsets, w, y, ys_c, &e);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < y_count; at++) {
        const ptrdiff_t o = at / ys_c, r = at % ys_c / ys_h, q = at % ys_c % ys_h;
        if (r >= rows || q >= cols) {
            wrong += y[at] != old[at];
            continue;
        }
        double s[4] = {0};
        for (ptrdiff_t l = 0; l < k; l++)
            for (int p = 0; p < 4; p++)
                s[p] +=
                    (double)w[(l * 4 + p) * m + o] * (double)points[offsets[l] + (4 * r + p) * pitch + q / 2];
        const double sum = q % 2 ? s[1] - s[2] - s[3] : s[0] + s[1] + s[2];
        wrong += (double)y[at] != CHECK_NAME(expected)(sum, &e, old, o, 0, at);
    }
    free(old);
    wrong += !guarded_free(in) + !guarded_free(weights) + !guarded_free(out) + !guarded_free(residual) +
             !guarded_free(bias) + !guarded_free(table);
    CHECK(wrong == 0, "%s f2k3_rows m=%td c=%td cols=%td flags=%d: %ld wrong", isa, m, channels, cols, flags,
          wrong);
}

static void CHECK_NAME(f2k3_rows)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t V = kernels->lanes, widths[] = {1, 2, V - 1, V + 1, 2 * V, 5 * V + 3};
    int flags = 0;
    for (ptrdiff_t m = 1; m <= kernels->mr / 2; m++)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
            for (ptrdiff_t channels = 1; channels < 4; channels++, flags = (flags + 2) % 32)
                CHECK_NAME(f2k3_rows_case)
    (kernels, isa, m, channels, widths[i], flags & (PYCONV_BIAS_ROW | PYCONV_RESIDUAL | PYCONV_CLAMP));
}
