# SPDX-License-Identifier: BSD-3-Clause
"""Times every C kernel of every instruction set of this CPU, each beside a yardstick.

    python bench/kernels.py --isa avx512 --op gemm

The yardstick of kernels that multiply is multiply-adds in registers; that of kernels that move data is memcpy
of as many bytes, read and written. The kernels are those of the installed extension; --cc compiles them, in
minutes. The list is that of include/pyconv/kernels.h, whose results tests/test_native.py checks.
"""

import argparse
import csv
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

from lib import tables

ROOT = pathlib.Path(__file__).resolve().parents[1]
NATIVE = ROOT / "tests" / "native"
FLAGS = ["-std=gnu11", "-O3", "-Wno-psabi", f"-I{ROOT / 'include'}"]
COLUMNS = ["operation", "type", "isa", "size", "speed", "share"]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--isa", default=".", metavar="REGEX", help="only the instruction sets that match (POSIX extended)")
    add("--op", default=".", metavar="REGEX", help="only the operations that match")
    add(
        "--cc",
        type=shlex.split,
        help="compile the kernels, by this C compiler, with flags of its own if you like",
    )
    add("--json", type=pathlib.Path, metavar="FILE", help="also write the rows there")
    return parser.parse_args()


def compiled(cc, directory):
    """The driver with kernels of this checkout."""
    program = pathlib.Path(directory, "driver")
    core = ROOT / "pyconv" / "core"
    sources = [NATIVE / "driver.c", core / "kernels.c", *(core / "simd").glob("*.c")]
    subprocess.run([cc[0], *FLAGS, *cc[1:], *sources, "-o", program, "-lm"], check=True)
    return program


def measure(cc, isa, op):
    """One dictionary per line of the driver; speed in its unit, share a fraction."""
    with tempfile.TemporaryDirectory() as directory:
        driver = [compiled(cc, directory)] if cc else [sys.executable, NATIVE / "installed.py"]
        done = subprocess.run([*driver, "--bench", isa, op], check=True, stdout=subprocess.PIPE, text=True)
    rows = list(csv.DictReader(done.stdout.splitlines(), delimiter="\t"))
    return [row | {"speed": float(row["speed"]), "share": float(row["share"])} for row in rows]


def cells(row):
    shown = {"speed": f"{row['speed']:.1f} {row['unit']}", "share": f"{row['share']:.0%}"}
    return [(row | shown)[column] for column in COLUMNS]


def main():
    options = arguments()
    rows = measure(options.cc, options.isa, options.op)
    if not rows:
        raise SystemExit(f"nothing matches --isa {options.isa} --op {options.op}")
    title = "Share: of multiply-adds in registers (GFLOP/s), of memcpy (GB/s)"
    tables.show(tables.console(), title, COLUMNS, [cells(row) for row in rows])
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
