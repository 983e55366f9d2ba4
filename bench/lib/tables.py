# SPDX-License-Identifier: BSD-3-Clause
"""Results as tables: on the terminal through rich, in Markdown for the README."""

import rich.console
import rich.table

from lib import results, timing
from lib.peers import SUBJECT

FILTER_VARIANTS = ["plan", "call", "ndimage"]  # of pyconv's
FILTER_PEERS = ["opencv", "scipy", "skimage"]
FILTER_RATIOS = [  # time of the first by pyconv's way
    ("opencv", "plan"),
    ("opencv", "call"),
    ("scipy", "plan"),
    ("scipy", "ndimage"),
    ("skimage", "plan"),
]


def number(value, form=".2f"):
    return "-" if value is None else format(value, form)


def speed(value):
    return number(value, ".0f" if value and value >= 10 else ".1f")


def layer_rows(result, batch, threads, statistic="median"):
    """Header and rows: each library's fastest GFLOP/s, share of the peak, ratios, layer by layer."""
    words, peers = results.words(result), results.peers(result)
    columns = ["layer", *(f"{SUBJECT} {word}" for word in words), *peers, "of peak", "spread", "ratio"]
    columns += [f"ratio {word}" for word in words] if len(words) > 1 else []
    rows = []
    for record in results.select(result, batch=batch, threads=threads):
        entries = [results.fastest(record, SUBJECT, word, statistic) for word in words]
        entries += [results.fastest(record, peer, None, statistic) for peer in peers]
        speeds = [entry and record["flops"] / entry[statistic] / 1e9 for entry in entries]
        spread = max((entry["spread"] for entry in entries if entry), default=None)
        ratios = [results.ratio(record, None, word, statistic) for word in [None, *words]]
        ratios = ratios if len(words) > 1 else ratios[:1]
        shares = [number(results.share_of_peak(result, record, statistic), ".0%"), number(spread, ".0%")]
        rows.append([record["name"], *map(speed, speeds), *shares, *map(number, ratios)])
    return columns, rows


def mean_rows(result, statistic="median"):
    """Geometric means of the ratios over all layers: to the best peer of each layer and to each peer."""
    words, peers = results.words(result), results.peers(result)
    columns = ["batch", "threads", "layers", "to the best peer", *(f"{word} to it" for word in words)]
    columns += [f"to {peer}" for peer in peers]
    rows = []
    for batch, threads in results.settings(result):
        records = results.select(result, batch=batch, threads=threads)
        means = [results.mean_ratio(records, statistic=statistic)]
        means += [results.mean_ratio(records, word=word, statistic=statistic) for word in words]
        means += [results.mean_ratio(records, peer=peer, statistic=statistic) for peer in peers]
        rows.append([str(batch), str(threads), str(len(records)), *map(number, means)])
    return columns, rows


def sum_rows(result, statistic="median"):
    """Milliseconds of each file's layers times their counts, for libraries that ran them all."""
    names = [SUBJECT, *results.peers(result), "best peer"]
    rows = []
    for batch, threads in results.settings(result):
        for file in dict.fromkeys(record["file"] for record in result["records"]):
            records = results.select(result, batch=batch, threads=threads, file=file)
            sums = results.network_sums(records, statistic) if records else {}
            cells = [number(sums[name] * 1e3 if name in sums else None, ".1f") for name in names]
            rows.append([file, str(batch), str(threads), *cells])
    return ["sum over", "batch", "threads", *(f"{name} ms" for name in names)], rows


def memory_rows(result):
    """Megabytes by which a process grows, at its peak, for one call in each library's fastest variant."""
    names = [SUBJECT, *results.peers(result)]
    batch, threads = results.settings(result)[0]
    rows = []
    for record in results.select(result, batch=batch, threads=threads):
        entries = [results.fastest(record, name) for name in names]
        if any(entry and "memory" in entry for entry in entries):
            peaks = [
                entry["memory"]["peak"] / 1e6 if entry and "memory" in entry else None for entry in entries
            ]
            rows.append([record["name"], *(number(peak, ".1f") for peak in peaks)])
    return ["layer", *(f"{name} MB" for name in names)], rows


def network_rows(result, statistic="median"):
    """Milliseconds and megabytes of each library's fastest variant, network by network."""
    names = [SUBJECT, *results.peers(result)]
    rows = []
    for record in result["records"]:
        entries = [results.fastest(record, name, None, statistic) for name in names]
        times = [number(entry and entry[statistic] * 1e3, ".1f") for entry in entries]
        peaks = [
            number(entry["memory"]["peak"] / 1e6 if entry and "memory" in entry else None, ".0f")
            for entry in entries
        ]
        rows.append(
            [
                record["network"],
                str(record["threads"]),
                *times,
                number(results.ratio(record, statistic=statistic)),
                *peaks,
            ]
        )
    return ["network", "threads", *(f"{n} ms" for n in names), "ratio", *(f"{n} MB" for n in names)], rows


def filter_rows(result, threads):
    """Milliseconds of each way to filter a photograph, and the ratios that matter, filter by filter."""
    rows = []
    for record in results.select(result, threads=threads):
        entries = [results.fastest(record, SUBJECT, variant, "min") for variant in FILTER_VARIANTS]
        entries += [results.fastest(record, peer, None, "min") for peer in FILTER_PEERS]
        times = [number(entry and entry["min"] * 1e3) for entry in entries]
        ratios = [results.ratio(record, peer, word, "min") for peer, word in FILTER_RATIOS]
        rows.append([record["name"], record.get("algorithm", "-"), *times, *map(number, ratios)])
    columns = ["filter", "algorithm", *(f"{word} ms" for word in (*FILTER_VARIANTS, *FILTER_PEERS))]
    return [*columns, *(f"{peer}/{word}" for peer, word in FILTER_RATIOS)], rows


def group_rows(result):
    """Of each group of filters and kind of photograph: the least ratios and their geometric means."""
    rows = []
    for threads in dict.fromkeys(record["threads"] for record in result["records"]):
        chosen = results.select(result, threads=threads)
        for group, image in dict.fromkeys((record["group"], record["image"]) for record in chosen):
            records = results.select(result, threads=threads, group=group, image=image)
            cells = []
            for peer, word in FILTER_RATIOS:
                ratios = [v for r in records if (v := results.ratio(r, peer, word, "min"))]
                mean = timing.geometric_mean(ratios)
                cells.append(f"{min(ratios):.2f}, {mean:.2f}" if ratios else "-")
            rows.append([group, image, str(threads), str(len(records)), *cells])
    columns = ["filters", "photograph", "threads", "rows"]
    return [*columns, *(f"{peer}/{word}" for peer, word in FILTER_RATIOS)], rows


def console():
    """The terminal; where the output goes elsewhere, wide enough for every column."""
    made = rich.console.Console()
    return made if made.is_terminal else rich.console.Console(width=220)


def show(console, title, columns, rows):
    if not rows:
        return
    table = rich.table.Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def markdown(columns, rows):
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
