/* SPDX-License-Identifier: BSD-3-Clause */
/* split, split_pixels, depthwise and depthwise_interleaved, against their definitions. */

static void CHECK_NAME(split_case)(const KERNELS *kernels, const char *isa, ptrdiff_t planes, ptrdiff_t ih,
                                   ptrdiff_t iw, ptrdiff_t h0, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t gap) {
    const ptrdiff_t rows = ih + 3, pitch = (iw / sw + 20) / 16 * 16, xs_h = iw + gap, xs_c = ih * xs_h + gap,
                    band_c = rows * sw * pitch;
    guarded image = CHECK_NAME(numbers)(planes * xs_c - 2 * gap);
    guarded out = guarded_new((size_t)(planes * band_c) * sizeof(real));
    const real *x = (real *)image.data, *band = (real *)out.data;
    kernels->split(planes, x, xs_c, xs_h, ih, iw, h0, rows, w0, sw, pitch, (real *)out.data, band_c);
    long wrong = 0;
    for (ptrdiff_t r = 0; r < planes * rows; r++)
        for (ptrdiff_t u = 0; u < sw * pitch; u++) {
            const ptrdiff_t c = r / rows, h = h0 + r % rows, w = w0 + u;
            const double want = h >= 0 && h < ih && w >= 0 && w < iw ? (double)x[c * xs_c + h * xs_h + w] : 0;
            wrong += (double)band[(r * sw + u % sw) * pitch + u / sw] != want;
        }
    wrong += !guarded_free(image) + !guarded_free(out);
    CHECK(wrong == 0, "%s split %td of %tdx%td from %td,%td stride %td: %ld wrong", isa, planes, ih, iw, h0,
          w0, sw, wrong);
}

static void CHECK_NAME(split)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t widths[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 64, 75},
                    starts[] = {-40, -17, -3, -1, 0, 1, 5};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t j = 0; j < sizeof starts / sizeof *starts; j++)
            for (ptrdiff_t sw = 1; sw < 5; sw++)
                CHECK_NAME(split_case)(kernels, isa, 1 + (ptrdiff_t)j % 3, 3, widths[i], (ptrdiff_t)j - 3,
                                       starts[j], sw, (ptrdiff_t)(i % 2));
}

static void CHECK_NAME(split_pixels_case)(const KERNELS *kernels, const char *isa, ptrdiff_t channels,
                                          ptrdiff_t iw, ptrdiff_t h0, ptrdiff_t w0, ptrdiff_t sw,
                                          ptrdiff_t gap) {
    const ptrdiff_t ih = 3, rows = 6, xs_h = iw * channels + gap;
    const ptrdiff_t pitch = ((iw / sw + 3) * channels + 15) / 16 * 16, count = rows * sw * pitch;
    guarded image = CHECK_NAME(numbers)(ih * xs_h - gap);
    guarded out = guarded_new((size_t)(count + PYCONV_BAND_SLACK) * sizeof(real));
    const real *x = (real *)image.data, *band = (real *)out.data;
    kernels->split_pixels(channels, x, xs_h, ih, iw, h0, rows, w0, sw, pitch, (real *)out.data);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < count; at++) {
        const ptrdiff_t h = h0 + at / pitch / sw, u = at % pitch;
        const ptrdiff_t w = w0 + u / channels * sw + at / pitch % sw;
        const int inside = h >= 0 && h < ih && w >= 0 && w < iw && u < pitch / channels * channels;
        const double want = inside ? (double)x[h * xs_h + w * channels + u % channels] : 0;
        wrong += (double)band[at] != want;
    }
    wrong += !guarded_free(image) + !guarded_free(out);
    CHECK(wrong == 0, "%s split_pixels %td of %td from %td,%td stride %td: %ld wrong", isa, iw, channels, h0,
          w0, sw, wrong);
}

static void CHECK_NAME(split_pixels)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t widths[] = {1, 2, 5, 16, 33}, starts[] = {-7, -2, -1, 0, 1, 4};
    for (ptrdiff_t channels = 1; channels < 24; channels++)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
            for (size_t j = 0; j < sizeof starts / sizeof *starts; j++)
                for (ptrdiff_t sw = 1; sw < 5; sw++)
                    CHECK_NAME(split_pixels_case)(kernels, isa, channels, widths[i], (ptrdiff_t)j - 3,
                                                  starts[j], sw, (ptrdiff_t)(i % 2));
}

/* Element number u of the padded row r. */
static real *CHECK_NAME(in_band)(const pyconv_band *b, real *band, ptrdiff_t r, ptrdiff_t u) {
    return band + (r * b->sw + u % b->sw) * b->pitch + u / b->sw;
}

