/* SPDX-License-Identifier: BSD-3-Clause */
/* y[r][q][c] = clamp(bias[c] + sum over l, i, j of w[l][i][j][c] x[l][(first + r) sh - ph + i dh][q sw - pw + j dw][c]
 *                    + residual[r][q][c], lo, hi):
 * rows first + r of a channels-last image, or of the sum over p->c of them, taps outside the image left out.
 *
 *   x  [l][ih][iw][channels], p->xs_c, xs_h and xs_w apart     w  [l][kh][kw][ws]     bias  [channels]
 *   y, residual  [rows][ow][channels], ys_h and ys_w apart
 *
 * Vectors run over channels. A tile is up to 8 neighbouring pixels. Where these have neighbouring windows (stride and
 * dilation 1) a pixel of x is loaded once for the sums it is in, of up to 7 taps.
 *
 * grouped_nhwc: x is one image whose pixels hold p->c channels of each group; channel c of y reads, as x[l], input l of its
 * group, number (skip + c) / ocg of those in x. All of them are one vector: a lane moves to where it is needed as it is
 * loaded. */

typedef struct NAME(pixels_task) {
    const pyconv_patches *p;
    const EPILOGUE *e;
    ptrdiff_t ws, ys_w, channels;
    ptrdiff_t i0, i1; /* rows of taps inside the image */
    ptrdiff_t span;   /* channels of a pixel of x, and where those of x[l] are, if it is grouped */
    const NAME(indices) * index;
} NAME(pixels_task);

/* A tile of a row. j0 <= j < j1 are inside the image: taps, the same ones of all pixels, or, where loads are shared, columns
 * of x counted from the first window's. `column` is that of j0 in x. */
typedef struct NAME(pixels_tile) {
    void (*compute)(const NAME(pixels_task) * task, ptrdiff_t j0, ptrdiff_t j1, const real *x, const real *w,
                    real *y, const real *residual, const real *bias);
    ptrdiff_t q, j0, j1, column;
} NAME(pixels_tile);

#define LOAD(p) (full ? v_load(p) : v_load_n(p, n))
#define LOAD_X(p) (grouped ? v_permute(v_load_n(p, span), index) : LOAD(p))
/* W neighbouring taps of one row, from tap j on, for Q pixels: each column of x is loaded once. `inside`: all are in the
 * image. */
INLINE void NAME(pixels_columns)(const int grouped, ptrdiff_t span, NAME(indices) index, const int Q,
                                 const int W, const int inside, const int full, ptrdiff_t j, ptrdiff_t j0,
                                 ptrdiff_t j1, const real *x, ptrdiff_t x_tap, const real *w, ptrdiff_t ws,
                                 ptrdiff_t n, vec sum[8]) {
    vec scale[7];
    ptrdiff_t at = (j - j0) * x_tap;
    w += j * ws;
    PYCONV_UNROLL
    for (int a = 0; a < W; a++, w += ws)
        scale[a] = LOAD(w);
    PYCONV_UNROLL
    for (int a = 0; a < Q + W - 1; a++, at += x_tap) {
        if (!inside && (j + a < j0 || j + a >= j1))
            continue;
        vec v = LOAD_X(x + at);
        v_keep(v);
        PYCONV_UNROLL
        for (int q = 0; q < Q; q++)
            if (q <= a && a - q < W)
                sum[q] = v_fma(scale[a - q], v, sum[q]);
    }
}

/* Q pixels and one vector of channels, n of them valid; x stands at row i0 and column j0, w at tap (i0, 0). KW is the
 * width of a kernel that shares its loads, or 1 for any that does, else 0. */
