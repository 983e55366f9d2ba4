/* SPDX-License-Identifier: BSD-3-Clause */
/* band[r][a][q] = x[h0 + r][w0 + q sw + a], zero outside the image: one channel of a band (see band.h).
 *
 *   x     [ih][iw], rows xs_h apart
 *   band  [rows][sw][pitch], pitch a multiple of V, all written */

INLINE void NAME(split_zeros)(real *row, ptrdiff_t first, ptrdiff_t last) {
    for (ptrdiff_t q = first; q < last; q += V)
        v_store_n(row + q, (vec){0}, last - q < V ? last - q : V);
}

/* v to row[at], as far as the row goes. */
INLINE void NAME(split_put)(real *row, ptrdiff_t pitch, ptrdiff_t at, vec v) {
    if (at + V <= pitch)
        v_store(row + at, v);
    else if (at < pitch)
        v_store_n(row + at, v, pitch - at);
}

INLINE vec NAME(split_load)(const real *x, ptrdiff_t n) {
    return n >= V ? v_load(x) : n > 0 ? v_load_n(x, n) : (vec){0};
}

/* One row for a stride of 1, 2 or 4, known when compiled: n pixels from x, of which the first is `lead` columns
 * behind the start of the band. Pixel w goes to phase (lead + w) % sw, place (lead + w) / sw. */
INLINE void NAME(split_row)(const real *x, ptrdiff_t n, ptrdiff_t lead, const int sw, real *row, ptrdiff_t pitch) {
    const ptrdiff_t steps = (n + sw * V - 1) / (sw * V);
    real *to[4];
    ptrdiff_t at[4];
    PYCONV_UNROLL
    for (int a = 0; a < sw; a++) {
        at[a] = (lead + a) / sw;
        to[a] = row + (lead + a) % sw * pitch;
        NAME(split_zeros)(to[a], 0, at[a]);
    }
    for (ptrdiff_t step = 0; step < steps; step++, x += sw * V, n -= sw * V) {
        vec v[4];
        PYCONV_UNROLL
        for (int a = 0; a < sw; a++)
            v[a] = NAME(split_load)(x + a * V, n - a * V);
        if (sw == 2) {
            const vec low = v[0], high = v[1];
            v[0] = v_even(low, high);
            v[1] = v_odd(low, high);
        } else if (sw == 4) {
            const vec even[2] = {v_even(v[0], v[1]), v_even(v[2], v[3])};
            const vec odd[2] = {v_odd(v[0], v[1]), v_odd(v[2], v[3])};
            v[0] = v_even(even[0], even[1]);
            v[1] = v_even(odd[0], odd[1]);
            v[2] = v_odd(even[0], even[1]);
            v[3] = v_odd(odd[0], odd[1]);
        }
        PYCONV_UNROLL
        for (int a = 0; a < sw; a++)
            NAME(split_put)(to[a], pitch, at[a] + step * V, v[a]);
    }
    PYCONV_UNROLL
    for (int a = 0; a < sw; a++)
        NAME(split_zeros)(to[a], at[a] + steps * V, pitch);
}

static void NAME(split_row_any)(const real *x, ptrdiff_t n, ptrdiff_t lead, ptrdiff_t sw, real *row, ptrdiff_t pitch) {
    NAME(split_zeros)(row, 0, sw * pitch);
    ptrdiff_t phase = lead % sw, q = lead / sw;
    for (ptrdiff_t w = 0; w < n; w++) {
        row[phase * pitch + q] = x[w];
        if (++phase == sw) {
            phase = 0;
            q++;
        }
    }
}

static void NAME(split)(const real *x, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw, ptrdiff_t h0, ptrdiff_t rows,
                        ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, real *band) {
    const ptrdiff_t width = sw * pitch, lead = w0 < 0 ? -w0 : 0, skip = w0 > 0 ? w0 : 0;
    const ptrdiff_t n = iw - skip < width - lead ? iw - skip : width - lead;
    for (ptrdiff_t r = 0; r < rows; r++, band += width) {
        const ptrdiff_t h = h0 + r;
        const real *row = x + h * xs_h + skip;
        if (h < 0 || h >= ih || n <= 0)
            NAME(split_zeros)(band, 0, width);
        else if (sw == 1)
            NAME(split_row)(row, n, lead, 1, band, pitch);
        else if (sw == 2)
            NAME(split_row)(row, n, lead, 2, band, pitch);
        else if (sw == 4)
            NAME(split_row)(row, n, lead, 4, band, pitch);
        else
            NAME(split_row_any)(row, n, lead, sw, band, pitch);
    }
}
