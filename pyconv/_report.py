# SPDX-License-Identifier: BSD-3-Clause
"""What was built, and what it runs on."""

import platform
from pathlib import Path

import numpy as np
import scipy

from . import _calibrate
from ._kernels import build_info


def show_config(mode="stdout"):
    """
    Show the version, compiler, instruction sets, threads, BLAS and rates of the cost model.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Print, or return a dict.

    Returns
    -------
    dict or None

    Raises
    ------
    ValueError
        For another mode.
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', is {mode!r}")
    from . import __version__

    blas = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    info = {
        "pyconv": __version__,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        **build_info(),
        "blas": f"{blas['name']} {blas['version']}",
        "rates": _calibrate.status,
    }
    if mode == "dicts":
        return info
    width = max(map(len, info))
    for key, value in info.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name}={entry}" for name, entry in value.items())
        print(f"{key:{width}}  {value}")
    return None


def get_include():
    """
    Folder of the C headers, for ``include_dirs``.

    Returns
    -------
    str
    """
    return str(Path(__file__).parent / "include")
