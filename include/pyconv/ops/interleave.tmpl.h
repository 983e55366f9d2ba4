/* SPDX-License-Identifier: BSD-3-Clause */
/* V pixels of C <= 8 interleaved channels <-> C vectors of a channel each; C is to be known where these are inlined.
 *
 * An even C is halved by the even and the odd elements of pairs of vectors. For an odd one, lane l of vector k belongs to channel
 * (V k + l) % C, so each lane of a channel's elements is that of just one of the C vectors: C - 1 selections by lane, which
 * are cheaper than shuffles, collect them, and one permutation of that vector sorts them.
 *
 * LANES takes one argument beside the lane: C and a number, as one. */
#define WITH(C, n) ((C) + 16 * (n))
/* The lane of the second vector if it belongs to channel c, n = V k + C - c; else that of the first. */
#define SELECT(lane, b) (((lane) + (b) / 16) % ((b) % 16) ? (lane) : (lane) + V)
/* Where pixel `lane` of channel n lies: element C lane + n, of V lanes. */
#define SORT(lane, b) (((lane) * ((b) % 16) + (b) / 16) % V)
/* The pixel that lies in `lane`, the inverse: the product of C and its reciprocal is 1 of 16 lanes, so of fewer. */
#define RECIPROCAL(C) ((C) == 3 ? 11 : (C) == 5 ? 13 : 7)
#define UNSORT(lane, b) (((lane) + 16 - (b) / 16) * RECIPROCAL((b) % 16) % V)

/* F(C, i, 1), F(C, i, 2) .. F(C, i, C - 1) and F(C, 0) .. F(C, C - 1) */
#define OTHERS_3(F, i) F(3, i, 1) F(3, i, 2)
#define OTHERS_5(F, i) F(5, i, 1) F(5, i, 2) F(5, i, 3) F(5, i, 4)
#define OTHERS_7(F, i) F(7, i, 1) F(7, i, 2) F(7, i, 3) F(7, i, 4) F(7, i, 5) F(7, i, 6)
#define ALL_3(F) F(3, 0) F(3, 1) F(3, 2)
#define ALL_5(F) F(5, 0) F(5, 1) F(5, 2) F(5, 3) F(5, 4)
#define ALL_7(F) F(7, 0) F(7, 1) F(7, 2) F(7, 3) F(7, 4) F(7, 5) F(7, 6)

#define FROM_VECTOR(C, c, k)                                                                                 \
    of = __builtin_shufflevector(of, v[k], LANES(SELECT, WITH(C, V * (k) + (C) - (c))));
#define CHANNEL(C, c)                                                                                        \
    {                                                                                                        \
        vec of = v[0];                                                                                       \
        OTHERS_##C(FROM_VECTOR, c) to[c] = __builtin_shufflevector(of, of, LANES(SORT, WITH(C, c)));         \
    }
#define UNSORTED(C, c) sorted[c] = __builtin_shufflevector(v[c], v[c], LANES(UNSORT, WITH(C, c)));
#define FROM_CHANNEL(C, k, c)                                                                                \
    of = __builtin_shufflevector(of, sorted[c], LANES(SELECT, WITH(C, V * (k) + (C) - (c))));
#define VECTOR(C, k)                                                                                         \
    {                                                                                                        \
        vec of = sorted[0];                                                                                  \
        OTHERS_##C(FROM_CHANNEL, k) to[k] = of;                                                              \
    }
#define PART(C)                                                                                              \
    case C:                                                                                                  \
        ALL_##C(CHANNEL) break;
#define JOIN(C)                                                                                              \
    case C:                                                                                                  \
        ALL_##C(UNSORTED) ALL_##C(VECTOR) break;

INLINE void NAME(part_odd)(const int C, const vec *v, vec *to) {
    if (C == 1)
        to[0] = v[0];
    switch (C) { PART(3) PART(5) PART(7) }
}
INLINE void NAME(join_odd)(const int C, const vec *v, vec *to) {
    vec sorted[7];
    if (C == 1)
        to[0] = v[0];
    switch (C) { JOIN(3) JOIN(5) JOIN(7) }
}

/* Where n divides C: the even elements of each of n / 2 groups of vectors stay with it, the odd ones make a group n / 2 further;
 * and back. */
#define PART_EVEN(n)                                                                                         \
    if (C % (n) == 0) {                                                                                      \
        vec halves[8];                                                                                       \
        PYCONV_UNROLL                                                                                        \
        for (int i = 0; i < C / 2; i++) {                                                                    \
            halves[i] = v_even(v[2 * i], v[2 * i + 1]);                                                      \
            halves[C / 2 + i] = v_odd(v[2 * i], v[2 * i + 1]);                                               \
        }                                                                                                    \
        PYCONV_UNROLL                                                                                        \
        for (int i = 0; i < C; i++)                                                                          \
            v[i] = halves[i];                                                                                \
    }
#define ZIP_LOW(lane, b) ((lane) / 2 + (lane) % 2 * V)
#define ZIP_HIGH(lane, b) (V / 2 + (lane) / 2 + (lane) % 2 * V)
#define JOIN_EVEN(n)                                                                                         \
    if (C % (n) == 0) {                                                                                      \
        vec halves[8];                                                                                       \
        PYCONV_UNROLL                                                                                        \
        for (int i = 0; i < C; i++)                                                                          \
            halves[i] = v[i];                                                                                \
        PYCONV_UNROLL                                                                                        \
        for (int i = 0; i < C / 2; i++) {                                                                    \
            v[2 * i] = __builtin_shufflevector(halves[i], halves[C / 2 + i], LANES(ZIP_LOW, 0));             \
            v[2 * i + 1] = __builtin_shufflevector(halves[i], halves[C / 2 + i], LANES(ZIP_HIGH, 0));        \
        }                                                                                                    \
    }

/* v[c][l] <- element C l + c of those in v */
INLINE void NAME(part_channels)(const int C, vec v[8]) {
    const int groups = C & -C, odd = C / groups;
    vec parts[8];
    PART_EVEN(2)
    PART_EVEN(4)
    PART_EVEN(8)
    PYCONV_UNROLL
    for (int g = 0; g < groups; g++)
        NAME(part_odd)(odd, v + g * odd, parts + g * odd);
    PYCONV_UNROLL
    for (int c = 0; c < C; c++)
        v[c] = parts[c % groups * odd + c / groups];
}

/* Element C l + c of those in v <- v[c][l] */
INLINE void NAME(join_channels)(const int C, vec v[8]) {
    const int groups = C & -C, odd = C / groups;
    vec parts[8];
    PYCONV_UNROLL
    for (int c = 0; c < C; c++)
        parts[c % groups * odd + c / groups] = v[c];
    PYCONV_UNROLL
    for (int g = 0; g < groups; g++)
        NAME(join_odd)(odd, parts + g * odd, v + g * odd);
    JOIN_EVEN(8)
    JOIN_EVEN(4)
    JOIN_EVEN(2)
}

#undef WITH
#undef SELECT
#undef SORT
#undef RECIPROCAL
#undef UNSORT
#undef OTHERS_3
#undef OTHERS_5
#undef OTHERS_7
#undef ALL_3
#undef ALL_5
#undef ALL_7
#undef FROM_VECTOR
#undef CHANNEL
#undef UNSORTED
#undef FROM_CHANNEL
#undef VECTOR
#undef PART
#undef JOIN
#undef PART_EVEN
#undef JOIN_EVEN
#undef ZIP_LOW
#undef ZIP_HIGH
