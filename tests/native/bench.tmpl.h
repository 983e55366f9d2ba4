/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of each operation of kernels.h in the kernel benchmark, at sizes that layers bring. What multiplies
 * counts operations, what moves counts the bytes that it reads and writes. */
#define ARRAY(count) BENCH_NAME(array)(count)
#define BYTES(count) (2 * (ptrdiff_t)sizeof(real) * (count)) /* of moving `count` reals */

static real *BENCH_NAME(array)(ptrdiff_t count) {
    real *array = bench_take((size_t)count * sizeof(real));
    for (ptrdiff_t i = 0; i < count; i++)
        array[i] = (real)small_integer();
    return array;
}

static void BENCH_NAME(fma_peak)(const KERNELS *kernels, bench_label label) {
    real *sink = ARRAY(kernels->lanes);
    const double flops = kernels->fma_peak(bench_peak_steps, sink);
    BENCH_FLOPS(flops, kernels->fma_peak(bench_peak_steps, sink), "%d steps", bench_peak_steps);
}

static void BENCH_NAME(gemm_panel)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t m = kernels->mr, n = kernels->nr, depths[] = {64, 576}, a_rs = 592;
    real *a = ARRAY(m * a_rs), *b = ARRAY(n * 576), *c = ARRAY(m * n), *sink = ARRAY(n);
    const EPILOGUE e = {0};
    for (int i = 0; i < 4; i++) {
        const ptrdiff_t k = depths[i / 2], packed = i % 2;
        BENCH_FLOPS(2 * m * n * k,
                    kernels->gemm_panel(m, n, k, a, packed ? 1 : a_rs, packed ? m : 1, b, k * n, c, n,
                                        (pyconv_ahead){0}, &e),
                    "%s %tdx%td, k %td", packed ? "packed" : "rows", m, n, k);
    }
}

/* Weights of 6 MB, more than L2 holds. */
static void BENCH_NAME(gemm_stream)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t m = 16, n = kernels->nr, k = 128, a_rs = k + 16, step = n * k,
                    units = ((ptrdiff_t)6 << 20) / (ptrdiff_t)sizeof(real) / step;
    real *a = ARRAY(m * a_rs), *b = ARRAY((units + 1) * step), *c = ARRAY(m * n), *sink = ARRAY(n);
    BENCH_FLOPS(2 * m * n * k * units,
                for (ptrdiff_t u = 0; u < units; u++)
                    kernels->gemm_stream(m, n, k, a, a_rs, b + u * step, b + (u + 1) * step, c, n, 0),
                "%tdx%td, k %td, %td times", m, n, k, units);
}

static void BENCH_NAME(gemm_taps)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t m = kernels->mr, n = kernels->nr, width = 28, channels = 64, k = 9 * channels;
    real *a = ARRAY(3 * width * channels), *b = ARRAY(n * k), *c = ARRAY(m * n), *sink = ARRAY(n);
    const EPILOGUE e = {0};
    ptrdiff_t offsets[9];
    for (ptrdiff_t t = 0; t < 9; t++)
        offsets[t] = (t / 3 * width + t % 3) * channels;
    BENCH_FLOPS(
        2 * m * n * k,
        kernels->gemm_taps(m, n, 9, channels, a, channels, offsets, b, k * n, c, n, (pyconv_ahead){0}, &e),
        "%tdx%td, 3x3 of %td", m, n, channels);
}

/* A piece of 64 planes of 28x28. */
static void BENCH_NAME(gemm_planes)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t m = kernels->mr, n = kernels->nr, k = 64, plane = 28 * 28;
    real *a = ARRAY(k * m), *b = ARRAY(k * plane), *to = ARRAY(k * n), *c = ARRAY(m * n), *sink = ARRAY(n);
    const EPILOGUE e = {0};
    BENCH_FLOPS(2 * m * n * k, kernels->gemm_planes(m, n, k, a, b, plane, to, c, n, &e), "%tdx%td, k %td", m,
                n, k);
}

