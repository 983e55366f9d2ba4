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
    const real *bias = e->bias, *residual = e->residual;
    double v = product;
    v += e->flags & PYCONV_ACCUMULATE ? old[at] : 0;
    v += e->flags & PYCONV_BIAS_ROW ? bias[i] : 0;
    v += e->flags & PYCONV_BIAS_COLUMN ? bias[j] : 0;
    v += e->flags & PYCONV_RESIDUAL ? residual[at] : 0;
    return !(e->flags & PYCONV_CLAMP) ? v : v < e->lo ? e->lo : v > e->hi ? e->hi : v;
}

static guarded CHECK_NAME(numbers)(ptrdiff_t count) {
    guarded g = guarded_new((size_t)count * sizeof(real));
    for (ptrdiff_t i = 0; i < count; i++)
        ((real *)g.data)[i] = (real)small_integer();
    return g;
}

/* The operands of one product, and C's old content; random but for a NaN in row 0 of A when k > 2, which must
 * reach the whole row of C, clamped or not. */
typedef struct CHECK_NAME(operands) {
    guarded a, b, c, residual, bias;
    real *A, *B, *C, *old;
    ptrdiff_t m, n, ldc, c_count;
    EPILOGUE e;
} CHECK_NAME(operands);

enum { CHECK_NAME(gap) = 3 };

static CHECK_NAME(operands) CHECK_NAME(operands_new)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t a_count,
                                                     ptrdiff_t b_count, ptrdiff_t nan_at, int flags) {
    const int transposed = !!(flags & PYCONV_TRANSPOSED);
    CHECK_NAME(operands) o = {.m = m, .n = n, .ldc = (transposed ? m : n) + CHECK_NAME(gap)};
    o.c_count = (transposed ? n : m) * o.ldc - CHECK_NAME(gap);
    o.a = CHECK_NAME(numbers)(a_count);
    o.b = CHECK_NAME(numbers)(b_count);
    o.c = CHECK_NAME(numbers)(o.c_count);
    o.residual = CHECK_NAME(numbers)(o.c_count);
    o.bias = CHECK_NAME(numbers)(flags & PYCONV_BIAS_ROW ? m : n);
    o.A = (real *)o.a.data;
    o.B = (real *)o.b.data;
    o.C = (real *)o.c.data;
    if (nan_at >= 0)
        o.A[nan_at] = (real)NAN;
    o.old = malloc(o.c.bytes);
    memcpy(o.old, o.C, o.c.bytes);
    o.e = (EPILOGUE){flags, -11, 13, (real *)o.bias.data, (real *)o.residual.data};
    return o;
}

/* How many elements of C differ from product[m][n] and the epilogue, or were touched beside them; frees
 * all. */
static long CHECK_NAME(operands_wrong)(CHECK_NAME(operands) o, double *product) {
    const int transposed = !!(o.e.flags & PYCONV_TRANSPOSED);
    long wrong = 0;
    for (ptrdiff_t i = 0; i < o.m; i++)
        for (ptrdiff_t j = 0; j < o.n; j++) {
            const ptrdiff_t at = transposed ? j * o.ldc + i : i * o.ldc + j;
            const double want = CHECK_NAME(expected)(product[i * o.n + j], &o.e, o.old, i, j, at);
            wrong += isnan(want) ? !isnan(o.C[at]) : (double)o.C[at] != want;
        }
    for (ptrdiff_t at = 0; at < o.c_count; at++)
        wrong += at % o.ldc >= o.ldc - CHECK_NAME(gap) && o.C[at] != o.old[at];
    free(o.old);
    free(product);
    return wrong + !guarded_free(o.a) + !guarded_free(o.b) + !guarded_free(o.c) + !guarded_free(o.residual) +
           !guarded_free(o.bias);
}

