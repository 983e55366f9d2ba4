/* SPDX-License-Identifier: BSD-3-Clause */
/* X[k] = Σ z[m] e^(-2πi km/n): V complex transforms side by side, one a lane, and the products of their spectra.
 *
 * Stockham's order: a pass of radix R over transforms of length l takes z[q + s (p + m j)], m = l / R, s = n / l,
 * j < R, to z[q + s (R p + k)] = e^(-2πi pk/l) Σ z_j e^(-2πi jk/R), k < R; nothing is ever put in bit-reversed order. The
 * passes of V lanes stay in L1; between the first and the last they go to and fro in `scratch`. The first and the last may
 * turn the points, multiply each by a root of its own, as they load or store them. */

typedef struct NAME(cvec) {
    vec re, im;
} NAME(cvec);
#define cvec NAME(cvec)

INLINE cvec NAME(c_add)(cvec a, cvec b) { return (cvec){a.re + b.re, a.im + b.im}; }
INLINE cvec NAME(c_sub)(cvec a, cvec b) { return (cvec){a.re - b.re, a.im - b.im}; }
INLINE cvec NAME(c_sub_i)(cvec a, cvec b) { return (cvec){a.re + b.im, a.im - b.re}; } /* a - i b */
INLINE cvec NAME(c_add_i)(cvec a, cvec b) { return (cvec){a.re - b.im, a.im + b.re}; } /* a + i b */
INLINE cvec NAME(c_mul)(cvec a, vec re, vec im) {
    return (cvec){v_fma(a.re, re, -(a.im * im)), v_fma(a.re, im, a.im * re)};
}

INLINE void NAME(dft3)(cvec z[8]) {
    const vec half = v_set1((real)0.5), sine = v_set1((real)0.86602540378443864676);
    const cvec sum = NAME(c_add)(z[1], z[2]), gap = NAME(c_sub)(z[1], z[2]);
    const cvec middle = {z[0].re - half * sum.re, z[0].im - half * sum.im},
               turned = {sine * gap.re, sine * gap.im};
    z[0] = NAME(c_add)(z[0], sum);
    z[1] = NAME(c_sub_i)(middle, turned);
    z[2] = NAME(c_add_i)(middle, turned);
}

INLINE void NAME(dft4)(cvec *a, cvec *b, cvec *c, cvec *d) {
    const cvec ac = NAME(c_add)(*a, *c), a_c = NAME(c_sub)(*a, *c);
    const cvec bd = NAME(c_add)(*b, *d), b_d = NAME(c_sub)(*b, *d);
    *a = NAME(c_add)(ac, bd);
    *b = NAME(c_sub_i)(a_c, b_d);
    *c = NAME(c_sub)(ac, bd);
    *d = NAME(c_add_i)(a_c, b_d);
}

INLINE void NAME(dft5)(cvec z[8]) {
    /* cos and sin of 2π/5 and 4π/5: the cosines' mean is -1/4, half their difference √5/4 */
    const vec quarter = v_set1((real)0.25), root = v_set1((real)0.55901699437494742410),
              sine1 = v_set1((real)0.95105651629515357212), sine2 = v_set1((real)0.58778525229247312917);
    const cvec near = NAME(c_add)(z[1], z[4]), near_gap = NAME(c_sub)(z[1], z[4]);
    const cvec far = NAME(c_add)(z[2], z[3]), far_gap = NAME(c_sub)(z[2], z[3]);
    const cvec sum = NAME(c_add)(near, far), gap = NAME(c_sub)(near, far);
    const cvec middle = {z[0].re - quarter * sum.re, z[0].im - quarter * sum.im},
               apart = {root * gap.re, root * gap.im};
    const cvec one = NAME(c_add)(middle, apart), two = NAME(c_sub)(middle, apart);
    const cvec turned1 = {v_fma(sine1, near_gap.re, sine2 * far_gap.re),
                          v_fma(sine1, near_gap.im, sine2 * far_gap.im)};
    const cvec turned2 = {v_fma(sine2, near_gap.re, -(sine1 * far_gap.re)),
                          v_fma(sine2, near_gap.im, -(sine1 * far_gap.im))};
    z[0] = NAME(c_add)(z[0], sum);
    z[1] = NAME(c_sub_i)(one, turned1);
    z[2] = NAME(c_sub_i)(two, turned2);
    z[3] = NAME(c_add_i)(two, turned2);
    z[4] = NAME(c_add_i)(one, turned1);
}

