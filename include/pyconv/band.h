/* SPDX-License-Identifier: BSD-3-Clause */
/* A band: some rows of an image, zero padded and split along the width by the phase of the stride, so that each tap of a
 * row of outputs is one run of memory:
 *
 *   band[channel][row][phase][pitch]   element (row, phase, q) is column q sw + phase of the padded rows
 *   tap (i, j) of output (r, q) is at ((r sh + i dh) sw + (j dw) % sw) pitch + (j dw) / sw + q
 *
 * Channels-last columns are C reals each: pitch, (j dw) / sw C and q C are counted in reals.
 *
 * Vectors may reach over the end of a row into the next: those lanes are not stored. The last row has
 * PYCONV_BAND_SLACK elements behind it. */
#ifndef PYCONV_BAND_H
#define PYCONV_BAND_H

#include "types.h"

#define PYCONV_BAND_SLACK 16 /* lanes of the longest vector */
#define PYCONV_PHASES 16     /* kinds of vectors in a row of channels side by side, at most */

typedef struct pyconv_band {
    ptrdiff_t rows, cols; /* of outputs in this band */
    ptrdiff_t kh, kw, sh, sw, dh, dw;
    ptrdiff_t pitch;
    ptrdiff_t ys_h; /* between rows of y and of the residual */
    /* Output rows `apart` rows apart, and taps `classes` rows apart, read band rows lcm(sh, dh) apart. */
    ptrdiff_t apart, classes;
} pyconv_band;

/* Rows of the image under `rows` rows of outputs. */
static inline ptrdiff_t pyconv_band_rows(ptrdiff_t rows, ptrdiff_t kh, ptrdiff_t sh, ptrdiff_t dh) {
    return (rows - 1) * sh + (kh - 1) * dh + 1;
}

/* Elements per row and phase: whole cache lines of float32. */
static inline ptrdiff_t pyconv_band_pitch(ptrdiff_t cols, ptrdiff_t kw, ptrdiff_t sw, ptrdiff_t dw) {
    return (cols + (kw - 1) * dw / sw + 15) / 16 * 16;
}

/* Taps *first <= i < *last of a window at `start` that are inside an image of `size`. */
static inline void pyconv_taps_inside(ptrdiff_t start, ptrdiff_t dilation, ptrdiff_t taps, ptrdiff_t size,
                                      ptrdiff_t *first, ptrdiff_t *last) {
    *first = pyconv_clamp(dilation == 1 ? -start : pyconv_ceil_div(-start, dilation), 0, taps);
    *last =
        pyconv_clamp(dilation == 1 ? size - start : pyconv_ceil_div(size - start, dilation), *first, taps);
}

static inline ptrdiff_t pyconv_gcd(ptrdiff_t a, ptrdiff_t b) {
    while (b) {
        const ptrdiff_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Fills the last two fields from sh and dh. */
static inline void pyconv_band_relate(pyconv_band *b) {
    const ptrdiff_t common = pyconv_gcd(b->sh, b->dh);
    b->apart = b->dh / common;
    b->classes = b->sh / common;
}

/* Where tap j is in a row of the band, and the way to tap j + 1 without a division. */
typedef struct pyconv_tap {
    ptrdiff_t at, phase;
} pyconv_tap;

typedef struct pyconv_tap_step {
    ptrdiff_t at, phase; /* added for each tap */
    ptrdiff_t sw, back;  /* when phase reaches sw */
} pyconv_tap_step;

/* Columns of the band are so many reals each. */
static inline pyconv_tap_step pyconv_tap_step_of(const pyconv_band *b, ptrdiff_t column) {
    const ptrdiff_t whole = b->sw == 1 ? b->dw : b->dw / b->sw, phase = b->dw - whole * b->sw;
    return (pyconv_tap_step){.at = whole * column + phase * b->pitch,
                             .phase = phase,
                             .sw = b->sw,
                             .back = b->sw * b->pitch - column};
}

static inline pyconv_tap pyconv_next_tap(pyconv_tap_step step, pyconv_tap t) {
    const pyconv_tap next = {t.at + step.at, t.phase + step.phase};
    return next.phase < step.sw ? next : (pyconv_tap){next.at - step.back, next.phase - step.sw};
}

#endif
