/* SPDX-License-Identifier: BSD-3-Clause */
/* y[i][j] <- clamp(y[i][j] + bias + residual[i][j], lo, hi), the last pass over a product that BLAS made: what the flags
 * ask for, ACCUMULATE and TRANSPOSED apart.
 *
 *   y         [rows][ldy]
 *   bias      [rows] with BIAS_ROW, [cols] with BIAS_COLUMN
 *   residual  [rows][ldr] */
static void NAME(epilogue_rows)(ptrdiff_t rows, ptrdiff_t cols, void *y_, ptrdiff_t ldy, ptrdiff_t ldr,
                                const pyconv_epilogue *e_) {
    const EPILOGUE e = NAME(all_of)(e_);
    const vec low = v_set1(e.lo), high = v_set1(e.hi);
    const real *column_bias = e.flags & PYCONV_BIAS_COLUMN ? e.bias : NULL;
    real *y = y_;
    for (ptrdiff_t i = 0; i < rows; i++, y += ldy) {
        const vec row_bias = v_set1(e.flags & PYCONV_BIAS_ROW ? e.bias[i] : 0);
        const real *extra = e.residual ? e.residual + i * ldr : NULL;
        ptrdiff_t j = 0;
        for (; j + V <= cols; j += V)
            y_store(y + j, NAME(finish)(y_load(y + j) + (column_bias ? v_load(column_bias + j) : row_bias),
                                        extra ? extra + j : NULL, V, low, high));
        if (j < cols)
            y_store_n(y + j,
                      NAME(finish)(y_load_n(y + j, cols - j) +
                                       (column_bias ? v_load_n(column_bias + j, cols - j) : row_bias),
                                   extra ? extra + j : NULL, cols - j, low, high),
                      cols - j);
    }
}