/* Pixels of a 28x28 image of 64 channels, as the gradient of a weight sums over them. */
static void BENCH_NAME(gemm_shifts)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t m = kernels->mr, n = kernels->nr, k = 13 * 28, channels = 64;
    real *a = ARRAY(k * m), *b = ARRAY(k * channels), *c = ARRAY(m * n), *sink = ARRAY(n);
    const pyconv_ahead none = {NULL, 0};
    ptrdiff_t offsets[13 * 28];
    for (ptrdiff_t l = 0; l < k; l++)
        offsets[l] = l * channels;
    BENCH_FLOPS(2 * m * n * k, kernels->gemm_shifts(m, n, k, a, m, NULL, b, offsets, none, c, n, 0),
                "%tdx%td, k %td", m, n, k);
}

/* Rows of 3x3 outputs channels last, and the same in planes. */
static void BENCH_NAME(depthwise_grad)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t n = kernels->lanes, size = 28, plane = size * size;
    real *x = ARRAY(plane * n), *dy = ARRAY(plane * n), *sums = ARRAY(9 * n), *sink = sums;
    pyconv_grad g = {.outputs = size,
                     .inputs = size,
                     .taps = 3,
                     .stride = 1,
                     .dilation = 1,
                     .pad = 1,
                     .last = size + 3,
                     .shifts = 3,
                     .gap = 1,
                     .places = size,
                     .sums_a = 3 * n,
                     .sums_s = n};
    for (g.lanes_move = 0; g.lanes_move < 2; g.lanes_move++) {
        const ptrdiff_t lines = g.lanes_move ? pyconv_ceil_div(size, n) : 7, step = g.lanes_move ? n : 1;
        pyconv_grad_line line[28];
        g.x_step = g.dy_step = g.lanes_move ? size : n;
        g.x_shift = g.lanes_move ? 1 : size * n;
        for (ptrdiff_t l = 0; l < lines; l++)
            line[l] = (pyconv_grad_line){(l * step - 1) * g.x_shift, l * step * g.x_shift, l * step - 1,
                                         g.lanes_move ? size - l * step : n};
        BENCH_FLOPS(2 * 9 * size * (g.lanes_move ? size : lines * n),
                    kernels->depthwise_grad(&g, n, lines, line, x, dy, sums), "3x3, %td lines%s", lines,
                    g.lanes_move ? " of a plane" : "");
    }
}

static void BENCH_NAME(pack)(const KERNELS *kernels, bench_label label, int hwc) {
    /* c size kernel stride */
    const ptrdiff_t shapes[][4] = {{64, 56, 3, 1}, {3, 224, 7, 2}}, w = hwc ? kernels->mr : kernels->nr;
    real *x = ARRAY(64 * 56 * 56), *panel = ARRAY(64 * 9 * w);
    for (int i = 0; i < 2; i++) {
        const ptrdiff_t c = shapes[i][0], size = shapes[i][1], kernel = shapes[i][2], stride = shapes[i][3];
        const ptrdiff_t out = size / stride, k = c * kernel * kernel;
        const pyconv_patches p = {.c = c,
                                  .ih = size,
                                  .iw = size,
                                  .kh = kernel,
                                  .kw = kernel,
                                  .sh = stride,
                                  .sw = stride,
                                  .dh = 1,
                                  .dw = 1,
                                  .ph = kernel / 2,
                                  .pw = kernel / 2,
                                  .oh = out,
                                  .ow = out,
                                  .xs_c = hwc ? 1 : size * size,
                                  .xs_h = hwc ? size * c : size,
                                  .xs_w = hwc ? c : 1};
        const ptrdiff_t pixel = 5 * out + 8;
        BENCH_BYTES(BYTES(k * w),
                    (hwc ? kernels->pack_hwc : kernels->pack_chw)(&p, x, pixel, w, w, 0, k, panel),
                    "%td pixels, %tdx%td/%td of %td", w, kernel, kernel, stride, c);
    }
}
static void BENCH_NAME(pack_chw)(const KERNELS *kernels, bench_label label) {
    BENCH_NAME(pack)(kernels, label, 0);
}
static void BENCH_NAME(pack_hwc)(const KERNELS *kernels, bench_label label) {
    BENCH_NAME(pack)(kernels, label, 1);
}

