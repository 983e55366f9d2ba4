# SPDX-License-Identifier: BSD-3-Clause
"""
``python -m tests.fuzz --seconds 60 [--seed S] [--problems N] [--isa avx2] [--set key=value]``, from the
checkout; ``python -m tests.fuzz --problem '{…}'`` runs one again.

Tests the pyconv that is installed, not the source folder it is started from. Exit code 1 for findings.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parent


def use_the_installed_package():
    """The checkout's own `pyconv/` has no extension; `helpers` and `c_api` are found as pytest finds them."""
    for entry in ("", str(ROOT), str(HERE)):
        while entry in sys.path:
            sys.path.remove(entry)
    if not any(Path(entry or ".").resolve() == ROOT for entry in sys.path):
        sys.path.append(str(HERE))


class Run:
    """Workers, what they found, and one successor for each that dies."""

    def __init__(self, options):
        self.options, self.findings = options, []
        self.done = self.calls = self.refused = self.deaths = 0
        self.start = time.monotonic()
        self._lock = threading.Lock()

    def left(self):
        return self.options.seconds - (time.monotonic() - self.start)

    def report(self, found):
        with self._lock:
            if "again" in found:
                print(found["again"], flush=True)
                return
            self.findings.append(found)
            print(f"FOUND {found['kind']}: {found['text']}")
            print(f"  python -m tests.fuzz --problem '{found['small']}'")
            print(
                f"  was problem {found['number']} of seed {self.options.seed}: {found['problem']}", flush=True
            )

    def stopped(self):
        return self.left() <= 0 or len(self.findings) >= self.options.findings

    def lane(self, lane):
        """Problems lane, lane + workers, …"""
        from .worker import RECORD

        step = self.options.workers
        number, budget = self.options.first + lane, -(-self.options.problems // step)
        while budget > 0 and not self.stopped():
            with tempfile.NamedTemporaryFile() as record:
                record.write(RECORD.pack(number, 0, 0, 0, time.time()))
                record.flush()
                process = self._spawn(record.name, number, step, budget)
                reader = threading.Thread(target=self._read, args=(process,))
                reader.start()
                hung = self._watch(process, record.name)
                reader.join()
                at, done, calls, refused, _ = RECORD.unpack(Path(record.name).read_bytes())
            with self._lock:
                self.done, self.calls, self.refused = (
                    self.done + done,
                    self.calls + calls,
                    self.refused + refused,
                )
            if at < 0 or self.stopped():
                return
            self.deaths += 1
            self._died(process, at, hung)
            number, budget = at + step, budget - done - 1

    def _spawn(self, record, number, step, budget):
        o = self.options
        order = {
            "path": record, "seed": o.seed, "first": number, "step": step, "count": budget,
            "seconds": self.left(), "isas": o.isa, "fixed": o.fixed, "mutation": o.mutation,
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.fuzz", "--worker", json.dumps(order)],
            stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT,
        )  # fmt: skip

    def _read(self, process):
        for text in process.stdout:
            if text.startswith("{"):
                self.report(json.loads(text))

    def _watch(self, process, path):
        from .worker import RECORD

        while process.poll() is None:
            time.sleep(0.2)
            begun = RECORD.unpack(Path(path).read_bytes())[4]
            if time.time() - begun > self.options.hang or len(self.findings) >= self.options.findings:
                process.kill()
                process.wait()
                return time.time() - begun > self.options.hang
        return False

    def _died(self, process, number, hung):
        """A crash or a hang: the problem is drawn anew, and shrunk in processes of their own."""
        from .problems import draw, line
        from .shrink import shrink
        from .worker import names

        algorithms, available = names()
        o = self.options
        p = draw(o.seed, number, algorithms, o.isa or available, o.fixed)

        def fails(q):
            return alone(line(q), o.hang, o.mutation)[0]

        kind, text = ("hang", None) if hung else alone(line(p), o.hang, o.mutation)
        small = shrink(p, fails, o.shrink) if kind not in (None, "hang") else p
        what = f"no end after {o.hang} s" if hung else f"the worker ended with {process.returncode}"
        self.report({"number": number, "kind": kind or "worker", "text": text or what, "problem": line(p),
                     "small": line(small)})  # fmt: skip


def alone(text, seconds, mutation=None):
    """(kind, text) of a problem in a process of its own, or (None, None)."""
    fault = ["--mutation", mutation] if mutation else []
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tests.fuzz", "--problem", text, *fault],
            capture_output=True, text=True, env=environment(), cwd=ROOT, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "hang", f"no end after {seconds} s"
    if done.returncode not in (0, 1):
        return f"exit code {done.returncode}", done.stderr[-2000:]
    lines = [json.loads(each) for each in done.stdout.splitlines() if each.startswith("{")]
    return (lines[-1].get("kind"), lines[-1].get("text")) if lines else ("death", done.stderr[-2000:])


def environment():
    """`tests` is found through PYTHONPATH, which use_the_installed_package() takes out again."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    }


def setting(text):
    key, _, value = text.partition("=")
    with contextlib.suppress(json.JSONDecodeError):
        value = json.loads(value)
    return key, value


def parsed(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="default: a fresh one, printed")
    parser.add_argument("--problems", type=int, default=1 << 60, help="at most so many")
    parser.add_argument("--first", type=int, default=0, help="number of the first problem")
    parser.add_argument(
        "--isa", action="append", help="only kernels of this instruction set; may be repeated"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--findings", type=int, default=40, help="stop after so many")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="fix a key of all problems"
    )
    parser.add_argument("--hang", type=float, default=120, help="seconds for a problem and its shrinking")
    parser.add_argument("--shrink", type=float, default=60, help="seconds to shrink a problem that kills")
    parser.add_argument("--problem", help="run this one problem, a line of JSON, again")
    parser.add_argument("--mutation", help="plant a fault of mutations.py")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    options.fixed = dict(map(setting, options.set))
    return options


def main(arguments=None):
    options = parsed(arguments)
    use_the_installed_package()
    if options.worker:
        from .worker import work

        work(**json.loads(options.worker), send=lambda found: print(json.dumps(found), flush=True))
        return 0
    if options.problem:
        from .worker import replay

        return 1 if replay(options.problem, options.mutation) else 0
    import pyconv

    print(f"seed {options.seed}, pyconv {pyconv.__version__} of {Path(pyconv.__file__).parent}", flush=True)
    run = Run(options)
    lanes = [threading.Thread(target=run.lane, args=(i,)) for i in range(options.workers)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    seconds = time.monotonic() - run.start
    print(f"{run.done} problems, {run.calls} calls, {run.refused} refused, {run.deaths} workers died, "
          f"{len(run.findings)} findings in {seconds:.0f} s, seed {options.seed}")  # fmt: skip
    return 1 if run.findings else 0


if __name__ == "__main__":
    sys.exit(main())
