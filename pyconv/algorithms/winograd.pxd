# SPDX-License-Identifier: BSD-3-Clause
"""
winograd_f<m>k<r>: F(m x m, r x r), or F(m, r) of one row or column, on tiles of m + r - 1 pixels (Winograd 1980; Lavin and
Gray 2016), see `engines.winograd.blocks`. Of 2 or 3 channels in NCHW F(2, 3) along the rows alone, see
`engines.winograd.f2k3_rows`.

        fewer multiplications by                                  error
  f2k2  1.78 of 2x2 kernels, 1.44 of 3x3 at stride 2
  f3k2  2.25 of 2x2 kernels, 1.65 of 3x3 at stride 2
  f2k3  2.25                                                      near that of im2col, but over a tile; exact on small integers
  f4k3  4, of 1x3 and 3x1 2                                       2.4 times that of im2col
  f6k3  5.06                                                      11 times that of im2col
  f3k4  4 of 4x4 kernels, 3.6 of 7x7 at stride 2
  f2k5  2.78, of 1x5 and 5x1 1.67
  f2k7  1.75 of 1x7 and 7x1, all that it serves
"""

from pyconv.core.types cimport *
from pyconv.core.forms cimport add_form, begin_row
from pyconv.engines.winograd.blocks cimport (
    winograd_multiplications, winograd_pack, winograd_packed, winograd_run, winograd_seconds, winograd_serves,
    winograd_traffic, winograd_workspace,
)
from pyconv.engines.winograd.bound cimport winograd_bound
from pyconv.engines.winograd.f2k3_rows cimport (
    f2k3_rows_bound, f2k3_rows_multiplications, f2k3_rows_pack, f2k3_rows_packed, f2k3_rows_run, f2k3_rows_seconds,
    f2k3_rows_serve, f2k3_rows_traffic, f2k3_rows_workspace,
)
from pyconv.engines.winograd.view cimport winograd_supports


cdef inline void winograd_row(algorithm_t *a, const char *name, int accuracy, int m, int r) except *:
    cdef form_t *f
    begin_row(a, name, b"Lavin, Gray 2016")
    a.planes = True
    a.accuracy, a.nan_reach = accuracy, PYCONV_TILE
    a.m, a.r = m, r
    a.supports = winograd_supports
    f = add_form(a, f2k3_rows_seconds, f2k3_rows_run)
    f.strided = True
    f.serves = f2k3_rows_serve
    f.workspace = f2k3_rows_workspace
    f.packed, f.pack = f2k3_rows_packed, f2k3_rows_pack
    f.multiplications, f.traffic, f.bound = f2k3_rows_multiplications, f2k3_rows_traffic, f2k3_rows_bound
    f = add_form(a, winograd_seconds, winograd_run)
    f.strided = True
    f.serves = winograd_serves
    f.workspace = winograd_workspace
    f.packed, f.pack = winograd_packed, winograd_pack
    f.multiplications, f.traffic, f.bound = winograd_multiplications, winograd_traffic, winograd_bound
