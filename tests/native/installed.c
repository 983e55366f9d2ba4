/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels of the installed extension, for a driver in a library; installed.py fills in where they are. */
#include "pyconv/kernels.h"

const pyconv_kernels_t *(*installed_select)(int max_level);
const size_t installed_bytes = sizeof(pyconv_kernels_t);

const pyconv_kernels_t *pyconv_kernels_select(int max_level) { return installed_select(max_level); }
