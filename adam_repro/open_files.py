"""How many files this process may have open: every trial of a stack has its lock."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

#: Files beside locks: data, checkpoints, libraries that are imported late, a GPU's devices.
RESERVE = 64
TOO_MANY = (
    "too many open files; allow more before the command, as `ulimit -n 4096` does "
    "(every trial that is trained at once needs one)"
)


def raise_limit() -> None:
    """Allow this process as many open files as a person may allow it without being root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a system may have a lower limit than it says
        most = 1 << 16  # more is not needed, and some systems walk through all numbers
        wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
        if soft != resource.RLIM_INFINITY and wanted > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def room() -> int:
    """How many files more can be opened, with `RESERVE` left; 1 at least."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 16
    try:
        used = len(list(Path("/dev/fd").iterdir()))
    except OSError:
        used = RESERVE
    return max(1, soft - used - min(RESERVE, soft // 2))
