# SPDX-License-Identifier: BSD-3-Clause
"""Shares of a layer's time: transform of the input, products, transform back, by sampling with Linux's perf.

    python bench/shares.py [--only '^(vgg1_2|vgg3_2|r50_2b|r50_3b|r50_4b)$'] [--algorithm winograd_f4k3]

Samples the clock while one thread repeats the layer, and counts samples by the kernel they fall in.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from lib import shapes, tables

import pyconv

BENCH = pathlib.Path(__file__).parent
PHASES = {
    "input": re.compile("transpose_rows|_input|_pack_|mem(cpy|move|set)"),
    "product": re.compile("form_|gemm|taps"),
    "output": re.compile("_output|_store|epilogue"),
    "rest": re.compile(""),
}
LAYOUTS = ("NCHW", "NHWC")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--shapes", type=pathlib.Path, default=BENCH / "shapes" / "peers.txt")
    add("--only", type=re.compile, default="^(vgg1_2|vgg3_2|r50_2b|r50_3b|r50_4b)$", metavar="REGEX")
    add("--algorithm", default="auto")
    add("--seconds", type=float, default=2, help="of each layer and layout")
    add("--run", nargs=2, metavar=("LAYER", "LAYOUT"), help=argparse.SUPPRESS)
    return parser.parse_args()


def make(layer, layout, algorithm):
    """A plan and its input."""
    x, weight, bias = (
        np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        for shape in (layer.x_shape, layer.w_shape, layer.oc)
    )
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    geometry = {"stride": (layer.sh, layer.sw), "padding": (layer.ph, layer.pw), "groups": layer.g}
    geometry["dilation"] = (layer.dh, layer.dw)
    plan = pyconv.plan(x.shape, weight, bias, layout=layout, algorithm=algorithm, threads=1, **geometry)
    return plan, x


def repeat(line, layout, algorithm, seconds):
    plan, x = make(shapes.parse(line), layout, algorithm)
    out, workspace = plan(x), plan.new_workspace()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            plan(x, out=out, workspace=workspace)


def samples(layer, layout, options):
    """{symbol: samples} of pyconv's extension, and of the C library's copies that it calls."""
    with tempfile.TemporaryDirectory() as directory:
        data = pathlib.Path(directory, "perf.data")
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-o", data, "--", sys.executable, __file__]
        record += ["--algorithm", options.algorithm, "--seconds", str(options.seconds)]
        subprocess.run([*record, "--run", str(layer), layout], check=True)
        command = ["perf", "report", "-q", "--stdio", "-t", ";", "-F", "sample,dso,sym", "-i", data]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {}
    for line in filter(None, text.splitlines()):
        count, dso, symbol = (cell.strip() for cell in line.split(";"))
        if "_kernels" in dso or ("libc" in dso and PHASES["input"].search(symbol)):
            found[symbol] = found.get(symbol, 0) + int(count)
    return found


def shares(found):
    """Of the phases, in their order; a symbol counts in the first that it matches."""
    counts = dict.fromkeys(PHASES, 0)
    for symbol, count in found.items():
        counts[next(name for name, pattern in PHASES.items() if pattern.search(symbol))] += count
    return [count / sum(found.values()) for count in counts.values()]


def main():
    options = arguments()
    if options.run:
        repeat(*options.run, options.algorithm, options.seconds)
        return
    if not shutil.which("perf"):
        raise SystemExit("perf isn't installed; it comes with Linux's tools")
    rows = []
    for layer in shapes.load(options.shapes):
        for layout in LAYOUTS if re.search(options.only, layer.name) else ():
            plan, _ = make(layer, layout, options.algorithm)
            cells = [f"{share:.0%}" for share in shares(samples(layer, layout, options))]
            rows.append([layer.name, layout, plan.algorithm, *cells])
    columns = ["layer", "layout", "algorithm", *PHASES]
    tables.show(tables.console(), "Share of the time on one thread", columns, rows)


if __name__ == "__main__":
    main()
