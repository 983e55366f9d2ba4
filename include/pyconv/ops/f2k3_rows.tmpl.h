/* SPDX-License-Identifier: BSD-3-Clause */
/* F(2, 3) along the rows of a band, summed over channels and kernel rows (Winograd 1980): 12 products for two outputs of a
 * 3x3 kernel instead of 18, and nothing but those outputs leaves the registers.
 *
 *   s_p = sum over l of w[l][p][o] points[offsets[l] + (4 r + p) pitch + q], p = 0 .. 3
 *   y[o][r][2 q] = clamp(s_0 + s_1 + s_2 + bias[o] + residual), y[o][r][2 q + 1] = clamp(s_1 - s_2 - s_3 + ...)
 *
 *   w        [k][4][m], k = channels kh: the rows of a kernel g as g_0, (g_0 + g_1 + g_2) / 2, (g_0 - g_1 + g_2) / 2, g_2
 *   offsets  [k], of each channel and kernel row in `points`
 *   y        [m][b->rows][b->cols], filters ys_c apart, rows b->ys_h apart; so is the residual
 *
 * A tile is m filters x 2 V outputs in m x 4 sums. Outputs of the next tile are asked for as in direct.tmpl.h. */

/* points[r] = E - E', O + E', E' - O, O - O' of band[r] = (E, O), rows split into even and odd columns (split.tmpl.h); '
 * is the next of them.
 *
 *   band    [rows][2][band_pitch], and a real behind it
 *   points  [rows][4][pitch] */
static void NAME(f2k3_points)(ptrdiff_t rows, const void *band_, ptrdiff_t band_pitch, void *points_,
                              ptrdiff_t pitch) {
    const real *band = band_;
    real *points = points_;
    for (ptrdiff_t r = 0; r < rows; r++, band += 2 * band_pitch, points += 4 * pitch)
        for (ptrdiff_t q = 0; q < pitch && q < band_pitch; q += V) {
            const vec even = v_load(band + q), even_next = v_load(band + q + 1);
            const vec odd = v_load(band + band_pitch + q), odd_next = v_load(band + band_pitch + q + 1);
            v_store(points + q, even - even_next);
            v_store(points + pitch + q, odd + even_next);
            v_store(points + 2 * pitch + q, even_next - odd);
            v_store(points + 3 * pitch + q, odd - odd_next);
        }
}

typedef struct NAME(f2k3_task) {
    const EPILOGUE *e;
    const real *w;
    const ptrdiff_t *offsets;
    ptrdiff_t k, pitch, ys_c;
} NAME(f2k3_task);

#define WEAVE_LOW(lane, b) ((lane) / 2 + (lane) % 2 * V)
#define WEAVE_HIGH(lane, b) (WEAVE_LOW(lane, b) + V / 2)

/* The first `left` of 2 V outputs. */
INLINE void NAME(f2k3_tile)(const int m, const NAME(f2k3_task) * task, const real *x, real *y,
                            const real *residual, ptrdiff_t left) {
    const ptrdiff_t k = task->k, pitch = task->pitch, ys_c = task->ys_c;
    const EPILOGUE *e = task->e;
    const real *w = task->w, *next = y + 2 * V;
    vec sum[MR / 2][4];
    PYCONV_UNROLL
    for (int i = 0; i < m; i++) {
        PYCONV_UNROLL
        for (int p = 0; p < 4; p++)
            sum[i][p] = (vec){0};
    }
    for (ptrdiff_t l = 0; l < k; l++) {
        const real *tap = x + task->offsets[l];
        __builtin_prefetch(next, 1, 3);
        __builtin_prefetch(next + V, 1, 3);
        next += l < m - 1 ? ys_c : 0;
        PYCONV_UNROLL
        for (int p = 0; p < 4; p++, w += m) {
            vec v = v_load(tap + p * pitch);
            v_keep(v);
            PYCONV_UNROLL
            for (int i = 0; i < m; i++)
                sum[i][p] = v_fma(v_set1(w[i]), v, sum[i][p]);
        }
    }
    PYCONV_UNROLL
    for (int i = 0; i < m; i++) {
        const vec bias = e->flags & PYCONV_BIAS_ROW ? v_set1(e->bias[i]) : (vec){0};
        const vec even = sum[i][0] + sum[i][1] + (sum[i][2] + bias);
        const vec odd = sum[i][1] - sum[i][2] - (sum[i][3] - bias);
        sum[i][0] = __builtin_shufflevector(even, odd, LANES(WEAVE_LOW, 0));
        sum[i][1] = __builtin_shufflevector(even, odd, LANES(WEAVE_HIGH, 0));
    }
#define EACH_F2K3_OUTPUT(statement)                                                                          \
    PYCONV_UNROLL                                                                                            \
    for (int i = 0; i < m; i++) {                                                                            \
        PYCONV_UNROLL                                                                                        \
        for (int c = 0; c < 2; c++) {                                                                        \
            const ptrdiff_t at = i * ys_c + c * V;                                                           \
            statement;                                                                                       \
        }                                                                                                    \
    }
    const ptrdiff_t valid[2] = {left < V ? left : V, pyconv_clamp(left - V, 0, V)};
    if (residual)
        EACH_F2K3_OUTPUT(sum[i][c] += y_load_n(residual + at, valid[c]))
    if (e->flags & PYCONV_CLAMP)
        EACH_F2K3_OUTPUT((void)at; sum[i][c] = NAME(clamp)(sum[i][c], e))
    if (left >= 2 * V)
        EACH_F2K3_OUTPUT(y_store(y + at, sum[i][c]))
    else
        EACH_F2K3_OUTPUT(y_store_n(y + at, sum[i][c], valid[c]))
#undef EACH_F2K3_OUTPUT
}

#define F2K3_INSTANCE(m)                                                                                     \
    static void NAME(f2k3_rows_##m)(const NAME(f2k3_task) * task, const real *x, real *y,                    \
                                    const real *residual, ptrdiff_t left) {                                  \
        NAME(f2k3_tile)(m, task, x, y, residual, left);                                                      \
    }
#define F2K3_ENTRY(m) NAME(f2k3_rows_##m),
EACH_HALF_M(F2K3_INSTANCE)

/* m <= MR / 2 */
static void NAME(f2k3_rows)(const pyconv_band *b, ptrdiff_t m, ptrdiff_t k, const void *points_,
                            const ptrdiff_t *offsets, const void *w, void *y_, ptrdiff_t ys_c,
                            const pyconv_epilogue *e_) {
    const real *points = points_;
    real *y = y_;
    const EPILOGUE e = NAME(epilogue_of)(e_);
    static void (*const instances[MR / 2])(const NAME(f2k3_task) *, const real *, real *, const real *,
                                           ptrdiff_t) = {EACH_HALF_M(F2K3_ENTRY)};
    const NAME(f2k3_task) task = {&e, w, offsets, k, b->pitch, ys_c};
    const real *residual = e.flags & PYCONV_RESIDUAL ? e.residual : NULL;
    for (ptrdiff_t r = 0; r < b->rows; r++)
        for (ptrdiff_t q = 0; q < b->cols; q += 2 * V) {
            const ptrdiff_t at = r * b->ys_h + q;
            instances[m - 1](&task, points + r * 4 * b->pitch + q / 2, y + at,
                             residual ? residual + at : NULL, b->cols - q);
        }
}
#undef F2K3_INSTANCE
#undef F2K3_ENTRY
#undef WEAVE_LOW
#undef WEAVE_HIGH
