# SPDX-License-Identifier: BSD-3-Clause
"""Times whole convolution stacks: random weights, bias, residual and ReLU, layer after layer.

    python bench/networks.py --networks resnet50 --peers torch,onnxruntime --threads 1,2
    python bench/networks.py --training --threads 1,2

With --training a call is a step: forward, the gradients of all weights and biases, and SGD's update, against
PyTorch's autograd and SGD. A pooling between stages is replaced by taking every second pixel: nothing but
convolution is compared.
"""

import argparse
import pathlib

import tqdm
from compare import numbers, words
from lib import contest, machine, plots, pool, results, stacks, tables, training
from lib.peers import SUBJECT

PEERS = ["torch", "onnxruntime"]
SIZES = {False: (1, 224), True: (8, 64)}  # batch and pixels along an axis, of inference and of training


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--networks", type=words, default=list(stacks.STACKS), help=f"of {','.join(stacks.STACKS)}")
    add("--training", action="store_true", help="steps of training, against PyTorch alone")
    add("--peers", type=words, default=PEERS, help=f"of {','.join(PEERS)}; missing ones are skipped")
    add("--threads", type=numbers, default=[1], help="e.g. 1,2")
    add("--batch", type=int, help="default: 1, in training 8")
    add("--image", type=int, help="pixels along an axis; default: 224, in training 64")
    add("--layout", type=words, default=["nchw", "nhwc"], help="of pyconv")
    add("--rounds", type=int, default=5)
    add("--seconds", type=float, default=0.5, help="per round, library and variant")
    add("--statistic", choices=["median", "min"], default="median", help="of the rounds, in tables and plots")
    add("--no-memory", action="store_true", help="don't measure peak memory (a fresh process each)")
    add("--json", type=pathlib.Path, default=pathlib.Path("networks.json"))
    add("--plot", type=pathlib.Path, default=pathlib.Path("networks.png"))
    options = parser.parse_args()
    batch, image = SIZES[options.training]
    options.batch, options.image = options.batch or batch, options.image or image
    if options.training:
        options.peers = [peer for peer in options.peers if peer == "torch"]
    return options


def passes(node, training):
    """Convolutions of the size of a node's: one, or the gradients too, of which an image needs none."""
    return 1 if not training else 3 if node.source else 2


def main():
    options, console = arguments(), tables.console()
    choices = {"layouts": options.layout, "algorithms": ["auto"], "cold": False, "training": options.training}
    settings = choices | {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "statistic": options.statistic,
    }
    settings |= {"busy": machine.warn_if_busy(console.print)}
    result = results.new({}, settings)
    with tqdm.tqdm(
        total=len(options.networks) * len(options.threads), unit="network", dynamic_ncols=True
    ) as bar:
        for name in options.networks:
            stack = stacks.STACKS[name](options.batch, options.image)
            bar.set_postfix_str(name)
            truth = training if options.training else stacks
            expected = truth.expected(stack, *stacks.arrays(stack))
            for threads in options.threads:
                with pool.Pool([SUBJECT, *options.peers], threads, choices, bar.write) as workers:
                    result["versions"] |= workers.versions
                    judge = contest.Contest(
                        workers, options.rounds, options.seconds, not options.no_memory, bar.write
                    )
                    problem = {name: getattr(options, name) for name in ("batch", "image", "training")}
                    outcome = judge.run(name, expected, network=name, **problem)
                head = {"name": name, "network": name, "file": name, "count": 1, "batch": options.batch}
                flops = sum(node.layer.flops * passes(node, options.training) for node in stack)
                sizes = {"threads": threads, "flops": flops, "bytes": None}
                result["records"].append(head | sizes | outcome)
                bar.update()
    results.save(result, options.json)
    title = "Steps of training" if options.training else "Whole convolution stacks"
    tables.show(console, title, *tables.network_rows(result, options.statistic))
    console.print("wrote", *map(str, [options.json, *plots.draw(result, options.plot, options.statistic)]))
    raise SystemExit(bool(results.wrong(result)))


if __name__ == "__main__":
    main()
