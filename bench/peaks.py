# SPDX-License-Identifier: BSD-3-Clause
"""The roofs of the roofline: how fast this machine multiplies, and how fast it moves bytes.

``python bench/peaks.py --threads N`` prints JSON. The multiplication roof is a large float32 matrix product
by NumPy's BLAS, a little below what the units could do; bandwidth is that of copying, both ways counted.
"""

import argparse
import concurrent.futures
import json
import time

import numpy as np

N = 2048
CACHED, UNCACHED = 1 << 19, 1 << 29  # bytes per process: within a core's L2, and beyond any private cache


def best(function, seconds=0.5):
    """The fastest of the calls within that time."""
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def multiply():
    a, b, c = (np.full((N, N), value, np.float32) for value in (1, 2, 0))
    return 2 * N**3 / best(lambda: np.matmul(a, b, out=c))


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
                "flops": multiply(),
                "flops_by": f"{N}x{N} sgemm",
                "bandwidth": {
                    "copy within L2": copies(CACHED, threads),
                    "copy in memory": copies(UNCACHED, threads),
                },
            }
        )
    )


if __name__ == "__main__":
    main()
