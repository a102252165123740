"""Provenance of a result: versions, commit, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
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


def hardware(device: torch.device) -> str:
    """The name of the processor that trains."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _processor()


@cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
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
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if git("ls-files", "__init__.py") == "":
            return given
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(folder))
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return given
