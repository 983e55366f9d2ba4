/* SPDX-License-Identifier: BSD-3-Clause */
/* What callers and kernels exchange: real types, the epilogue of a product, the description of patches. */
#ifndef PYCONV_TYPES_H
#define PYCONV_TYPES_H

#include <stddef.h>

#include "abi.h"

typedef float pyconv_f32;
typedef double pyconv_f64;
/* X(type, what) for each */
#define PYCONV_TYPES(X, what) X(f32, what) X(f64, what)

_Static_assert((int)PYCONV_BF16 == (int)PYCONV_ELEMENT_COUNT - 1 &&
                   (int)PYCONV_F16 == (int)PYCONV_DTYPE_COUNT - 1,
               "the codes of dtypes are those of the first elements");

static inline ptrdiff_t pyconv_element_bytes(int element) {
    switch (element) {
    case PYCONV_F64:
        return 8;
    case PYCONV_F32:
        return 4;
    case PYCONV_U8:
    case PYCONV_I8:
        return 1;
    default:
        return 2;
    }
}

/* Products that one accumulator sums at most: rounding errors grow with the length of the longest chain of additions. The
 * sums of longer ones are added up in memory. */
#define PYCONV_CHAIN 256

/* What happens to a product on its way to memory, in this order. Residual and C have the same strides.
 * With k in several blocks: ACCUMULATE on all but the first, the others on the last alone. */
enum {
    PYCONV_ACCUMULATE = 1,  /* + what C holds */
    PYCONV_BIAS_ROW = 2,    /* + bias[m] */
    PYCONV_BIAS_COLUMN = 4, /* + bias[n] */
    PYCONV_RESIDUAL = 8,    /* + residual */
    PYCONV_CLAMP = 16,      /* v < lo ? lo : v > hi ? hi : v, so a NaN stays */
    PYCONV_TRANSPOSED = 32, /* element (r, c) is C[c * ldc + r], in residual too */
};

typedef struct pyconv_epilogue {
    int flags;
    double lo, hi;
    const void *bias, *residual; /* of the kernel's element type */
} pyconv_epilogue;

/* A function of single elements; see point.tmpl.h. */
enum {
    PYCONV_POINT_CLAMP,
    PYCONV_POINT_GATE,
    PYCONV_POINT_LEAK,
    PYCONV_POINT_SIGMOID,
    PYCONV_POINT_SILU,
};

typedef struct pyconv_point {
    int kind, by_column;
    double p, q, lo, hi, r, s;
} pyconv_point;

/* Memory to ask for while a product is computed, a little at each of its steps, since a burst of requests would hold
 * up its own loads; 0 bytes for none. */
typedef struct pyconv_ahead {
    const void *at;
    ptrdiff_t bytes;
} pyconv_ahead;

/* The patches of one image and group; strides of x in elements. */
typedef struct pyconv_patches {
    ptrdiff_t c, ih, iw;
    ptrdiff_t kh, kw, sh, sw, dh, dw;
    ptrdiff_t ph, pw; /* before the first row and column */
    ptrdiff_t oh, ow;
    ptrdiff_t xs_c, xs_h, xs_w;
} pyconv_patches;

/* A rectangle of a channels-last image, spread over the outputs of its groups; see spread.tmpl.h. */
typedef struct pyconv_spread {
    ptrdiff_t rows, cols, h0, w0; /* of the rectangle; it may reach beyond the image */
    ptrdiff_t ih, iw, xs_h, xs_w;
    ptrdiff_t icg, ocg, skip, count;
} pyconv_spread;

/* Some lines of outputs of a depthwise convolution and the inputs under them; see depthwise_grad.tmpl.h. */
typedef struct pyconv_grad {
    ptrdiff_t outputs, inputs, taps, stride, dilation, pad; /* along a line */
    ptrdiff_t dy_step, x_step;                              /* to the next output, input */
    ptrdiff_t first, last;                                  /* steps 0 .. outputs + taps, or a part of them */
    ptrdiff_t shifts, gap, x_shift; /* across: from one shift to the next so many places, reals of x */
    ptrdiff_t places;               /* that the image has there */
    int lanes_move;                 /* lane l is l places further, else all are at the same */
    ptrdiff_t sums_a, sums_s;
    /* Asked for while a line is computed: reals beyond the output under way, and beyond the input of its first shift and as
     * many of the next shifts as the next line does not share with this one. */
    ptrdiff_t dy_ahead, x_ahead, fresh;
} pyconv_grad;

typedef struct pyconv_grad_line {
    ptrdiff_t x, dy; /* where its first input and output would be */
    ptrdiff_t at;    /* place of its first lane and shift */
    ptrdiff_t lanes; /* at most so many */
} pyconv_grad_line;

static inline ptrdiff_t pyconv_ceil_div(ptrdiff_t a, ptrdiff_t b) { return a > 0 ? (a - 1) / b + 1 : a / b; }

static inline ptrdiff_t pyconv_clamp(ptrdiff_t v, ptrdiff_t lo, ptrdiff_t hi) {
    return v < lo ? lo : v > hi ? hi : v;
}

/* Where part i begins when `total` things go into `parts` even parts: 64 in 5 is 13 13 13 13 12. */
static inline ptrdiff_t pyconv_split_start(ptrdiff_t total, ptrdiff_t parts, ptrdiff_t i) {
    const ptrdiff_t rest = total % parts;
    return total / parts * i + (i < rest ? i : rest);
}

/* Product `part` of `parts` asks for its part of what the next block reads. A single product has nobody to go ahead of:
 * it runs no faster than its own operands arrive. */
static inline pyconv_ahead pyconv_ahead_part(const void *at, ptrdiff_t bytes, ptrdiff_t part,
                                             ptrdiff_t parts) {
    const ptrdiff_t start = pyconv_split_start(bytes, parts, part),
                    end = pyconv_split_start(bytes, parts, part + 1);
    return (pyconv_ahead){(const char *)at + start, parts > 1 ? end - start : 0};
}

#endif
