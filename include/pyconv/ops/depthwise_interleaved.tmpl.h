/* SPDX-License-Identifier: BSD-3-Clause */
/* y[r][q] = clamp(bias[q % C] + sum over i, j of w[q % C][i][j] band[tap (i, j) of (r, q)] + residual[r][q], lo, hi): a filter
 * for each of C channels that lie side by side in the rows of one band (see band.h), whose columns are C reals each.
 *
 *   band  [..][sw][pitch]     y, residual  [b->rows][b->cols], rows b->ys_h apart, b->cols and pitch in reals
 *   w  [phases][kh][kw][V], phases = C / gcd(C, V)     bias  [C]
 *
 * Vectors of a row that are `phases` apart have the same channels in their lanes; a row begins with one of phase `first`. */

/* C vectors of a phase, of which `left` reals of the row are left; KH is 0 for any height. */
INLINE void NAME(interleaved_tile)(const int R, const int C, const int KH, const NAME(depthwise_task) * task,
                                   const real *x, const real *w, const real *bias, real *y,
                                   const real *residual, ptrdiff_t left) {
    const ptrdiff_t last = left - (C - 1) * task->phases * V, n = last < V ? last : V;
    if (KH)
        NAME(depthwise_known)(V, R, C, KH, 1, task, x, w, bias, y, residual, n);
    else
        NAME(depthwise_any)(V, R, C, task, x, w, bias, y, residual, n);
}

/* All columns of R rows: of up to `most` vectors of each phase, those of one after the other. */
INLINE void NAME(interleaved_rows)(const int R, const int KH, const NAME(depthwise_task) * task,
                                   const real *x, real *y, const real *residual) {
    const int most = KH ? 2 : NAME(depthwise_vectors);
    const ptrdiff_t phases = task->phases, gap = phases * V, w_phase = task->b->kh * task->b->kw * V;
    for (ptrdiff_t begin = 0; begin < task->b->cols; begin += most * gap) {
        ptrdiff_t phase = task->first;
        for (ptrdiff_t q = begin; q < begin + gap && q < task->b->cols; q += V) {
            const real *w = task->w + phase * w_phase, *bias = task->bias + phase * V;
            ptrdiff_t at = q, left = task->b->cols - q;
#define TILE(C)                                                                                              \
    NAME(interleaved_tile)(R, C, KH, task, x + at, w, bias, y + at, residual ? residual + at : NULL, left)
            if (most == 4 && left > 3 * gap)
                TILE(4);
            else {
                if (left > gap) {
                    TILE(2);
                    at += 2 * gap, left -= 2 * gap;
                }
                if (left > 0 && at < q + most * gap)
                    TILE(1);
            }
#undef TILE
            phase = phase + 1 < phases ? phase + 1 : 0;
        }
    }
}

#define INTERLEAVED(KH, R)                                                                                   \
    static void NAME(interleaved_##KH##_##R)(const NAME(depthwise_task) * task, const real *x, real *y,      \
                                             const real *residual) {                                         \
        NAME(interleaved_rows)(R, KH, task, x, y, residual);                                                 \
    }
EACH_HEIGHT(INTERLEAVED, 1)
EACH_HEIGHT(INTERLEAVED, 3)
EACH_HEIGHT(INTERLEAVED, 5)
EACH_HEIGHT(INTERLEAVED, 7)
INTERLEAVED(0, 1)
INTERLEAVED(0, 4)

static void NAME(depthwise_interleaved)(const pyconv_band *b, ptrdiff_t channels, ptrdiff_t first,
                                        const void *band, const void *w, void *y, const pyconv_epilogue *e_) {
    const EPILOGUE e = NAME(epilogue_of)(e_);
#define INTERLEAVED_ENTRY(KH, R) NAME(interleaved_##KH##_##R),
    static NAME(depthwise_instance) *const known[4][NAME(depthwise_height)] = {
        {EACH_HEIGHT(INTERLEAVED_ENTRY, 1)},
        {EACH_HEIGHT(INTERLEAVED_ENTRY, 3)},
        {EACH_HEIGHT(INTERLEAVED_ENTRY, 5)},
        {EACH_HEIGHT(INTERLEAVED_ENTRY, 7)}};
    static NAME(depthwise_instance) *const any[2] = {NAME(interleaved_0_1), NAME(interleaved_0_4)};
    const ptrdiff_t kh = b->kh;
    const int is_known = kh == 1 || ((kh == 3 || kh == 5 || kh == 7) && b->classes == 1);
    real bias[PYCONV_PHASES * V];
    NAME(depthwise_task)
    task = {.b = b,
            .e = &e,
            .step = pyconv_tap_step_of(b, channels),
            .phases = channels / pyconv_gcd(channels, V),
            .first = first};
    for (ptrdiff_t l = 0, c = 0; l < task.phases * V; l++, c = c + 1 < channels ? c + 1 : 0)
        bias[l] = e.flags & PYCONV_BIAS_COLUMN ? e.bias[c] : 0;
    NAME(depthwise_planes)(&task, is_known ? known[kh / 2] : NULL, any, 1, band, 0, w, 0, bias, 0, y, 0);
}
#undef INTERLEAVED_ENTRY
#undef INTERLEAVED
#undef EACH_HEIGHT
