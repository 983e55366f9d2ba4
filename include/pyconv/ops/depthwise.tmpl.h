/* SPDX-License-Identifier: BSD-3-Clause */
/* y[c][r][q] = clamp(bias[c] + sum over i, j of w[c][i][j] band[c][tap (i, j) of (r, q)] + residual[c][r][q], lo, hi): each
 * filter on its own band of one channel (see band.h).
 *
 *   band  [planes][..][sw][pitch], planes band_c apart     w  [planes][kh][kw]
 *   y, residual  [planes][b->rows][b->cols], planes ys_c and rows b->ys_h apart     bias  [planes]
 *
 * A tile is R rows x C vectors of sums. Its rows are b->apart apart, so that a vector of the band, loaded once, serves
 * up to R rows, each with another tap. Taps outside a row's window are left out, not multiplied by zero: zero
 * times NaN is NaN. */

#if REGISTERS == 32
#define EACH_HEIGHT(F, ...)                                                                                  \
    F(__VA_ARGS__, 1)                                                                                        \
    F(__VA_ARGS__, 2)                                                                                        \
    F(__VA_ARGS__, 3)                                                                                        \
    F(__VA_ARGS__, 4) F(__VA_ARGS__, 5) F(__VA_ARGS__, 6) F(__VA_ARGS__, 7) F(__VA_ARGS__, 8)
enum { NAME(depthwise_height) = 8, NAME(depthwise_vectors) = 4 };
#else
#define EACH_HEIGHT(F, ...) F(__VA_ARGS__, 1) F(__VA_ARGS__, 2) F(__VA_ARGS__, 3) F(__VA_ARGS__, 4)
enum { NAME(depthwise_height) = 4, NAME(depthwise_vectors) = 2 };
#endif

/* What the tiles of a band have in common. */
typedef struct NAME(depthwise_task) {
    const pyconv_band *b;
    const EPILOGUE *e;
    const real *w;
    real bias;
    pyconv_tap_step step;
    ptrdiff_t class_step; /* from the band row of tap i to that of tap i + 1 */
    ptrdiff_t band_step;  /* from the band row of a tile row to that of the next */
    ptrdiff_t y_step;     /* likewise in y */
} NAME(depthwise_task);

/* Sums onto y; the last vector of a row has n <= V valid lanes. */
INLINE void NAME(depthwise_store)(const int R, const int C, vec sum[8][4], real *y, const real *residual,
                                  ptrdiff_t n, const NAME(depthwise_task) * task) {
    const ptrdiff_t y_step = task->y_step;
    const EPILOGUE *e = task->e;
#define EACH_DEPTHWISE_SUM(full, rest)                                                                       \
    PYCONV_UNROLL                                                                                            \
    for (int t = 0; t < R; t++) {                                                                            \
        PYCONV_UNROLL                                                                                        \
        for (int c = 0; c < C - 1; c++)                                                                      \
            full;                                                                                            \
        const int c = C - 1;                                                                                 \
        rest;                                                                                                \
    }
    if (residual)
        EACH_DEPTHWISE_SUM(sum[t][c] += y_load(residual + t * y_step + c * V),
                           sum[t][c] += y_load_n(residual + t * y_step + c * V, n))
    if (e->flags & PYCONV_CLAMP)
        EACH_DEPTHWISE_SUM(sum[t][c] = NAME(clamp)(sum[t][c], e), sum[t][c] = NAME(clamp)(sum[t][c], e))
    if (n == V)
        EACH_DEPTHWISE_SUM(y_store(y + c * V, sum[t][c]), y_store(y + c * V, sum[t][c]); y += y_step)
    else
        EACH_DEPTHWISE_SUM(y_store(y + c * V, sum[t][c]), y_store_n(y + c * V, sum[t][c], n); y += y_step)
#undef EACH_DEPTHWISE_SUM
}

