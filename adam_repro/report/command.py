"""``adam-repro report``: from the merged CSVs to drawings, tables, claims and one page."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from adam_repro.errors import UserError
from adam_repro.figures import load


def main(arguments: Sequence[str]) -> int:
    """Draw; 0 even where a result is missing, which is said on stderr and in the drawings.

    Raises:
        UserError: for an unknown figure or option, or a folder without anything to draw.
    """
    given = dict(word.split("=", 1) for word in arguments if "=" in word)
    for key in given:
        if key != "results_dir":
            raise UserError(f"{key}: there is no such option; legal here: results_dir")
    folder = Path(given.get("results_dir", "results")) / "paper"
    words = [word for word in arguments if "=" not in word]
    names = load.chosen(words) if words else available(folder)
    if not names:
        raise UserError(
            f"results_dir: there is no CSV of a figure in {folder}; "
            "`adam-repro reproduce fig1_mnist` makes one"
        )
    if not folder.is_dir():
        raise UserError(
            f"results_dir: there is no folder {folder}; `adam-repro reproduce` makes it"
        )
    with alone(folder):
        draw(names, folder)
    return 0


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Write to ``folder`` while no other process does; the lock goes with the process."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder.parent / f".{folder.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"another process writes to {folder}; waiting", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def available(folder: Path) -> list[str]:
    """The figures that have a CSV in a folder, in the paper's order."""
    return [name for name in load.names() if (folder / f"{name}.csv").is_file()]


def draw(names: Sequence[str], folder: Path) -> None:
    """Draw these figures, then the page and the summary of every figure the folder has."""
    from adam_repro.report import figure_report, html, markdown, theory
    from adam_repro.results import table

    shown = [name for name in load.names() if name in names or name in available(folder)]
    done = figure_report.sheets(shown, folder, fresh=names)
    for sheet in done:
        for problem in sheet.told:
            print(f"{sheet.context.figure.name}: {problem}", file=sys.stderr)
    for problem in table.strangers(folder):
        print(f"{problem}; legal: {', '.join(load.names())}", file=sys.stderr)
    if wrong := theory.problem(folder):
        print(wrong, file=sys.stderr)
    verdicts = figure_report.judge_claims(done, folder)
    html.write(done, verdicts, folder)
    markdown.write(done, verdicts, folder)
    print(f"{folder / 'index.html'}")