static void BENCH_NAME(pack_weights_rows)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t oc = 64, channels = 64, count = oc * channels * 9,
                    panels = pyconv_ceil_div(oc, kernels->mr);
    real *w = ARRAY(count), *packed = ARRAY(count);
    BENCH_BYTES(BYTES(count), kernels->pack_weights_rows(oc, channels, 9, w, 0, panels, packed),
                "%td filters, 3x3 of %td", oc, channels);
}

static void BENCH_NAME(pack_weights_columns)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t oc = 64, channels = 64, count = oc * channels * 9;
    real *w = ARRAY(count), *packed = ARRAY(count);
    BENCH_BYTES(BYTES(count), kernels->pack_weights_columns(oc, channels, 9, w, 1, packed),
                "%td filters, 3x3 of %td", oc, channels);
}

static void BENCH_NAME(transpose_rows)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t channels = 64, pixels = 56, plane = 56 * 56;
    real *from = ARRAY(channels * plane), *to = ARRAY(channels * pixels);
    BENCH_BYTES(BYTES(channels * pixels),
                kernels->transpose_rows(channels, pixels, from, plane, to, channels), "%tdx%td", channels,
                pixels);
}

static void BENCH_NAME(split)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t size = 56, rows = 9;
    real *x = ARRAY(size * size), *band = ARRAY(2 * rows * 80);
    for (ptrdiff_t sw = 1; sw <= 2; sw++) {
        const ptrdiff_t pitch = pyconv_band_pitch(size / sw, 3, sw, 1);
        BENCH_BYTES(BYTES(rows * sw * pitch),
                    kernels->split(1, x, 0, size, size, size, -1, rows, -1, sw, pitch, band, 0),
                    "%tdx%td/%td", rows, size, sw);
    }
}

/* Rows of 224 pixels. */
static void BENCH_NAME(stage)(const KERNELS *kernels, bench_label label, int in) {
    const ptrdiff_t count = 224, most = 64;
    real *x = ARRAY(count * most * 2), *to = ARRAY(count * most);
    for (int element = 0; element < PYCONV_ELEMENT_COUNT; element++)
        for (ptrdiff_t channels = 1; channels <= most; channels += channels < 4 ? 1 : channels < 8 ? 4 : 56)
            BENCH_BYTES(count * channels * (ptrdiff_t)(sizeof(real) + (size_t)pyconv_element_bytes(element)),
                        in ? kernels->stage_in(element, x, channels, count, to, count)
                           : kernels->stage_out(element, to, count, channels, count, x),
                        "%s, %td of %td", pyconv_element_words[element], count, channels);
}
static void BENCH_NAME(stage_in)(const KERNELS *kernels, bench_label label) {
    BENCH_NAME(stage)(kernels, label, 1);
}
static void BENCH_NAME(stage_out)(const KERNELS *kernels, bench_label label) {
    BENCH_NAME(stage)(kernels, label, 0);
}

static void BENCH_NAME(split_pixels)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t size = 56, rows = 9, most = 8;
    real *x = ARRAY(size * size * most), *band = ARRAY(2 * rows * 320);
    for (ptrdiff_t c = 2; c <= most; c++) {
        const ptrdiff_t pitch = pyconv_ceil_div((size / 2 + 1) * c, 16) * 16;
        BENCH_BYTES(BYTES(size * rows * c),
                    kernels->split_pixels(c, x, size * c, size, size, 0, rows, -1, 2, pitch, band),
                    "%tdx%td of %td by 2", rows, size, c);
    }
}

