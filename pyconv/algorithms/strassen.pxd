# SPDX-License-Identifier: BSD-3-Clause
"""
strassen: im2col with its products by Strassen's recursion (Strassen 1969, Winograd's form) over BLAS.

A product of n x n matrices in 7 of half the size instead of 8, level by level; engines/strassen.pxd has the formulas.
Sums of rows and columns mix pixels from all over the image, so a NaN reaches wherever it likes in its image and group.
"""

from libc.stdint cimport int64_t

from pyconv.core.types cimport *
from pyconv.algorithms.im2col cimport im2col_supports, lower_columns, patches_bytes, patches_traffic
from pyconv.core.forms cimport add_form, begin_row
from pyconv.core.rows cimport moving_seconds
from pyconv.core.sizes cimport aligned, plus, times
from pyconv.engines.strassen cimport *
from pyconv.core.tail cimport finish_image


ctypedef struct strassen_t:
    size_t patches            # bytes of im2col's, 0 where the image is read as it is
    int depth                 # of the recursion


cdef inline size_t _temporaries(const problem_t *p, int depth) noexcept nogil:
    """Elements; y is filters by pixels in NCHW, pixels by filters in NHWC."""
    cdef int64_t pixels = p.oh * p.ow
    if p.layout == PYCONV_NCHW:
        return recursion_elements(p.ocg, pixels, p.k, depth)
    return recursion_elements(pixels, p.ocg, p.k, depth)


cdef inline int _depth(const problem_t *p) noexcept nogil:
    return recursion_depth(p.ocg, p.oh * p.ow, p.k)


cdef inline const char *strassen_supports(const problem_t *p) noexcept nogil:
    if _depth(p) == 0:
        return "its matrices have a side of 1, so no quadrants"
    return im2col_supports(p)


cdef inline bint _serves(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    (<strassen_t *>room(cut, sizeof(strassen_t)))[0] = strassen_t(patches_bytes(p), _depth(p))
    return True


cdef inline size_t strassen_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    """The patches of im2col, and the temporaries of the recursion."""
    cdef const strassen_t *s = <const strassen_t *>cut
    return plus(aligned(s.patches), times(_temporaries(p, s.depth), p.itemsize))


cdef inline double strassen_multiplications(const problem_t *p, const cut_t *cut) noexcept nogil:
    """7/8 of the direct ones for each level, but for odd rows and columns."""
    return <double>p.n * p.g * recursion_multiplications(p.ocg, p.oh * p.ow, p.k, (<const strassen_t *>cut).depth)


cdef inline double strassen_traffic(const problem_t *p, const cut_t *cut) noexcept nogil:
    """im2col's, and the temporaries of the first level, written and read seven times."""
    return (patches_traffic(p, (<const strassen_t *>cut).patches)
            + 14.0 * p.n * p.g * _temporaries(p, 1) * p.itemsize)


cdef inline double strassen_seconds(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    cdef const strassen_t *s = <const strassen_t *>cut
    cdef double lowering = moving_seconds(p, <double>p.k * p.oh, <double>p.k * p.oh * p.ow, p.layout == PYCONV_NHWC,
                                          s.patches, threads)
    return p.n * p.g * (lowering + recursion_seconds(&p.rates, p.ocg, p.oh * p.ow, p.k, s.depth, p.itemsize, threads))


cdef inline double strassen_bound(const problem_t *p, const cut_t *cut) noexcept nogil:
    return recursion_bound(p.k, (<const strassen_t *>cut).depth)


cdef inline int _strassen_run(task_t *t, const real *weight) noexcept nogil:
    cdef const problem_t *p = t.p
    cdef int64_t pixels = p.oh * p.ow
    cdef int64_t image, g
    cdef size_t lowered = (<const strassen_t *>t.cut).patches
    cdef int depth = (<const strassen_t *>t.cut).depth
    cdef real *work = <real *>(t.workspace + aligned(lowered))
    cdef const real *x
    cdef const real *w
    cdef const real *col
    cdef real *y
    cdef bint stopped
    for image in range(p.n):
        for g in range(p.g):
            x = <const real *>t.x + image * p.xn + g * p.icg * p.xc
            y = <real *>t.y + image * p.yn + g * p.ocg * p.yc
            w = weight + g * p.ocg * p.k
            col = <const real *>t.workspace if lowered else x
            if lowered and lower_columns(t, x):
                return PYCONV_STATUS_INTERRUPTED
            if p.layout == PYCONV_NCHW:
                stopped = strassen(t, depth, False, False, p.ocg, pixels, p.k, w, p.k, col, pixels, y, pixels, work)
            else:
                stopped = strassen(t, depth, True, True, pixels, p.ocg, p.k, col, pixels, w, p.k, y, p.oc, work)
            if stopped:
                return PYCONV_STATUS_INTERRUPTED
        finish_image(t, image)
    return PYCONV_STATUS_OK


cdef inline int strassen_run(task_t *t) noexcept nogil:
    if t.p.dtype == PYCONV_F32:
        return _strassen_run(t, <const float *>t.weight)
    return _strassen_run(t, <const double *>t.weight)


cdef inline void strassen_row(algorithm_t *a) except *:
    begin_row(a, b"strassen", b"Strassen 1969")
    a.accuracy, a.nan_reach = PYCONV_FAST, PYCONV_IMAGE
    a.supports = strassen_supports
    cdef form_t *f = add_form(a, strassen_seconds, strassen_run)
    f.serves = _serves
    f.workspace = strassen_workspace
    f.multiplications, f.traffic, f.bound = strassen_multiplications, strassen_traffic, strassen_bound
