# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmark programs share."""