static void BENCH_NAME(spread)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t channels = 64, rows = 8, cols = 18;
    real *x = ARRAY(rows * cols * channels), *to = ARRAY(rows * cols * 8 * kernels->lanes);
    for (ptrdiff_t group = 2; group <= 8; group *= 2) {
        const pyconv_spread s = {.rows = rows,
                                 .cols = cols,
                                 .ih = rows,
                                 .iw = cols,
                                 .xs_h = cols * channels,
                                 .xs_w = channels,
                                 .icg = group,
                                 .ocg = group,
                                 .count = kernels->lanes};
        BENCH_BYTES(BYTES(rows * cols * group * kernels->lanes), kernels->spread(&s, x, to),
                    "%tdx%td, groups of %td", rows, cols, group);
    }
}

static pyconv_band BENCH_NAME(band)(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t kernel, ptrdiff_t stride) {
    pyconv_band b = {.rows = rows,
                     .cols = cols,
                     .kh = kernel,
                     .kw = kernel,
                     .sh = stride,
                     .sw = stride,
                     .dh = 1,
                     .dw = 1,
                     .pitch = pyconv_band_pitch(cols, kernel, stride, 1),
                     .ys_h = cols};
    pyconv_band_relate(&b);
    return b;
}

static void BENCH_NAME(depthwise)(const KERNELS *kernels, bench_label label) {
    /* size kernel stride */
    const ptrdiff_t shapes[][3] = {{56, 3, 1}, {28, 3, 2}, {28, 5, 1}, {28, 7, 1}};
    real *band = ARRAY(64 * 1024), *w = ARRAY(49), *y = ARRAY(56 * 56), *sink = ARRAY(kernels->lanes);
    const EPILOGUE e = {0};
    for (int i = 0; i < 4; i++) {
        const ptrdiff_t size = shapes[i][0], kernel = shapes[i][1], stride = shapes[i][2];
        const pyconv_band b = BENCH_NAME(band)(size, size, kernel, stride);
        BENCH_FLOPS(2 * size * size * kernel * kernel, kernels->depthwise(&b, 1, band, 0, w, y, 0, &e),
                    "%tdx%td, %tdx%td/%td", size, size, kernel, kernel, stride);
    }
}

static void BENCH_NAME(depthwise_interleaved)(const KERNELS *kernels, bench_label label) {
    /* channels kernel */
    const ptrdiff_t shapes[][2] = {{2, 3}, {3, 3}, {3, 5}, {7, 7}, {3, 9}}, size = 56;
    real *band = ARRAY(64 * 1024), *w = ARRAY(PYCONV_PHASES * 81 * 16), *y = ARRAY(size * size * 7);
    real *sink = ARRAY(kernels->lanes);
    const EPILOGUE e = {0};
    for (int i = 0; i < 5; i++) {
        const ptrdiff_t c = shapes[i][0], kernel = shapes[i][1], rows = 16;
        pyconv_band b = BENCH_NAME(band)(rows, size * c, kernel, 1);
        b.pitch = pyconv_band_pitch(size * c, kernel, 1, c);
        BENCH_FLOPS(2 * rows * size * c * kernel * kernel,
                    kernels->depthwise_interleaved(&b, c, 0, band, w, y, &e), "%tdx%td of %td, %tdx%td", rows,
                    size, c, kernel, kernel);
    }
}

