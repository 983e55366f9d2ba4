/* SPDX-License-Identifier: BSD-3-Clause */
/* to[l][r][q][o] = x[h0 + r][w0 + q][(skip + o) / ocg icg + l], zero outside the image: input l of the group of each of
 * `count` <= V neighbouring outputs, at the place of that output. Lanes o >= count hold anything.
 *
 *   x   [ih][iw][..], rows xs_h and pixels xs_w apart, from the first channel of the first output's group on
 *   to  [icg][rows][cols][V]
 *
 * skip: outputs of that group before the first. */

enum { NAME(spread_inputs) = 16 }; /* of a group, that are spread together */

/* Pixels of one row, n inputs of each group. If `one`, the channels of all groups are one vector of `span` reals. */
INLINE void NAME(spread_row)(const int one, ptrdiff_t pixels, const real *x, ptrdiff_t xs_w, ptrdiff_t span,
                             ptrdiff_t n, const NAME(indices) * index, real *to, ptrdiff_t plane) {
    for (ptrdiff_t q = 0; q < pixels; q++, x += xs_w, to += V) {
        const vec v = one ? fill_load_n(x, span) : (vec){0};
        for (ptrdiff_t l = 0; l < n; l++)
            if (one)
                v_store(to + l * plane, v_permute(v, index[l]));
            else
                for (int o = 0; o < V; o++)
                    to[l * plane + o] = fill_get(x + index[l][o]);
    }
}

static void NAME(spread_zeros)(ptrdiff_t pixels, ptrdiff_t n, real *to, ptrdiff_t plane) {
    for (ptrdiff_t l = 0; l < n; l++)
        for (ptrdiff_t q = 0; q < pixels; q++)
            v_store(to + l * plane + q * V, (vec){0});
}

static void NAME(spread)(const pyconv_spread *s, const void *x_, void *to_) {
    const real *x = x_;
    real *to = to_;
    enum { most = NAME(spread_inputs) };
    const ptrdiff_t last = s->skip + s->count - 1, span = (last / s->ocg + 1) * s->icg;
    const ptrdiff_t q0 = pyconv_clamp(-s->w0, 0, s->cols), q1 = pyconv_clamp(s->iw - s->w0, q0, s->cols);
    const ptrdiff_t row = s->cols * V, plane = s->rows * row;
    for (ptrdiff_t l0 = 0; l0 < s->icg; l0 += most, to += most * plane) {
        const ptrdiff_t n = s->icg - l0 < most ? s->icg - l0 : most;
        NAME(indices) index[most];
        for (ptrdiff_t l = 0; l < n; l++)
            for (int o = 0; o < V; o++)
                index[l][o] = (int)(o < s->count ? (s->skip + o) / s->ocg * s->icg + l0 + l : 0);
        for (ptrdiff_t r = 0; r < s->rows; r++) {
            const ptrdiff_t h = s->h0 + r, inside = h >= 0 && h < s->ih;
            const ptrdiff_t first = inside ? q0 : s->cols, end = inside ? q1 : s->cols;
            real *at = to + r * row;
            NAME(spread_zeros)(first, n, at, plane);
            if (first < end && span <= V)
                NAME(spread_row)(1, end - first, x + h * s->xs_h + (s->w0 + first) * s->xs_w, s->xs_w, span,
                                 n, index, at + first * V, plane);
            else if (first < end)
                NAME(spread_row)(0, end - first, x + h * s->xs_h + (s->w0 + first) * s->xs_w, s->xs_w, span,
                                 n, index, at + first * V, plane);
            NAME(spread_zeros)(s->cols - end, n, at + end * V, plane);
        }
    }
}
