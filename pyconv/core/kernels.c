/* SPDX-License-Identifier: BSD-3-Clause */
/* The SIMD kernels, compiled apart from the Cython side, which only calls them through the table. */
#define PYCONV_KERNELS_DEFINE
#include "pyconv/kernels.h"
