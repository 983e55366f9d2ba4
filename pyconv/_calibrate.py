# SPDX-License-Identifier: BSD-3-Clause
"""
The constants of the cost model, measured once per machine: ``python -m pyconv calibrate``.

They are kept in the user's cache directory, one file for each instruction set, and read at import. A file of
another CPU or version is left alone, and `show_config` says so.
"""

import contextlib
import json
import math
import os
import platform
import stat
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from . import _kernels

REPEATS = 40
SECONDS = 2.5  # per rate at most
LARGEST_FILE = 1 << 16  # bytes; `save` writes some 500

# What a machine may do in a second, and take: slower than an emulator, faster than any yet. Rates beyond come
# from a broken clock or a stranger, and would drive the cost models to infinity.
POSSIBLE = {
    "clock": (1e6, 1e12),
    "fma": (1e-4, 1e4),
    "l2": (1e5, 1e16),
    "l3": (1e5, 1e16),
    "memory": (1e5, 1e16),
    "blas": (1e4, 1e18),
    "blas_call": (1e-12, 10.0),
    "scalar": (1e3, 1e16),
    "fork": (1e-12, 10.0),
}


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
    """``PYCONV_CACHE_DIR``, unless empty, or this package's folder in the user's cache directory."""
    if given := os.environ.get("PYCONV_CACHE_DIR"):
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        default = Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base, default = None, Path.home() / "Library" / "Caches"
    else:
        base, default = os.environ.get("XDG_CACHE_HOME"), Path.home() / ".cache"
    # The XDG specification: a path that isn't absolute is to be ignored.
    return (Path(base) if base and os.path.isabs(base) else default) / "pyconv"


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


def _shown(value):
    """A stranger's value for a message: not its thousand digits."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"


def refusal(record):
    """Why a file's content can't serve here, or None."""
    if not isinstance(record, dict) or not isinstance(record.get("rates"), dict):
        return "it holds no rates"
    for key, value in identity().items():
        if record.get(key) != value:
            return f"its {key} is {_shown(record.get(key))}, here it is {value!r}"
    names = _kernels.rates().keys()
    if record["rates"].keys() != names:
        return f"its rates are {_shown(sorted(record['rates']))}, wanted are {sorted(names)}"
    for name, value in record["rates"].items():
        low, high = POSSIBLE[name]
        if type(value) not in (int, float) or not low <= value <= high:
            return f"{name} must be a positive number from {low:g} to {high:g}, is {_shown(value)}"
    return None


def _content(path):
    """The bytes of a regular file: nothing else is read, and a FIFO isn't waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        content = os.read(descriptor, LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST_FILE:
        raise OSError(f"{path} is larger than {LARGEST_FILE} bytes")
    return content


def load():
    """
    Use the rates measured for this machine if there are any; return in words what is in use.

    It runs at import, which nothing in a cache directory may break: whatever is raised becomes words.
    """
    _kernels.set_rates()
    try:
        path = cache_file()
        content = _content(path)
    except FileNotFoundError:
        return "shipped; `python -m pyconv calibrate` measures this machine's"
    except Exception as error:  # RuntimeError: the user has no home
        return f"shipped; the cache can't be read: {error}"
    try:
        record = json.loads(content)
    except Exception as error:  # RecursionError: brackets in brackets
        return f"shipped; {path} is no JSON: {error}"
    try:
        if reason := refusal(record):
            return f"shipped; {path} isn't used: {reason}"
        _kernels.set_rates({name: float(value) for name, value in record["rates"].items()})
    except Exception as error:
        return f"shipped; {path} isn't used: {type(error).__name__}: {error}"
    return f"measured on this machine, {path}"


def save(rates):
    """
    Write the cache file, whole or not at all, and return its path.

    Raises
    ------
    OSError
        If it can't be written; then nothing is left behind.
    """
    path = cache_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**identity(), "rates": rates}, indent=2) + "\n"
    # A name that nobody can have foreseen, in the same folder, so that replacing is one step.
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".part")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(part, 0o644)  # mkstemp's are the owner's alone
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
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
        As `core/rates.pxd` describes them.
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
