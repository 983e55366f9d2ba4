# SPDX-License-Identifier: BSD-3-Clause
"""The ordered table of algorithms, what each needs, whether it may serve, and the choice: a pure function."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport class_bound, strict_bound
from pyconv.core.problem cimport direct_multiplications, direct_traffic, is_empty, padded_problem
from pyconv.core.rates cimport pack_seconds, stream_seconds
from pyconv.core.sizes cimport TOO_LARGE, aligned, plus, times
from pyconv.core.weights cimport weight_bytes
from pyconv.algorithms.direct cimport *
from pyconv.algorithms.im2col cimport *
from pyconv.algorithms.im2row cimport *
from pyconv.algorithms.mec cimport *
from pyconv.algorithms.implicit_gemm cimport *
from pyconv.algorithms.pointwise cimport *
from pyconv.algorithms.depthwise cimport *
from pyconv.algorithms.direct_simd cimport *
from pyconv.algorithms.winograd_f2k3 cimport *
from pyconv.algorithms.winograd_f4k3 cimport *
from pyconv.algorithms.winograd_f6k3 cimport *
from pyconv.algorithms.winograd_f2k2 cimport *
from pyconv.algorithms.winograd_f3k2 cimport *
from pyconv.algorithms.winograd_f3k4 cimport *
from pyconv.algorithms.winograd_f2k5 cimport *
from pyconv.algorithms.winograd_f2k7 cimport *
from pyconv.algorithms.kn2row cimport *
from pyconv.algorithms.kn2col cimport *
from pyconv.algorithms.kn2row_acc cimport *
from pyconv.algorithms.fft cimport *
from pyconv.algorithms.strassen cimport *

cdef enum:
    ALGORITHMS = 21


cdef inline void fill_table(algorithm_t *table) noexcept:
    """One line an algorithm; the order is that of preference between equals."""
    table[0] = algorithm_t(
        b"direct", b"the definition", PYCONV_STRICT, PYCONV_WINDOW, True, direct_supports, direct_workspace,
        direct_packed, NULL, direct_run, direct_multiplications, direct_traffic, direct_seconds, strict_bound)
    table[1] = algorithm_t(
        b"im2col", b"Chellapilla, Puri, Simard 2006", PYCONV_STRICT, PYCONV_WINDOW, False, im2col_supports, im2col_workspace,
        im2col_packed, NULL, im2col_run, direct_multiplications, im2col_traffic, im2col_seconds, strict_bound)
    table[2] = algorithm_t(
        b"im2row", b"Chellapilla, Puri, Simard 2006", PYCONV_STRICT, PYCONV_WINDOW, False, im2row_supports, im2row_workspace,
        im2row_packed, im2row_pack, im2row_run, direct_multiplications, im2row_traffic, im2row_seconds, strict_bound)
    table[3] = algorithm_t(
        b"mec", b"Cho, Brand 2017", PYCONV_STRICT, PYCONV_WINDOW, False, mec_supports, mec_workspace,
        mec_packed, mec_pack, mec_run, direct_multiplications, mec_traffic, mec_seconds, strict_bound)
    table[4] = algorithm_t(
        b"implicit_gemm", b"Chetlur et al. 2014", PYCONV_STRICT, PYCONV_WINDOW, False, implicit_gemm_supports,
        implicit_gemm_workspace, implicit_gemm_packed, implicit_gemm_pack, implicit_gemm_run, direct_multiplications,
        direct_traffic, implicit_gemm_seconds, strict_bound)
    table[5] = algorithm_t(
        b"pointwise", b"Goto, van de Geijn 2008", PYCONV_STRICT, PYCONV_WINDOW, False, pointwise_supports,
        pointwise_workspace, pointwise_packed, pointwise_pack, pointwise_run, direct_multiplications, direct_traffic,
        pointwise_seconds, strict_bound)
    table[6] = algorithm_t(
        b"depthwise", b"Sifre 2014", PYCONV_STRICT, PYCONV_WINDOW, False, depthwise_supports, depthwise_workspace,
        depthwise_packed, depthwise_pack, depthwise_run, direct_multiplications, direct_traffic,
        depthwise_seconds, strict_bound)
    table[7] = algorithm_t(
        b"direct_simd", b"Zhang, Franchetti, Low 2018", PYCONV_STRICT, PYCONV_WINDOW, False, direct_simd_supports,
        direct_simd_workspace, direct_simd_packed, direct_simd_pack, direct_simd_run, direct_multiplications,
        direct_traffic, direct_simd_seconds, strict_bound)
    table[8] = algorithm_t(
        b"winograd_f2k3", b"Lavin, Gray 2016", PYCONV_STANDARD, PYCONV_TILE, False, winograd_f2k3_supports,
        winograd_f2k3_workspace, winograd_f2k3_packed, winograd_f2k3_pack, winograd_f2k3_run, winograd_f2k3_multiplications,
        winograd_f2k3_traffic, winograd_f2k3_seconds, winograd_f2k3_bound)
    table[9] = algorithm_t(
        b"winograd_f4k3", b"Lavin, Gray 2016", PYCONV_STANDARD, PYCONV_TILE, False, winograd_f4k3_supports,
        winograd_f4k3_workspace, winograd_f4k3_packed, winograd_f4k3_pack, winograd_f4k3_run, winograd_f4k3_multiplications,
        winograd_f4k3_traffic, winograd_f4k3_seconds, winograd_f4k3_bound)
    table[10] = algorithm_t(
        b"winograd_f6k3", b"Lavin, Gray 2016", PYCONV_FAST, PYCONV_TILE, False, winograd_f6k3_supports,
        winograd_f6k3_workspace, winograd_f6k3_packed, winograd_f6k3_pack, winograd_f6k3_run, winograd_f6k3_multiplications,
        winograd_f6k3_traffic, winograd_f6k3_seconds, winograd_f6k3_bound)
    table[11] = algorithm_t(
        b"kn2row", b"Vasudevan, Anderson, Gregg 2017", PYCONV_STRICT, PYCONV_WINDOW, False, kn2row_supports, kn2row_workspace,
        kn2row_packed, kn2row_pack, kn2row_run, kn2row_multiplications, kn2row_traffic, kn2row_seconds, strict_bound)
    table[12] = algorithm_t(
        b"kn2col", b"Vasudevan, Anderson, Gregg 2017", PYCONV_STRICT, PYCONV_WINDOW, False, kn2col_supports, kn2col_workspace,
        kn2col_packed, kn2col_pack, kn2col_run, kn2col_multiplications, kn2col_traffic, kn2col_seconds, strict_bound)
    table[13] = algorithm_t(
        b"kn2row_acc", b"Anderson et al. 2017", PYCONV_STRICT, PYCONV_WINDOW, False, kn2row_acc_supports, kn2row_acc_workspace,
        kn2row_acc_packed, kn2row_acc_pack, kn2row_acc_run, kn2row_acc_multiplications, direct_traffic,
        kn2row_acc_seconds, strict_bound)
    table[14] = algorithm_t(
        b"winograd_f2k2", b"Lavin, Gray 2016", PYCONV_STANDARD, PYCONV_TILE, False, winograd_f2k2_supports,
        winograd_f2k2_workspace, winograd_f2k2_packed, winograd_f2k2_pack, winograd_f2k2_run, winograd_f2k2_multiplications,
        winograd_f2k2_traffic, winograd_f2k2_seconds, winograd_f2k2_bound)
    table[15] = algorithm_t(
        b"winograd_f3k2", b"Lavin, Gray 2016", PYCONV_STANDARD, PYCONV_TILE, False, winograd_f3k2_supports,
        winograd_f3k2_workspace, winograd_f3k2_packed, winograd_f3k2_pack, winograd_f3k2_run, winograd_f3k2_multiplications,
        winograd_f3k2_traffic, winograd_f3k2_seconds, winograd_f3k2_bound)
    table[16] = algorithm_t(
        b"winograd_f3k4", b"Lavin, Gray 2016", PYCONV_STANDARD, PYCONV_TILE, False, winograd_f3k4_supports,
        winograd_f3k4_workspace, winograd_f3k4_packed, winograd_f3k4_pack, winograd_f3k4_run, winograd_f3k4_multiplications,
        winograd_f3k4_traffic, winograd_f3k4_seconds, winograd_f3k4_bound)
    table[17] = algorithm_t(
        b"winograd_f2k5", b"Lavin, Gray 2016", PYCONV_STANDARD, PYCONV_TILE, False, winograd_f2k5_supports,
        winograd_f2k5_workspace, winograd_f2k5_packed, winograd_f2k5_pack, winograd_f2k5_run, winograd_f2k5_multiplications,
        winograd_f2k5_traffic, winograd_f2k5_seconds, winograd_f2k5_bound)
    table[18] = algorithm_t(
        b"winograd_f2k7", b"Lavin, Gray 2016", PYCONV_STANDARD, PYCONV_TILE, False, winograd_f2k7_supports,
        winograd_f2k7_workspace, winograd_f2k7_packed, winograd_f2k7_pack, winograd_f2k7_run, winograd_f2k7_multiplications,
        winograd_f2k7_traffic, winograd_f2k7_seconds, winograd_f2k7_bound)
    table[19] = algorithm_t(
        b"fft", b"Mathieu, Henaff, LeCun 2014", PYCONV_STANDARD, PYCONV_IMAGE, False, fft_supports, fft_workspace,
        fft_packed, fft_pack, fft_run, fft_multiplications, fft_traffic, fft_seconds, fft_bound)
    table[20] = algorithm_t(
        b"strassen", b"Strassen 1969", PYCONV_FAST, PYCONV_IMAGE, False, strassen_supports, strassen_workspace,
        strassen_packed, NULL, strassen_run, strassen_multiplications, strassen_traffic, strassen_seconds, strassen_bound)


# What one algorithm would need for one problem.
ctypedef struct needs_t:
    int status                # OK, or why it may not serve
    const char *reason        # of UNSUPPORTED
    problem_t inner           # what the algorithm sees: float32 for float16, a padded image where it knows zeros only
    size_t converted          # bytes of x, y and residual in float32, each; 0 unless converted
    size_t converted_y
    size_t padded             # bytes of the padded image; 0 unless padded
    size_t workspace          # bytes, all of the above included; 0 where UNSUPPORTED
    size_t packed             # bytes of weights the plan owns; likewise
    bint borrows              # reads the caller's weights in place


cdef inline needs_t needs(const algorithm_t *a, const problem_t *p, const pyconv_conv2d_t *d, int threads,
                          bint borrow) noexcept nogil:
    """
    borrow: whether weights that need no packing may stay the caller's. A plan that outlives the call owns a copy, if
    max_workspace has room for one.
    """
    cdef needs_t need
    cdef bint raw
    cdef size_t budget = <size_t>d.max_workspace if d.max_workspace >= 0 else TOO_LARGE - 1
    need.inner = p[0]
    need.converted = need.converted_y = need.padded = 0
    if is_empty(p) and a.run != direct_run:
        need.workspace = need.packed = 0
        need.borrows = False
        need.reason = "x without channels and weight without filters are served by direct alone"
        need.status = PYCONV_STATUS_UNSUPPORTED
        return need
    if p.dtype == PYCONV_F16 and not a.in_place:
        need.inner.dtype = PYCONV_F32
        need.inner.itemsize = 4
        need.converted = aligned(<size_t>(p.n * p.xn) * 4)
        need.converted_y = aligned(<size_t>(p.n * p.yn) * 4)
    if p.padding_mode != PYCONV_ZEROS and not a.in_place:
        need.inner = padded_problem(&need.inner)
        need.padded = aligned(times(<size_t>(need.inner.n * need.inner.xn), need.inner.itemsize))
    need.reason = a.supports(&need.inner)
    if need.reason != NULL:
        need.status = PYCONV_STATUS_UNSUPPORTED
        need.workspace = need.packed = 0
        need.borrows = False
        return need
    need.workspace = plus(plus(need.converted, times(2, need.converted_y)),
                          plus(need.padded, a.workspace(&need.inner, threads)))
    need.packed = a.packed(&need.inner)
    raw = need.packed == 0
    if raw:
        need.packed = weight_bytes(&need.inner)
    need.borrows = raw and need.inner.dtype == p.dtype and (
        borrow or need.packed == 0 or plus(need.workspace, need.packed) > budget)
    if need.borrows:
        need.packed = 0
    if a.accuracy > d.accuracy:
        need.status = PYCONV_STATUS_UNDER_ACCURACY
    elif a.accuracy > PYCONV_STRICT and a.bound(&need.inner) > class_bound(&need.inner, a.accuracy):
        need.status = PYCONV_STATUS_UNSUPPORTED
        need.reason = "the bound of its error is above that of its class"
    elif plus(need.workspace, need.packed) > budget:
        need.status = PYCONV_STATUS_OVER_BUDGET
    else:
        need.status = PYCONV_STATUS_OK
    return need


cdef inline double traffic(const algorithm_t *a, const problem_t *p, const needs_t *need) noexcept nogil:
    """Bytes read and written beyond a core's cache, those of copies in another type or with another border included."""
    cdef double copies = 2.0 * need.padded
    if need.converted > 0:
        copies += need.converted + need.converted_y + (<double>p.n * (p.xn + p.yn)) * p.itemsize
    return a.traffic(&need.inner) + copies


cdef inline double seconds(const algorithm_t *a, const problem_t *p, const needs_t *need, int threads) noexcept nogil:
    """The prediction, with those copies and a microsecond to call a plan."""
    cdef double copies = traffic(a, p, need) - a.traffic(&need.inner)
    return a.seconds(&need.inner, threads) + stream_seconds(&p.rates, copies) / threads + 1e-6


cdef inline int choose(const algorithm_t *table, const problem_t *p, const pyconv_conv2d_t *d, int threads,
                       bint borrow) noexcept nogil:
    """
    The eligible algorithm with the least predicted time; `direct` (0) serves everything in no memory.

    borrow: for one call, which pays for packing the weights, too.
    """
    cdef int i
    cdef int best = 0
    cdef needs_t need
    cdef double trial
    cdef double least = INFINITY
    for i in range(ALGORITHMS):
        need = needs(&table[i], p, d, threads, borrow)
        if need.status == PYCONV_STATUS_OK:
            trial = seconds(&table[i], p, &need, threads)
            if borrow:
                trial += pack_seconds(&p.rates, need.packed)
            if trial < least:
                least = trial
                best = i
    return best
