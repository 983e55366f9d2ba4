# SPDX-License-Identifier: BSD-3-Clause
"""Constants of the cost model, measured on one core of a Sapphire-Rapids-class CPU with SciPy's OpenBLAS 0.3.30."""

from libc.stdint cimport int64_t

cdef enum:
    CALL_NS = 600          # one sgemm call on a tiny matrix
    COPY_BYTES_PER_NS = 6  # lowering: reads and writes that leave the cache
    SCALAR_MFLOPS = 1300   # the plain loop with float64 sums


cdef inline double gemm_seconds(double m, double n, double k, size_t itemsize, int threads) noexcept nogil:
    """
    2*m*n*k / rate + call, where rate falls with each dimension that is short: OpenBLAS packs both operands anew.

    Half the rate is reached at m or n = 12 and k = 24.
    """
    cdef double rate = 110e9 * 4 / itemsize * threads
    return 2 * m * n * k / rate * (1 + 12 / m) * (1 + 12 / n) * (1 + 24 / k) + CALL_NS * 1e-9


cdef inline double copy_seconds(double elements, size_t itemsize) noexcept nogil:
    """Reading and writing so many elements once."""
    return 2 * elements * itemsize / (COPY_BYTES_PER_NS * 1e9)
