/* SPDX-License-Identifier: BSD-3-Clause */
/* sums[a][s][c] += sum over lines and outputs u of dy[line][u][c] x[line][u stride + a dilation - pad][s][c], of a filter for each
 * lane c: what some lines of outputs add to the gradient of a depthwise filter.
 *
 *   x  inputs of a line x_step apart, those of shift s from s x_shift on      dy  outputs of a line dy_step apart
 *   sums  [taps][shifts][n], sums_a and sums_s apart
 *
 * Channels last, lanes are channels, a line is a row of pixels, shifts are rows of the kernel. In planes lanes are neighbours
 * in a row, a line goes down the rows, shifts are columns of the kernel. Inputs outside the image are not read.
 *
 * The sums of up to A taps x S shifts stay in registers, the last outputs too: each input is loaded once for all of its taps,
 * and the products, not the loads, take the time. Sums of a call join those before it: fewer roundings than in one sum. */
INLINE void NAME(grad_lines)(const int A, const int ST, const int S, const pyconv_grad *g, ptrdiff_t tap,
                             ptrdiff_t taps, ptrdiff_t shift, ptrdiff_t n, ptrdiff_t lines,
                             const pyconv_grad_line *line, const real *x_, const real *dy_, real *sums) {
    enum { most = 7 };
    /* Step u brings output u and inputs u ST + c + start, 0 <= c < ST: these meet taps c + b ST of outputs u - b. */
    const int window = (A + ST - 1) / ST;
    const ptrdiff_t start = tap * g->dilation - g->pad, x_step = ST == 1 && A == 1 ? g->stride : 1;
    const ptrdiff_t outputs = g->outputs, inputs = g->inputs, dy_step = g->dy_step;
    const ptrdiff_t dy_ahead = g->dy_ahead, x_ahead = g->x_ahead, fresh = tap + shift ? 0 : g->fresh;
    const ptrdiff_t before = start < 0 ? -start / (ST * x_step) : 0, end = outputs + window - 1;
    const ptrdiff_t first = g->first > before ? g->first : before, last = g->last < end ? g->last : end;
    vec sum[most][5];
    PYCONV_UNROLL
    for (int a = 0; a < A; a++) {
        PYCONV_UNROLL
        for (int s = 0; s < S; s++)
            sum[a][s] = (vec){0};
    }
    for (; lines > 0; lines--, line++) {
        const ptrdiff_t valid = line->lanes < n ? line->lanes : n;
        const v_part all = v_part_of(0, valid);
        v_part part[5];
        const real *row[5], *dy = dy_ + line->dy + first * dy_step;
        ptrdiff_t i = first * ST * x_step + start;
        vec d[most];
        PYCONV_UNROLL
        for (int s = 0; s < S; s++) {
            const ptrdiff_t at = line->at + (shift + s) * g->gap, left = g->places - at;
            part[s] = g->lanes_move ? v_part_of(-at, left < valid ? left : valid)
                                    : v_part_of(0, at >= 0 && left > 0 ? valid : 0);
            row[s] = x_ + line->x + (shift + s) * g->x_shift + i * g->x_step;
        }
        d[window - 1] = (vec){0};
        PYCONV_UNROLL
        for (int b = 1; b < window; b++)
            d[b - 1] = first >= b && first - b < outputs ? v_load_part(dy - b * dy_step, all) : (vec){0};
        for (ptrdiff_t u = first; u < last; u++, dy += dy_step) {
            __builtin_prefetch(dy + dy_ahead, 0, 2);
            PYCONV_UNROLL
            for (int b = window - 1; b > 0; b--)
                d[b] = d[b - 1];
            d[0] = u < outputs ? v_load_part(dy, all) : (vec){0};
            PYCONV_UNROLL
            for (int c = 0; c < ST; c++, i += x_step) {
                if (i >= 0 && i < inputs) {
                    for (ptrdiff_t r = 0; r < fresh; r++)
                        __builtin_prefetch(row[0] + x_ahead + r * g->x_shift, 0, 2);
                    PYCONV_UNROLL
                    for (int s = 0; s < S; s++) {
                        const vec v = v_load_part(row[s], part[s]);
                        PYCONV_UNROLL
                        for (int a = c; a < A; a += ST)
                            sum[a][s] = v_fma(d[a / ST], v, sum[a][s]);
                    }
                }
                PYCONV_UNROLL
                for (int s = 0; s < S; s++)
                    row[s] += x_step * g->x_step;
            }
        }
    }
    sums += tap * g->sums_a + shift * g->sums_s;
    PYCONV_UNROLL
    for (int a = 0; a < A; a++) {
        PYCONV_UNROLL
        for (int s = 0; s < S; s++)
            if (a < taps) {
                real *to = sums + a * g->sums_a + s * g->sums_s;
                v_store_n(to, v_load_n(to, n) + sum[a][s], n);
            }
    }
}

