/* SPDX-License-Identifier: BSD-3-Clause */
/* The tiles of depthwise and depthwise_interleaved: R rows x C vectors of sums on a band. Rows are b->apart apart, so that a
 * vector of the band, loaded once, serves up to R rows, each with another tap. Taps outside a row's window are left out, not
 * multiplied by zero: zero times NaN is NaN.
 *
 * A tap has one weight (L == 1), and the vectors of a tile are neighbours, or a weight for each lane (L == V), and they are
 * task->phases apart: the weights of each again, w [kh][kw][L]. */

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
    const real *w, *bias;
    pyconv_tap_step step;
    ptrdiff_t class_step;    /* from the band row of tap i to that of tap i + 1 */
    ptrdiff_t band_step;     /* from the band row of a tile row to that of the next */
    ptrdiff_t y_step;        /* likewise in y */
    ptrdiff_t phases, first; /* of rows with L == V: kinds of vectors, the kind of a row's first */
} NAME(depthwise_task);

/* Of a tap, L reals each. */
INLINE vec NAME(depthwise_weight)(const int L, const real *w) { return L == 1 ? v_set1(*w) : v_load(w); }

/* From one vector of a tile to the next. */
INLINE ptrdiff_t NAME(depthwise_gap)(const int L, const NAME(depthwise_task) * task) {
    return L == 1 ? V : task->phases * V;
}

