/* SPDX-License-Identifier: BSD-3-Clause */
/* to[j][i] = from[i][j]: rows x cols reals, rows of `from` and `to` being from_s and to_s apart; blocks of V x V are
 * turned in registers, the last of each row and column once more in part rather than with idle lanes. */
static void NAME(transpose_rows)(ptrdiff_t rows, ptrdiff_t cols, const void *from_, ptrdiff_t from_s,
                                 void *to_, ptrdiff_t to_s) {
    const real *from = from_;
    real *to = to_;
    const ptrdiff_t high = rows < V ? rows : V, wide = cols < V ? cols : V;
    for (ptrdiff_t column = 0; column < cols; column += V)
        for (ptrdiff_t row = 0; row < rows; row += V) {
            const ptrdiff_t i = row <= rows - high ? row : rows - high,
                            j = column <= cols - wide ? column : cols - wide;
            const real *f = from + i * from_s + j;
            real *t = to + j * to_s + i;
            vec block[V];
            if (high == V && wide == V) {
                v_load_turned(block, f, from_s);
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
