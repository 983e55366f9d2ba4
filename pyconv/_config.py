# SPDX-License-Identifier: BSD-3-Clause
"""Defaults that a `with` block sets for the calls inside it, in this thread or task alone."""

import contextlib
import contextvars
import operator
import re

from ._kernels import ACCURACIES

UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}

DEFAULTS = {"threads": None, "max_workspace": None, "accuracy": "standard"}
settings = contextvars.ContextVar("pyconv.config", default=DEFAULTS)


def parse_bytes(value):
    """Bytes as an int: ``1000``, ``"64MB"``, ``"1.5 GiB"``."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", value.lower())
        if not match or match[2] not in UNITS:
            raise ValueError(
                f"max_workspace must be bytes or a text such as '64MB' or '1.5GiB', is {value!r}"
            )
        return int(float(match[1]) * UNITS[match[2]])
    try:
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"max_workspace must be an int, a text or None, is {type(value).__name__}") from None
    if size < 0:
        raise ValueError(f"max_workspace must not be negative, is {size}")
    return size


def parse_threads(value):
    try:
        threads = operator.index(value)
    except TypeError:
        raise TypeError(f"threads must be an int or None, is {type(value).__name__}") from None
    if threads < 1:
        raise ValueError(f"threads must be positive, is {threads}")
    return threads


def parse_word(value, words, name):
    """The code of a word in one of the enumerations."""
    try:
        return words[value]
    except (KeyError, TypeError):
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str, is {type(value).__name__}") from None
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, is {value!r}") from None


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