#define EACH_ROW_SUM(statement)                                                                              \
    PYCONV_UNROLL                                                                                            \
    for (int t = 0; t < R; t++) {                                                                            \
        PYCONV_UNROLL                                                                                        \
        for (int c = 0; c < C; c++)                                                                          \
            statement;                                                                                       \
    }
#define PART (part + (t * C + c) * V)
/* The sums and, where one chain isn't enough, part[R][C][V] at the start of k products. */
INLINE void NAME(depthwise_begin)(const int R, const int C, vec sum[8][4], real *part, real value,
                                  ptrdiff_t k) {
    const vec bias = v_set1(value);
    EACH_ROW_SUM(sum[t][c] = bias)
    if (k > PYCONV_CHAIN)
        EACH_ROW_SUM(v_store(PART, (vec){0}))
}

/* part += sums, which begin anew: a chain ends. */
INLINE void NAME(depthwise_end_chain)(const int R, const int C, vec sum[8][4], real *part){
    EACH_ROW_SUM(v_store(PART, v_load(PART) + sum[t][c])) EACH_ROW_SUM(sum[t][c] = (vec){0})}

INLINE void NAME(depthwise_end)(const int R, const int C, vec sum[8][4], const real *part, ptrdiff_t k) {
    if (k > PYCONV_CHAIN)
        EACH_ROW_SUM(sum[t][c] += v_load(PART))
}
#undef PART

/* A kernel whose height is known when compiled: its columns one after the other, each with all its weights in
 * registers. */
INLINE void NAME(depthwise_known)(const int R, const int C, const int KH, const int classes,
                                  const NAME(depthwise_task) * task, const real *x, real *y,
                                  const real *residual, ptrdiff_t n) {
    const ptrdiff_t kw = task->b->kw;
    const real *w = task->w;
    vec sum[8][4];
    real part[R * C * V];
    NAME(depthwise_begin)(R, C, sum, part, task->bias, KH * kw);
    pyconv_tap tap = {0, 0};
    for (ptrdiff_t j = 0; j < kw;) {
        const ptrdiff_t end = kw - j > PYCONV_CHAIN / KH ? j + PYCONV_CHAIN / KH : kw;
        for (; j < end; j++, w++, tap = pyconv_next_tap(task->step, tap)) {
            PYCONV_UNROLL
            for (int first = 0; first < classes; first++) {
                const int taps = (KH - first + classes - 1) / classes;
                const real *row = x + tap.at + first * task->class_step;
                vec weight[8];
                PYCONV_UNROLL
                for (int i = 0; i < taps; i++)
                    weight[i] = v_set1(w[(first + i * classes) * kw]);
                PYCONV_UNROLL
                for (int a = 0; a < taps + R - 1; a++, row += task->band_step) {
                    vec v[4];
                    PYCONV_UNROLL
                    for (int c = 0; c < C; c++) {
                        v[c] = v_load(row + c * V);
                        v_keep(v[c]);
                    }
                    PYCONV_UNROLL
                    for (int t = 0; t < R; t++)
                        if (t <= a && a - t < taps) {
                            PYCONV_UNROLL
                            for (int c = 0; c < C; c++)
                                sum[t][c] = v_fma(weight[a - t], v[c], sum[t][c]);
                        }
                }
            }
        }
        if (j < kw)
            NAME(depthwise_end_chain)(R, C, sum, part);
    }
    NAME(depthwise_end)(R, C, sum, part, KH * kw);
    NAME(depthwise_store)(R, C, sum, y, residual, n, task);
}

/* One row of the band, all of kw, for rows first <= t < last of a tile of R; w is the weight row of tile row 0, that of row
 * t is t w_step before it. `room` is what the chain under way has left. */
