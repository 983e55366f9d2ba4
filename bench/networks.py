# SPDX-License-Identifier: BSD-3-Clause
"""Times whole convolution stacks: random weights, bias, residual and ReLU, layer after layer.

    python bench/networks.py --networks resnet50 --peers torch,onnxruntime --threads 1,2

A pooling between stages is replaced by taking every second pixel: nothing but convolution is compared.
"""

import argparse
import pathlib

import tqdm
from compare import numbers, words
from lib import contest, machine, plots, pool, results, stacks, tables
from lib.peers import SUBJECT

PEERS = ["torch", "onnxruntime"]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--networks", type=words, default=list(stacks.STACKS), help=f"of {','.join(stacks.STACKS)}")
    add("--peers", type=words, default=PEERS, help=f"of {','.join(PEERS)}; missing ones are skipped")
    add("--threads", type=numbers, default=[1], help="e.g. 1,2")
    add("--batch", type=int, default=1)
    add("--layout", type=words, default=["nchw", "nhwc"], help="of pyconv")
    add("--rounds", type=int, default=5)
    add("--seconds", type=float, default=0.5, help="per round, library and variant")
    add("--json", type=pathlib.Path, default=pathlib.Path("networks.json"))
    add("--plot", type=pathlib.Path, default=pathlib.Path("networks.png"))
    return parser.parse_args()


def main():
    options, console = arguments(), tables.console()
    choices = {"layouts": options.layout, "algorithms": ["auto"], "cold": False}
    settings = choices | {"rounds": options.rounds, "seconds": options.seconds}
    settings |= {"busy": machine.warn_if_busy(console.print)}
    result = results.new({}, settings)
    with tqdm.tqdm(
        total=len(options.networks) * len(options.threads), unit="network", dynamic_ncols=True
    ) as bar:
        for name in options.networks:
            stack = stacks.STACKS[name](options.batch)
            bar.set_postfix_str(name)
            expected = stacks.expected(stack, *stacks.arrays(stack))
            for threads in options.threads:
                with pool.Pool([SUBJECT, *options.peers], threads, choices, bar.write) as workers:
                    result["versions"] |= workers.versions
                    judge = contest.Contest(workers, options.rounds, options.seconds, True, bar.write)
                    outcome = judge.run(name, expected, network=name, batch=options.batch)
                head = {"name": name, "network": name, "file": name, "count": 1, "batch": options.batch}
                sizes = {"threads": threads, "flops": sum(node.layer.flops for node in stack), "bytes": None}
                result["records"].append(head | sizes | outcome)
                bar.update()
    results.save(result, options.json)
    tables.show(console, "Whole convolution stacks", *tables.network_rows(result))
    console.print("wrote", *map(str, [options.json, *plots.draw(result, options.plot)]))
    raise SystemExit(bool(results.wrong(result)))


if __name__ == "__main__":
    main()
