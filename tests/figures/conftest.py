"""A folder of figures in which a test may write files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adam_repro.figures import load


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of ``configs/figure``, read in its place."""
    copy = shutil.copytree(load.folder(), tmp_path / "figure")
    monkeypatch.setattr(load, "folder", lambda: copy)
    for cached in (load.names, load.load):
        cached.cache_clear()
    yield copy
    for cached in (load.names, load.load):
        cached.cache_clear()


@pytest.fixture
def write_changed(folder: Path) -> Callable[..., None]:
    """Write a figure ``mine`` that differs from another in one passage."""

    def write(old: str, new: str, source: str = "fig1_mnist") -> None:
        text = (folder / f"{source}.yaml").read_text()
        assert old in text
        (folder / "mine.yaml").write_text(text.replace(old, new, 1))

    return write