/* Sums onto y; the last vector of a row has n <= V valid lanes. */
INLINE void NAME(depthwise_store)(const int L, const int R, const int C, vec sum[8][4], real *y,
                                  const real *residual, ptrdiff_t n, const NAME(depthwise_task) * task) {
    const ptrdiff_t y_step = task->y_step, gap = NAME(depthwise_gap)(L, task);
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
        EACH_DEPTHWISE_SUM(sum[t][c] += y_load(residual + t * y_step + c * gap),
                           sum[t][c] += y_load_n(residual + t * y_step + c * gap, n))
    if (e->flags & PYCONV_CLAMP)
        EACH_DEPTHWISE_SUM(sum[t][c] = NAME(clamp)(sum[t][c], e), sum[t][c] = NAME(clamp)(sum[t][c], e))
    if (n == V)
        EACH_DEPTHWISE_SUM(y_store(y + c * gap, sum[t][c]), y_store(y + c * gap, sum[t][c]); y += y_step)
    else
        EACH_DEPTHWISE_SUM(y_store(y + c * gap, sum[t][c]), y_store_n(y + c * gap, sum[t][c], n); y += y_step)
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
INLINE void NAME(depthwise_begin)(const int R, const int C, vec sum[8][4], real *part, vec bias,
                                  ptrdiff_t k) {
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
INLINE void NAME(depthwise_known)(const int L, const int R, const int C, const int KH, const int classes,
                                  const NAME(depthwise_task) * task, const real *x, const real *w,
                                  const real *bias, real *y, const real *residual, ptrdiff_t n) {
    const ptrdiff_t kw = task->b->kw, gap = NAME(depthwise_gap)(L, task);
    vec sum[8][4];
    real part[R * C * V];
    NAME(depthwise_begin)(R, C, sum, part, NAME(depthwise_weight)(L, bias), KH * kw);
    pyconv_tap tap = {0, 0};
    for (ptrdiff_t j = 0; j < kw;) {
        const ptrdiff_t end = kw - j > PYCONV_CHAIN / KH ? j + PYCONV_CHAIN / KH : kw;
        for (; j < end; j++, w += L, tap = pyconv_next_tap(task->step, tap)) {
            PYCONV_UNROLL
            for (int first = 0; first < classes; first++) {
                const int taps = (KH - first + classes - 1) / classes;
                const real *row = x + tap.at + first * task->class_step;
                vec weight[8];
                PYCONV_UNROLL
                for (int i = 0; i < taps; i++)
                    weight[i] = NAME(depthwise_weight)(L, w + (first + i * classes) * kw * L);
                PYCONV_UNROLL
                for (int a = 0; a < taps + R - 1; a++, row += task->band_step) {
                    vec v[4];
                    PYCONV_UNROLL
                    for (int c = 0; c < C; c++) {
                        v[c] = v_load(row + c * gap);
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
    NAME(depthwise_store)(L, R, C, sum, y, residual, n, task);
}

/* One row of the band, all of kw, for rows first <= t < last of a tile of R; w is the weight row of tile row 0, that of row
 * t is t w_step before it. `room` is what the chain under way has left. */
INLINE void NAME(depthwise_row)(const int L, const int R, const int C, const int first, const int last,
                                ptrdiff_t kw, ptrdiff_t gap, pyconv_tap_step step, const real *x,
                                const real *w, ptrdiff_t w_step, vec sum[8][4], real *part, ptrdiff_t *room) {
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
                v[c] = v_load(x + tap.at + c * gap);
            PYCONV_UNROLL
            for (int t = first; t < last; t++) {
                const vec scale = NAME(depthwise_weight)(L, w + (j - t * w_step) * L);
                PYCONV_UNROLL
                for (int c = 0; c < C; c++)
                    sum[t][c] = v_fma(scale, v[c], sum[t][c]);
            }
        }
    }
}

/* Any kernel that has at least R taps in each class: its rows one after the other. */
INLINE void NAME(depthwise_any)(const int L, const int R, const int C, const NAME(depthwise_task) * task,
                                const real *x, const real *w0, const real *bias, real *y,
                                const real *residual, ptrdiff_t n) {
    const ptrdiff_t kh = task->b->kh, kw = task->b->kw, classes = task->b->classes, w_step = classes * kw;
    const ptrdiff_t band_step = task->band_step, gap = NAME(depthwise_gap)(L, task);
    const pyconv_tap_step step = task->step;
    /* Steps of the tile: its rows take part in some of them. */
    const ptrdiff_t depth = (kh + classes * (R - 1)) * kw;
    ptrdiff_t room = PYCONV_CHAIN;
    vec sum[8][4];
    real part[R * C * V];
    NAME(depthwise_begin)(R, C, sum, part, NAME(depthwise_weight)(L, bias), depth);
#define ROW(first, last)                                                                                     \
    NAME(depthwise_row)(L, R, C, first, last, kw, gap, step, row, w, w_step, sum, part, &room)
    for (ptrdiff_t first = 0; first < classes && first < kh; first++) {
        const ptrdiff_t taps = (kh - first + classes - 1) / classes;
        const real *row = x + first * task->class_step, *w = w0 + first * kw * L;
        PYCONV_UNROLL
        for (int a = 0; a < R - 1; a++, row += band_step, w += w_step * L)
            ROW(0, a + 1);
        for (ptrdiff_t a = R - 1; a < taps; a++, row += band_step, w += w_step * L)
            ROW(0, R);
        PYCONV_UNROLL
        for (int a = 1; a < R; a++, row += band_step, w += w_step * L)
            ROW(a, R);
    }
#undef ROW
    NAME(depthwise_end)(R, C, sum, part, depth);
    NAME(depthwise_store)(L, R, C, sum, y, residual, n, task);
}
#undef EACH_ROW_SUM

typedef void NAME(depthwise_instance)(const NAME(depthwise_task) * task, const real *x, real *y,
                                      const real *residual);

/* All rows of some planes, in tiles of up to EACH_HEIGHT rows by known[height - 1], or else of 4 rows and 1 by `any`. Filters
 * are w_c apart, and so are their biases if there are any. */
static void NAME(depthwise_planes)(NAME(depthwise_task) * task, NAME(depthwise_instance) *const *known,
                                   NAME(depthwise_instance) *const any[2], ptrdiff_t planes, const real *band,
                                   ptrdiff_t band_c, const real *w, ptrdiff_t w_c, const real *bias,
                                   ptrdiff_t bias_c, real *y, ptrdiff_t ys_c) {
    enum { most = NAME(depthwise_height) };
    const pyconv_band *b = task->b;
    const EPILOGUE *e = task->e;
    const ptrdiff_t row = b->sw * b->pitch;
    task->class_step = b->dh * row;
    task->band_step = b->sh * b->apart * row;
    task->y_step = b->apart * b->ys_h;
    for (ptrdiff_t residue = 0; residue < b->apart && residue < b->rows; residue++) {
        ptrdiff_t r = residue, left = b->apart == 1 ? b->rows : (b->rows - residue - 1) / b->apart + 1;
        while (left > 0) {
            NAME(depthwise_instance) * compute;
            ptrdiff_t height;
            if (known) {
                /* The last two tiles share what is left, 14 rows are 7 + 7. */
                height = left >= 2 * most ? most : left > most ? (left + 1) / 2 : left;
                compute = known[height - 1];
            } else {
                height = left >= 4 && b->kh >= 4 * b->classes ? 4 : 1;
                compute = any[height == 4];
            }
            for (ptrdiff_t c = 0; c < planes; c++) {
                const ptrdiff_t at = c * ys_c + r * b->ys_h;
                task->w = w + c * w_c;
                task->bias = bias + c * bias_c;
                compute(task, band + c * band_c + r * b->sh * row, y + at,
                        e->flags & PYCONV_RESIDUAL ? e->residual + at : NULL);
            }
            left -= height;
            r += height * b->apart;
        }
    }
}
