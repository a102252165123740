"""``adam-repro compare``: optimizers beside each other, each tuned alike, with a verdict for every task."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adam_repro import config_folders
from adam_repro.commands.options import parse as parse_options
from adam_repro.commands.options import run_of
from adam_repro.comparison import request as requests
from adam_repro.comparison.request import Request
from adam_repro.config.trial import Run
from adam_repro.file_locks import results_lock
from adam_repro.files import check_results_folder
from adam_repro.sweep.workers import NAMES, Workers

ASKED = (
    "label", "tasks", "against", "scale", "lr", "lr_name", "create_graph", "search", "kwargs",
    "budget", "seeds", "schedules",
)  # fmt: skip


@dataclass
class Options(Workers):
    """``NAME=VALUE`` on the command line."""

    label: str = ""
    tasks: str = ""
    against: str = ""
    scale: str = ""
    lr: str = ""
    lr_name: str = ""
    create_graph: bool = False
    search: dict[str, Any] = field(default_factory=dict)
    kwargs: dict[str, Any] = field(default_factory=dict)
    budget: int | None = None
    seeds: int | None = None
    schedules: str = ""
    results_dir: Path = Path("results")
    device: str = "auto"
    engine: str = "auto"
    tf32: bool = False
    progress: bool = True
    logger: str = "none"
    config_dir: Path | None = None


def main(arguments: Sequence[str]) -> int:
    """Train, judge and write; 0, or with ``--check`` 1 where a candidate fails a check.

    Raises:
        UserError: for an unknown target, task, option or value, or if no candidate can train anything.
    """
    check = "--check" in arguments
    request, run, workers = parse([word for word in arguments if word != "--check"])
    if check:
        from adam_repro.comparison.check import check as check_candidates

        return 0 if check_candidates(request, run, print) else 1
    from adam_repro.comparison import store
    from adam_repro.comparison.bench import Bench, folder

    check_results_folder(run.results_dir)
    place = folder(run, request.label)
    store.check_free(place, request)
    bench = Bench(request, run, workers, lambda text: print(text, flush=True))
    bench.prepare()
    bench.train()
    place.mkdir(parents=True, exist_ok=True)
    with results_lock(place):
        store.check_free(place, request)  # another process may have written there meanwhile
        _write(bench.comparison(), place)
    return 0


def _write(comparison: Any, place: Path) -> None:
    from adam_repro.comparison import page, store
    from adam_repro.comparison.summary import summary

    store.write(comparison, place)
    page.write(comparison, place)
    print(f"\n{summary(comparison)}\n\n{place / 'index.html'}")


def parse(arguments: Sequence[str]) -> tuple[Request, Run, Workers]:
    """What the words of a command line ask for.

    Raises:
        UserError: for an unknown target, task, option or value.
    """
    options, words = parse_options(arguments, Options)
    config_folders.use(options.config_dir)
    workers = Workers(**{name: getattr(options, name) for name in NAMES})
    workers.check()
    given = {name: value for name in ASKED if (value := getattr(options, name)) not in ("", None)}
    command = shlex.join(["adam-repro", "compare", *arguments])
    request = requests.read(words, given, command)
    return request, run_of(options, logger=options.logger, sweep=request.label), workers