static void BENCH_NAME(depthwise_nhwc)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t channels = 128, size = 34;
    real *x = ARRAY(7 * size * channels), *w = ARRAY(49 * channels), *y = ARRAY(size * channels);
    real *sink = ARRAY(kernels->lanes);
    const EPILOGUE e = {0};
    for (ptrdiff_t kernel = 3; kernel <= 7; kernel += 4) {
        const ptrdiff_t out = size - kernel + 1;
        const pyconv_patches p = {.c = 1,
                                  .ih = 7,
                                  .iw = size,
                                  .kh = kernel,
                                  .kw = kernel,
                                  .sh = 1,
                                  .sw = 1,
                                  .dh = 1,
                                  .dw = 1,
                                  .oh = 7 - kernel + 1,
                                  .ow = out,
                                  .xs_c = 1,
                                  .xs_h = size * channels,
                                  .xs_w = channels};
        BENCH_FLOPS(2 * out * kernel * kernel * channels,
                    kernels->depthwise_nhwc(&p, 0, 1, channels, x, w, channels, y, 0, channels, &e),
                    "%td of %td, %tdx%td", out, channels, kernel, kernel);
    }
}

static void BENCH_NAME(grouped_nhwc)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t channels = kernels->lanes, size = 34, out = size - 2;
    real *x = ARRAY(3 * size * channels), *w = ARRAY(9 * channels * channels), *y = ARRAY(size * channels);
    real *sink = ARRAY(kernels->lanes);
    const EPILOGUE e = {0};
    for (ptrdiff_t group = 2; group <= channels; group *= 2) {
        const pyconv_patches p = {.c = group,
                                  .ih = 3,
                                  .iw = size,
                                  .kh = 3,
                                  .kw = 3,
                                  .sh = 1,
                                  .sw = 1,
                                  .dh = 1,
                                  .dw = 1,
                                  .oh = 1,
                                  .ow = out,
                                  .xs_h = size * channels,
                                  .xs_w = channels};
        BENCH_FLOPS(2 * out * 9 * group * channels,
                    kernels->grouped_nhwc(&p, group, 0, 0, 1, channels, x, w, channels, y, 0, channels, &e),
                    "%td of %td, groups of %td, 3x3", out, channels, group);
    }
}

static void BENCH_NAME(direct)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t m = 4, channels = 4, k = channels * 9, rows = 8;
    real *band = ARRAY(16 * 1024), *w = ARRAY(k * m), *y = ARRAY(m * rows * 56),
         *sink = ARRAY(kernels->lanes);
    const EPILOGUE e = {0};
    for (ptrdiff_t size = 14; size <= 56; size += 42) {
        const pyconv_band b = BENCH_NAME(band)(rows, size, 3, 1);
        ptrdiff_t offsets[9 * 4];
        for (ptrdiff_t l = 0; l < k; l++)
            offsets[l] = (l / 9 * (rows + 2) + l / 3 % 3) * b.pitch + l % 3;
        BENCH_FLOPS(2 * m * rows * size * k, kernels->direct(&b, m, k, band, offsets, w, y, rows * size, &e),
                    "%td filters, %tdx%td, 3x3 of %td", m, rows, size, channels);
    }
}

static void BENCH_NAME(f2k3_points)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t rows = 18, pitch = 112;
    real *band = ARRAY(rows * 2 * pitch + 1), *points = ARRAY(rows * 4 * pitch);
    BENCH_BYTES(BYTES(rows * 6 * pitch) / 2, kernels->f2k3_points(rows, band, pitch, points, pitch),
                "%td rows of 2x%td", rows, pitch);
}

static void BENCH_NAME(f2k3_rows)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t m = kernels->mr / 2, channels = 3, rows = 4, size = 224, pitch = size / 2;
    real *points = ARRAY(channels * (rows + 2) * 4 * pitch), *w = ARRAY(12 * channels * m),
         *y = ARRAY(m * rows * size), *sink = ARRAY(kernels->lanes);
    const EPILOGUE e = {0};
    const pyconv_band b = {.rows = rows, .cols = size, .pitch = pitch, .ys_h = size};
    ptrdiff_t offsets[9];
    for (ptrdiff_t l = 0; l < 9; l++)
        offsets[l] = (l / 3 * (rows + 2) + l % 3) * 4 * pitch;
    BENCH_FLOPS(12 * m * rows * size * channels,
                kernels->f2k3_rows(&b, m, 3 * channels, points, offsets, w, y, rows * size, &e),
                "%td filters, %tdx%td, %td channels", m, rows, size, channels);
}

