# SPDX-License-Identifier: BSD-3-Clause
"""Bars and dots: how many times as long others take to filter a photograph, a panel for each kind."""

from matplotlib.ticker import FuncFormatter

from lib import results, timing
from lib.peers import SUBJECT
from lib.plots import style
from lib.plots.ratio import times

DOTS = ("scipy", "skimage")


def draw(result, statistic):
    records = [record for record in result["records"] if "filter" in record]
    if not records:
        return None
    threads = records[0]["threads"]
    records = [record for record in records if record["threads"] == threads]
    kinds = list(dict.fromkeys(record["image"] for record in records))
    names = list(dict.fromkeys(record["filter"] for record in records))[::-1]
    setting = style.setting(result, 1, threads)
    title = f"Photographs of {records[0]['file']}, {setting}: time of others by {SUBJECT}'s"
    figure, axes = style.figure(title, 2 + 3.2 * len(kinds), 1.5 + 0.25 * len(names), len(kinds))
    for kind, ax in zip(kinds, axes, strict=True):
        panel(ax, kind, [record for record in records if record["image"] == kind], names, statistic)
    handles = [
        style.key(f"OpenCV, {word}", "s", c) for word, c in (("slower", style.OURS), ("faster", style.BEHIND))
    ]
    handles += [style.key(peer, "o", style.COLOURS[peer]) for peer in DOTS if peer in results.peers(result)]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def panel(ax, kind, records, names, statistic):
    ratios = []
    for record in records:
        y, value = names.index(record["filter"]), results.ratio(record, "opencv", "plan", statistic)
        ratios.append(value)
        ax.barh(y, value - 1, left=1, height=0.68, color=style.OURS if value >= 1 else style.BEHIND)
        place = {"textcoords": "offset points", "va": "center", "fontsize": 7.5, "color": style.INK}
        ax.annotate(f"{value:.2f}", (max(value, 1), y), (4, 0), **place)
        for peer in DOTS:
            other = results.ratio(record, peer, "plan", statistic)
            if other:
                ax.plot(other, y, "o", ms=4.5, color=style.COLOURS[peer])
    ax.set_title(kind)
    ax.axvline(1, color=style.INK, lw=0.8)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(FuncFormatter(times))
    ax.set_xlabel(f"geometric mean to OpenCV {timing.geometric_mean(ratios):.2f}")
    style.rows(ax, names)
