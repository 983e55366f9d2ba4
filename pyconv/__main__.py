# SPDX-License-Identifier: BSD-3-Clause
"""``python -m pyconv``: what is built, what a convolution costs, what this machine can do."""

import argparse

from . import _calibrate, show_config


def calibrate(options):
    rates = _calibrate.measure()
    for name, value in rates.items():
        print(f"{name:10} {value:.4g}")
    if not options.dry_run:
        print("wrote", _calibrate.save(rates))


def parser():
    top = argparse.ArgumentParser(prog="python -m pyconv", description="Convolutions for NumPy arrays.")
    commands = top.add_subparsers(required=True, metavar="command")
    info = commands.add_parser("info", help="version, compiler, instruction sets, threads, BLAS, rates")
    info.set_defaults(run=lambda options: show_config())
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
