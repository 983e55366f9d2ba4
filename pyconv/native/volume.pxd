# SPDX-License-Identifier: BSD-3-Clause
"""A convolution of volumes as its kernels see it: three axes, strides, and which slice stands where."""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *

cdef enum:
    NUMBERS = 19

# Axes are slices, rows, columns; `before` is what padding there is before the first.
ctypedef struct axes_t:
    int64_t n
    int64_t[3] size, kernel, outputs, stride, dilation, before

ctypedef struct volume_t:
    axes_t a
    int64_t xn, xc            # strides of x and y, in elements
    int64_t[3] xs
    int64_t yn, yc
    int64_t[3] ys


cdef inline void set_volume_strides(volume_t *v, const problem_t *p) noexcept nogil:
    """As the problem's layout has it."""
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef int axis
    v.xn = 1 if planes else p.ic
    v.yn = 1 if planes else p.oc
    for axis in range(2, -1, -1):
        v.xs[axis], v.ys[axis] = v.xn, v.yn
        v.xn *= v.a.size[axis]
        v.yn *= v.a.outputs[axis]
    v.xc = v.yc = 1
    if planes:
        v.xc, v.yc = v.xn, v.yn
        v.xn *= p.ic
        v.yn *= p.oc