/* The transforms of Winograd's tiles do so little to each element that bytes measure them, too. */
static const pyconv_wino BENCH_NAME(forms)[] = {
    {4, 4, 2, 2, 3, 3, 1, 1}, {6, 6, 4, 4, 3, 3, 1, 1}, {6, 6, 2, 2, 5, 5, 1, 1},
    {8, 8, 6, 6, 3, 3, 1, 1}, {1, 6, 1, 4, 1, 3, 1, 1},
};
enum { BENCH_NAME(form_count) = sizeof BENCH_NAME(forms) / sizeof *BENCH_NAME(forms) };

static void BENCH_NAME(wino_weights)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t oc = 64, ic = 64;
    real *w = ARRAY(oc * ic * 25), *packed = ARRAY(oc * ic * 64);
    for (int i = 0; i < BENCH_NAME(form_count); i++) {
        const pyconv_wino *f = &BENCH_NAME(forms)[i];
        BENCH_BYTES(BYTES(oc * ic * (f->kh * f->kw + f->h * f->w)) / 2,
                    kernels->wino_weights(f, oc, ic, w, packed), "F(%dx%d, %dx%d), %td filters of %td", f->mh,
                    f->mw, f->kh, f->kw, oc, ic);
    }
}

static void BENCH_NAME(wino_input)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t tiles = 14, channels = 64;
    real *band = ARRAY(8 * (tiles * 6 + 2) * channels), *v = ARRAY(64 * tiles * channels);
    for (int i = 0; i < BENCH_NAME(form_count); i++) {
        const pyconv_wino *f = &BENCH_NAME(forms)[i];
        const ptrdiff_t width = (tiles - 1) * f->mw + f->w;
        BENCH_BYTES(BYTES(channels * f->h * (width + tiles * f->w)) / 2,
                    kernels->wino_input(f, tiles, channels, f->h, f->w, band, width * channels, channels, v,
                                        tiles * channels, channels),
                    "F(%dx%d, %dx%d), %td tiles of %td", f->mh, f->mw, f->kh, f->kw, tiles, channels);
    }
}

static void BENCH_NAME(wino_taps)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t tiles = 14, channels = 64;
    const pyconv_wino f = {6, 6, 3, 3, 4, 4, 1, 1};
    real *band = ARRAY(4 * tiles * 4 * channels), *u = ARRAY(36 * tiles * channels);
    BENCH_BYTES(BYTES(channels * tiles * (4 * 4 + 36)) / 2,
                kernels->wino_taps(&f, tiles, channels, band, tiles * 4 * channels, channels, u,
                                   tiles * channels, channels),
                "F(3x3, 4x4), %td tiles of %td", tiles, channels);
}

static void BENCH_NAME(wino_output)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t tiles = 14, channels = 64;
    real *p = ARRAY(64 * tiles * channels), *y = ARRAY(36 * tiles * channels);
    const EPILOGUE e = {0};
    for (int i = 0; i < BENCH_NAME(form_count); i++)
        for (int planes = 0; planes < 2; planes++) {
            const pyconv_wino *f = &BENCH_NAME(forms)[i];
            const ptrdiff_t cols = tiles * f->mw;
            BENCH_BYTES(BYTES(channels * tiles * (f->h * f->w + f->mh * f->mw)) / 2,
                        kernels->wino_output(f, tiles, channels, p, tiles * channels, channels, f->mh, cols,
                                             y, planes ? cols : cols * channels, planes ? 1 : channels,
                                             planes ? f->mh * cols : 1, &e),
                        "F(%dx%d, %dx%d), %td tiles of %td, %s", f->mh, f->mw, f->kh, f->kw, tiles, channels,
                        planes ? "NCHW" : "NHWC");
        }
}

