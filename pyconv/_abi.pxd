# SPDX-License-Identifier: BSD-3-Clause
"""pyconv/abi.h declared: the descriptor of a convolution, its enumerations, statuses and their texts."""

from libc.stdint cimport int32_t, int64_t

cdef extern from "pyconv/abi.h" nogil:
    enum:
        PYCONV_ABI_VERSION
        PYCONV_F32, PYCONV_F64, PYCONV_F16, PYCONV_U8, PYCONV_I8, PYCONV_U16, PYCONV_I16, PYCONV_BF16
        PYCONV_DTYPE_COUNT, PYCONV_ELEMENT_COUNT
        PYCONV_LAYOUT_COUNT, PYCONV_PADDING_MODE_COUNT, PYCONV_ACCURACY_COUNT
        PYCONV_STATUS_COUNT, PYCONV_NAN_REACH_COUNT
        PYCONV_NCHW, PYCONV_NHWC
        PYCONV_ZEROS, PYCONV_REFLECT, PYCONV_REPLICATE, PYCONV_CIRCULAR, PYCONV_SYMMETRIC, PYCONV_CONSTANT
        PYCONV_STRICT, PYCONV_STANDARD, PYCONV_FAST
        PYCONV_WINDOW, PYCONV_TILE, PYCONV_IMAGE
        PYCONV_ALIGNMENT
        PYCONV_STATUS_OK, PYCONV_STATUS_NULL_POINTER, PYCONV_STATUS_STRUCT_SIZE, PYCONV_STATUS_BAD_ENUM
        PYCONV_STATUS_WRONG_DTYPE
        PYCONV_STATUS_BAD_BATCH, PYCONV_STATUS_BAD_IMAGE, PYCONV_STATUS_BAD_KERNEL, PYCONV_STATUS_BAD_STRIDE
        PYCONV_STATUS_BAD_DILATION, PYCONV_STATUS_BAD_GROUPS, PYCONV_STATUS_BAD_PADDING
        PYCONV_STATUS_GROUPS_INPUT, PYCONV_STATUS_GROUPS_OUTPUT, PYCONV_STATUS_CHANNELS
        PYCONV_STATUS_KERNEL_TOO_LARGE, PYCONV_STATUS_REFLECT_TOO_LARGE, PYCONV_STATUS_CIRCULAR_TOO_LARGE
        PYCONV_STATUS_BAD_CLIP, PYCONV_STATUS_OVERFLOW, PYCONV_STATUS_BAD_THREADS
        PYCONV_STATUS_UNSUPPORTED, PYCONV_STATUS_OVER_BUDGET, PYCONV_STATUS_UNDER_ACCURACY
        PYCONV_STATUS_MISALIGNED, PYCONV_STATUS_NO_MEMORY, PYCONV_STATUS_INTERRUPTED
        PYCONV_STATUS_BAD_MAX_WORKSPACE, PYCONV_STATUS_BAD_BORDER

    const char *const *pyconv_dtype_words
    const char *const *pyconv_element_words
    const char *const *pyconv_layout_words
    const char *const *pyconv_padding_mode_words
    const char *const *pyconv_accuracy_words
    const char *const *pyconv_nan_reach_words
    const char *const *pyconv_status_words

    ctypedef struct pyconv_conv2d_t:
        size_t struct_size
        int32_t dtype, layout, padding_mode, accuracy, algorithm, threads
        int64_t n, g, ic, ih, iw, oc, icg, kh, kw, sh, sw, dh, dw, ph0, ph1, pw0, pw1
        double lo, hi
        int64_t max_workspace
        int32_t x_dtype, y_dtype
        double border

    void pyconv_conv2d_init(pyconv_conv2d_t *d) noexcept
    bint pyconv_conv2d_known(size_t size) noexcept

    ctypedef struct pyconv_plan_t:
        pass
