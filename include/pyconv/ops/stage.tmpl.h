/* SPDX-License-Identifier: BSD-3-Clause */
/* The doors between images of any element type, channels interleaved, and rows of reals, a channel each:
 *
 *   stage_in   to[c][i] = (real)x[i channels + c]
 *   stage_out  y[i channels + c] = (element)from[c][i]
 *
 *   x, y      [count][channels], anywhere in memory
 *   to, from  [channels][count], rows to_c, from_c apart
 *
 * Rounded once: integers and narrower floats half to even; integers saturate, and are 0 for NaN. */

#define OWN (PYCONV_IS_F32 ? PYCONV_F32 : PYCONV_F64)

enum {
    NAME(stage_few) =
        4, /* channels that are parted as they are converted; with the type the same, twice as many */
    NAME(stage_reals) = 1024,  /* of other images that are converted first, to L1 */
    NAME(stage_channels) = 64, /* of these; then a row of theirs is long enough, and so are those of pixels */
};

INLINE ptrdiff_t NAME(least)(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* V <= count; the last V pixels once more in part rather than with idle lanes. */
INLINE void NAME(stage_in_blocks)(const int element, const int C, const char *x, ptrdiff_t count, real *to,
                                  ptrdiff_t to_c) {
    const ptrdiff_t bytes = pyconv_element_bytes(element);
    for (ptrdiff_t i = 0; i < count; i += V) {
        const ptrdiff_t at = NAME(least)(i, count - V);
        vec v[8];
        PYCONV_UNROLL
        for (int k = 0; k < C; k++)
            v[k] = NAME(element_load)(element, x + (at * C + k * V) * bytes);
        NAME(part_channels)(C, v);
        PYCONV_UNROLL
        for (int c = 0; c < C; c++)
            v_store(to + c * to_c + at, v[c]);
    }
}
INLINE void NAME(stage_out_blocks)(const int element, const int C, const real *from, ptrdiff_t from_c,
                                   ptrdiff_t count, char *y) {
    const ptrdiff_t bytes = pyconv_element_bytes(element);
    for (ptrdiff_t i = 0; i < count; i += V) {
        const ptrdiff_t at = NAME(least)(i, count - V);
        vec v[8];
        PYCONV_UNROLL
        for (int c = 0; c < C; c++)
            v[c] = v_load(from + c * from_c + at);
        NAME(join_channels)(C, v);
        PYCONV_UNROLL
        for (int k = 0; k < C; k++)
            NAME(element_store)(element, y + (at * C + k * V) * bytes, v[k]);
    }
}

/* Any count of at most 8 channels; more than 4, or whole vectors, of the kernel's own type alone. */
#define FEW(E, F) F(E, 1) F(E, 2) F(E, 3) F(E, 4)
#define CASE(name, F)                                                                                        \
    case PYCONV_##name:                                                                                      \
        switch (channels) {                                                                                  \
            FEW(PYCONV_##name, F)                                                                            \
        default:                                                                                             \
            break;                                                                                           \
        }                                                                                                    \
        break;
#define MANY(F)                                                                                              \
    switch (channels) {                                                                                      \
        F(OWN, 5)                                                                                            \
        F(OWN, 6)                                                                                            \
        F(OWN, 7)                                                                                            \
        F(OWN, 8)                                                                                            \
    default:                                                                                                 \
        break;                                                                                               \
    }

#define IN(E, C)                                                                                             \
    case C:                                                                                                  \
        NAME(stage_in_blocks)(E, C, x, count, to, to_c);                                                     \
        break;
#define IN_CASE(name, word) CASE(name, IN)
static void NAME(stage_in_few)(int element, const char *x, ptrdiff_t channels, ptrdiff_t count, real *to,
                               ptrdiff_t to_c) {
    if (count < V) {
        const size_t bytes = (size_t)(count * channels * pyconv_element_bytes(element));
        char pixels[8 * V * 8] = {0};
        real rows[8 * V] = {0};
        if (count <= 0)
            return;
        memcpy(pixels, x, bytes);
        NAME(stage_in_few)(element, pixels, channels, V, rows, V);
        for (ptrdiff_t c = 0; c < channels; c++)
            v_store_n(to + c * to_c, v_load(rows + c * V), count);
    } else if (channels > NAME(stage_few)) {
        MANY(IN)
    } else {
        switch (element) { PYCONV_ELEMENTS(IN_CASE) }
    }
}

#define OUT(E, C)                                                                                            \
    case C:                                                                                                  \
        NAME(stage_out_blocks)(E, C, from, from_c, count, y);                                                \
        break;
#define OUT_CASE(name, word) CASE(name, OUT)
static void NAME(stage_out_few)(int element, const real *from, ptrdiff_t from_c, ptrdiff_t channels,
                                ptrdiff_t count, char *y) {
    if (count < V) {
        const size_t bytes = (size_t)(count * channels * pyconv_element_bytes(element));
        char pixels[8 * V * 8] = {0};
        real rows[8 * V] = {0};
        if (count <= 0)
            return;
        for (ptrdiff_t c = 0; c < channels; c++)
            v_store(rows + c * V, v_load_n(from + c * from_c, count));
        NAME(stage_out_few)(element, rows, V, channels, V, pixels);
        memcpy(y, pixels, bytes);
    } else if (channels > NAME(stage_few)) {
        MANY(OUT)
    } else {
        switch (element) { PYCONV_ELEMENTS(OUT_CASE) }
    }
}

/* The kernel's own type. Whole vectors of channels are turned. */
static void NAME(stage_in_own)(const real *x, ptrdiff_t channels, ptrdiff_t count, real *to, ptrdiff_t to_c) {
    if (channels == 1)
        memcpy(to, x, (size_t)count * sizeof(real));
    else if (channels <= 2 * NAME(stage_few) && channels % V)
        NAME(stage_in_few)(OWN, (const char *)x, channels, count, to, to_c);
    else
        NAME(transpose_rows)(count, channels, x, channels, to, to_c);
}
static void NAME(stage_out_own)(const real *from, ptrdiff_t from_c, ptrdiff_t channels, ptrdiff_t count,
                                real *y) {
    if (channels == 1)
        memcpy(y, from, (size_t)count * sizeof(real));
    else if (channels <= 2 * NAME(stage_few) && channels % V)
        NAME(stage_out_few)(OWN, from, from_c, channels, count, (char *)y);
    else
        NAME(transpose_rows)(channels, count, from, from_c, y, channels);
}

/* Blocks of pixels and channels, by way of reals in L1, x's side or y's; the last of each row and column once more in part.
 * All channels of neighbouring pixels are one run. */
#define BLOCKS(...)                                                                                          \
    real run[NAME(stage_reals)];                                                                             \
    const ptrdiff_t wide = NAME(least)(channels, NAME(stage_channels)),                                      \
                    high = NAME(least)(count, NAME(stage_reals) / wide / V * V),                             \
                    bytes = pyconv_element_bytes(element), whole = wide == channels;                         \
    const ptrdiff_t runs = whole ? 1 : high, length = whole ? high * wide : wide;                            \
    for (ptrdiff_t i = 0; i < count; i += high)                                                              \
        for (ptrdiff_t j = 0; j < channels; j += wide) {                                                     \
            const ptrdiff_t at = NAME(least)(i, count - high), c = NAME(least)(j, channels - wide);          \
            __VA_ARGS__                                                                                      \
        }
#define RUN(r) ((at + (r)) * channels + c) * bytes

static void NAME(stage_in_many)(int element, const char *x, ptrdiff_t channels, ptrdiff_t count, real *to,
                                ptrdiff_t to_c) {
    BLOCKS({
        for (ptrdiff_t r = 0; r < runs; r++)
            NAME(stage_in_few)(element, x + RUN(r), 1, length, run + r * wide, 0);
        NAME(stage_in_own)(run, wide, high, to + c * to_c + at, to_c);
    })
}
static void NAME(stage_out_many)(int element, const real *from, ptrdiff_t from_c, ptrdiff_t channels,
                                 ptrdiff_t count, char *y) {
    BLOCKS({
        NAME(stage_out_own)(from + c * from_c + at, from_c, wide, high, run);
        for (ptrdiff_t r = 0; r < runs; r++)
            NAME(stage_out_few)(element, run + r * wide, 0, 1, length, y + RUN(r));
    })
}

static void NAME(stage_in)(int element, const void *x, ptrdiff_t channels, ptrdiff_t count, void *to,
                           ptrdiff_t to_c) {
    if (element == OWN)
        NAME(stage_in_own)(x, channels, count, to, to_c);
    else if (channels <= NAME(stage_few))
        NAME(stage_in_few)(element, x, channels, count, to, to_c);
    else
        NAME(stage_in_many)(element, x, channels, count, to, to_c);
}
static void NAME(stage_out)(int element, const void *from, ptrdiff_t from_c, ptrdiff_t channels,
                            ptrdiff_t count, void *y) {
    if (element == OWN)
        NAME(stage_out_own)(from, from_c, channels, count, y);
    else if (channels <= NAME(stage_few))
        NAME(stage_out_few)(element, from, from_c, channels, count, y);
    else
        NAME(stage_out_many)(element, from, from_c, channels, count, y);
}

#undef OWN
#undef FEW
#undef CASE
#undef MANY
#undef IN
#undef IN_CASE
#undef OUT
#undef OUT_CASE
#undef BLOCKS
#undef RUN
