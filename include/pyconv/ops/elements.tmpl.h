/* SPDX-License-Identifier: BSD-3-Clause */
/* V elements of a type of abi.h, which may lie anywhere in memory, as reals and back. `element` is to be known where these are
 * inlined. */

typedef double NAME(doubles) __attribute__((vector_size(8 * V)));

INLINE vec NAME(element_load)(const int element, const void *p) {
    switch (element) {
    case PYCONV_F32: {
        floats v;
        memcpy(&v, p, sizeof v);
        return v_of_floats(v);
    }
    case PYCONV_F64: {
        NAME(doubles) v;
        memcpy(&v, p, sizeof v);
        return __builtin_convertvector(v, vec);
    }
    case PYCONV_F16:
        return v_of_floats(v_load_f16(p));
    case PYCONV_BF16:
        return v_of_floats((floats)(v_load_u16(p) << 16));
    case PYCONV_U8:
        return v_of_ints(v_load_u8(p));
    case PYCONV_I8:
        return v_of_ints(v_load_i8(p));
    case PYCONV_U16:
        return v_of_ints(v_load_u16(p));
    default:
        return v_of_ints(v_load_i16(p));
    }
}

/* Half to even, within lo .. hi, which 22 bits hold; 0 for NaN. The sum's last bit is worth 1, whatever is added to 1.5 times
 * its power of two; what such a sum of floats has in its low bits is the integer. */
INLINE ints NAME(rounded)(vec v, real lo, real hi) {
    v = (vec)((NAME(indices))v & (NAME(indices))(v == v));
    v = v_min(v_set1(hi), v_max(v_set1(lo), v));
#if PYCONV_IS_F32
    return (ints)(v + 0x1.8p23f);
#else
    return __builtin_convertvector((v + 0x1.8p52) - 0x1.8p52, ints);
#endif
}

/* The float that, rounded once more to 22 bits or fewer, gives what v itself would: of the two about a v that isn't one, that
 * whose last bit is 1 (Boldo and Melquiond, 2008). */
INLINE floats NAME(to_odd)(vec v) {
#if PYCONV_IS_F32
    return (floats)v;
#else
    typedef NAME(indices) bits;
    const floats nearest = __builtin_convertvector(v, floats);
    const vec back = v_of_floats(nearest);
    const bits size = (bits){0} + 0x7FFFFFFFFFFFFFFF, beyond = ((bits)back & size) > ((bits)v & size);
    const ints step =
        __builtin_convertvector((bits)(back != v) & (1 + 2 * beyond), ints); /* to v's other side */
    const ints even = ((ints)nearest & 1) - 1;
    return (floats)((ints)nearest + (even & step));
#endif
}

INLINE void NAME(element_store)(const int element, void *p, vec v) {
    switch (element) {
    case PYCONV_F32: {
        const floats to = __builtin_convertvector(v, floats);
        memcpy(p, &to, sizeof to);
        break;
    }
    case PYCONV_F64: {
        const NAME(doubles) to = __builtin_convertvector(v, NAME(doubles));
        memcpy(p, &to, sizeof to);
        break;
    }
    case PYCONV_F16:
        v_store_f16(p, NAME(to_odd)(v));
        break;
    case PYCONV_BF16: {
        const floats narrow = NAME(to_odd)(v);
        const ints bits = (ints)narrow, nan = (ints)(narrow != narrow);
        const ints even = 0x7FFF + (bits >> 16 & 1); /* half to even */
        v_store_16(p, (bits + (even & ~nan)) >> 16 | (nan & 0x40));
        break;
    }
    case PYCONV_U8:
        v_store_8(p, NAME(rounded)(v, 0, 255));
        break;
    case PYCONV_I8:
        v_store_8(p, NAME(rounded)(v, -128, 127));
        break;
    case PYCONV_U16:
        v_store_16(p, NAME(rounded)(v, 0, 65535));
        break;
    default:
        v_store_16(p, NAME(rounded)(v, -32768, 32767));
    }
}
