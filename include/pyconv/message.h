// SPDX-License-Identifier: BSD-3-Clause
// Status texts with the numbers of a descriptor in place of the names in braces.
#ifndef PYCONV_MESSAGE_H
#define PYCONV_MESSAGE_H

#include <stdio.h>

#include "pyconv/abi.h"

// clang-format off
#define PYCONV_INTEGERS(X)                                                                                   \
    X(struct_size) X(dtype) X(layout) X(padding_mode) X(accuracy) X(algorithm) X(threads)                    \
    X(n) X(g) X(ic) X(ih) X(iw) X(oc) X(icg) X(kh) X(kw) X(sh) X(sw) X(dh) X(dw)                             \
    X(ph0) X(ph1) X(pw0) X(pw1) X(max_workspace) X(x_dtype) X(y_dtype)
// clang-format on

// The field called name[0 .. length) as text; nothing if there is none.
static inline void pyconv_field_text(const pyconv_conv2d_t *d, const char *name, size_t length, char *text,
                                     size_t size) {
#define PYCONV_IS(field) (length == sizeof #field - 1 && memcmp(name, #field, length) == 0)
#define PYCONV_INTEGER(field)                                                                                \
    if (PYCONV_IS(field))                                                                                    \
        snprintf(text, size, "%lld", (long long)d->field);
    text[0] = 0;
    PYCONV_INTEGERS(PYCONV_INTEGER)
    if (PYCONV_IS(lo))
        snprintf(text, size, "%g", d->lo);
    if (PYCONV_IS(hi))
        snprintf(text, size, "%g", d->hi);
    if (PYCONV_IS(border))
        snprintf(text, size, "%g", d->border);
#undef PYCONV_IS
#undef PYCONV_INTEGER
}

// Writes at most size bytes with the 0 at the end, cut off if need be; returns the length of the whole text.
static inline size_t pyconv_fill_in(const char *text, const pyconv_conv2d_t *d, char *to, size_t size) {
    size_t length = 0;
    char number[32];
    while (*text) {
        const char *piece = text;
        size_t count = strcspn(text, "{");
        text += count;
        if (count == 0) {
            const char *end = strchr(text, '}');
            pyconv_field_text(d, text + 1, (size_t)(end - text) - 1, number, sizeof number);
            piece = number;
            count = strlen(number);
            text = end + 1;
        }
        if (length < size) {
            const size_t room = size - length - 1;
            memcpy(to + length, piece, count < room ? count : room);
            to[length + (count < room ? count : room)] = 0;
        }
        length += count;
    }
    return length;
}

#endif
