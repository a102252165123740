"""The notebook runs from its first cell to its last, on generated data in place of MNIST."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import TINY_COMMAND

NOTEBOOK = Path(__file__).parents[2] / "scripts" / "adam_in_a_lecture.ipynb"


def cells(kind: str) -> list[dict[str, Any]]:
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


@pytest.mark.slow
def test_every_cell_runs(tmp_path: Path) -> None:
    """As in a kernel: one namespace, a process of its own. The engine and the reference agree."""
    tiny = [word for word in TINY_COMMAND if not word.startswith("progress=")]
    code = [source(cell) for cell in cells("code")]
    assert [cell for cell in cells("code") if "parameters" in cell["metadata"].get("tags", ())]
    code.insert(1, f"words += {tiny!r}")
    script = tmp_path / "lecture.py"
    script.write_text("\n\n".join(code), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "24 finished" in done.stdout
    assert "def train(trial" in done.stdout
    (apart,) = re.findall(r"^largest relative difference: (.*)$", done.stdout, re.MULTILINE)
    assert float(apart) < 1e-4


def test_it_is_stored_without_outputs() -> None:
    """Those would be of one machine, and are in every difference of the file."""
    for cell in cells("code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