INLINE void NAME(depthwise_row)(const int R, const int C, const int first, const int last, ptrdiff_t kw,
                                pyconv_tap_step step, const real *x, const real *w, ptrdiff_t w_step,
                                vec sum[8][4], real *part, ptrdiff_t *room) {
    pyconv_tap tap = {0, 0};
    for (ptrdiff_t j = 0; j < kw;) {
        if (*room == 0) {
            NAME(depthwise_end_chain)(R, C, sum, part);
            *room = PYCONV_CHAIN;
        }
        const ptrdiff_t end = kw - j > *room ? j + *room : kw;
        *room -= end - j;
        for (; j < end; j++, tap = pyconv_next_tap(step, tap)) {
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
        }
    }
}

/* Any kernel that has at least R taps in each class: its rows one after the other. */
INLINE void NAME(depthwise_any)(const int R, const int C, const NAME(depthwise_task) * task, const real *x,
                                real *y, const real *residual, ptrdiff_t n) {
    const ptrdiff_t kh = task->b->kh, kw = task->b->kw, classes = task->b->classes, w_step = classes * kw;
    const ptrdiff_t band_step = task->band_step;
    const pyconv_tap_step step = task->step;
    /* Steps of the tile: its rows take part in some of them. */
    const ptrdiff_t depth = (kh + classes * (R - 1)) * kw;
    ptrdiff_t room = PYCONV_CHAIN;
    vec sum[8][4];
    real part[R * C * V];
    NAME(depthwise_begin)(R, C, sum, part, task->bias, depth);
#define ROW(first, last) NAME(depthwise_row)(R, C, first, last, kw, step, row, w, w_step, sum, part, &room)
    for (ptrdiff_t first = 0; first < classes && first < kh; first++) {
        const ptrdiff_t taps = (kh - first + classes - 1) / classes;
        const real *row = x + first * task->class_step, *w = task->w + first * kw;
        PYCONV_UNROLL
        for (int a = 0; a < R - 1; a++, row += band_step, w += w_step)
            ROW(0, a + 1);
        for (ptrdiff_t a = R - 1; a < taps; a++, row += band_step, w += w_step)
            ROW(0, R);
        PYCONV_UNROLL
        for (int a = 1; a < R; a++, row += band_step, w += w_step)
            ROW(a, R);
    }
#undef ROW
    NAME(depthwise_end)(R, C, sum, part, depth);
    NAME(depthwise_store)(R, C, sum, y, residual, n, task);
}

/* All columns of R rows. */
#define DEPTHWISE_KNOWN(KH, classes, R)                                                                      \
    static void NAME(depthwise_##KH##_##classes##_##R)(const NAME(depthwise_task) * task, const real *x,     \
                                                       real *y, const real *residual) {                      \
        ptrdiff_t left = task->b->cols;                                                                      \
        for (; left > V; left -= 2 * V, x += 2 * V, y += 2 * V, residual += residual ? 2 * V : 0)            \
            NAME(depthwise_known)(R, 2, KH, classes, task, x, y, residual, left < 2 * V ? left - V : V);     \
        if (left > 0)                                                                                        \
            NAME(depthwise_known)(R, 1, KH, classes, task, x, y, residual, left);                            \
    }

#define DEPTHWISE_ANY(R)                                                                                     \
    static void NAME(depthwise_any_##R)(const NAME(depthwise_task) * task, const real *x, real *y,           \
                                        const real *residual) {                                              \
        enum { most = NAME(depthwise_vectors) * V };                                                         \
        ptrdiff_t left = task->b->cols;                                                                      \
        for (; left > most - V; left -= most, x += most, y += most, residual += residual ? most : 0)         \
            NAME(depthwise_any)(R, most / V, task, x, y, residual, left < most ? left - most + V : V);       \
        for (; left > V; left -= 2 * V, x += 2 * V, y += 2 * V, residual += residual ? 2 * V : 0)            \
            NAME(depthwise_any)(R, 2, task, x, y, residual, left < 2 * V ? left - V : V);                    \
        if (left > 0)                                                                                        \
            NAME(depthwise_any)(R, 1, task, x, y, residual, left);                                           \
    }

