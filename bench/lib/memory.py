# SPDX-License-Identifier: BSD-3-Clause
"""Resident memory of this process, from Linux's /proc."""

import pathlib
import re

SELF = pathlib.Path("/proc/self")
AVAILABLE = (SELF / "clear_refs").exists() and (SELF / "smaps_rollup").exists()

# Blocks of 64 KB and more come from the system and go back to it, so that no old free block hides a new one.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def resident():
    """Bytes resident now, exactly: the counters of /proc/self/status lag behind by some pages per thread."""
    return 1024 * int(re.search(r"^Rss:\s+(\d+)", (SELF / "smaps_rollup").read_text(), re.M)[1])


def peak_during(function):
    """The most bytes that were resident at once while the function ran."""
    (SELF / "clear_refs").write_text("5")  # the high-water mark starts anew from here
    function()
    return 1024 * int(re.search(r"^VmHWM:\s+(\d+)", (SELF / "status").read_text(), re.M)[1])
