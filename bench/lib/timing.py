# SPDX-License-Identifier: BSD-3-Clause
"""Times of calls, and what to make of them."""

import statistics
import time


def calls(run, seconds, warm=0.2):
    """Seconds of each call within about ``seconds``, one at least, after warming up for ``warm`` of that."""
    clock = time.perf_counter
    end = clock() + warm * seconds
    run()
    while clock() < end:
        run()
    times, end = [], clock() + seconds
    while not times or clock() < end:
        start = clock()
        run()
        times.append(clock() - start)
    return times


def summary(rounds):
    """Of rounds of calls: the median of their medians, the fastest call, and the spread.

    Each round is one draw of the machine's mood, so the spread is that of the rounds: the distance between
    the quartiles of their medians, as a fraction of the median.
    """
    medians = [statistics.median(times) for times in rounds]
    middle = statistics.median(medians)
    low, _, high = statistics.quantiles(medians, n=4, method="inclusive") if len(medians) > 1 else medians * 3
    return {
        "median": middle,
        "min": min(min(times) for times in rounds),
        "spread": (high - low) / middle,
        "rounds": medians,
    }


def geometric_mean(values):
    values = list(values)
    return statistics.geometric_mean(values) if values else float("nan")
