# SPDX-License-Identifier: BSD-3-Clause
"""The C-level API for ``cimport pyconv`` and ``from pyconv cimport ...``; `_kernels.pxd` describes it."""

from pyconv._kernels cimport *
