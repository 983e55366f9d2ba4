/* SPDX-License-Identifier: BSD-3-Clause */
/* band[r][a][q] = x[h0 + r][w0 + q sw + a], zero outside the image: one channel of a band (see band.h).
 *
 *   x     [ih][iw], rows xs_h apart
 *   band  [rows][sw][pitch], pitch a multiple of 16, all written */

/* The phases of v consecutive pixels, count of them valid; for sw = 1 and 2. */
INLINE void NAME(split_row)(const real *x, ptrdiff_t iw, ptrdiff_t w0, const int sw, real *row,
                            ptrdiff_t pitch) {
    for (ptrdiff_t q = 0; q < pitch; q += V) {
        const ptrdiff_t first = w0 + q * sw;
        vec v[2] = {{0}, {0}};
        PYCONV_UNROLL
        for (int i = 0; i < sw; i++) {
            const ptrdiff_t w = first + i * V;
            if (w >= 0 && w + V <= iw)
                v[i] = v_load(x + w);
            else if (w > -V && w < iw) {
                real lanes[V] = {0};
                for (ptrdiff_t l = w < 0 ? -w : 0; l < V && w + l < iw; l++)
                    lanes[l] = x[w + l];
                v[i] = v_load(lanes);
            }
        }
        v_store(row + q, sw == 1 ? v[0] : v_even(v[0], v[1]));
        if (sw == 2)
            v_store(row + pitch + q, v_odd(v[0], v[1]));
    }
}

static void NAME(split)(const real *x, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw, ptrdiff_t h0,
                        ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, real *band) {
    for (ptrdiff_t r = 0; r < rows; r++, band += sw * pitch) {
        const ptrdiff_t h = h0 + r;
        if (h < 0 || h >= ih)
            memset(band, 0, (size_t)(sw * pitch) * sizeof(real));
        else if (sw == 1)
            NAME(split_row)(x + h * xs_h, iw, w0, 1, band, pitch);
        else if (sw == 2)
            NAME(split_row)(x + h * xs_h, iw, w0, 2, band, pitch);
        else
            for (ptrdiff_t a = 0; a < sw; a++)
                for (ptrdiff_t q = 0; q < pitch; q++) {
                    const ptrdiff_t w = w0 + q * sw + a;
                    band[a * pitch + q] = w >= 0 && w < iw ? x[h * xs_h + w] : 0;
                }
    }
}
