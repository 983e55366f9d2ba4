/* SPDX-License-Identifier: BSD-3-Clause */
/* Means of planes, and of the channels of pixels:
 *
 *   mean_rows      y[i] = sum over j of x[i][j] / cols
 *   mean_columns   y[j] = sum over i of x[i][j] / rows
 *
 *   x [rows][cols] */
INLINE real NAME(sum)(vec v) {
    real total = 0;
    for (int l = 0; l < V; l++)
        total += v[l];
    return total;
}

static void NAME(mean_rows)(ptrdiff_t rows, ptrdiff_t cols, const void *x_, void *y_) {
    const real *x = x_;
    real *y = y_;
    for (ptrdiff_t i = 0; i < rows; i++, x += cols) {
        vec sums[4] = {{0}};
        ptrdiff_t j = 0;
        for (; j + 4 * V <= cols; j += 4 * V) {
            PYCONV_UNROLL
            for (int k = 0; k < 4; k++)
                sums[k] += v_load(x + j + k * V);
        }
        for (; j + V <= cols; j += V)
            sums[0] += v_load(x + j);
        if (j < cols)
            sums[1] += v_load_n(x + j, cols - j);
        y[i] = NAME(sum)((sums[0] + sums[1]) + (sums[2] + sums[3])) / (real)cols;
    }
}

static void NAME(mean_columns)(ptrdiff_t rows, ptrdiff_t cols, const void *x_, void *y_) {
    const real *x = x_;
    real *y = y_;
    const vec count = v_set1((real)rows);
    for (ptrdiff_t j = 0; j < cols; j += V) {
        const ptrdiff_t n = cols - j < V ? cols - j : V;
        vec sums[2] = {{0}};
        for (ptrdiff_t i = 0; i < rows; i++)
            sums[i & 1] += v_load_n(x + i * cols + j, n);
        v_store_n(y + j, (sums[0] + sums[1]) / count, n);
    }
}