INLINE void NAME(dft8)(cvec z[8]) {
    const vec root = v_set1((real)0.70710678118654752440);
    NAME(dft4)(&z[0], &z[2], &z[4], &z[6]);
    NAME(dft4)(&z[1], &z[3], &z[5], &z[7]);
    /* times e^(-2πi k/8): (1 - i) √½, -i, (-1 - i) √½ */
    const cvec one = {root * (z[3].re + z[3].im), root * (z[3].im - z[3].re)};
    const cvec three = {root * (z[7].im - z[7].re), root * (-z[7].im - z[7].re)};
    const cvec even[4] = {z[0], z[2], z[4], z[6]}, zero = z[1], two = z[5];
    z[0] = NAME(c_add)(even[0], zero), z[4] = NAME(c_sub)(even[0], zero);
    z[1] = NAME(c_add)(even[1], one), z[5] = NAME(c_sub)(even[1], one);
    z[2] = NAME(c_sub_i)(even[2], two), z[6] = NAME(c_add_i)(even[2], two);
    z[3] = NAME(c_add)(even[3], three), z[7] = NAME(c_sub)(even[3], three);
}

/* Where the points of a transform stand: point k, lane l at re[k step + l] and im[k step + l]. */
typedef struct NAME(points) {
    real *re, *im;
    ptrdiff_t step;
} NAME(points);

/* turns_in, turns_out: NULL, or what the points read and those written are multiplied by, pairs as many apart as these. */
INLINE void NAME(fft_butterfly)(const int R, const int twiddled, NAME(points) from, ptrdiff_t m,
                                NAME(points) to, ptrdiff_t s, const vec *cosine, const vec *sine,
                                const real *turns_in, const real *turns_out) {
    cvec z[8];
    PYCONV_UNROLL
    for (int j = 0; j < R; j++) {
        const ptrdiff_t at = j * m * s * from.step;
        z[j] = (cvec){v_load(from.re + at), v_load(from.im + at)};
        if (turns_in)
            z[j] = NAME(c_mul)(z[j], v_set1(turns_in[2 * j * m * s]), v_set1(turns_in[2 * j * m * s + 1]));
    }
    if (R == 3)
        NAME(dft3)(z);
    else if (R == 4)
        NAME(dft4)(&z[0], &z[1], &z[2], &z[3]);
    else if (R == 5)
        NAME(dft5)(z);
    else
        NAME(dft8)(z);
    PYCONV_UNROLL
    for (int k = 0; k < R; k++) {
        const ptrdiff_t at = k * s * to.step;
        if (twiddled && k > 0)
            z[k] = NAME(c_mul)(z[k], cosine[k], sine[k]);
        if (turns_out)
            z[k] = NAME(c_mul)(z[k], v_set1(turns_out[2 * k * s]), v_set1(turns_out[2 * k * s + 1]));
        v_store(to.re + at, z[k].re);
        v_store(to.im + at, z[k].im);
    }
}

/* w[k] = e^(-2πi k/n), k < n, as pairs (cos, -sin) */
INLINE void NAME(fft_pass_any)(const int R, ptrdiff_t m, ptrdiff_t s, NAME(points) from, NAME(points) to,
                               const real *w, const real *turns_in, const real *turns_out) {
    vec cosine[8], sine[8];
    for (ptrdiff_t p = 0; p < m; p++) {
        PYCONV_UNROLL
        for (int k = 1; k < R; k++) {
            cosine[k] = v_set1(w[2 * p * k * s]);
            sine[k] = v_set1(w[2 * p * k * s + 1]);
        }
        for (ptrdiff_t q = 0; q < s; q++) {
            const ptrdiff_t read = q + s * p, written = q + s * R * p;
            const ptrdiff_t in = read * from.step, out = written * to.step;
            const NAME(points) a = {from.re + in, from.im + in, from.step};
            const NAME(points) b = {to.re + out, to.im + out, to.step};
            const real *before = turns_in ? turns_in + 2 * read : NULL,
                       *after = turns_out ? turns_out + 2 * written : NULL;
            if (p == 0)
                NAME(fft_butterfly)(R, 0, a, m, b, s, cosine, sine, before, after);
            else
                NAME(fft_butterfly)(R, 1, a, m, b, s, cosine, sine, before, after);
        }
    }
}

/* A pass between others; the first, of transforms of n = R m points; the last, of s = n / R. */
#define FFT_PASS(R)                                                                                          \
    static void NAME(fft_pass_##R)(ptrdiff_t m, ptrdiff_t s, NAME(points) from, NAME(points) to,             \
                                   const real *w) {                                                          \
        NAME(fft_pass_any)(R, m, s, from, to, w, NULL, NULL);                                                \
    }
#define FFT_FIRST(R)                                                                                         \
    static void NAME(fft_first_##R)(ptrdiff_t m, NAME(points) from, NAME(points) to, const real *w,          \
                                    const real *turns) {                                                     \
        NAME(fft_pass_any)(R, m, 1, from, to, w, turns, NULL);                                               \
    }
