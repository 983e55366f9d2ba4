# SPDX-License-Identifier: BSD-3-Clause
"""
What one core of this machine does in a second: the constants of the cost model.

seconds = vector steps / (fma * clock) + cycles / clock + bytes / bandwidth + calls * call_seconds

Measured by `python -m pyconv calibrate`; shipped_rates() otherwise.
"""


from pyconv.core.machine cimport cache_bytes, last_cache_bytes

cdef enum:
    MAPPED = 32 << 20         # bytes; larger blocks glibc always takes from the system
    SHARE = 64 << 20          # bytes of a server's last cache that one core could count on; 75 MB came at memory's rate

cdef extern from "core/rates.h":
    ctypedef struct rates_t "pyconv_rates_t":
        double clock, fma, l2, l3, memory, blas, blas_call, scalar, fork
    const rates_t *rates_in_use "pyconv_rates_in_use"() noexcept nogil
    bint use_rates "pyconv_use_rates"(const rates_t *given) noexcept nogil


cdef inline rates_t shipped_rates(bint tuned, int widest) noexcept nogil:
    """
    Measured on a Sapphire-Rapids-class CPU with SciPy's OpenBLAS 0.3.30; arithmetic scales with the width of the vectors.

    tuned: whether the kernels in use have vector instructions of their own; widest: float32 lanes of the widest that
    this machine runs, which BLAS finds by itself.
    """
    cdef rates_t r
    r.clock = 3.1e9
    r.fma = 2 if tuned else 0.5
    r.l2, r.l3, r.memory = 60e9, 25e9, 13e9
    r.blas = 0.6 * 4 * widest * r.clock
    r.blas_call = 300e-9
    r.scalar = 1.3e9
    r.fork = 2e-6
    return r


cdef inline double arrival_rate(const rates_t *r, double bytes) noexcept nogil:
    """Bytes a second from the innermost level of cache beyond L1 that holds so many."""
    return r.l2 if bytes < cache_bytes(2) else r.l3 if bytes < min(last_cache_bytes(), SHARE) else r.memory


cdef inline double stream_seconds(const rates_t *r, double bytes) noexcept nogil:
    """So many bytes of images and weights pass once."""
    return bytes / arrival_rate(r, bytes)


cdef inline double gemm_seconds(const rates_t *r, double m, double n, double k, size_t itemsize) noexcept nogil:
    """
    On one thread, 2*m*n*k / rate + call, where rate falls with each dimension that is short: OpenBLAS packs both operands
    anew and passes over the result. Half the rate is reached at m = 4, n = 10 or k = 7. Operands beyond L2 arrive besides.
    """
    if m * n * k == 0:        # a batch of none
        return 0
    cdef double bytes = (m * k + n * k + m * n) * itemsize
    cdef double arriving = stream_seconds(r, bytes) if bytes > cache_bytes(2) else 0
    return arriving + 2 * m * n * k * itemsize / 4 / r.blas * (1 + 4 / m) * (1 + 10 / n) * (1 + 7 / k) + r.blas_call


cdef inline double pack_seconds(const rates_t *r, double bytes) noexcept nogil:
    """
    Packed weights of so many bytes: 9 to 15 GB/s were measured, and 5 where they lie in memory that the system
    hands out and takes back with each call, as the C library does with the largest blocks.
    """
    return (2 if bytes <= MAPPED else 5) * bytes / r.l3
