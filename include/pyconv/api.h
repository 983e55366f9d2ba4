// SPDX-License-Identifier: BSD-3-Clause
// The C-level API as a table of functions; none needs the GIL, none raises. pyconv.h fetches the table.
#ifndef PYCONV_API_H
#define PYCONV_API_H

#include "pyconv/abi.h"

// Functions are only ever appended. What each does is said in pyconv/_kernels.pxd, which declares the same
// functions, named pyconv_*, to Cython.
typedef struct pyconv_api_t {
    int abi_version; // of the pyconv installed
    const char *(*status_text)(int status);
    size_t (*status_message)(int status, const pyconv_conv2d_t *d, char *text, size_t size);
    int (*algorithm)(const char *name);
    int (*plan_create)(const pyconv_conv2d_t *d, const float *weight, const float *bias,
                       pyconv_plan_t **plan);
    int (*plan_create_f64)(const pyconv_conv2d_t *d, const double *weight, const double *bias,
                           pyconv_plan_t **plan);
    void (*plan_destroy)(pyconv_plan_t *plan);
    const char *(*plan_algorithm)(const pyconv_plan_t *plan);
    size_t (*plan_workspace_bytes)(const pyconv_plan_t *plan);
    size_t (*plan_packed_bytes)(const pyconv_plan_t *plan);
    int (*plan_output_size)(const pyconv_plan_t *plan, int64_t *oh, int64_t *ow);
    int (*plan_run)(const pyconv_plan_t *plan, const float *x, float *y, void *workspace);
    int (*plan_run_f64)(const pyconv_plan_t *plan, const double *x, double *y, void *workspace);
    int (*plan_run_residual)(const pyconv_plan_t *plan, const float *x, const float *residual, float *y,
                             void *workspace);
    int (*plan_run_residual_f64)(const pyconv_plan_t *plan, const double *x, const double *residual,
                                 double *y, void *workspace);
    int (*plan_run_elements)(const pyconv_plan_t *plan, const void *x, const void *residual, void *y,
                             void *workspace);
} pyconv_api_t;

#endif
