# SPDX-License-Identifier: BSD-3-Clause
"""``python -m pyconv``: what is built, what a convolution or network costs, what this machine can do."""

import argparse
import json

from . import _calibrate, explain, show_config
from ._explain import OF
from ._kernels import ACCURACIES, DTYPES, ELEMENTS, LAYOUTS, PADDING_MODES


def calibrate(options):
    rates = _calibrate.measure()
    for name, value in rates.items():
        print(f"{name:10} {value:.4g}")
    if not options.dry_run:
        try:
            print("wrote", _calibrate.save(rates))
        except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home
            raise SystemExit(
                f"error: the rates can't be kept: {error}; PYCONV_CACHE_DIR names another folder"
            ) from None


def numbers(text):
    """``1,2`` as (1, 2), ``1`` as 1."""
    values = tuple(int(word) for word in text.split(","))
    return values if len(values) > 1 else values[0]


def padding(text):
    """Numbers, four of them as top,bottom,left,right, or a word."""
    if not text[:1].isdigit():
        return text
    values = numbers(text)
    return (values[:2], values[2:]) if isinstance(values, tuple) and len(values) == 4 else values


def border(text):
    """A word, or ``constant,5``."""
    word, comma, value = text.partition(",")
    return (word, float(value)) if comma else word


def show_explanation(options):
    given = vars(options)
    keywords = {
        name: value for name, value in given.items() if name not in ("run", "input", "weight", "json")
    }
    try:
        report = explain(options.input, options.weight, **keywords)
    except (TypeError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
    print(json.dumps(report.rows, indent=2) if options.json else report)


def feed(text):
    """``1,3,224,224`` or ``image=1,3,224,224`` as (name or None, shape)."""
    name, equals, shape = text.rpartition("=")
    sizes = tuple(int(word) for word in shape.split(","))
    return (name if equals else None), sizes


def run_network(options):
    try:
        from .onnx import show

        rows, whole, other = show.measure(
            options.model,
            options.input,
            options.threads,
            options.runs,
            accuracy=options.accuracy,
            max_workspace=options.max_workspace,
            tuning=options.tuning,
        )
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
    if options.json:
        words = "step", "seconds", "by", "onnxruntime_nodes_seconds"
        steps = [dict(zip(words, row[:4], strict=True)) for row in rows]
        print(json.dumps({"pyconv_seconds": whole, "onnxruntime_seconds": other, "steps": steps}, indent=2))
    else:
        print(*show.table(rows, whole, other), sep="\n")
    if options.picture:
        drawn = show.draw(rows, whole, other, options.picture)
        print(f"wrote {options.picture}" if drawn else "no picture: matplotlib is not installed")


def parser():
    top = argparse.ArgumentParser(prog="python -m pyconv", description="Convolutions for NumPy arrays.")
    commands = top.add_subparsers(required=True, metavar="command")
    info = commands.add_parser("info", help="version, compiler, instruction sets, threads, BLAS, rates")
    info.set_defaults(run=lambda options: show_config())
    costs = commands.add_parser(
        "explain",
        help="what every algorithm would cost for one convolution, and which is chosen",
        epilog="Example: python -m pyconv explain --input 1,64,56,56 --weight 64,64,3,3 --padding 1",
    )
    add = costs.add_argument
    add(
        "--input", type=numbers, required=True, metavar="N,C,H,W", help="shape, or N,H,W,C with --layout NHWC"
    )
    add("--weight", type=numbers, required=True, metavar="K,C,R,S", help="shape; C is channels / groups")
    add("--of", choices=OF, default="forward", help="the convolution or one of its gradients")
    add("--stride", type=numbers, default=1, metavar="INT[,INT]")
    add(
        "--padding",
        type=padding,
        default=0,
        help="1, or 1,2 (rows, columns), or four sides, or same, valid, full",
    )
    add("--dilation", type=numbers, default=1, metavar="INT[,INT]")
    add("--groups", type=int, default=1)
    add("--layout", choices=LAYOUTS, default="NCHW")
    modes = ", ".join(word for word in PADDING_MODES if word != "constant")
    add("--padding-mode", type=border, default="zeros", help=f"{modes} or constant,VALUE")
    add("--dtype", choices=ELEMENTS, default="float32", help="of the input")
    add("--weight-dtype", choices=DTYPES, help="default: that of the input, or float32")
    add("--out-dtype", choices=ELEMENTS, help="default: that of the weight")
    add("--max-workspace", metavar="BYTES", help="e.g. 1000000 or 64MB")
    add("--accuracy", choices=ACCURACIES)
    add("--threads", type=int)
    add("--measure", action="store_true", help="time the eligible ones, too")
    add("--json", action="store_true", help="rows instead of a table")
    costs.set_defaults(run=show_explanation)
    network = commands.add_parser(
        "run",
        help="time an ONNX network step by step, beside onnxruntime (needs pyconv[onnx])",
        epilog="Example: python -m pyconv run network.onnx --input 1,3,224,224 --picture network.png",
    )
    add = network.add_argument
    add("model", help="an ONNX file")
    add(
        "--input",
        type=feed,
        action="append",
        default=[],
        metavar="[NAME=]SHAPE",
        help="shape of an input that the file leaves open, e.g. 1,3,224,224; once for each",
    )
    add("--threads", type=int)
    add("--runs", type=int, default=20, help="of which the fastest counts")
    add("--accuracy", choices=ACCURACIES)
    add("--max-workspace", metavar="BYTES", help="of each convolution, e.g. 64MB")
    add("--tuning", choices=("model", "measure"), help="how layouts are chosen")
    add("--picture", metavar="FILE", help="of the slowest steps, by matplotlib")
    add("--json", action="store_true", help="steps instead of a table")
    network.set_defaults(run=run_network)
    rates = commands.add_parser(
        "calibrate",
        help="measure what this machine does in a second, for the choice of the algorithm",
        description="Takes some ten seconds, best on a quiet machine. The rates are kept in the user's cache "
        "directory (PYCONV_CACHE_DIR overrides it) and read at import.",
    )
    rates.add_argument("--dry-run", action="store_true", help="measure and print, write nothing")
    rates.set_defaults(run=calibrate)
    return top


def main(arguments=None):
    options = parser().parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
