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

/* One line per operation gives its field, its entry in each table and its row in tests and benchmarks. Every entry function
 * casts its pointers to its element type, so one struct of functions serves all types. */
#define PYCONV_OPERATIONS(OP, T, isa)                                                                        \
    OP(T, isa, fma_peak, double, (ptrdiff_t steps, void *sink))                                              \
    OP(T, isa, gemm_panel, void,                                                                             \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_rs, ptrdiff_t a_ks, const void *b, \
        ptrdiff_t b_ps, void *c, ptrdiff_t ldc, pyconv_ahead ahead, const pyconv_epilogue *e))               \
    OP(T, isa, gemm_stream, void,                                                                            \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_rs, const void *b,                 \
        const void *ahead, void *c, ptrdiff_t ldc, int flags))                                               \
    OP(T, isa, gemm_taps, void,                                                                              \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t taps, ptrdiff_t k, const void *a, ptrdiff_t a_rs,                \
        const ptrdiff_t *offsets, const void *b, ptrdiff_t b_ps, void *c, ptrdiff_t ldc, pyconv_ahead ahead, \
        const pyconv_epilogue *e))                                                                           \
    OP(T, isa, gemm_shifts, void,                                                                            \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_ks, const ptrdiff_t *a_at,         \
        const void *b, const ptrdiff_t *offsets, pyconv_ahead ahead, void *c, ptrdiff_t ldc, int flags))     \
    OP(T, isa, gemm_planes, void,                                                                            \
       (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, const void *b, ptrdiff_t b_ks, void *to,       \
        void *c, ptrdiff_t ldc, const pyconv_epilogue *e))                                                   \
    OP(T, isa, pack_chw, void,                                                                               \
       (const pyconv_patches *p, const void *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w, ptrdiff_t k0, \
        ptrdiff_t k1, void *panel))                                                                          \
    OP(T, isa, pack_hwc, void,                                                                               \
       (const pyconv_patches *p, const void *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w, ptrdiff_t k0, \
        ptrdiff_t k1, void *panel))                                                                          \
    OP(T, isa, pack_weights_rows, void,                                                                      \
       (ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const void *w, int hwc, ptrdiff_t panels,          \
        void *packed))                                                                                       \
    OP(T, isa, pack_weights_columns, void,                                                                   \
       (ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const void *w, int hwc, void *packed))             \
    OP(T, isa, transpose_rows, void,                                                                         \
       (ptrdiff_t rows, ptrdiff_t cols, const void *from, ptrdiff_t from_s, void *to, ptrdiff_t to_s))       \
    OP(T, isa, stage_in, void,                                                                               \
       (int element, const void *x, ptrdiff_t channels, ptrdiff_t count, void *to, ptrdiff_t to_c))          \
    OP(T, isa, stage_out, void,                                                                              \
       (int element, const void *from, ptrdiff_t from_c, ptrdiff_t channels, ptrdiff_t count, void *y))      \
    OP(T, isa, split, void,                                                                                  \
       (ptrdiff_t planes, const void *x, ptrdiff_t xs_c, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw,         \
        ptrdiff_t h0, ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, void *band,               \
        ptrdiff_t band_c))                                                                                   \
    OP(T, isa, split_pixels, void,                                                                           \
       (ptrdiff_t channels, const void *x, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw, ptrdiff_t h0,         \
        ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, void *band))                            \
    OP(T, isa, spread, void, (const pyconv_spread *s, const void *x, void *to))                              \
    OP(T, isa, depthwise, void,                                                                              \
       (const pyconv_band *b, ptrdiff_t planes, const void *band, ptrdiff_t band_c, const void *w, void *y,  \
        ptrdiff_t ys_c, const pyconv_epilogue *e))                                                           \
    OP(T, isa, depthwise_interleaved, void,                                                                  \
       (const pyconv_band *b, ptrdiff_t channels, ptrdiff_t first, const void *band, const void *w, void *y, \
        const pyconv_epilogue *e))                                                                           \
    OP(T, isa, depthwise_nhwc, void,                                                                         \
       (const pyconv_patches *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t channels, const void *x,         \
        const void *w, ptrdiff_t ws, void *y, ptrdiff_t ys_h, ptrdiff_t ys_w, const pyconv_epilogue *e))     \
    OP(T, isa, grouped_nhwc, void,                                                                           \
       (const pyconv_patches *p, ptrdiff_t ocg, ptrdiff_t skip, ptrdiff_t first, ptrdiff_t rows,             \
        ptrdiff_t channels, const void *x, const void *w, ptrdiff_t ws, void *y, ptrdiff_t ys_h,             \
        ptrdiff_t ys_w, const pyconv_epilogue *e))                                                           \
    OP(T, isa, depthwise_grad, void,                                                                         \
       (const pyconv_grad *g, ptrdiff_t n, ptrdiff_t lines, const pyconv_grad_line *line, const void *x,     \
        const void *dy, void *sums))                                                                         \
    OP(T, isa, direct, void,                                                                                 \
       (const pyconv_band *b, ptrdiff_t m, ptrdiff_t k, const void *band, const ptrdiff_t *offsets,          \
        const void *w, void *y, ptrdiff_t ys_c, const pyconv_epilogue *e))                                   \
    OP(T, isa, f2k3_points, void,                                                                            \
       (ptrdiff_t rows, const void *band, ptrdiff_t band_pitch, void *points, ptrdiff_t pitch))              \
    OP(T, isa, f2k3_rows, void,                                                                              \
       (const pyconv_band *b, ptrdiff_t m, ptrdiff_t k, const void *points, const ptrdiff_t *offsets,        \
        const void *w, void *y, ptrdiff_t ys_c, const pyconv_epilogue *e))                                   \
    OP(T, isa, wino_weights, void,                                                                           \
       (const pyconv_wino *f, ptrdiff_t oc, ptrdiff_t ic, const void *w, void *packed))                      \
    OP(T, isa, wino_input, void,                                                                             \
       (const pyconv_wino *f, ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t cols,           \
        const void *band, ptrdiff_t band_h, ptrdiff_t band_w, void *v, ptrdiff_t v_p, ptrdiff_t v_t))        \
    OP(T, isa, wino_taps, void,                                                                              \
       (const pyconv_wino *f, ptrdiff_t tiles, ptrdiff_t channels, const void *band, ptrdiff_t band_h,       \
        ptrdiff_t band_w, void *u, ptrdiff_t u_p, ptrdiff_t u_t))                                            \
    OP(T, isa, wino_output, void,                                                                            \
       (const pyconv_wino *f, ptrdiff_t tiles, ptrdiff_t channels, const void *p, ptrdiff_t p_p,             \
        ptrdiff_t p_t, ptrdiff_t rows, ptrdiff_t cols, void *y, ptrdiff_t ys_h, ptrdiff_t ys_w,              \
        ptrdiff_t ys_c, const pyconv_epilogue *e))                                                           \
    OP(T, isa, fft, void,                                                                                    \
       (int flags, ptrdiff_t n, ptrdiff_t block, ptrdiff_t blocks, const void *re, const void *im,           \
        ptrdiff_t from_s, ptrdiff_t from_b, void *to_re, void *to_im, ptrdiff_t to_s, ptrdiff_t to_b,        \
        const void *w, const void *turns, const void *lanes, void *scratch))                                 \
    OP(T, isa, fft_multiply, void,                                                                           \
       (ptrdiff_t blocks, ptrdiff_t oc, ptrdiff_t ic, ptrdiff_t tiles, const void *h, const void *x,         \
        void *y))                                                                                            \
    OP(T, isa, epilogue_rows, void,                                                                          \
       (ptrdiff_t rows, ptrdiff_t cols, void *y, ptrdiff_t ldy, ptrdiff_t ldr, const pyconv_epilogue *e))    \
    OP(T, isa, point_rows, void,                                                                             \
       (const pyconv_point *f, ptrdiff_t rows, ptrdiff_t cols, const void *x, const void *scale,             \
        const void *other, void *y))                                                                         \
    OP(T, isa, mean_rows, void, (ptrdiff_t rows, ptrdiff_t cols, const void *x, void *y))                    \
    OP(T, isa, mean_columns, void, (ptrdiff_t rows, ptrdiff_t cols, const void *x, void *y))

#define PYCONV_FIELD(T, isa, op, result, parameters) result(*op) parameters;

/* The kernels of one element type; pointers to elements are of that type. */
typedef struct pyconv_ops {
    int lanes;  /* of a vector */
    int mr, nr; /* tile of gemm_panel: rows of the broadcast side, columns of the vector side */
    PYCONV_OPERATIONS(PYCONV_FIELD, , )
} pyconv_ops;

#define PYCONV_OPS_OF(T, none) pyconv_ops T;
typedef struct pyconv_kernels_t {
    const char *isa;
    int level;
    PYCONV_TYPES(PYCONV_OPS_OF, )
} pyconv_kernels_t;

/* What an instruction set has of its own, compiled in core/simd/: NULL, or 0, where that of the lesser ones serves. */
#define PYCONV_DECLARE(isa, has) extern const pyconv_kernels_t pyconv_own__##isa;
PYCONV_ISAS(PYCONV_DECLARE)

/* The best kernels of this machine whose level is at most max_level. */
const pyconv_kernels_t *pyconv_kernels_select(int max_level);

#endif
