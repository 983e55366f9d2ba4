# SPDX-License-Identifier: BSD-3-Clause
"""
The constants of the cost model, measured once per machine: ``python -m pyconv calibrate``.

They are kept in the user's cache directory, one file for each instruction set, and read at import. A file of
another CPU or version is left alone, and `show_config` says so.
"""

import json
import math
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from . import _kernels

REPEATS = 40
SECONDS = 2.5  # per rate at most


def cpu_model():
    """The CPU's name, as the system gives it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        lines = path.read_text(errors="replace").splitlines()
        words = dict(tuple(word.strip() for word in line.split(":", 1)) for line in lines if ":" in line)
        if "model name" in words:
            return words["model name"]
        if "CPU part" in words:
            return f"{words.get('CPU implementer', '?')} part {words['CPU part']}"
    return platform.processor() or platform.machine()


def cache_folder():
    """``PYCONV_CACHE_DIR``, or this package's folder in the user's cache directory."""
    if "PYCONV_CACHE_DIR" in os.environ:
        return Path(os.environ["PYCONV_CACHE_DIR"])
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        default = Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base, default = None, Path.home() / "Library" / "Caches"
    else:
        base, default = os.environ.get("XDG_CACHE_HOME"), Path.home() / ".cache"
    return Path(base or default) / "pyconv"


def cache_file():
    """Where the rates of the instruction set in use are kept."""
    return cache_folder() / f"rates-{_kernels.build_info()['instruction set in use']}.json"


def identity():
    """What the rates depend on."""
    return {
        "pyconv": version("pyconv"),
        "instruction set": _kernels.build_info()["instruction set in use"],
        "cpu": cpu_model(),
    }


def refusal(record):
    """Why a file's content can't serve here, or None."""
    if not isinstance(record, dict) or not isinstance(record.get("rates"), dict):
        return "it holds no rates"
    for key, value in identity().items():
        if record.get(key) != value:
            return f"its {key} is {record.get(key)!r}, here it is {value!r}"
    names = _kernels.rates().keys()
    if record["rates"].keys() != names:
        return f"its rates are {sorted(record['rates'])}, wanted are {sorted(names)}"
    for name, value in record["rates"].items():
        if not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
            return f"{name} must be a positive number, is {value!r}"
    return None


def load():
    """Use the rates measured for this machine if there are any; return in words what is in use."""
    _kernels.set_rates()
    try:
        path = cache_file()
        text = path.read_text()
    except FileNotFoundError:
        return "shipped; `python -m pyconv calibrate` measures this machine's"
    except (OSError, RuntimeError, UnicodeDecodeError) as error:  # RuntimeError: the user has no home
        return f"shipped; the cache can't be read: {error}"
    try:
        record = json.loads(text)
    except ValueError as error:
        return f"shipped; {path} is no JSON: {error}"
    reason = refusal(record)
    if reason:
        return f"shipped; {path} isn't used: {reason}"
    _kernels.set_rates({name: float(value) for name, value in record["rates"].items()})
    return f"measured on this machine, {path}"


def save(rates):
    """Write the cache file, whole or not at all, and return its path."""
    path = cache_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps({**identity(), "rates": rates}, indent=2) + "\n")
    part.replace(path)
    return path


def _fastest(function, *args, clock=time.thread_time):
    """The least seconds of several calls: other programs only ever add to them."""
    function(*args)
    least, end = math.inf, time.perf_counter() + SECONDS
    for _ in range(REPEATS):
        start = clock()
        function(*args)
        least = min(least, clock() - start)
        if time.perf_counter() > end:
            break
    return least


def _copying(nbytes):
    """Bytes a second, read plus written, between two arrays of nbytes together."""
    import numpy as np

    source, target = np.ones((2, nbytes // 8), np.float32)
    copies = max(1, (4 << 20) // nbytes)

    def copy():
        for _ in range(copies):
            np.copyto(target, source)

    return copies * nbytes / _fastest(copy)


def _plain_loop():
    """Flops a second of `direct`."""
    import numpy as np

    from ._api import plan

    x = np.ones((1, 16, 16, 16), np.float32)
    loop = plan(x.shape, np.ones((16, 16, 3, 3), np.float32), algorithm="direct", threads=1)
    return 2 * loop.multiplications / _fastest(loop, x)


def measure_here():
    """
    The rates, measured in this process, whose BLAS must be set to one thread.

    Returns
    -------
    dict
        As `_rates.pxd` describes them.
    """
    info = _kernels.build_info()
    l2, last = _kernels.cache_sizes()
    steps, size, threads = 200_000, 640, info["threads"]
    clock = _kernels.spin(steps) / _fastest(_kernels.spin, steps)
    vectors = _kernels.multiply_add(steps) / (2 * _kernels.lanes())
    return {
        "clock": clock,
        "fma": vectors / _fastest(_kernels.multiply_add, steps) / clock,
        "l2": _copying(l2 // 2),
        "l3": _copying(min(4 * l2, max(last, 2 * l2))),
        "memory": _copying(max(min(2 * last, 256 << 20), 16 * l2)),
        "blas": 2.0 * size**3 / _fastest(_kernels.multiply_matrices, size, 1),
        "blas_call": _fastest(_kernels.multiply_matrices, 2, 1000) / 1000,
        "scalar": _plain_loop(),
        "fork": _fastest(_kernels.run_loops, threads, 100, clock=time.perf_counter) / 100,
    }


def measure():
    """The rates, measured in a fresh process, which imports pyconv from where this one did."""
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")
    script = "import json; from pyconv import _calibrate; print(json.dumps(_calibrate.measure_here()))"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        env=os.environ | one,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(answer.stdout)


status = load()
