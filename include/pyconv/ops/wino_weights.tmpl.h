/* SPDX-License-Identifier: BSD-3-Clause */
/* Winograd's weights, u = G g Gᵀ: vectors of doubles run along the filters, and each number is rounded once. */

#define DOUBLES (VECTOR_BYTES / 8)
#define wide NAME(wide)
#define narrow NAME(narrow)
typedef double wide __attribute__((vector_size(VECTOR_BYTES)));
typedef real narrow __attribute__((vector_size(DOUBLES * sizeof(real)), aligned(sizeof(real)), may_alias));

/* u = G g along one axis. Rows 0 and ∞ of G have one number each; those of ±p are an even part ± an odd one, of three
 * points p alone. */
INLINE void NAME(wino_weights_1d)(const int size, const int r, double G[8][8], const wide g[8], wide u[8]) {
    u[0] = G[0][0] * g[0];
    PYCONV_UNROLL
    for (int i = 1; i < size - 1; i += 2) {
        wide even = G[i][0] * g[0], odd = G[i][1] * g[1];
        PYCONV_UNROLL
        for (int k = 2; k < r; k++)
            if (k % 2)
                odd += G[i][k] * g[k];
            else
                even += G[i][k] * g[k];
        u[i] = even + odd;
        u[i + 1] = even - odd;
    }
    u[size - 1] = g[r - 1];
}

/* u[i][l] = sum over k of G[i][k] g[k][l], rows of `count` doubles. */
INLINE void NAME(wino_weights_rows)(const int size, const int r, double G[8][8], ptrdiff_t count,
                                    const double *g, double *u) {
    for (ptrdiff_t l = 0; l < count; l += DOUBLES) {
        wide in[8], out[8];
        PYCONV_UNROLL
        for (int k = 0; k < r; k++)
            in[k] = *(const wide *)(g + k * count + l);
        NAME(wino_weights_1d)(size, r, G, in, out);
        PYCONV_UNROLL
        for (int i = 0; i < size; i++)
            *(wide *)(u + i * count + l) = out[i];
    }
}

/* u[line][j][l] = sum over k of G[j][k] g[line][k][l], l < NR, rounded; points of u are u_p apart. Each goes to a page of
 * its own, too many for the hardware to foresee, so the next channel's place is asked for beside each store. */
INLINE void NAME(wino_weights_points)(const int size, const int r, double G[8][8], ptrdiff_t lines,
                                      const double *g, real *u, ptrdiff_t u_p) {
    for (ptrdiff_t line = 0; line < lines; line++, g += r * NR, u += size * u_p)
        for (ptrdiff_t l = 0; l < NR; l += DOUBLES) {
            wide in[8], out[8];
            PYCONV_UNROLL
            for (int k = 0; k < r; k++)
                in[k] = *(const wide *)(g + k * NR + l);
            NAME(wino_weights_1d)(size, r, G, in, out);
            real *to = u + l;
            PYCONV_UNROLL
            for (int j = 0; j < size; j++, to += u_p) {
                *(narrow *)to = __builtin_convertvector(out[j], narrow);
                if (l * sizeof(real) % 64 == 0)
                    __builtin_prefetch(to + NR, 1);
            }
        }
}

#define WINO_AXES(X) X(3, 2) X(4, 2) X(4, 3) X(6, 3) X(6, 4) X(6, 5) X(8, 3) X(8, 7)
#define ROWS(size, r) NAME(PYCONV_PASTE4(wino_weights_rows_, size, of, r))
#define POINTS(size, r) NAME(PYCONV_PASTE4(wino_weights_points_, size, of, r))
#define INSTANCE(size, r)                                                                                    \
    static __attribute__((noinline)) void ROWS(size, r)(double G[8][8], ptrdiff_t count, const double *g,    \
                                                        double *u) {                                         \
        NAME(wino_weights_rows)(size, r, G, count, g, u);                                                    \
    }                                                                                                        \
    static __attribute__((noinline)) void POINTS(size, r)(double G[8][8], ptrdiff_t lines, const double *g,  \
                                                          real *u, ptrdiff_t u_p) {                          \
        NAME(wino_weights_points)(size, r, G, lines, g, u, u_p);                                             \
    }
WINO_AXES(INSTANCE)
#undef INSTANCE

