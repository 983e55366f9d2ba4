# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of three axes, made of those of two; one thought a file."""
