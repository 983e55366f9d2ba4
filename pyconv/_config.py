# SPDX-License-Identifier: BSD-3-Clause
"""Defaults that a `with` block sets for the calls inside it, in this thread or task alone."""

import contextlib
import contextvars

from ._arguments import parse_bytes, parse_threads, parse_word
from ._kernels import ACCURACIES

DEFAULTS = {"threads": None, "max_workspace": None, "accuracy": "standard"}
settings = contextvars.ContextVar("pyconv.config", default=DEFAULTS)


def workspace_bound(value):
    """`max_workspace` of a call in bytes; by default that of the block, None without a bound."""
    return settings.get()["max_workspace"] if value is None else parse_bytes(value)


def thread_count(value):
    """`threads` of a call; by default that of the block, None for OpenMP's own number."""
    return settings.get()["threads"] if value is None else parse_threads(value)


def accuracy_code(value):
    """`accuracy` of a call; by default that of the block."""
    return parse_word(settings.get()["accuracy"] if value is None else value, ACCURACIES, "accuracy")


@contextlib.contextmanager
def config(*, threads=..., max_workspace=..., accuracy=...):
    """
    Set defaults for the calls inside a ``with`` block: those given, ``...`` leaves one as it is.

    Parameters
    ----------
    threads : int or None
        As in `pyconv.conv2d`.
    max_workspace : int, str or None
        Bytes, or a text such as ``"64MB"``.
    accuracy : {"strict", "standard", "fast"}
        The loosest error class that may be chosen.

    Notes
    -----
    Held in a `contextvars.ContextVar`: other threads and tasks do not see it. A keyword given to a call wins.

    Examples
    --------
    >>> import pyconv
    >>> with pyconv.config(threads=1, max_workspace="1MB"):
    ...     pass
    """
    changes = {}
    if threads is not ...:
        changes["threads"] = None if threads is None else parse_threads(threads)
    if max_workspace is not ...:
        changes["max_workspace"] = None if max_workspace is None else parse_bytes(max_workspace)
    if accuracy is not ...:
        parse_word(accuracy, ACCURACIES, "accuracy")
        changes["accuracy"] = accuracy
    token = settings.set(settings.get() | changes)
    try:
        yield
    finally:
        settings.reset(token)
