/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels for AVX2. */
#if defined __x86_64__
#define PYCONV_ISA avx2
#define PYCONV_ISA_HEADER "pyconv/simd/avx2.h"
#include "pyconv/foreach_type.h"
#endif
