/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels for AVX-512. */
#if defined __x86_64__
#define PYCONV_ISA avx512
#define PYCONV_ISA_HEADER "pyconv/simd/avx512.h"
#include "pyconv/foreach_type.h"
#endif
