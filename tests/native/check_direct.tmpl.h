/* SPDX-License-Identifier: BSD-3-Clause */
/* direct, against its definition. */

static void CHECK_NAME(direct_case)(const KERNELS *kernels, const char *isa, pyconv_band b, ptrdiff_t m,
                                    ptrdiff_t channels, int flags) {
    const ptrdiff_t rows = pyconv_band_rows(b.rows, b.kh, b.sh, b.dh), gap = 3, k = channels * b.kh * b.kw;
    b.pitch = pyconv_band_pitch(b.cols, b.kw, b.sw, b.dw);
    b.ys_h = b.cols + gap;
    const ptrdiff_t plane = rows * b.sw * b.pitch, ys_c = b.rows * b.ys_h + gap, y_count = m * ys_c - 2 * gap;
    guarded in = CHECK_NAME(numbers)(channels * plane + PYCONV_BAND_SLACK),
            weights = CHECK_NAME(numbers)(k * m);
    guarded out = CHECK_NAME(numbers)(y_count), residual = CHECK_NAME(numbers)(y_count),
            bias = CHECK_NAME(numbers)(m);
    guarded table = guarded_new((size_t)k * sizeof(ptrdiff_t));
    ptrdiff_t *offsets = (ptrdiff_t *)table.data;
    for (ptrdiff_t l = 0; l < k; l++) {
        const ptrdiff_t c = l / (b.kh * b.kw), i = l / b.kw % b.kh, j = l % b.kw;
        offsets[l] = c * plane + (i * b.dh * b.sw + j * b.dw % b.sw) * b.pitch + j * b.dw / b.sw;
    }
    const real *band = (real *)in.data, *w = (real *)weights.data;
    real *y = (real *)out.data, *old = malloc((size_t)y_count * sizeof(real));
    memcpy(old, y, (size_t)y_count * sizeof(real));
    const EPILOGUE e = {flags, -11, 13, (real *)bias.data, (real *)residual.data};
    kernels->direct(&b, m, k, band, offsets, w, y, ys_c, &e);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < y_count; at++) {
        const ptrdiff_t o = at / ys_c, r = at % ys_c / b.ys_h, q = at % ys_c % b.ys_h;
        if (r >= b.rows || q >= b.cols) {
            wrong += y[at] != old[at];
            continue;
        }
        double sum = 0;
        for (ptrdiff_t l = 0; l < k; l++)
            sum += (double)w[l * m + o] * (double)band[offsets[l] + r * b.sh * b.sw * b.pitch + q];
        wrong += (double)y[at] != CHECK_NAME(expected)(sum, &e, old, o, 0, at);
    }
    free(old);
    wrong += !guarded_free(in) + !guarded_free(weights) + !guarded_free(out) + !guarded_free(residual) +
             !guarded_free(bias) + !guarded_free(table);
    CHECK(wrong == 0,
          "%s direct m=%td c=%td %tdx%td kernel %tdx%td stride %td,%td dilation %td,%td flags=%d: %ld wrong",
          isa, m, channels, b.rows, b.cols, b.kh, b.kw, b.sh, b.sw, b.dh, b.dw, flags, wrong);
}

static void CHECK_NAME(direct)(const KERNELS *kernels, const char *isa) {
    /* kh kw sh sw dh dw */
    const ptrdiff_t shapes[][6] = {
        {3, 3, 1, 1, 1, 1}, {7, 7, 2, 2, 1, 1}, {2, 3, 3, 4, 2, 5}, {9, 25, 1, 1, 1, 1}};
    const ptrdiff_t V = kernels->lanes, widths[] = {1, V, V + 1, 3 * V, 4 * V, 7 * V - 1};
    int flags = 0;
    for (ptrdiff_t m = 1; m <= kernels->mr; m++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (size_t j = 0; j < sizeof widths / sizeof *widths; j++)
                for (ptrdiff_t rows = 1; rows < 8; rows += 2, flags = (flags + 2) % 32) {
                    const ptrdiff_t *k = shapes[i];
                    const pyconv_band b = {.rows = rows,
                                           .cols = widths[j],
                                           .kh = k[0],
                                           .kw = k[1],
                                           .sh = k[2],
                                           .sw = k[3],
                                           .dh = k[4],
                                           .dw = k[5]};
                    CHECK_NAME(direct_case)(kernels, isa, b, m, 1 + m % 3,
                                            flags & (PYCONV_BIAS_ROW | PYCONV_RESIDUAL | PYCONV_CLAMP));
                }
}
