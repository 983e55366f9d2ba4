/* SPDX-License-Identifier: BSD-3-Clause */
/* C[m][n] = epilogue(A[m][k] B[k][n]), and B packed on the way: its rows are planes of an image, which the first panel of
 * weights meets as they are.
 *
 *   a   packed [k][m], m <= MR      b  [k][b_ks], nothing beyond column n is used      c  [m][ldc]
 *   to  panels [ceil(n / NR)][k][NR] as gemm_panel reads them
 *
 * The products of a step leave the ports of loads and stores idle, so the copy costs nothing: on a Sapphire-Rapids-class
 * core a 1x1 layer of 64 channels to 64 at 56x56 gains 8 %, one of 256 to 128 12 %. The n columns of B that follow are
 * asked for. TRANSPOSED is no flag here. */
INLINE void NAME(planes_tile)(const int m, ptrdiff_t next, ptrdiff_t k, const real *a, const real *b,
                              ptrdiff_t b_ks, real *to, real *c, ptrdiff_t ldc, ptrdiff_t col,
                              const EPILOGUE *e) {
    const int vecs = 2;
    const ptrdiff_t depth = k;
    vec sum[MR][2];
    real part[MR * NR];
    NAME(gemm_begin)(m, vecs, sum, part, depth);
    if (e->flags & PYCONV_RESIDUAL)
        NAME(ask_residual)(m, NR, ldc, col, e);
    while (k > 0) {
        const ptrdiff_t rest = k > PYCONV_CHAIN ? k - PYCONV_CHAIN : 0;
        for (; k > rest; k--, a += m, b += b_ks, to += NR) {
            vec row[2];
            PYCONV_UNROLL
            for (int j = 0; j < vecs; j++) {
                row[j] = fill_load(b + j * V);
                v_store(to + j * V, row[j]);
            }
            NAME(ask)((const char *)(b + next));
            EACH_SUM(sum[i][j] = v_fma(v_set1(a[i]), row[j], sum[i][j]))
        }
        if (k > 0)
            NAME(gemm_end_chain)(m, vecs, sum, part);
    }
    NAME(gemm_end)(m, vecs, sum, part, depth);
    NAME(gemm_store)(m, vecs, sum, NR, c, ldc, col, e);
}

#define PLANES_INSTANCE(m)                                                                                   \
    static void NAME(planes_##m)(ptrdiff_t n, ptrdiff_t next, ptrdiff_t k, const real *a, const real *b,     \
                                 ptrdiff_t b_ks, real *to, real *c, ptrdiff_t ldc, const EPILOGUE *e) {      \
        for (ptrdiff_t col = 0; col < n; col += NR)                                                          \
            NAME(planes_tile)(m, next, k, a, b + col, b_ks, to + col * k, c, ldc, col, e);                   \
    }
EACH_M(PLANES_INSTANCE)

static void NAME(gemm_planes)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, const void *b_,
                              ptrdiff_t b_ks, void *to_, void *c_, ptrdiff_t ldc, const pyconv_epilogue *e_) {
    const real *b = b_;
    real *to = to_, *c = c_;
    const EPILOGUE e = NAME(epilogue_of)(e_);
#define PLANES_ENTRY(m) NAME(planes_##m),
    static void (*const instances[MR])(ptrdiff_t, ptrdiff_t, ptrdiff_t, const real *, const real *, ptrdiff_t,
                                       real *, real *, ptrdiff_t, const EPILOGUE *) = {EACH_M(PLANES_ENTRY)};
#undef PLANES_ENTRY
    const ptrdiff_t full = n / NR * NR, rest = n - full;
    instances[m - 1](full, n, k, a, b, b_ks, to, c, ldc, &e);
    if (rest == 0)
        return;
    pyconv_epilogue last = *e_;
    if (e.flags & PYCONV_BIAS_COLUMN)
        last.bias = e.bias + full;
    if (e.flags & PYCONV_RESIDUAL)
        last.residual = e.residual + full;
    to += full * k;
    NAME(copy_rows)(to, NR, b + full, b_ks, k, rest, 1);
    NAME(zero_rows)(to + rest, NR, k, NR - rest);
    NAME(gemm_panel)(m, rest, k, a, 1, m, to, 0, c + full, ldc, (pyconv_ahead){0}, &last);
}
#undef PLANES_INSTANCE
