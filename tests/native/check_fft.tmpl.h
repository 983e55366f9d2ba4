/* SPDX-License-Identifier: BSD-3-Clause */
/* The transform against its definition in float64, and products of spectra against complex sums. */

#ifndef FFT_ROOT
#define FFT_ROOT
/* cos and sin of 2π k/n, of an angle within an eighth of a turn. */
static void fft_root(ptrdiff_t k, ptrdiff_t n, double *cosine, double *sine) {
    const ptrdiff_t quarter = (4 * k + n / 2) / n;
    const double angle = M_PI / 2 * (double)(4 * k - quarter * n) / (double)n, c = cos(angle), s = sin(angle);
    const double of[4] = {c, -s, -c, s};
    *cosine = of[quarter % 4];
    *sine = of[(quarter + 3) % 4];
}
#endif

/* e^(-2πi k/n) as kernels take it. */
static guarded CHECK_NAME(roots)(ptrdiff_t n) {
    guarded g = guarded_new((size_t)(2 * n) * sizeof(real));
    for (ptrdiff_t k = 0; k < n; k++) {
        double c, s;
        fft_root(k, n, &c, &s);
        ((real *)g.data)[2 * k] = (real)c;
        ((real *)g.data)[2 * k + 1] = (real)-s;
    }
    return g;
}

/* z *= what a transform's input (or output) at point k and this lane of a block is turned by. */
static void CHECK_NAME(turned)(int points, int lanes, const real *turns, ptrdiff_t n, ptrdiff_t v,
                               ptrdiff_t block, ptrdiff_t lane, ptrdiff_t k, double z[2]) {
    const real *by_lane = turns + 2 * n + 2 * v * k + lane,
               *by_block = turns + 2 * n * (1 + v + block) + 2 * k;
    const double factors[3][2] = {
        {turns[2 * k], turns[2 * k + 1]}, {by_lane[0], by_lane[v]}, {by_block[0], by_block[1]}};
    for (int i = 0; i < 3; i++)
        if (i == 0 ? points : lanes) {
            const double re = z[0] * factors[i][0] - z[1] * factors[i][1];
            z[1] = z[0] * factors[i][1] + z[1] * factors[i][0];
            z[0] = re;
        }
}

/* By columns into an array of blocks, from rows into one, from such an array to rows, and by columns in place; the two
 * that go by columns with their points turned by each of the ways in and out. */
