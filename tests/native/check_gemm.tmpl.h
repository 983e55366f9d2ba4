/* SPDX-License-Identifier: BSD-3-Clause */
/* fma_peak and gemm_panel against a plain loop in double. */

static void CHECK_NAME(fma_peak)(const KERNELS *kernels, const char *isa) {
    guarded sink = guarded_new((size_t)kernels->lanes * sizeof(real));
    const double operations = kernels->fma_peak(10, (real *)sink.data);
    CHECK(operations == 2.0 * kernels->lanes * 12 * 10, "%s fma_peak counts %g operations", isa, operations);
    CHECK(guarded_free(sink), "%s fma_peak writes before its sink", isa);
}

/* product + what the flags add, at row i and column j; residual and old have C's strides. */
static double CHECK_NAME(expected)(double product, const EPILOGUE *e, const real *old, ptrdiff_t i,
                                   ptrdiff_t j, ptrdiff_t at) {
    double v = product;
    v += e->flags & PYCONV_ACCUMULATE ? old[at] : 0;
    v += e->flags & PYCONV_BIAS_ROW ? e->bias[i] : 0;
    v += e->flags & PYCONV_BIAS_COLUMN ? e->bias[j] : 0;
    v += e->flags & PYCONV_RESIDUAL ? e->residual[at] : 0;
    return !(e->flags & PYCONV_CLAMP) ? v : v < e->lo ? e->lo : v > e->hi ? e->hi : v;
}

static guarded CHECK_NAME(numbers)(ptrdiff_t count) {
    guarded g = guarded_new((size_t)count * sizeof(real));
    for (ptrdiff_t i = 0; i < count; i++)
        ((real *)g.data)[i] = (real)small_integer();
    return g;
}

static void CHECK_NAME(gemm_case)(const KERNELS *kernels, const char *isa, ptrdiff_t m, ptrdiff_t n,
                                  ptrdiff_t k, int packed, int flags) {
    const int transposed = !!(flags & PYCONV_TRANSPOSED);
    const ptrdiff_t nr = kernels->nr, panels = (n + nr - 1) / nr, gap = 3;
    const ptrdiff_t a_rs = packed ? 1 : k + 5, a_ks = packed ? m : 1, ldc = (transposed ? m : n) + gap;
    const ptrdiff_t c_count = (transposed ? n : m) * ldc - gap;
    guarded a = CHECK_NAME(numbers)(packed ? k * m : (m - 1) * a_rs + k),
            b = CHECK_NAME(numbers)(panels * k * nr);
    guarded c = CHECK_NAME(numbers)(c_count), residual = CHECK_NAME(numbers)(c_count);
    guarded bias = CHECK_NAME(numbers)(flags & PYCONV_BIAS_ROW ? m : n);
    real *A = (real *)a.data, *B = (real *)b.data, *C = (real *)c.data;
    if (k > 2)
        A[packed ? m : 1] = (real)NAN; /* row 0, k = 1: the whole row of C is NaN, clamped or not */
    real *old = malloc((size_t)c_count * sizeof(real));
    memcpy(old, C, (size_t)c_count * sizeof(real));
    const EPILOGUE e = {flags, -11, 13, (real *)bias.data, (real *)residual.data};
    kernels->gemm_panel(m, n, k, A, a_rs, a_ks, B, k * nr, C, ldc, &e);

    long wrong = 0;
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            double product = 0;
            for (ptrdiff_t l = 0; l < k; l++)
                product += (double)A[i * a_rs + l * a_ks] * (double)B[j / nr * k * nr + l * nr + j % nr];
            const ptrdiff_t at = transposed ? j * ldc + i : i * ldc + j;
            const double want = CHECK_NAME(expected)(product, &e, old, i, j, at);
            wrong += isnan(want) ? !isnan(C[at]) : (double)C[at] != want;
        }
    for (ptrdiff_t at = 0; at < c_count; at++)
        wrong += at % ldc >= ldc - gap && C[at] != old[at];
    free(old);
    wrong += !guarded_free(a) + !guarded_free(b) + !guarded_free(c) + !guarded_free(residual) +
             !guarded_free(bias);
    CHECK(wrong == 0, "%s gemm_panel m=%td n=%td k=%td packed=%d flags=%d: %ld wrong", isa, m, n, k, packed,
          flags, wrong);
}

static void CHECK_NAME(gemm_panel)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t nr = kernels->nr,
                    columns[] = {1, nr / 2, nr / 2 + 1, nr - 1, nr, nr + 1, 2 * nr + nr / 2, 3 * nr};
    const ptrdiff_t depths[] = {1, 2, 3, 8, 33};
    int flags = 0;
    for (ptrdiff_t m = 1; m <= kernels->mr; m++)
        for (size_t n = 0; n < sizeof columns / sizeof *columns; n++)
            for (size_t k = 0; k < sizeof depths / sizeof *depths; k++)
                for (int packed = 0; packed < 2; packed++)
                    for (int repeat = 0; repeat < 2; repeat++, flags = (flags + 5) % 64)
                        if ((flags & 6) != 6) /* one bias */
                            CHECK_NAME(gemm_case)(kernels, isa, m, columns[n], depths[k], packed, flags);
}