#define FFT_LAST(R)                                                                                          \
    static void NAME(fft_last_##R)(ptrdiff_t s, NAME(points) from, NAME(points) to, const real *w,           \
                                   const real *turns) {                                                      \
        NAME(fft_pass_any)(R, 1, s, from, to, w, NULL, turns);                                               \
    }
FFT_PASS(3)
FFT_PASS(4)
FFT_PASS(5)
FFT_PASS(8)
FFT_FIRST(4)
FFT_FIRST(8)
FFT_LAST(3)
FFT_LAST(4)
FFT_LAST(5)
FFT_LAST(8)
#undef FFT_PASS
#undef FFT_FIRST
#undef FFT_LAST

/* turns_in, turns_out: NULL but for the first, the last of the passes. */
static void NAME(fft_pass)(int radix, ptrdiff_t m, ptrdiff_t s, NAME(points) from, NAME(points) to,
                           const real *w, const real *turns_in, const real *turns_out) {
    if (turns_in)
        (radix == 4 ? NAME(fft_first_4) : NAME(fft_first_8))(m, from, to, w, turns_in);
    else if (turns_out)
        (radix == 3   ? NAME(fft_last_3)
         : radix == 4 ? NAME(fft_last_4)
         : radix == 5 ? NAME(fft_last_5)
                      : NAME(fft_last_8))(s, from, to, w, turns_out);
    else
        (radix == 3   ? NAME(fft_pass_3)
         : radix == 4 ? NAME(fft_pass_4)
         : radix == 5 ? NAME(fft_pass_5)
                      : NAME(fft_pass_8))(m, s, from, to, w);
}

/* buffer[n][2][V] <-> the V rows of n reals each at rows, rows_s apart. */
INLINE void NAME(fft_columns)(ptrdiff_t n, const real *rows, ptrdiff_t rows_s, real *buffer) {
    for (ptrdiff_t k = 0; k < n; k += V) {
        vec block[V];
        PYCONV_UNROLL
        for (int i = 0; i < V; i++)
            block[i] = v_load(rows + i * rows_s + k);
        v_transpose(block);
        PYCONV_UNROLL
        for (int i = 0; i < V; i++)
            v_store(buffer + 2 * V * (k + i), block[i]);
    }
}

INLINE void NAME(fft_rows)(ptrdiff_t n, const real *buffer, real *rows, ptrdiff_t rows_s) {
    for (ptrdiff_t k = 0; k < n; k += V) {
        vec block[V];
        PYCONV_UNROLL
        for (int i = 0; i < V; i++)
            block[i] = v_load(buffer + 2 * V * (k + i));
        v_transpose(block);
        PYCONV_UNROLL
        for (int i = 0; i < V; i++)
            v_store(rows + i * rows_s + k, block[i]);
    }
}

/* to[k] = from[k] each[k] lanes[k][l] in lane l: each [n][2], lanes [n][2][V]. */
static void NAME(fft_turn)(ptrdiff_t n, NAME(points) from, NAME(points) to, const real *each,
                           const real *lanes) {
    for (ptrdiff_t k = 0; k < n; k++) {
        cvec z = {v_load(from.re + k * from.step), v_load(from.im + k * from.step)};
        z = NAME(c_mul)(z, v_set1(each[2 * k]), v_set1(each[2 * k + 1]));
        z = NAME(c_mul)(z, v_load(lanes + 2 * V * k), v_load(lanes + 2 * V * k + V));
        v_store(to.re + k * to.step, z.re);
        v_store(to.im + k * to.step, z.im);
    }
}

/*   n            16, 32, 48, ...: 2^a 3^b 5^c with a >= 4
 *   block, blocks   the first block's number, among those that `lanes` is for, and how many follow
 *   re, im       n points by steps of from_s, each the V lanes of a block; blocks are from_b apart. With
 *                PYCONV_FFT_FROM_ROWS the V lanes are rows of n reals, from_s apart
 *   to_re, to_im likewise by to_s and to_b, with PYCONV_FFT_TO_ROWS; may be re and im. Exchange real and imaginary parts on
 *                both sides for the inverse, times n; its turns are then the inverse ones
 *   w            [n][2], e^(-2πi k/n)
 *   turns        [n][2] of every block: with PYCONV_FFT_POINTS_IN or _OUT points are multiplied by it before or after the
 *                transform
 *   lanes        [n][2][V] of every block, [block][n][2]: with PYCONV_FFT_LANES_IN or _OUT points are multiplied by the
 *                product of both; not together with rows on the same side, nor with turns on it
 *   scratch      [3][n][2][V] */
