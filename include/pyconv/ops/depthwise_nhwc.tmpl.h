/* SPDX-License-Identifier: BSD-3-Clause */
/* y[r][q][c] = clamp(bias[c] + sum over l, i, j of w[l][i][j][c] x[l][(first + r) sh - ph + i dh][q sw - pw + j dw][c]
 *                    + residual[r][q][c], lo, hi):
 * rows first + r of a channels-last image, or of the sum over p->c of them, taps outside the image left out.
 *
 *   x  [l][ih][iw][channels], p->xs_c, xs_h and xs_w apart     w  [l][kh][kw][ws]     bias  [channels]
 *   y, residual  [rows][ow][channels], ys_h and ys_w apart
 *
 * grouped_nhwc: x is one image whose pixels hold p->c channels of each group; channel c of y reads, as x[l], input l of its
 * group, number (skip + c) / ocg of those in x. All of them are one vector: a lane moves to where it is needed as it is
 * loaded. */

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

typedef void NAME(pixels_instance)(const NAME(pixels_task) * task, const NAME(pixels_tile) * tile,
                                   const real *x, const real *w, real *y, const real *residual,
                                   const real *bias);
/* The instances for 1 to 8 pixels that share loads, NULL if there are none. */
static NAME(pixels_instance) *const *NAME(pixels_sharing)(const pyconv_patches *p, int grouped, ptrdiff_t S) {
    static NAME(pixels_instance) *const any[2][8] = {{EACH_PIXELS(PIXELS_ENTRY, 1, 0, 1, 1)},
                                                     {EACH_PIXELS(PIXELS_ENTRY, 1, 1, 1, 1)}};
    static NAME(pixels_instance) *const of_width[3][2][8] = {
        {{EACH_PIXELS(PIXELS_ENTRY, 1, 0, 3, 1)}, {EACH_PIXELS(PIXELS_ENTRY, 1, 0, 3, 2)}},
        {{EACH_PIXELS(PIXELS_ENTRY, 1, 0, 5, 1)}, {EACH_PIXELS(PIXELS_ENTRY, 1, 0, 5, 2)}},
        {{EACH_PIXELS(PIXELS_ENTRY, 1, 0, 7, 1)}, {EACH_PIXELS(PIXELS_ENTRY, 1, 0, 7, 2)}}};
    static NAME(pixels_instance) *const grouped_3[2][8] = {{EACH_PIXELS(PIXELS_ENTRY, 1, 1, 3, 1)},
                                                           {EACH_PIXELS(PIXELS_ENTRY, 1, 1, 3, 2)}};
    const int odd = p->kw == 3 || p->kw == 5 || p->kw == 7;
    if (S <= 2 && (grouped ? p->kw == 3 : odd))
        return grouped ? grouped_3[S - 1] : of_width[p->kw / 2 - 1][S - 1];
    return S == 1 ? any[grouped] : NULL;
}

/* The tile that starts at pixel q, of pixels `apart` columns apart; returns the start of the next one, p->ow after the last. */
static ptrdiff_t NAME(pixels_tile_at)(const pyconv_patches *p, NAME(pixels_instance) *const *instances,
                                      int shared, ptrdiff_t apart, ptrdiff_t S, ptrdiff_t q,
                                      NAME(pixels_tile) * t) {
    const ptrdiff_t start = q * p->sw - p->pw, left = (p->ow - q - 1) / apart + 1, residue = q % apart + 1;
    ptrdiff_t count = left <= 8 ? left : left < 16 ? (left + 1) / 2 : 8; /* 12 are 6 + 6 */
    if (shared)
        pyconv_taps_inside(start, p->dw, (count - 1) * S + p->kw, p->iw, &t->j0, &t->j1);
    else
        count = NAME(pixels_alike)(p, q, &t->j0, &t->j1);
    t->compute = instances[count - 1];
    t->q = q;
    t->at = start * p->xs_w;
    q += count * apart;
    return q < p->ow ? q : residue < apart && residue < p->ow ? residue : p->ow;
}

