"""Provenance of a result: versions, commit, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import torch

import adam_repro


def provenance(device: torch.device, threads: int) -> dict[str, Any]:
    """Versions, commit, device and date, as ``trial.yaml`` records them."""
    return {
        "adam_repro": adam_repro.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "device": str(device),
        "hardware": hardware(device),
        "threads": threads,
        "tf32": bool(torch.backends.cuda.matmul.allow_tf32) if device.type == "cuda" else False,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def continued(before: Mapping[str, Any], now: Mapping[str, Any], epoch: int) -> dict[str, Any]:
    """The record of a trial that starts again at ``epoch``: this start, and every ``earlier`` one.

    Each has ``from_epoch``, except the first. A start whose epochs are all trained again is left out:
    no number of the trial is from there.
    """
    if not before:
        return dict(now)
    earlier = before.get("earlier")
    starts = [*(earlier if isinstance(earlier, list) else []), before]
    kept = [
        {key: value for key, value in start.items() if key not in ("earlier", "captured")}
        for start in starts
        if isinstance(start, Mapping) and start.get("from_epoch", 0) < epoch
    ]
    return {**now, "from_epoch": epoch, "earlier": kept}


def hardware(device: torch.device) -> str:
    """The name of the processor that trains."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _processor()


@cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def commit() -> str | None:
    """The commit of the checkout this package lies in, with ``+`` when files differ from it.

    Of a copy without its repository, the one that ``ADAM_REPRO_COMMIT`` names, if it does.
    """
    folder = Path(adam_repro.__file__).parent
    given = os.environ.get("ADAM_REPRO_COMMIT")

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", check=True
        ).stdout.strip()

    try:
        if git("ls-files", "__init__.py") == "":
            return given
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(folder))
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return given
