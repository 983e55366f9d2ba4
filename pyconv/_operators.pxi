# SPDX-License-Identifier: BSD-3-Clause
# The part of the extension that operators other than conv2d call; arrays come checked.

from pyconv._op_transpose cimport copy_strided, copy_t
from pyconv._threads cimport note_parallel


def copy_array(cnp.ndarray src, cnp.ndarray dst, int threads):
    """dst[...] = src for two arrays of 5 dimensions, one dtype, and strides that are multiples of its size."""
    cdef copy_t c
    cdef int i
    cdef Py_ssize_t size = cnp.PyArray_ITEMSIZE(src)
    cdef const void *a = cnp.PyArray_DATA(src)
    cdef void *b = cnp.PyArray_DATA(dst)
    for i in range(5):
        c.shape[i] = cnp.PyArray_DIM(src, i)
        c.from_[i] = cnp.PyArray_STRIDE(src, i) // size
        c.to[i] = cnp.PyArray_STRIDE(dst, i) // size
    with nogil:
        threads = min(threads, available_threads())
        note_parallel(threads)
        if size == 2:
            copy_strided(&c, <const uint16_t *>a, <uint16_t *>b, threads)
        elif size == 4:
            copy_strided(&c, <const uint32_t *>a, <uint32_t *>b, threads)
        else:
            copy_strided(&c, <const uint64_t *>a, <uint64_t *>b, threads)
