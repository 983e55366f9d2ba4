// SPDX-License-Identifier: BSD-3-Clause
// What C, Cython and Python agree on: the descriptor of a convolution, its enumerations, and one table of
// status texts.
#ifndef PYCONV_ABI_H
#define PYCONV_ABI_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Grows by one with every change to what the C-level API exports; tests/abi_<version>.json records each.
#define PYCONV_ABI_VERSION 3

// Every enumeration is one list of (NAME, "word"); the word is what Python callers write.
// Types of weights, which convolutions are computed in or of; those and the others that images have in memory.
#define PYCONV_DTYPES(X) X(F32, "float32") X(F64, "float64") X(F16, "float16")
#define PYCONV_ELEMENTS(X)                                                                                   \
    PYCONV_DTYPES(X)                                                                                         \
    X(U8, "uint8") X(I8, "int8") X(U16, "uint16") X(I16, "int16") X(BF16, "bfloat16")
#define PYCONV_LAYOUTS(X) X(NCHW, "NCHW") X(NHWC, "NHWC")
#define PYCONV_PADDING_MODES(X)                                                                              \
    X(ZEROS, "zeros")                                                                                        \
    X(REFLECT, "reflect")                                                                                    \
    X(REPLICATE, "replicate") X(CIRCULAR, "circular") X(SYMMETRIC, "symmetric") X(CONSTANT, "constant")
#define PYCONV_ACCURACIES(X) X(STRICT, "strict") X(STANDARD, "standard") X(FAST, "fast")
// How far a NaN of the input reaches: the outputs whose window holds it, those of its tile, or the whole
// image.
#define PYCONV_NAN_REACHES(X) X(WINDOW, "window") X(TILE, "tile") X(IMAGE, "image")

// Status texts name fields of the descriptor in braces; Python fills in the numbers.
#define PYCONV_STATUSES(X)                                                                                   \
    X(OK, "ok")                                                                                              \
    X(NULL_POINTER, "a required pointer is NULL")                                                            \
    X(STRUCT_SIZE, "struct_size {struct_size} is not a size this version knows")                             \
    X(BAD_ENUM, "dtype {dtype}, layout {layout}, padding mode {padding_mode}, accuracy {accuracy} or "       \
                "algorithm {algorithm} is not one of its enumeration")                                       \
    X(WRONG_DTYPE, "the function called serves another dtype than the descriptor's or the plan's")           \
    X(BAD_BATCH, "the batch must be 0 or more, is {n}")                                                      \
    X(BAD_IMAGE, "x needs at least one row and column and no negative number of channels, has {ic} "         \
                 "channels of {ih}x{iw}")                                                                    \
    X(BAD_KERNEL,                                                                                            \
      "weight needs at least one row and column and no negative size, has shape ({oc}, {icg}, {kh}, {kw})")  \
    X(BAD_STRIDE, "stride must be positive, is ({sh}, {sw})")                                                \
    X(BAD_DILATION, "dilation must be positive (1 means none), is ({dh}, {dw})")                             \
    X(BAD_GROUPS, "groups must be positive, is {g}")                                                         \
    X(BAD_PADDING, "padding must not be negative, is (({ph0}, {ph1}), ({pw0}, {pw1}))")                      \
    X(GROUPS_INPUT, "{ic} channels of x do not divide by groups={g}")                                        \
    X(GROUPS_OUTPUT, "{oc} filters of weight do not divide by groups={g}")                                   \
    X(CHANNELS, "weight has {icg} input channels per group, x has {ic} channels / {g} groups")               \
    X(KERNEL_TOO_LARGE,                                                                                      \
      "a {kh}x{kw} kernel with dilation ({dh}, {dw}) is larger than the {ih}x{iw} input with padding "       \
      "(({ph0}, {ph1}), ({pw0}, {pw1}))")                                                                    \
    X(REFLECT_TOO_LARGE,                                                                                     \
      "reflect padding (({ph0}, {ph1}), ({pw0}, {pw1})) must be smaller than the {ih}x{iw} input")           \
    X(CIRCULAR_TOO_LARGE,                                                                                    \
      "circular padding (({ph0}, {ph1}), ({pw0}, {pw1})) must not exceed the {ih}x{iw} input")               \
    X(BAD_CLIP, "clip needs lo <= hi, has ({lo}, {hi})")                                                     \
    X(OVERFLOW, "the sizes overflow: x ({n}, {ic}, {ih}, {iw}), weight ({oc}, {icg}, {kh}, {kw}), stride "   \
                "({sh}, {sw}), "                                                                             \
                "dilation ({dh}, {dw}), padding (({ph0}, {ph1}), ({pw0}, {pw1}))")                           \
    X(BAD_THREADS, "threads must be positive, is {threads}")                                                 \
    X(UNSUPPORTED, "the algorithm cannot serve this convolution")                                            \
    X(OVER_BUDGET, "the algorithm needs more memory than max_workspace allows")                              \
    X(UNDER_ACCURACY, "the algorithm is less accurate than the class asked for")                             \
    X(MISALIGNED, "the workspace is not aligned to 64 bytes")                                                \
    X(NO_MEMORY, "out of memory")                                                                            \
    X(INTERRUPTED, "interrupted")                                                                            \
    X(BAD_MAX_WORKSPACE, "max_workspace must be bytes, or -1 for no bound, is {max_workspace}")              \
    X(BAD_BORDER, "the constant {border} around the image does not fit the element type of x")

