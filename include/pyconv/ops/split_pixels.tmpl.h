/* SPDX-License-Identifier: BSD-3-Clause */
/* band[r][a][q C + c] = x[h0 + r][w0 + q sw + a][c], zero outside the image: rows of a band whose columns are C reals each (see
 * band.h).
 *
 *   x     [ih][iw][C], rows xs_h apart
 *   band  [rows][sw][pitch], all written, and up to PYCONV_BAND_SLACK reals behind it */

/* to[q][C] = from[q sw][C]. Moves of `bytes` write more than a pixel, and the next pixel over it. */
INLINE void NAME(split_moves)(const size_t bytes, ptrdiff_t count, const real *from, ptrdiff_t step, real *to,
                              ptrdiff_t channels) {
    for (ptrdiff_t q = 0; q < count; q++, from += step, to += channels)
        memcpy(to, from, bytes);
}

/* The same; `readable` reals from `from` on may be read, and all that is written beyond the last pixel is written anew. */
static void NAME(split_run)(ptrdiff_t count, const real *from, ptrdiff_t readable, ptrdiff_t step, real *to,
                            ptrdiff_t channels) {
    const ptrdiff_t need = channels * (ptrdiff_t)sizeof(real);
    const ptrdiff_t bytes = need <= 8 ? 8 : need <= 16 ? 16 : need <= 32 ? 32 : need <= 64 ? 64 : need;
    const ptrdiff_t room = readable - bytes / (ptrdiff_t)sizeof(real);
    const ptrdiff_t moves = room < 0 ? 0 : pyconv_clamp(room / step + 1, 0, count);
    switch (bytes) {
    case 8:
        NAME(split_moves)(8, moves, from, step, to, channels);
        break;
    case 16:
        NAME(split_moves)(16, moves, from, step, to, channels);
        break;
    case 32:
        NAME(split_moves)(32, moves, from, step, to, channels);
        break;
    case 64:
        NAME(split_moves)(64, moves, from, step, to, channels);
        break;
    default:
        NAME(split_moves)((size_t)need, moves, from, step, to, channels);
    }
    for (ptrdiff_t q = moves; q < count; q++)
        for (ptrdiff_t c = 0; c < channels; c++)
            to[q * channels + c] = fill_get(from + q * step + c);
}

static void NAME(split_pixels)(ptrdiff_t channels, const void *x_, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw,
                               ptrdiff_t h0, ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch,
                               void *band_) {
    const real *x = x_;
    real *to = band_;
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t a = 0; a < sw; a++, to += pitch) {
            const ptrdiff_t h = h0 + r, w = w0 + a;
            ptrdiff_t first, last;
            pyconv_taps_inside(w, sw, pitch / channels, iw, &first, &last);
            if (h < 0 || h >= ih)
                first = last = 0;
            const ptrdiff_t start = (w + first * sw) * channels;
            memset(to, 0, (size_t)(first * channels) * sizeof(real));
            NAME(split_run)(last - first, x + h * xs_h + start, iw * channels - start, sw * channels,
                            to + first * channels, channels);
            memset(to + last * channels, 0, (size_t)(pitch - last * channels) * sizeof(real));
        }
}