static void CHECK_NAME(depthwise_case)(const KERNELS *kernels, const char *isa, pyconv_band b,
                                       ptrdiff_t planes, int flags) {
    const ptrdiff_t rows = pyconv_band_rows(b.rows, b.kh, b.sh, b.dh), gap = 3;
    b.pitch = pyconv_band_pitch(b.cols, b.kw, b.sw, b.dw);
    b.ys_h = b.cols + gap;
    pyconv_band_relate(&b);
    const ptrdiff_t plane = rows * b.sw * b.pitch, ys_c = b.rows * b.ys_h + gap,
                    y_count = planes * ys_c - 2 * gap;
    guarded in = CHECK_NAME(numbers)(planes * plane + PYCONV_BAND_SLACK),
            weights = CHECK_NAME(numbers)(planes * b.kh * b.kw);
    guarded out = CHECK_NAME(numbers)(y_count), residual = CHECK_NAME(numbers)(y_count);
    guarded bias = CHECK_NAME(numbers)(planes);
    real *band = (real *)in.data, *w = (real *)weights.data, *y = (real *)out.data;
    *CHECK_NAME(in_band)(&b, band, 0, 0) = (real)NAN; /* in the window of output (0, 0) alone */
    real *old = malloc((size_t)y_count * sizeof(real));
    memcpy(old, y, (size_t)y_count * sizeof(real));
    const EPILOGUE e = {flags, -11, 13, (real *)bias.data, (real *)residual.data};
    kernels->depthwise(&b, planes, band, plane, w, y, ys_c, &e);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < y_count; at++) {
        const ptrdiff_t c = at / ys_c, r = at % ys_c / b.ys_h, q = at % ys_c % b.ys_h;
        if (r >= b.rows || q >= b.cols) {
            wrong += y[at] != old[at];
            continue;
        }
        double sum = 0;
        for (ptrdiff_t i = 0; i < b.kh; i++)
            for (ptrdiff_t j = 0; j < b.kw; j++)
                sum += (double)w[(c * b.kh + i) * b.kw + j] *
                       (double)*CHECK_NAME(in_band)(&b, band + c * plane, r * b.sh + i * b.dh,
                                                    q * b.sw + j * b.dw);
        const double want = CHECK_NAME(expected)(sum, &e, old, c, 0, at);
        wrong += isnan(want) ? !isnan(y[at]) : (double)y[at] != want;
    }
    free(old);
    wrong += !guarded_free(in) + !guarded_free(weights) + !guarded_free(out) + !guarded_free(residual) +
             !guarded_free(bias);
    CHECK(wrong == 0,
          "%s depthwise %td of %tdx%td kernel %tdx%td stride %td,%td dilation %td,%td flags=%d: %ld wrong",
          isa, planes, b.rows, b.cols, b.kh, b.kw, b.sh, b.sw, b.dh, b.dw, flags, wrong);
}

static void CHECK_NAME(depthwise)(const KERNELS *kernels, const char *isa) {
    /* kh kw sh sw dh dw */
    const ptrdiff_t shapes[][6] = {
        {3, 3, 1, 1, 1, 1},  {3, 3, 2, 2, 1, 1},   {3, 3, 1, 2, 2, 1},   {3, 3, 2, 1, 3, 2},
        {3, 3, 3, 3, 1, 1},  {5, 5, 1, 1, 1, 1},   {5, 5, 2, 2, 1, 1},   {5, 5, 2, 3, 4, 3},
        {7, 7, 1, 1, 1, 1},  {7, 7, 2, 2, 1, 1},   {9, 2, 1, 1, 2, 1},   {1, 1, 2, 2, 1, 1},
        {1, 7, 1, 1, 1, 1},  {1, 4, 2, 1, 1, 2},   {1, 3, 3, 3, 2, 1},   {2, 5, 3, 1, 1, 1},
        {13, 4, 3, 4, 6, 5}, {17, 31, 1, 1, 1, 1}, {1, 600, 1, 1, 1, 1}, {7, 80, 2, 1, 1, 1},
        {3, 90, 1, 2, 2, 1}, {70, 9, 3, 1, 2, 1}};
    const ptrdiff_t widths[] = {1, kernels->lanes, kernels->lanes + 1, 3 * kernels->lanes,
                                5 * kernels->lanes - 1};
    int flags = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++)
            for (ptrdiff_t rows = 1; rows < 20; rows += 1 + rows / 4, flags = (flags + 2) % 32) {
                const ptrdiff_t *k = shapes[i];
                const pyconv_band b = {.rows = rows,
                                       .cols = widths[j],
                                       .kh = k[0],
                                       .kw = k[1],
                                       .sh = k[2],
                                       .sw = k[3],
                                       .dh = k[4],
                                       .dw = k[5]};
                CHECK_NAME(depthwise_case)(kernels, isa, b, 1 + rows % 3,
                                           flags & (PYCONV_BIAS_ROW | PYCONV_RESIDUAL | PYCONV_CLAMP));
            }
}

