# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise: each output channel reads one input channel (Sifre 2014).

NCHW: vectors run along the rows of planes (engines/depthwise/nchw.pxd); small planes are rather turned channels-last
(engines/depthwise/turned.pxd). NHWC: vectors run over channels (engines/depthwise/nhwc.pxd); with several filters per
channel, inputs are spread over them first (engines/depthwise/spread.pxd).
"""

from pyconv.core.types cimport *
from pyconv.core.sizes cimport times
from pyconv.core.weights cimport weight_bytes
from pyconv.engines.depthwise.nchw cimport cut_planes, planes_cycles, run_planes
from pyconv.engines.depthwise.nhwc cimport channel_block, pack_channels, pixels_seconds, run_pixels
from pyconv.engines.depthwise.planes cimport cut_plane, passing_seconds
from pyconv.engines.depthwise.spread cimport cut_rectangles, pack_spread, run_spread, spread_seconds
from pyconv.engines.depthwise.turned cimport BLOCK, cut_strips, run_turned, turned_cycles

cdef enum:
    LARGEST_BAND = 1 << 20    # bytes per thread


cdef inline bint _turns(const problem_t *p) noexcept nogil:
    """Whether planes are turned channels-last."""
    return p.layout == PYCONV_NCHW and p.ocg == 1 and turned_cycles(p) < planes_cycles(p)


cdef inline const char *depthwise_supports(const problem_t *p) noexcept nogil:
    if p.icg != 1:
        return "it serves one input channel per group only"
    if p.layout == PYCONV_NHWC and p.ocg == 1:
        return NULL
    if (cut_rectangles(p).bytes if p.layout == PYCONV_NHWC else cut_plane(p, 1).bytes) > LARGEST_BAND:
        return "the kernel reaches over more pixels than a band of 1 MB holds"
    return NULL


cdef inline size_t depthwise_workspace(const problem_t *p, int threads) noexcept nogil:
    """One band or strip per thread in NCHW, in NHWC none, or a rectangle where a channel has several filters."""
    if p.layout == PYCONV_NHWC:
        return times(cut_rectangles(p).bytes, threads) if p.ocg > 1 else 0
    if _turns(p):
        return times(cut_strips(p).bytes, threads)
    return times(cut_planes(p).bytes, threads)


cdef inline size_t depthwise_packed(const problem_t *p) noexcept nogil:
    return weight_bytes(p) if p.layout == PYCONV_NHWC or _turns(p) else 0


cdef inline void _pack(const problem_t *p, const real *weight, real *packed) noexcept nogil:
    if p.ocg > 1:
        pack_spread(p, weight, packed)
    else:
        pack_channels(p, BLOCK if p.layout == PYCONV_NCHW else channel_block(p), weight, packed)


cdef inline void depthwise_pack(const problem_t *p, const void *weight, void *packed) noexcept nogil:
    if p.dtype == PYCONV_F32:
        _pack(p, <const float *>weight, <float *>packed)
    else:
        _pack(p, <const double *>weight, <double *>packed)


cdef inline double depthwise_seconds(const problem_t *p, int threads) noexcept nogil:
    if p.layout == PYCONV_NHWC:
        return spread_seconds(p, threads) if p.ocg > 1 else pixels_seconds(p, threads)
    return passing_seconds(p, p.n * p.ic * (turned_cycles(p) if _turns(p) else planes_cycles(p)), threads)


cdef inline int _depthwise(task_t *t, const real *tag) noexcept nogil:
    if t.p.layout == PYCONV_NHWC:
        return run_spread(t, tag) if t.p.ocg > 1 else run_pixels(t, tag)
    if _turns(t.p):
        return run_turned(t, tag)
    return run_planes(t, tag)


cdef inline int depthwise_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _depthwise(t, <const float *>NULL)
    return _depthwise(t, <const double *>NULL)