INLINE void NAME(pixels)(const int grouped, const int Q, const int KW, const int inside, const int full,
                         const NAME(pixels_task) * task, ptrdiff_t j0, ptrdiff_t j1, const real *x,
                         const real *w, real *y, const real *residual, const real *bias, ptrdiff_t n) {
    const pyconv_patches *p = task->p;
    const EPILOGUE *e = task->e;
    const ptrdiff_t step = p->sw * p->xs_w, x_row = p->dh * p->xs_h, x_tap = p->dw * p->xs_w, ws = task->ws;
    const ptrdiff_t kw = p->kw, w_row = kw * ws, span = task->span;
    vec sum[8];
    const vec start = bias ? LOAD(bias) : (vec){0};
    PYCONV_UNROLL
    for (int q = 0; q < Q; q++)
        sum[q] = start;
    for (ptrdiff_t l = 0; l < p->c; l++, w += p->kh * w_row) {
        const real *x_from = x + (grouped ? 0 : l * p->xs_c), *w_from = w;
        NAME(indices) index = {0};
        if (grouped)
            index = task->index[l];
        for (ptrdiff_t i = task->i0; i < task->i1; i++, x_from += x_row, w_from += w_row) {
            if (KW > 1)
                NAME(pixels_columns)(grouped, span, index, Q, KW, inside, full, 0, j0, j1, x_from, x_tap,
                                     w_from, ws, n, sum);
            else if (KW == 1) {
                ptrdiff_t j = 0;
                for (; j + 4 <= kw; j += 4)
                    NAME(pixels_columns)(grouped, span, index, Q, 4, inside, full, j, j0, j1, x_from, x_tap,
                                         w_from, ws, n, sum);
                if (j + 2 <= kw) {
                    NAME(pixels_columns)(grouped, span, index, Q, 2, inside, full, j, j0, j1, x_from, x_tap,
                                         w_from, ws, n, sum);
                    j += 2;
                }
                if (j < kw)
                    NAME(pixels_columns)(grouped, span, index, Q, 1, inside, full, j, j0, j1, x_from, x_tap,
                                         w_from, ws, n, sum);
            } else {
                const real *tap = x_from;
                for (ptrdiff_t j = j0; j < j1; j++, tap += x_tap) {
                    const vec scale = LOAD(w_from + j * ws);
                    const real *pixel = tap;
                    PYCONV_UNROLL
                    for (int q = 0; q < Q; q++, pixel += step)
                        sum[q] = v_fma(scale, LOAD_X(pixel), sum[q]);
                }
            }
        }
    }
    PYCONV_UNROLL
    for (int q = 0; q < Q; q++) {
        const ptrdiff_t at = q * task->ys_w;
        if (residual)
            sum[q] += LOAD(residual + at);
        if (e->flags & PYCONV_CLAMP)
            sum[q] = NAME(clamp)(sum[q], e);
        if (full)
            v_store(y + at, sum[q]);
        else
            v_store_n(y + at, sum[q], n);
    }
}
#undef LOAD
#undef LOAD_X

#define PIXELS_INSTANCE(grouped, KW, inside, Q)                                                              \
    static void NAME(pixels_##grouped##_##KW##_##inside##_##Q)(                                              \
        const NAME(pixels_task) * task, ptrdiff_t j0, ptrdiff_t j1, const real *x, const real *w, real *y,   \
        const real *residual, const real *bias) {                                                            \
        ptrdiff_t left = task->channels;                                                                     \
        for (; left >= V; left -= V) {                                                                       \
            NAME(pixels)(grouped, Q, KW, inside, 1, task, j0, j1, x, w, y, residual, bias, V);               \
            x += V, w += V, y += V, residual += residual ? V : 0, bias += bias ? V : 0;                      \
        }                                                                                                    \
        if (left > 0)                                                                                        \
            NAME(pixels)(grouped, Q, KW, inside, 0, task, j0, j1, x, w, y, residual, bias, left);            \
    }
