/* SPDX-License-Identifier: BSD-3-Clause */
/* The door out: results on their way from registers to y. A tile is stored through the names below alone, and what lies in
 * memory as y does, the residual and the C that products add to, is read through them. Elements of other types leave by
 * stage_out afterwards (stage.tmpl.h).
 *
 *   y_load(p), y_load_n(p, n), y_get(p)            V elements, the first n, one
 *   y_store(p, v), y_store_n(p, v, n), y_put(p, r) */
#define y_load v_load
#define y_load_n v_load_n
#define y_get(p) (*(p))
#define y_store v_store
#define y_store_n v_store_n
#define y_put(p, r) (*(p) = (r))

/* pyconv_epilogue for this element type. */
#define EPILOGUE NAME(epilogue)
typedef struct EPILOGUE {
    int flags;
    real lo, hi;
    const real *bias, *residual;
} EPILOGUE;

INLINE EPILOGUE NAME(epilogue_of)(const pyconv_epilogue *e) {
    return (EPILOGUE){e->flags, (real)e->lo, (real)e->hi, e->bias, e->residual};
}

/* For passes that ask no flags: what isn't asked for adds nothing, NULL, or clamps nothing. */
INLINE EPILOGUE NAME(all_of)(const pyconv_epilogue *e) {
    const real infinity = (real)__builtin_inf();
    const int clamps = e->flags & PYCONV_CLAMP;
    return (EPILOGUE){e->flags, clamps ? (real)e->lo : -infinity, clamps ? (real)e->hi : infinity,
                      e->flags & (PYCONV_BIAS_ROW | PYCONV_BIAS_COLUMN) ? e->bias : NULL,
                      e->flags & PYCONV_RESIDUAL ? e->residual : NULL};
}

INLINE vec NAME(clamp)(vec v, const EPILOGUE *e) { return v_min(v_set1(e->hi), v_max(v_set1(e->lo), v)); }

/* n lanes of v + residual, clamped, where the residual may be NULL and bounds infinite. */
INLINE vec NAME(finish)(vec v, const real *residual, ptrdiff_t n, vec lo, vec hi) {
    if (residual)
        v += n == V ? y_load(residual) : y_load_n(residual, n);
    return v_min(hi, v_max(lo, v));
}
