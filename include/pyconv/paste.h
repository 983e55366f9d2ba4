/* SPDX-License-Identifier: BSD-3-Clause */
/* Tokens put together after their macros are expanded. */
#ifndef PYCONV_PASTE_H
#define PYCONV_PASTE_H

#define PYCONV_PASTE_(a, b) a##b
#define PYCONV_PASTE(a, b) PYCONV_PASTE_(a, b)
#define PYCONV_PASTE3(a, b, c) PYCONV_PASTE(a, PYCONV_PASTE(b, c))
#define PYCONV_PASTE4(a, b, c, d) PYCONV_PASTE(PYCONV_PASTE(a, b), PYCONV_PASTE(c, d))

#endif
