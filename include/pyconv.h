// SPDX-License-Identifier: BSD-3-Clause
// pyconv for extensions in C and C++. Compile with pyconv.get_include() among the include folders; then
//
//   const pyconv_api_t *pyconv = pyconv_import();   // once, with the GIL
//   pyconv->plan_run(plan, x, y, workspace);        // anywhere, without it
#ifndef PYCONV_H
#define PYCONV_H

#include <Python.h>
#include "pyconv/api.h"

// The table of functions, or NULL with ImportError set: no pyconv, or one older than this header.
static inline const pyconv_api_t *pyconv_import(void) {
    const pyconv_api_t *api = (const pyconv_api_t *)PyCapsule_Import("pyconv._kernels._C_API", 0);
    if (api != NULL && api->abi_version < PYCONV_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "compiled for version %d of pyconv's C-level API, installed is version %d",
                     PYCONV_ABI_VERSION, api->abi_version);
        return NULL;
    }
    return api;
}

#endif