#define EACH_PIXELS(F, ...)                                                                                  \
    F(__VA_ARGS__, 1)                                                                                        \
    F(__VA_ARGS__, 2)                                                                                        \
    F(__VA_ARGS__, 3)                                                                                        \
    F(__VA_ARGS__, 4) F(__VA_ARGS__, 5) F(__VA_ARGS__, 6) F(__VA_ARGS__, 7) F(__VA_ARGS__, 8)
#define PIXELS_ENTRY(grouped, KW, inside, Q) NAME(pixels_##grouped##_##KW##_##inside##_##Q),
EACH_PIXELS(PIXELS_INSTANCE, 0, 0, 1)
EACH_PIXELS(PIXELS_INSTANCE, 0, 1, 0)
EACH_PIXELS(PIXELS_INSTANCE, 0, 3, 0)
EACH_PIXELS(PIXELS_INSTANCE, 0, 3, 1)
EACH_PIXELS(PIXELS_INSTANCE, 0, 5, 0)
EACH_PIXELS(PIXELS_INSTANCE, 0, 5, 1)
EACH_PIXELS(PIXELS_INSTANCE, 0, 7, 0)
EACH_PIXELS(PIXELS_INSTANCE, 0, 7, 1)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 1)
EACH_PIXELS(PIXELS_INSTANCE, 1, 1, 0)
EACH_PIXELS(PIXELS_INSTANCE, 1, 3, 0)

/* How many neighbours from pixel q on, at most 8, have the same taps inside the image: j0 <= j < j1. */
static ptrdiff_t NAME(pixels_alike)(const pyconv_patches *p, ptrdiff_t q, ptrdiff_t *j0, ptrdiff_t *j1) {
    const ptrdiff_t start = q * p->sw - p->pw;
    pyconv_taps_inside(start, p->dw, p->kw, p->iw, j0, j1);
    for (ptrdiff_t count = 1; count < 8 && count < p->ow - q; count++) {
        ptrdiff_t first, last;
        pyconv_taps_inside(start + count * p->sw, p->dw, p->kw, p->iw, &first, &last);
        if (first != *j0 || last != *j1)
            return count;
    }
    return p->ow - q < 8 ? p->ow - q : 8;
}

/* The tile that starts at pixel q; returns its pixels. */
static ptrdiff_t NAME(pixels_tile_at)(const pyconv_patches *p, int grouped, ptrdiff_t q,
                                      NAME(pixels_tile) * t) {
    typedef void instance(const NAME(pixels_task) * task, ptrdiff_t j0, ptrdiff_t j1, const real *x,
                          const real *w, real *y, const real *residual, const real *bias);
    static instance *const alone[2][8] = {{EACH_PIXELS(PIXELS_ENTRY, 0, 0, 1)},
                                          {EACH_PIXELS(PIXELS_ENTRY, 1, 0, 1)}};
    static instance *const any[2][8] = {{EACH_PIXELS(PIXELS_ENTRY, 0, 1, 0)},
                                        {EACH_PIXELS(PIXELS_ENTRY, 1, 1, 0)}};
    static instance *const known[3][2][8] = {
        {{EACH_PIXELS(PIXELS_ENTRY, 0, 3, 0)}, {EACH_PIXELS(PIXELS_ENTRY, 0, 3, 1)}},
        {{EACH_PIXELS(PIXELS_ENTRY, 0, 5, 0)}, {EACH_PIXELS(PIXELS_ENTRY, 0, 5, 1)}},
        {{EACH_PIXELS(PIXELS_ENTRY, 0, 7, 0)}, {EACH_PIXELS(PIXELS_ENTRY, 0, 7, 1)}}};
    static instance *const grouped_3[8] = {EACH_PIXELS(PIXELS_ENTRY, 1, 3, 0)};
    const ptrdiff_t start = q * p->sw - p->pw;
    ptrdiff_t count = p->ow - q;
    if (p->sw == 1 && p->dw == 1 && p->kw > 1) {
        count = count <= 8 ? count : count < 16 ? (count + 1) / 2 : 8; /* 12 are 6 + 6 */
        const ptrdiff_t columns = count + p->kw - 1;
        pyconv_taps_inside(start, 1, columns, p->iw, &t->j0, &t->j1);
        if (grouped && p->kw == 3)
            t->compute = grouped_3[count - 1];
        else if (!grouped && (p->kw == 3 || p->kw == 5 || p->kw == 7))
            t->compute = known[(p->kw - 3) / 2][t->j1 - t->j0 == columns][count - 1];
        else
            t->compute = any[grouped][count - 1];
    } else {
        count = NAME(pixels_alike)(p, q, &t->j0, &t->j1);
        t->compute = alone[grouped][count - 1];
    }
    t->q = q;
    t->column = start + t->j0 * p->dw;
    return count;
}

