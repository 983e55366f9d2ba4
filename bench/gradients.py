# SPDX-License-Identifier: BSD-3-Clause
"""Times the gradients of convolutions, and transposed convolutions, against PyTorch's.

    python bench/gradients.py [--of input_gradient weight_gradient transposed] [--kinds REGEX] [--only REGEX]
                              [--threads 1 2] [--seconds S] [--json FILE]

Gradients are one-shot calls, as in training: conv2d_backward_input and conv2d_backward_weight against
aten.convolution_backward that is asked for this gradient alone. Transposed convolutions are prepared plans
and one-shot calls against conv_transpose2d. Each library runs in both layouts; times are the fastest calls.
A ratio is the time of PyTorch's better layout by that of ours: above 1, pyconv is faster.
"""

import argparse
import math
import pathlib
import re

import tqdm
from lib import contest, gradients, machine, pool, results, shapes, tables, timing
from lib.peers import SUBJECT

SHAPES = pathlib.Path(__file__).parent / "shapes"
LAYOUTS = ["nchw", "nhwc"]
PEER = "torch"
MISSES = 1.0  # below it, a ratio is one where PyTorch is ahead


def problems(options):
    """(operator, layer) pairs, in order."""
    for of in options.of:
        for layer in shapes.load(SHAPES / ("transposed.txt" if of == "transposed" else "gradients.txt")):
            if options.only.search(layer.name) and options.kinds.search(gradients.kind(layer)):
                yield of, layer


def ways(record):
    """How pyconv was called."""
    return ["plan", "call"] if record["of"] == "transposed" else ["call"]


def ratio(record, way):
    return results.ratio(record, PEER, way, "min")


def rows(result, of, threads):
    """Header and rows: milliseconds of each library in each layout, and the ratio, layer by layer."""
    found = []
    for record in results.select(result, of=of, threads=threads):
        theirs = [results.fastest(record, PEER, word, "min") for word in ("nchw", "channels_last")]
        for way in ways(record):
            ours = [
                next((e for e in record["entries"] if e["variant"] == f"{word} {way}"), None)
                for word in LAYOUTS
            ]
            times = [tables.number(e and e["min"] * 1e3, ".3f") for e in (*theirs, *ours)]
            found.append([record["name"], record["kind"], way, *times, tables.number(ratio(record, way))])
    times = [f"{PEER} nchw ms", f"{PEER} channels_last ms", *(f"{SUBJECT} {word} ms" for word in LAYOUTS)]
    return ["layer", "kind", "way", *times, "ratio"], found


def mean_rows(result):
    """Of each operator, kind and number of threads: the least ratio and the geometric mean."""
    found = []
    keys = dict.fromkeys((r["of"], way, r["threads"]) for r in result["records"] for way in ways(r))
    for of, way, threads in keys:
        records = results.select(result, of=of, threads=threads)
        kinds = dict.fromkeys(record["kind"] for record in records)
        for kind in [*kinds, "all"]:
            ratios = [
                value
                for record in records
                if kind in (record["kind"], "all") and (value := ratio(record, way))
            ]
            if ratios:
                behind = sum(value < MISSES for value in ratios)
                cells = map(tables.number, (min(ratios), timing.geometric_mean(ratios)))
                found.append([of, kind, way, str(threads), str(len(ratios)), str(behind), *cells])
    return ["operator", "kind", "way", "threads", "layers", "behind", "least", "mean"], found


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--of", nargs="+", choices=gradients.OPERATORS, default=list(gradients.OPERATORS))
    add("--kinds", type=re.compile, default=re.compile(""), metavar="REGEX", help="'3x3/1|stem' for example")
    add("--only", type=re.compile, default=re.compile(""), metavar="REGEX", help="layers by name")
    add("--threads", nargs="+", type=int, default=[1])
    add("--rounds", type=int, default=7)
    add("--seconds", type=float, default=0.3, help="for each library and layout, of all rounds together")
    add("--json", type=pathlib.Path)
    return parser.parse_args()


def main():
    options, console = arguments(), tables.console()
    todo = list(problems(options))
    if not todo:
        raise SystemExit("no layer matches")
    settings = {"statistic": "min", "rounds": options.rounds, "seconds": options.seconds, "layouts": LAYOUTS}
    settings |= {"busy": machine.warn_if_busy(console.print)}
    result = results.new({}, settings)
    with tqdm.tqdm(total=len(todo) * len(options.threads), unit="layer", dynamic_ncols=True) as bar:
        for threads in options.threads:
            for of in options.of:
                choices = {"of": of, "layouts": LAYOUTS}
                with pool.Pool([SUBJECT, PEER], threads, choices, bar.write) as workers:
                    result["versions"] |= workers.versions
                    seconds = options.seconds / options.rounds
                    judge = contest.Contest(workers, options.rounds, seconds, False, bar.write, math.inf)
                    for layer in (layer for operator, layer in todo if operator == of):
                        bar.set_postfix_str(f"{of} {layer.name}, {threads} threads")
                        exact = gradients.expected(of, layer, *gradients.operands(of, layer))
                        outcome = judge.run(layer.name, exact, layer=str(layer), of=of)
                        head = {"name": layer.name, "layer": str(layer), "of": of, "file": of, "count": 1}
                        head |= {"kind": gradients.kind(layer), "batch": layer.n, "threads": threads}
                        result["records"].append(
                            head | {"flops": layer.flops, "bytes": layer.bytes} | outcome
                        )
                        bar.update()
    for threads in options.threads:
        for of in options.of:
            tables.show(console, f"{of}, {threads} threads", *rows(result, of, threads))
    tables.show(console, "Ratios by kind", *mean_rows(result))
    if options.json:
        results.save(result, options.json)
    raise SystemExit(bool(results.wrong(result)))


if __name__ == "__main__":
    main()
