"""A folder of one's own figures in which a test may write files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adam_repro import config_folders
from tests.helpers import forget_figures


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """``figure`` in a folder that is read beside ``configs``."""
    own = tmp_path / "figure"
    own.mkdir()
    config_folders.use(tmp_path)
    forget_figures()
    yield own
    config_folders.use(None)
    forget_figures()


@pytest.fixture
def write_changed(folder: Path) -> Callable[..., None]:
    """Write a figure ``mine`` that differs from another in one passage."""

    def write(old: str, new: str, source: str = "fig1_mnist") -> None:
        text = config_folders.find("figure", source).read_text(encoding="utf-8")
        assert old in text
        (folder / "mine.yaml").write_text(text.replace(old, new, 1))

    return write