/* 5 n log2 n operations, as everybody counts them. */
static void BENCH_NAME(fft)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t v = kernels->lanes, most = 2048, step = 64 + v;
    real *re = ARRAY(most * step), *im = ARRAY(most * step), *w = ARRAY(2 * most),
         *scratch = ARRAY(6 * most * v), *sink = ARRAY(v);
    for (ptrdiff_t n = 16; n <= most; n = n % 3 ? n / 2 * 3 : n / 3 * 4) {
        memset(re, 0, (size_t)(most * step) * sizeof(real)); /* or repeated transforms would overflow */
        memset(im, 0, (size_t)(most * step) * sizeof(real));
        BENCH_FLOPS(5.0 * (double)n * log2((double)n) * 64,
                    kernels->fft(0, n, 0, 64 / v, re, im, step, v, re, im, step, v, w, NULL, NULL, scratch),
                    "%td points, 64 times", n);
    }
}

static void BENCH_NAME(fft_multiply)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t v = kernels->lanes, blocks = 16, channels[] = {1, 16};
    real *h = ARRAY(blocks * 256 * 2 * v), *x = ARRAY(blocks * 64 * 2 * v), *y = ARRAY(blocks * 64 * 2 * v),
         *sink = ARRAY(v);
    for (int i = 0; i < 2; i++)
        for (ptrdiff_t tiles = 1; tiles <= 4; tiles += 3) {
            const ptrdiff_t c = channels[i];
            BENCH_FLOPS(8 * blocks * v * c * c * tiles, kernels->fft_multiply(blocks, c, c, tiles, h, x, y),
                        "%td filters of %td, %td tiles", c, c, tiles);
        }
}

static void BENCH_NAME(epilogue_rows)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t rows = 8, cols = 196, count = rows * cols;
    real *y = ARRAY(count);
    const EPILOGUE e = {.flags = PYCONV_BIAS_ROW | PYCONV_RESIDUAL | PYCONV_CLAMP,
                        .hi = 6,
                        .bias = ARRAY(rows),
                        .residual = ARRAY(count)};
    BENCH_BYTES(BYTES(count) * 3 / 2, /* the residual is read, too */
                kernels->epilogue_rows(rows, cols, y, cols, cols, &e), "%tdx%td", rows, cols);
}

static void BENCH_NAME(point_rows)(const KERNELS *kernels, bench_label label) {
    static const char *const names[] = {"clamp", "gate", "leak", "sigmoid", "silu"};
    const ptrdiff_t rows = 8, cols = 196;
    real *x = ARRAY(rows * cols), *y = ARRAY(rows * cols);
    for (int kind = 0; kind < 5; kind++) {
        const pyconv_point f = {.kind = kind, .p = 0.25, .q = 0.5, .hi = 1, .r = 1};
        BENCH_BYTES(BYTES(rows * cols), kernels->point_rows(&f, rows, cols, x, NULL, NULL, y), "%s %tdx%td",
                    names[kind], rows, cols);
    }
}

static void BENCH_NAME(mean_rows)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t rows = 64, cols = 49;
    real *x = ARRAY(rows * cols), *y = ARRAY(rows);
    BENCH_BYTES(BYTES(rows * cols) / 2, kernels->mean_rows(rows, cols, x, y), "%tdx%td", rows, cols);
}

static void BENCH_NAME(mean_columns)(const KERNELS *kernels, bench_label label) {
    const ptrdiff_t rows = 49, cols = 64;
    real *x = ARRAY(rows * cols), *y = ARRAY(cols);
    BENCH_BYTES(BYTES(rows * cols) / 2, kernels->mean_columns(rows, cols, x, y), "%tdx%td", rows, cols);
}

#undef ARRAY
#undef BYTES