#define PYCONV_ENUM_DTYPE(name, word) PYCONV_##name,
#define PYCONV_ENUM_ONE(name, word) +1
#define PYCONV_ENUM_STATUS(name, word) PYCONV_STATUS_##name,
#define PYCONV_ENUM_WORD(name, word) word,

enum pyconv_element { PYCONV_ELEMENTS(PYCONV_ENUM_DTYPE) PYCONV_ELEMENT_COUNT };
enum pyconv_dtype { PYCONV_DTYPE_COUNT = 0 PYCONV_DTYPES(PYCONV_ENUM_ONE) }; // the first elements
enum pyconv_layout { PYCONV_LAYOUTS(PYCONV_ENUM_DTYPE) PYCONV_LAYOUT_COUNT };
enum pyconv_padding_mode { PYCONV_PADDING_MODES(PYCONV_ENUM_DTYPE) PYCONV_PADDING_MODE_COUNT };
enum pyconv_accuracy { PYCONV_ACCURACIES(PYCONV_ENUM_DTYPE) PYCONV_ACCURACY_COUNT };
enum pyconv_nan_reach { PYCONV_NAN_REACHES(PYCONV_ENUM_DTYPE) PYCONV_NAN_REACH_COUNT };
enum pyconv_status { PYCONV_STATUSES(PYCONV_ENUM_STATUS) PYCONV_STATUS_COUNT };

static const char *const pyconv_dtype_words[] = {PYCONV_DTYPES(PYCONV_ENUM_WORD)};
static const char *const pyconv_element_words[] = {PYCONV_ELEMENTS(PYCONV_ENUM_WORD)};
static const char *const pyconv_layout_words[] = {PYCONV_LAYOUTS(PYCONV_ENUM_WORD)};
static const char *const pyconv_padding_mode_words[] = {PYCONV_PADDING_MODES(PYCONV_ENUM_WORD)};
static const char *const pyconv_accuracy_words[] = {PYCONV_ACCURACIES(PYCONV_ENUM_WORD)};
static const char *const pyconv_nan_reach_words[] = {PYCONV_NAN_REACHES(PYCONV_ENUM_WORD)};
static const char *const pyconv_status_words[] = {PYCONV_STATUSES(PYCONV_ENUM_WORD)};

#define PYCONV_ALIGNMENT 64 // bytes: a cache line, and the widest vector

// A convolution as the caller states it. Letters as in oneDNN; dilation 1 means none.
//   x (n, ic, ih, iw) or (n, ih, iw, ic);  weight (oc, icg, kh, kw);  y (n, oc, oh, ow) or (n, oh, ow, oc)
// Fields are only ever appended.
typedef struct pyconv_conv2d_t {
    size_t struct_size; // sizeof(pyconv_conv2d_t) where the caller was compiled
    int32_t dtype, layout, padding_mode, accuracy;
    int32_t algorithm; // -1: choose
    int32_t threads;   // 0: as many as OpenMP would use
    int64_t n, g, ic, ih, iw, oc, icg, kh, kw, sh, sw, dh, dw, ph0, ph1, pw0, pw1;
    double lo, hi;         // y = min(max(y, lo), hi); -inf and inf mean none
    int64_t max_workspace; // bytes of workspace and packed weights together; -1: no bound
    // Element types of x, and of y and residual: a pyconv_element, -1 for dtype, which is that of weight and bias.
    int32_t x_dtype, y_dtype;
    double border; // around the image where padding_mode is PYCONV_CONSTANT
} pyconv_conv2d_t;

// Every default: one float32 image in NCHW, stride 1, no padding, and icg 0 for ic / g. Left to fill in: ic, ih,
// iw, oc, kh, kw.
static inline void pyconv_conv2d_init(pyconv_conv2d_t *d) {
    memset(d, 0, sizeof *d);
    d->struct_size = sizeof *d;
    d->accuracy = PYCONV_STANDARD;
    d->algorithm = d->x_dtype = d->y_dtype = -1;
    d->n = d->g = d->sh = d->sw = d->dh = d->dw = 1;
    d->lo = -INFINITY;
    d->hi = INFINITY;
    d->max_workspace = -1;
}

// Whether a struct of so many bytes can be read: one that ends with the geometry or after a later field. Fields that
// it lacks have their defaults.
static inline int pyconv_conv2d_known(size_t size) {
#define PYCONV_END(field) (offsetof(pyconv_conv2d_t, field) + sizeof(((pyconv_conv2d_t *)0)->field))
    return size == PYCONV_END(pw1) || size == PYCONV_END(hi) || size == PYCONV_END(max_workspace) ||
           size == PYCONV_END(border);
#undef PYCONV_END
}

// A convolution made ready: chosen algorithm and packed weights. Immutable, so threads may share it.
typedef struct pyconv_plan_t pyconv_plan_t;

#endif
