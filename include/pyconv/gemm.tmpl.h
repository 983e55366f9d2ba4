/* SPDX-License-Identifier: BSD-3-Clause */
/* C[m][n] = epilogue(A[m][k] B[k][n]) for one panel of m <= MR rows, the product that all fast algorithms
 * share.
 *
 *   a  the broadcast side: packed [k][m] (a_rs = 1, a_ks = m) or rows read in place [m][a_rs] (a_ks = 1)
 *   b  the vector side: panels [ceil(n / NR)][k][NR], b_ps apart, zero padded
 *   c  [m][ldc], or [n][ldc] with PYCONV_TRANSPOSED
 *
 * Each m has its own instance with all m x NR sums in registers. On AVX-512 14 x 2 sums, 2 vectors of b and 2
 * broadcasts of a fill the 32 registers; on AVX2 6 x 2 of 16, on NEON 12 x 2 of 32. */

#if PYCONV_LEVEL == PYCONV_ISA_avx512
#define MR 14
#define EACH_M(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14)
#elif PYCONV_LEVEL == PYCONV_ISA_neon
#define MR 12
#define EACH_M(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12)
#else
#define MR 6
#define EACH_M(F) F(1) F(2) F(3) F(4) F(5) F(6)
#endif
#define NR (2 * V)
enum { NAME(mr) = MR, NAME(nr) = NR };

#define EPILOGUE PYCONV_PASTE3(pyconv_, PYCONV_T, _epilogue)

INLINE vec NAME(clamp)(vec v, const EPILOGUE *e) { return v_min(v_set1(e->hi), v_max(v_set1(e->lo), v)); }

/* Rows of tile[m][NR] onto the n <= NR valid columns of c[m][ldc]; row and col are where the tile begins in
 * C. */
static __attribute__((noinline)) void NAME(gemm_finish_rows)(const real *tile, ptrdiff_t m, ptrdiff_t n,
                                                             real *c, ptrdiff_t ldc, ptrdiff_t col,
                                                             const EPILOGUE *e) {
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j += V) {
            const ptrdiff_t at = i * ldc + col + j, valid = n - j < V ? n - j : V;
            vec v = v_load(tile + i * NR + j);
            if (e->flags & PYCONV_ACCUMULATE)
                v += v_load_n(c + at, valid);
            if (e->flags & PYCONV_BIAS_ROW)
                v += v_set1(e->bias[i]);
            if (e->flags & PYCONV_BIAS_COLUMN)
                v += v_load_n(e->bias + col + j, valid);
            if (e->flags & PYCONV_RESIDUAL)
                v += v_load_n(e->residual + at, valid);
            if (e->flags & PYCONV_CLAMP)
                v = NAME(clamp)(v, e);
            v_store_n(c + at, v, valid);
        }
}

/* The same onto c[n][ldc]: blocks of V x V are turned in registers. */
static __attribute__((noinline)) void NAME(gemm_finish_columns)(const real *tile, ptrdiff_t m, ptrdiff_t n,
                                                                real *c, ptrdiff_t ldc, ptrdiff_t col,
                                                                const EPILOGUE *e) {
    for (ptrdiff_t i = 0; i < m; i += V)
        for (ptrdiff_t j = 0; j < n; j += V) {
            const ptrdiff_t valid = m - i < V ? m - i : V, columns = n - j < V ? n - j : V;
            vec block[V];
            PYCONV_UNROLL
            for (int r = 0; r < V; r++)
                block[r] = r < valid ? v_load(tile + (i + r) * NR + j) : (vec){0};
            v_transpose(block);
            for (ptrdiff_t r = 0; r < columns; r++) {
                const ptrdiff_t at = (col + j + r) * ldc + i;
                vec v = block[r];
                if (e->flags & PYCONV_ACCUMULATE)
                    v += v_load_n(c + at, valid);
                if (e->flags & PYCONV_BIAS_ROW)
                    v += v_load_n(e->bias + i, valid);
                if (e->flags & PYCONV_BIAS_COLUMN)
                    v += v_set1(e->bias[col + j + r]);
                if (e->flags & PYCONV_RESIDUAL)
                    v += v_load_n(e->residual + at, valid);
                if (e->flags & PYCONV_CLAMP)
                    v = NAME(clamp)(v, e);
                v_store_n(c + at, v, valid);
            }
        }
}

