"""What several test modules use: tiny settings, callbacks that count or kill, a trial's bytes."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from adam_repro.config.trial import Run, Trial
from adam_repro.engine.protocol import Row
from adam_repro.figures import load
from adam_repro.runs.callbacks import Callback
from adam_repro.runs.folder import TrialFolder

#: ``trial("task=mlp", "optimizer.lr=0.1")``: a trial on generated data, from the real YAML.
Compose = Callable[..., Trial]

#: Words of a command line that put 256 generated digits in the place of a task's own data.
TINY_COMMAND = [
    "task.data.name=synthetic",
    "task.epoch_examples=null",
    "+task.data.n_train=256",
    "+task.data.n_test=64",
    "epochs=2",
    "progress=false",
]


class CountingCallback(Callback):
    """Counts the steps and keeps the rows of every epoch."""

    def __init__(self) -> None:
        self.steps = 0
        self.epochs: list[dict[str, Row]] = []

    def on_step(self) -> None:
        self.steps += 1

    def on_epoch_end(self, rows: dict[str, Row]) -> None:
        self.epochs.append(rows)


class Killed(BaseException):
    """Stands for a process that ends in the middle of a step."""


class KillAfter(CountingCallback):
    """Ends the process, so to say, after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.limit = steps

    def on_step(self) -> None:
        super().on_step()
        if self.steps == self.limit:
            raise Killed


def metrics_bytes(trial: Trial, run: Run) -> bytes:
    """A trial's metrics.csv."""
    return TrialFolder(trial, run.results_dir).metrics.read_bytes()


def elsewhere(run: Run, folder: str, **changes: object) -> Run:
    """The same run with its results in another folder, and with these changes."""
    settings = {**vars(run), "results_dir": run.results_dir.parent / folder, **changes}
    return Run(**settings)  # type: ignore[arg-type]


def foreign_trial(module: str, trial: Compose, name: str, *words: str) -> Trial:
    """A trial of the optimizer ``name``: an import path, or a class of ``module``."""
    target = name if "." in name else f"{module}.{name}"
    return trial("task=logreg", "optimizer=torch", f"optimizer.target={target}", *words)


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skips a module's tests without these packages, which are not imported to find out."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def interpret(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of Triton kernels, which a CPU interprets until the test is over: Triton asks on import.

    Triton 3.3's interpreter puts its own functions into the language and leaves them there, so that
    nothing compiles any more: the language is put back.
    """
    import triton.language as tl

    places = (tl, tl.core, tl.math, tl.core.tensor, tl.core.dtype)
    before = [dict(vars(place)) for place in places]
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    yield importlib.reload(module)
    monkeypatch.undo()
    for place, names in zip(places, before, strict=True):
        for name, value in names.items():
            if vars(place)[name] is not value:
                setattr(place, name, value)
        for name in vars(place).keys() - names.keys():
            delattr(place, name)
    importlib.reload(module)


def forget_figures() -> None:
    """Let the figures' files be read again: a test has changed one."""
    for cached in (load._names, load._load):
        cached.cache_clear()
