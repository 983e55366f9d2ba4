/* SPDX-License-Identifier: BSD-3-Clause */
/* Patches and weights into panels, against their definitions. */

static double CHECK_NAME(patch)(const pyconv_patches *p, const real *x, ptrdiff_t pixel, ptrdiff_t k,
                                int hwc) {
    const ptrdiff_t taps = p->kh * p->kw, c = hwc ? k % p->c : k / taps, tap = hwc ? k / p->c : k % taps;
    const ptrdiff_t iy = pixel / p->ow * p->sh - p->ph + tap / p->kw * p->dh;
    const ptrdiff_t ix = pixel % p->ow * p->sw - p->pw + tap % p->kw * p->dw;
    if (iy < 0 || iy >= p->ih || ix < 0 || ix >= p->iw)
        return 0;
    return (double)x[c * p->xs_c + iy * p->xs_h + ix * p->xs_w];
}

/* The image has `gap` further channels (hwc) or columns (chw) between those that count, filled with 0xA5. */
static void CHECK_NAME(pack_case)(const KERNELS *kernels, const char *isa, pyconv_patches p, int hwc,
                                  ptrdiff_t gap, ptrdiff_t w) {
    p.xs_c = hwc ? 1 : p.ih * (p.iw + gap);
    p.xs_w = hwc ? p.c + gap : 1;
    p.xs_h = hwc ? p.iw * p.xs_w : p.iw + gap;
    p.oh = (p.ih + 2 * p.ph - p.dh * (p.kh - 1) - 1) / p.sh + 1;
    p.ow = (p.iw + 2 * p.pw - p.dw * (p.kw - 1) - 1) / p.sw + 1;
    const ptrdiff_t K = p.c * p.kh * p.kw, pixels = p.oh * p.ow;
    guarded image =
        guarded_new((size_t)(p.ih * p.iw * p.c + p.ih * gap * (hwc ? p.iw : p.c) - gap) * sizeof(real));
    real *x = (real *)image.data;
    for (ptrdiff_t c = 0; c < p.c; c++)
        for (ptrdiff_t i = 0; i < p.ih; i++)
            for (ptrdiff_t j = 0; j < p.iw; j++)
                x[c * p.xs_c + i * p.xs_h + j * p.xs_w] = (real)small_integer();
    const ptrdiff_t cuts[] = {0, K / 3, K / 2 + 1 < K ? K / 2 + 1 : K, K};
    for (int part = 0; part < 3; part++)
        for (ptrdiff_t pixel = 0; pixel < pixels; pixel += w) {
            const ptrdiff_t k0 = cuts[part], k1 = cuts[part + 1],
                            count = pixels - pixel < w ? pixels - pixel : w;
            if (k0 == k1)
                continue;
            guarded out = guarded_new((size_t)((k1 - k0) * w) * sizeof(real));
            const real *panel = (real *)out.data;
            (hwc ? kernels->pack_hwc : kernels->pack_chw)(&p, x, pixel, count, w, k0, k1, (real *)out.data);
            long wrong = 0;
            for (ptrdiff_t k = k0; k < k1; k++)
                for (ptrdiff_t j = 0; j < w; j++)
                    wrong += (double)panel[(k - k0) * w + j] !=
                             (j < count ? CHECK_NAME(patch)(&p, x, pixel + j, k, hwc) : 0);
            wrong += !guarded_free(out);
            CHECK(wrong == 0,
                  "%s %s c=%td %tdx%td kernel %tdx%td stride %td,%td dilation %td,%td pad %td,%td gap %td "
                  "w=%td "
                  "k=%td..%td pixel %td: %ld wrong",
                  isa, hwc ? "pack_hwc" : "pack_chw", p.c, p.ih, p.iw, p.kh, p.kw, p.sh, p.sw, p.dh, p.dw,
                  p.ph, p.pw, gap, w, k0, k1, pixel, wrong);
        }
    guarded_free(image);
}

