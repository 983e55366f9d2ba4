# SPDX-License-Identifier: BSD-3-Clause
"""Worker processes: one library each, only one of them awake."""

import json
import os
import pathlib
import subprocess
import sys

import psutil

from lib import memory

WORKER = pathlib.Path(__file__).resolve().parents[1] / "worker.py"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Missing(Exception):
    """The library isn't installed."""


class Died(Exception):
    """The library took its process with it."""


class Worker:
    """A library's process, suspended between requests: its threads may spin at nobody's cost."""

    def __init__(self, peer, threads, options, environment=()):
        self.peer, self.threads = peer, threads
        arguments = json.dumps({"peer": peer, "threads": threads, "options": options})
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), arguments],
            env=os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)) | dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        greeting = self._answer()
        if "missing" in greeting:
            self.close()
            raise Missing(greeting["missing"])
        self.version, self.variants = greeting["version"], greeting["variants"]
        self._handle = psutil.Process(self._process.pid)
        self._handle.suspend()

    def ask(self, do, **request):
        self._handle.resume()
        self._process.stdin.write(json.dumps({"do": do} | request) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self._handle.suspend()
        return answer

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise Died(f"{self.peer} ended with status {self._process.wait()}")
        return json.loads(line)

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Pool:
    """The workers of libraries at one number of threads; ``say`` hears of those missing."""

    def __init__(self, peers, threads, options, say):
        self.threads, self.options, self.workers = threads, options, {}
        try:
            for peer in peers:
                try:
                    self.workers[peer] = Worker(peer, threads, options)
                except Missing as reason:
                    say(f"{peer} is skipped: {reason}")
        except BaseException:
            self.close()
            raise

    @property
    def versions(self):
        return {peer: worker.version for peer, worker in self.workers.items()}

    def restart(self, peer):
        self.workers[peer].close()
        self.workers[peer] = Worker(peer, self.threads, self.options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for worker in self.workers.values():
            worker.close()


def measure_memory(peer, threads, options, variant, **problem):
    """The worker's ``memory`` answer from a fresh process."""
    with Worker(peer, threads, options, memory.ENVIRONMENT) as worker:
        return worker.ask("memory", variant=variant, **problem)
