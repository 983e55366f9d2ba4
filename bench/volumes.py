# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of volumes: pyconv in both layouts against PyTorch in both and ONNX Runtime.

    python bench/volumes.py [--threads 1 2] [--only REGEX] [--peers torch,onnxruntime] [--json FILE]

pyconv runs as a plan with memory that is kept, ONNX Runtime as a session; PyTorch takes its weights in each
call. All take turns in one process. Each row shows the fastest call of each, and the ratio of the best peer's
time to that of pyconv in NCDHW, and of PyTorch's channels_last_3d to NDHWC: above 1, pyconv is faster.
Results are compared first.
"""

import argparse
import pathlib
import re

import numpy as np
from lib import machine, results, tables, timing, volumes

SHAPES = pathlib.Path(__file__).parent / "shapes" / "volumes"
WAYS = [
    ("pyconv", "NCDHW"),
    ("pyconv", "NDHWC"),
    ("torch", "contiguous"),
    ("torch", "channels_last_3d"),
    ("onnxruntime", "-"),
]


def contest(ways, seconds, rounds):
    """An entry for each way, timed in rounds that each another one begins."""
    calls = {key: [] for key in ways}
    for i in range(rounds):
        start = i % len(ways)
        for key in [*ways][start:] + [*ways][:start]:
            calls[key].append(timing.calls(ways[key], seconds / rounds, warm=0.1))
    return [
        {"peer": library, "variant": variant} | timing.summary(times)
        for (library, variant), times in calls.items()
    ]


def wrong(ways):
    """Those whose results are far from the first's."""
    found = {key: way() for key, way in ways.items()}
    exact = found["pyconv", "NCDHW"]
    scale = np.abs(exact).max()
    for key, y in found.items():
        y = np.moveaxis(y, -1, 1) if key == ("pyconv", "NDHWC") else y
        if y.shape != exact.shape or np.abs(y - exact).max() > 1e-3 * scale:
            yield " ".join(key)


def measure(layer, path, threads, options):
    """A record, see lib/results.py."""
    plans, ways = volumes.by_pyconv(layer, threads)
    for peer in options.peers:
        ways |= volumes.PEERS[peer](layer, threads)
    return {
        "name": layer.name,
        "kind": layer.kind,
        "file": path.stem,
        "count": layer.count,
        "batch": layer.x_shape[0],
        "threads": threads,
        "flops": layer.flops,
        "bytes": layer.bytes,
        "algorithms": {layout: plan.algorithm for layout, plan in plans.items()},
        "workspace_bytes": {layout: plan.workspace_bytes for layout, plan in plans.items()},
        "wrong": dict.fromkeys(wrong(ways), "far from pyconv's NCDHW"),
        "entries": contest(ways, options.seconds, options.rounds),
    }


def ratios(record):
    """Of NCDHW to the best peer, of NDHWC to PyTorch's channels_last_3d; NaN without peers."""
    times = {(e["peer"], e["variant"]): e["min"] for e in record["entries"]}
    best = min((t for (peer, _), t in times.items() if peer != "pyconv"), default=float("nan"))
    like = times.get(("torch", "channels_last_3d"), float("nan"))
    return best / times["pyconv", "NCDHW"], like / times["pyconv", "NDHWC"]


def rows(records):
    found = []
    for record in records:
        times = {(e["peer"], e["variant"]): e["min"] * 1e3 for e in record["entries"]}
        cells = [tables.number(times.get(way), ".3f") for way in WAYS]
        rate = record["flops"] / times["pyconv", "NCDHW"] / 1e6
        found.append(
            [
                record["name"],
                record["kind"],
                record["algorithms"]["NCDHW"],
                tables.number(rate, ".0f"),
                *cells,
            ]
            + [tables.number(value) for value in ratios(record)]
        )
    header = ["layer", "kind", "algorithm", "GFLOP/s", *(" ".join(way) + " ms" for way in WAYS)]
    return [*header, "NCDHW ratio", "NDHWC ratio"], found


def mean_rows(records):
    """Of each kind: the least ratio and the geometric mean, in both layouts."""
    found = []
    for kind in [*dict.fromkeys(r["kind"] for r in records), "all"]:
        pairs = [ratios(r) for r in records if kind in (r["kind"], "all")]
        cells = [f(values) for values in zip(*pairs, strict=True) for f in (min, timing.geometric_mean)]
        found.append([kind, str(len(pairs)), *map(tables.number, cells)])
    return ["kind", "layers", "NCDHW least", "NCDHW mean", "NDHWC least", "NDHWC mean"], found


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--shapes", nargs="+", type=pathlib.Path, default=sorted(SHAPES.glob("*.txt")), metavar="FILE")
    add("--only", type=re.compile, default=re.compile(""), metavar="REGEX", help="layers by name")
    add("--peers", type=lambda text: text.split(","), default=list(volumes.PEERS))
    add("--threads", nargs="+", type=int, default=[1])
    add("--rounds", type=int, default=5)
    add("--seconds", type=float, default=0.4, help="for each library and layout, of all rounds together")
    add("--json", type=pathlib.Path)
    return parser.parse_args()


def main():
    options, console = arguments(), tables.console()
    settings = {"statistic": "min", "rounds": options.rounds, "seconds": options.seconds}
    settings |= {"busy": machine.warn_if_busy(console.print)}
    result = results.new({}, settings)
    layers = [(path, layer) for path in options.shapes for layer in volumes.load(path)]
    for threads in options.threads:
        for path, layer in layers:
            if options.only.search(layer.name):
                result["records"].append(measure(layer, path, threads, options))
        records = results.select(result, threads=threads)
        tables.show(console, f"Volumes, {threads} threads", *rows(records))
        tables.show(console, f"Ratios by kind, {threads} threads", *mean_rows(records))
    if options.json:
        results.save(result, options.json)
    raise SystemExit(any(record["wrong"] for record in result["records"]))


if __name__ == "__main__":
    main()
