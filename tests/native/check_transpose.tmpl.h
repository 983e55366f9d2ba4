/* SPDX-License-Identifier: BSD-3-Clause */
/* transpose_rows against its definition, with gaps between the rows on both sides. */
static void CHECK_NAME(transpose_rows)(const KERNELS *kernels, const char *isa) {
    const ptrdiff_t v = kernels->lanes, sizes[] = {1, v - 1, v, v + 1, 2 * v, 3 * v + 1};
    for (size_t a = 0; a < sizeof sizes / sizeof *sizes; a++)
        for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++) {
            const ptrdiff_t rows = sizes[a], cols = sizes[b], from_s = cols + 2, to_s = rows + 3;
            guarded from = CHECK_NAME(numbers)(rows * from_s - 2), to = CHECK_NAME(numbers)(cols * to_s - 3);
            const real *f = (real *)from.data, *t = (real *)to.data;
            real *old = malloc(to.bytes);
            memcpy(old, t, to.bytes);
            kernels->transpose_rows(rows, cols, f, from_s, (real *)to.data, to_s);
            long wrong = 0;
            for (ptrdiff_t at = 0; at < cols * to_s - 3; at++) {
                const ptrdiff_t j = at / to_s, i = at % to_s;
                wrong += t[at] != (i < rows ? f[i * from_s + j] : old[at]);
            }
            free(old);
            wrong += !guarded_free(from) + !guarded_free(to);
            CHECK(wrong == 0, "%s transpose_rows %tdx%td: %ld wrong", isa, rows, cols, wrong);
        }
}
