/* SPDX-License-Identifier: BSD-3-Clause */
/* The passes of F(M x M, 3 x 3) over tiles of SIZE x SIZE pixels, SIZE = M + 2, from the one-dimensional transforms of
 * WINO, one of f2k3, f4k3, f6k3. Included once for each of them, after
 *
 *     #define WINO f4k3
 *     #define M 4 */

#define F(op) NAME(PYCONV_PASTE(WINO, op))
#define SIZE (M + 2)

/* packed[unit][i SIZE + j][c][l] = (G g Gᵀ)[i][j], g = w[unit NR + l][c][3][3], zero beyond oc; in double, rounded once. */
static void F(_weights)(ptrdiff_t oc, ptrdiff_t ic, const real *w, real *packed) {
    const double (*G)[3] = PYCONV_PASTE3(pyconv_, WINO, _g);
    for (ptrdiff_t first = 0; first < oc; first += NR, packed += SIZE * SIZE * ic * NR)
        for (ptrdiff_t c = 0; c < ic; c++) {
            double g[3][3][NR] = {0}, rows[SIZE][3][NR];
            for (ptrdiff_t l = 0; l < NR && first + l < oc; l++)
                for (int t = 0; t < 9; t++)
                    g[t / 3][t % 3][l] = w[((first + l) * ic + c) * 9 + t];
            for (int i = 0; i < SIZE; i++)
                for (int j = 0; j < 3; j++)
                    for (int l = 0; l < NR; l++)
                        rows[i][j][l] = G[i][0] * g[0][j][l] + G[i][1] * g[1][j][l] + G[i][2] * g[2][j][l];
            for (int i = 0; i < SIZE; i++)
                for (int j = 0; j < SIZE; j++) {
                    real *to = packed + ((i * SIZE + j) * ic + c) * NR;
                    for (int l = 0; l < NR; l++)
                        to[l] = (real)(G[j][0] * rows[i][0][l] + G[j][1] * rows[i][1][l] +
                                       G[j][2] * rows[i][2][l]);
                }
        }
}

/* v[i SIZE + j][tile][c] = (Bᵀ d B)[i][j] for neighbouring tiles, whose pixels d are M columns apart.
 *
 *   band  channels side by side, rows band_h and columns band_w apart
 *   v     points v_p and tiles v_t apart; channels are rounded up to whole vectors, zero beyond
 *
 * Neighbours overlap by two columns, so columns are transformed once for all tiles. */
static void F(_input)(ptrdiff_t tiles, ptrdiff_t channels, const real *band, ptrdiff_t band_h,
                      ptrdiff_t band_w, real *v, ptrdiff_t v_p, ptrdiff_t v_t) {
    enum { most = 24 / M };
    vec columns[(most * M + 2) * SIZE];
    for (ptrdiff_t c = 0; c < channels; c += V) {
        const ptrdiff_t n = channels - c < V ? channels - c : V;
        for (ptrdiff_t first = 0; first < tiles; first += most) {
            const ptrdiff_t count = tiles - first < most ? tiles - first : most;
            const real *from = band + first * M * band_w + c;
            for (ptrdiff_t q = 0; q < count * M + 2; q++, from += band_w) {
                vec d[SIZE];
                PYCONV_UNROLL
                for (int i = 0; i < SIZE; i++)
                    d[i] = n == V ? v_load(from + i * band_h) : v_load_n(from + i * band_h, n);
                F(_input_1d)(d);
                PYCONV_UNROLL
                for (int i = 0; i < SIZE; i++)
                    columns[q * SIZE + i] = d[i];
            }
            real *to = v + first * v_t + c;
            for (ptrdiff_t t = 0; t < count; t++, to += v_t) {
                real *row = to;
                PYCONV_UNROLL
                for (int i = 0; i < SIZE; i++, row += SIZE * v_p) {
                    vec d[SIZE];
                    PYCONV_UNROLL
                    for (int j = 0; j < SIZE; j++)
                        d[j] = columns[(t * M + j) * SIZE + i];
                    F(_input_1d)(d);
                    PYCONV_UNROLL
                    for (int j = 0; j < SIZE; j++)
                        v_store(row + j * v_p, d[j]);
                }
            }
        }
    }
}

/* y = epilogue(Aᵀ p A) for neighbouring tiles, clipped to `rows` <= M and `cols` <= tiles M.
 *
 *   p  the products: points p_p and tiles p_t apart, channels rounded up to whole vectors
 *   y  rows ys_h, columns ys_w and channels ys_c apart; one of ys_w and ys_c is 1 */
static void F(_output)(ptrdiff_t tiles, ptrdiff_t channels, const real *p, ptrdiff_t p_p, ptrdiff_t p_t,
                       ptrdiff_t rows, ptrdiff_t cols, real *y, ptrdiff_t ys_h, ptrdiff_t ys_w,
                       ptrdiff_t ys_c, const EPILOGUE *e) {
    enum { most = NAME(wino_columns) / M };
    vec pixels[M * NAME(wino_columns)];
    for (ptrdiff_t c = 0; c < channels; c += V)
        for (ptrdiff_t first = 0; first < tiles; first += most) {
            const ptrdiff_t count = tiles - first < most ? tiles - first : most;
            const real *from = p + first * p_t + c;
            for (ptrdiff_t t = 0; t < count; t++, from += p_t) {
                vec turned[M][SIZE];
                PYCONV_UNROLL
                for (int j = 0; j < SIZE; j++) {
                    vec column[SIZE], out[M];
                    PYCONV_UNROLL
                    for (int i = 0; i < SIZE; i++)
                        column[i] = v_load(from + (i * SIZE + j) * p_p);
                    F(_output_1d)(column, out);
                    PYCONV_UNROLL
                    for (int i = 0; i < M; i++)
                        turned[i][j] = out[i];
                }
                PYCONV_UNROLL
                for (int i = 0; i < M; i++) {
                    vec out[M];
                    F(_output_1d)(turned[i], out);
                    PYCONV_UNROLL
                    for (int j = 0; j < M; j++)
                        pixels[i * NAME(wino_columns) + t * M + j] = out[j];
                }
            }
            const ptrdiff_t col = first * M, at = c * ys_c + col * ys_w;
            const EPILOGUE here = {e->flags, e->lo, e->hi, e->bias ? e->bias + c : NULL,
                                   e->residual ? e->residual + at : NULL};
            NAME(wino_store)(pixels, rows, cols - col < most * M ? cols - col : most * M,
                             channels - c < V ? channels - c : V, y + at, ys_h, ys_w, ys_c, &here);
        }
}

#undef SIZE
#undef F
