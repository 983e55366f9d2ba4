/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_nhwc and grouped_nhwc, against their definitions. */

static void CHECK_NAME(depthwise_nhwc_case)(const KERNELS *kernels, const char *isa, pyconv_patches p,
                                            ptrdiff_t channels, int flags) {
    const ptrdiff_t gap = 3, stride = channels + gap, taps = p.kh * p.kw;
    p.xs_w = stride, p.xs_h = p.iw * stride, p.xs_c = p.ih * p.xs_h;
    p.oh = (p.ih + 2 * p.ph - p.dh * (p.kh - 1) - 1) / p.sh + 1;
    p.ow = (p.iw + 2 * p.pw - p.dw * (p.kw - 1) - 1) / p.sw + 1;
    const ptrdiff_t first = p.oh / 3, rows = p.oh - first, ys_h = p.ow * stride + gap;
    const ptrdiff_t y_count = rows * ys_h - 2 * gap;
    guarded in = CHECK_NAME(numbers)(p.c * p.xs_c - gap),
            weights = CHECK_NAME(numbers)(p.c * taps * stride - gap);
    guarded out = CHECK_NAME(numbers)(y_count), residual = CHECK_NAME(numbers)(y_count);
    guarded bias = CHECK_NAME(numbers)(channels);
    const real *x = (real *)in.data, *w = (real *)weights.data;
    real *y = (real *)out.data, *old = malloc((size_t)y_count * sizeof(real));
    memcpy(old, y, (size_t)y_count * sizeof(real));
    const EPILOGUE e = {flags, -11, 13, (real *)bias.data, (real *)residual.data};
    kernels->depthwise_nhwc(&p, first, rows, channels, x, w, stride, y, ys_h, stride, &e);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < y_count; at++) {
        const ptrdiff_t r = first + at / ys_h, q = at % ys_h / stride, c = at % ys_h % stride;
        if (q >= p.ow || c >= channels) {
            wrong += y[at] != old[at];
            continue;
        }
        double sum = 0;
        for (ptrdiff_t i = 0; i < p.kh; i++) {
            const ptrdiff_t h = r * p.sh - p.ph + i * p.dh;
            for (ptrdiff_t j = 0; h >= 0 && h < p.ih && j < p.kw; j++) {
                const ptrdiff_t v = q * p.sw - p.pw + j * p.dw;
                for (ptrdiff_t ic = 0; v >= 0 && v < p.iw && ic < p.c; ic++)
                    sum += (double)w[(ic * taps + i * p.kw + j) * stride + c] *
                           (double)x[ic * p.xs_c + h * p.xs_h + v * stride + c];
            }
        }
        wrong += (double)y[at] != CHECK_NAME(expected)(sum, &e, old, 0, c, at);
    }
    free(old);
    wrong += !guarded_free(in) + !guarded_free(weights) + !guarded_free(out) + !guarded_free(residual) +
             !guarded_free(bias);
    CHECK(wrong == 0,
          "%s depthwise_nhwc %td of %tdx%td channels %td kernel %tdx%td stride %td,%td dilation %td,%td "
          "flags=%d: "
          "%ld wrong",
          isa, p.c, p.ih, p.iw, channels, p.kh, p.kw, p.sh, p.sw, p.dh, p.dw, flags, wrong);
}

static void CHECK_NAME(depthwise_nhwc)(const KERNELS *kernels, const char *isa) {
    /* ih iw kh kw sh sw dh dw ph pw */
    const ptrdiff_t shapes[][10] = {{7, 7, 3, 3, 1, 1, 1, 1, 1, 1},     {5, 14, 3, 3, 2, 2, 1, 1, 1, 1},
                                    {9, 40, 5, 3, 1, 1, 1, 1, 2, 0},    {6, 23, 3, 3, 1, 3, 2, 4, 2, 4},
                                    {3, 2, 5, 7, 1, 1, 1, 1, 4, 6},     {4, 12, 1, 1, 2, 1, 1, 1, 0, 0},
                                    {12, 31, 4, 2, 3, 2, 3, 5, 5, 7},   {1, 1, 3, 3, 1, 1, 2, 2, 3, 4},
                                    {4, 17, 5, 5, 1, 1, 1, 1, 2, 2},    {3, 300, 1, 3, 1, 2, 1, 1, 0, 1},
                                    {12, 36, 9, 31, 1, 1, 1, 1, 4, 15}, {2, 570, 1, 550, 1, 1, 1, 1, 0, 3},
                                    {100, 5, 90, 5, 1, 2, 1, 1, 3, 2},  {3, 320, 2, 300, 1, 3, 1, 2, 1, 300}};
    const ptrdiff_t V = kernels->lanes, channels[] = {1, V - 1, V, 2 * V + 1, 5 * V};
    int flags = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
            for (int repeat = 0; repeat < 4; repeat++, flags = (flags + 4) % 32) {
                const ptrdiff_t *s = shapes[i];
                const pyconv_patches p = {.c = 1 + repeat % 2,
                                          .ih = s[0],
                                          .iw = s[1],
                                          .kh = s[2],
                                          .kw = s[3],
                                          .sh = s[4],
                                          .sw = s[5],
                                          .dh = s[6],
                                          .dw = s[7],
                                          .ph = s[8],
                                          .pw = s[9]};
                CHECK_NAME(depthwise_nhwc_case)(kernels, isa, p, channels[c], flags);
            }
}

