/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_planes against a plain loop in double, and what it leaves packed against the planes, zeros behind them. */
static void CHECK_NAME(gemm_planes_case)(const KERNELS *kernels, const char *isa, ptrdiff_t m, ptrdiff_t n,
                                         ptrdiff_t k, int flags) {
    const ptrdiff_t nr = kernels->nr, units = (n + nr - 1) / nr, b_ks = n + 5;
    CHECK_NAME(operands)
    o = CHECK_NAME(operands_new)(m, n, k * m, (k - 1) * b_ks + n, k > 2 ? m : -1, flags);
    guarded to = CHECK_NAME(numbers)(units * k * nr);
    double *product = calloc((size_t)(m * n), sizeof *product);
    long unlike = 0;
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t l = 0; l < k; l++)
            for (ptrdiff_t j = 0; j < n; j++)
                product[i * n + j] += (double)o.A[l * m + i] * o.B[l * b_ks + j];
    kernels->gemm_planes(m, n, k, o.A, o.B, b_ks, (real *)to.data, o.C, o.ldc, &o.e);
    for (ptrdiff_t l = 0; l < k; l++)
        for (ptrdiff_t j = 0; j < units * nr; j++)
            unlike += ((real *)to.data)[j / nr * k * nr + l * nr + j % nr] != (j < n ? o.B[l * b_ks + j] : 0);
    const long wrong = CHECK_NAME(operands_wrong)(o, product) + !guarded_free(to);
    CHECK(wrong == 0 && unlike == 0, "%s gemm_planes %tdx%tdx%td flags %d: %ld wrong, %ld packed wrong", isa,
          m, n, k, flags, wrong, unlike);
}

static void CHECK_NAME(gemm_planes)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t nr = kernels->nr,
                    widths[] = {1, nr / 2, nr / 2 + 1, nr - 1, nr, nr + 1, 2 * nr, 3 * nr - 1};
    int flags = 0;
    for (ptrdiff_t m = 1; m <= kernels->mr; m++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (ptrdiff_t k = 1; k <= 2 * PYCONV_CHAIN + 9; k += k < 9 ? 4 : PYCONV_CHAIN)
                for (int repeat = 0; repeat < 3; repeat++, flags = (flags + 5) % 32)
                    if ((flags & 6) != 6) /* one bias */
                        CHECK_NAME(gemm_planes_case)(kernels, isa, m, widths[w], k, flags);
}
