/* SPDX-License-Identifier: BSD-3-Clause */
/* y[c][r][q] = clamp(bias[c] + sum over i, j of w[c][i][j] band[c][tap (i, j) of (r, q)] + residual[c][r][q], lo, hi): each
 * filter on its own band of one channel (see band.h).
 *
 *   band  [planes][..][sw][pitch], planes band_c apart     w  [planes][kh][kw]
 *   y, residual  [planes][b->rows][b->cols], planes ys_c and rows b->ys_h apart     bias  [planes] */

/* All columns of R rows. */
#define DEPTHWISE_KNOWN(KH, classes, R)                                                                      \
    static void NAME(depthwise_##KH##_##classes##_##R)(const NAME(depthwise_task) * task, const real *x,     \
                                                       real *y, const real *residual) {                      \
        ptrdiff_t left = task->b->cols;                                                                      \
        for (; left > V; left -= 2 * V, x += 2 * V, y += 2 * V, residual += residual ? 2 * V : 0)            \
            NAME(depthwise_known)(1, R, 2, KH, classes, task, x, task->w, task->bias, y, residual,           \
                                  left < 2 * V ? left - V : V);                                              \
        if (left > 0)                                                                                        \
            NAME(depthwise_known)(1, R, 1, KH, classes, task, x, task->w, task->bias, y, residual, left);    \
    }

#define DEPTHWISE_ANY(R)                                                                                     \
    static void NAME(depthwise_any_##R)(const NAME(depthwise_task) * task, const real *x, real *y,           \
                                        const real *residual) {                                              \
        enum { most = NAME(depthwise_vectors) * V };                                                         \
        ptrdiff_t left = task->b->cols;                                                                      \
        for (; left > most - V; left -= most, x += most, y += most, residual += residual ? most : 0)         \
            NAME(depthwise_any)(1, R, most / V, task, x, task->w, task->bias, y, residual,                   \
                                left < most ? left - most + V : V);                                          \
        for (; left > V; left -= 2 * V, x += 2 * V, y += 2 * V, residual += residual ? 2 * V : 0)            \
            NAME(depthwise_any)(1, R, 2, task, x, task->w, task->bias, y, residual,                          \
                                left < 2 * V ? left - V : V);                                                \
        if (left > 0)                                                                                        \
            NAME(depthwise_any)(1, R, 1, task, x, task->w, task->bias, y, residual, left);                   \
    }

EACH_HEIGHT(DEPTHWISE_KNOWN, 1, 1)
EACH_HEIGHT(DEPTHWISE_KNOWN, 3, 1)
EACH_HEIGHT(DEPTHWISE_KNOWN, 3, 2)
EACH_HEIGHT(DEPTHWISE_KNOWN, 5, 1)
EACH_HEIGHT(DEPTHWISE_KNOWN, 5, 2)
EACH_HEIGHT(DEPTHWISE_KNOWN, 7, 1)
EACH_HEIGHT(DEPTHWISE_KNOWN, 7, 2)
DEPTHWISE_ANY(1)
DEPTHWISE_ANY(4)

static void NAME(depthwise)(const pyconv_band *b, ptrdiff_t planes, const void *band, ptrdiff_t band_c,
                            const void *w, void *y, ptrdiff_t ys_c, const pyconv_epilogue *e_) {
    const EPILOGUE e = NAME(epilogue_of)(e_);
#define DEPTHWISE_ENTRY(KH, classes, R) NAME(depthwise_##KH##_##classes##_##R),
    static NAME(depthwise_instance) *const known[4][2][NAME(depthwise_height)] = {
        {{EACH_HEIGHT(DEPTHWISE_ENTRY, 1, 1)}, {EACH_HEIGHT(DEPTHWISE_ENTRY, 1, 1)}},
        {{EACH_HEIGHT(DEPTHWISE_ENTRY, 3, 1)}, {EACH_HEIGHT(DEPTHWISE_ENTRY, 3, 2)}},
        {{EACH_HEIGHT(DEPTHWISE_ENTRY, 5, 1)}, {EACH_HEIGHT(DEPTHWISE_ENTRY, 5, 2)}},
        {{EACH_HEIGHT(DEPTHWISE_ENTRY, 7, 1)}, {EACH_HEIGHT(DEPTHWISE_ENTRY, 7, 2)}}};
    static NAME(depthwise_instance) *const any[2] = {NAME(depthwise_any_1), NAME(depthwise_any_4)};
    const ptrdiff_t kh = b->kh;
    const int is_known = (kh == 1 || kh == 3 || kh == 5 || kh == 7) && b->classes <= 2;
    const real none = 0;
    const int has_bias = e.flags & PYCONV_BIAS_ROW ? 1 : 0;
    NAME(depthwise_task) task = {.b = b, .e = &e, .step = pyconv_tap_step_of(b, 1)};
    NAME(depthwise_planes)(&task, is_known ? known[kh / 2][b->classes - 1] : NULL, any, planes, band, band_c,
                           w, kh * b->kw, has_bias ? e.bias : &none, has_bias, y, ys_c);
}
#undef DEPTHWISE_ENTRY
#undef DEPTHWISE_KNOWN
#undef DEPTHWISE_ANY
