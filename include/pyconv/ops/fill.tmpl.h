/* SPDX-License-Identifier: BSD-3-Clause */
/* The door in: elements of an image, or of weights, on their way to a band or a panel, which hold `real`. What fills these
 * (pack, split, spread, and gemm_planes as it goes) reads through the names below alone. Read past this door: images where
 * they stand, by gemm, depthwise_nhwc and depthwise_interleaved, and what transpose_rows and wino_weights turn. Elements of
 * other types come through stage_in first (stage.tmpl.h).
 *
 *   fill_load(p), fill_load_n(p, n), fill_load_part(p, part), fill_get(p)     V elements, the first n, a part, one */
#define fill_load v_load
#define fill_load_n v_load_n
#define fill_load_part v_load_part
#define fill_get(p) (*(p))

/* p[0], p[2], p[4], ... and p[0], p[4], p[8], ...; only the first `readable` reals are read, the rest is
 * zero. */
INLINE vec NAME(load_2)(const real *p, ptrdiff_t readable) {
    const ptrdiff_t more = readable - V;
    return v_even(fill_load_n(p, more < 0 ? readable : V),
                  more > 0 ? fill_load_n(p + V, more < V ? more : V) : (vec){0});
}
INLINE vec NAME(load_4)(const real *p, ptrdiff_t readable) {
    const ptrdiff_t more = readable - 2 * V;
    return v_even(NAME(load_2)(p, readable), more > 0 ? NAME(load_2)(p + 2 * V, more) : (vec){0});
}

/* to[r][j] = from[r][j step]; rows are to_s and from_s apart. */
static void NAME(copy_rows)(real *to, ptrdiff_t to_s, const real *from, ptrdiff_t from_s, ptrdiff_t rows,
                            ptrdiff_t count, ptrdiff_t step) {
    if (step != 1 && step != 2 && step != 4) {
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t j = 0; j < count; j++)
                to[r * to_s + j] = fill_get(from + r * from_s + j * step);
        return;
    }
    for (ptrdiff_t j = 0; j < count; j += V) {
        const ptrdiff_t valid = count - j < V ? count - j : V, readable = (valid - 1) * step + 1;
        real *t = to + j;
        const real *f = from + j * step;
        if (step == 1 && valid == V)
            for (ptrdiff_t r = 0; r < rows; r++, t += to_s, f += from_s)
                v_store(t, fill_load(f));
        else if (step == 1)
            for (ptrdiff_t r = 0; r < rows; r++, t += to_s, f += from_s)
                v_store_n(t, fill_load_n(f, valid), valid);
        else if (step == 2)
            for (ptrdiff_t r = 0; r < rows; r++, t += to_s, f += from_s)
                v_store_n(t, NAME(load_2)(f, readable), valid);
        else
            for (ptrdiff_t r = 0; r < rows; r++, t += to_s, f += from_s)
                v_store_n(t, NAME(load_4)(f, readable), valid);
    }
}

static void NAME(zero_rows)(real *to, ptrdiff_t to_s, ptrdiff_t rows, ptrdiff_t count) {
    for (ptrdiff_t j = 0; j < count; j += V) {
        const ptrdiff_t valid = count - j < V ? count - j : V;
        for (ptrdiff_t r = 0; r < rows; r++)
            v_store_n(to + r * to_s + j, (vec){0}, valid);
    }
}

/* Reals at..at+depth of a run of which first..last lies in the image; zero outside. */
static vec NAME(load_cut)(const real *x, ptrdiff_t run, ptrdiff_t at, ptrdiff_t depth, ptrdiff_t first,
                          ptrdiff_t last) {
    real lanes[V] = {0};
    for (ptrdiff_t i = 0; i < depth; i++)
        if (at + i >= first && at + i < last)
            lanes[i] = fill_get(x + run + at + i);
    return v_load(lanes);
}
