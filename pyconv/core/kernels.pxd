# SPDX-License-Identifier: BSD-3-Clause
"""The table of SIMD kernels, chosen once at import, and the sizes of the caches."""


cdef extern from "pyconv/cpu.h" nogil:
    const int ISA_COUNT "PYCONV_ISA_COUNT"
    const char *isa_name "pyconv_isa_name"(int level)
    int isa_level "pyconv_isa_level"(const char *name)

cdef extern from "pyconv/types.h" nogil:
    enum:
        ACCUMULATE "PYCONV_ACCUMULATE"
        BIAS_ROW "PYCONV_BIAS_ROW"
        BIAS_COLUMN "PYCONV_BIAS_COLUMN"
        RESIDUAL "PYCONV_RESIDUAL"
        CLAMP "PYCONV_CLAMP"
        TRANSPOSED "PYCONV_TRANSPOSED"

    ctypedef struct f32_epilogue "pyconv_f32_epilogue":
        int flags
        float lo, hi
        const float *bias
        const float *residual

    ctypedef struct f64_epilogue "pyconv_f64_epilogue":
        int flags
        double lo, hi
        const double *bias
        const double *residual

    ctypedef struct patches_t "pyconv_patches":
        ptrdiff_t c, ih, iw, kh, kw, sh, sw, dh, dw, ph, pw, oh, ow, xs_c, xs_h, xs_w

    ctypedef struct ahead_t "pyconv_ahead":
        const void *at
        ptrdiff_t bytes

    ahead_t ahead_part "pyconv_ahead_part"(const void *at, ptrdiff_t bytes, ptrdiff_t part, ptrdiff_t parts)
    ctypedef struct spread_t "pyconv_spread":
        ptrdiff_t rows, cols, h0, w0, ih, iw, xs_h, xs_w, icg, ocg, skip, count

    ptrdiff_t ceil_div "pyconv_ceil_div"(ptrdiff_t a, ptrdiff_t b)
    ptrdiff_t split_start "pyconv_split_start"(ptrdiff_t total, ptrdiff_t parts, ptrdiff_t i)

cdef extern from "pyconv/band.h" nogil:
    ctypedef struct band_t "pyconv_band":
        ptrdiff_t rows, cols, kh, kw, sh, sw, dh, dw, pitch, ys_h, apart, classes

    const size_t BAND_SLACK "PYCONV_BAND_SLACK"
    void band_relate "pyconv_band_relate"(band_t *b)
    ptrdiff_t band_rows "pyconv_band_rows"(ptrdiff_t rows, ptrdiff_t kh, ptrdiff_t sh, ptrdiff_t dh)
    ptrdiff_t band_pitch "pyconv_band_pitch"(ptrdiff_t cols, ptrdiff_t kw, ptrdiff_t sw, ptrdiff_t dw)

cdef extern from "pyconv/wino.h" nogil:
    ctypedef struct wino_t "pyconv_wino":
        int h, w, mh, mw, kh, kw, sh, sw

cdef extern from "pyconv/fft.h" nogil:
    enum:
        FFT_FROM_ROWS "PYCONV_FFT_FROM_ROWS"
        FFT_TO_ROWS "PYCONV_FFT_TO_ROWS"
        FFT_POINTS_IN "PYCONV_FFT_POINTS_IN"
        FFT_POINTS_OUT "PYCONV_FFT_POINTS_OUT"
        FFT_LANES_IN "PYCONV_FFT_LANES_IN"
        FFT_LANES_OUT "PYCONV_FFT_LANES_OUT"

    int fft_radix "pyconv_fft_radix"(ptrdiff_t l)

