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
def config(**changes):
    """
    Set defaults for the calls inside a ``with`` block.

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
    unknown = changes.keys() - settings.get().keys()
    if unknown:
        raise TypeError(f"config() has no setting {', '.join(sorted(unknown))}")
    if changes.get("threads") is not None:
        changes["threads"] = parse_threads(changes["threads"])
    if changes.get("max_workspace") is not None:
        changes["max_workspace"] = parse_bytes(changes["max_workspace"])
    if "accuracy" in changes:
        parse_word(changes["accuracy"], ACCURACIES, "accuracy")
    token = settings.set(settings.get() | changes)
    try:
        yield
    finally:
        settings.reset(token)
