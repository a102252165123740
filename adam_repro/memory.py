"""Memory: how much a device has left, and whether an error means that it was not enough."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch


def cgroup_room(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes left under the memory limits of this process's control group and its ancestors.

    Containers and jobs of Slurm and systemd have such limits (cgroup version 2; 2^62 without one).
    Cached files count as used there but are evicted on demand, so they are added back.
    """
    room = 1 << 62
    with suppress(OSError, StopIteration):
        words = own.read_text(encoding="utf-8").splitlines()
        group = root / next(w.removeprefix("0::/") for w in words if w.startswith("0::/"))
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                room = min(room, _room(folder))
    return room


def _room(folder: Path) -> int:
    try:
        limit = int((folder / "memory.max").read_text(encoding="utf-8"))
        used = int((folder / "memory.current").read_text(encoding="utf-8"))
        stat = dict(
            line.split()
            for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
        )
        return limit - used + int(stat["inactive_file"])
    except (OSError, ValueError, KeyError):  # no limit ("max"), or no such group
        return 1 << 62


def available_bytes(device: torch.device) -> int | None:
    """Bytes that can still be allocated on `device`; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        free = next(int(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    return min(free, cgroup_room())


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the stack was too long for the device's memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
