/* SPDX-License-Identifier: BSD-3-Clause */
/* The passes around Winograd's products, see wino.h: V = s Bᵀ d B, then P = sum over channels of V ∘ (G g Gᵀ), then
 * y = Aᵀ P A / s. The transforms of an axis are in wino_<points>.h. */

/* Nothing at all for the 1 that the compiler sees. */
INLINE vec NAME(wino_times)(const double s, vec d) { return s == 1 ? d : v_set1((real)s) * d; }

#include "wino_3.h"
#include "wino_4.h"
#include "wino_6.h"
#include "wino_8.h"
#include "wino_store.tmpl.h"
#include "wino_taps.tmpl.h"
#include "wino_weights.tmpl.h"

/* d <- s Bᵀ d; s is 1 for 3 and 4 points */
INLINE void NAME(wino_input_1d)(const int size, const double s, vec d[8]) {
    if (size == 3)
        NAME(wino_input_3)(d);
    else if (size == 4)
        NAME(wino_input_4)(d);
    else if (size == 6)
        NAME(wino_input_6)(s, d);
    else if (size == 8)
        NAME(wino_input_8)(s, d);
}

/* y = Aᵀ p */
INLINE void NAME(wino_output_1d)(const int size, const int m, const vec p[8], vec y[6]) {
    if (size == 3)
        NAME(wino_output_3)(p, y);
    else if (size == 4)
        NAME(wino_output_4)(m, p, y);
    else if (size == 6)
        NAME(wino_output_6)(m, p, y);
    else if (size == 8)
        NAME(wino_output_8)(m, p, y);
    else
        y[0] = p[0];
}

/* v[i w + j][tile][c] = s (Bᵀ d B)[i][j], s = scale[h] scale[w], i < rows and j < cols, for neighbouring tiles, whose pixels d are m columns apart.
 *
 *   band  channels side by side, rows band_h and columns band_w apart
 *   v     points v_p and tiles v_t apart; channels are rounded up to whole vectors, zero beyond
 *
 * Neighbours overlap, so columns are transformed once for all tiles. */
INLINE void NAME(wino_input_tiles)(const int h, const int w, ptrdiff_t m, ptrdiff_t tiles, ptrdiff_t channels,
                                   ptrdiff_t rows, ptrdiff_t cols, const real *band, ptrdiff_t band_h,
                                   ptrdiff_t band_w, real *v, ptrdiff_t v_p, ptrdiff_t v_t) {
    const double s = pyconv_wino_scale[h] * pyconv_wino_scale[w];
    const ptrdiff_t most = 24 / m;
    vec columns[(24 + 7) * 8];
    for (ptrdiff_t first = 0; first < tiles; first += most) {
        const ptrdiff_t count = tiles - first < most ? tiles - first : most;
        for (ptrdiff_t c = 0; c < channels; c += V) {
            const ptrdiff_t n = channels - c < V ? channels - c : V;
            const real *from = band + first * m * band_w + c;
            for (ptrdiff_t q = 0; q < count * m + w - m; q++, from += band_w) {
                vec d[8];
                PYCONV_UNROLL
                for (int i = 0; i < h; i++)
                    d[i] = n == V ? v_load(from + i * band_h) : v_load_n(from + i * band_h, n);
                NAME(wino_input_1d)(h, h > 1 ? s : 1, d);
                PYCONV_UNROLL
                for (int i = 0; i < h; i++)
                    columns[q * h + i] = d[i];
            }
            real *to = v + first * v_t + c;
            for (ptrdiff_t t = 0; t < count; t++, to += v_t) {
                real *row = to;
                PYCONV_UNROLL
                for (int i = 0; i < h; i++, row += w * v_p) {
                    if (i >= rows)
                        break;
                    vec d[8];
                    PYCONV_UNROLL
                    for (int j = 0; j < w; j++)
                        d[j] = columns[(t * m + j) * h + i];
                    NAME(wino_input_1d)(w, h > 1 ? 1 : s, d);
                    PYCONV_UNROLL
                    for (int j = 0; j < w; j++)
                        if (j < cols)
                            v_store(row + j * v_p, d[j]);
                }
            }
        }
    }
}

/* y = epilogue(scale Aᵀ p A), scale = 1 / s, for neighbouring tiles, clipped to `rows` <= mh and `cols` <= tiles mw.
 *
 *   p  the products: points p_p and tiles p_t apart, channels rounded up to whole vectors
 *   y  rows ys_h, columns ys_w and channels ys_c apart; the bias is BIAS_COLUMN, of each channel */
INLINE void NAME(wino_output_tiles)(const int h, const int w, const int mh, const int mw, real scale,
                                    ptrdiff_t tiles, ptrdiff_t channels, const real *p, ptrdiff_t p_p,
                                    ptrdiff_t p_t, ptrdiff_t rows, ptrdiff_t cols, real *y, ptrdiff_t ys_h,
                                    ptrdiff_t ys_w, ptrdiff_t ys_c, const EPILOGUE *e) {
    const ptrdiff_t most = NAME(wino_columns) / mw;
    vec pixels[6 * NAME(wino_columns)];
    for (ptrdiff_t c = 0; c < channels; c += V)
        for (ptrdiff_t first = 0; first < tiles; first += most) {
            const ptrdiff_t count = tiles - first < most ? tiles - first : most;
            const real *from = p + first * p_t + c;
            for (ptrdiff_t t = 0; t < count; t++, from += p_t) {
                vec turned[6][8];
                PYCONV_UNROLL
                for (int j = 0; j < w; j++) {
                    vec column[8], out[6];
                    PYCONV_UNROLL
                    for (int i = 0; i < h; i++)
                        column[i] = v_load(from + (i * w + j) * p_p);
                    NAME(wino_output_1d)(h, mh, column, out);
                    PYCONV_UNROLL
                    for (int i = 0; i < mh; i++)
                        turned[i][j] = out[i];
                }
                PYCONV_UNROLL
                for (int i = 0; i < mh; i++) {
                    vec out[6];
                    NAME(wino_output_1d)(w, mw, turned[i], out);
                    PYCONV_UNROLL
                    for (int j = 0; j < mw; j++)
                        pixels[i * NAME(wino_columns) + t * mw + j] = out[j];
                }
            }
            const ptrdiff_t col = first * mw, at = c * ys_c + col * ys_w;
            const EPILOGUE here = {e->flags, e->lo, e->hi, e->bias ? e->bias + c : NULL,
                                   e->residual ? e->residual + at : NULL};
            NAME(wino_store)(pixels, scale, rows, cols - col < most * mw ? cols - col : most * mw,
                             channels - c < V ? channels - c : V, y + at, ys_h, ys_w, ys_c, &here);
        }
}

