/* SPDX-License-Identifier: BSD-3-Clause */
/* x <- a x + b, `steps` times on 12 independent vectors: nothing but multiply-adds in registers, so the time
 * is that of the arithmetic units. 12 chains cover latency 4 times 2 units, and fit the 16 registers of SSE2.
 * Returns the floating-point operations done; sink[V] takes the sum, so that the work cannot be dropped. */
static double NAME(fma_peak)(ptrdiff_t steps, void *sink) {
    enum { chains = 12 };
    const vec a = v_set1((real)0.5), b = v_set1((real)0.25);
    vec x[chains];
    PYCONV_UNROLL
    for (int i = 0; i < chains; i++)
        x[i] = v_set1((real)i);
    for (ptrdiff_t step = 0; step < steps; step++) {
        PYCONV_UNROLL
        for (int i = 0; i < chains; i++)
            x[i] = v_fma(x[i], a, b);
    }
    vec sum = x[0];
    PYCONV_UNROLL
    for (int i = 1; i < chains; i++)
        sum += x[i];
    v_store(sink, sum);
    return 2.0 * V * chains * (double)steps;
}