#define GRAD_INSTANCE(A, ST, S)                                                                              \
    static void NAME(grad_##A##_##ST##_##S)(                                                                 \
        const pyconv_grad *g, ptrdiff_t tap, ptrdiff_t taps, ptrdiff_t shift, ptrdiff_t n, ptrdiff_t lines,  \
        const pyconv_grad_line *line, const real *x, const real *dy, real *sums) {                           \
        NAME(grad_lines)(A, ST, S, g, tap, taps, shift, n, lines, line, x, dy, sums);                        \
    }
GRAD_INSTANCE(1, 1, 1)
GRAD_INSTANCE(1, 1, 5)
GRAD_INSTANCE(3, 1, 1)
GRAD_INSTANCE(3, 1, 3)
GRAD_INSTANCE(3, 2, 1)
GRAD_INSTANCE(3, 2, 3)
GRAD_INSTANCE(5, 1, 1)
GRAD_INSTANCE(5, 2, 1)
GRAD_INSTANCE(7, 1, 1)
GRAD_INSTANCE(7, 2, 1)
#if REGISTERS == 32
GRAD_INSTANCE(5, 1, 5)
GRAD_INSTANCE(5, 2, 5)
GRAD_INSTANCE(7, 1, 3)
GRAD_INSTANCE(7, 2, 3)
#else
GRAD_INSTANCE(5, 1, 2)
GRAD_INSTANCE(5, 2, 2)
#endif

/* Kernels of up to 7 taps are summed as the next larger of 1, 3, 5, 7, longer ones in parts; tap by tap if they are dilated or
 * the stride is beyond 2. */
static void NAME(depthwise_grad)(const pyconv_grad *g, ptrdiff_t n, ptrdiff_t lines,
                                 const pyconv_grad_line *line, const void *x, const void *dy, void *sums) {
    typedef void instance(const pyconv_grad *, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t,
                          const pyconv_grad_line *, const real *, const real *, real *);
    typedef struct width {
        ptrdiff_t shifts;
        instance *wide, *narrow;
    } width;
#define GRAD_WIDTH(A, ST, S) {S, NAME(grad_##A##_##ST##_##S), NAME(grad_##A##_##ST##_1)}
#define GRAD_WIDTHS(A, S)                                                                                    \
    {                                                                                                        \
        GRAD_WIDTH(A, 1, S), GRAD_WIDTH(A, 2, S)                                                             \
    }
    static const width widths[4][2] = {{GRAD_WIDTH(1, 1, 5), GRAD_WIDTH(1, 1, 5)},
                                       GRAD_WIDTHS(3, 3),
#if REGISTERS == 32
                                       GRAD_WIDTHS(5, 5),
                                       GRAD_WIDTHS(7, 3)};
#else
                                       GRAD_WIDTHS(5, 2),
                                       GRAD_WIDTHS(7, 1)};
#endif
    const ptrdiff_t parts = g->dilation == 1 && g->stride <= 2 ? pyconv_ceil_div(g->taps, 7) : g->taps;
    for (ptrdiff_t i = 0; i < parts; i++) {
        const ptrdiff_t tap = pyconv_split_start(g->taps, parts, i),
                        count = pyconv_split_start(g->taps, parts, i + 1) - tap;
        const width w = widths[count / 2][count > 1 ? g->stride - 1 : 0];
        for (ptrdiff_t s = 0; s < g->shifts;) {
            const int wide = g->shifts - s >= w.shifts;
            (wide ? w.wide : w.narrow)(g, tap, count, s, n, lines, line, x, dy, sums);
            s += wide ? w.shifts : 1;
        }
    }
#undef GRAD_WIDTHS
#undef GRAD_WIDTH
}
#undef GRAD_INSTANCE
