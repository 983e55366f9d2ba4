/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints as JSON what a compiler sees of abi.h and api.h: constants, offsets and sizes. */
#include <stdio.h>

#include "pyconv/api.h"

/* clang-format off */
#define CONV2D_FIELDS(X)                                                                                     \
    X(struct_size) X(dtype) X(layout) X(padding_mode) X(accuracy) X(algorithm) X(threads)                    \
    X(n) X(g) X(ic) X(ih) X(iw) X(oc) X(icg) X(kh) X(kw) X(sh) X(sw) X(dh) X(dw)                             \
    X(ph0) X(ph1) X(pw0) X(pw1) X(lo) X(hi) X(max_workspace) X(x_dtype) X(y_dtype) X(border)
#define API_FIELDS(X)                                                                                        \
    X(abi_version) X(status_text) X(status_message) X(algorithm) X(plan_create) X(plan_create_f64)           \
    X(plan_destroy) X(plan_algorithm) X(plan_workspace_bytes) X(plan_packed_bytes) X(plan_output_size)       \
    X(plan_run) X(plan_run_f64) X(plan_run_residual) X(plan_run_residual_f64) X(plan_run_elements)
/* clang-format on */

#define VALUE(name) printf(", \"%s\": %d", #name, (int)(name));
#define ENUMERATOR(name, word) VALUE(PYCONV_##name)
#define STATUS(name, word) VALUE(PYCONV_STATUS_##name)
#define FIELD(type, field)                                                                                   \
    printf(", \"%s\": [%zu, %zu]", #field, offsetof(type, field), sizeof(((type *)0)->field));
#define CONV2D_FIELD(field) FIELD(pyconv_conv2d_t, field)
#define API_FIELD(field) FIELD(pyconv_api_t, field)

int main(void) {
    printf("{\"constants\": {\"PYCONV_ABI_VERSION\": %d", PYCONV_ABI_VERSION);
    printf(", \"PYCONV_ALIGNMENT\": %d", PYCONV_ALIGNMENT);
    PYCONV_ELEMENTS(ENUMERATOR)
    PYCONV_LAYOUTS(ENUMERATOR)
    PYCONV_PADDING_MODES(ENUMERATOR)
    PYCONV_ACCURACIES(ENUMERATOR)
    PYCONV_NAN_REACHES(ENUMERATOR)
    PYCONV_STATUSES(STATUS)
    printf("}, \"pyconv_conv2d_t\": {\"\": [0, %zu]", sizeof(pyconv_conv2d_t));
    CONV2D_FIELDS(CONV2D_FIELD)
    printf("}, \"pyconv_api_t\": {\"\": [0, %zu]", sizeof(pyconv_api_t));
    API_FIELDS(API_FIELD)
    printf("}}\n");
    return 0;
}
