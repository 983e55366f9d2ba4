# SPDX-License-Identifier: BSD-3-Clause
"""
depthwise: each output channel reads one input channel (Sifre 2014).

NHWC: vectors run over channels (engines/depthwise/nhwc.pxd), and along the rows if channels are few
(engines/depthwise/interleaved.pxd); with several filters per channel, inputs are spread over them
first (engines/depthwise/spread.pxd). NCHW: vectors run along the rows of planes (engines/depthwise/nchw.pxd); small planes
are rather turned channels-last (engines/depthwise/turned.pxd).
"""

from pyconv.core.types cimport *
from pyconv.core.forms cimport begin_row
from pyconv.engines.depthwise.interleaved cimport add_interleaved_form
from pyconv.engines.depthwise.nchw cimport add_planes_form
from pyconv.engines.depthwise.nhwc cimport add_pixels_form
from pyconv.engines.depthwise.planes cimport cut_plane
from pyconv.engines.depthwise.spread cimport add_spread_form
from pyconv.engines.depthwise.spread_cut cimport cut_rectangles
from pyconv.engines.depthwise.turned cimport add_turned_form

cdef enum:
    LARGEST_BAND = 1 << 20    # bytes per thread


cdef inline const char *band_reason(const problem_t *p) noexcept nogil:
    """Of those that copy all channels of a group at once: NULL, or that these are too many bytes."""
    if (cut_rectangles(p).bytes if p.layout == PYCONV_NHWC else cut_plane(p, p.icg).bytes) > LARGEST_BAND:
        return "the kernel reaches over more pixels than a band of 1 MB holds"
    return NULL


cdef inline const char *depthwise_supports(const problem_t *p) noexcept nogil:
    if p.icg != 1:
        return "it serves one input channel per group only"
    if p.layout == PYCONV_NHWC and p.ocg == 1:
        return NULL
    return band_reason(p)


cdef inline void depthwise_row(algorithm_t *a) except *:
    begin_row(a, b"depthwise", b"Sifre 2014")
    a.planes = True
    a.supports = depthwise_supports
    add_interleaved_form(a)
    add_pixels_form(a)
    add_spread_form(a)
    add_turned_form(a)
    add_planes_form(a)
