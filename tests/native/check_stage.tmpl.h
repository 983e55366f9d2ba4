/* SPDX-License-Identifier: BSD-3-Clause */
/* stage_in and stage_out, against elements read and rounded one by one, in doubles. */
#if !defined CHECK_STAGE_ONCE
#define CHECK_STAGE_ONCE

static const int stage_bytes[PYCONV_ELEMENT_COUNT] = {
    [PYCONV_F32] = 4, [PYCONV_F64] = 8, [PYCONV_F16] = 2, [PYCONV_BF16] = 2,
    [PYCONV_U8] = 1,  [PYCONV_I8] = 1,  [PYCONV_U16] = 2, [PYCONV_I16] = 2,
};

/* Floats of `digits` bits after the point: normal from 2^least on, infinity beyond 2^most. */
static double stage_decode(unsigned bits, int digits, int least, unsigned infinity) {
    const unsigned sign = bits >> 15, size = bits & 0x7FFF, fraction = size & ((1u << digits) - 1);
    const int exponent = (int)(size >> digits);
    double value;
    if (size > infinity)
        value = NAN;
    else if (size == infinity)
        value = INFINITY;
    else if (exponent == 0)
        value = ldexp(fraction, least - digits);
    else
        value = ldexp(fraction + (1u << digits), least - digits + exponent - 1);
    return sign ? -value : value;
}
static unsigned stage_encode(double v, int digits, int least, unsigned infinity) {
    const unsigned sign = signbit(v) ? 0x8000 : 0;
    if (isnan(v))
        return 0x7FFF;
    if (isinf(v))
        return sign | infinity;
    const int exponent = v == 0 || ilogb(v) < least ? least : ilogb(v);
    const double units = nearbyint(ldexp(fabs(v), digits - exponent)); /* half to even; exact but for that */
    const double bits = units + ldexp(exponent - least, digits);
    return sign | (bits > infinity ? infinity : (unsigned)bits);
}

static double stage_value(int element, const char *p) {
    float f;
    double d;
    uint16_t u;
    memcpy(&u, p, stage_bytes[element] == 1 ? 1 : 2);
    switch (element) {
    case PYCONV_F32:
        memcpy(&f, p, 4);
        return f;
    case PYCONV_F64:
        memcpy(&d, p, 8);
        return d;
    case PYCONV_F16:
        return stage_decode(u, 10, -14, 0x7C00);
    case PYCONV_BF16:
        return stage_decode(u, 7, -126, 0x7F80);
    case PYCONV_U8:
        return (unsigned char)*p;
    case PYCONV_I8:
        return (signed char)*p;
    case PYCONV_U16:
        return u;
    default:
        return (int16_t)u;
    }
}

static double stage_integer(double v, double lo, double hi) {
    return isnan(v) ? 0 : v < lo ? lo : v > hi ? hi : nearbyint(v);
}

static int stage_same(double a, double b) {
    return isnan(a) ? isnan(b) : a == b && !signbit(a) == !signbit(b);
}

/* 1 if the element is what v is to be rounded to. */
static int stage_rounded(int element, const char *p, double v) {
    const double is = stage_value(element, p);
    switch (element) {
    case PYCONV_F32:
        return stage_same(is, (float)v);
    case PYCONV_F64:
        return stage_same(is, v);
    case PYCONV_F16:
        return stage_same(is, stage_decode(stage_encode(v, 10, -14, 0x7C00), 10, -14, 0x7C00));
    case PYCONV_BF16:
        return stage_same(is, stage_decode(stage_encode(v, 7, -126, 0x7F80), 7, -126, 0x7F80));
    case PYCONV_U8:
        return is == stage_integer(v, 0, 255);
    case PYCONV_I8:
        return is == stage_integer(v, -128, 127);
    case PYCONV_U16:
        return is == stage_integer(v, 0, 65535);
    default:
        return is == stage_integer(v, -32768, 32767);
    }
}

