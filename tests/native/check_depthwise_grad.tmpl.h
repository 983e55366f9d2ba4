/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_grad against its definition, with gaps between the pixels. */
static void CHECK_NAME(depthwise_grad)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t v = kernels->lanes, widths[] = {1, v - 1, v, v + 1, 2 * v + 3};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (ptrdiff_t taps = 1; taps <= 23; taps++)
            for (ptrdiff_t pixels = 1; pixels <= 2 * PYCONV_CHAIN + 5;
                 pixels += pixels < 5 ? 4 : PYCONV_CHAIN) {
                const ptrdiff_t channels = widths[w], x_s = channels + 2, dy_s = channels + 1;
                ptrdiff_t offsets[23];
                for (ptrdiff_t t = 0; t < taps; t++)
                    offsets[t] = (taps - 1 - t) * 3;
                guarded gx = CHECK_NAME(numbers)((pixels - 1) * x_s + (taps - 1) * 3 + channels),
                        gy = CHECK_NAME(numbers)((pixels - 1) * dy_s + channels),
                        gs = CHECK_NAME(numbers)(taps * channels);
                const real *x = (real *)gx.data, *dy = (real *)gy.data;
                real *sums = (real *)gs.data, *old = malloc(gs.bytes);
                memcpy(old, sums, gs.bytes);
                kernels->depthwise_grad(channels, pixels, taps, x, x_s, offsets, dy, dy_s, sums);
                long wrong = 0;
                for (ptrdiff_t t = 0; t < taps; t++)
                    for (ptrdiff_t c = 0; c < channels; c++) {
                        double want = old[t * channels + c];
                        for (ptrdiff_t q = 0; q < pixels; q++)
                            want += (double)dy[q * dy_s + c] * x[q * x_s + offsets[t] + c];
                        wrong += sums[t * channels + c] != want;
                    }
                free(old);
                wrong += !guarded_free(gx) + !guarded_free(gy) + !guarded_free(gs);
                CHECK(wrong == 0, "%s depthwise_grad %td channels, %td taps, %td pixels: %ld wrong", isa,
                      channels, taps, pixels, wrong);
            }
}
