/* SPDX-License-Identifier: BSD-3-Clause */
/* Patches of an image, and weights, into the panels that gemm_panel reads. */

/* panel[k - k0][w] = x[c][oy sh - ph + r dh][ox sw - pw + s dw], k = (c kh + r) kw + s, for `count` <= w
 * output pixels from number `pixel` of the oh x ow image; zero in the padding and in the columns from count
 * to w. A tap (r, s) and a piece of an output row have one source row per channel, so index arithmetic is
 * paid once for all channels. Made for xs_w = 1. */
static void NAME(pack_chw)(const pyconv_patches *p, const void *x_, ptrdiff_t pixel, ptrdiff_t count,
                           ptrdiff_t w, ptrdiff_t k0, ptrdiff_t k1, void *panel_) {
    const real *x = x_;
    real *panel = panel_;
    const ptrdiff_t taps = p->kh * p->kw;
    /* Without a border, and with rows that follow each other, the image is one row. */
    const int one_row = taps == 1 && p->sh == 1 && p->sw == 1 && p->ph == 0 && p->pw == 0 && p->ow == p->iw &&
                        p->xs_h == p->iw * p->xs_w;
    const ptrdiff_t ow = one_row ? p->oh * p->ow : p->ow, iw = one_row ? p->ih * p->iw : p->iw;
    for (ptrdiff_t tap = 0; tap < taps; tap++) {
        const ptrdiff_t c0 = pyconv_ceil_div(k0 - tap, taps), rows = pyconv_ceil_div(k1 - tap, taps) - c0;
        if (rows == 0)
            continue;
        const ptrdiff_t to_s = taps * w, h = tap / p->kw * p->dh - p->ph, v = tap % p->kw * p->dw - p->pw;
        real *to = panel + (c0 * taps + tap - k0) * w;
        ptrdiff_t oy = pixel / ow, ox = pixel % ow;
        for (ptrdiff_t done = 0, length; done < count; done += length, oy++, ox = 0) {
            length = ow - ox < count - done ? ow - ox : count - done;
            const ptrdiff_t iy = oy * p->sh + h, ix = ox * p->sw + v;
            ptrdiff_t first = 0, last = 0; /* of the piece, inside the image */
            if (iy >= 0 && iy < p->ih) {
                first = pyconv_clamp(pyconv_ceil_div(-ix, p->sw), 0, length);
                last = pyconv_clamp(pyconv_ceil_div(iw - ix, p->sw), first, length);
            }
            if (first > 0)
                NAME(zero_rows)(to + done, to_s, rows, first);
            if (last > first)
                NAME(copy_rows)(to + done + first, to_s,
                                x + c0 * p->xs_c + iy * p->xs_h + (ix + first * p->sw) * p->xs_w, p->xs_c,
                                rows, last - first, p->sw * p->xs_w);
            if (length > last)
                NAME(zero_rows)(to + done + last, to_s, rows, length - last);
        }
        NAME(zero_rows)(to + count, to_s, rows, w - count);
    }
}

/* The same with k = (r kw + s) C + c, for channels side by side (xs_c = 1): blocks of V pixels by V reals
 * are turned in registers. With fewer than V channels, and pixels that follow each other without a gap, the
 * kw C reals of a kernel row are taken as one run, which keeps the lanes busy. */
