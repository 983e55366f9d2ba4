/* SPDX-License-Identifier: BSD-3-Clause */
/* sums[t][c] += sum over q < pixels of dy[q][c] x[q][offsets[t] + c]: what one row of outputs adds to the gradients of
 * `taps` taps of a depthwise convolution, channels last.
 *
 *   x  [pixels][x_s], of a tap from offsets[t] on    dy  [pixels][dy_s]    sums  [taps][channels]
 *
 * Vectors run over channels. The sums of up to 10 taps, those of a 3x3 kernel among them, stay in registers, and those of
 * the row are added to the sums before it: fewer roundings than in one sum of all pixels. */
INLINE void NAME(grad_tile)(const int T, const int full, ptrdiff_t n, ptrdiff_t pixels, const real *x,
                            ptrdiff_t x_s, const ptrdiff_t *offsets, const real *dy, ptrdiff_t dy_s,
                            real *sums, ptrdiff_t sums_s) {
#define LOAD(p) (full ? v_load(p) : v_load_n(p, n))
    vec sum[10];
    PYCONV_UNROLL
    for (int t = 0; t < T; t++)
        sum[t] = (vec){0};
    do {
        const ptrdiff_t rest = pixels > PYCONV_CHAIN ? pixels - PYCONV_CHAIN : 0;
        for (; pixels > rest; pixels--, x += x_s, dy += dy_s) {
            const vec scale = LOAD(dy);
            PYCONV_UNROLL
            for (int t = 0; t < T; t++)
                sum[t] = v_fma(scale, LOAD(x + offsets[t]), sum[t]);
        }
        real *to = sums;
        PYCONV_UNROLL
        for (int t = 0; t < T; t++, to += sums_s) {
            if (full)
                v_store(to, v_load(to) + sum[t]);
            else
                v_store_n(to, v_load_n(to, n) + sum[t], n);
            sum[t] = (vec){0};
        }
    } while (pixels > 0);
#undef LOAD
}

#define GRAD_INSTANCE(T)                                                                                     \
    static void NAME(grad_##T)(ptrdiff_t channels, ptrdiff_t pixels, const real *x, ptrdiff_t x_s,           \
                               const ptrdiff_t *offsets, const real *dy, ptrdiff_t dy_s, real *sums) {       \
        ptrdiff_t c = 0;                                                                                     \
        for (; c + V <= channels; c += V)                                                                    \
            NAME(grad_tile)(T, 1, V, pixels, x + c, x_s, offsets, dy + c, dy_s, sums + c, channels);         \
        if (c < channels)                                                                                    \
            NAME(grad_tile)(T, 0, channels - c, pixels, x + c, x_s, offsets, dy + c, dy_s, sums + c,         \
                            channels);                                                                       \
    }
#define EACH_TAPS(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10)
EACH_TAPS(GRAD_INSTANCE)

static void NAME(depthwise_grad)(ptrdiff_t channels, ptrdiff_t pixels, ptrdiff_t taps, const void *x,
                                 ptrdiff_t x_s, const ptrdiff_t *offsets, const void *dy, ptrdiff_t dy_s,
                                 void *sums_) {
    real *sums = sums_;
#define GRAD_ENTRY(T) NAME(grad_##T),
    static void (*const instances[])(ptrdiff_t, ptrdiff_t, const real *, ptrdiff_t, const ptrdiff_t *,
                                     const real *, ptrdiff_t, real *) = {EACH_TAPS(GRAD_ENTRY)};
    const ptrdiff_t parts = pyconv_ceil_div(taps, 10);
    for (ptrdiff_t i = 0; i < parts; i++) {
        const ptrdiff_t t = pyconv_split_start(taps, parts, i),
                        count = pyconv_split_start(taps, parts, i + 1) - t;
        instances[count - 1](channels, pixels, x, x_s, offsets + t, dy, dy_s, sums + t * channels);
    }
#undef GRAD_ENTRY
}
#undef GRAD_INSTANCE
#undef EACH_TAPS
