/* SPDX-License-Identifier: BSD-3-Clause */
/* The tile of the products, MR rows of the broadcast side by NR columns of the vector side, and its way to C:
 * from registers if it is full, else through tile[m][NR]. */

#define NR (2 * V)
enum { NAME(mr) = MR, NAME(nr) = NR };

/* tile onto c[m][ldc], columns col .. col + n. */
static __attribute__((noinline)) void NAME(gemm_store_rows)(const real *tile, ptrdiff_t m, ptrdiff_t n,
                                                            real *c, ptrdiff_t ldc, ptrdiff_t col,
                                                            const EPILOGUE *e) {
    for (ptrdiff_t j = 0; j < n; j += V) {
        const ptrdiff_t valid = n - j < V ? n - j : V;
        const vec column = e->flags & PYCONV_BIAS_COLUMN ? v_load_n(e->bias + col + j, valid) : (vec){0};
        for (ptrdiff_t i = 0; i < m; i++) {
            const ptrdiff_t at = i * ldc + col + j;
            vec v = v_load(tile + i * NR + j) + column;
            if (e->flags & PYCONV_ACCUMULATE)
                v += y_load_n(c + at, valid);
            if (e->flags & PYCONV_BIAS_ROW)
                v += v_set1(e->bias[i]);
            if (e->flags & PYCONV_RESIDUAL)
                v += y_load_n(e->residual + at, valid);
            if (e->flags & PYCONV_CLAMP)
                v = NAME(clamp)(v, e);
            y_store_n(c + at, v, valid);
        }
    }
}

/* tile onto c[n][ldc], rows col .. col + n: blocks of V x V are turned in registers. */
static __attribute__((noinline)) void NAME(gemm_store_columns)(const real *tile, ptrdiff_t m, ptrdiff_t n,
                                                               real *c, ptrdiff_t ldc, ptrdiff_t col,
                                                               const EPILOGUE *e) {
    for (ptrdiff_t i = 0; i < m; i += V) {
        const ptrdiff_t valid = m - i < V ? m - i : V;
        const vec row = e->flags & PYCONV_BIAS_ROW ? v_load_n(e->bias + i, valid) : (vec){0};
        for (ptrdiff_t j = 0; j < n; j += V) {
            vec block[V];
            PYCONV_UNROLL
            for (int r = 0; r < V; r++)
                block[r] = r < valid ? v_load(tile + (i + r) * NR + j) : (vec){0};
            v_transpose(block);
            for (ptrdiff_t r = 0; r < V && j + r < n; r++) {
                const ptrdiff_t at = (col + j + r) * ldc + i;
                vec v = block[r] + row;
                if (e->flags & PYCONV_ACCUMULATE)
                    v += y_load_n(c + at, valid);
                if (e->flags & PYCONV_BIAS_COLUMN)
                    v += v_set1(e->bias[col + j + r]);
                if (e->flags & PYCONV_RESIDUAL)
                    v += y_load_n(e->residual + at, valid);
                if (e->flags & PYCONV_CLAMP)
                    v = NAME(clamp)(v, e);
                y_store_n(c + at, v, valid);
            }
        }
    }
}

#define EACH_SUM(statement)                                                                                  \
    PYCONV_UNROLL                                                                                            \
    for (int i = 0; i < m; i++) {                                                                            \
        PYCONV_UNROLL                                                                                        \
        for (int j = 0; j < vecs; j++)                                                                       \
            statement;                                                                                       \
    }

/* part[m][NR] += sums, which begin anew: a chain ends. */
INLINE void NAME(gemm_end_chain)(const int m, const int vecs, vec sum[MR][2], real *part){
    EACH_SUM(v_store(part + i * NR + j * V, v_load(part + i * NR + j * V) + sum[i][j]))
        EACH_SUM(sum[i][j] = (vec){0})}

/* sum[m][NR] and part[m][NR] at the start of k products; part is used where one chain isn't enough. */
INLINE void NAME(gemm_begin)(const int m, const int vecs, vec sum[MR][2], real *part, ptrdiff_t k) {
    EACH_SUM(sum[i][j] = (vec){0})
    if (k > PYCONV_CHAIN)
        EACH_SUM(v_store(part + i * NR + j * V, (vec){0}))
}

INLINE void NAME(gemm_end)(const int m, const int vecs, vec sum[MR][2], const real *part, ptrdiff_t k) {
    if (k > PYCONV_CHAIN)
        EACH_SUM(sum[i][j] += v_load(part + i * NR + j * V))
}

INLINE void NAME(gemm_store)(const int m, const int vecs, vec sum[MR][2], ptrdiff_t n, real *c, ptrdiff_t ldc,
                             ptrdiff_t col, const EPILOGUE *e) {
    const int flags = e->flags;
    if (n != vecs * V || (flags & PYCONV_TRANSPOSED)) {
        real tile[MR * NR];
        EACH_SUM(v_store(tile + i * NR + j * V, sum[i][j]))
        if (flags & PYCONV_TRANSPOSED)
            NAME(gemm_store_columns)(tile, m, n, c, ldc, col, e);
        else
            NAME(gemm_store_rows)(tile, m, n, c, ldc, col, e);
        return;
    }
    c += col;
    if (flags & PYCONV_ACCUMULATE)
        EACH_SUM(sum[i][j] += y_load(c + i * ldc + j * V))
    if (flags & PYCONV_BIAS_ROW)
        EACH_SUM(sum[i][j] += v_set1(e->bias[i]))
    if (flags & PYCONV_BIAS_COLUMN)
        EACH_SUM(sum[i][j] += v_load(e->bias + col + j * V))
    if (flags & PYCONV_RESIDUAL)
        EACH_SUM(sum[i][j] += y_load(e->residual + col + i * ldc + j * V))
    if (flags & PYCONV_CLAMP)
        EACH_SUM(sum[i][j] = NAME(clamp)(sum[i][j], e))
    EACH_SUM(y_store(c + i * ldc + j * V, sum[i][j]))
}
