/* SPDX-License-Identifier: BSD-3-Clause */
/* The tiles of depthwise_nhwc and grouped_nhwc: up to 8 pixels of one or two rows and all channels, vectors running over
 * these.
 *
 * Pixels are dw / gcd(sw, dw) columns and rows dh / gcd(sh, dh) apart, so that their taps are on one grid of rows and
 * columns of x, dh and dw apart: a pixel of x, loaded once, serves all sums it is in. Neighbours in a tile are
 * S = sw / gcd(sw, dw) of these columns apart, rows sh / gcd(sh, dh). */

/* Rows of a tile: 32 registers hold 16 sums, two rows of 7 weights and a pixel. */
enum { NAME(pixels_high) = REGISTERS == 32 ? 2 : 1 };

/* What the tiles of a pair of rows have in common. */
typedef struct NAME(pixels_task) {
    const pyconv_patches *p;
    const EPILOGUE *e;
    ptrdiff_t ws, channels;
    ptrdiff_t w_row, w_plane; /* between rows of w, and its planes */
    ptrdiff_t x_row, x_col;   /* between rows and columns of the grid of taps */
    ptrdiff_t down, y_row;    /* from the first row of a tile to the second: in the grid, in y */
    ptrdiff_t step, y_col;    /* between the pixels of a tile: in x, in y */
    ptrdiff_t rows, a[4];     /* a[0] <= a < a[1] of the grid are for the first row alone, to a[2] for both */
    ptrdiff_t span;           /* channels of a pixel of x, and where those of x[l] are, if it is grouped */
    const NAME(indices) * index;
} NAME(pixels_task);

/* A tile of a row. j0 <= j < j1 are inside the image: columns of the grid, counted from the first window's, or, where loads
 * aren't shared, taps, the same ones of all pixels. `at` is the offset of column 0 in a row of x. */
typedef struct NAME(pixels_tile) {
    void (*compute)(const NAME(pixels_task) * task, const struct NAME(pixels_tile) * tile, const real *x,
                    const real *w, real *y, const real *residual, const real *bias);
    ptrdiff_t q, j0, j1, at;
} NAME(pixels_tile);

#define LOAD(p) (full ? v_load(p) : v_load_n(p, n))
#define LOAD_X(p) (grouped ? v_permute(v_load_n(p, task->span), index) : LOAD(p))
/* W neighbouring taps of one row of x, from tap j on, for Q pixels, S columns apart, of the first row of a tile, the
 * second or both; w[r] are the weights of row r. */
INLINE void NAME(pixels_columns)(const int grouped, NAME(indices) index, const int Q, const int W,
                                 const int S, const int first, const int last, const int full,
                                 const NAME(pixels_task) * task, const NAME(pixels_tile) * tile, ptrdiff_t j,
                                 const real *x, const real *const w[2], ptrdiff_t n, vec sum[2][8]) {
    vec scale[2][7];
    PYCONV_UNROLL
    for (int a = 0; a < W; a++) {
        PYCONV_UNROLL
        for (int r = first; r <= last; r++)
            scale[r][a] = LOAD(w[r] + (j + a) * task->ws);
    }
    const ptrdiff_t j0 = tile->j0 - j, j1 = tile->j1 - j, x_col = task->x_col;
    const real *from = x + tile->at + j * x_col;
    PYCONV_UNROLL
    for (int a = 0; a < (Q - 1) * S + W; a++, from += x_col) {
        PYCONV_KEEP(from);
        if (a < j0 || a >= j1)
            continue;
        vec v = LOAD_X(from);
        v_keep(v);
        PYCONV_UNROLL
        for (int q = 0; q < Q; q++)
            if (q * S <= a && a - q * S < W) {
                PYCONV_UNROLL
                for (int r = first; r <= last; r++)
                    sum[r][q] = v_fma(scale[r][a - q * S], v, sum[r][q]);
            }
    }
}

/* All taps of one row of x. KW is the width of a kernel that shares its loads, or 1 for any that does, else 0. */
INLINE void NAME(pixels_row)(const int grouped, NAME(indices) index, const int Q, const int KW, const int S,
                             const int first, const int last, const int full, const NAME(pixels_task) * task,
                             const NAME(pixels_tile) * tile, const real *x, const real *const w[2],
                             ptrdiff_t n, vec sum[2][8]) {
#define COLUMNS(W, j)                                                                                        \
    NAME(pixels_columns)(grouped, index, Q, W, S, first, last, full, task, tile, j, x, w, n, sum)
    if (KW > 1)
        COLUMNS(KW, 0);
    else if (KW == 1) {
        const ptrdiff_t kw = task->p->kw;
        ptrdiff_t j = 0;
        for (; j + 4 <= kw; j += 4)
            COLUMNS(4, j);
        if (j + 2 <= kw) {
            COLUMNS(2, j);
            j += 2;
        }
        if (j < kw)
            COLUMNS(1, j);
    } else
        for (ptrdiff_t j = tile->j0; j < tile->j1; j++) {
            vec scale[2];
            PYCONV_UNROLL
            for (int r = first; r <= last; r++)
                scale[r] = LOAD(w[r] + j * task->ws);
            const real *pixel = x + tile->at + j * task->x_col;
            PYCONV_UNROLL
            for (int q = 0; q < Q; q++, pixel += task->step) {
                vec v = LOAD_X(pixel);
                PYCONV_UNROLL
                for (int r = first; r <= last; r++)
                    sum[r][q] = v_fma(scale[r], v, sum[r][q]);
            }
        }
#undef COLUMNS
}

