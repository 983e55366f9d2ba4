/* SPDX-License-Identifier: BSD-3-Clause */
/* epilogue_rows against its formula. */
static void CHECK_NAME(epilogue_rows)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t gap = 2;
    for (ptrdiff_t rows = 1; rows < 4; rows++)
        for (ptrdiff_t cols = 1; cols <= 2 * kernels->lanes + 1; cols++)
            for (int form = 0; form < 12; form++) {
                const int kind = form % 3, with_residual = form / 3 % 2, clamped = form / 6;
                guarded y = CHECK_NAME(numbers)(rows * (cols + gap) - gap),
                        bias = CHECK_NAME(numbers)(kind == 1 ? rows : cols);
                guarded residual = CHECK_NAME(numbers)(rows * (cols + 1) - 1);
                real *Y = (real *)y.data, *B = kind ? (real *)bias.data : NULL;
                const real *R = with_residual ? (real *)residual.data : NULL;
                const EPILOGUE e = {.flags = (kind == 1   ? PYCONV_BIAS_ROW
                                              : kind == 2 ? PYCONV_BIAS_COLUMN
                                                          : 0) |
                                             (with_residual ? PYCONV_RESIDUAL : 0) |
                                             (clamped ? PYCONV_CLAMP : 0),
                                    .lo = -2,
                                    .hi = 3,
                                    .bias = bias.data,
                                    .residual = residual.data};
                Y[rows * (cols + gap) - gap - 1] = (real)NAN;
                real *old = malloc(y.bytes);
                memcpy(old, Y, y.bytes);
                kernels->epilogue_rows(rows, cols, Y, cols + gap, cols + 1, &e);
                long wrong = 0;
                for (ptrdiff_t at = 0; at < rows * (cols + gap) - gap; at++) {
                    const ptrdiff_t i = at / (cols + gap), j = at % (cols + gap);
                    double want = (double)old[at];
                    if (j < cols) {
                        want += (B ? B[kind == 1 ? i : j] : 0) + (R ? R[i * (cols + 1) + j] : 0);
                        want = !clamped ? want : want < e.lo ? e.lo : want > e.hi ? e.hi : want;
                    }
                    wrong += isnan(want) ? !isnan(Y[at]) : (double)Y[at] != want;
                }
                free(old);
                wrong += !guarded_free(y) + !guarded_free(bias) + !guarded_free(residual);
                CHECK(wrong == 0, "%s epilogue_rows %tdx%td form %d: %ld wrong", isa, rows, cols, form,
                      wrong);
            }
}