/* An instance for each shape of tile. */
#define WINO_INPUTS(X) X(3, 3) X(4, 4) X(6, 6) X(8, 8) X(1, 6) X(6, 1) X(1, 8) X(8, 1)
#define WINO_OUTPUTS(X)                                                                                      \
    X(3, 3, 2, 2)                                                                                            \
    X(4, 4, 2, 2)                                                                                            \
    X(4, 4, 3, 3)                                                                                            \
    X(6, 6, 4, 4)                                                                                            \
    X(6, 6, 3, 3)                                                                                            \
    X(6, 6, 2, 2)                                                                                            \
    X(6, 6, 5, 5)                                                                                            \
    X(8, 8, 6, 6)                                                                                            \
    X(1, 6, 1, 3)                                                                                            \
    X(6, 1, 3, 1) X(1, 6, 1, 4) X(6, 1, 4, 1) X(1, 6, 1, 2) X(6, 1, 2, 1) X(1, 8, 1, 2) X(8, 1, 2, 1)

#define WINO_INPUT(h, w) NAME(PYCONV_PASTE4(wino_input_, h, x, w))
#define INSTANCE(h, w)                                                                                       \
    static __attribute__((noinline)) void WINO_INPUT(h, w)(                                                  \
        ptrdiff_t m, ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t cols, const real *band,  \
        ptrdiff_t band_h, ptrdiff_t band_w, real *v, ptrdiff_t v_p, ptrdiff_t v_t) {                         \
        NAME(wino_input_tiles)(h, w, m, tiles, channels, rows, cols, band, band_h, band_w, v, v_p, v_t);     \
    }
WINO_INPUTS(INSTANCE)
#undef INSTANCE

static void NAME(wino_input)(const pyconv_wino *f, ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows,
                             ptrdiff_t cols, const void *band, ptrdiff_t band_h, ptrdiff_t band_w, void *v,
                             ptrdiff_t v_p, ptrdiff_t v_t) {
#define CALL(h_, w_)                                                                                         \
    if (f->h == h_ && f->w == w_)                                                                            \
        WINO_INPUT(h_, w_)(f->mw, tiles, channels, rows, cols, band, band_h, band_w, v, v_p, v_t);
    WINO_INPUTS(CALL)
#undef CALL
}

#define WINO_OUTPUT(h, w, mh, mw)                                                                            \
    NAME(PYCONV_PASTE(PYCONV_PASTE4(wino_output_, h, x, w), PYCONV_PASTE4(_, mh, x, mw)))
#define INSTANCE(h, w, mh, mw)                                                                               \
    static __attribute__((noinline)) void WINO_OUTPUT(h, w, mh, mw)(                                         \
        real scale, ptrdiff_t tiles, ptrdiff_t channels, const real *p, ptrdiff_t p_p, ptrdiff_t p_t,        \
        ptrdiff_t rows, ptrdiff_t cols, real *y, ptrdiff_t ys_h, ptrdiff_t ys_w, ptrdiff_t ys_c,             \
        const EPILOGUE *e) {                                                                                 \
        NAME(wino_output_tiles)(h, w, mh, mw, scale, tiles, channels, p, p_p, p_t, rows, cols, y, ys_h,      \
                                ys_w, ys_c, e);                                                              \
    }
WINO_OUTPUTS(INSTANCE)
#undef INSTANCE

static void NAME(wino_output)(const pyconv_wino *f, ptrdiff_t tiles, ptrdiff_t channels, const void *p,
                              ptrdiff_t p_p, ptrdiff_t p_t, ptrdiff_t rows, ptrdiff_t cols, void *y,
                              ptrdiff_t ys_h, ptrdiff_t ys_w, ptrdiff_t ys_c, const pyconv_epilogue *e_) {
    const EPILOGUE e = NAME(all_of)(e_);
    /* Not known to the compiler, which would make as many copies of wino_store as there are scales. */
    const real scale = (real)(1 / (pyconv_wino_scale[f->h] * pyconv_wino_scale[f->w]));
#define CALL(h_, w_, mh_, mw_)                                                                               \
    if (f->h == h_ && f->w == w_ && f->mh == mh_ && f->mw == mw_)                                            \
        WINO_OUTPUT(h_, w_, mh_, mw_)(scale, tiles, channels, p, p_p, p_t, rows, cols, y, ys_h, ys_w, ys_c,  \
                                      &e);
    WINO_OUTPUTS(CALL)
#undef CALL
}

#undef WINO_OUTPUT
#undef WINO_OUTPUTS
#undef WINO_INPUT
#undef WINO_INPUTS
