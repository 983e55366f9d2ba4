/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels for NEON. */
#if defined __aarch64__
#define PYCONV_ISA neon
#define PYCONV_ISA_HEADER "pyconv/simd/neon.h"
#include "pyconv/foreach_type.h"
#endif
