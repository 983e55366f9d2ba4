/* SPDX-License-Identifier: BSD-3-Clause */
/* to[j][i] = from[i][j]: rows x cols reals, rows of `from` and `to` being from_s and to_s apart; blocks of V x V are
 * turned in registers. */
static void NAME(transpose_rows)(ptrdiff_t rows, ptrdiff_t cols, const real *from, ptrdiff_t from_s, real *to,
                                 ptrdiff_t to_s) {
    for (ptrdiff_t j = 0; j < cols; j += V)
        for (ptrdiff_t i = 0; i < rows; i += V) {
            const ptrdiff_t high = rows - i < V ? rows - i : V, wide = cols - j < V ? cols - j : V;
            const real *f = from + i * from_s + j;
            real *t = to + j * to_s + i;
            vec block[V];
            if (high == V && wide == V) {
                PYCONV_UNROLL
                for (int r = 0; r < V; r++)
                    block[r] = v_load(f + r * from_s);
                v_transpose(block);
                PYCONV_UNROLL
                for (int r = 0; r < V; r++)
                    v_store(t + r * to_s, block[r]);
                continue;
            }
            PYCONV_UNROLL
            for (int r = 0; r < V; r++)
                block[r] = r < high ? v_load_n(f + r * from_s, wide) : (vec){0};
            v_transpose(block);
            PYCONV_UNROLL
            for (int r = 0; r < V; r++)
                if (r < wide)
                    v_store_n(t + r * to_s, block[r], high);
        }
}