static void CHECK_NAME(fft_case)(const KERNELS *kernels, const char *isa, ptrdiff_t n, ptrdiff_t blocks,
                                 int form) {
    static const int all_flags[] = {0,
                                    PYCONV_FFT_FROM_ROWS,
                                    PYCONV_FFT_TO_ROWS,
                                    0,
                                    PYCONV_FFT_POINTS_IN | PYCONV_FFT_LANES_OUT,
                                    PYCONV_FFT_LANES_IN | PYCONV_FFT_POINTS_OUT,
                                    PYCONV_FFT_POINTS_IN,
                                    PYCONV_FFT_POINTS_OUT};
    const int flags = all_flags[form], in_place = form == 3 || form == 4;
    const ptrdiff_t v = kernels->lanes, first = form > 3 ? 2 : 0,
                    turn_size = 2 * n * (1 + v + first + blocks);
    /* Steps from point to point, lane to lane, block to block. */
    const ptrdiff_t from[3] = {flags & PYCONV_FFT_FROM_ROWS ? 1 : blocks * v + 3,
                               flags & PYCONV_FFT_FROM_ROWS ? n + 5 : 1,
                               flags & PYCONV_FFT_FROM_ROWS ? v * (n + 5) : v};
    const ptrdiff_t to[3] = {flags & PYCONV_FFT_TO_ROWS ? 1 : 2 * v, flags & PYCONV_FFT_TO_ROWS ? n + 3 : 1,
                             flags & PYCONV_FFT_TO_ROWS ? v * (n + 3) : 2 * v * n};
    const ptrdiff_t *out = in_place ? from : to;
    const ptrdiff_t from_size = (n - 1) * from[0] + (v - 1) * from[1] + (blocks - 1) * from[2] + 1;
    const ptrdiff_t to_size = (n - 1) * to[0] + (v - 1) * to[1] + (blocks - 1) * to[2] + 1;
    guarded re = CHECK_NAME(numbers)(from_size), im = CHECK_NAME(numbers)(from_size),
            to_re = CHECK_NAME(numbers)(to_size), to_im = CHECK_NAME(numbers)(to_size),
            w = CHECK_NAME(roots)(n), scratch = guarded_new((size_t)(6 * n * v) * sizeof(real)),
            turns = CHECK_NAME(numbers)(turn_size);
    double *z = malloc((size_t)(2 * from_size) * sizeof *z), *want = malloc((size_t)(2 * n) * sizeof *want),
           *in = malloc((size_t)(2 * n) * sizeof *in);
    for (ptrdiff_t i = 0; i < from_size; i++) {
        z[2 * i] = (double)((real *)re.data)[i];
        z[2 * i + 1] = (double)((real *)im.data)[i];
    }
    const real *got_re = (real *)(in_place ? re.data : to_re.data);
    const real *got_im = (real *)(in_place ? im.data : to_im.data);
    kernels->fft(flags, n, first, blocks, (real *)re.data, (real *)im.data,
                 flags & PYCONV_FFT_FROM_ROWS ? from[1] : from[0], from[2], (real *)got_re, (real *)got_im,
                 flags & PYCONV_FFT_TO_ROWS ? out[1] : out[0], out[2], (real *)w.data,
                 form > 3 ? (real *)turns.data : NULL, form > 3 ? (real *)turns.data + 2 * n : NULL,
                 (real *)scratch.data);
    double *roots = malloc((size_t)(2 * n) * sizeof *roots);
    for (ptrdiff_t k = 0; k < n; k++)
        fft_root(k, n, roots + 2 * k, roots + 2 * k + 1);
    long wrong = 0;
    for (ptrdiff_t lane = 0; lane < blocks * v; lane++) {
        double largest = 0;
        for (ptrdiff_t m = 0; m < n; m++) {
            const double *at = z + 2 * (m * from[0] + lane % v * from[1] + lane / v * from[2]);
            in[2 * m] = at[0];
            in[2 * m + 1] = at[1];
            CHECK_NAME(turned)(flags & PYCONV_FFT_POINTS_IN, flags & PYCONV_FFT_LANES_IN, (real *)turns.data,
                               n, v, first + lane / v, lane % v, m, in + 2 * m);
        }
        for (ptrdiff_t k = 0; k < n; k++) {
            long double x = 0, y = 0;
            for (ptrdiff_t m = 0; m < n; m++) {
                const double *root = roots + 2 * (k * m % n);
                x += in[2 * m] * root[0] + in[2 * m + 1] * root[1];
                y += in[2 * m + 1] * root[0] - in[2 * m] * root[1];
            }
            want[2 * k] = (double)x;
            want[2 * k + 1] = (double)y;
            CHECK_NAME(turned)(flags & PYCONV_FFT_POINTS_OUT, flags & PYCONV_FFT_LANES_OUT,
                               (real *)turns.data, n, v, first + lane / v, lane % v, k, want + 2 * k);
            largest = fmax(largest, fmax(fabs(want[2 * k]), fabs(want[2 * k + 1])));
        }
        /* Two roundings of the largest at each of log2 n levels: of a root, and of a sum. */
        const double bound = 2 * log2((double)n) * largest * (sizeof(real) == 4 ? 0x1p-24 : 0x1p-53);
        for (ptrdiff_t k = 0; k < n; k++) {
            const ptrdiff_t at = k * out[0] + lane % v * out[1] + lane / v * out[2];
            wrong += !(fabs((double)got_re[at] - want[2 * k]) <= bound &&
                       fabs((double)got_im[at] - want[2 * k + 1]) <= bound);
        }
    }
    free(roots);
    free(in);
    free(want);
    free(z);
    wrong += !guarded_free(re) + !guarded_free(im) + !guarded_free(to_re) + !guarded_free(to_im) +
             !guarded_free(w) + !guarded_free(scratch) + !guarded_free(turns);
    CHECK(wrong == 0, "%s fft of %td points, %td blocks, form %d: %ld wrong", isa, n, blocks, form, wrong);
}

static void CHECK_NAME(fft)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t sizes[] = {16, 32, 48, 64, 80, 96, 128, 144, 192, 240, 256, 400, 512, 768};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 8; form++)
            CHECK_NAME(fft_case)(kernels, isa, sizes[i], i < 5 ? 3 : 1, form);
    CHECK_NAME(fft_case)(kernels, isa, 2048, 1, 3);
}

static void CHECK_NAME(fft_multiply)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t v = kernels->lanes, blocks = 2;
    for (ptrdiff_t oc = 1; oc < 4; oc++)
        for (ptrdiff_t ic = 1; ic < 4; ic++)
            for (ptrdiff_t tiles = 1; tiles <= 4; tiles++) {
                guarded h = CHECK_NAME(numbers)(blocks * oc * ic * 2 * v),
                        x = CHECK_NAME(numbers)(blocks * ic * tiles * 2 * v),
                        y = CHECK_NAME(numbers)(blocks * oc * tiles * 2 * v);
                const real *H = (real *)h.data, *X = (real *)x.data, *Y = (real *)y.data;
                kernels->fft_multiply(blocks, oc, ic, tiles, H, X, (real *)y.data);
                long wrong = 0;
                for (ptrdiff_t i = 0; i < blocks * oc * tiles * v; i++) {
                    const ptrdiff_t lane = i % v, t = i / v % tiles, o = i / v / tiles % oc,
                                    b = i / v / tiles / oc;
                    real re = 0, im = 0;
                    for (ptrdiff_t c = 0; c < ic; c++) {
                        const real *a = H + ((b * oc + o) * ic + c) * 2 * v + lane;
                        const real *z = X + ((b * ic + c) * tiles + t) * 2 * v + lane;
                        re += a[0] * z[0] - a[v] * z[v];
                        im += a[0] * z[v] + a[v] * z[0];
                    }
                    const real *got = Y + i / v * 2 * v + lane;
                    wrong += got[0] != re || got[v] != im;
                }
                wrong += !guarded_free(h) + !guarded_free(x) + !guarded_free(y);
                CHECK(wrong == 0, "%s fft_multiply oc=%td ic=%td tiles=%td: %ld wrong", isa, oc, ic, tiles,
                      wrong);
            }
}