INLINE void NAME(pixels_store)(const int Q, const int full, const NAME(pixels_task) * task, vec sum[8],
                               real *y, const real *residual, ptrdiff_t n) {
    const EPILOGUE *e = task->e;
    const ptrdiff_t y_col = task->y_col;
    if (residual) {
        PYCONV_UNROLL
        for (int q = 0; q < Q; q++)
            sum[q] += full ? y_load(residual + q * y_col) : y_load_n(residual + q * y_col, n);
    }
    if (e->flags & PYCONV_CLAMP) {
        PYCONV_UNROLL
        for (int q = 0; q < Q; q++)
            sum[q] = NAME(clamp)(sum[q], e);
    }
    PYCONV_UNROLL
    for (int q = 0; q < Q; q++, y += y_col) {
        PYCONV_KEEP(y);
        if (full)
            y_store(y, sum[q]);
        else
            y_store_n(y, sum[q], n);
    }
}

/* One vector of channels, n of them valid; x stands at row a[0] of the grid. */
INLINE void NAME(pixels)(const int grouped, const int Q, const int KW, const int S, const int full,
                         const NAME(pixels_task) * task, const NAME(pixels_tile) * tile, const real *x,
                         const real *w, real *y, const real *residual, const real *bias, ptrdiff_t n) {
    const pyconv_patches *p = task->p;
    const ptrdiff_t x_row = task->x_row, w_row = task->w_row, y_row = task->y_row, down = task->down;
    const ptrdiff_t a0 = task->a[0], a1 = task->a[1], a2 = task->a[2], a3 = task->a[3], rows = task->rows;
    vec sum[2][8];
    const vec start = bias ? LOAD(bias) : (vec){0};
    PYCONV_UNROLL
    for (int q = 0; q < Q; q++)
        sum[0][q] = sum[1][q] = start;
    for (ptrdiff_t l = 0; l < p->c; l++, w += task->w_plane) {
        const real *from = x + (grouped ? 0 : l * p->xs_c);
        NAME(indices) index = {0};
        if (grouped)
            index = task->index[l];
        ptrdiff_t a = a0;
#define ROWS(first, last, end)                                                                               \
    for (; a < end; a++, from += x_row) {                                                                    \
        const real *const weights[2] = {w + (first ? 0 : a * w_row), w + (last ? (a - down) * w_row : 0)};   \
        NAME(pixels_row)(grouped, index, Q, KW, S, first, last, full, task, tile, from, weights, n, sum);    \
    }
        ROWS(0, 0, a1)
        if (NAME(pixels_high) == 2) {
            ROWS(0, 1, a2)
            ROWS(1, 1, a3)
        }
#undef ROWS
    }
    NAME(pixels_store)(Q, full, task, sum[0], y, residual, n);
    if (NAME(pixels_high) == 2 && rows == 2)
        NAME(pixels_store)(Q, full, task, sum[1], y + y_row, residual ? residual + y_row : NULL, n);
}
#undef LOAD
#undef LOAD_X

/* Whole vectors of channels, or one of fewer lanes. */
#define PIXELS_INSTANCE(full, grouped, KW, S, Q)                                                             \
    static void NAME(pixels_##full##_##grouped##_##KW##_##S##_##Q)(                                          \
        const NAME(pixels_task) * task, const NAME(pixels_tile) * tile, const real *x, const real *w,        \
        real *y, const real *residual, const real *bias) {                                                   \
        ptrdiff_t left = task->channels;                                                                     \
        do {                                                                                                 \
            NAME(pixels)(grouped, Q, KW, S, full, task, tile, x, w, y, residual, bias, left);                \
            x += V, w += V, y += V, residual += residual ? V : 0, bias += bias ? V : 0;                      \
            left -= V;                                                                                       \
        } while (left > 0);                                                                                  \
    }
#define EACH_PIXELS(F, ...)                                                                                  \
    F(__VA_ARGS__, 1)                                                                                        \
    F(__VA_ARGS__, 2)                                                                                        \
    F(__VA_ARGS__, 3)                                                                                        \
    F(__VA_ARGS__, 4) F(__VA_ARGS__, 5) F(__VA_ARGS__, 6) F(__VA_ARGS__, 7) F(__VA_ARGS__, 8)
#define PIXELS_ENTRY(full, grouped, KW, S, Q) NAME(pixels_##full##_##grouped##_##KW##_##S##_##Q),
EACH_PIXELS(PIXELS_INSTANCE, 0, 0, 0, 0)
EACH_PIXELS(PIXELS_INSTANCE, 0, 1, 0, 0)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 0, 0)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 1, 1)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 3, 1)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 3, 2)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 5, 1)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 5, 2)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 7, 1)
EACH_PIXELS(PIXELS_INSTANCE, 1, 0, 7, 2)
EACH_PIXELS(PIXELS_INSTANCE, 1, 1, 0, 0)
EACH_PIXELS(PIXELS_INSTANCE, 1, 1, 1, 1)
EACH_PIXELS(PIXELS_INSTANCE, 1, 1, 3, 1)
EACH_PIXELS(PIXELS_INSTANCE, 1, 1, 3, 2)
