# SPDX-License-Identifier: BSD-3-Clause
"""Bars: how many times as fast as the best peer, layer by layer."""

from matplotlib.ticker import FuncFormatter

from lib import results
from lib.peers import SUBJECT
from lib.plots import style

LOWEST = 1 / 16  # shorter bars end here; their number tells


def times(value, _):
    return f"{value:g}×" if value >= 1 else f"1/{1 / value:g}×"


def draw(result, statistic):
    records = {(r["name"], r["batch"], r["threads"]): r for r in result["records"] if results.ratio(r)}
    records = list(records.values())
    if not records or "layer" not in records[0]:
        return None
    settings = results.settings(result)
    first = {r["name"]: results.ratio(r, statistic=statistic) for r in reversed(records)}
    names = sorted(first, key=first.get)
    title = f"{SUBJECT} against the best peer of each layer (right of the line: faster)"
    figure, axes = style.figure(title, 1.2 + 4.2 * len(settings), 1.5 + 0.23 * len(names), len(settings))
    ratios = [results.ratio(record, statistic=statistic) for record in records]
    limits = max(LOWEST, 0.9 * min([0.7, *ratios])), 1.5 * max([1.2, *ratios])
    for (batch, threads), ax in zip(settings, axes, strict=True):
        ax.set_title(style.setting(result, batch, threads))
        panel(
            ax,
            [r for r in records if (r["batch"], r["threads"]) == (batch, threads)],
            names,
            limits,
            statistic,
        )
    rivals = {results.fastest(record, statistic=statistic)["peer"] for record in records}
    handles = [
        style.key(f"best peer: {peer}", "s", style.COLOURS[peer]) for peer in style.COLOURS if peer in rivals
    ]
    if len(result["settings"]["layouts"]) > 1:
        handles.append(style.key(f"{SUBJECT} in NCHW alone", "|", "black", mew=1.6))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def panel(ax, records, names, limits, statistic):
    for record in records:
        y, value = names.index(record["name"]), results.ratio(record, statistic=statistic)
        ax.barh(y, value - 1, left=1, height=0.68, color=style.OURS if value >= 1 else style.BEHIND)
        place = {"textcoords": "offset points", "va": "center", "fontsize": 7.5, "color": style.INK}
        ax.annotate(f"{value:.2f}", (max(value, 1), y), (4, 0), **place)
        rival = results.fastest(record, statistic=statistic)["peer"]
        ax.plot(
            1.02, y, "s", ms=5, color=style.COLOURS[rival], clip_on=False, transform=ax.get_yaxis_transform()
        )
        plain = results.ratio(record, word="nchw", statistic=statistic)
        if plain and plain >= limits[0]:
            ax.plot(plain, y, "|", ms=8, mew=1.6, color="black")
    mean = results.mean_ratio(records, statistic=statistic)
    ax.axvline(1, color=style.INK, lw=0.8)
    ax.set_xscale("log", base=2)
    ax.set_xlim(limits)
    ax.xaxis.set_major_formatter(FuncFormatter(times))
    ax.set_xlabel(f"time of the best peer / {SUBJECT}'s; geometric mean {mean:.2f}")
    style.rows(ax, names)
