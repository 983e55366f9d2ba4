# SPDX-License-Identifier: BSD-3-Clause
"""
The driver on the kernels of the installed extension, which are not compiled again.

    python tests/native/installed.py [arguments of the driver]
"""

import ctypes
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from pyconv import _kernels

HERE = Path(__file__).resolve().parent
CC = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
FLAGS = ["-std=gnu11", "-O1", "-Wall", "-Werror", "-fPIC", "-shared", f"-I{HERE.parents[1] / 'include'}"]


def library():
    """The driver, compiled and loaded."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory, "driver.so")
        sources = [HERE / "driver.c", HERE / "installed.c"]
        subprocess.run([CC, *FLAGS, *sources, "-o", target, "-lm"], check=True)
        return ctypes.CDLL(str(target))


def main(*arguments):
    driver = library()
    select, table_bytes = _kernels.kernel_tables()
    if table_bytes != ctypes.c_size_t.in_dll(driver, "installed_bytes").value:
        raise SystemExit("the installed extension was built from another kernels.h: install it again")
    ctypes.c_void_p.in_dll(driver, "installed_select").value = select
    words = [b"driver", *map(str.encode, arguments)]
    return driver.main(len(words), (ctypes.c_char_p * (len(words) + 1))(*words))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
