# SPDX-License-Identifier: BSD-3-Clause
"""
direct_simd: the direct form for few channels per group, where patches cost more than the sums (Zhang, Franchetti, Low 2018).

y[o][pixels] = sum over c, i, j of w[(c, i, j)][o] band[offset of (c, i, j) + pixel]

Pieces of the image are copied into a zero-padded band (include/pyconv/band.h) of all channels of the group; there every tap
is a shift, and no patch is ever built. Filters are broadcast, vectors run along output rows. In NHWC vectors run over the
filters of several groups (engines/depthwise/spread.pxd).
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.algorithms.depthwise cimport band_reason
from pyconv.engines.depthwise.planes cimport (
    clear_slack, cut_plane, passing_seconds, piece, pieces_t, share_filters, split_planes,
)
from pyconv.core.tasks cimport run_some
from pyconv.core.forms cimport add_form, begin_row
from pyconv.core.kernels cimport band_t, ceil_div, epilogue_t, split_start
from pyconv.engines.gemm.panels cimport pack_weights, packed_weights
from pyconv.engines.gemm.panels_cut cimport tile_rows
from pyconv.engines.depthwise.spread cimport add_spread_form
from pyconv.core.sizes cimport aligned, plus, times
from pyconv.core.tail cimport tail_flags, tail_of

cdef enum:
    MOST_CHANNELS = 16        # per group; with more, blocking K as implicit_gemm does is faster


cdef inline const char *direct_simd_supports(const problem_t *p) noexcept nogil:
    if p.icg > MOST_CHANNELS:
        return "it serves at most 16 input channels per group"
    if p.layout == PYCONV_NHWC and p.icg == 1 and p.ocg == 1:
        return "it serves no depthwise convolution in NHWC"
    return band_reason(p)


cdef inline bint _serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<pieces_t *>room(cut, sizeof(pieces_t)))[0] = cut_plane(p, p.icg)
    return True


cdef inline size_t _offset_bytes(const problem_t *p) noexcept nogil:
    return aligned(times(<size_t>p.k, sizeof(ptrdiff_t)))


cdef inline size_t direct_simd_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """The offsets of all taps, and a band per thread."""
    return plus(_offset_bytes(p), times((<const pieces_t *>cut).bytes, threads))


cdef inline size_t direct_simd_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    return packed_weights(p, True)


cdef inline void direct_simd_pack(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        pack_weights(p, <const float *>weight, True, False, <float *>packed)
    else:
        pack_weights(p, <const double *>weight, True, False, <double *>packed)


cdef inline double direct_simd_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """
    Multiply-adds and the stores; for each panel of filters 6 cycles and the loads that hide badly, those of a lone filter's
    single row of more than 16 taps not at all; 150 cycles per group and image, 4.5 for each vector of a band. Measured on
    a Sapphire-Rapids-class core.
    """
    cdef const pieces_t *s = <const pieces_t *>cut
    cdef int64_t lanes = p.ops.lanes
    cdef double fma = p.rates.fma
    cdef double vectors = <double>p.n * p.oh * ceil_div(p.ow, lanes)
    cdef double panels = <double>p.g * ceil_div(p.ocg, tile_rows(p))
    cdef double band = <double>p.n * p.ic * s.down * s.across * s.plane / lanes
    cdef double shown = 1.2 if p.ocg == 1 and p.kh == 1 and p.kw > 16 else 0.3
    cdef double cycles = vectors * (p.oc * (p.k / fma + 2) + panels * (shown * p.k + 6)) + 150.0 * p.n * p.g + 4.5 * band
    return passing_seconds(p, cycles, threads)


cdef inline void _tap_offsets(const problem_t *p, const pieces_t *s, ptrdiff_t *offsets) noexcept nogil:
    cdef int64_t c, i, j
    for c in range(p.icg):
        for i in range(p.kh):
            for j in range(p.kw):
                offsets[0] = c * s.plane + (i * p.dh * p.sw + j * p.dw % p.sw) * s.pitch + j * p.dw // p.sw
                offsets += 1


cdef inline void _panel(const task_t *t, const band_t *b, int64_t m, const real *band, const real *weight, int64_t o,
                        int64_t at) noexcept nogil:
    """m filters from number o on a band; `at` is the first output in y."""
    cdef const problem_t *p = t.p
    cdef const ptrdiff_t *offsets = <const ptrdiff_t *>t.workspace
    cdef epilogue_t e = tail_of(t, tail_flags(t, True), o, at)
    p.ops.direct(b, m, p.k, band, offsets, weight, <real *>t.y + at, p.yc, &e)


cdef inline void _group_piece(const task_t *t, const pieces_t *s, int64_t number, real *band) noexcept nogil:
    """Task `number` of n * g * pieces * parts: a part of the filters of a group on a piece of an image."""
    cdef const problem_t *p = t.p
    cdef int64_t pieces = s.down * s.across
    cdef int64_t part = number % s.parts
    cdef int64_t g = number // (s.parts * pieces) % p.g
    cdef int64_t image = number // (s.parts * pieces * p.g)
    cdef int64_t panels = ceil_div(p.ocg, tile_rows(p))
    cdef int64_t row, col, i, first, m
    cdef band_t b = piece(p, s, number // s.parts % pieces, &row, &col)
    split_planes(p, &b, p.icg, <const real *>t.x + image * p.xn + g * p.icg * p.xc, row, col, band, s.plane)
    clear_slack(&b, band + (p.icg - 1) * s.plane)
    for i in range(split_start(panels, s.parts, part), split_start(panels, s.parts, part + 1)):
        first = split_start(p.ocg, panels, i)
        m = split_start(p.ocg, panels, i + 1) - first
        first += g * p.ocg
        _panel(t, &b, m, band, <const real *>t.weight + first * p.k, first,
               image * p.yn + first * p.yc + row * p.yh + col)


cdef inline void _piece_step(const task_t *t, const void *cut, int64_t number, char *buffer) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        _group_piece(t, <const pieces_t *>cut, number, <float *>buffer)
    else:
        _group_piece(t, <const pieces_t *>cut, number, <double *>buffer)


cdef inline int direct_simd_run(task_t *t) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef pieces_t s = (<const pieces_t *>t.cut)[0]
    cdef int64_t tasks = share_filters(t, &s, ceil_div(p.ocg, tile_rows(p)))
    _tap_offsets(p, &s, <ptrdiff_t *>t.workspace)
    return run_some(t, _piece_step, &s, 0, tasks, 2.0 * p.n * p.yn * p.k / tasks, t.threads, t.workspace + _offset_bytes(p),
                    s.bytes)


cdef inline void direct_simd_row(algorithm_t *a) except *:
    begin_row(a, b"direct_simd", b"Zhang, Franchetti, Low 2018")
    a.planes = True
    a.supports = direct_simd_supports
    add_spread_form(a)
    cdef form_t *f = add_form(a, direct_simd_seconds, direct_simd_run)
    f.strided = True
    f.serves = _serves
    f.workspace = direct_simd_workspace
    f.packed, f.pack = direct_simd_packed, direct_simd_pack
