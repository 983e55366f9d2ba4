# SPDX-License-Identifier: BSD-3-Clause
"""The roofs of the roofline: how fast this machine multiplies, and how fast it moves bytes.

``python bench/peaks.py --threads N`` prints JSON. The multiplication roof is pyconv's loop of multiply-adds
in registers, in float32; bandwidth is that of copying, both ways counted.
"""

import argparse
import concurrent.futures
import json
import time

import numpy as np
from pyconv._kernels import multiply_add

STEPS = 10**6
CACHED, UNCACHED = 1 << 19, 1 << 29  # bytes per process: within a core's L2, and beyond any private cache


def best(function, seconds=0.5):
    """The fastest of the calls within that time."""
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def multiply(threads):
    """Flops per second of so many threads, each in registers of its own."""
    with concurrent.futures.ThreadPoolExecutor(threads) as executor:
        flops = multiply_add(STEPS) * threads
        return flops / best(lambda: list(executor.map(multiply_add, [STEPS] * threads)))


def copy(nbytes):
    """Bytes per second, read plus written."""
    source, target = np.ones((2, nbytes // 8), np.float32)
    return nbytes / best(lambda: np.copyto(target, source))


def copies(nbytes, processes):
    """The same by several processes at once, summed."""
    with concurrent.futures.ProcessPoolExecutor(processes) as executor:
        return sum(executor.map(copy, [nbytes] * processes))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    print(
        json.dumps(
            {
                "flops": multiply(threads),
                "flops_by": "multiply-adds in registers",
                "bandwidth": {
                    "copy within L2": copies(CACHED, threads),
                    "copy in memory": copies(UNCACHED, threads),
                },
            }
        )
    )


if __name__ == "__main__":
    main()