static void NAME(pack_hwc)(const pyconv_patches *p, const void *x_, ptrdiff_t pixel, ptrdiff_t count,
                           ptrdiff_t w, ptrdiff_t k0, ptrdiff_t k1, void *panel_) {
    const real *x = x_;
    real *panel = panel_;
    static const real zeros[V] = {0};
    const int whole_rows = p->c < V && p->xs_w == p->c && p->dw == 1;
    const ptrdiff_t run = whole_rows ? p->kw * p->c : p->c, runs_per_row = whole_rows ? 1 : p->kw;
    for (ptrdiff_t block = 0; block < w; block += V) {
        const ptrdiff_t width = w - block < V ? w - block : V;
        for (ptrdiff_t number = k0 / run; number * run < k1; number++) {
            const ptrdiff_t begin = k0 > number * run ? k0 - number * run : 0;
            const ptrdiff_t end = k1 < (number + 1) * run ? k1 - number * run : run;
            const ptrdiff_t h = number / runs_per_row * p->dh - p->ph,
                            v = number % runs_per_row * p->dw - p->pw;
            /* Pixel i of the block reads from[i][at & moves[i]]: a run of the image, or only zeros. */
            const real *from[V];
            ptrdiff_t moves[V], runs[V], first[V], last[V];
            int cut = 0; /* some run lies partly in the image */
            ptrdiff_t oy = (pixel + block) / p->ow, ox = (pixel + block) % p->ow;
            for (ptrdiff_t i = 0; i < V; i++) {
                const ptrdiff_t iy = oy * p->sh + h, ix = ox * p->sw + v;
                first[i] = last[i] = runs[i] = moves[i] = 0;
                from[i] = zeros;
                if (block + i < count && iy >= 0 && iy < p->ih) {
                    if (whole_rows) {
                        first[i] = pyconv_clamp(-ix, 0, p->kw) * p->c;
                        last[i] = pyconv_clamp(p->iw - ix, 0, p->kw) * p->c;
                    } else
                        last[i] = ix >= 0 && ix < p->iw ? run : 0;
                    runs[i] = iy * p->xs_h + ix * p->xs_w;
                    if (first[i] == 0 && last[i] == run) {
                        from[i] = x + runs[i];
                        moves[i] = -1;
                    } else
                        cut |= first[i] < last[i];
                }
                if (++ox == p->ow)
                    ox = 0, oy++;
            }
            for (ptrdiff_t at = begin; at < end; at += V) {
                const ptrdiff_t depth = end - at < V ? end - at : V;
                real *to = panel + (number * run + at - k0) * w + block;
                vec turned[V];
                if (cut)
                    for (int i = 0; i < V; i++)
                        turned[i] = NAME(load_cut)(x, runs[i], at, depth, first[i], last[i]);
                else if (depth == V) {
                    PYCONV_UNROLL
                    for (int i = 0; i < V; i++)
                        turned[i] = fill_load(from[i] + (at & moves[i]));
                } else {
                    PYCONV_UNROLL
                    for (int i = 0; i < V; i++)
                        turned[i] = fill_load_n(from[i] + (at & moves[i]), depth);
                }
                v_transpose(turned);
                PYCONV_UNROLL
                for (int i = 0; i < V; i++)
                    if (i < depth)
                        v_store_n(to + i * w, turned[i], width);
            }
        }
    }
}

/* to[k][i] = w[i][q] for `rows` filters of K = C taps reals, i < rows: k = q = c taps + t, or t C + c if `hwc`. Blocks
 * of V x V are turned in registers; rows of `to` are to_s apart. */
static void NAME(turn_weights)(ptrdiff_t rows, ptrdiff_t channels, ptrdiff_t taps, const real *w, int hwc,
                               real *to, ptrdiff_t to_s) {
    const ptrdiff_t K = channels * taps;
    for (ptrdiff_t i = 0; i < rows; i += V) {
        const ptrdiff_t high = rows - i < V ? rows - i : V;
        ptrdiff_t c = 0, t = 0;
        for (ptrdiff_t q = 0; q < K; q += V) {
            const ptrdiff_t wide = K - q < V ? K - q : V;
            const real *from = w + i * K + q;
            vec block[V];
            PYCONV_UNROLL
            for (int r = 0; r < V; r++)
                block[r] = r < high ? fill_load_n(from + r * K, wide) : (vec){0};
            v_transpose(block);
            for (ptrdiff_t r = 0; r < wide; r++) {
                v_store_n(to + (hwc ? t * channels + c : q + r) * to_s + i, block[r], high);
                if (++t == taps)
                    t = 0, c++;
            }
        }
    }
}

/* The broadcast side: row panels [K][m] one after the other, each as wide as its rows, oc being cut by
 * pyconv_split_start; so panel i begins at element pyconv_split_start(oc, panels, i) K of `packed`. */
static void NAME(pack_weights_rows)(ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const void *w_, int hwc,
                                    ptrdiff_t panels, void *packed_) {
    const real *w = w_;
    real *packed = packed_;
    const ptrdiff_t K = channels * taps;
    for (ptrdiff_t i = 0; i < panels; i++) {
        const ptrdiff_t start = pyconv_split_start(oc, panels, i),
                        m = pyconv_split_start(oc, panels, i + 1) - start;
        NAME(turn_weights)(m, channels, taps, w + start * K, hwc, packed + start * K, m);
    }
}

/* The vector side: [ceil(oc / NR)][K][NR], zero beyond oc. */
static void NAME(pack_weights_columns)(ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const void *w_,
                                       int hwc, void *packed_) {
    const real *w = w_;
    real *packed = packed_;
    const ptrdiff_t K = channels * taps;
    for (ptrdiff_t o = 0; o < oc; o += NR, packed += K * NR) {
        const ptrdiff_t count = oc - o < NR ? oc - o : NR;
        if (count < NR)
            memset(packed, 0, (size_t)(K * NR) * sizeof(real));
        NAME(turn_weights)(count, channels, taps, w + o * K, hwc, packed, NR);
    }
}
