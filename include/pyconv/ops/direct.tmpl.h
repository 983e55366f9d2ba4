/* SPDX-License-Identifier: BSD-3-Clause */
/* y[o][r][q] = clamp(bias[o] + sum over l of w[l][o] band[offsets[l] + r sh sw pitch + q] + residual, lo, hi): m <= MR
 * filters of one group on a band of all its channels (see band.h).
 *
 *   w        [k][m], k = channels kh kw
 *   offsets  [k], of each channel and tap in the band
 *   y        [m][b->rows][b->cols], filters ys_c apart, rows b->ys_h apart; so is the residual
 *
 * A tile is m filters x C vectors of outputs: neighbours in a row, or the same columns of C rows where a row is no
 * longer than a vector. Few filters take more vectors, so that there are sums enough to hide the latency.
 *
 * Each step asks for the outputs of one filter of the next tile, since stores that wait for their lines, all at the end
 * of a tile, hold up its successor. On a Sapphire-Rapids-class core, 27 taps: 170 and 186 GFLOP/s. */

typedef struct NAME(direct_task) {
    const EPILOGUE *e;
    const real *w;
    const ptrdiff_t *offsets;
    ptrdiff_t k, ys_c;
    ptrdiff_t x_step, y_step; /* between the vectors of a tile */
} NAME(direct_task);

/* Vectors of a tile have n valid lanes, the last one `last`. */
INLINE void NAME(direct_tile)(const int m, const int C, const NAME(direct_task) * task, const real *x,
                              real *y, const real *residual, ptrdiff_t n, ptrdiff_t last) {
    const ptrdiff_t k = task->k, x_step = task->x_step, y_step = task->y_step, ys_c = task->ys_c;
    const EPILOGUE *e = task->e;
    const real *w = task->w;
    const ptrdiff_t *offsets = task->offsets;
    vec sum[MR][4];
#define EACH_DIRECT_SUM(statement)                                                                           \
    PYCONV_UNROLL                                                                                            \
    for (int i = 0; i < m; i++) {                                                                            \
        PYCONV_UNROLL                                                                                        \
        for (int c = 0; c < C; c++) {                                                                        \
            const ptrdiff_t at = i * ys_c + c * y_step, valid = c < C - 1 ? n : last;                        \
            (void)at, (void)valid;                                                                           \
            statement;                                                                                       \
        }                                                                                                    \
    }
    real part[MR * 4 * V];
    EACH_DIRECT_SUM(sum[i][c] = (vec){0})
    if (k > PYCONV_CHAIN)
        EACH_DIRECT_SUM(v_store(part + (i * C + c) * V, (vec){0}))
    const real *next = y + C * y_step;
    for (ptrdiff_t l = 0; l < k;) {
        const ptrdiff_t end = k - l > PYCONV_CHAIN ? l + PYCONV_CHAIN : k;
        for (; l < end; l++, w += m) {
            const real *tap = x + offsets[l];
            PYCONV_UNROLL
            for (int c = 0; c < C; c++)
                __builtin_prefetch(next + c * y_step, 1, 3);
            next += l < m - 1 ? ys_c : 0;
            vec v[4];
            PYCONV_UNROLL
            for (int c = 0; c < C; c++) {
                v[c] = v_load(tap + c * x_step);
                v_keep(v[c]);
            }
            PYCONV_UNROLL
            for (int i = 0; i < m; i++) {
                const vec scale = v_set1(w[i]);
                PYCONV_UNROLL
                for (int c = 0; c < C; c++)
                    sum[i][c] = v_fma(scale, v[c], sum[i][c]);
            }
        }
        if (l < k) {
            EACH_DIRECT_SUM(v_store(part + (i * C + c) * V, v_load(part + (i * C + c) * V) + sum[i][c]))
            EACH_DIRECT_SUM(sum[i][c] = (vec){0})
        }
    }
    if (k > PYCONV_CHAIN)
        EACH_DIRECT_SUM(sum[i][c] += v_load(part + (i * C + c) * V))
    if (e->flags & PYCONV_BIAS_ROW)
        EACH_DIRECT_SUM(sum[i][c] += v_set1(e->bias[i]))
    if (residual)
        EACH_DIRECT_SUM(sum[i][c] += y_load_n(residual + at, valid))
    if (e->flags & PYCONV_CLAMP)
        EACH_DIRECT_SUM(sum[i][c] = NAME(clamp)(sum[i][c], e))
    if (n == V && last == V)
        EACH_DIRECT_SUM(y_store(y + at, sum[i][c]))
    else
        EACH_DIRECT_SUM(y_store_n(y + at, sum[i][c], valid))
#undef EACH_DIRECT_SUM
}

