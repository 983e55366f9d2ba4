/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels of any CPU. */
#define PYCONV_ISA scalar
#define PYCONV_ISA_HEADER "pyconv/simd/scalar.h"
#include "pyconv/foreach_type.h"
