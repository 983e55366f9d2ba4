# SPDX-License-Identifier: BSD-3-Clause
"""Times pyconv and its peers side by side, layer by layer.

    python bench/compare.py --shapes bench/shapes/quick.txt --peers torch

See bench/README.md for what is measured and how.
"""

import argparse
import pathlib
import re

import tqdm
from lib import contest, machine, plots, pool, reference, results, shapes, tables
from lib.peers import NAMES, SUBJECT

HERE = pathlib.Path(__file__).parent


def words(text):
    return text.split(",")


def numbers(text):
    return [int(word) for word in words(text)]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--shapes", nargs="+", type=pathlib.Path, default=[HERE / "shapes" / "quick.txt"], metavar="FILE")
    add("--only", type=re.compile, metavar="REGEX", help="only the layers whose names match")
    add("--peers", type=words, default=NAMES, help=f"of {','.join(NAMES)}; missing ones are skipped")
    add("--threads", type=numbers, default=[1], help="e.g. 1,2")
    add("--batch", type=numbers, help="instead of the batch sizes in the file, e.g. 1,8")
    add("--layout", type=words, default=["nchw", "nhwc"], help="of pyconv; peers choose their own")
    add("--algorithms", type=words, default=["auto"], help="of pyconv, e.g. auto,im2col, or all")
    add("--cold", action="store_true", help="also time conv2d, which packs the weights in each call")
    add("--pareto", metavar="LAYER", help="also run every algorithm of pyconv on this layer")
    add("--rounds", type=int, default=7)
    add("--seconds", type=float, default=0.06, help="per round, library and variant")
    add("--statistic", choices=["median", "min"], default="median", help="of the rounds, in tables and plots")
    add("--no-memory", action="store_true", help="don't measure peak memory (a fresh process each)")
    add("--json", type=pathlib.Path, default=pathlib.Path("compare.json"))
    add("--plot", type=pathlib.Path, default=pathlib.Path("compare.png"))
    options = parser.parse_args()
    unknown = set(options.peers) - set(NAMES)
    if unknown:
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}; known are {', '.join(NAMES)}")
    return options


def problems(options):
    """(file, layer) pairs, in order."""
    for path in options.shapes:
        for layer in shapes.load(path):
            if not options.only or options.only.search(layer.name):
                for batch in options.batch or [layer.n]:
                    yield path.stem, layer.with_batch(batch)


def record(file, layer, threads, outcome):
    head = {"name": layer.name, "layer": str(layer), "file": file, "count": layer.count}
    sizes = {"batch": layer.n, "threads": threads, "flops": layer.flops, "bytes": layer.bytes}
    return head | sizes | outcome


def pareto(options, todo, say):
    """A record of every algorithm of pyconv, on the named layer and the first number of threads."""
    file, layer = next((pair for pair in todo if pair[1].name == options.pareto), (None, None))
    if not layer:
        raise SystemExit(f"--pareto: no layer {options.pareto} in the shapes")
    threads = options.threads[0]
    choices = {"layouts": options.layout, "algorithms": ["all"], "cold": False}
    with pool.Pool([SUBJECT], threads, choices, say) as workers:
        judge = contest.Contest(workers, options.rounds, options.seconds, False, say)
        outcome = judge.run(layer.name, reference.conv2d(layer, *layer.arrays()), layer=str(layer))
    return record(file, layer, threads, outcome)


def report(console, result, statistic):
    for batch, threads in results.settings(result):
        title = f"GFLOP/s, {threads} threads, batch {batch}; ratio = time of the best peer / {SUBJECT}'s"
        tables.show(console, title, *tables.layer_rows(result, batch, threads, statistic))
    tables.show(console, "Geometric means of the ratios", *tables.mean_rows(result, statistic))
    tables.show(console, "Sums over the layers times their counts", *tables.sum_rows(result, statistic))
    tables.show(console, "Peak memory of one call", *tables.memory_rows(result))


def main():
    options, console = arguments(), tables.console()
    todo = list(problems(options))
    if not todo:
        raise SystemExit("no layer matches")
    choices = {"layouts": options.layout, "algorithms": options.algorithms, "cold": options.cold}
    settings = choices | {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "statistic": options.statistic,
    }
    settings |= {"busy": machine.warn_if_busy(console.print)}
    result = results.new({}, settings)
    expected = {}
    with tqdm.tqdm(total=len(todo) * len(options.threads), unit="layer", dynamic_ncols=True) as bar:
        for threads in options.threads:
            result["peaks"][str(threads)] = machine.peaks(threads)
            with pool.Pool([SUBJECT, *options.peers], threads, choices, bar.write) as workers:
                result["versions"] |= workers.versions
                judge = contest.Contest(
                    workers, options.rounds, options.seconds, not options.no_memory, bar.write
                )
                for file, layer in todo:
                    bar.set_postfix_str(f"{layer.name}, {threads} threads")
                    if layer not in expected:
                        expected[layer] = reference.conv2d(layer, *layer.arrays())
                    outcome = judge.run(layer.name, expected[layer], layer=str(layer))
                    result["records"].append(record(file, layer, threads, outcome))
                    bar.update()
    if options.pareto:
        result["pareto"] = pareto(options, todo, console.print)
    results.save(result, options.json)
    report(console, result, options.statistic)
    written = plots.draw(result, options.plot, options.statistic)
    console.print("wrote", *map(str, [options.json, *written]))
    raise SystemExit(bool(results.wrong(result)))


if __name__ == "__main__":
    main()