/* The rows of the grid under a tile that starts at row h of x. */
static void NAME(pixels_windows)(NAME(pixels_task) * task, ptrdiff_t h) {
    const pyconv_patches *p = task->p;
    const ptrdiff_t extra = task->rows == 2 ? task->down : 0;
    ptrdiff_t *a = task->a;
    pyconv_taps_inside(h, p->dh, p->kh + extra, p->ih, a, a + 3);
    a[1] = pyconv_clamp(extra ? extra : p->kh, a[0], a[3]);
    a[2] = pyconv_clamp(p->kh, a[0], a[3]);
}

static void NAME(pixels_all)(NAME(pixels_task) * task, int grouped, ptrdiff_t first, ptrdiff_t rows,
                             const real *x, const real *w, real *y, ptrdiff_t ys_h, ptrdiff_t ys_w) {
    enum { most = 32 };
    NAME(pixels_tile) tiles[most];
    const pyconv_patches *p = task->p;
    const EPILOGUE *e = task->e;
    const real *bias = e->flags & PYCONV_BIAS_COLUMN ? e->bias : NULL;
    const ptrdiff_t common_h = pyconv_gcd(p->sh, p->dh), common_w = pyconv_gcd(p->sw, p->dw);
    const ptrdiff_t S = p->sw / common_w, apart_h = p->dh / common_h;
    static NAME(pixels_instance) *const alone[2][2][8] = {
        {{EACH_PIXELS(PIXELS_ENTRY, 0, 0, 0, 0)}, {EACH_PIXELS(PIXELS_ENTRY, 0, 1, 0, 0)}},
        {{EACH_PIXELS(PIXELS_ENTRY, 1, 0, 0, 0)}, {EACH_PIXELS(PIXELS_ENTRY, 1, 1, 0, 0)}}};
    const int full = task->channels % V == 0;
    NAME(pixels_instance) *const *sharing = full ? NAME(pixels_sharing)(p, grouped, S) : NULL;
    NAME(pixels_instance) *const *instances = sharing ? sharing : alone[full][grouped];
    const ptrdiff_t apart_w = sharing ? p->dw / common_w : 1;
    task->x_row = p->dh * p->xs_h, task->x_col = p->dw * p->xs_w, task->step = p->sw * p->xs_w;
    task->down = p->sh / common_h;
    task->y_row = apart_h * ys_h, task->y_col = apart_w * ys_w;
    const ptrdiff_t high = task->down <= p->kh ? NAME(pixels_high) : 1;
    for (ptrdiff_t q = 0; q < p->ow;) {
        int count = 0;
        while (count < most && q < p->ow)
            q = NAME(pixels_tile_at)(p, instances, sharing != NULL, apart_w, S, q, tiles + count++);
        for (ptrdiff_t base = 0; base < rows; base += high * apart_h)
            for (ptrdiff_t r = base; r < rows && r < base + apart_h; r++) {
                const ptrdiff_t h = (first + r) * p->sh - p->ph;
                task->rows = r + apart_h < rows ? high : 1;
                NAME(pixels_windows)(task, h);
                for (int t = 0; t < count; t++) {
                    const ptrdiff_t at = r * ys_h + tiles[t].q * ys_w;
                    tiles[t].compute(task, tiles + t, x + (h + task->a[0] * p->dh) * p->xs_h, w, y + at,
                                     e->flags & PYCONV_RESIDUAL ? e->residual + at : NULL, bias);
                }
            }
    }
}

/* A kernel of more than PYCONV_CHAIN taps in pieces, each of some planes, of rows of one or of columns of a row: a piece adds
 * its sums to those in y, so that no chain of additions is longer. */
