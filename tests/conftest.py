# SPDX-License-Identifier: BSD-3-Clause
"""Hypothesis profiles: the same examples on every run; many fresh ones if ``--hypothesis-profile=slow``."""

from hypothesis import HealthCheck, settings

import pyconv

settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("slow", settings.get_profile("default"), derandomize=False, max_examples=5000)
settings.load_profile("default")

# More threads than a small machine has CPUs, so that work is cut in other ways, too.
pyconv._kernels.set_cpus(64)
