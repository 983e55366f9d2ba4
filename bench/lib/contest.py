# SPDX-License-Identifier: BSD-3-Clause
"""One problem, all libraries: equal results first, then rounds of calls in turn, then memory."""

import contextlib
import pathlib
import tempfile

import numpy as np

from lib import memory, pool, timing
from lib.peers import SUBJECT

FAVOURITES = 1.15  # variants of a peer within this factor of its fastest take part
SLOW = 1.0  # seconds: a call that takes longer is timed in one round only


class Contest:
    """How to measure; ``say(text)`` tells of what is skipped, ``favourites`` is how slow a variant may be."""

    def __init__(self, workers, rounds, seconds, with_memory, say, favourites=FAVOURITES):
        self.pool, self.rounds, self.seconds, self.say = workers, rounds, seconds, say
        self.favourites = favourites
        self.with_memory = with_memory and memory.AVAILABLE

    def run(self, title, expected, **problem):
        """A record's ``entries`` that were timed, and why others were ``skipped`` or found ``wrong``."""
        outcome = {"entries": [], "skipped": {}, "wrong": {}}
        entries = outcome["entries"]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "expected.npy")
            np.save(path, expected)
            for peer in self.pool.workers:
                with self._watch(title, peer, entries):
                    self._prepare(title, peer, str(path), problem, outcome)
        for i in range(self.rounds):
            start = i % max(1, len(entries))
            for entry in entries[start:] + entries[:start]:  # each round another one begins
                if entry in entries and (i == 0 or entry["seconds"] < SLOW):
                    with self._watch(title, entry["peer"], entries):
                        worker = self.pool.workers[entry["peer"]]
                        answer = worker.ask("round", variant=entry["variant"], seconds=self.seconds)
                        entry["calls"].append(answer["times"])
        for worker in self.pool.workers.values():
            worker.ask("forget")
        for entry in entries:
            del entry["seconds"]
            entry |= timing.summary(entry.pop("calls"))
        if self.with_memory:
            self._memory(title, entries, problem)
        return outcome

    @contextlib.contextmanager
    def _watch(self, title, peer, entries):
        """A library that takes its process down is out for this problem, and back for the next."""
        try:
            yield
        except pool.Died as error:
            self.say(f"{title}: {error}")
            entries[:] = [entry for entry in entries if entry["peer"] != peer]
            self.pool.restart(peer)

    def _prepare(self, title, peer, expected, problem, outcome):
        worker, ready = self.pool.workers[peer], []
        for variant in worker.variants:
            answer = worker.ask("prepare", variant=variant, expected=expected, **problem)
            if "seconds" in answer:
                entry = {
                    "peer": peer,
                    "variant": variant,
                    "seconds": answer["seconds"],
                    "error": answer["error"],
                }
                ready.append(entry | answer["notes"] | {"calls": []})
            elif "wrong" in answer:
                outcome["wrong"][f"{peer} {variant}"] = answer["wrong"]
                self.say(f"{title}: {peer} {variant} is wrong: {answer['wrong']}")
            else:
                outcome["skipped"][f"{peer} {variant}"] = answer["unsupported"]
        best = min((entry["seconds"] for entry in ready), default=0)
        outcome["entries"] += [e for e in ready if peer == SUBJECT or e["seconds"] <= self.favourites * best]

    def _memory(self, title, entries, problem):
        """Of each library's fastest variant, and of all of the subject's."""
        for entry in entries:
            rivals = [other["median"] for other in entries if other["peer"] == entry["peer"]]
            if entry["peer"] == SUBJECT or entry["median"] == min(rivals):
                arguments = entry["peer"], self.pool.threads, self.pool.options, entry["variant"]
                try:
                    entry["memory"] = pool.measure_memory(*arguments, **problem)
                except pool.Died as error:
                    self.say(f"{title}: {error}")
