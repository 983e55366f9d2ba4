# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions in another guise, made of `conv2d` and its plans."""
