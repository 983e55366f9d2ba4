/* SPDX-License-Identifier: BSD-3-Clause */
/* u[i w + j][tile][c] = (G d Gᵀ)[i][j] for neighbouring tiles of rh x rw pixels, rh = h - mh + 1: of the gradient that comes
 * back, whose tiles are the filters of the weight's gradient.
 *
 *   band  channels side by side, rows band_h and columns band_w apart; tiles rw columns apart
 *   u     points u_p and tiles u_t apart; channels are rounded up to whole vectors, zero beyond */

/* u = G d along one axis: the rows of ±p are an even part ± an odd one. */
INLINE void NAME(wino_taps_1d)(const int size, const int r, real G[8][8], const vec d[8], vec u[8]) {
    u[0] = v_set1(G[0][0]) * d[0];
    PYCONV_UNROLL
    for (int i = 1; i < size - 1; i += 2) {
        vec even = v_set1(G[i][0]) * d[0], odd = v_set1(G[i][1]) * d[1];
        PYCONV_UNROLL
        for (int k = 2; k < r; k++)
            if (k % 2)
                odd = v_fma(v_set1(G[i][k]), d[k], odd);
            else
                even = v_fma(v_set1(G[i][k]), d[k], even);
        u[i] = even + odd;
        u[i + 1] = even - odd;
    }
    u[size - 1] = d[r - 1];
}

INLINE void NAME(wino_taps_tiles)(const int h, const int w, const int rh, const int rw, ptrdiff_t tiles,
                                  ptrdiff_t channels, const real *band, ptrdiff_t band_h, ptrdiff_t band_w,
                                  real *u, ptrdiff_t u_p, ptrdiff_t u_t) {
    double exact[8][8];
    real down[8][8] = {{0}}, across[8][8] = {{0}};
    pyconv_wino_g(h, rh, exact);
    for (int i = 0; i < h; i++)
        for (int k = 0; k < rh; k++)
            down[i][k] = (real)exact[i][k];
    pyconv_wino_g(w, rw, exact);
    for (int j = 0; j < w; j++)
        for (int k = 0; k < rw; k++)
            across[j][k] = (real)exact[j][k];
    for (ptrdiff_t t = 0; t < tiles; t++, band += rw * band_w, u += u_t)
        for (ptrdiff_t c = 0; c < channels; c += V) {
            const ptrdiff_t n = channels - c < V ? channels - c : V;
            vec turned[8][8];
            PYCONV_UNROLL
            for (int j = 0; j < rw; j++) {
                const real *from = band + j * band_w + c;
                vec d[8], column[8];
                PYCONV_UNROLL
                for (int i = 0; i < rh; i++)
                    d[i] = n == V ? v_load(from + i * band_h) : v_load_n(from + i * band_h, n);
                if (h > 1)
                    NAME(wino_taps_1d)(h, rh, down, d, column);
                else
                    column[0] = d[0];
                PYCONV_UNROLL
                for (int i = 0; i < h; i++)
                    turned[i][j] = column[i];
            }
            real *row = u + c;
            PYCONV_UNROLL
            for (int i = 0; i < h; i++, row += w * u_p) {
                vec out[8];
                if (w > 1)
                    NAME(wino_taps_1d)(w, rw, across, turned[i], out);
                else
                    out[0] = turned[i][0];
                PYCONV_UNROLL
                for (int j = 0; j < w; j++)
                    v_store(row + j * u_p, out[j]);
            }
        }
}

#define WINO_TAPS(X) X(4, 4, 2, 2) X(4, 4, 3, 3) X(6, 6, 4, 4) X(6, 6, 2, 2) X(1, 6, 1, 4) X(6, 1, 4, 1)
#define INSTANCE_NAME(h, w, rh, rw)                                                                          \
    NAME(PYCONV_PASTE(PYCONV_PASTE4(wino_taps_, h, x, w), PYCONV_PASTE4(_, rh, x, rw)))
#define INSTANCE(h, w, rh, rw)                                                                               \
    static __attribute__((noinline)) void INSTANCE_NAME(h, w, rh, rw)(                                       \
        ptrdiff_t tiles, ptrdiff_t channels, const real *band, ptrdiff_t band_h, ptrdiff_t band_w, real *u,  \
        ptrdiff_t u_p, ptrdiff_t u_t) {                                                                      \
        NAME(wino_taps_tiles)(h, w, rh, rw, tiles, channels, band, band_h, band_w, u, u_p, u_t);             \
    }
WINO_TAPS(INSTANCE)
#undef INSTANCE

static void NAME(wino_taps)(const pyconv_wino *f, ptrdiff_t tiles, ptrdiff_t channels, const void *band,
                            ptrdiff_t band_h, ptrdiff_t band_w, void *u, ptrdiff_t u_p, ptrdiff_t u_t) {
    const int rows = f->h - f->mh + 1, cols = f->w - f->mw + 1;
#define CALL(h_, w_, rh, rw)                                                                                 \
    if (f->h == h_ && f->w == w_ && rows == rh && cols == rw)                                                \
        INSTANCE_NAME(h_, w_, rh, rw)(tiles, channels, band, band_h, band_w, u, u_p, u_t);
    WINO_TAPS(CALL)
#undef CALL
}

#undef INSTANCE_NAME
#undef WINO_TAPS
