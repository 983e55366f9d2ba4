# SPDX-License-Identifier: BSD-3-Clause
# Loops for `calibrate` and the benchmarks to time.

from cython.parallel cimport prange

from pyconv.core.blas cimport blas_enter, blas_leave, gemm
from pyconv.core.threads cimport run_threads

cdef extern from "extension/interpreter.h":
    uintptr_t add_in_turn "pyconv_add_in_turn"(uintptr_t x) noexcept nogil


def multiply_add(Py_ssize_t steps):
    """
    Multiply and add in registers alone, the most that a core of this machine can do; for benchmarks to time.

    Parameters
    ----------
    steps : int
        Length of the loop.

    Returns
    -------
    float
        Floating-point operations done, in float32. The GIL is released meanwhile.
    """
    cdef float sink[64]
    cdef double flops
    with nogil:
        flops = kernels_in_use().f32.fma_peak(steps, sink)
    return flops


def multiply_matrices(int size, Py_ssize_t calls):
    """
    Call BLAS for float32 matrices of size x size; for `calibrate` to time.

    Returns
    -------
    float
        Floating-point operations done. The GIL is released meanwhile.
    """
    cdef float[:, ::1] a = np.ones((3, <Py_ssize_t>size * size), np.float32)
    cdef Py_ssize_t _i
    with nogil:
        for _i in range(calls):
            blas_enter()
            gemm(False, False, size, size, size, &a[0, 0], size, &a[1, 0], size, 0, &a[2, 0], size)
            blas_leave()
    return 2.0 * size * size * size * calls


def spin(Py_ssize_t steps):
    """
    A chain of additions of 64-bit integers; for `calibrate` to time.

    Returns
    -------
    float
        Cycles that it takes on a core which adds in one.
    """
    cdef Py_ssize_t _i
    cdef uintptr_t x = 1
    with nogil:
        for _i in range(steps):
            x = add_in_turn(x)
    return 16.0 * steps


def run_loops(int threads, Py_ssize_t loops):
    """Start and join so many threads, again and again; for `calibrate` to time."""
    cdef Py_ssize_t _i
    cdef int thread
    with nogil:
        threads = run_threads(threads, False)
        for _i in range(loops):
            for thread in prange(threads, num_threads=threads, schedule="static"):
                add_in_turn(thread)
