# SPDX-License-Identifier: BSD-3-Clause
"""Compares two results of pyconv's, with the noise of both in mind.

    python bench/regress.py old.json new.json

A time counts as changed when it moved by more than ``--threshold`` plus the spreads of both measurements.
Before that, both are put on one scale: libraries whose version is the same in both results have not changed,
so the geometric mean of their changes is the machine's. The exit status is 1 if anything became slower.
"""

import argparse
import math

from lib import results, tables, timing
from lib.peers import SUBJECT


def pairs(old, new):
    """(record, old entry, new entry) of every measurement that both results have."""

    def index(result):
        keys = ("file", "name", "batch", "threads")
        return {
            (*(record[key] for key in keys), entry["peer"], entry["variant"]): (record, entry)
            for record in result["records"]
            for entry in record["entries"]
        }

    before, after = index(old), index(new)
    return [(after[key][0], before[key][1], after[key][1]) for key in before if key in after]


def drift(old, new, statistic):
    """By how much the machine itself became slower, seen on libraries that did not change; 1 without any."""
    same = {peer for peer in old["versions"] if old["versions"][peer] == new["versions"].get(peer)} - {
        SUBJECT
    }
    changes = [b[statistic] / a[statistic] for _, a, b in pairs(old, new) if a["peer"] in same]
    return timing.geometric_mean(changes) if changes else 1.0


def verdicts(old, new, threshold, statistic="median"):
    """(record, variant, change of time, margin, verdict) of pyconv's measurements, the worst first."""
    scale = drift(old, new, statistic)
    found = []
    for record, a, b in pairs(old, new):
        if a["peer"] == SUBJECT:
            change = b[statistic] / a[statistic] / scale
            margin = threshold + math.hypot(a["spread"], b["spread"])
            verdict = "slower" if change > 1 + margin else "faster" if 1 / change > 1 + margin else ""
            found.append((record, a["variant"], change, margin, verdict))
    return sorted(found, key=lambda row: -row[2])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=results.load)
    parser.add_argument("new", type=results.load)
    parser.add_argument("--threshold", type=float, default=0.03, help="changes up to this are not reported")
    parser.add_argument("--statistic", choices=["median", "min"], default="median")
    options = parser.parse_args()
    found = verdicts(options.old, options.new, options.threshold, options.statistic)
    if not found:
        raise SystemExit("the two results have no measurement of pyconv's in common")
    rows = [
        [
            record["name"],
            str(record["batch"]),
            str(record["threads"]),
            variant,
            f"{change:.3f}",
            f"{margin:.1%}",
            verdict,
        ]
        for record, variant, change, margin, verdict in found
        if verdict
    ]
    console = tables.console()
    columns = ["layer", "batch", "threads", "variant", "new / old time", "margin", "verdict"]
    tables.show(console, "Changes beyond the noise", columns, rows)
    mean = timing.geometric_mean(change for _, _, change, _, _ in found)
    machine = drift(options.old, options.new, options.statistic)
    slower = sum(row[-1] == "slower" for row in rows)
    console.print(
        f"{len(found)} measurements, {slower} slower, {len(rows) - slower} faster; "
        f"geometric mean of new / old {mean:.3f} after dividing by the machine's {machine:.3f}"
    )
    raise SystemExit(slower > 0)


if __name__ == "__main__":
    main()