/* The reference knows the values that the formats' definitions name. */
static void check_stage_reference(void) {
    CHECK(stage_decode(0x0001, 10, -14, 0x7C00) == ldexp(1, -24), "least float16");
    CHECK(stage_decode(0x7BFF, 10, -14, 0x7C00) == 65504, "greatest float16");
    CHECK(stage_decode(0xBC00, 10, -14, 0x7C00) == -1, "-1 in float16");
    CHECK(isnan(stage_decode(0x7C01, 10, -14, 0x7C00)), "NaN in float16");
    CHECK(stage_decode(0x3FC0, 7, -126, 0x7F80) == 1.5, "1.5 in bfloat16");
    CHECK(stage_encode(65519.99, 10, -14, 0x7C00) == 0x7BFF, "below the last tie of float16");
    CHECK(stage_encode(-65520, 10, -14, 0x7C00) == 0xFC00, "the last tie of float16");
    CHECK(stage_encode(ldexp(1, -25), 10, -14, 0x7C00) == 0, "the first tie of float16");
    CHECK(stage_encode(ldexp(3, -25), 10, -14, 0x7C00) == 2, "the second tie of float16");
    for (unsigned bits = 0; bits <= 0x7C00; bits++)
        if (stage_encode(stage_decode(bits, 10, -14, 0x7C00), 10, -14, 0x7C00) != bits)
            CHECK(0, "float16 %04x there and back", bits);
}

static uint32_t stage_random(void) { return random_state = random_state * 1664525u + 1013904223u; }

#endif

/* A NaN: all bits 1, the last alone beside the exponent's, or any. */
static real CHECK_NAME(stage_nan)(uint32_t bits) {
    const int wide = sizeof(real) == 8;
    const uint64_t exponent = wide ? 0x7FF0000000000000 : 0x7F800000, all = wide ? ~0ull >> 1 : 0x7FFFFFFF;
    const uint64_t nan = exponent | (bits % 3 == 0   ? all
                                     : bits % 3 == 1 ? 1
                                                     : ((uint64_t)bits * 0x9E3779B97F4A7C15 & all) | 1);
    real value;
    if (wide)
        memcpy(&value, &nan, sizeof value);
    else
        memcpy(&value, &(uint32_t){(uint32_t)nan}, sizeof value);
    return value;
}

/* Numbers of all sizes, ties of every type and what lies beside them. */
static real CHECK_NAME(stage_number)(void) {
    static const double special[] = {
        0,     -0.0,  0.5,  -0.5,  1.5,     -1.5,    2.5,   126.5,    127.5,     128.5,   -128.5,    -129,
        254.5, 255.5, 256,  -1,    32766.5, 32767.5, 32768, -32768.5, 65534.5,   65535.5, 65519.99,  65520,
        1e10,  -1e10, 1e30, -1e30, 3.4e38,  -3.4e38, 3e-8,  INFINITY, -INFINITY, NAN,     3.3961e38, 1e-40};
    const uint32_t kind = stage_random() >> 28, bits = stage_random();
    const int exponent = (int)(stage_random() >> 16) % 48 - 28;
    const double tie = ldexp((double)(2 * (int)(bits >> 20) + 1), exponent);
    switch (kind) {
    case 0:
    case 1:
        return (real)special[(bits >> 8) % (sizeof special / sizeof *special)];
    case 2: /* ties of float16 and bfloat16, some of them subnormal, and just beside */
    case 3:
    case 4:
        return (real)((bits & 1 ? -tie : tie) * (bits & 2 ? 1 + ldexp(bits & 4 ? 1 : -1, -50) : 1));
    case 5: /* of the subnormal bfloat16 */
        return (real)ldexp((double)(bits >> 8) + ldexp(bits & 7, -24), -150);
    case 6:
    case 7: /* of integers */
        return (real)((int)(bits >> 15) - 65536 + (bits & 1 ? 0.5 : bits & 2 ? 0.5 - 1e-9 : 0));
    case 8:
        return (real)((int)(bits >> 23) - 128 + 0.5);
    case 9:
        return CHECK_NAME(stage_nan)(bits);
    default:
        return (real)ldexp((double)(int32_t)bits, exponent - 24);
    }
}