/* One tile, m and vecs known when compiled: n <= vecs V valid columns from column `col` of C. */
INLINE void NAME(gemm_tile)(const int m, const int vecs, const int packed, ptrdiff_t n, ptrdiff_t k,
                            const real *a, ptrdiff_t a_rs, const real *b, real *c, ptrdiff_t ldc,
                            ptrdiff_t col, const EPILOGUE *e) {
    vec sum[MR][2];
    PYCONV_UNROLL
    for (int i = 0; i < m; i++) {
        PYCONV_UNROLL
        for (int j = 0; j < vecs; j++)
            sum[i][j] = (vec){0};
    }
    /* Rows in place: one pointer for three rows, which x86 addresses as p, p + rs, p + 2 rs. */
    const real *base[(MR + 2) / 3];
    PYCONV_UNROLL
    for (int i = 0; i < m; i += 3)
        base[i / 3] = a + i * a_rs;
    for (ptrdiff_t step = 0; step < k; step++) {
        vec row[2];
        PYCONV_UNROLL
        for (int j = 0; j < vecs; j++)
            row[j] = v_load(b + j * V);
        PYCONV_UNROLL
        for (int i = 0; i < m; i++) {
            const vec scale = v_set1(packed ? a[i] : base[i / 3][i % 3 * a_rs]);
            PYCONV_UNROLL
            for (int j = 0; j < vecs; j++)
                sum[i][j] = v_fma(scale, row[j], sum[i][j]);
        }
        if (packed)
            a += m;
        else {
            PYCONV_UNROLL
            for (int i = 0; i < m; i += 3) {
                base[i / 3]++;
                PYCONV_KEEP(base[i / 3]);
            }
        }
        b += NR;
    }
    const int flags = e->flags;
    if (n != vecs * V || (flags & PYCONV_TRANSPOSED)) {
        real tile[MR * NR];
        PYCONV_UNROLL
        for (int i = 0; i < m; i++) {
            PYCONV_UNROLL
            for (int j = 0; j < vecs; j++)
                v_store(tile + i * NR + j * V, sum[i][j]);
        }
        if (flags & PYCONV_TRANSPOSED)
            NAME(gemm_finish_columns)(tile, m, n, c, ldc, col, e);
        else
            NAME(gemm_finish_rows)(tile, m, n, c, ldc, col, e);
        return;
    }
#define EACH_SUM(statement)                                                                                  \
    PYCONV_UNROLL                                                                                            \
    for (int i = 0; i < m; i++) {                                                                            \
        PYCONV_UNROLL                                                                                        \
        for (int j = 0; j < vecs; j++)                                                                       \
            statement;                                                                                       \
    }
    c += col;
    if (flags & PYCONV_ACCUMULATE)
        EACH_SUM(sum[i][j] += v_load(c + i * ldc + j * V))
    if (flags & PYCONV_BIAS_ROW)
        EACH_SUM(sum[i][j] += v_set1(e->bias[i]))
    if (flags & PYCONV_BIAS_COLUMN)
        EACH_SUM(sum[i][j] += v_load(e->bias + col + j * V))
    if (flags & PYCONV_RESIDUAL)
        EACH_SUM(sum[i][j] += v_load(e->residual + col + i * ldc + j * V))
    if (flags & PYCONV_CLAMP)
        EACH_SUM(sum[i][j] = NAME(clamp)(sum[i][j], e))
    EACH_SUM(v_store(c + i * ldc + j * V, sum[i][j]))
#undef EACH_SUM
}

#define GEMM_INSTANCE(form, m, packed)                                                                       \
    static void NAME(PYCONV_PASTE(gemm_##form##_, m))(ptrdiff_t n, ptrdiff_t k, const real *a,               \
                                                      ptrdiff_t a_rs, const real *b, ptrdiff_t b_ps,         \
                                                      real *c, ptrdiff_t ldc, const EPILOGUE *e) {           \
        ptrdiff_t col = 0;                                                                                   \
        for (; n - col > V; col += NR, b += b_ps)                                                            \
            NAME(gemm_tile)(m, 2, packed, n - col < NR ? n - col : NR, k, a, a_rs, b, c, ldc, col, e);       \
        if (col < n)                                                                                         \
            NAME(gemm_tile)(m, 1, packed, n - col, k, a, a_rs, b, c, ldc, col, e);                           \
    }
#define GEMM_INSTANCES(m) GEMM_INSTANCE(packed, m, 1) GEMM_INSTANCE(rows, m, 0)
EACH_M(GEMM_INSTANCES)

static void NAME(gemm_panel)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const real *a, ptrdiff_t a_rs,
                             ptrdiff_t a_ks, const real *b, ptrdiff_t b_ps, real *c, ptrdiff_t ldc,
                             const EPILOGUE *e) {
    typedef void instance(ptrdiff_t n, ptrdiff_t k, const real *a, ptrdiff_t a_rs, const real *b,
                          ptrdiff_t b_ps, real *c, ptrdiff_t ldc, const EPILOGUE *e);
#define GEMM_ENTRIES(m) {NAME(gemm_rows_##m), NAME(gemm_packed_##m)},
    static instance *const instances[MR][2] = {EACH_M(GEMM_ENTRIES)};
    instances[m - 1][a_ks != 1](n, k, a, a_rs, b, b_ps, c, ldc, e);
}
#undef GEMM_ENTRIES
#undef GEMM_INSTANCES
#undef GEMM_INSTANCE
#undef EACH_M
