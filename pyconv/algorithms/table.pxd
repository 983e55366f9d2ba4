# SPDX-License-Identifier: BSD-3-Clause
"""The ordered table of algorithms. The order is that of preference between equals."""

from pyconv.core.types cimport *
from pyconv.algorithms.depthwise cimport depthwise_row
from pyconv.algorithms.direct cimport direct_row
from pyconv.algorithms.direct_simd cimport direct_simd_row
from pyconv.algorithms.fft cimport fft_row
from pyconv.algorithms.im2col cimport im2col_row
from pyconv.algorithms.im2row cimport im2row_row
from pyconv.algorithms.implicit_gemm cimport implicit_gemm_row
from pyconv.algorithms.kn2col cimport kn2col_row
from pyconv.algorithms.kn2row cimport kn2row_row
from pyconv.algorithms.kn2row_acc cimport kn2row_acc_row
from pyconv.algorithms.mec cimport mec_row
from pyconv.algorithms.pointwise cimport pointwise_row
from pyconv.algorithms.strassen cimport strassen_row
from pyconv.algorithms.winograd cimport winograd_row

# The code of an algorithm is its row, and part of the C-level API: callers may have stored it, so rows are only appended.
cdef enum:
    DIRECT
    IM2COL
    IM2ROW
    MEC
    IMPLICIT_GEMM
    POINTWISE
    DEPTHWISE
    DIRECT_SIMD
    WINOGRAD_F2K3
    WINOGRAD_F4K3
    WINOGRAD_F6K3
    KN2ROW
    KN2COL
    KN2ROW_ACC
    WINOGRAD_F2K2
    WINOGRAD_F3K2
    WINOGRAD_F3K4
    WINOGRAD_F2K5
    WINOGRAD_F2K7
    FFT
    STRASSEN
    ALGORITHMS                # how many; stays last


cdef inline void fill_table(algorithm_t *table) except *:
    cdef int i
    direct_row(&table[DIRECT])
    im2col_row(&table[IM2COL])
    im2row_row(&table[IM2ROW])
    mec_row(&table[MEC])
    implicit_gemm_row(&table[IMPLICIT_GEMM])
    pointwise_row(&table[POINTWISE])
    depthwise_row(&table[DEPTHWISE])
    direct_simd_row(&table[DIRECT_SIMD])
    winograd_row(&table[WINOGRAD_F2K3], b"winograd_f2k3", PYCONV_STANDARD, 2, 3)
    winograd_row(&table[WINOGRAD_F4K3], b"winograd_f4k3", PYCONV_STANDARD, 4, 3)
    winograd_row(&table[WINOGRAD_F6K3], b"winograd_f6k3", PYCONV_FAST, 6, 3)
    kn2row_row(&table[KN2ROW])
    kn2col_row(&table[KN2COL])
    kn2row_acc_row(&table[KN2ROW_ACC])
    winograd_row(&table[WINOGRAD_F2K2], b"winograd_f2k2", PYCONV_STANDARD, 2, 2)
    winograd_row(&table[WINOGRAD_F3K2], b"winograd_f3k2", PYCONV_STANDARD, 3, 2)
    winograd_row(&table[WINOGRAD_F3K4], b"winograd_f3k4", PYCONV_STANDARD, 3, 4)
    winograd_row(&table[WINOGRAD_F2K5], b"winograd_f2k5", PYCONV_STANDARD, 2, 5)
    winograd_row(&table[WINOGRAD_F2K7], b"winograd_f2k7", PYCONV_STANDARD, 2, 7)
    fft_row(&table[FFT])
    strassen_row(&table[STRASSEN])
    for i in range(ALGORITHMS):
        if table[i].form_count == 0:
            raise SystemError(f"the table of algorithms has no row for code {i}")
