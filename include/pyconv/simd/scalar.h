/* SPDX-License-Identifier: BSD-3-Clause */
/* Whatever the compiler's flags have, in vectors of 16 bytes, as SSE2 and NEON hold: all of generic.h. */
#if !defined PYCONV_T

#define VECTOR_BYTES 16
#define REGISTERS 16
#define MR 6
#define EACH_M EACH_6
#define EACH_HALF_M EACH_3

#endif
