/* SPDX-License-Identifier: BSD-3-Clause */
/* y[r][q] = clamp(bias + sum over i, j of w[i][j] band[tap (i, j) of (r, q)] + residual[r][q], lo, hi): one filter on a
 * band of one channel (see band.h).
 *
 *   band  [..][sw][pitch]     w  [kh][kw]     y, residual  [b->rows][b->cols], rows b->ys_h apart
 *
 * A tile is R rows x C vectors of sums. Its rows share band rows: with sh' = sh / gcd(sh, dh) and dh' = dh / gcd,
 * output rows dh' apart read band rows lcm(sh, dh) apart, as do taps sh' apart. So a vector of the band is loaded
 * once for up to R rows. Taps outside a row's window are left out, not multiplied by zero: zero times NaN is NaN. */

typedef struct NAME(depthwise_task) {
    const pyconv_band *b;
    const EPILOGUE *e;
    ptrdiff_t classes;    /* sh': taps with equal i % sh' share band rows */
    ptrdiff_t class_step; /* from the band row of tap i to that of tap i + 1 */
    ptrdiff_t band_step;  /* from the band row of a tile row to that of the next */
    ptrdiff_t y_step;     /* likewise in y */
} NAME(depthwise_task);

/* Sums onto y; the last vector of a row has n <= V valid lanes. */
INLINE void NAME(depthwise_store)(const int R, const int C, vec sum[4][4], real *y, const real *residual,
                                  ptrdiff_t y_step, ptrdiff_t n, const EPILOGUE *e) {
#define EACH_DEPTHWISE_SUM(full, rest)                                                                                 \
    PYCONV_UNROLL                                                                                            \
    for (int t = 0; t < R; t++) {                                                                            \
        PYCONV_UNROLL                                                                                        \
        for (int c = 0; c < C - 1; c++)                                                                      \
            full;                                                                                            \
        const int c = C - 1;                                                                                 \
        rest;                                                                                                \
    }
    if (residual)
        EACH_DEPTHWISE_SUM(sum[t][c] += v_load(residual + t * y_step + c * V),
                 sum[t][c] += v_load_n(residual + t * y_step + c * V, n))
    if (e->flags & PYCONV_CLAMP)
        EACH_DEPTHWISE_SUM(sum[t][c] = NAME(clamp)(sum[t][c], e), sum[t][c] = NAME(clamp)(sum[t][c], e))
    if (n == V)
        EACH_DEPTHWISE_SUM(v_store(y + t * y_step + c * V, sum[t][c]), v_store(y + t * y_step + c * V, sum[t][c]))
    else
        EACH_DEPTHWISE_SUM(v_store(y + t * y_step + c * V, sum[t][c]), v_store_n(y + t * y_step + c * V, sum[t][c], n))
#undef EACH_DEPTHWISE_SUM
}

INLINE void NAME(depthwise_clear)(const int R, const int C, vec sum[4][4], const EPILOGUE *e) {
    const vec bias = v_set1(e->flags & PYCONV_BIAS_ROW ? *e->bias : 0);
    PYCONV_UNROLL
    for (int t = 0; t < R; t++) {
        PYCONV_UNROLL
        for (int c = 0; c < C; c++)
            sum[t][c] = bias;
    }
}

/* R rows of y for a kernel known when compiled, unrolled whole. */
INLINE void NAME(depthwise_known)(const int R, const int C, const int KH, const int KW, const int classes,
                                  const NAME(depthwise_task) *task, const real *x, const vec *w,
                                  const ptrdiff_t *column, real *y, const real *residual, ptrdiff_t n) {
    vec sum[4][4];
    NAME(depthwise_clear)(R, C, sum, task->e);
    PYCONV_UNROLL
    for (int first = 0; first < classes; first++) {
        const int taps = (KH - first + classes - 1) / classes;
        const real *row = x + first * task->class_step;
        PYCONV_UNROLL
        for (int a = 0; a < taps + R - 1; a++, row += task->band_step) {
            PYCONV_UNROLL
            for (int j = 0; j < KW; j++) {
                vec v[4];
                PYCONV_UNROLL
                for (int c = 0; c < C; c++)
                    v[c] = v_load(row + column[j] + c * V);
                PYCONV_UNROLL
                for (int t = 0; t < R; t++)
                    if (t <= a && a - t < taps) {
                        PYCONV_UNROLL
                        for (int c = 0; c < C; c++)
                            sum[t][c] = v_fma(w[(first + (a - t) * classes) * KW + j], v[c], sum[t][c]);
                    }
            }
        }
    }
    NAME(depthwise_store)(R, C, sum, y, residual, task->y_step, n, task->e);
}