EACH_HEIGHT(DEPTHWISE_KNOWN, 1, 1)
EACH_HEIGHT(DEPTHWISE_KNOWN, 3, 1)
EACH_HEIGHT(DEPTHWISE_KNOWN, 3, 2)
EACH_HEIGHT(DEPTHWISE_KNOWN, 5, 1)
EACH_HEIGHT(DEPTHWISE_KNOWN, 5, 2)
EACH_HEIGHT(DEPTHWISE_KNOWN, 7, 1)
EACH_HEIGHT(DEPTHWISE_KNOWN, 7, 2)
DEPTHWISE_ANY(1)
DEPTHWISE_ANY(4)

static void NAME(depthwise)(const pyconv_band *b, ptrdiff_t planes, const void *band_, ptrdiff_t band_c,
                            const void *w_, void *y_, ptrdiff_t ys_c, const pyconv_epilogue *e_) {
    const real *band = band_, *w = w_;
    real *y = y_;
    const EPILOGUE e = NAME(epilogue_of)(e_);
    typedef void instance(const NAME(depthwise_task) * task, const real *x, real *y, const real *residual);
#define DEPTHWISE_ENTRY(KH, classes, R) NAME(depthwise_##KH##_##classes##_##R),
    static instance *const known[4][2][NAME(depthwise_height)] = {
        {{EACH_HEIGHT(DEPTHWISE_ENTRY, 1, 1)}, {EACH_HEIGHT(DEPTHWISE_ENTRY, 1, 1)}},
        {{EACH_HEIGHT(DEPTHWISE_ENTRY, 3, 1)}, {EACH_HEIGHT(DEPTHWISE_ENTRY, 3, 2)}},
        {{EACH_HEIGHT(DEPTHWISE_ENTRY, 5, 1)}, {EACH_HEIGHT(DEPTHWISE_ENTRY, 5, 2)}},
        {{EACH_HEIGHT(DEPTHWISE_ENTRY, 7, 1)}, {EACH_HEIGHT(DEPTHWISE_ENTRY, 7, 2)}}};
    const ptrdiff_t row = b->sw * b->pitch, kh = b->kh;
    const int is_known = (kh == 1 || kh == 3 || kh == 5 || kh == 7) && b->classes <= 2;
    NAME(depthwise_task)
    task = {.b = b,
            .e = &e,
            .step = pyconv_tap_step_of(b),
            .class_step = b->dh * row,
            .band_step = b->sh * b->apart * row,
            .y_step = b->apart * b->ys_h};
    for (ptrdiff_t residue = 0; residue < b->apart && residue < b->rows; residue++) {
        ptrdiff_t r = residue, left = b->apart == 1 ? b->rows : (b->rows - residue - 1) / b->apart + 1;
        while (left > 0) {
            instance *f;
            ptrdiff_t height;
            if (is_known) {
                /* The last two tiles share what is left, 14 rows are 7 + 7. */
                height = left >= 2 * NAME(depthwise_height) || left <= NAME(depthwise_height)
                             ? left < NAME(depthwise_height) ? left : NAME(depthwise_height)
                             : (left + 1) / 2;
                f = known[kh / 2][b->classes - 1][height - 1];
            } else {
                height = left >= 4 && kh >= 4 * b->classes ? 4 : 1;
                f = height == 4 ? NAME(depthwise_any_4) : NAME(depthwise_any_1);
            }
            for (ptrdiff_t c = 0; c < planes; c++) {
                const ptrdiff_t at = c * ys_c + r * b->ys_h;
                task.w = w + c * kh * b->kw;
                task.bias = e.flags & PYCONV_BIAS_ROW ? e.bias[c] : 0;
                f(&task, band + c * band_c + r * b->sh * row, y + at,
                  e.flags & PYCONV_RESIDUAL ? e.residual + at : NULL);
            }
            left -= height;
            r += height * b->apart;
        }
    }
}
#undef DEPTHWISE_ENTRY
#undef DEPTHWISE_KNOWN
#undef DEPTHWISE_ANY
#undef EACH_HEIGHT
#undef EACH_ROW_SUM