/* All rows; task->i0 and i1 are filled in. */
INLINE void NAME(pixels_rows)(const int grouped, NAME(pixels_task) * task, ptrdiff_t first, ptrdiff_t rows,
                              const real *x, const real *w, real *y, ptrdiff_t ys_h) {
    enum { most = 32 };
    NAME(pixels_tile) tiles[most];
    const pyconv_patches *p = task->p;
    const EPILOGUE *e = task->e;
    const real *bias = e->flags & PYCONV_BIAS_COLUMN ? e->bias : NULL;
    for (ptrdiff_t q = 0; q < p->ow;) {
        int count = 0;
        while (count < most && q < p->ow)
            q += NAME(pixels_tile_at)(p, grouped, q, tiles + count++);
        for (ptrdiff_t r = 0; r < rows; r++) {
            const ptrdiff_t h = (first + r) * p->sh - p->ph;
            pyconv_taps_inside(h, p->dh, p->kh, p->ih, &task->i0, &task->i1);
            for (int t = 0; t < count; t++) {
                const NAME(pixels_tile) *tile = tiles + t;
                const ptrdiff_t at = r * ys_h + tile->q * task->ys_w;
                tile->compute(task, tile->j0, tile->j1,
                              x + (h + task->i0 * p->dh) * p->xs_h + tile->column * p->xs_w,
                              w + task->i0 * p->kw * task->ws, y + at,
                              e->flags & PYCONV_RESIDUAL ? e->residual + at : NULL, bias);
            }
        }
    }
}

static void NAME(depthwise_nhwc)(const pyconv_patches *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t channels,
                                 const real *x, const real *w, ptrdiff_t ws, real *y, ptrdiff_t ys_h,
                                 ptrdiff_t ys_w, const EPILOGUE *e) {
    NAME(pixels_task) task = {.p = p, .e = e, .ws = ws, .ys_w = ys_w, .channels = channels};
    NAME(pixels_rows)(0, &task, first, rows, x, w, y, ys_h);
}

/* channels <= V, ((skip + channels - 1) / ocg + 1) p->c <= V. */
static void NAME(grouped_nhwc)(const pyconv_patches *p, ptrdiff_t ocg, ptrdiff_t skip, ptrdiff_t first,
                               ptrdiff_t rows, ptrdiff_t channels, const real *x, const real *w, ptrdiff_t ws,
                               real *y, ptrdiff_t ys_h, ptrdiff_t ys_w, const EPILOGUE *e) {
    NAME(indices) index[V];
    for (ptrdiff_t l = 0; l < p->c; l++)
        for (int c = 0; c < V; c++)
            index[l][c] = (int)(c < channels ? (skip + c) / ocg * p->c + l : 0);
    NAME(pixels_task)
    task = {.p = p,
            .e = e,
            .ws = ws,
            .ys_w = ys_w,
            .channels = channels,
            .span = ((skip + channels - 1) / ocg + 1) * p->c,
            .index = index};
    NAME(pixels_rows)(1, &task, first, rows, x, w, y, ys_h);
}
#undef PIXELS_INSTANCE
#undef PIXELS_ENTRY
#undef EACH_PIXELS
