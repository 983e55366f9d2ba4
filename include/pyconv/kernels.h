/* SPDX-License-Identifier: BSD-3-Clause */
/* Every SIMD kernel of this machine, one table per instruction set:
 *
 *     const pyconv_kernels_t *kernels = pyconv_kernels_select(PYCONV_ISA_COUNT - 1);
 *     kernels->f32.fma_peak(steps, sink);
 *
 * core/simd/ compiles them, each set on its own, and core/kernels.c lays the tables over each other. */
#ifndef PYCONV_KERNELS_H
#define PYCONV_KERNELS_H

#include <stddef.h>

#include "band.h"
#include "cpu.h"
#include "fft.h"
#include "types.h"
#include "wino.h"

/* One line per operation gives its field, its entry in each table and its row in tests and benchmarks. */
#define PYCONV_OPERATIONS(OP, T, isa)                                                                        \
    OP(T, isa, fma_peak, double, (ptrdiff_t steps, pyconv_##T *sink))                                        \
    OP(T, isa, gemm_panel, void,                                                                             \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const pyconv_##T *a, ptrdiff_t a_rs, ptrdiff_t a_ks,          \
        const pyconv_##T *b, ptrdiff_t b_ps, pyconv_##T *c, ptrdiff_t ldc, pyconv_ahead ahead,               \
        const pyconv_##T##_epilogue *e))                                                                     \
    OP(T, isa, gemm_stream, void,                                                                            \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const pyconv_##T *a, ptrdiff_t a_rs, const pyconv_##T *b,     \
        const pyconv_##T *ahead, pyconv_##T *c, ptrdiff_t ldc, int flags))                                   \
    OP(T, isa, gemm_taps, void,                                                                              \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t taps, ptrdiff_t k, const pyconv_##T *a, ptrdiff_t a_rs,          \
        const ptrdiff_t *offsets, const pyconv_##T *b, ptrdiff_t b_ps, pyconv_##T *c, ptrdiff_t ldc,         \
        pyconv_ahead ahead, const pyconv_##T##_epilogue *e))                                                 \
    OP(T, isa, gemm_shifts, void,                                                                            \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const pyconv_##T *a, const pyconv_##T *b,                     \
        const ptrdiff_t *offsets, pyconv_##T *c, ptrdiff_t ldc, int flags))                                  \
    OP(T, isa, gemm_planes, void,                                                                            \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const pyconv_##T *a, const pyconv_##T *b, ptrdiff_t b_ks,     \
        pyconv_##T *to, pyconv_##T *c, ptrdiff_t ldc, const pyconv_##T##_epilogue *e))                       \
    OP(T, isa, pack_chw, void,                                                                               \
       (const pyconv_patches *p, const pyconv_##T *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w,         \
        ptrdiff_t k0, ptrdiff_t k1, pyconv_##T *panel))                                                      \
    OP(T, isa, pack_hwc, void,                                                                               \
       (const pyconv_patches *p, const pyconv_##T *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w,         \
        ptrdiff_t k0, ptrdiff_t k1, pyconv_##T *panel))                                                      \
    OP(T, isa, pack_weights_rows, void,                                                                      \
       (ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const pyconv_##T *w, int hwc, ptrdiff_t panels,    \
        pyconv_##T *packed))                                                                                 \
    OP(T, isa, pack_weights_columns, void,                                                                   \
       (ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const pyconv_##T *w, int hwc, pyconv_##T *packed)) \
    OP(T, isa, transpose_rows, void,                                                                         \
       (ptrdiff_t rows, ptrdiff_t cols, const pyconv_##T *from, ptrdiff_t from_s, pyconv_##T *to,            \
        ptrdiff_t to_s))                                                                                     \
    OP(T, isa, split, void,                                                                                  \
       (ptrdiff_t planes, const pyconv_##T *x, ptrdiff_t xs_c, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw,   \
        ptrdiff_t h0, ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, pyconv_##T *band,         \
        ptrdiff_t band_c))                                                                                   \
    OP(T, isa, spread, void, (const pyconv_spread *s, const pyconv_##T *x, pyconv_##T *to))                  \
    OP(T, isa, depthwise, void,                                                                              \
       (const pyconv_band *b, ptrdiff_t planes, const pyconv_##T *band, ptrdiff_t band_c,                    \
        const pyconv_##T *w, pyconv_##T *y, ptrdiff_t ys_c, const pyconv_##T##_epilogue *e))                 \
    OP(T, isa, depthwise_nhwc, void,                                                                         \
       (const pyconv_patches *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t channels, const pyconv_##T *x,   \
        const pyconv_##T *w, ptrdiff_t ws, pyconv_##T *y, ptrdiff_t ys_h, ptrdiff_t ys_w,                    \
        const pyconv_##T##_epilogue *e))                                                                     \
    OP(T, isa, grouped_nhwc, void,                                                                           \
       (const pyconv_patches *p, ptrdiff_t ocg, ptrdiff_t skip, ptrdiff_t first, ptrdiff_t rows,             \
        ptrdiff_t channels, const pyconv_##T *x, const pyconv_##T *w, ptrdiff_t ws, pyconv_##T *y,           \
        ptrdiff_t ys_h, ptrdiff_t ys_w, const pyconv_##T##_epilogue *e))                                     \
    OP(T, isa, depthwise_grad, void,                                                                         \
       (ptrdiff_t channels, ptrdiff_t pixels, ptrdiff_t taps, const pyconv_##T *x, ptrdiff_t x_s,            \
        const ptrdiff_t *offsets, const pyconv_##T *dy, ptrdiff_t dy_s, pyconv_##T *sums))                   \
    OP(T, isa, direct, void,                                                                                 \
       (const pyconv_band *b, ptrdiff_t m, ptrdiff_t k, const pyconv_##T *band, const ptrdiff_t *offsets,    \
        const pyconv_##T *w, pyconv_##T *y, ptrdiff_t ys_c, const pyconv_##T##_epilogue *e))                 \
    OP(T, isa, f2k3_points, void,                                                                            \
       (ptrdiff_t rows, const pyconv_##T *band, ptrdiff_t band_pitch, pyconv_##T *points, ptrdiff_t pitch))  \
    OP(T, isa, f2k3_rows, void,                                                                              \
       (const pyconv_band *b, ptrdiff_t m, ptrdiff_t k, const pyconv_##T *points, const ptrdiff_t *offsets,  \
        const pyconv_##T *w, pyconv_##T *y, ptrdiff_t ys_c, const pyconv_##T##_epilogue *e))                 \
    OP(T, isa, wino_weights, void,                                                                           \
       (const pyconv_wino *f, ptrdiff_t oc, ptrdiff_t ic, const pyconv_##T *w, pyconv_##T *packed))          \
    OP(T, isa, wino_input, void,                                                                             \
       (const pyconv_wino *f, ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t cols,           \
        const pyconv_##T *band, ptrdiff_t band_h, ptrdiff_t band_w, pyconv_##T *v, ptrdiff_t v_p,            \
        ptrdiff_t v_t))                                                                                      \
    OP(T, isa, wino_output, void,                                                                            \
       (const pyconv_wino *f, ptrdiff_t tiles, ptrdiff_t channels, const pyconv_##T *p, ptrdiff_t p_p,       \
        ptrdiff_t p_t, ptrdiff_t rows, ptrdiff_t cols, pyconv_##T *y, ptrdiff_t ys_h, ptrdiff_t ys_w,        \
        ptrdiff_t ys_c, const pyconv_##T##_epilogue *e))                                                     \
    OP(T, isa, fft, void,                                                                                    \
       (int flags, ptrdiff_t n, ptrdiff_t block, ptrdiff_t blocks, const pyconv_##T *re,                     \
        const pyconv_##T *im, ptrdiff_t from_s, ptrdiff_t from_b, pyconv_##T *to_re, pyconv_##T *to_im,      \
        ptrdiff_t to_s, ptrdiff_t to_b, const pyconv_##T *w, const pyconv_##T *turns, pyconv_##T *scratch))  \
    OP(T, isa, fft_multiply, void,                                                                           \
       (ptrdiff_t blocks, ptrdiff_t oc, ptrdiff_t ic, ptrdiff_t tiles, const pyconv_##T *h,                  \
        const pyconv_##T *x, pyconv_##T *y))                                                                 \
    OP(T, isa, epilogue_rows, void,                                                                          \
       (ptrdiff_t rows, ptrdiff_t cols, pyconv_##T *y, ptrdiff_t ldy, const pyconv_##T *bias,                \
        int bias_per_row, const pyconv_##T *residual, ptrdiff_t ldr, pyconv_##T lo, pyconv_##T hi))

#define PYCONV_FIELD(T, isa, op, result, parameters) result(*op) parameters;

typedef struct pyconv_f32_kernels {
    int lanes;  /* of a vector */
    int mr, nr; /* tile of gemm_panel: rows of the broadcast side, columns of the vector side */
    PYCONV_OPERATIONS(PYCONV_FIELD, f32, )
} pyconv_f32_kernels;

typedef struct pyconv_f64_kernels {
    int lanes;
    int mr, nr;
    PYCONV_OPERATIONS(PYCONV_FIELD, f64, )
} pyconv_f64_kernels;

typedef struct pyconv_kernels {
    const char *isa;
    int level;
    pyconv_f32_kernels f32;
    pyconv_f64_kernels f64;
} pyconv_kernels_t;

/* What an instruction set has of its own, compiled in core/simd/: NULL, or 0, where that of the lesser ones serves. */
#define PYCONV_DECLARE(isa, has) extern const pyconv_kernels_t pyconv_own__##isa;
PYCONV_ISAS(PYCONV_DECLARE)

/* The best kernels of this machine whose level is at most max_level. */
const pyconv_kernels_t *pyconv_kernels_select(int max_level);

#endif