#define DIRECT_INSTANCE(m, C)                                                                                \
    static void NAME(direct_##m##_##C)(const NAME(direct_task) * task, const real *x, real *y,               \
                                       const real *residual, ptrdiff_t n, ptrdiff_t last) {                  \
        NAME(direct_tile)(m, C, task, x, y, residual, n, last);                                              \
    }
#define DIRECT_INSTANCES(m) DIRECT_INSTANCE(m, 1) DIRECT_INSTANCE(m, 2)
#define DIRECT_ENTRIES(m) {NAME(direct_##m##_1), NAME(direct_##m##_2)},
EACH_M(DIRECT_INSTANCES)
/* 24 sums, 4 vectors and a weight of 32 registers, or 8 sums of 16. */
#if REGISTERS == 32
#define EACH_FEW(F) F(1, 4) F(2, 4) F(3, 4) F(4, 4) F(5, 4) F(6, 4)
enum { NAME(direct_few) = 6 };
#else
#define EACH_FEW(F) F(1, 4) F(2, 4)
enum { NAME(direct_few) = 2 };
#endif
#define DIRECT_FEW(m, C) NAME(direct_##m##_##C),
EACH_FEW(DIRECT_INSTANCE)

static void NAME(direct)(const pyconv_band *b, ptrdiff_t m, ptrdiff_t k, const void *band_,
                         const ptrdiff_t *offsets, const void *w, void *y_, ptrdiff_t ys_c,
                         const pyconv_epilogue *e_) {
    const real *band = band_;
    real *y = y_;
    const EPILOGUE e = NAME(epilogue_of)(e_);
    typedef void instance(const NAME(direct_task) * task, const real *x, real *y, const real *residual,
                          ptrdiff_t n, ptrdiff_t last);
    static instance *const narrow[MR][2] = {EACH_M(DIRECT_ENTRIES)};
    static instance *const wide[NAME(direct_few)] = {EACH_FEW(DIRECT_FEW)};
    const ptrdiff_t row = b->sh * b->sw * b->pitch;
    const int by_rows = b->cols <= V;
    const NAME(direct_task) task = {.e = &e,
                                    .w = w,
                                    .offsets = offsets,
                                    .k = k,
                                    .ys_c = ys_c,
                                    .x_step = by_rows ? row : V,
                                    .y_step = by_rows ? b->ys_h : V};
    const real *residual = e.flags & PYCONV_RESIDUAL ? e.residual : NULL;
    const ptrdiff_t vectors = by_rows ? b->rows : (b->cols - 1) / V + 1;
    for (ptrdiff_t r = 0; r < (by_rows ? 1 : b->rows); r++)
        for (ptrdiff_t c = 0, count; c < vectors; c += count) {
            const ptrdiff_t at = r * b->ys_h + c * task.y_step, left = vectors - c;
            count = left >= 4 && m <= NAME(direct_few) ? 4 : left >= 2 ? 2 : 1;
            instance *const f = count == 4 ? wide[m - 1] : narrow[m - 1][count - 1];
            const ptrdiff_t n = by_rows ? b->cols : V;
            const ptrdiff_t last = by_rows || c + count < vectors ? n : b->cols - (vectors - 1) * V;
            f(&task, band + r * row + c * task.x_step, y + at, residual ? residual + at : NULL, n, last);
        }
}
#undef DIRECT_INSTANCE
#undef DIRECT_INSTANCES
#undef DIRECT_ENTRIES
#undef DIRECT_FEW
#undef EACH_FEW