static void NAME(fft)(int flags, ptrdiff_t n, ptrdiff_t block, ptrdiff_t blocks, const void *re_,
                      const void *im_, ptrdiff_t from_s, ptrdiff_t from_b, void *to_re_, void *to_im_,
                      ptrdiff_t to_s, ptrdiff_t to_b, const void *w, const void *turns_, const void *lanes_,
                      void *scratch_) {
    const real *re = re_, *im = im_, *turns = turns_, *lanes = lanes_;
    real *to_re = to_re_, *to_im = to_im_, *scratch = scratch_;
    const ptrdiff_t size = 2 * n * V;
    const NAME(points) aside = {scratch + 2 * size, scratch + 2 * size + V, 2 * V};
    for (const ptrdiff_t end = block + blocks; block < end; block++) {
        const real *each = lanes ? lanes + size + 2 * n * block : NULL;
        NAME(points) from = {(real *)re, (real *)im, from_s};
        NAME(points) here = {scratch, scratch + V, 2 * V};
        NAME(points) there = {scratch + size, scratch + size + V, 2 * V};
        const NAME(points) to_block = {to_re, to_im, to_s};
        const NAME(points) last = flags & (PYCONV_FFT_LANES_OUT | PYCONV_FFT_TO_ROWS) ? aside : to_block;
        if (flags & PYCONV_FFT_FROM_ROWS) {
            NAME(fft_columns)(n, re, from_s, aside.re);
            NAME(fft_columns)(n, im, from_s, aside.im);
            from = aside;
        } else if (flags & PYCONV_FFT_LANES_IN) {
            NAME(fft_turn)(n, from, aside, each, lanes);
            from = aside;
        }
        ptrdiff_t s = 1;
        for (ptrdiff_t l = n; l > 1;) {
            const int radix = pyconv_fft_radix(l);
            const NAME(points) to = l == radix ? last : here;
            NAME(fft_pass)(radix, l / radix, s, from, to, w,
                           l == n && flags & PYCONV_FFT_POINTS_IN ? turns : NULL,
                           l == radix && flags & PYCONV_FFT_POINTS_OUT ? turns : NULL);
            here = there;
            there = from = to;
            l /= radix;
            s *= radix;
        }
        if (flags & PYCONV_FFT_TO_ROWS) {
            NAME(fft_rows)(n, aside.re, to_re, to_s);
            NAME(fft_rows)(n, aside.im, to_im, to_s);
        } else if (flags & PYCONV_FFT_LANES_OUT) {
            NAME(fft_turn)(n, aside, to_block, each, lanes);
        }
        re += from_b;
        im += from_b;
        to_re += to_b;
        to_im += to_b;
    }
}

INLINE void NAME(fft_products)(const int T, ptrdiff_t blocks, ptrdiff_t oc, ptrdiff_t ic, const real *h,
                               const real *x, real *y) {
    for (; blocks > 0; blocks--, x += 2 * V * ic * T)
        for (ptrdiff_t o = 0; o < oc; o++, y += 2 * V * T) {
            cvec sum[4];
            PYCONV_UNROLL
            for (int t = 0; t < T; t++)
                sum[t] = (cvec){{0}, {0}};
            for (ptrdiff_t c = 0; c < ic; c++, h += 2 * V) {
                const vec re = v_load(h), im = v_load(h + V);
                PYCONV_UNROLL
                for (int t = 0; t < T; t++) {
                    const vec x_re = v_load(x + 2 * V * (c * T + t)),
                              x_im = v_load(x + 2 * V * (c * T + t) + V);
                    sum[t].re = v_fma(re, x_re, v_fma(-im, x_im, sum[t].re));
                    sum[t].im = v_fma(re, x_im, v_fma(im, x_re, sum[t].im));
                }
            }
            PYCONV_UNROLL
            for (int t = 0; t < T; t++) {
                v_store(y + 2 * V * t, sum[t].re);
                v_store(y + 2 * V * t + V, sum[t].im);
            }
        }
}

/* y[b][o][t] = Σ h[b][o][c] x[b][c][t] over c, in each of the V frequencies of a block: h [blocks][oc][ic][2][V],
 * x [blocks][ic][tiles][2][V], y [blocks][oc][tiles][2][V], tiles 1 to 4, which share each load of h. */
static void NAME(fft_multiply)(ptrdiff_t blocks, ptrdiff_t oc, ptrdiff_t ic, ptrdiff_t tiles, const void *h,
                               const void *x, void *y) {
    if (tiles == 1)
        NAME(fft_products)(1, blocks, oc, ic, h, x, y);
    else if (tiles == 2)
        NAME(fft_products)(2, blocks, oc, ic, h, x, y);
    else if (tiles == 3)
        NAME(fft_products)(3, blocks, oc, ic, h, x, y);
    else
        NAME(fft_products)(4, blocks, oc, ic, h, x, y);
}
#undef cvec
