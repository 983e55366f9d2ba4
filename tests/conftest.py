# SPDX-License-Identifier: BSD-3-Clause
"""Hypothesis profiles: the same examples on every run; many fresh ones if ``--hypothesis-profile=slow``."""

import ctypes
import gc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import pyconv
from pyconv._filters import passes

settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("slow", settings.get_profile("default"), derandomize=False, max_examples=5000)
settings.load_profile("default")


def keep_numpy_to_one_thread():
    """
    NumPy computes what the tests judge by, and no test is about its OpenBLAS: pyconv calls SciPy's.

    Its threads need the cores on which OpenMP's spin after a run: 10 ms for each product, each norm.
    """
    for path in (Path(np.__file__).parents[1] / "numpy.libs").glob("libscipy_openblas*"):
        library = ctypes.CDLL(str(path))
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads"):
            if hasattr(library, name):
                getattr(library, name)(1)


keep_numpy_to_one_thread()


def pytest_collection_finish():
    """What is there now stays: the collector need not walk through PyTorch for each test that calls it."""
    gc.collect()
    gc.freeze()


# More threads than a small machine has CPUs, so that work is cut in other ways, too.
pyconv._kernels.set_cpus(64)


@pytest.fixture
def served(monkeypatch):
    """How each filter of ndimage and signal ended that was begun here, and not left to SciPy at once."""
    ends, run = [], passes.run

    def spy(*arguments, **keywords):
        ends.append(run(*arguments, **keywords))
        return ends[-1]

    monkeypatch.setattr(passes, "run", spy)
    return ends
