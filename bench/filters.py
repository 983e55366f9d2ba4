# SPDX-License-Identifier: BSD-3-Clause
"""Filters of photographs: pyconv against OpenCV, SciPy and scikit-image, with the same kernels and borders.

    python bench/filters.py [--size 1080 1920] [--threads 1 2] [--only REGEX] [--json FILE --plot FILE]

Grey and RGB photographs as they come from a file, channels last, bytes and float32; bytes become bytes, of
derivatives int16. pyconv runs as a plan, as one call that makes its plan, and in SciPy's words
(`pyconv.ndimage`). All write into arrays that are kept, but scikit-image, which takes none.

All take turns in one process; each row shows the fastest call of each, and ratios: the other library's
time by pyconv's. SciPy and scikit-image have one thread. Results are compared first: integers may differ by
one where SciPy cuts and others round.
"""

import argparse
import pathlib
import re

import cv2
import numpy as np
import scipy
import scipy.ndimage
import skimage
from lib import machine, photographs, plots, results, tables, timing

import pyconv
from pyconv import ndimage

SLOW = 0.5  # seconds of a call from which it isn't repeated
QUICK = {"sizes": (3, 11), "sigmas": (1,), "boxes": (3,)}


def check(case, found):
    """What is wrong with the results {(library, variant): array}; rounding, and SciPy's cutting, are not."""
    theirs, wrong = found["opencv", "-"].astype(np.float64), {}
    scale = max(1.0, np.abs(theirs).max())
    for (library, variant), y in found.items():
        cuts = case.cuts if library == "scipy" or variant == "ndimage" else 1
        allowed = cuts if case.out_dtype.kind != "f" else 1e-5 * scale
        far = float(np.abs(y.astype(np.float64) - theirs).max())
        if y.dtype != case.out_dtype or far > allowed:
            wrong[f"{library} {variant}"] = f"{far:g} from OpenCV's, {y.dtype}"
    if case.out_dtype.kind != "f" and not np.array_equal(found["pyconv", "ndimage"], found["scipy", "-"]):
        wrong["pyconv ndimage"] = "not SciPy's integers"
    return wrong


def contest(ways, seconds, rounds):
    """An entry for each of {(library, variant): function}, timed in rounds that each another one begins."""
    calls = {key: [] for key in ways}
    for i in range(rounds):
        start = i % len(ways)
        for key in [*ways][start:] + [*ways][:start]:
            if not calls[key] or min(calls[key][0]) < SLOW:
                calls[key].append(timing.calls(ways[key], seconds / rounds, warm=0.1))
    return [
        {"peer": library, "variant": variant} | timing.summary(times)
        for (library, variant), times in calls.items()
    ]


def measure(case, x, name, threads, options):
    """A record, see lib/results.py."""
    plan, ways = photographs.prepare(case, x, ndimage, scipy.ndimage, threads)
    found = {key: way() for key, way in ways.items()}
    wrong = check(case, found)
    taps = case.weight.size * x.size
    moved = x.nbytes + found["pyconv", "plan"].nbytes
    height, width = x.shape[:2]
    return {
        "name": f"{name} {case.name}",
        "filter": case.name,
        "image": name,
        "group": case.group,
        "file": f"{height} x {width}",
        "algorithm": plan.algorithm,
        "workspace_bytes": plan.workspace_bytes,
        "count": 1,
        "batch": 1,
        "threads": threads,
        "flops": 2 * taps,
        "bytes": moved,
        "entries": contest(ways, options.seconds, options.rounds),
        "skipped": {},
        "wrong": wrong,
    }


def images(size):
    for channels, form in ((1, "grey"), (3, "RGB")):
        for dtype in ("float32", "uint8"):
            yield f"{form} {dtype}", photographs.photograph(*size, channels, np.dtype(dtype))


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", nargs=2, type=int, default=(1080, 1920), metavar=("HEIGHT", "WIDTH"))
    add("--threads", nargs="+", type=int, default=[1, 2])
    add("--only", type=re.compile, default="", help="rows that match, 'RGB uint8 Gaussian' for example")
    add("--seconds", type=float, default=0.6, help="for each way to filter")
    add("--rounds", type=int, default=5)
    add("--quick", action="store_true", help="a few filters, each briefly")
    add("--json", type=pathlib.Path)
    add("--plot", type=pathlib.Path)
    options = parser.parse_args()
    options.only = re.compile(options.only)
    if options.quick:
        options.seconds, options.rounds = min(options.seconds, 0.02), 2
    return options


def main():
    options, console = arguments(), tables.console()
    settings = {"statistic": "min", "layouts": ["nhwc"], "busy": machine.warn_if_busy(console.print)}
    settings |= {"seconds": options.seconds, "rounds": options.rounds}
    modules = {"pyconv": pyconv, "opencv": cv2, "scipy": scipy, "skimage": skimage}
    versions = {name: module.__version__ for name, module in modules.items()}
    result = results.new(versions, settings)
    for threads in options.threads:
        cv2.setNumThreads(threads)
        for name, x in images(options.size):
            for case in photographs.cases(x, **(QUICK if options.quick else {})):
                if options.only.search(f"{name} {case.name}"):
                    result["records"].append(measure(case, x, name, threads, options))
        title = (
            f"{options.size[0]} x {options.size[1]}, {threads} threads; ms, and times of others by pyconv's"
        )
        tables.show(console, title, *tables.filter_rows(result, threads))
    tables.show(console, "Least ratio and geometric mean", *tables.group_rows(result))
    if options.json:
        results.save(result, options.json)
    if options.plot:
        plots.draw(result, options.plot, "min")
    for wrong in results.wrong(result):
        console.print("wrong:", *wrong)
    raise SystemExit(bool(results.wrong(result)))


if __name__ == "__main__":
    main()
