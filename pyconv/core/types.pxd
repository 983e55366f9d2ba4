# SPDX-License-Identifier: BSD-3-Clause
"""The structs that problem, algorithm and plan hand to each other. Sizes and strides are int64, in elements."""

from libc.stdint cimport int64_t

from pyconv._abi cimport *
from pyconv.core.rates cimport rates_t
from pyconv.core.kernels cimport kernels_t, ops_t

ctypedef fused real:
    float
    double

# In the debug build alone: what the layer above has promised.
cdef extern from "assert.h" nogil:
    void promised "assert"(bint condition)

# A validated convolution: the descriptor, then what follows from it.
ctypedef struct problem_t:
    int dtype, layout, padding_mode       # dtype: float32 or float64, computed in
    int x_dtype, y_dtype, w_dtype         # in memory: of x, of y and residual, of weight and bias
    double border                         # around the image where it is constant
    bint slack                            # BAND_SLACK elements behind x may be read, and are 0
    int64_t n, g, ic, ih, iw, oc, icg, kh, kw, sh, sw, dh, dw, ph0, ph1, pw0, pw1
    double lo, hi
    int m, r                  # of Winograd's F(m, r), from the algorithm's row; else 0
    int64_t oh, ow, ocg
    int64_t k                 # length of one sum: icg*kh*kw
    size_t itemsize           # bytes of dtype
    int64_t xn, xc, xh, xw    # strides of x
    int64_t yn, yc, yh, yw    # strides of y
    const kernels_t *kernels  # of the instruction set in use when the problem was made
    const ops_t *ops          # those of the element type that it is computed in
    rates_t rates             # and what it does in a second

cdef enum:
    CUT_BYTES = 384

# The numbers by which a form cuts a problem into tasks: a struct of its own, of which room() asserts that it fits.
ctypedef union cut_t:
    double aligned
    char bytes[CUT_BYTES]

cdef extern from "core/types.h":
    void *room "PYCONV_ROOM"(cut_t *cut, size_t size) nogil

# One run. Pointers are to elements of dtype, unless the algorithm is in_place; bias and residual may be NULL.
ctypedef struct task_t:
    const problem_t *p
    const cut_t *cut
    const void *weight        # as the algorithm packed it
    const void *bias          # (oc,)
    const void *residual      # as y
    const void *x
    void *y
    char *workspace
    int slots                 # threads that the workspace was sized for; threads <= slots
    int threads
    bint (*interrupted)() noexcept nogil   # NULL, or asked between blocks
    double work                            # flops since it was last asked

# One way of an algorithm to serve: what a problem needs of it, and the run. Of what it serves all the rest is asked, with
# its cut.
ctypedef struct form_t:
    bint strided              # outputs go where yc, yh and yw say; else they are contiguous
    bint (*serves)(const problem_t *p, int threads, cut_t *cut) noexcept nogil     # and if so, the cut is made
    size_t (*workspace)(const problem_t *p, const cut_t *cut, int threads) noexcept nogil
    size_t (*packed)(const problem_t *p, const cut_t *cut) noexcept nogil          # 0: OIHW weights are read as they are
    void (*pack)(const problem_t *p, const cut_t *cut, const void *weight, void *packed) noexcept nogil
    int (*run)(task_t *t) noexcept nogil
    double (*multiplications)(const problem_t *p, const cut_t *cut) noexcept nogil
    double (*traffic)(const problem_t *p, const cut_t *cut) noexcept nogil         # bytes beyond a core's cache
    double (*seconds)(const problem_t *p, const cut_t *cut, int threads) noexcept nogil
    double (*bound)(const problem_t *p, const cut_t *cut) noexcept nogil           # of the error, see core/accuracy.pxd

cdef enum:
    MOST_FORMS = 5

# A row of the ordered table. The first form that serves is taken; the last one does, whatever `supports` lets pass.
ctypedef struct algorithm_t:
    const char *name
    const char *source
    int accuracy
    int nan_reach
    bint in_place             # serves every border, all element types and no channels as they are
    bint planes               # channels-last images of few channels may be made planes for it
    int m, r                  # of Winograd's F(m, r), else 0
    const char *(*supports)(const problem_t *p) noexcept nogil    # NULL, or the reason why not
    int form_count
    form_t forms[MOST_FORMS]