/* One row of the band, all of kw, for rows first <= t < last of a tile; w is the weight row of tile row 0, that of row t
 * is t w_step before it. */
INLINE void NAME(depthwise_row)(const int R, const int C, const int first, const int last, ptrdiff_t kw,
                                pyconv_tap_step step, const real *x, const real *w, ptrdiff_t w_step, vec sum[4][4]) {
    pyconv_tap tap = {0, 0};
    for (ptrdiff_t j = 0; j < kw; j++) {
        vec v[4];
        PYCONV_UNROLL
        for (int c = 0; c < C; c++)
            v[c] = v_load(x + tap.at + c * V);
        PYCONV_UNROLL
        for (int t = first; t < last; t++) {
            const vec scale = v_set1(w[j - t * w_step]);
            PYCONV_UNROLL
            for (int c = 0; c < C; c++)
                sum[t][c] = v_fma(scale, v[c], sum[t][c]);
        }
        tap = pyconv_next_tap(step, tap);
    }
}

/* R rows of y for any kernel that has at least R taps in each class. */
INLINE void NAME(depthwise_any)(const int R, const int C, const NAME(depthwise_task) *task, const real *x,
                                const real *w, real *y, const real *residual, ptrdiff_t n) {
    const pyconv_band *b = task->b;
    const ptrdiff_t kw = b->kw, w_step = task->classes * kw;
    const pyconv_tap_step step = pyconv_tap_step_of(b);
    vec sum[4][4];
    NAME(depthwise_clear)(R, C, sum, task->e);
    for (ptrdiff_t first = 0; first < task->classes && first < b->kh; first++) {
        const ptrdiff_t taps = (b->kh - first + task->classes - 1) / task->classes;
        const real *row = x + first * task->class_step, *weight = w + first * b->kw;
        PYCONV_UNROLL
        for (int a = 0; a < R - 1; a++, row += task->band_step, weight += w_step)
            NAME(depthwise_row)(R, C, 0, a + 1, kw, step, row, weight, w_step, sum);
        for (ptrdiff_t a = R - 1; a < taps; a++, row += task->band_step, weight += w_step)
            NAME(depthwise_row)(R, C, 0, R, kw, step, row, weight, w_step, sum);
        PYCONV_UNROLL
        for (int a = 1; a < R; a++, row += task->band_step, weight += w_step)
            NAME(depthwise_row)(R, C, a, R, kw, step, row, weight, w_step, sum);
    }
    NAME(depthwise_store)(R, C, sum, y, residual, task->y_step, n, task->e);
}

/* All columns of R rows. */
#define DEPTHWISE_KNOWN(KH, KW, classes, R)                                                                  \
    static void NAME(depthwise_##KH##x##KW##_##classes##_##R)(                                               \
        const NAME(depthwise_task) *task, const real *x, const real *w, real *y, const real *residual) {     \
        vec weight[KH * KW];                                                                                 \
        ptrdiff_t column[KW], q = 0;                                                                         \
        const pyconv_tap_step step = pyconv_tap_step_of(task->b);                                            \
        pyconv_tap tap = {0, 0};                                                                             \
        PYCONV_UNROLL                                                                                        \
        for (int i = 0; i < KH * KW; i++)                                                                    \
            weight[i] = v_set1(w[i]);                                                                        \
        for (int j = 0; j < KW; j++, tap = pyconv_next_tap(step, tap))                                    \
            column[j] = tap.at;                                                                              \
        const ptrdiff_t cols = task->b->cols;                                                                \
        for (; cols - q > V; q += 2 * V)                                                                     \
            NAME(depthwise_known)(R, 2, KH, KW, classes, task, x + q, weight, column, y + q,                 \
                                  residual ? residual + q : NULL, cols - q < 2 * V ? cols - q - V : V);      \
        if (q < cols)                                                                                        \
            NAME(depthwise_known)(R, 1, KH, KW, classes, task, x + q, weight, column, y + q,                 \
                                  residual ? residual + q : NULL, cols - q);                                 \
    }

