/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_shifts against a plain loop in double; rows of B overlap, as windows of an image do. */
static void CHECK_NAME(gemm_shifts)(const KERNELS *kernels, const char *isa) {
    enum { most = 2 * PYCONV_CHAIN + 9 };
    const ptrdiff_t nr = kernels->nr, widths[] = {1, nr / 2, nr / 2 + 1, nr - 1, nr, nr + 1, 2 * nr + 3};
    for (ptrdiff_t m = 1; m <= kernels->mr; m++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (ptrdiff_t k = 1; k <= most; k += k < 9 ? 4 : PYCONV_CHAIN)
                for (int flags = 0; flags <= PYCONV_ACCUMULATE; flags += PYCONV_ACCUMULATE) {
                    const ptrdiff_t n = widths[w], a_ks = m + k % 3;
                    ptrdiff_t offsets[most], a_at[most];
                    for (ptrdiff_t l = 0; l < k; l++)
                        offsets[l] = (k - 1 - l) * 3, a_at[l] = l * a_ks;
                    CHECK_NAME(operands)
                    o = CHECK_NAME(operands_new)(m, n, k * a_ks, n + (k - 1) * 3, k > 2 ? m : -1, flags);
                    double *product = calloc((size_t)(m * n), sizeof *product);
                    for (ptrdiff_t i = 0; i < m; i++)
                        for (ptrdiff_t l = 0; l < k; l++)
                            for (ptrdiff_t j = 0; j < n; j++)
                                product[i * n + j] += (double)o.A[l * a_ks + i] * o.B[offsets[l] + j];
                    kernels->gemm_shifts(m, n, k, o.A, a_ks, flags ? a_at : NULL, o.B, offsets,
                                         (pyconv_ahead){o.C, flags ? 100 * k : 0}, o.C, o.ldc, flags);
                    const long wrong = CHECK_NAME(operands_wrong)(o, product);
                    CHECK(wrong == 0, "%s gemm_shifts %tdx%tdx%td flags %d: %ld wrong", isa, m, n, k, flags,
                          wrong);
                }
}
