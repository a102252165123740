"""``adam-repro report``: from the merged CSVs to drawings, tables, claims and one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adam_repro import config_folders
from adam_repro.commands.options import parse
from adam_repro.errors import UserError
from adam_repro.figures import load
from adam_repro.file_locks import results_lock
from adam_repro.report.draw import available, draw


@dataclass
class Options:
    """``NAME=VALUE`` on the command line."""

    results_dir: Path = Path("results")
    config_dir: Path | None = None


def main(arguments: Sequence[str]) -> int:
    """Draw; 0 even where a result is missing, which is said on stderr and in the drawings.

    Raises:
        UserError: for an unknown figure or option, or a folder without anything to draw.
    """
    options, words = parse(arguments, Options)
    config_folders.use(options.config_dir)
    folder = options.results_dir / "paper"
    names = load.resolve(words) if words else available(folder)
    if not names:
        raise UserError(
            f"results_dir: there is no CSV of a figure in {folder}; "
            "`adam-repro reproduce fig1_mnist` makes one"
        )
    if not folder.is_dir():
        raise UserError(
            f"results_dir: there is no folder {folder}; `adam-repro reproduce` makes it"
        )
    with results_lock(folder):
        draw(names, folder)
    return 0
