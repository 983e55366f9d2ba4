# SPDX-License-Identifier: BSD-3-Clause
"""The structs that problem, algorithm and plan hand to each other. Sizes and strides are int64, in elements."""

from libc.stdint cimport int64_t

from pyconv._abi cimport *
from pyconv.core.rates cimport rates_t
from pyconv.core.kernels cimport kernels_t

ctypedef fused real:
    float
    double

# In the debug build alone: what the layer above has promised.
cdef extern from "assert.h" nogil:
    void promised "assert"(bint condition)

# A validated convolution: the descriptor, then what follows from it.
ctypedef struct problem_t:
    int dtype, layout, padding_mode
    int64_t n, g, ic, ih, iw, oc, icg, kh, kw, sh, sw, dh, dw, ph0, ph1, pw0, pw1
    double lo, hi
    int64_t oh, ow, ocg
    int64_t k                 # length of one sum: icg*kh*kw
    size_t itemsize           # bytes
    int64_t xn, xc, xh, xw    # strides of x
    int64_t yn, yc, yh, yw    # strides of y
    const kernels_t *kernels  # of the instruction set in use when the problem was made
    rates_t rates             # and what it does in a second

# One run. Pointers are to elements of the problem's dtype (float32 for float16 unless in_place); bias and residual may be NULL.
ctypedef struct task_t:
    const problem_t *p
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

# A row of the ordered table. `packed` 0 bytes with pack NULL: the OIHW weights are read as they are.
ctypedef struct algorithm_t:
    const char *name
    const char *source
    int accuracy
    int nan_reach
    bint in_place             # serves every padding mode and float16 without a copy of the image
    const char *(*supports)(const problem_t *p) noexcept nogil    # NULL, or the reason why not
    size_t (*workspace)(const problem_t *p, int threads) noexcept nogil
    size_t (*packed)(const problem_t *p) noexcept nogil
    void (*pack)(const problem_t *p, const void *weight, void *packed) noexcept nogil
    int (*run)(task_t *t) noexcept nogil
    double (*multiplications)(const problem_t *p) noexcept nogil
    double (*traffic)(const problem_t *p) noexcept nogil          # bytes read and written beyond a core's cache
    double (*seconds)(const problem_t *p, int threads) noexcept nogil
    double (*bound)(const problem_t *p) noexcept nogil            # of the error, see core/accuracy.pxd; of what it serves
