/* SPDX-License-Identifier: BSD-3-Clause */
/* y[i][j] <- clamp(y[i][j] + bias + residual[i][j], lo, hi), the last pass over a product that BLAS made.
 *
 *   y         [rows][ldy]
 *   bias      [rows] if bias_per_row, else [cols]; or NULL
 *   residual  [rows][ldr], or NULL
 *
 * A NaN stays a NaN; lo = -inf and hi = inf mean no activation. */
INLINE vec NAME(finish)(vec v, vec bias, const real *residual, ptrdiff_t n, vec lo, vec hi) {
    v += bias;
    if (residual)
        v += n == V ? v_load(residual) : v_load_n(residual, n);
    return v_min(hi, v_max(lo, v));
}

static void NAME(epilogue_rows)(ptrdiff_t rows, ptrdiff_t cols, real *y, ptrdiff_t ldy, const real *bias,
                                int bias_per_row, const real *residual, ptrdiff_t ldr, real lo, real hi) {
    const vec low = v_set1(lo), high = v_set1(hi);
    const real *column_bias = bias_per_row ? NULL : bias;
    for (ptrdiff_t i = 0; i < rows; i++, y += ldy) {
        const vec row_bias = v_set1(bias && bias_per_row ? bias[i] : 0);
        const real *extra = residual ? residual + i * ldr : NULL;
        ptrdiff_t j = 0;
        for (; j + V <= cols; j += V)
            v_store(y + j, NAME(finish)(v_load(y + j), column_bias ? v_load(column_bias + j) : row_bias,
                                        extra ? extra + j : NULL, V, low, high));
        if (j < cols)
            v_store_n(y + j,
                      NAME(finish)(v_load_n(y + j, cols - j),
                                   column_bias ? v_load_n(column_bias + j, cols - j) : row_bias,
                                   extra ? extra + j : NULL, cols - j, low, high),
                      cols - j);
    }
}
