# SPDX-License-Identifier: BSD-3-Clause
"""The machine, by what matters to a convolution: instruction sets, cores, caches, memory, measured peaks."""

import json
import os
import pathlib
import platform
import subprocess
import sys

import psutil

FEATURES = {
    "avx2": "AVX2",
    "fma": "FMA",
    "avx512f": "AVX-512",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "sve": "SVE",
}
BUSY = 10  # percent
CACHES = pathlib.Path("/sys/devices/system/cpu/cpu0/cache")


def features():
    """Names of the instruction sets that the system announces."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    words = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return [name for flag, name in FEATURES.items() if flag in words]


def caches():
    """Bytes of the data caches that one core sees, by level."""
    sizes = {}
    for folder in sorted(CACHES.glob("index*")):
        kind, level, size = ((folder / name).read_text().strip() for name in ("type", "level", "size"))
        if kind != "Instruction":
            sizes[f"L{level}"] = int(size.rstrip("KM")) * (1 << 10 if size.endswith("K") else 1 << 20)
    return sizes


def describe():
    return {
        "architecture": platform.machine(),
        "features": features(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "caches": caches(),
        "memory": psutil.virtual_memory().total,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def warn_if_busy(say):
    """Other programs' share of the cores, in the second before the run."""
    busy = psutil.cpu_percent(1.0)
    if busy > BUSY:
        say(f"other programs use {busy:.0f} % of the cores: the times will be of little worth")
    return busy


def peaks(threads):
    """Measured in a process of its own with that many threads."""
    script = pathlib.Path(__file__).resolve().parents[1] / "peaks.py"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, str(script), "--threads", str(threads)]
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)


def sentence(machine):
    """One line for people."""
    sizes = [
        f"{size >> 10} KB {level}" if size < 1 << 20 else f"{size >> 20} MB {level}"
        for level, size in machine["caches"].items()
    ]
    words = [f"{machine['cores']} cores", machine["architecture"], *machine["features"], *sizes]
    return ", ".join([*words, f"{machine['memory'] / 2**30:.0f} GB memory"])
