# SPDX-License-Identifier: BSD-3-Clause
"""The CPU quota of this process's control group, which limits containers; the affinity says nothing of it."""

from pathlib import Path, PurePosixPath


def _text(path):
    """What a small file of the system says, nothing if it can't be read."""
    try:
        with open(path) as file:
            return file.read(1 << 16)
    except (OSError, ValueError):
        return ""


def _ratio(quota, period):
    """CPUs, or None for no limit: "max" in version 2, -1 in version 1."""
    try:
        quota, period = int(quota), int(period)
    except ValueError:
        return None
    return quota / period if quota > 0 and period > 0 else None


def _unified(folder):
    words = _text(folder / "cpu.max").split()
    return _ratio(*words) if len(words) == 2 else None


def _legacy(folder):
    words = [*_text(folder / "cpu.cfs_quota_us").split(), *_text(folder / "cpu.cfs_period_us").split()]
    return _ratio(*words) if len(words) == 2 else None


def cpu_quota(root="/"):
    """
    CPUs that the control groups allow, a fraction perhaps, or None without a limit.

    The strictest of this process's group and all above it, in versions 1 and 2. ``root`` is for tests.
    """
    root = Path(root)
    mount = root / "sys/fs/cgroup"
    limits = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        controllers, _, group = line.partition(":")[2].partition(":")
        if not controllers:
            folders, read = (mount, mount / "unified"), _unified
        elif "cpu" in controllers.split(","):
            folders, read = (mount / controllers, mount / "cpu"), _legacy
        else:
            continue
        path = PurePosixPath(group.lstrip("/"))
        limits += [read(folder / above) for folder in folders for above in (path, *path.parents)]
    return min((limit for limit in limits if limit is not None), default=None)


def whole_cpus():
    """Threads that the quota keeps busy, 0 without a limit: half a CPU more would keep the others waiting."""
    quota = cpu_quota()
    return 0 if quota is None else max(1, int(quota))