#if PYCONV_LEVEL == PYCONV_ISA_avx512 || PYCONV_LEVEL == PYCONV_ISA_neon
#define DEPTHWISE_C 4
#else
#define DEPTHWISE_C 2
#endif
#define DEPTHWISE_ANY(R)                                                                                     \
    static void NAME(depthwise_any_##R)(const NAME(depthwise_task) *task, const real *x, const real *w,      \
                                        real *y, const real *residual) {                                     \
        const ptrdiff_t cols = task->b->cols;                                                                \
        ptrdiff_t q = 0;                                                                                     \
        for (; cols - q > (DEPTHWISE_C - 1) * V; q += DEPTHWISE_C * V) {                                     \
            const ptrdiff_t n = cols - q - (DEPTHWISE_C - 1) * V;                                            \
            NAME(depthwise_any)(R, DEPTHWISE_C, task, x + q, w, y + q, residual ? residual + q : NULL,       \
                                n < V ? n : V);                                                              \
        }                                                                                                    \
        for (; cols - q > V; q += 2 * V)                                                                     \
            NAME(depthwise_any)(R, 2, task, x + q, w, y + q, residual ? residual + q : NULL,                 \
                                cols - q < 2 * V ? cols - q - V : V);                                        \
        if (q < cols)                                                                                        \
            NAME(depthwise_any)(R, 1, task, x + q, w, y + q, residual ? residual + q : NULL, cols - q);      \
    }

#define DEPTHWISE_HEIGHTS(F, ...) F(__VA_ARGS__, 4) F(__VA_ARGS__, 2) F(__VA_ARGS__, 1)
DEPTHWISE_HEIGHTS(DEPTHWISE_KNOWN, 3, 3, 1)
DEPTHWISE_HEIGHTS(DEPTHWISE_KNOWN, 3, 3, 2)
DEPTHWISE_HEIGHTS(DEPTHWISE_KNOWN, 5, 5, 1)
DEPTHWISE_HEIGHTS(DEPTHWISE_KNOWN, 5, 5, 2)
DEPTHWISE_ANY(4)
DEPTHWISE_ANY(2)
DEPTHWISE_ANY(1)

static void NAME(depthwise)(const pyconv_band *b, const real *band, const real *w, real *y,
                            const EPILOGUE *e) {
    typedef void instance(const NAME(depthwise_task) *task, const real *x, const real *w, real *y,
                          const real *residual);
#define DEPTHWISE_ENTRIES(name) {NAME(depthwise_##name##_4), NAME(depthwise_##name##_2), NAME(depthwise_##name##_1)}
    static instance *const instances[][3] = {DEPTHWISE_ENTRIES(any), DEPTHWISE_ENTRIES(3x3_1),
                                             DEPTHWISE_ENTRIES(3x3_2), DEPTHWISE_ENTRIES(5x5_1),
                                             DEPTHWISE_ENTRIES(5x5_2)};
    const ptrdiff_t row = b->sw * b->pitch, common = pyconv_gcd(b->sh, b->dh), stride = b->sh / common;
    const ptrdiff_t apart = b->dh / common;
    const NAME(depthwise_task) task = {.b = b,
                                       .e = e,
                                       .classes = stride,
                                       .class_step = b->dh * row,
                                       .band_step = b->sh * apart * row,
                                       .y_step = apart * b->ys_h};
    int kind = 0;
    if (b->kh == b->kw && stride <= 2 && (b->kh == 3 || b->kh == 5))
        kind = (int)(b->kh - 3 + stride);
    const ptrdiff_t tallest = kind ? 4 : b->kh / stride;
    for (ptrdiff_t residue = 0; residue < apart; residue++)
        for (ptrdiff_t r = residue, left = pyconv_ceil_div(b->rows - residue, apart), height; left > 0;
             left -= height, r += height * apart) {
            const int size = left >= 4 && tallest >= 4 ? 0 : left >= 2 && tallest >= 2 ? 1 : 2;
            height = 4 >> size;
            instances[kind][size](&task, band + r * b->sh * row, w, y + r * b->ys_h,
                                  e->flags & PYCONV_RESIDUAL ? e->residual + r * b->ys_h : NULL);
        }
}
#undef DEPTHWISE_ENTRIES
#undef DEPTHWISE_HEIGHTS
#undef DEPTHWISE_KNOWN
#undef DEPTHWISE_ANY
#undef DEPTHWISE_C
