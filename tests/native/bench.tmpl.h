/* SPDX-License-Identifier: BSD-3-Clause */
/* GFLOP/s of the products, and their share of the peak measured right beside: the median ratio of neighbours,
 * since the clock of a shared machine drifts. */
static void CHECK_NAME(bench_gemm)(const KERNELS *kernels, const char *isa, ptrdiff_t m, ptrdiff_t k,
                                   int packed) {
    enum { rounds = 201 };
    const ptrdiff_t n = kernels->nr, a_rs = k + 16;
    guarded a = CHECK_NAME(numbers)(m * a_rs), b = CHECK_NAME(numbers)(n * k), c = CHECK_NAME(numbers)(m * n);
    real sink[64];
    const EPILOGUE e = {0};
    const double operations = 2.0 * (double)(m * n * k);
    const long repeats = 1 + (long)(8e6 / operations);
    double share[rounds], best = 0;
    for (int round = 0; round < rounds; round++) {
        const double start = seconds();
        for (long i = 0; i < repeats; i++)
            kernels->gemm_panel(m, n, k, (real *)a.data, packed ? 1 : a_rs, packed ? m : 1, (real *)b.data,
                                k * n, (real *)c.data, n, &e);
        const double middle = seconds(), peak = kernels->fma_peak(20000, sink) / (seconds() - middle);
        const double speed = operations * (double)repeats / (middle - start);
        share[round] = speed / peak;
        best = speed > best ? speed : best;
    }
    qsort(share, rounds, sizeof *share, compare_doubles);
    printf("%-7s gemm_panel %-6s m %2td n %2td k %4td  %6.1f GFLOP/s  %5.1f %% of peak\n", isa,
           packed ? "packed" : "rows", m, n, k, best * 1e-9, 100 * share[rounds / 2]);
    guarded_free(a), guarded_free(b), guarded_free(c);
}
static void PASTE(PASTE(bench_, T), _all)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t depths[] = {64, 256, 576, 1152};
    for (int packed = 0; packed < 2; packed++)
        for (int k = 0; k < 4; k++)
            CHECK_NAME(bench_gemm)(kernels, isa, kernels->mr, depths[k], packed);
}
