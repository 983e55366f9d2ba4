/* SPDX-License-Identifier: BSD-3-Clause */
/* spread, against its definition. */

static void CHECK_NAME(spread_case)(const KERNELS *kernels, const char *isa, pyconv_spread s,
                                    ptrdiff_t first) {
    const ptrdiff_t V = kernels->lanes, from = first / s.ocg * s.icg,
                    channels = ((first + s.count - 1) / s.ocg + 1) * s.icg;
    s.skip = first % s.ocg;
    s.xs_w = channels + 1, s.xs_h = s.iw * s.xs_w + 2;
    const ptrdiff_t x_count = (s.ih - 1) * s.xs_h + (s.iw - 1) * s.xs_w + channels;
    guarded in = CHECK_NAME(numbers)(x_count);
    guarded out = guarded_new((size_t)(s.icg * s.rows * s.cols * V) * sizeof(real));
    const real *x = (real *)in.data, *to = (real *)out.data;
    kernels->spread(&s, x + from, (real *)out.data);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < s.icg * s.rows * s.cols; at++)
        for (ptrdiff_t o = 0; o < s.count; o++) {
            const ptrdiff_t l = at / (s.rows * s.cols), h = s.h0 + at / s.cols % s.rows,
                            w = s.w0 + at % s.cols;
            const double want = h >= 0 && h < s.ih && w >= 0 && w < s.iw
                                    ? (double)x[h * s.xs_h + w * s.xs_w + (first + o) / s.ocg * s.icg + l]
                                    : 0;
            wrong += (double)to[at * V + o] != want;
        }
    wrong += !guarded_free(in) + !guarded_free(out);
    CHECK(wrong == 0, "%s spread %tdx%td at %td,%td groups of %td to %td from %td, %td outputs: %ld wrong",
          isa, s.rows, s.cols, s.h0, s.w0, s.icg, s.ocg, first, s.count, wrong);
}

static void CHECK_NAME(spread)(const KERNELS *kernels, const char *isa) {
    /* rows cols h0 w0 ih iw */
    const ptrdiff_t shapes[][6] = {
        {5, 9, -1, -2, 4, 6}, {3, 4, 1, 2, 7, 8}, {3, 3, -5, 0, 2, 3}, {2, 5, 0, 4, 3, 4}};
    const ptrdiff_t groups[][2] = {{1, 2}, {1, 3}, {2, 2},   {4, 4},  {4, 1},
                                   {3, 5}, {8, 8}, {16, 16}, {2, 24}, {37, 2}};
    const ptrdiff_t V = kernels->lanes;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t j = 0; j < sizeof groups / sizeof *groups; j++)
            for (ptrdiff_t count = 1; count <= V; count += V - 1)
                for (ptrdiff_t first = 0; first < 3 * V; first += V) {
                    const ptrdiff_t *a = shapes[i];
                    const pyconv_spread s = {.rows = a[0],
                                             .cols = a[1],
                                             .h0 = a[2],
                                             .w0 = a[3],
                                             .ih = a[4],
                                             .iw = a[5],
                                             .icg = groups[j][0],
                                             .ocg = groups[j][1],
                                             .count = count};
                    CHECK_NAME(spread_case)(kernels, isa, s, first);
                }
}
