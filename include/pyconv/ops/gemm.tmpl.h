/* SPDX-License-Identifier: BSD-3-Clause */
/* C[m][n] = epilogue(A[m][k] B[k][n]) for one panel of m <= MR rows: the product all fast algorithms share.
 *
 * A is the broadcast side, B the vector side. gemm_panel reads both packed, or A in place; gemm_taps needs no
 * patches and reads A from a channels-last image.
 *
 * Each m has its own instances with all m x NR sums in registers. On AVX-512 14 x 2 sums, 2 vectors of B
 * and 2 broadcasts of A fill the 32 registers; 6 x 2 of 16 on AVX2 and SSE2, 12 x 2 of 32 on NEON. */

typedef struct NAME(product) {
    ptrdiff_t n, k; /* k: of each tap in gemm_taps */
    const real *a;
    ptrdiff_t a_rs, taps;
    const ptrdiff_t *offsets;
    const real *b;
    ptrdiff_t b_ps;
    real *c;
    ptrdiff_t ldc;
    const char *ahead; /* memory to ask for, `pace` bytes further at each step of K */
    ptrdiff_t pace;
    const EPILOGUE *e;
} NAME(product);

/* Into L2, as much as one step reads of B. */
INLINE void NAME(ask)(const char *ahead) {
    PYCONV_UNROLL
    for (int line = 0; line < NR * (int)sizeof(real); line += 64)
        __builtin_prefetch(ahead + line, 0, 2);
}

/* Into L1, while the tile is summed. */
INLINE void NAME(ask_residual)(const int m, ptrdiff_t n, ptrdiff_t ldc, ptrdiff_t col, const EPILOGUE *e) {
    const int turned = e->flags & PYCONV_TRANSPOSED;
    const ptrdiff_t rows = turned ? n : m, last = (turned ? m : n) - 1;
    const real *row = e->residual + (turned ? col * ldc : col);
    for (ptrdiff_t i = 0; i < rows; i++, row += ldc) {
        __builtin_prefetch(row);
        __builtin_prefetch(row + last);
    }
}

/* sum += a[k][m] b[k][NR] */
INLINE void NAME(gemm_packed)(const int m, const int vecs, vec sum[MR][2], ptrdiff_t k, const real *a,
                              const real *b, const char *ahead, ptrdiff_t pace) {
    for (; k > 0; k--, a += m, b += NR, ahead += pace) {
        vec row[2];
        PYCONV_UNROLL
        for (int j = 0; j < vecs; j++)
            row[j] = v_load(b + j * V);
        NAME(ask)(ahead);
        EACH_SUM(sum[i][j] = v_fma(v_set1(a[i]), row[j], sum[i][j]))
    }
}

/* sum += a[m][a_rs] b[k][NR]. One pointer serves three rows of a, which x86 addresses as p + {0, 1, 2}
 * a_rs. */
INLINE void NAME(gemm_rows)(const int m, const int vecs, vec sum[MR][2], ptrdiff_t k, const real *a,
                            ptrdiff_t a_rs, const real *b, const char *ahead, ptrdiff_t pace) {
    const real *base[(MR + 2) / 3];
    PYCONV_UNROLL
    for (int i = 0; i < m; i += 3)
        base[i / 3] = a + i * a_rs;
    for (; k > 0; k--, b += NR, ahead += pace) {
        vec row[2];
        PYCONV_UNROLL
        for (int j = 0; j < vecs; j++)
            row[j] = v_load(b + j * V);
        NAME(ask)(ahead);
        EACH_SUM(sum[i][j] = v_fma(v_set1(base[i / 3][i % 3 * a_rs]), row[j], sum[i][j]))
        PYCONV_UNROLL
        for (int i = 0; i < m; i += 3) {
            base[i / 3]++;
            PYCONV_KEEP(base[i / 3]);
        }
    }
}

enum { NAME(form_packed), NAME(form_rows) };

/* Columns col .. col + vecs V of C; m, vecs and form are known when compiled. */
INLINE void NAME(gemm_tile)(const int m, const int vecs, const int form, const NAME(product) * p,
                            ptrdiff_t col) {
    const ptrdiff_t n = p->n - col < vecs * V ? p->n - col : vecs * V, pace = p->pace;
    const char *ahead = p->ahead + col / NR * p->taps * p->k * pace;
    const real *b = p->b + col / NR * p->b_ps;
    const ptrdiff_t depth = p->taps * p->k;
    ptrdiff_t room = PYCONV_CHAIN, left = depth;
    vec sum[MR][2];
    real part[MR * NR];
    NAME(gemm_begin)(m, vecs, sum, part, depth);
    if (p->e->flags & PYCONV_RESIDUAL)
        NAME(ask_residual)(m, n, p->ldc, col, p->e);
    for (ptrdiff_t t = 0; t < p->taps; t++)
        for (ptrdiff_t done = 0, k; done < p->k; done += k, b += k * NR, ahead += k * pace) {
            k = p->k - done < room ? p->k - done : room;
            if (form == NAME(form_packed))
                NAME(gemm_packed)(m, vecs, sum, k, p->a + done * m, b, ahead, pace);
            else
                NAME(gemm_rows)(m, vecs, sum, k, p->a + p->offsets[t] + done, p->a_rs, b, ahead, pace);
            left -= k, room -= k;
            if (room == 0 && left > 0) {
                NAME(gemm_end_chain)(m, vecs, sum, part);
                room = PYCONV_CHAIN;
            }
        }
    NAME(gemm_end)(m, vecs, sum, part, depth);
    NAME(gemm_store)(m, vecs, sum, n, p->c, p->ldc, col, p->e);
}

