# SPDX-License-Identifier: BSD-3-Clause
"""Arithmetic on sizes in bytes that saturates instead of wrapping."""

from libc.stdint cimport int64_t

cdef extern from "core/sizes.h":
    const size_t TOO_LARGE "PYCONV_TOO_LARGE"
    size_t times "pyconv_times"(size_t a, size_t b) noexcept nogil
    size_t plus "pyconv_plus"(size_t a, size_t b) noexcept nogil


cdef inline int64_t round_up(int64_t count, int64_t step) noexcept nogil:
    """The next multiple of step; count far from the end of int64."""
    return (count + step - 1) // step * step


cdef inline size_t aligned(size_t size) noexcept nogil:
    """The next multiple of 64."""
    return plus(size, 63) & ~<size_t>63 if size < TOO_LARGE - 63 else TOO_LARGE
