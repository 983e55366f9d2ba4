/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_grad against its definition: lines of a channels-last image whose inputs are 2 reals wider than the lanes, or of a
 * plane, down whose rows they go. Inputs around the image must not be read. */
static long CHECK_NAME(grad_wrong)(const KERNELS *kernels, const pyconv_grad *g_, ptrdiff_t n,
                                   ptrdiff_t lines, ptrdiff_t cut) {
    pyconv_grad g = *g_;
    const ptrdiff_t x_line = g.lanes_move ? 3 : g.inputs * g.x_step,
                    dy_line = g.lanes_move ? 3 : g.outputs * g.dy_step;
    const ptrdiff_t first = -1; /* place of the first line */
    pyconv_grad_line line[4];
    for (ptrdiff_t l = 0; l < lines; l++)
        line[l] = (pyconv_grad_line){.x = g.lanes_move ? first + l * x_line : (first + l) * g.x_shift,
                                     .dy = l * dy_line,
                                     .at = g.lanes_move ? first + l * x_line : first + l,
                                     .lanes = g.lanes_move && l == lines - 1 ? 3 : n};
    const ptrdiff_t x_size = g.lanes_move ? (g.inputs - 1) * g.x_step + g.places
                                          : (g.places - 1) * g.x_shift + (g.inputs - 1) * g.x_step + n;
    const ptrdiff_t dy_size =
        line[lines - 1].dy + (g.outputs - 1) * g.dy_step +
        (lines > 1 && g.lanes_move && n > 6 ? n - 3 : line[lines - 1].lanes); /* of the last line but one */
    guarded gx = CHECK_NAME(numbers)(x_size), gy = CHECK_NAME(numbers)(dy_size),
            gs = CHECK_NAME(numbers)(g.taps * g.shifts * n);
    const real *x = (real *)gx.data, *dy = (real *)gy.data;
    real *sums = (real *)gs.data, *old = malloc(gs.bytes);
    memcpy(old, sums, gs.bytes);
    for (g.first = 0; g.first < g.outputs + g.taps; g.first = g.last) {
        g.last = g.first + cut;
        kernels->depthwise_grad(&g, n, lines, line, x, dy, sums);
    }
    long wrong = 0;
    for (ptrdiff_t a = 0; a < g.taps; a++)
        for (ptrdiff_t s = 0; s < g.shifts; s++)
            for (ptrdiff_t c = 0; c < n; c++) {
                const ptrdiff_t to = a * g.sums_a + s * g.sums_s + c;
                double want = old[to];
                for (ptrdiff_t l = 0; l < lines; l++)
                    for (ptrdiff_t u = 0; u < g.outputs && c < line[l].lanes; u++) {
                        const ptrdiff_t i = u * g.stride + a * g.dilation - g.pad;
                        const ptrdiff_t at = line[l].at + s * g.gap + (g.lanes_move ? c : 0);
                        if (i >= 0 && i < g.inputs && at >= 0 && at < g.places)
                            want += (double)dy[line[l].dy + u * g.dy_step + c] *
                                    x[line[l].x + s * g.x_shift + i * g.x_step + c];
                    }
                wrong += sums[to] != want;
            }
    free(old);
    return wrong + !guarded_free(gx) + !guarded_free(gy) + !guarded_free(gs);
}

static void CHECK_NAME(depthwise_grad)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t v = kernels->lanes;
    for (ptrdiff_t taps = 1; taps <= 9; taps++)
        for (ptrdiff_t stride = 1; stride <= 3; stride++)
            for (ptrdiff_t dilation = 1; dilation <= 2; dilation++)
                for (ptrdiff_t shifts = 1; shifts <= 7; shifts++)
                    for (int lanes_move = 0; lanes_move < 2; lanes_move++) {
                        const ptrdiff_t pad = (taps + shifts) % (taps + 1), outputs = 1 + (taps * shifts) % 7,
                                        n = shifts % 2 || lanes_move ? v : v - 1;
                        const ptrdiff_t inputs = (outputs - 1) * stride + (taps - 1) * dilation + 1 - pad;
                        if (inputs < 1)
                            continue;
                        const ptrdiff_t places = lanes_move ? v + 3 : 4, gap = 1 + (taps + stride) % 2;
                        const ptrdiff_t x_step = lanes_move ? places + 1 : n + 2;
                        const pyconv_grad g = {
                            .outputs = outputs,
                            .inputs = inputs,
                            .taps = taps,
                            .stride = stride,
                            .dilation = dilation,
                            .pad = pad,
                            .dy_step = n + 1,
                            .x_step = x_step,
                            .shifts = shifts,
                            .gap = gap,
                            .x_shift = lanes_move ? gap : inputs * x_step,
                            .places = places,
                            .lanes_move = lanes_move,
                            .sums_a = shifts % 3 ? n : shifts * n,
                            .sums_s = shifts % 3 ? taps * n : n,
                        };
                        const ptrdiff_t lines = 1 + (taps + dilation) % 3, cut = shifts % 2 ? 4 : 1000;
                        const long wrong = CHECK_NAME(grad_wrong)(kernels, &g, n, lines, cut);
                        CHECK(wrong == 0,
                              "%s depthwise_grad %td taps, stride %td, dilation %td, %td shifts, lanes move "
                              "%d: %ld "
                              "wrong",
                              isa, taps, stride, dilation, shifts, lanes_move, wrong);
                    }
}