#define GEMM_INSTANCE(form, m)                                                                               \
    static void NAME(PYCONV_PASTE(form, PYCONV_PASTE(_, m)))(const NAME(product) * p) {                      \
        ptrdiff_t col = 0;                                                                                   \
        for (; p->n - col > V; col += NR)                                                                    \
            NAME(gemm_tile)(m, 2, NAME(form), p, col);                                                       \
        if (col < p->n)                                                                                      \
            NAME(gemm_tile)(m, 1, NAME(form), p, col);                                                       \
    }
#define GEMM_INSTANCES(m) GEMM_INSTANCE(form_packed, m) GEMM_INSTANCE(form_rows, m)
EACH_M(GEMM_INSTANCES)

#define GEMM_ENTRIES(m) {NAME(form_packed_##m), NAME(form_rows_##m)},
static void (*const NAME(gemm_instances)[MR][2])(const NAME(product) *) = {EACH_M(GEMM_ENTRIES)};

static void NAME(gemm_run)(ptrdiff_t m, int form, NAME(product) * p, pyconv_ahead ahead) {
    const ptrdiff_t steps = pyconv_ceil_div(p->n, NR) * p->taps * p->k;
    p->ahead = ahead.bytes > 0 && steps > 0 ? ahead.at : (const void *)p->a;
    p->pace = steps > 0 ? pyconv_ceil_div(ahead.bytes, steps) : 0;
    NAME(gemm_instances)[m - 1][form](p);
}

/*   a  packed [k][m] (a_rs = 1, a_ks = m), or rows in place [m][a_rs] (a_ks = 1)
 *   b  panels [ceil(n / NR)][k][NR], b_ps apart, zero padded
 *   c  [m][ldc]; [n][ldc] with PYCONV_TRANSPOSED */
static void NAME(gemm_panel)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_rs,
                             ptrdiff_t a_ks, const void *b, ptrdiff_t b_ps, void *c, ptrdiff_t ldc,
                             pyconv_ahead ahead, const pyconv_epilogue *e_) {
    static const ptrdiff_t here = 0;
    const EPILOGUE e = NAME(epilogue_of)(e_);
    NAME(product) p = {n, k, a, a_rs, 1, &here, b, b_ps, c, ldc, .e = &e};
    NAME(gemm_run)(m, a_ks == 1 ? NAME(form_rows) : NAME(form_packed), &p, ahead);
}

/* A[i][t k + l] = a[i a_rs + offsets[t] + l]: m output pixels at equal distances in a channels-last image,
 * and `taps` runs of k reals each (the k channels of a tap, or the kw C reals of a kernel row). b is as
 * above, of depth taps k. */
static void NAME(gemm_taps)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t taps, ptrdiff_t k, const void *a,
                            ptrdiff_t a_rs, const ptrdiff_t *offsets, const void *b, ptrdiff_t b_ps, void *c,
                            ptrdiff_t ldc, pyconv_ahead ahead, const pyconv_epilogue *e_) {
    const EPILOGUE e = NAME(epilogue_of)(e_);
    NAME(product) p = {n, k, a, a_rs, taps, offsets, b, b_ps, c, ldc, .e = &e};
    NAME(gemm_run)(m, NAME(form_rows), &p, ahead);
}

/* C[m][n] = A[m][a_rs] B[k][NR] for any m and n <= NR, in panels of even height; ACCUMULATE is the only flag.
 *
 * Weights that no cache holds are read once, in order. While these products are computed, the k x NR reals at
 * `ahead` are asked for, spread evenly over all steps of all panels: asked for in one go they hold up the
 * loads of the product, and left to the first panel they are waited for there, while the memory rests under
 * the others. On a Sapphire-Rapids-class core, 16 rows with weights from L3: 105, 147 and 167 GFLOP/s. */
static void NAME(gemm_stream)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t a_rs,
                              const void *b, const void *ahead, void *c, ptrdiff_t ldc, int flags) {
    static const ptrdiff_t here = 0;
    const ptrdiff_t panels = pyconv_ceil_div(m, MR);
    const EPILOGUE e = {.flags = flags};
    NAME(product) p = {n, k, a, a_rs, 1, &here, b, 0, c, ldc, ahead, 0, &e};
    p.pace = pyconv_ceil_div(NR * (ptrdiff_t)sizeof(real), panels);
    for (ptrdiff_t i = 0; i < panels; i++) {
        const ptrdiff_t rows = pyconv_split_start(m, panels, i + 1) - pyconv_split_start(m, panels, i);
        NAME(gemm_instances)[rows - 1][NAME(form_rows)](&p);
        p.a += rows * a_rs;
        p.c += rows * ldc;
        p.ahead += k * p.pace;
    }
}

#undef GEMM_ENTRIES
#undef GEMM_INSTANCES
#undef GEMM_INSTANCE