/* form 0: packed A, 1: A in place, 2: gemm_taps with k in `taps` runs, 3: gemm_stream, n <= NR. */
static void CHECK_NAME(gemm_case)(const KERNELS *kernels, const char *isa, ptrdiff_t m, ptrdiff_t n,
                                  ptrdiff_t k, int form, int flags) {
    const char *const names[] = {"gemm_panel packed", "gemm_panel rows", "gemm_taps", "gemm_stream"};
    const ptrdiff_t nr = kernels->nr, panels = (n + nr - 1) / nr, taps = form == 2 ? 3 : 1, depth = taps * k;
    const int packed = form == 0;
    const ptrdiff_t a_rs = packed ? 1 : k + 5, a_ks = packed ? m : 1;
    const ptrdiff_t offsets[] = {(taps - 1) * 2, 2,
                                 0}; /* of the taps of A, which overlap as those of an image do */
    const ptrdiff_t a_count = packed ? k * m : (m - 1) * a_rs + k + (taps - 1) * 2;
    const ptrdiff_t b_count = panels * depth * nr;
    CHECK_NAME(operands)
    o = CHECK_NAME(operands_new)(m, n, a_count, b_count, k > 2 ? (packed ? m : 1 + offsets[0]) : -1, flags);
    const pyconv_ahead ahead = {o.C, flags & 1 ? 100 * k : 0};
    if (form < 2)
        kernels->gemm_panel(m, n, k, o.A, a_rs, a_ks, o.B, k * nr, o.C, o.ldc, ahead, &o.e);
    else if (form == 2)
        kernels->gemm_taps(m, n, taps, k, o.A, a_rs, offsets, o.B, depth * nr, o.C, o.ldc, ahead, &o.e);
    else
        kernels->gemm_stream(m, n, k, o.A, a_rs, o.B, o.B, o.C, o.ldc, flags);

    double *product = malloc((size_t)(m * n) * sizeof *product);
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            double sum = 0;
            for (ptrdiff_t t = 0; t < taps; t++) {
                const real *a = o.A + i * a_rs + (form == 2 ? offsets[t] : 0);
                const real *b = o.B + j / nr * depth * nr + t * k * nr + j % nr;
                for (ptrdiff_t l = 0; l < k; l++)
                    sum += (double)a[l * a_ks] * (double)b[l * nr];
            }
            product[i * n + j] = sum;
        }
    const long wrong = CHECK_NAME(operands_wrong)(o, product);
    CHECK(wrong == 0, "%s %s m=%td n=%td k=%td flags=%d: %ld wrong", isa, names[form], m, n, k, flags, wrong);
}

static void CHECK_NAME(gemm)(const KERNELS *kernels, const char *isa, int form) {
    const ptrdiff_t v = kernels->nr / 2,
                    columns[] = {1, v - 1, v, v + 1, 2 * v - 1, 2 * v, 2 * v + 1, 5 * v, 6 * v};
    const ptrdiff_t depths[] = {1, 2, 3, 8, 33, 200, PYCONV_CHAIN, 2 * PYCONV_CHAIN + 1};
    int flags = 0;
    for (ptrdiff_t m = 1; m <= kernels->mr; m++)
        for (size_t n = 0; n < sizeof columns / sizeof *columns; n++)
            for (size_t k = 0; k < sizeof depths / sizeof *depths; k++)
                for (int repeat = 0; repeat < 3; repeat++, flags = (flags + 5) % 64)
                    if ((flags & 6) != 6) /* one bias */
                        CHECK_NAME(gemm_case)(kernels, isa, m, columns[n], depths[k], form, flags);
}
static void CHECK_NAME(gemm_panel)(const KERNELS *kernels, const char *isa) {
    CHECK_NAME(gemm)(kernels, isa, 0);
    CHECK_NAME(gemm)(kernels, isa, 1);
}
static void CHECK_NAME(gemm_taps)(const KERNELS *kernels, const char *isa) {
    CHECK_NAME(gemm)(kernels, isa, 2);
}
static void CHECK_NAME(gemm_stream)(const KERNELS *kernels, const char *isa) {
    for (ptrdiff_t m = 1; m <= 3 * kernels->mr + 1; m++)
        for (ptrdiff_t n = 1; n <= kernels->nr; n++)
            for (ptrdiff_t k = 1; k < 20; k += 6)
                CHECK_NAME(gemm_case)(kernels, isa, m, n, k, 3, (m + n) % 2 ? PYCONV_ACCUMULATE : 0);
}
