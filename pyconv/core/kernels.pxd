# SPDX-License-Identifier: BSD-3-Clause
"""The table of SIMD kernels, chosen once at import."""


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

    ctypedef struct epilogue_t "pyconv_epilogue":
        int flags
        double lo, hi
        const void *bias
        const void *residual

    enum:
        POINT_CLAMP "PYCONV_POINT_CLAMP"
        POINT_GATE "PYCONV_POINT_GATE"
        POINT_LEAK "PYCONV_POINT_LEAK"
        POINT_SIGMOID "PYCONV_POINT_SIGMOID"
        POINT_SILU "PYCONV_POINT_SILU"

    ctypedef struct point_t "pyconv_point":
        int kind, by_column
        double p, q, lo, hi, r, s

    ctypedef struct patches_t "pyconv_patches":
        ptrdiff_t c, ih, iw, kh, kw, sh, sw, dh, dw, ph, pw, oh, ow, xs_c, xs_h, xs_w

    ctypedef struct ahead_t "pyconv_ahead":
        const void *at
        ptrdiff_t bytes

    ahead_t ahead_part "pyconv_ahead_part"(const void *at, ptrdiff_t bytes, ptrdiff_t part, ptrdiff_t parts)
    ctypedef struct spread_t "pyconv_spread":
        ptrdiff_t rows, cols, h0, w0, ih, iw, xs_h, xs_w, icg, ocg, skip, count

    ctypedef struct grad_t "pyconv_grad":
        ptrdiff_t outputs, inputs, taps, stride, dilation, pad, dy_step, x_step, first, last
        ptrdiff_t shifts, gap, x_shift, places
        int lanes_move
        ptrdiff_t sums_a, sums_s, dy_ahead, x_ahead, fresh

    ctypedef struct grad_line_t "pyconv_grad_line":
        ptrdiff_t x, dy, at, lanes

    ptrdiff_t element_bytes "pyconv_element_bytes"(int element)
    ptrdiff_t ceil_div "pyconv_ceil_div"(ptrdiff_t a, ptrdiff_t b)
    ptrdiff_t split_start "pyconv_split_start"(ptrdiff_t total, ptrdiff_t parts, ptrdiff_t i)