static void CHECK_NAME(interleaved_case)(const KERNELS *kernels, const char *isa, pyconv_band b,
                                         ptrdiff_t channels, ptrdiff_t first, int flags) {
    const ptrdiff_t V = kernels->lanes, phases = channels / pyconv_gcd(channels, V), taps = b.kh * b.kw;
    const ptrdiff_t rows = pyconv_band_rows(b.rows, b.kh, b.sh, b.dh), gap = 3;
    const ptrdiff_t reach = ((b.kw - 1) * b.dw / b.sw + 1) * channels;
    b.pitch = b.cols + reach; /* rows need not begin at a multiple of anything */
    b.ys_h = b.cols + gap;
    pyconv_band_relate(&b);
    const ptrdiff_t y_count = b.rows * b.ys_h - gap;
    guarded in = CHECK_NAME(numbers)(rows * b.sw * b.pitch + PYCONV_BAND_SLACK),
            weights = CHECK_NAME(numbers)(phases * taps * V);
    guarded out = CHECK_NAME(numbers)(y_count), residual = CHECK_NAME(numbers)(y_count);
    guarded bias = CHECK_NAME(numbers)(channels);
    real *band = (real *)in.data, *w = (real *)weights.data, *y = (real *)out.data;
    const ptrdiff_t c0 = first * V % channels; /* the channel of a row's first real */
    for (ptrdiff_t i = 0; i < phases * taps * V; i++) {
        const ptrdiff_t c = (i / (taps * V) * V + i % V) % channels;
        w[i] = (real)((c * 5 + i / V % taps * 3) % 9 - 4);
    }
    band[0] = (real)NAN; /* in the window of the first real alone */
    real *old = malloc((size_t)y_count * sizeof(real));
    memcpy(old, y, (size_t)y_count * sizeof(real));
    const EPILOGUE e = {flags, -11, 13, (real *)bias.data, (real *)residual.data};
    kernels->depthwise_interleaved(&b, channels, first, band, w, y, &e);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < y_count; at++) {
        const ptrdiff_t r = at / b.ys_h, q = at % b.ys_h, c = (c0 + q) % channels;
        if (q >= b.cols) {
            wrong += y[at] != old[at];
            continue;
        }
        double sum = 0;
        for (ptrdiff_t t = 0; t < taps; t++) {
            const ptrdiff_t row = r * b.sh + t / b.kw * b.dh, col = t % b.kw * b.dw;
            sum += ((double)((c * 5 + t * 3) % 9) - 4) *
                   (double)band[(row * b.sw + col % b.sw) * b.pitch + col / b.sw * channels + q];
        }
        const double want = CHECK_NAME(expected)(sum, &e, old, 0, c, at);
        wrong += isnan(want) ? !isnan(y[at]) : (double)y[at] != want;
    }
    free(old);
    wrong += !guarded_free(in) + !guarded_free(weights) + !guarded_free(out) + !guarded_free(residual) +
             !guarded_free(bias);
    CHECK(
        wrong == 0,
        "%s depthwise_interleaved %td channels %tdx%td from phase %td kernel %tdx%td stride %td,%td dilation "
        "%td,%td flags=%d: %ld wrong",
        isa, channels, b.rows, b.cols, first, b.kh, b.kw, b.sh, b.sw, b.dh, b.dw, flags, wrong);
}

static void CHECK_NAME(depthwise_interleaved)(const KERNELS *kernels, const char *isa) {
    /* kh kw sh sw dh dw */
    const ptrdiff_t shapes[][6] = {{3, 3, 1, 1, 1, 1},   {5, 5, 1, 1, 1, 1},   {7, 7, 1, 1, 2, 1},
                                   {1, 1, 1, 1, 1, 1},   {1, 5, 2, 1, 1, 2},   {9, 2, 1, 1, 2, 1},
                                   {3, 3, 2, 2, 1, 1},   {5, 4, 2, 1, 1, 1},   {4, 3, 1, 3, 1, 2},
                                   {17, 31, 1, 1, 1, 1}, {1, 300, 1, 1, 1, 1}, {7, 80, 1, 1, 1, 1}};
    const ptrdiff_t V = kernels->lanes;
    int flags = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (ptrdiff_t channels = 1; channels <= PYCONV_PHASES; channels += 1 + channels / 8) {
            const ptrdiff_t phases = channels / pyconv_gcd(channels, V);
            const ptrdiff_t widths[] = {1, V, V * phases + 1, 3 * V * phases, 5 * V * phases + V - 1};
            for (size_t j = 0; j < sizeof widths / sizeof *widths; j++, flags = (flags + 4) % 32) {
                const ptrdiff_t *k = shapes[i];
                const pyconv_band b = {.rows = 1 + (ptrdiff_t)(5 * i + 7 * j) % 19,
                                       .cols = widths[j],
                                       .kh = k[0],
                                       .kw = k[1],
                                       .sh = k[2],
                                       .sw = k[3],
                                       .dh = k[4],
                                       .dw = k[5]};
                CHECK_NAME(interleaved_case)(kernels, isa, b, channels, (channels + (ptrdiff_t)j) % phases,
                                             flags);
            }
        }
}