/* packed[(i w + j) depth + c][l] for one channel and phase from its taps g[rh][rw][NR]; scratch as g's columns in full. */
static void NAME(wino_weights_tile)(const pyconv_wino *f, int rh, int rw, double gh[8][8], double gw[8][8],
                                    const double *g, double *scratch, real *packed, ptrdiff_t u_p) {
#define CALL(size, r)                                                                                        \
    if (f->h == size && rh == r)                                                                             \
        ROWS(size, r)(gh, rw * NR, g, scratch);
    if (f->h > 1 && f->w > 1) {
        WINO_AXES(CALL)
        g = scratch;
    }
#undef CALL
    const int across = f->w > 1, points = across ? f->w : f->h, taps = across ? rw : rh;
#define CALL(size, r)                                                                                        \
    if (points == size && taps == r)                                                                         \
        POINTS(size, r)(across ? gw : gh, across ? f->h : 1, g, packed, u_p);
    WINO_AXES(CALL)
#undef CALL
}

/* g[k][n][l] = w[l][k sh + a][n sw + b] of one channel, zero beyond the kernel. Taps and filters of w are w_t and w_f
 * apart; side by side they are NR, else `count`. */
static void NAME(wino_weights_phase)(const pyconv_wino *f, int rh, int rw, int a, int b, ptrdiff_t count,
                                     const real *w, ptrdiff_t w_t, ptrdiff_t w_f, double *g) {
    static const real zeros[NR] = {0};
    for (int i = a; i < a + rh * f->sh; i += f->sh)
        for (int j = b; j < b + rw * f->sw; j += f->sw, g += NR) {
            const int inside = i < f->kh && j < f->kw;
            const real *from = inside ? w + (i * f->kw + j) * w_t : zeros;
            if (inside && w_f != 1)
                for (ptrdiff_t l = 0; l < NR; l++)
                    g[l] = l < count ? (double)from[l * w_f] : 0;
            else
                for (int l = 0; l < NR; l += DOUBLES)
                    *(wide *)(g + l) = __builtin_convertvector(*(const narrow *)(from + l), wide);
        }
}

/* packed[unit][i w + j][(a sw + b) ic + c][l] = (G g Gᵀ)[i][j] in double, rounded once; zero beyond oc.
 * g[k][n] = w[unit NR + l][c][k sh + a][n sw + b], zero beyond the kernel.
 *
 * So many channels at a time are turned, filters side by side, as L1 holds; of a larger kernel each tap is read where it
 * stands. */
static void NAME(wino_weights)(const pyconv_wino *f, ptrdiff_t oc, ptrdiff_t ic, const void *w_,
                               void *packed_) {
    const real *w = w_;
    real *packed = packed_;
    enum { most = 192 };
    const int rh = f->h - f->mh + 1, rw = f->w - f->mw + 1;
    const ptrdiff_t taps = f->kh * f->kw, u_p = f->sh * f->sw * ic * NR,
                    block = taps > most ? 1 : most / taps;
    _Alignas(64) real turned[most * NR];
    _Alignas(64) double g[8 * 8 * NR], scratch[8 * 8 * NR];
    double gh[8][8], gw[8][8];
    pyconv_wino_g(f->h, rh, gh);
    pyconv_wino_g(f->w, rw, gw);
    for (ptrdiff_t first = 0; first < oc; first += NR, packed += f->h * f->w * u_p) {
        const ptrdiff_t count = oc - first < NR ? oc - first : NR;
        if (count < NR)
            memset(turned, 0, sizeof turned);
        for (ptrdiff_t c = 0; c < ic; c += block) {
            const ptrdiff_t channels = ic - c < block ? ic - c : block;
            const real *from = w + (first * ic + c) * taps;
            ptrdiff_t w_t = 1, w_f = ic * taps;
            if (taps <= most) {
                NAME(transpose_rows)(count, channels * taps, from, w_f, turned, NR);
                from = turned, w_t = NR, w_f = 1;
            }
            for (ptrdiff_t i = 0; i < f->sh * f->sw * channels; i++) {
                const ptrdiff_t phase = i / channels, at = i % channels;
                NAME(wino_weights_phase)(f, rh, rw, (int)phase / f->sw, (int)phase % f->sw, count,
                                         from + at * taps * w_t, w_t, w_f, g);
                NAME(wino_weights_tile)(f, rh, rw, gh, gw, g, scratch, packed + (phase * ic + c + at) * NR,
                                        u_p);
            }
        }
    }
}

#undef WINO_AXES
#undef ROWS
#undef POINTS
#undef narrow
#undef wide
#undef DOUBLES
