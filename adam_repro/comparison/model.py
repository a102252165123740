"""A comparison as plain data: who took part, what was trained, what came out. The page shows it.

Everything here is plain data. Labels of optimizers are keys throughout; they are unique in a comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

SAME, LOWER, HIGHER, UNDECIDED = "the same within 1 %", "lower", "higher", "undecided"
VERDICTS = (LOWER, HIGHER, SAME, UNDECIDED)
NOT_TESTED = ""  # the verdict of a metric that is shown, but is no test of the table

TUNING, REPEAT = "tuning", "repeat"  # stages
TUNING_SEED = 0  # the seed that chose the setting; no test uses it

#: The columns of :attr:`TaskResult.rows`, in this order; rows.csv has a column ``task`` in front.
ROW_COLUMNS = (
    "optimizer",  # the label
    "lr",  # NaN where the optimizer has none
    "schedule",
    "grid",  # the other searched values, as "optimizer.rho=0.9 clip_norm=1"; empty: none
    "seed",
    "stage",  # tuning: seed 0, a trial for each setting that was tried; repeat: the best one, other seeds
    "epoch",  # from 0, as in metrics.csv
    "step",  # minibatches until the end of the epoch; NaN where it is not known (a committed row)
    "train_cost",  # nats, mean over the minibatches of the epoch, as trained; infinite or NaN: diverged
    "eval_train_cost",  # nats, of the whole training set after the epoch; NaN where it was not evaluated
    "test_cost",  # nats
    "test_error",  # a share of 1; NaN for a task without classes
    "grad_norm",  # NaN in a committed row
    "seconds",  # of training until the end of the epoch, in this run's stacks; NaN in a committed row
    "status",  # of the trial: finished, diverged or failed (its rows end where it did)
    "identity",  # of the trial; of a committed row, that of the trial asked for
    "source",  # trained: in results_dir; committed: a row of results/paper, perhaps of a longer trial
)


@dataclass(frozen=True)
class Entrant:
    """One optimizer that takes part.

    ``words``: what ``adam-repro run`` is given for it, as ``optimizer=torch optimizer.target=…``; neither
    stepsize nor schedule are among them. ``candidate``: whether it is compared, or one of the rivals.
    ``lr_option``: the option that the stepsizes are given to; empty: it has none. ``lr``: the stepsizes
    that are tried, one if it is not tuned; ``None``: what the tuning chooses, from ``lr_default`` on, as
    far as it takes, or within ``lr_range``. ``search``: other options by name, with the values that are
    tried. ``notes``: sentences to show beside it, such as where its cost is logged.
    """

    label: str
    words: tuple[str, ...]
    candidate: bool
    lr_option: str = "optimizer.lr"
    lr_default: float = 1e-3
    lr: tuple[float, ...] | None = None
    lr_range: tuple[float, float] | None = None
    search: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def tuning_free(self) -> bool:
        """Whether there is one setting alone."""
        return (not self.lr_option or len(self.lr or ()) == 1) and not self.search


@dataclass(frozen=True)
class Setting:
    """A point of what is tuned: stepsize (``None``: it has none), schedule, other options by name."""

    lr: float | None
    schedule: str
    others: tuple[tuple[str, Any], ...] = ()

    @property
    def grid(self) -> str:
        """The other options as in the column ``grid`` of the rows."""
        return " ".join(f"{key}={value}" for key, value in self.others)


@dataclass(frozen=True)
class TuningTrial:
    """One tuning trial. ``cost``: its final cost by the task's metric; infinite if it diverged or failed."""

    setting: Setting
    cost: float
    status: str  # finished, diverged or failed


@dataclass(frozen=True)
class TaskResult:
    """All optimizers on one task.

    ``metric``: the column that tunes and is tested, ``train_cost`` or ``eval_train_cost``. ``rows``: a row an
    epoch, with the columns of `ROW_COLUMNS`; of a tuning trial that is not the best there is the last
    epoch alone. ``best``: the setting that each optimizer was repeated with; an optimizer without one
    is not a key: every trial of it diverged or failed. ``tuning``: the trials of each in the order in
    which they were chosen, for the best after k trials. ``settings``: every resolved setting of the best
    trial (seed 0), nested as in trial.yaml. ``cannot``: why an optimizer did not train on this task; it has
    no rows. ``notes``: sentences by optimizer, such as a best stepsize on the edge of what was tried.
    ``step_seconds``, ``state_bytes``: of one training step alone, and of the optimizer's state, both measured
    in this run at the best setting; where it was not measured, an optimizer is not a key. Time to a target
    in seconds is steps times ``step_seconds``: the seconds of rows are shares of stacks.
    """

    task: str
    epochs: int
    metric: str
    rows: pd.DataFrame
    best: Mapping[str, Setting]
    tuning: Mapping[str, Sequence[TuningTrial]]
    settings: Mapping[str, Mapping[str, Any]]
    cannot: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    schedules: tuple[str, ...] = ("constant",)  # the choices, the same for every optimizer
    step_seconds: Mapping[str, float] = field(default_factory=dict)
    state_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """A candidate beside a rival on one task: one line of scores.csv.

    ``metric``: a cost column, or ``test_error``; the last epoch counts. ``candidate_value``, ``rival_value``:
    means over the tested seeds, those that both have but the tuning seed; infinite for an optimizer that
    diverged at every setting. ``ratio``: candidate over rival,
    the exponential of the mean log ratio over pairs of seeds; ``low``, ``high``: its 95 % t interval. ``n``:
    pairs. ``p``: of the test behind the verdict, before Holm's correction; of an undecided one the
    smaller. ``verdict``: one of `VERDICTS`, of the candidate's cost; `NOT_TESTED` for a metric that is only
    shown. ``why``: why it is undecided, or decided without a test (one of the two diverged at every setting);
    else empty. NaN where a number does not exist.
    """

    task: str
    candidate: str
    rival: str
    metric: str
    candidate_value: float
    rival_value: float
    ratio: float
    low: float
    high: float
    n: int
    p: float
    verdict: str
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """A whole comparison.

    ``label``: the name of its folder. ``command``: the words that made it. ``seeds``: of each best setting,
    the tuning seed among them. ``budget``: tuning trials of every optimizer on every task. ``provenance``:
    ``hardware`` (str), ``versions`` (name to version, the packages of the candidates among them), ``commit``
    (str or None), ``dates`` (first and last day), ``committed`` (hardware of reused rows, with the number
    of their trials).
    """

    label: str
    command: str
    scale: str
    seeds: int
    budget: int
    entrants: tuple[Entrant, ...]
    tasks: tuple[TaskResult, ...]
    scores: tuple[Score, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def candidates(self) -> tuple[Entrant, ...]:
        return tuple(one for one in self.entrants if one.candidate)

    @property
    def rivals(self) -> tuple[Entrant, ...]:
        return tuple(one for one in self.entrants if not one.candidate)
