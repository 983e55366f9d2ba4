# SPDX-License-Identifier: BSD-3-Clause
"""SciPy's own tests of its linear filters, run on pyconv's functions in the place of SciPy's.

``python scipy_suite.py ndimage|signal [--all]``: with ``--all``, pyconv serves what it leaves to SciPy for
being small, too. Prints how many passed and failed, and how often each function was called; returns 1 if one
failed or wasn't called.
"""

import functools
import importlib
import pathlib
import sys

import pytest
import scipy

from pyconv._filters import passes

FILES = {"ndimage": "ndimage/tests/test_filters.py", "signal": "signal/tests/test_signaltools.py"}
WORDS = {
    "ndimage": "TestNdimageFilters gaussian correlate convolve uniform sobel prewitt laplace",
    "signal": "TestConvolve TestCorrelate TestFFTConvolve TestOAConvolve test_choose",
}
CAN_DO = "xp_capabilities_table"  # what newer SciPy's tests look a function's capabilities up in


class Replacement:
    """A pytest plugin that puts pyconv's functions into SciPy's module before its tests import them."""

    def __init__(self, module):
        self.module = module
        self.calls = {}
        self.outcomes = {"passed": 0, "failed": 0, "skipped": 0}

    def pytest_configure(self, config):
        ours, theirs = (importlib.import_module(f"{place}.{self.module}") for place in ("pyconv", "scipy"))
        capabilities = getattr(importlib.import_module("scipy._lib._array_api"), CAN_DO, None)
        for name in ours.__all__:
            known = getattr(theirs, name)
            replacement = self.counted(getattr(ours, name), known)
            if capabilities is not None and known in capabilities:
                capabilities[replacement] = capabilities[known]
            setattr(theirs, name, replacement)

    def counted(self, function, known):
        self.calls[known.__name__] = 0

        @functools.wraps(known)
        def call(*arguments, **keywords):
            self.calls[known.__name__] += 1
            return function(*arguments, **keywords)

        return call

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            self.outcomes[report.outcome] += 1


def main(module, everything):
    if everything:
        passes.SMALL = passes.SMALL_LINE = 0
        importlib.import_module("pyconv.signal").LARGEST_SHARE = 1
    plugin = Replacement(module)
    root = pathlib.Path(scipy.__file__).parent
    options = f"-q --no-header -p no:cacheprovider -W ignore --tb=short --rootdir {root} -o addopts=".split()
    words = " or ".join(WORDS[module].split())
    pytest.main([*options, "-k", words, str(root / FILES[module])], plugins=[plugin])
    uncalled = [name for name, count in plugin.calls.items() if not count]
    print(f"{module}: {plugin.outcomes}, calls {plugin.calls}")
    return bool(plugin.outcomes["failed"] or uncalled or plugin.outcomes["passed"] < 100)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--all" in sys.argv))
