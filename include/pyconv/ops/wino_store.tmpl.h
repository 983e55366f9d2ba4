/* SPDX-License-Identifier: BSD-3-Clause */
/* y = clamp(scale pixels + bias + residual) for n <= V channels of rows x cols outputs, the tail of Winograd's output pass.
 *
 *   pixels  [rows][wino_columns], a vector of channels each
 *   y       rows ys_h, columns ys_w, channels ys_c apart */

enum {
    NAME(wino_columns) = 48
}; /* of outputs that stay in L1 on their way to y: whole tiles and whole vectors */

/* Rows whose columns are neighbours in y: blocks of V x V are turned in registers. */
INLINE void NAME(wino_store_planes)(const vec *pixels, vec scale, ptrdiff_t cols, ptrdiff_t n, vec bias,
                                    real *y, ptrdiff_t ys_c, const real *residual, vec lo, vec hi) {
    for (ptrdiff_t q = 0; q < cols; q += V) {
        const ptrdiff_t wide = cols - q < V ? cols - q : V;
        vec block[V];
        PYCONV_UNROLL
        for (int l = 0; l < V; l++)
            block[l] = v_fma(scale, pixels[q + l], bias);
        v_transpose(block);
        PYCONV_UNROLL
        for (int l = 0; l < V; l++)
            if (l < n) {
                const ptrdiff_t at = q + l * ys_c;
                y_store_n(y + at, NAME(finish)(block[l], residual ? residual + at : NULL, wide, lo, hi),
                          wide);
            }
    }
}

/* Neither columns nor channels are neighbours, as in the planes of a dilated convolution: channel after channel, since
 * planes may be powers of two apart. */
INLINE void NAME(wino_store_apart)(const vec *pixels, vec scale, ptrdiff_t cols, ptrdiff_t n, vec bias,
                                   real *y, ptrdiff_t ys_w, ptrdiff_t ys_c, const real *residual, vec lo,
                                   vec hi) {
    real lanes[NAME(wino_columns) * V];
    if (residual)
        for (ptrdiff_t l = 0; l < n; l++)
            for (ptrdiff_t q = 0; q < cols; q++)
                lanes[q * V + l] = y_get(residual + q * ys_w + l * ys_c);
    for (ptrdiff_t q = 0; q < cols; q++)
        v_store(lanes + q * V,
                NAME(finish)(v_fma(scale, pixels[q], bias), residual ? lanes + q * V : NULL, n, lo, hi));
    for (ptrdiff_t l = 0; l < n; l++)
        for (ptrdiff_t q = 0; q < cols; q++)
            y_put(y + q * ys_w + l * ys_c, lanes[q * V + l]);
}

static void NAME(wino_store)(const vec *pixels, real scale, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t n,
                             real *y, ptrdiff_t ys_h, ptrdiff_t ys_w, ptrdiff_t ys_c, const EPILOGUE *e) {
    const vec lo = v_set1(e->lo), hi = v_set1(e->hi), times = v_set1(scale);
    const vec bias = e->bias ? v_load_n(e->bias, n) : (vec){0};
    for (ptrdiff_t r = 0; r < rows; r++, pixels += NAME(wino_columns), y += ys_h) {
        const real *residual = e->residual ? e->residual + r * ys_h : NULL;
        if (ys_c == 1)
            for (ptrdiff_t q = 0; q < cols; q++)
                y_store_n(y + q * ys_w,
                          NAME(finish)(v_fma(times, pixels[q], bias), residual ? residual + q * ys_w : NULL,
                                       n, lo, hi),
                          n);
        else if (ys_w == 1)
            NAME(wino_store_planes)(pixels, times, cols, n, bias, y, ys_c, residual, lo, hi);
        else
            NAME(wino_store_apart)(pixels, times, cols, n, bias, y, ys_w, ys_c, residual, lo, hi);
    }
}
