/* SPDX-License-Identifier: BSD-3-Clause */
/* y[q][c] = clamp(bias[c] + sum over i, j of w[i][j][c] x[row + i dh][q sw - pw + j dw][c] + residual[q][c], lo, hi): one
 * output row of one channels-last image, taps outside the image left out.
 *
 *   x  the image's first of `channels` channels    w  [kh][kw][ws]    y, residual  [ow][ys_w]    bias  [channels]
 *
 * Vectors run over channels. A tile is up to 8 neighbouring pixels that have the same taps. Where these are next to
 * each other (stride and dilation 1, kernels 3, 5 and 7 wide) a pixel is loaded once for all the sums it is in. */

typedef struct NAME(pixels_task) {
    const pyconv_patches *p;
    const EPILOGUE *e;
    ptrdiff_t ws, ys_w;
    ptrdiff_t i0, i1, j0, j1; /* the taps inside the image */
} NAME(pixels_task);

/* Q pixels and one vector of channels, n of them valid; x and w stand at tap (i0, j0). KW is the width of a kernel that
 * shares its loads, else 0. */
INLINE void NAME(pixels_tile)(const int Q, const int KW, const int full, const NAME(pixels_task) * task,
                              const real *x, const real *w, real *y, const real *residual, const real *bias,
                              ptrdiff_t n) {
#define LOAD(p) (full ? v_load(p) : v_load_n(p, n))
    const pyconv_patches *p = task->p;
    const EPILOGUE *e = task->e;
    const ptrdiff_t step = p->sw * p->xs_w, x_row = p->dh * p->xs_h, x_tap = p->dw * p->xs_w, ws = task->ws;
    const ptrdiff_t w_row = p->kw * ws, kw = task->j1 - task->j0;
    vec sum[8];
    const vec start = bias ? LOAD(bias) : (vec){0};
    PYCONV_UNROLL
    for (int q = 0; q < Q; q++)
        sum[q] = start;
    for (ptrdiff_t i = task->i0; i < task->i1; i++, x += x_row, w += w_row) {
        const real *tap = x, *weight = w;
        if (KW) {
            vec scale[7];
            PYCONV_UNROLL
            for (int j = 0; j < KW; j++, weight += ws)
                scale[j] = LOAD(weight);
            PYCONV_UNROLL
            for (int a = 0; a < Q + KW - 1; a++, tap += x_tap) {
                vec v = LOAD(tap);
                v_keep(v);
                PYCONV_UNROLL
                for (int q = 0; q < Q; q++)
                    if (q <= a && a - q < KW)
                        sum[q] = v_fma(scale[a - q], v, sum[q]);
            }
            continue;
        }
        for (ptrdiff_t j = 0; j < kw; j++, tap += x_tap, weight += ws) {
            const vec scale = LOAD(weight);
            const real *pixel = tap;
            PYCONV_UNROLL
            for (int q = 0; q < Q; q++, pixel += step)
                sum[q] = v_fma(scale, LOAD(pixel), sum[q]);
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
#undef LOAD
}

#define PIXELS_INSTANCE(KW, Q)                                                                               \
    static void NAME(pixels_##KW##_##Q)(const NAME(pixels_task) * task, ptrdiff_t channels, const real *x,   \
                                        const real *w, real *y, const real *residual, const real *bias) {    \
        ptrdiff_t c = 0;                                                                                     \
        for (; c + V <= channels; c += V)                                                                    \
            NAME(pixels_tile)(Q, KW, 1, task, x + c, w + c, y + c, residual ? residual + c : NULL,           \
                              bias ? bias + c : NULL, V);                                                    \
        if (c < channels)                                                                                    \
            NAME(pixels_tile)(Q, 0, 0, task, x + c, w + c, y + c, residual ? residual + c : NULL,            \
                              bias ? bias + c : NULL, channels - c);                                         \
    }
#define EACH_PIXELS(F, KW) F(KW, 1) F(KW, 2) F(KW, 3) F(KW, 4) F(KW, 5) F(KW, 6) F(KW, 7) F(KW, 8)
#define PIXELS_ENTRY(KW, Q) NAME(pixels_##KW##_##Q),
EACH_PIXELS(PIXELS_INSTANCE, 0)
EACH_PIXELS(PIXELS_INSTANCE, 3)
EACH_PIXELS(PIXELS_INSTANCE, 5)
EACH_PIXELS(PIXELS_INSTANCE, 7)

static void NAME(depthwise_nhwc)(const pyconv_patches *p, ptrdiff_t row, ptrdiff_t channels, const real *x,
                                 const real *w, ptrdiff_t ws, real *y, ptrdiff_t ys_w, const EPILOGUE *e) {
    typedef void instance(const NAME(pixels_task) * task, ptrdiff_t channels, const real *x, const real *w,
                          real *y, const real *residual, const real *bias);
    static instance *const instances[4][8] = {{EACH_PIXELS(PIXELS_ENTRY, 0)},
                                              {EACH_PIXELS(PIXELS_ENTRY, 3)},
                                              {EACH_PIXELS(PIXELS_ENTRY, 5)},
                                              {EACH_PIXELS(PIXELS_ENTRY, 7)}};
    const int shares = p->sw == 1 && p->dw == 1 && (p->kw == 3 || p->kw == 5 || p->kw == 7);
    const ptrdiff_t h = row * p->sh - p->ph;
    const real *bias = e->flags & PYCONV_BIAS_COLUMN ? e->bias : NULL;
    NAME(pixels_task) task = {.p = p, .e = e, .ws = ws, .ys_w = ys_w};
    pyconv_taps_inside(h, p->dh, p->kh, p->ih, &task.i0, &task.i1);
    for (ptrdiff_t q = 0, count; q < p->ow; q += count) {
        const ptrdiff_t v = q * p->sw - p->pw;
        pyconv_taps_inside(v, p->dw, p->kw, p->iw, &task.j0, &task.j1);
        /* Neighbours that have all taps, as this one has. */
        const ptrdiff_t room = p->iw - 1 - (p->kw - 1) * p->dw - v;
        const int whole = task.j0 == 0 && task.j1 == p->kw && room >= 0;
        count = whole ? room / p->sw + 1 : 1;
        count = count < p->ow - q ? count : p->ow - q;
        /* 12 are 6 + 6. */
        count = count <= 8 ? count : count < 16 ? (count + 1) / 2 : 8;
        const ptrdiff_t from = (h + task.i0 * p->dh) * p->xs_h + (v + task.j0 * p->dw) * p->xs_w;
        instances[shares && whole ? (p->kw - 1) / 2 : 0][count - 1](
            &task, channels, x + from, w + (task.i0 * p->kw + task.j0) * ws, y + q * ys_w,
            e->flags & PYCONV_RESIDUAL ? e->residual + q * ys_w : NULL, bias);
    }
}
#undef PIXELS_INSTANCE
#undef PIXELS_ENTRY
#undef EACH_PIXELS
