/* SPDX-License-Identifier: BSD-3-Clause */
/* C[m][n] = Aᵀ[m][k] B[k][n], where row l of B begins at b + offsets[l]: channels of the pixel l in a channels-last image,
 * say, so that a product over pixels needs no copy of them.
 *
 *   a  [k][a_ks], of which m <= MR, or rows at a + a_at[l] if a_at isn't NULL      c  [m][ldc]
 *   b  nothing beyond column n of a row is read
 *
 * ACCUMULATE is the only flag. What `ahead` says is asked for meanwhile: pixels of the next block, on their way from memory. */
INLINE void NAME(shifts_tile)(const int m, const int vecs, ptrdiff_t n, ptrdiff_t k, const real *a,
                              ptrdiff_t a_ks, const ptrdiff_t *a_at, const real *b, const ptrdiff_t *offsets,
                              const char *ahead, ptrdiff_t pace, real *c, ptrdiff_t ldc, const EPILOGUE *e) {
    static const ptrdiff_t here = 0;
    const ptrdiff_t a_next = a_at ? 1 : 0;
    if (a_at)
        a_ks = 0;
    else
        a_at = &here;
    const ptrdiff_t depth = k;
    vec sum[MR][2];
    real part[MR * NR];
    NAME(gemm_begin)(m, vecs, sum, part, depth);
    while (k > 0) {
        const ptrdiff_t rest = k > PYCONV_CHAIN ? k - PYCONV_CHAIN : 0;
        if (n == vecs * V)
            for (; k > rest; k--, a += a_ks, a_at += a_next, offsets++, ahead += pace) {
                const real *left = a + *a_at;
                __builtin_prefetch(ahead, 0, 2);
                vec row[2];
                PYCONV_UNROLL
                for (int j = 0; j < vecs; j++)
                    row[j] = v_load(b + *offsets + j * V);
                EACH_SUM(sum[i][j] = v_fma(v_set1(left[i]), row[j], sum[i][j]))
            }
        else
            for (; k > rest; k--, a += a_ks, a_at += a_next, offsets++, ahead += pace) {
                const real *left = a + *a_at;
                __builtin_prefetch(ahead, 0, 2);
                vec row[2];
                row[0] = vecs == 1 ? v_load_n(b + *offsets, n) : v_load(b + *offsets);
                row[1] = vecs == 1 ? row[0] : v_load_n(b + *offsets + V, n - V);
                EACH_SUM(sum[i][j] = v_fma(v_set1(left[i]), row[j], sum[i][j]))
            }
        if (k > 0)
            NAME(gemm_end_chain)(m, vecs, sum, part);
    }
    NAME(gemm_end)(m, vecs, sum, part, depth);
    NAME(gemm_store)(m, vecs, sum, n, c, ldc, 0, e);
}

#define SHIFTS_INSTANCE(m)                                                                                   \
    static void NAME(shifts_##m)(ptrdiff_t n, ptrdiff_t k, const real *a, ptrdiff_t a_ks,                    \
                                 const ptrdiff_t *a_at, const real *b, const ptrdiff_t *offsets,             \
                                 const char *ahead, ptrdiff_t pace, real *c, ptrdiff_t ldc,                  \
                                 const EPILOGUE *e) {                                                        \
        for (; n > V; n -= NR, b += NR, c += NR, ahead += k * pace)                                          \
            NAME(shifts_tile)(m, 2, n < NR ? n : NR, k, a, a_ks, a_at, b, offsets, ahead, pace, c, ldc, e);  \
        if (n > 0)                                                                                           \
            NAME(shifts_tile)(m, 1, n, k, a, a_ks, a_at, b, offsets, ahead, pace, c, ldc, e);                \
    }
EACH_M(SHIFTS_INSTANCE)

static void NAME(gemm_shifts)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_ks,
                              const ptrdiff_t *a_at, const void *b, const ptrdiff_t *offsets,
                              pyconv_ahead ahead, void *c, ptrdiff_t ldc, int flags) {
#define SHIFTS_ENTRY(m) NAME(shifts_##m),
    static void (*const instances[MR])(ptrdiff_t, ptrdiff_t, const real *, ptrdiff_t, const ptrdiff_t *,
                                       const real *, const ptrdiff_t *, const char *, ptrdiff_t, real *,
                                       ptrdiff_t, const EPILOGUE *) = {EACH_M(SHIFTS_ENTRY)};
    const EPILOGUE e = {.flags = flags};
    const ptrdiff_t steps = pyconv_ceil_div(n, NR) * k;
    const int asks = ahead.bytes > 0 && steps > 0;
    instances[m - 1](n, k, a, a_ks, a_at, b, offsets, asks ? ahead.at : a,
                     asks ? pyconv_ceil_div(ahead.bytes, steps) : 0, c, ldc, &e);
#undef SHIFTS_ENTRY
}
#undef SHIFTS_INSTANCE