static void CHECK_NAME(grouped_nhwc_case)(const KERNELS *kernels, const char *isa, pyconv_patches p,
                                          ptrdiff_t ocg, ptrdiff_t skip, ptrdiff_t channels, int flags) {
    const ptrdiff_t span = ((skip + channels - 1) / ocg + 1) * p.c, gap = 3, stride = channels + gap;
    p.xs_w = span + 1, p.xs_h = p.iw * p.xs_w + 2;
    p.oh = (p.ih + 2 * p.ph - p.dh * (p.kh - 1) - 1) / p.sh + 1;
    p.ow = (p.iw + 2 * p.pw - p.dw * (p.kw - 1) - 1) / p.sw + 1;
    const ptrdiff_t first = p.oh / 3, rows = p.oh - first, ys_h = p.ow * stride, taps = p.kh * p.kw;
    const ptrdiff_t y_count = rows * ys_h - gap;
    guarded in = CHECK_NAME(numbers)(p.ih * p.xs_h - 3), weights = CHECK_NAME(numbers)(p.c * taps * channels);
    guarded out = CHECK_NAME(numbers)(y_count), residual = CHECK_NAME(numbers)(y_count);
    guarded bias = CHECK_NAME(numbers)(channels);
    const real *x = (real *)in.data, *w = (real *)weights.data;
    real *y = (real *)out.data, *old = malloc((size_t)y_count * sizeof(real));
    memcpy(old, y, (size_t)y_count * sizeof(real));
    const EPILOGUE e = {flags, -11, 13, (real *)bias.data, (real *)residual.data};
    kernels->grouped_nhwc(&p, ocg, skip, first, rows, channels, x, w, channels, y, ys_h, stride, &e);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < y_count; at++) {
        const ptrdiff_t r = first + at / ys_h, q = at % ys_h / stride, c = at % stride;
        if (c >= channels) {
            wrong += y[at] != old[at];
            continue;
        }
        double sum = 0;
        for (ptrdiff_t i = 0; i < p.kh; i++) {
            const ptrdiff_t h = r * p.sh - p.ph + i * p.dh;
            for (ptrdiff_t j = 0; h >= 0 && h < p.ih && j < p.kw; j++) {
                const ptrdiff_t v = q * p.sw - p.pw + j * p.dw;
                for (ptrdiff_t ic = 0; v >= 0 && v < p.iw && ic < p.c; ic++)
                    sum += (double)w[(ic * taps + i * p.kw + j) * channels + c] *
                           (double)x[h * p.xs_h + v * p.xs_w + (skip + c) / ocg * p.c + ic];
            }
        }
        wrong += (double)y[at] != CHECK_NAME(expected)(sum, &e, old, 0, c, at);
    }
    free(old);
    wrong += !guarded_free(in) + !guarded_free(weights) + !guarded_free(out) + !guarded_free(residual) +
             !guarded_free(bias);
    CHECK(wrong == 0,
          "%s grouped_nhwc %tdx%td groups of %td to %td, %td from %td kernel %tdx%td stride %td,%td "
          "flags=%d: %ld wrong",
          isa, p.ih, p.iw, p.c, ocg, channels, skip, p.kh, p.kw, p.sh, p.sw, flags, wrong);
}

static void CHECK_NAME(grouped_nhwc)(const KERNELS *kernels, const char *isa) {
    /* ih iw kh kw sh sw dh dw ph pw */
    const ptrdiff_t shapes[][10] = {{7, 15, 3, 3, 1, 1, 1, 1, 1, 1},   {5, 14, 3, 3, 2, 2, 1, 1, 1, 1},
                                    {3, 9, 2, 7, 1, 1, 1, 1, 0, 5},    {6, 23, 3, 2, 1, 3, 2, 4, 2, 4},
                                    {60, 12, 50, 3, 1, 1, 1, 1, 7, 1}, {3, 40, 2, 35, 1, 1, 1, 1, 1, 9},
                                    {3, 90, 2, 70, 1, 3, 1, 1, 1, 9}};
    /* icg ocg skip */
    const ptrdiff_t groups[][3] = {{1, 2, 1}, {2, 2, 0}, {1, 1, 0},   {4, 4, 0},
                                   {2, 3, 2}, {8, 8, 0}, {16, 16, 0}, {16, 40, 7}};
    const ptrdiff_t V = kernels->lanes;
    int flags = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
            for (ptrdiff_t channels = 1; channels <= V; channels += V / 2, flags = (flags + 4) % 32) {
                const ptrdiff_t *s = shapes[i], icg = groups[g][0], ocg = groups[g][1], skip = groups[g][2];
                const pyconv_patches p = {.c = icg,
                                          .ih = s[0],
                                          .iw = s[1],
                                          .kh = s[2],
                                          .kw = s[3],
                                          .sh = s[4],
                                          .sw = s[5],
                                          .dh = s[6],
                                          .dw = s[7],
                                          .ph = s[8],
                                          .pw = s[9]};
                if (((skip + channels - 1) / ocg + 1) * icg <= V)
                    CHECK_NAME(grouped_nhwc_case)(kernels, isa, p, ocg, skip, channels, flags);
            }
}