static void CHECK_NAME(pack)(const KERNELS *kernels, const char *isa, int hwc) {
    const ptrdiff_t channels[] = {1, 3, 4, 16, 19, 37};
    /* ih iw kh kw sh sw dh dw ph pw */
    const ptrdiff_t shapes[][10] = {
        {5, 7, 1, 1, 1, 1, 1, 1, 0, 0},  {9, 37, 1, 1, 1, 1, 1, 1, 0, 0},    {9, 9, 1, 1, 2, 2, 1, 1, 0, 0},
        {7, 7, 3, 3, 1, 1, 1, 1, 1, 1},  {14, 14, 3, 3, 2, 2, 1, 1, 1, 1},   {6, 40, 3, 3, 1, 1, 1, 1, 0, 0},
        {9, 75, 7, 7, 2, 2, 1, 1, 3, 3}, {23, 71, 11, 11, 4, 4, 1, 1, 2, 2}, {13, 13, 3, 2, 3, 3, 1, 2, 1, 1},
        {9, 11, 3, 3, 1, 1, 2, 2, 2, 2}, {8, 17, 1, 7, 1, 1, 1, 1, 0, 3},    {3, 3, 3, 3, 1, 1, 1, 1, 4, 4},
    };
    const ptrdiff_t widths[] = {1, kernels->lanes, kernels->mr, kernels->nr};
    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
                const ptrdiff_t *s = shapes[i];
                const pyconv_patches p = {.c = channels[c],
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
                CHECK_NAME(pack_case)(kernels, isa, p, hwc, (ptrdiff_t)(i % 2) * 3, widths[w]);
            }
}
static void CHECK_NAME(pack_chw)(const KERNELS *kernels, const char *isa) {
    CHECK_NAME(pack)(kernels, isa, 0);
}
static void CHECK_NAME(pack_hwc)(const KERNELS *kernels, const char *isa) {
    CHECK_NAME(pack)(kernels, isa, 1);
}

static void CHECK_NAME(pack_weights)(const KERNELS *kernels, const char *isa, int rows) {
    const ptrdiff_t filters[] = {1, 5, 14, 15, 32, 64}, channels = 5, taps = 6, K = channels * taps;
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++)
        for (int hwc = 0; hwc < 2; hwc++) {
            const ptrdiff_t oc = filters[f], width = rows ? kernels->mr : kernels->nr;
            const ptrdiff_t panels = pyconv_ceil_div(oc, width), columns = rows ? oc : panels * width;
            guarded weights = CHECK_NAME(numbers)(oc * K),
                    out = guarded_new((size_t)(columns * K) * sizeof(real));
            const real *w = (real *)weights.data, *packed = (real *)out.data;
            if (rows)
                kernels->pack_weights_rows(oc, channels, taps, w, hwc, panels, (real *)out.data);
            else
                kernels->pack_weights_columns(oc, channels, taps, w, hwc, (real *)out.data);
            long wrong = 0;
            ptrdiff_t panel = 0, start = 0, end = rows ? pyconv_split_start(oc, panels, 1) : width;
            for (ptrdiff_t o = 0; o < columns; o++) {
                if (o == end) {
                    start = end;
                    panel++;
                    end = rows ? pyconv_split_start(oc, panels, panel + 1) : end + width;
                    wrong += end - start > width;
                }
                for (ptrdiff_t c = 0; c < channels; c++)
                    for (ptrdiff_t t = 0; t < taps; t++) {
                        const ptrdiff_t k = hwc ? t * channels + c : c * taps + t;
                        const double want = o < oc ? (double)w[(o * channels + c) * taps + t] : 0;
                        wrong += (double)packed[start * K + k * (end - start) + o - start] != want;
                    }
            }
            wrong += !guarded_free(weights) + !guarded_free(out);
            CHECK(wrong == 0, "%s pack_weights_%s oc=%td hwc=%d: %ld wrong", isa, rows ? "rows" : "columns",
                  oc, hwc, wrong);
        }
}
static void CHECK_NAME(pack_weights_rows)(const KERNELS *kernels, const char *isa) {
    CHECK_NAME(pack_weights)(kernels, isa, 1);
}
static void CHECK_NAME(pack_weights_columns)(const KERNELS *kernels, const char *isa) {
    CHECK_NAME(pack_weights)(kernels, isa, 0);
}