static void NAME(pixels_pieces)(NAME(pixels_task) * task, int grouped, ptrdiff_t first, ptrdiff_t rows,
                                const real *x, const real *w, real *y, ptrdiff_t ys_h, ptrdiff_t ys_w) {
    const pyconv_patches *const all = task->p, whole = *all;
    const EPILOGUE *const asked = task->e;
    const NAME(indices) *index = task->index;
    const ptrdiff_t taps = whole.kh * whole.kw;
    const ptrdiff_t planes = pyconv_clamp(PYCONV_CHAIN / taps, 1, whole.c);
    const ptrdiff_t high = planes > 1 ? whole.kh : pyconv_clamp(PYCONV_CHAIN / whole.kw, 1, whole.kh);
    const ptrdiff_t wide = whole.kw < PYCONV_CHAIN ? whole.kw : PYCONV_CHAIN;
    task->w_row = whole.kw * task->ws, task->w_plane = whole.kh * task->w_row;
    for (ptrdiff_t l = 0; l < whole.c; l += planes)
        for (ptrdiff_t i = 0; i < whole.kh; i += high)
            for (ptrdiff_t j = 0; j < whole.kw; j += wide) {
                const int more = l + i + j > 0;
                pyconv_patches p = whole;
                EPILOGUE e = *asked;
                p.c = whole.c - l < planes ? whole.c - l : planes;
                p.kh = whole.kh - i < high ? whole.kh - i : high;
                p.kw = whole.kw - j < wide ? whole.kw - j : wide;
                p.ph -= i * p.dh, p.pw -= j * p.dw;
                if (more) {
                    e.flags = (e.flags & PYCONV_CLAMP) | PYCONV_RESIDUAL;
                    e.residual = y;
                }
                if (l + p.c < whole.c || i + p.kh < whole.kh || j + p.kw < whole.kw)
                    e.flags &= ~PYCONV_CLAMP;
                task->p = &p, task->e = &e, task->index = grouped ? index + l : NULL;
                NAME(pixels_all)(task, grouped, first, rows, x + (grouped ? 0 : l * p.xs_c),
                                 w + l * task->w_plane + i * task->w_row + j * task->ws, y, ys_h, ys_w);
            }
    task->p = all, task->e = asked, task->index = index;
}

static void NAME(depthwise_nhwc)(const pyconv_patches *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t channels,
                                 const void *x_, const void *w_, ptrdiff_t ws, void *y_, ptrdiff_t ys_h,
                                 ptrdiff_t ys_w, const pyconv_epilogue *e_) {
    const real *x = x_, *w = w_;
    real *y = y_;
    const ptrdiff_t whole = channels / V * V;
    const EPILOGUE e = NAME(epilogue_of)(e_);
    EPILOGUE rest = e;
    NAME(pixels_task) task = {.p = p, .e = &e, .ws = ws, .channels = whole};
    if (whole)
        NAME(pixels_pieces)(&task, 0, first, rows, x, w, y, ys_h, ys_w);
    task.e = &rest, task.channels = channels - whole;
    rest.bias += rest.flags & PYCONV_BIAS_COLUMN ? whole : 0;
    rest.residual += rest.flags & PYCONV_RESIDUAL ? whole : 0;
    if (task.channels)
        NAME(pixels_pieces)(&task, 0, first, rows, x + whole, w + whole, y + whole, ys_h, ys_w);
}

/* channels <= V, ((skip + channels - 1) / ocg + 1) p->c <= V. */
static void NAME(grouped_nhwc)(const pyconv_patches *p, ptrdiff_t ocg, ptrdiff_t skip, ptrdiff_t first,
                               ptrdiff_t rows, ptrdiff_t channels, const void *x, const void *w, ptrdiff_t ws,
                               void *y, ptrdiff_t ys_h, ptrdiff_t ys_w, const pyconv_epilogue *e_) {
    const EPILOGUE e = NAME(epilogue_of)(e_);
    NAME(indices) index[V];
    for (ptrdiff_t l = 0; l < p->c; l++)
        for (int c = 0; c < V; c++)
            index[l][c] = (int)(c < channels ? (skip + c) / ocg * p->c + l : 0);
    NAME(pixels_task)
    task = {.p = p,
            .e = &e,
            .ws = ws,
            .channels = channels,
            .span = ((skip + channels - 1) / ocg + 1) * p->c,
            .index = index};
    NAME(pixels_pieces)(&task, 1, first, rows, x, w, y, ys_h, ys_w);
}
#undef PIXELS_INSTANCE
#undef PIXELS_ENTRY
#undef EACH_PIXELS
