/* SPDX-License-Identifier: BSD-3-Clause */
/* band[c][r][a][q] = x[c][h0 + r][w0 + q sw + a], zero outside the image: channels of a band (see band.h).
 *
 *   x     [planes][ih][iw], planes xs_c and rows xs_h apart
 *   band  [planes][rows][sw][pitch], pitch a multiple of V, all written */

/* x[0..V) of sw neighbouring vectors to their phases; sw is 1, 2 or 4. */
INLINE void NAME(split_phases)(const int sw, const vec v[4], real *to, ptrdiff_t pitch) {
    if (sw == 1)
        v_store(to, v[0]);
    else if (sw == 2) {
        v_store(to, v_even(v[0], v[1]));
        v_store(to + pitch, v_odd(v[0], v[1]));
    } else {
        const vec even[2] = {v_even(v[0], v[1]), v_even(v[2], v[3])};
        const vec odd[2] = {v_odd(v[0], v[1]), v_odd(v[2], v[3])};
        v_store(to, v_even(even[0], even[1]));
        v_store(to + pitch, v_even(odd[0], odd[1]));
        v_store(to + 2 * pitch, v_odd(even[0], even[1]));
        v_store(to + 3 * pitch, v_odd(odd[0], odd[1]));
    }
}

/* Columns q0 .. q1 of rows that are inside the image, one by one, so that the masks of a column serve all rows. */
INLINE void NAME(split_edge)(ptrdiff_t planes, const real *x, ptrdiff_t xs_c, ptrdiff_t xs_h, ptrdiff_t iw,
                             ptrdiff_t w0, ptrdiff_t rows, const int sw, ptrdiff_t pitch, real *band,
                             ptrdiff_t band_c, ptrdiff_t q0, ptrdiff_t q1) {
    for (ptrdiff_t q = q0; q < q1; q += V) {
        const ptrdiff_t w = w0 + q * sw;
        v_part parts[4];
        PYCONV_UNROLL
        for (int a = 0; a < sw; a++)
            parts[a] = v_part_of(-(w + a * V), iw - (w + a * V));
        for (ptrdiff_t c = 0; c < planes; c++)
            for (ptrdiff_t r = 0; r < rows; r++) {
                vec v[4];
                PYCONV_UNROLL
                for (int a = 0; a < sw; a++)
                    v[a] = fill_load_part(x + c * xs_c + r * xs_h + w + a * V, parts[a]);
                NAME(split_phases)(sw, v, band + c * band_c + r * sw * pitch + q, pitch);
            }
    }
}

/* Rows that are inside the image. */
INLINE void NAME(split_rows)(ptrdiff_t planes, const real *x, ptrdiff_t xs_c, ptrdiff_t xs_h, ptrdiff_t iw,
                             ptrdiff_t w0, ptrdiff_t rows, const int sw, ptrdiff_t pitch, real *band,
                             ptrdiff_t band_c) {
    const ptrdiff_t step = sw * V;
    const ptrdiff_t q0 = pyconv_clamp(pyconv_ceil_div(-w0, step) * V, 0, pitch);
    const ptrdiff_t q1 = iw - w0 > 0 ? pyconv_clamp((iw - w0) / step * V, q0, pitch) : q0;
    for (ptrdiff_t c = 0; c < planes; c++)
        for (ptrdiff_t r = 0; r < rows; r++) {
            const real *from = x + c * xs_c + r * xs_h + w0 + q0 * sw;
            real *to = band + c * band_c + r * sw * pitch;
            for (ptrdiff_t q = q0; q < q1; q += V, from += step) {
                vec v[4];
                PYCONV_UNROLL
                for (int a = 0; a < sw; a++)
                    v[a] = fill_load(from + a * V);
                NAME(split_phases)(sw, v, to + q, pitch);
            }
        }
    NAME(split_edge)(planes, x, xs_c, xs_h, iw, w0, rows, sw, pitch, band, band_c, 0, q0);
    NAME(split_edge)(planes, x, xs_c, xs_h, iw, w0, rows, sw, pitch, band, band_c, q1, pitch);
}

static void NAME(split_rows_any)(const real *x, ptrdiff_t xs_h, ptrdiff_t iw, ptrdiff_t w0, ptrdiff_t rows,
                                 ptrdiff_t sw, ptrdiff_t pitch, real *band) {
    for (ptrdiff_t r = 0; r < rows; r++, x += xs_h)
        for (ptrdiff_t a = 0; a < sw; a++, band += pitch)
            for (ptrdiff_t q = 0, w = w0 + a; q < pitch; q++, w += sw)
                band[q] = w >= 0 && w < iw ? fill_get(x + w) : 0;
}

INLINE void NAME(split_zeros)(ptrdiff_t count, real *band) {
    for (ptrdiff_t q = 0; q < count; q += V)
        v_store(band + q, (vec){0});
}

static void NAME(split)(ptrdiff_t planes, const void *x_, ptrdiff_t xs_c, ptrdiff_t xs_h, ptrdiff_t ih,
                        ptrdiff_t iw, ptrdiff_t h0, ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw,
                        ptrdiff_t pitch, void *band_, ptrdiff_t band_c) {
    const real *x = x_;
    real *band = band_;
    const ptrdiff_t width = sw * pitch, first = pyconv_clamp(-h0, 0, rows),
                    last = pyconv_clamp(ih - h0, first, rows);
    for (ptrdiff_t c = 0; c < planes; c++) {
        NAME(split_zeros)(first * width, band + c * band_c);
        NAME(split_zeros)((rows - last) * width, band + c * band_c + last * width);
    }
    for (ptrdiff_t r = first; r < last; r += 8) { /* few enough for the prefetcher to see rows, not columns */
        const ptrdiff_t count = last - r < 8 ? last - r : 8;
        const real *from = x + (h0 + r) * xs_h;
        real *to = band + r * width;
        if (sw == 1)
            NAME(split_rows)(planes, from, xs_c, xs_h, iw, w0, count, 1, pitch, to, band_c);
        else if (sw == 2)
            NAME(split_rows)(planes, from, xs_c, xs_h, iw, w0, count, 2, pitch, to, band_c);
        else if (sw == 4)
            NAME(split_rows)(planes, from, xs_c, xs_h, iw, w0, count, 4, pitch, to, band_c);
        else
            for (ptrdiff_t c = 0; c < planes; c++)
                NAME(split_rows_any)(from + c * xs_c, xs_h, iw, w0, count, sw, pitch, to + c * band_c);
    }
}