static void CHECK_NAME(stage_in_case)(const KERNELS *kernels, const char *isa, int element,
                                      ptrdiff_t channels, ptrdiff_t count, unsigned first) {
    const int bytes = stage_bytes[element];
    const ptrdiff_t to_c = count + 3, size = (channels - 1) * to_c + count;
    guarded in = guarded_new((size_t)(count * channels * bytes));
    guarded out = guarded_new((size_t)size * sizeof(real));
    char *x = in.data, *was = malloc(in.bytes + 1);
    if (bytes == 2)
        for (ptrdiff_t i = 0; i < count * channels; i++)
            memcpy(x + 2 * i, &(uint16_t){(uint16_t)(first + (unsigned)i)}, 2);
    else
        for (ptrdiff_t i = 0; i < count * channels * bytes; i++)
            x[i] = (char)(stage_random() >> 24);
    memcpy(was, x, in.bytes);
    kernels->stage_in(element, x, channels, count, out.data, to_c);
    long wrong = memcmp(was, x, in.bytes) != 0;
    for (ptrdiff_t at = 0; at < size; at++) {
        const ptrdiff_t c = at / to_c, i = at % to_c;
        real is, want;
        memcpy(&is, out.data + at * (ptrdiff_t)sizeof is, sizeof is);
        memset(&want, 0xA5, sizeof want);
        if (i < count)
            want = (real)stage_value(element, x + (i * channels + c) * bytes);
        wrong += !stage_same(is, want);
    }
    free(was);
    wrong += !guarded_free(in) + !guarded_free(out);
    CHECK(wrong == 0, "%s stage_in %s, %td channels, %td pixels: %ld wrong", isa,
          pyconv_element_words[element], channels, count, wrong);
}

static void CHECK_NAME(stage_out_case)(const KERNELS *kernels, const char *isa, int element,
                                       ptrdiff_t channels, ptrdiff_t count) {
    const int bytes = stage_bytes[element];
    const ptrdiff_t from_c = count + 3, size = (channels - 1) * from_c + count;
    guarded in = guarded_new((size_t)size * sizeof(real));
    guarded out = guarded_new((size_t)(count * channels * bytes));
    real *from = (real *)in.data;
    for (ptrdiff_t i = 0; i < size; i++)
        from[i] = CHECK_NAME(stage_number)();
    kernels->stage_out(element, from, from_c, channels, count, out.data);
    long wrong = 0;
    for (ptrdiff_t at = 0; at < count * channels; at++)
        wrong += !stage_rounded(element, out.data + at * bytes, from[at % channels * from_c + at / channels]);
    wrong += !guarded_free(in) + !guarded_free(out);
    CHECK(wrong == 0, "%s stage_out %s, %td channels, %td pixels: %ld wrong", isa,
          pyconv_element_words[element], channels, count, wrong);
}

static const ptrdiff_t CHECK_NAME(stage_channels)[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 70};
#define STAGE_CHANNELS (sizeof CHECK_NAME(stage_channels) / sizeof *CHECK_NAME(stage_channels))

static void CHECK_NAME(stage_in)(const KERNELS *kernels, const char *isa) {
    check_stage_reference();
    for (int element = 0; element < PYCONV_ELEMENT_COUNT; element++) {
        for (size_t i = 0; i < STAGE_CHANNELS; i++)
            for (ptrdiff_t count = 0; count <= 3 * kernels->lanes + 2; count++)
                CHECK_NAME(stage_in_case)(kernels, isa, element, CHECK_NAME(stage_channels)[i], count,
                                          stage_random() >> 16);
        CHECK_NAME(stage_in_case)(kernels, isa, element, 1, 65536, 0); /* every value of two bytes */
        CHECK_NAME(stage_in_case)(kernels, isa, element, 5, 500, 0);   /* more than one block */
        CHECK_NAME(stage_in_case)(kernels, isa, element, 11, 300, 0);
    }
}

static void CHECK_NAME(stage_out)(const KERNELS *kernels, const char *isa) {
    for (int element = 0; element < PYCONV_ELEMENT_COUNT; element++) {
        for (size_t i = 0; i < STAGE_CHANNELS; i++)
            for (ptrdiff_t count = 0; count <= 3 * kernels->lanes + 2; count++)
                CHECK_NAME(stage_out_case)(kernels, isa, element, CHECK_NAME(stage_channels)[i], count);
        CHECK_NAME(stage_out_case)(kernels, isa, element, 1, 100000);
        CHECK_NAME(stage_out_case)(kernels, isa, element, 5, 500);
        CHECK_NAME(stage_out_case)(kernels, isa, element, 11, 300);
    }
}
#undef STAGE_CHANNELS