cdef extern from "pyconv/band.h" nogil:
    ctypedef struct band_t "pyconv_band":
        ptrdiff_t rows, cols, kh, kw, sh, sw, dh, dw, pitch, ys_h, apart, classes

    const size_t BAND_SLACK "PYCONV_BAND_SLACK"
    const ptrdiff_t PHASES "PYCONV_PHASES"
    void band_relate "pyconv_band_relate"(band_t *b)
    ptrdiff_t common "pyconv_gcd"(ptrdiff_t a, ptrdiff_t b)      # the greatest common divisor
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
    # Of one element type, which pointers to elements are cast to; tests/test_native.py compares them with the header.
    ctypedef struct ops_t "pyconv_ops":
        int lanes, mr, nr
        double (*fma_peak)(ptrdiff_t steps, void *sink) noexcept nogil
        void (*gemm_panel)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_rs, ptrdiff_t a_ks,
                           const void *b, ptrdiff_t b_ps, void *c, ptrdiff_t ldc, ahead_t ahead,
                           const epilogue_t *e) noexcept nogil
        void (*gemm_stream)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_rs, const void *b,
                            const void *ahead, void *c, ptrdiff_t ldc, int flags) noexcept nogil
        void (*gemm_taps)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t taps, ptrdiff_t k, const void *a, ptrdiff_t a_rs,
                          const ptrdiff_t *offsets, const void *b, ptrdiff_t b_ps, void *c, ptrdiff_t ldc, ahead_t ahead,
                          const epilogue_t *e) noexcept nogil
        void (*gemm_shifts)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_ks, const ptrdiff_t *a_at,
                            const void *b, const ptrdiff_t *offsets, ahead_t ahead, void *c, ptrdiff_t ldc,
                            int flags) noexcept nogil
        void (*gemm_planes)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, const void *b, ptrdiff_t b_ks, void *to,
                            void *c, ptrdiff_t ldc, const epilogue_t *e) noexcept nogil
        void (*pack_chw)(const patches_t *p, const void *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w, ptrdiff_t k0,
                         ptrdiff_t k1, void *panel) noexcept nogil
        void (*pack_hwc)(const patches_t *p, const void *x, ptrdiff_t pixel, ptrdiff_t count, ptrdiff_t w, ptrdiff_t k0,
                         ptrdiff_t k1, void *panel) noexcept nogil
        void (*pack_weights_rows)(ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const void *w, int hwc, ptrdiff_t panels,
                                  void *packed) noexcept nogil
        void (*pack_weights_columns)(ptrdiff_t oc, ptrdiff_t channels, ptrdiff_t taps, const void *w, int hwc,
                                     void *packed) noexcept nogil
        void (*transpose_rows)(ptrdiff_t rows, ptrdiff_t cols, const void *src, ptrdiff_t from_s, void *to,
                               ptrdiff_t to_s) noexcept nogil
        void (*stage_in)(int element, const void *x, ptrdiff_t channels, ptrdiff_t count, void *to,
                         ptrdiff_t to_c) noexcept nogil
        void (*stage_out)(int element, const void *src, ptrdiff_t from_c, ptrdiff_t channels, ptrdiff_t count,
                          void *y) noexcept nogil
        void (*split)(ptrdiff_t planes, const void *x, ptrdiff_t xs_c, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw,
                      ptrdiff_t h0, ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, void *band,
                      ptrdiff_t band_c) noexcept nogil
        void (*split_pixels)(ptrdiff_t channels, const void *x, ptrdiff_t xs_h, ptrdiff_t ih, ptrdiff_t iw, ptrdiff_t h0,
                             ptrdiff_t rows, ptrdiff_t w0, ptrdiff_t sw, ptrdiff_t pitch, void *band) noexcept nogil
        void (*spread)(const spread_t *s, const void *x, void *to) noexcept nogil
        void (*depthwise)(const band_t *b, ptrdiff_t planes, const void *band, ptrdiff_t band_c, const void *w, void *y,
                          ptrdiff_t ys_c, const epilogue_t *e) noexcept nogil
        void (*depthwise_interleaved)(const band_t *b, ptrdiff_t channels, ptrdiff_t first, const void *band, const void *w,
                                      void *y, const epilogue_t *e) noexcept nogil
        void (*depthwise_nhwc)(const patches_t *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t channels, const void *x,
                               const void *w, ptrdiff_t ws, void *y, ptrdiff_t ys_h, ptrdiff_t ys_w,
                               const epilogue_t *e) noexcept nogil
        void (*grouped_nhwc)(const patches_t *p, ptrdiff_t ocg, ptrdiff_t skip, ptrdiff_t first, ptrdiff_t rows,
                             ptrdiff_t channels, const void *x, const void *w, ptrdiff_t ws, void *y, ptrdiff_t ys_h,
                             ptrdiff_t ys_w, const epilogue_t *e) noexcept nogil
        void (*depthwise_grad)(const grad_t *g, ptrdiff_t n, ptrdiff_t lines, const grad_line_t *line, const void *x,
                               const void *dy, void *sums) noexcept nogil
        void (*direct)(const band_t *b, ptrdiff_t m, ptrdiff_t k, const void *band, const ptrdiff_t *offsets, const void *w,
                       void *y, ptrdiff_t ys_c, const epilogue_t *e) noexcept nogil
        void (*f2k3_points)(ptrdiff_t rows, const void *band, ptrdiff_t band_pitch, void *points,
                            ptrdiff_t pitch) noexcept nogil
        void (*f2k3_rows)(const band_t *b, ptrdiff_t m, ptrdiff_t k, const void *points, const ptrdiff_t *offsets,
                          const void *w, void *y, ptrdiff_t ys_c, const epilogue_t *e) noexcept nogil
        void (*wino_weights)(const wino_t *f, ptrdiff_t oc, ptrdiff_t ic, const void *w, void *packed) noexcept nogil
        void (*wino_input)(const wino_t *f, ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t cols,
                           const void *band, ptrdiff_t band_h, ptrdiff_t band_w, void *v, ptrdiff_t v_p,
                           ptrdiff_t v_t) noexcept nogil
        void (*wino_taps)(const wino_t *f, ptrdiff_t tiles, ptrdiff_t channels, const void *band, ptrdiff_t band_h,
                          ptrdiff_t band_w, void *u, ptrdiff_t u_p, ptrdiff_t u_t) noexcept nogil
        void (*wino_output)(const wino_t *f, ptrdiff_t tiles, ptrdiff_t channels, const void *p, ptrdiff_t p_p, ptrdiff_t p_t,
                            ptrdiff_t rows, ptrdiff_t cols, void *y, ptrdiff_t ys_h, ptrdiff_t ys_w, ptrdiff_t ys_c,
                            const epilogue_t *e) noexcept nogil
        void (*fft)(int flags, ptrdiff_t n, ptrdiff_t block, ptrdiff_t blocks, const void *re, const void *im,
                    ptrdiff_t from_s, ptrdiff_t from_b, void *to_re, void *to_im, ptrdiff_t to_s, ptrdiff_t to_b,
                    const void *w, const void *turns, const void *lanes, void *scratch) noexcept nogil
        void (*fft_multiply)(ptrdiff_t blocks, ptrdiff_t oc, ptrdiff_t ic, ptrdiff_t tiles, const void *h, const void *x,
                             void *y) noexcept nogil
        void (*epilogue_rows)(ptrdiff_t rows, ptrdiff_t cols, void *y, ptrdiff_t ldy, ptrdiff_t ldr,
                              const epilogue_t *e) noexcept nogil
        void (*point_rows)(const point_t *f, ptrdiff_t rows, ptrdiff_t cols, const void *x, const void *scale,
                           const void *other, void *y) noexcept nogil
        void (*mean_rows)(ptrdiff_t rows, ptrdiff_t cols, const void *x, void *y) noexcept nogil
        void (*mean_columns)(ptrdiff_t rows, ptrdiff_t cols, const void *x, void *y) noexcept nogil

    ctypedef struct kernels_t "pyconv_kernels_t":
        const char *isa
        int level
        ops_t f32
        ops_t f64

    const kernels_t *select_kernels "pyconv_kernels_select"(int max_level)

cdef extern from "core/kernels.h" nogil:
    const kernels_t *kernels_in_use "pyconv_kernels_in_use"()
    void use_kernels "pyconv_use_kernels"(const kernels_t *chosen)
