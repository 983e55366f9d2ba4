/* SPDX-License-Identifier: BSD-3-Clause */
/* point_rows, mean_rows and mean_columns against their formulas. */
static double CHECK_NAME(curve)(const pyconv_point *f, double v) {
    const double line = f->p * v + f->q, held = line < f->lo ? f->lo : line > f->hi ? f->hi : line;
    switch (f->kind) {
    case PYCONV_POINT_CLAMP:
        return held;
    case PYCONV_POINT_GATE:
        return v * held + f->s;
    case PYCONV_POINT_LEAK:
        return (v > 0 ? v * f->r : v * f->p) + f->s;
    case PYCONV_POINT_SIGMOID:
        return f->r / (1 + exp(-f->p * v)) + f->s;
    default:
        return f->r * v / (1 + exp(-f->p * v)) + f->s;
    }
}

/* Powers of two keep the first three exact; the others are off by some roundings. */
static void CHECK_NAME(point_rows)(const KERNELS *kernels, const char *isa) {
    const double tolerance = sizeof(real) == 4 ? 5e-7 : 1e-15;
    for (ptrdiff_t rows = 1; rows < 4; rows++)
        for (ptrdiff_t cols = 1; cols <= 2 * kernels->lanes + 1; cols++)
            for (int form = 0; form < 40; form++) {
                const int kind = form % 5, scaled = form / 5 % 3, more = form / 15 % 2, in_place = form / 30;
                const ptrdiff_t count = rows * cols;
                guarded x = CHECK_NAME(numbers)(count), other = CHECK_NAME(numbers)(count),
                        y = CHECK_NAME(numbers)(count),
                        scale = CHECK_NAME(numbers)(scaled == 2 ? cols : rows);
                real *X = (real *)x.data, *Y = in_place ? X : (real *)y.data;
                const real *S = scaled ? (real *)scale.data : NULL, *O = more ? (real *)other.data : NULL;
                const pyconv_point f = {.kind = kind,
                                        .by_column = scaled == 2,
                                        .p = 0.5,
                                        .q = 1,
                                        .lo = -1,
                                        .hi = 2,
                                        .r = 2,
                                        .s = kind ? 3 : 0};
                X[count - 1] = (real)NAN;
                real *old = malloc(x.bytes);
                memcpy(old, X, x.bytes);
                kernels->point_rows(&f, rows, cols, X, S, O, Y);
                long wrong = 0;
                for (ptrdiff_t at = 0; at < count; at++) {
                    const ptrdiff_t i = at / cols, j = at % cols;
                    const double v =
                        (double)old[at] * (S ? (double)S[scaled == 2 ? j : i] : 1) + (O ? O[at] : 0);
                    const double want = CHECK_NAME(curve)(&f, v);
                    const double slack = kind < PYCONV_POINT_SIGMOID ? 0 : tolerance * (fabs(2 * v) + 5);
                    wrong += isnan(want) ? !isnan(Y[at]) : !(fabs((double)Y[at] - want) <= slack);
                }
                free(old);
                wrong += !guarded_free(x) + !guarded_free(other) + !guarded_free(y) + !guarded_free(scale);
                CHECK(wrong == 0, "%s point_rows %tdx%td form %d: %ld wrong", isa, rows, cols, form, wrong);
            }
    /* sigmoid from where it is 0 to where it is 1 */
    const pyconv_point f = {.kind = PYCONV_POINT_SIGMOID, .p = 1, .r = 1};
    real x[1001], y[1001];
    long wrong = 0;
    for (int i = 0; i < 1001; i++)
        x[i] = (real)(i - 500) / 4;
    x[0] = -(real)INFINITY, x[1000] = (real)INFINITY;
    kernels->point_rows(&f, 1, 1001, x, NULL, NULL, y);
    for (int i = 0; i < 1001; i++) {
        const double want = 1 / (1 + exp(-(double)x[i]));
        wrong += !(fabs((double)y[i] - want) <= tolerance * want + 1e-37);
    }
    CHECK(wrong == 0, "%s sigmoid: %ld wrong", isa, wrong);
}

/* Small integers: sums are exact, and a mean is rounded once. */
static void CHECK_NAME(means)(const KERNELS *kernels, const char *isa, int columns) {
    for (ptrdiff_t rows = 1; rows < 9; rows++)
        for (ptrdiff_t cols = 1; cols <= 6 * kernels->lanes + 1; cols++) {
            guarded x = CHECK_NAME(numbers)(rows * cols), y = CHECK_NAME(numbers)(columns ? cols : rows);
            const real *X = (real *)x.data, *Y = (real *)y.data;
            (columns ? kernels->mean_columns : kernels->mean_rows)(rows, cols, x.data, y.data);
            long wrong = 0;
            for (ptrdiff_t k = 0; k < (columns ? cols : rows); k++) {
                real sum = 0;
                for (ptrdiff_t l = 0; l < (columns ? rows : cols); l++)
                    sum += columns ? X[l * cols + k] : X[k * cols + l];
                wrong += Y[k] != sum / (real)(columns ? rows : cols);
            }
            wrong += !guarded_free(x) + !guarded_free(y);
            CHECK(wrong == 0, "%s mean_%s %tdx%td: %ld wrong", isa, columns ? "columns" : "rows", rows, cols,
                  wrong);
        }
}

static void CHECK_NAME(mean_rows)(const KERNELS *kernels, const char *isa) {
    CHECK_NAME(means)(kernels, isa, 0);
}
static void CHECK_NAME(mean_columns)(const KERNELS *kernels, const char *isa) {
    CHECK_NAME(means)(kernels, isa, 1);
}
