# SPDX-License-Identifier: BSD-3-Clause
"""
A process that runs problems: one line of JSON per finding, and a shared file that says which problem it is
at, so that the parent knows what killed it.
"""

import contextlib
import faulthandler
import json
import mmap
import struct
import time

from .check import State, run
from .problems import draw, line
from .shrink import shrink

RECORD = struct.Struct("<qqqqd")  # problem at work, done, calls, refused, when it was begun


for_good = contextlib.ExitStack()
EACH = 2  # findings shown that look alike; more are counted


def signature(p, failure):
    """What findings of one cause often share."""
    special = (
        p["data"] if p["data"] in ("nan", "inf", "nan_weight", "large", "denormal", "integers") else "numbers"
    )
    half = p["dtype"] == "float16"
    return " ".join(
        [
            p["op"],
            failure[0],
            special,
            *(["float16"] if half else []),
            "by name" if p["algorithm"] != "auto" else "auto",
        ]
    )


def names():
    """Algorithms, and the instruction sets this machine has."""
    import pyconv
    from pyconv import _kernels

    return pyconv.algorithms(), _kernels.build_info()["instruction sets"]


def work(path, seed, first, step, count, seconds, isas, fixed, send, mutation=None):
    """Problems first, first + step, …; at most `count` of them, for at most so many seconds."""
    faulthandler.enable()
    plant(mutation)
    with open(path, "r+b") as file:
        record = mmap.mmap(file.fileno(), RECORD.size)
    algorithms, available = names()
    state, isas = State(), isas or available
    seen = {}
    number, done, calls, refused, end = first, 0, 0, 0, time.monotonic() + seconds
    while done < count and time.monotonic() < end:
        record[:] = RECORD.pack(number, done, calls, refused, time.time())
        p = draw(seed, number, algorithms, isas, fixed)
        outcome = run(p, state)
        done, calls, refused = done + 1, calls + outcome.calls, refused + outcome.refused
        if outcome.failure:
            sign = signature(p, outcome.failure)
            seen[sign] = seen.get(sign, 0) + 1
            if seen[sign] <= EACH:
                send(finding(p, number, outcome.failure, lambda q: (run(q, state).failure or (None,))[0]))
        number += step
    for sign, times in seen.items():
        if times > EACH:
            send({"again": f"{times - EACH} more like: {sign}"})
    record[:] = RECORD.pack(-1, done, calls, refused, time.time())


def finding(p, number, failure, fails, seconds=20):
    small = shrink(p, fails, seconds)
    return {
        "number": number,
        "kind": failure[0],
        "text": failure[1],
        "problem": line(p),
        "small": line(small),
    }


def plant(mutation):
    """For the rest of the process."""
    if mutation:
        from .mutations import planted

        for_good.enter_context(planted(mutation))


def replay(text, mutation=None):
    """Run one problem given as JSON; print and return what is wrong with it."""
    from .problems import parse

    faulthandler.enable()
    plant(mutation)

    failure = run(parse(text), State()).failure
    print(json.dumps({"kind": failure[0], "text": failure[1]}) if failure else "{}", flush=True)
    return failure
