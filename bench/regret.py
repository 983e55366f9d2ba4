# SPDX-License-Identifier: BSD-3-Clause
"""How much slower the algorithm that "auto" chooses is than the fastest one.

    python bench/regret.py --json regret.json

Every eligible algorithm of each layer is timed beside the others, in turns, on its fastest call. With one
thread the clock is that of the thread, which other programs don't advance. BLAS has
one thread for each of pyconv's.
"""

import argparse
import os
import pathlib
import random
import statistics
import time

import tqdm
from lib import machine, results, shapes, tables

HERE = pathlib.Path(__file__).parent
HOPELESS = 5  # times the fastest so far: one call is enough


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--shapes", nargs="*", type=pathlib.Path, default=[HERE / "shapes" / "regret.txt"], metavar="FILE")
    add("--random", type=int, default=0, metavar="COUNT", help="so many random layers besides")
    add("--seed", type=int, default=0, help="of the random layers")
    add("--layout", type=lambda text: text.split(","), default=["nchw", "nhwc"])
    add("--threads", type=int, default=1)
    add("--accuracy", choices=["strict", "standard", "fast"], default="standard")
    add("--seconds", type=float, default=0.04, help="for each algorithm")
    add("--json", type=pathlib.Path, default=pathlib.Path("regret.json"))
    return parser.parse_args()


def invent(count, seed):
    """Random layers of 10 thousand to 300 million multiplications, every kind of them."""
    draw = random.Random(seed)
    while count:
        kernel = draw.choice(
            [(1, 1), (1, 1), (3, 3), (3, 3), (3, 3), (5, 5), (7, 7), (1, 5), (5, 1), (2, 2), (4, 3)]
        )
        groups = draw.choice([1, 1, 1, 1, 2, 4, 8, 0])
        ic, oc = (max(1, round(2 ** draw.uniform(0, 9.5))) for _ in "io")
        g = ic if groups == 0 else groups
        ic, oc = max(g, ic // g * g), g * draw.choice([1, 2]) if groups == 0 else max(g, oc // g * g)
        size = [max(k, round(2 ** draw.uniform(2, 8))) for k in kernel]
        stride, dilation = draw.choice([1, 1, 1, 2]), draw.choice([1, 1, 1, 1, 2])
        padding = [draw.choice([0, k // 2 * dilation]) for k in kernel]
        n = draw.choice([1, 1, 1, 3, 8])
        try:
            name = f"random_{seed}_{count}"
            layer = shapes.Layer(
                name, n, ic, *size, oc, *kernel, stride, stride, *padding, g, dilation, dilation
            )
        except ValueError:  # larger than the image
            continue
        if 1e4 < layer.flops / 2 < 3e8:
            count -= 1
            yield layer


def keywords(layer, layout, options):
    return {
        "stride": (layer.sh, layer.sw),
        "padding": (layer.ph, layer.pw),
        "dilation": (layer.dh, layer.dw),
        "groups": layer.g,
        "layout": layout.upper(),
        "threads": options.threads,
        "accuracy": options.accuracy,
    }


def fastest(plans, x, seconds, clock):
    """{algorithm: seconds of its fastest call}, in turns until each has had its share of the time."""
    import numpy as np

    calls = {}
    for name, plan in plans.items():
        out, workspace = np.empty(plan.output_shape, plan.dtype), plan.new_workspace()
        calls[name] = lambda plan=plan, out=out, workspace=workspace: plan(x, out, workspace)
    least, repeats = {}, {}
    for name, call in calls.items():
        start = clock()
        call()
        first = clock() - start
        if first > HOPELESS * min(least.values(), default=first):
            least[name] = first
            continue
        start = clock()
        call()
        least[name] = clock() - start
    best = min(least.values())
    racing = {name: call for name, call in calls.items() if least[name] <= HOPELESS * best}
    for name in racing:
        repeats[name] = max(1, round(1e-3 / max(least[name], 1e-7)))
    end, turn = time.perf_counter() + seconds * len(racing), random.Random(0)
    while True:
        # Each finds in the caches what the one before it left: no one may always follow the same.
        for name in turn.sample(sorted(racing), len(racing)):
            start = clock()
            for _ in range(repeats[name]):
                racing[name]()
            least[name] = min(least[name], (clock() - start) / repeats[name])
        if time.perf_counter() > end:
            return least


def judge(layer, layout, options):
    """The record of one layer."""
    import numpy as np
    from lib.peers.pyconv import FROM_NCHW

    import pyconv

    x, weight, bias = layer.arrays()
    x = np.ascontiguousarray(x.transpose(FROM_NCHW[layout]))
    words = keywords(layer, layout, options)
    rows = pyconv.explain(x.shape, weight.shape, **words).rows
    predicted = {row["algorithm"]: row["predicted_seconds"] for row in rows if row["eligible"]}
    chosen = next(row["algorithm"] for row in rows if row["chosen"])
    # The plain loop and the like, where a call takes seconds and the outcome is known.
    serious = [name for name, value in predicted.items() if value < 100 * predicted[chosen] or value < 1e-3]
    plans = {name: pyconv.plan(x.shape, weight, bias, algorithm=name, **words) for name in serious}
    clock = time.thread_time if options.threads == 1 else time.perf_counter
    measured = fastest(plans, x, options.seconds, clock)
    winner = min(measured, key=measured.get)
    return {
        "name": layer.name,
        "layer": str(layer),
        "layout": layout,
        "threads": options.threads,
        "flops": layer.flops,
        "chosen": chosen,
        "fastest": winner,
        "regret": measured[chosen] / measured[winner] - 1,
        "predicted": predicted,
        "measured": measured,
    }


def row(record):
    chosen, winner = record["chosen"], record["fastest"]
    return [
        record["name"],
        record["layout"],
        chosen,
        winner if winner != chosen else "",
        *(f"{record['measured'][name] * 1e6:.1f}" for name in (chosen, winner)),
        f"{record['predicted'][chosen] * 1e6:.1f}",
        f"{record['regret']:.0%}",
    ]


def summary(records):
    """Mean and largest regret, and how many choices were the fastest algorithm."""
    regrets = [record["regret"] for record in records]
    return {
        "layers": len(regrets),
        "mean": statistics.fmean(regrets),
        "largest": max(regrets),
        "fastest chosen": sum(record["chosen"] == record["fastest"] for record in records),
    }


def main():
    options = arguments()
    # Read when BLAS is loaded, with pyconv.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    import pyconv

    layers = [layer for path in options.shapes for layer in shapes.load(path)]
    layers += invent(options.random, options.seed)
    console = tables.console()
    result = results.new({"pyconv": pyconv.__version__}, {"seconds": options.seconds})
    result["rates"] = pyconv._kernels.rates()
    result["settings"]["busy"] = machine.warn_if_busy(console.print) if options.threads > 1 else None
    for layer in tqdm.tqdm(layers, unit="layer", dynamic_ncols=True):
        result["records"] += [judge(layer, layout, options) for layout in options.layout]
    result["summary"] = summary(result["records"])
    results.save(result, options.json)
    columns = ["layer", "layout", "chosen", "faster", "us", "fastest us", "predicted us", "regret"]
    tables.show(console, f"Regret, {options.threads} threads", columns, list(map(row, result["records"])))
    console.print({key: round(value, 3) for key, value in result["summary"].items()})


if __name__ == "__main__":
    main()
