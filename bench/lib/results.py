# SPDX-License-Identifier: BSD-3-Clause
"""What a run leaves behind: one JSON file. And the questions asked of it.

``records`` has one entry per problem, batch and number of threads::

    {"name", "layer" or "network", "file", "count", "batch", "threads", "flops", "bytes",
     "entries": [{"peer", "variant", "median", "min", "spread", "rounds", "error", "memory", ...}],
     "skipped": {"peer variant": "why"}, "wrong": {"peer variant": "how far"}}

Times are in seconds, for the whole batch.
"""

import json
import pathlib
import sys

from lib import machine, timing
from lib.peers import SUBJECT

FORMAT = 1


def new(versions, settings):
    command = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
    return {
        "format": FORMAT,
        "command": " ".join(pathlib.Path(word).name if word.startswith("/") else word for word in command),
        "machine": machine.describe(),
        "versions": versions,
        "settings": settings,
        "peaks": {},
        "records": [],
    }


def save(result, path):
    """Short lists stay on one line, so that the file can be read and its changes too."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {key: value for key, value in result.items() if key != "records"}
    records = ",\n".join(json.dumps(record) for record in result["records"])
    path.write_text(json.dumps(head, indent=1)[:-2] + ',\n "records": [\n' + records + "\n]}\n")


def load(path):
    result = json.loads(pathlib.Path(path).read_text())
    if result.get("format") != FORMAT:
        raise ValueError(f"{path}: format {result.get('format')}, this version reads {FORMAT}")
    return result


def fastest(record, peer=None, word=None, statistic="median"):
    """The fastest entry of one peer (with a word: of its variants so named) or of all peers; or None."""
    entries = [
        entry
        for entry in record["entries"]
        if (entry["peer"] == peer if peer else entry["peer"] != SUBJECT)
        and (word is None or word in entry["variant"].split())
    ]
    return min(entries, key=lambda entry: entry[statistic], default=None)


def ratio(record, peer=None, word=None, statistic="median"):
    """The peer's (the best one's) time by ours: above 1, pyconv is faster. None where one is missing."""
    theirs, ours = fastest(record, peer, None, statistic), fastest(record, SUBJECT, word, statistic)
    return theirs[statistic] / ours[statistic] if theirs and ours else None


def share_of_peak(result, record, statistic="median"):
    """pyconv's flops per second by those of multiply-adds in the registers of as many threads; or None."""
    peaks, ours = result["peaks"].get(str(record["threads"])), fastest(record, SUBJECT, None, statistic)
    return record["flops"] / ours[statistic] / peaks["flops"] if peaks and ours else None


def words(result):
    """What tells apart the variants of pyconv that were timed: layouts, algorithms, cold calls."""
    settings = result["settings"]
    timed = dict.fromkeys(
        word
        for record in result["records"]
        for entry in record["entries"]
        if entry["peer"] == SUBJECT
        for word in entry["variant"].split()
    )
    layouts = [word for word in timed if word in settings["layouts"]]
    others = [word for word in timed if word not in layouts]
    return layouts + (others if len(others) > 1 else [])


def peers(result):
    """The peers that timed anything, in the order of their first appearance."""
    return list(
        dict.fromkeys(e["peer"] for r in result["records"] for e in r["entries"] if e["peer"] != SUBJECT)
    )


def wrong(result):
    """What of pyconv's gave a wrong result: (layer or network, variant, how far)."""
    return [
        (record["name"], name, how)
        for record in result["records"]
        for name, how in record["wrong"].items()
        if name.split()[0] == SUBJECT
    ]


def select(result, **wanted):
    """The records whose keys have these values."""
    return [r for r in result["records"] if all(r.get(key) == value for key, value in wanted.items())]


def settings(result):
    """The (batch, threads) pairs that were run."""
    return list(dict.fromkeys((record["batch"], record["threads"]) for record in result["records"]))


def mean_ratio(records, **keywords):
    """Geometric mean over the records that have a ratio; None without one."""
    ratios = [value for record in records if (value := ratio(record, **keywords))]
    return timing.geometric_mean(ratios) if ratios else None


def network_sums(records, statistic="median"):
    """{peer: sum of count times seconds}, of those that ran every layer; "best peer" may differ by layer."""
    names = dict.fromkeys(entry["peer"] for record in records for entry in record["entries"])
    sums = {}
    for peer in [*names, None]:
        best = [fastest(record, peer, None, statistic) for record in records]
        if all(best):
            terms = (record["count"] * entry[statistic] for record, entry in zip(records, best, strict=True))
            sums[peer or "best peer"] = sum(terms)
    return sums
