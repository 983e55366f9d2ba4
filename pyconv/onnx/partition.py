# SPDX-License-Identifier: BSD-3-Clause
"""Steps and nodes in stages, of pyconv and of onnxruntime by turns: as few as the longest path asks for."""

from dataclasses import dataclass, field

from .fold import makes, reads
from .lift import Step

CONVOLUTIONS = "conv", "transposed", "hand"


@dataclass
class Stage:
    """What one side runs at a stretch; `kind`: own, hand, onnxruntime. Others read its `outputs`."""

    kind: str
    items: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)


def needed(items, wanted):
    """The items that anything wanted depends on."""
    wanted, kept = set(wanted), []
    for item in reversed(items):
        if wanted.intersection(makes(item)):
            kept.append(item)
            wanted.update(reads(item))
    return kept[::-1]


def numbers(items):
    """The stage of each item: even ones are pyconv's; none is before the stage of what it reads."""
    stages, of = {}, []
    for item in items:
        latest = max((stages[name] for name in reads(item) if name in stages), default=-1)
        own = isinstance(item, Step)
        number = latest if latest % 2 == (not own) else latest + 1
        of.append(number)
        for name in makes(item):
            stages[name] = number
    return of


def without_idle(items):
    """Steps in whose stage there is no convolution are nodes again."""
    while True:
        of = numbers(items)
        busy = {
            number
            for item, number in zip(items, of, strict=True)
            if isinstance(item, Step)
            and (item.data.get("grown") or (item.kind in CONVOLUTIONS and not item.data.get("each")))
        }
        fresh = []
        for item, number in zip(items, of, strict=True):
            fresh += item.protos if isinstance(item, Step) and number not in busy else [item]
        if len(fresh) == len(items) and all(a is b for a, b in zip(fresh, items, strict=True)):
            return items
        items = fresh


def kind_of(item):
    return "onnxruntime" if not isinstance(item, Step) else "hand" if item.kind == "hand" else "own"


def partition(items, feeds, results):
    """Stages in order, of items in order; feeds and results are names of what callers give and get."""
    items = without_idle(needed(items, results))
    of = numbers(items)
    stages, home = [], {}
    for number in sorted(set(of)):
        last = None
        for item, where in zip(items, of, strict=True):
            if where != number:
                continue
            if kind_of(item) != last:  # functions called by hand stand between programs
                last = kind_of(item)
                stages.append(Stage(last))
            stages[-1].items.append(item)
            home.update(dict.fromkeys(makes(item), len(stages) - 1))
    for i, stage in enumerate(stages):
        names = dict.fromkeys(name for item in stage.items for name in reads(item))
        stage.inputs = [name for name in names if name in feeds or home.get(name, i) != i]
    read = [name for stage in stages for name in stage.inputs]
    for stage in stages:
        outside = {*read, *results}
        stage.outputs = [name for item in stage.items for name in makes(item) if name in outside]
    return stages