cdef extern from "pyconv/kernels.h" nogil:
    """
    /* The table in use; plans hold on to the one they were packed for. */
    static const pyconv_kernels_t *pyconv_kernels;
    """
    ctypedef struct f32_kernels "pyconv_f32_kernels":
        int lanes, mr, nr
        double (*fma_peak)(ptrdiff_t steps, float *sink) noexcept nogil
        void (*gemm_panel)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a, ptrdiff_t a_rs, ptrdiff_t a_ks,
                           const float *b, ptrdiff_t b_ps, float *c, ptrdiff_t ldc, ahead_t ahead,
                           const f32_epilogue *e) noexcept nogil
        void (*gemm_stream)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a, ptrdiff_t a_rs, const float *b,
                            const float *ahead, float *c, ptrdiff_t ldc, int flags) noexcept nogil
        void (*gemm_taps)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t taps, ptrdiff_t k, const float *a, ptrdiff_t a_rs,
                          const ptrdiff_t *offsets, const float *b, ptrdiff_t b_ps, float *c, ptrdiff_t ldc,
                          ahead_t ahead, const f32_epilogue *e) noexcept nogil
        void (*gemm_shifts)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a, const float *b, const ptrdiff_t *offsets,
                            float *c, ptrdiff_t ldc, int flags) noexcept nogil
        void (*gemm_planes)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float *a, const float *b, ptrdiff_t b_ks,
                            float *to, float *c, ptrdiff_t ldc, const f32_epilogue *e) noexcept nogil
        void (*transpose_rows)(ptrdiff_t rows, ptrdiff_t cols, const float *src, ptrdiff_t from_s, float *to,
                               ptrdiff_t to_s) noexcept nogil
        void (*pack_chw)(const patches_t *p, const float *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w,
                         ptrdiff_t k0, ptrdiff_t k1, float *panel) noexcept nogil
        void (*pack_hwc)(const patches_t *p, const float *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w,
                         ptrdiff_t k0, ptrdiff_t k1, float *panel) noexcept nogil
        void (*pack_weights_rows)(ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const float *w, int hwc,
                                  ptrdiff_t panels, float *packed) noexcept nogil
        void (*pack_weights_columns)(ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const float *w, int hwc,
                                     float *packed) noexcept nogil
        void (*epilogue_rows)(ptrdiff_t rows, ptrdiff_t cols, float *y, ptrdiff_t ldy, const float *bias, int bias_per_row,
                              const float *residual, ptrdiff_t ldr, float lo, float hi) noexcept nogil
        void (*split)(ptrdiff_t planes, const float *x, ptrdiff_t xs_c, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw,
                      ptrdiff_t h0, ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, float *band,
                      ptrdiff_t band_c) noexcept nogil
        void (*spread)(const spread_t *s, const float *x, float *to) noexcept nogil
        void (*depthwise)(const band_t *b, ptrdiff_t planes, const float *band, ptrdiff_t band_c, const float *w, float *y,
                          ptrdiff_t ys_c, const f32_epilogue *e) noexcept nogil
        void (*depthwise_nhwc)(const patches_t *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t channels, const float *x,
                               const float *w, ptrdiff_t ws, float *y, ptrdiff_t ys_h, ptrdiff_t ys_w,
                               const f32_epilogue *e) noexcept nogil
        void (*grouped_nhwc)(const patches_t *p, ptrdiff_t ocg, ptrdiff_t skip, ptrdiff_t first, ptrdiff_t rows,
                             ptrdiff_t channels, const float *x, const float *w, ptrdiff_t ws, float *y, ptrdiff_t ys_h,
                             ptrdiff_t ys_w, const f32_epilogue *e) noexcept nogil
        void (*depthwise_grad)(ptrdiff_t channels, ptrdiff_t pixels, ptrdiff_t taps, const float *x, ptrdiff_t x_s,
                               const ptrdiff_t *offsets, const float *dy, ptrdiff_t dy_s, float *sums) noexcept nogil
        void (*wino_weights)(const wino_t *f, ptrdiff_t oc, ptrdiff_t ic, const float *w, float *packed) noexcept nogil
        void (*wino_input)(const wino_t *f, ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t cols,
                           const float *band, ptrdiff_t band_h, ptrdiff_t band_w, float *v, ptrdiff_t v_p,
                           ptrdiff_t v_t) noexcept nogil
        void (*wino_output)(const wino_t *f, ptrdiff_t tiles, ptrdiff_t channels, const float *p, ptrdiff_t p_p, ptrdiff_t p_t,
                            ptrdiff_t rows, ptrdiff_t cols, float *y, ptrdiff_t ys_h, ptrdiff_t ys_w, ptrdiff_t ys_c,
                            const f32_epilogue *e) noexcept nogil
        void (*direct)(const band_t *b, ptrdiff_t m, ptrdiff_t k, const float *band, const ptrdiff_t *offsets,
                       const float *w, float *y, ptrdiff_t ys_c, const f32_epilogue *e) noexcept nogil
        void (*f2k3_points)(ptrdiff_t rows, const float *band, ptrdiff_t band_pitch, float *points,
                            ptrdiff_t pitch) noexcept nogil
        void (*f2k3_rows)(const band_t *b, ptrdiff_t m, ptrdiff_t k, const float *points, const ptrdiff_t *offsets,
                          const float *w, float *y, ptrdiff_t ys_c, const f32_epilogue *e) noexcept nogil
        void (*fft)(int flags, ptrdiff_t n, ptrdiff_t block, ptrdiff_t blocks, const float *re, const float *im,
                    ptrdiff_t from_s, ptrdiff_t from_b, float *to_re, float *to_im, ptrdiff_t to_s, ptrdiff_t to_b,
                    const float *w, const float *turns, float *scratch) noexcept nogil
        void (*fft_multiply)(ptrdiff_t blocks, ptrdiff_t oc, ptrdiff_t ic, ptrdiff_t tiles, const float *h, const float *x,
                             float *y) noexcept nogil

    ctypedef struct f64_kernels "pyconv_f64_kernels":
        int lanes, mr, nr
        double (*fma_peak)(ptrdiff_t steps, double *sink) noexcept nogil
        void (*gemm_panel)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const double *a, ptrdiff_t a_rs, ptrdiff_t a_ks,
                           const double *b, ptrdiff_t b_ps, double *c, ptrdiff_t ldc, ahead_t ahead,
                           const f64_epilogue *e) noexcept nogil
        void (*gemm_stream)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const double *a, ptrdiff_t a_rs, const double *b,
                            const double *ahead, double *c, ptrdiff_t ldc, int flags) noexcept nogil
        void (*gemm_taps)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t taps, ptrdiff_t k, const double *a, ptrdiff_t a_rs,
                          const ptrdiff_t *offsets, const double *b, ptrdiff_t b_ps, double *c, ptrdiff_t ldc,
                          ahead_t ahead, const f64_epilogue *e) noexcept nogil
        void (*gemm_shifts)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const double *a, const double *b, const ptrdiff_t *offsets,
                            double *c, ptrdiff_t ldc, int flags) noexcept nogil
        void (*gemm_planes)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const double *a, const double *b, ptrdiff_t b_ks,
                            double *to, double *c, ptrdiff_t ldc, const f64_epilogue *e) noexcept nogil
        void (*transpose_rows)(ptrdiff_t rows, ptrdiff_t cols, const double *src, ptrdiff_t from_s, double *to,
                               ptrdiff_t to_s) noexcept nogil
        void (*pack_chw)(const patches_t *p, const double *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w,
                         ptrdiff_t k0, ptrdiff_t k1, double *panel) noexcept nogil
        void (*pack_hwc)(const patches_t *p, const double *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w,
                         ptrdiff_t k0, ptrdiff_t k1, double *panel) noexcept nogil
        void (*pack_weights_rows)(ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const double *w, int hwc,
                                  ptrdiff_t panels, double *packed) noexcept nogil
        void (*pack_weights_columns)(ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const double *w, int hwc,
                                     double *packed) noexcept nogil
        void (*epilogue_rows)(ptrdiff_t rows, ptrdiff_t cols, double *y, ptrdiff_t ldy, const double *bias, int bias_per_row,
                              const double *residual, ptrdiff_t ldr, double lo, double hi) noexcept nogil
        void (*split)(ptrdiff_t planes, const double *x, ptrdiff_t xs_c, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw,
                      ptrdiff_t h0, ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, double *band,
                      ptrdiff_t band_c) noexcept nogil
        void (*spread)(const spread_t *s, const double *x, double *to) noexcept nogil
        void (*depthwise)(const band_t *b, ptrdiff_t planes, const double *band, ptrdiff_t band_c, const double *w, double *y,
                          ptrdiff_t ys_c, const f64_epilogue *e) noexcept nogil
        void (*depthwise_nhwc)(const patches_t *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t channels, const double *x,
                               const double *w, ptrdiff_t ws, double *y, ptrdiff_t ys_h, ptrdiff_t ys_w,
                               const f64_epilogue *e) noexcept nogil
        void (*grouped_nhwc)(const patches_t *p, ptrdiff_t ocg, ptrdiff_t skip, ptrdiff_t first, ptrdiff_t rows,
                             ptrdiff_t channels, const double *x, const double *w, ptrdiff_t ws, double *y, ptrdiff_t ys_h,
                             ptrdiff_t ys_w, const f64_epilogue *e) noexcept nogil
        void (*depthwise_grad)(ptrdiff_t channels, ptrdiff_t pixels, ptrdiff_t taps, const double *x, ptrdiff_t x_s,
                               const ptrdiff_t *offsets, const double *dy, ptrdiff_t dy_s, double *sums) noexcept nogil
        void (*wino_weights)(const wino_t *f, ptrdiff_t oc, ptrdiff_t ic, const double *w, double *packed) noexcept nogil
        void (*wino_input)(const wino_t *f, ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t cols,
                           const double *band, ptrdiff_t band_h, ptrdiff_t band_w, double *v, ptrdiff_t v_p,
                           ptrdiff_t v_t) noexcept nogil
        void (*wino_output)(const wino_t *f, ptrdiff_t tiles, ptrdiff_t channels, const double *p, ptrdiff_t p_p, ptrdiff_t p_t,
                            ptrdiff_t rows, ptrdiff_t cols, double *y, ptrdiff_t ys_h, ptrdiff_t ys_w, ptrdiff_t ys_c,
                            const f64_epilogue *e) noexcept nogil
        void (*direct)(const band_t *b, ptrdiff_t m, ptrdiff_t k, const double *band, const ptrdiff_t *offsets,
                       const double *w, double *y, ptrdiff_t ys_c, const f64_epilogue *e) noexcept nogil
        void (*f2k3_points)(ptrdiff_t rows, const double *band, ptrdiff_t band_pitch, double *points,
                            ptrdiff_t pitch) noexcept nogil
        void (*f2k3_rows)(const band_t *b, ptrdiff_t m, ptrdiff_t k, const double *points, const ptrdiff_t *offsets,
                          const double *w, double *y, ptrdiff_t ys_c, const f64_epilogue *e) noexcept nogil
        void (*fft)(int flags, ptrdiff_t n, ptrdiff_t block, ptrdiff_t blocks, const double *re, const double *im,
                    ptrdiff_t from_s, ptrdiff_t from_b, double *to_re, double *to_im, ptrdiff_t to_s, ptrdiff_t to_b,
                    const double *w, const double *turns, double *scratch) noexcept nogil
        void (*fft_multiply)(ptrdiff_t blocks, ptrdiff_t oc, ptrdiff_t ic, ptrdiff_t tiles, const double *h, const double *x,
                             double *y) noexcept nogil

    ctypedef struct kernels_t "pyconv_kernels_t":
        const char *isa
        int level
        f32_kernels f32
        f64_kernels f64

    const kernels_t *select_kernels "pyconv_kernels_select"(int max_level)
    const kernels_t *kernels "pyconv_kernels"

# Bytes of the first and second cache level of one core, as the operating system tells; cautious where it does not.
cdef extern from *:
    """
    #include <unistd.h>
    static inline ptrdiff_t pyconv_cache_bytes(int level) {
        long size = 0;
    #ifdef _SC_LEVEL2_CACHE_SIZE
        size = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE);
    #endif
        return size > 0 ? size : level == 1 ? 32768 : 524288;
    }
    """
    ptrdiff_t cache_bytes "pyconv_cache_bytes"(int level) noexcept nogil
