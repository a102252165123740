"""The tables of a comparison as text: heads and rows, for the page and the summary alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from adam_repro.comparison.model import (
    HIGHER,
    LOWER,
    NOT_TESTED,
    SAME,
    UNDECIDED,
    Comparison,
    Entrant,
    Score,
    Setting,
    TaskResult,
)
from adam_repro.comparison.page import numbers

NONE = "–"  # a cell without a value
#: The style of a verdict on the page, and its sign beside the word.
STYLE = {LOWER: "supported", HIGHER: "contradicted", SAME: "same", UNDECIDED: "undecided"}
SIGN = {LOWER: "↓", HIGHER: "↑", SAME: "=", UNDECIDED: "?"}
METRICS = {
    "train_cost": "training cost",
    "eval_train_cost": "training cost of the whole set after the epoch",
    "test_cost": "test cost",
    "test_error": "test error",
}


@dataclass(frozen=True)
class Table:
    """A table of text. ``caption``: a sentence above it."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tested(comparison: Comparison) -> list[Score]:
    """The scores that have a verdict."""
    return [one for one in comparison.scores if one.verdict != NOT_TESTED]


def verdicts(comparison: Comparison, candidate: str) -> list[dict[str, Any]]:
    """The first table of the page: a row a task, a cell a rival."""
    rows = []
    for task in comparison.tasks:
        own = {
            one.rival: one
            for one in tested(comparison)
            if (one.task, one.candidate) == (task.task, candidate)
        }
        cells = [_cell(own[rival.label]) for rival in comparison.rivals if rival.label in own]
        known = (s.candidate_value for s in own.values() if s.n or math.isinf(s.candidate_value))
        value = next(known, math.nan)
        if math.isnan(value):  # no rival beside it
            found = numbers.curves(task).get(candidate)
            value = found.final if found else math.nan
        rows.append({"task": task.task, "value": number(value), "cells": cells})
    return rows


def _cell(score: Score) -> dict[str, str]:
    """A verdict with its numbers, or with the reason of one that needed no test (``said``)."""
    return {
        "rival": score.rival,
        "verdict": score.verdict,
        "sign": SIGN[score.verdict],
        "style": STYLE[score.verdict],
        "ratio": "" if math.isnan(score.ratio) else f"× {ratio(score.ratio)}",
        "interval": interval(score),
        "said": score.why if score.verdict != UNDECIDED else "",
    }


def interval(score: Score) -> str:
    """The 95 % interval of a ratio, if it is known."""
    if math.isnan(score.low) or score.n < 2:
        return ""
    return f"[{ratio(score.low)}, {ratio(score.high)}]"


def ratio(value: float) -> str:
    """A ratio, which near 1 needs its third decimal."""
    if math.isnan(value):
        return NONE
    return f"{value:.3f}" if 0.1 <= value < 10 else f"{value:.3g}"


def verdict_rows(comparison: Comparison, candidate: str) -> Table:
    """The same as a flat table, for Markdown: a row a task and rival."""
    rows = [
        [
            one.task,
            one.rival,
            number(one.candidate_value),
            number(one.rival_value),
            f"{ratio(one.ratio)} {interval(one)}".strip(),
            str(one.n),
            one.verdict + (f" ({one.why})" if one.why else ""),
        ]
        for one in tested(comparison)
        if one.candidate == candidate
    ]
    head = ["task", "beside", candidate, "rival", "ratio [95 %]", "pairs", "verdict"]
    return Table(f"Final cost of {candidate} over each rival's", head, rows)


def reasons(comparison: Comparison) -> list[str]:
    """Why pairs are undecided: a sentence a reason, with the pairs that it is of."""
    found: dict[str, list[str]] = {}
    for one in tested(comparison):
        if one.why and one.verdict == UNDECIDED:
            pair = f"{one.candidate} beside {one.rival} on {one.task}"
            found.setdefault(one.why, []).append(pair)
    return [f"{why}: {', '.join(pairs)}" for why, pairs in found.items()]


def settings(comparison: Comparison, task: TaskResult) -> Table:
    """What was tuned: the best setting of each, and how wide the range of good stepsizes is."""
    head = [
        "optimizer", "stepsize", "schedule", "other options", "tuning cost", "within 10 % of it",
        "diverged or failed",
    ]  # fmt: skip
    rows = []
    for one in comparison.entrants:
        best, trials = task.best.get(one.label), task.tuning.get(one.label, ())
        lost = sum(trial.status != "finished" for trial in trials)
        count = f"{lost} of {len(trials)}" if trials else NONE
        if best is None:
            rows.append([one.label, *[NONE] * 5, count])
            continue
        cost = min(trial.cost for trial in trials) if trials else math.nan
        lr = NONE if best.lr is None else f"{best.lr:.3g}"
        rows.append(
            [one.label, lr, best.schedule, _others(best), number(cost), _range(task, one), count]
        )
    seed = "the seed that tunes"
    return Table(f"Best settings, by the cost of {seed}; no test uses that seed", head, rows)


def _others(setting: Setting) -> str:
    return ", ".join(f"{key.removeprefix('optimizer.')} {value}" for key, value in setting.others)


def _range(task: TaskResult, entrant: Entrant) -> str:
    found = numbers.lr_range(task, entrant.label)
    if found is None or entrant.tuning_free:
        return NONE
    if found.low == found.high:
        return "that stepsize alone"
    return f"{found.low:.2g} to {found.high:.2g} (factor {found.factor:.3g})"


def results(comparison: Comparison, task: TaskResult) -> Table:
    """What came out with the seeds that tuned nothing: mean, smallest and largest of each metric."""
    columns = [
        name
        for name in dict.fromkeys((task.metric, "train_cost", *METRICS))
        if name in task.rows and task.rows[name].notna().any()
    ]
    rows, count = [], set()
    for one in comparison.entrants:
        mine = numbers.best_rows(task, one.label)
        if mine.empty:
            continue
        last = mine.sort_values("epoch", kind="stable").groupby("seed").tail(1)
        count.add(len(last))
        lost = int((last["status"] != "finished").sum())
        cells = [_spread(last[name], 100 if name == "test_error" else 1) for name in columns]
        rows.append([f"{one.label}{f' ({lost} diverged)' if lost else ''}", *cells])
    units = {"test_error": " (%)"}
    head = ["optimizer", *(METRICS[name] + units.get(name, "") for name in columns)]
    seeds = " or ".join(map(str, sorted(count))) or "0"
    plural = "s" * (seeds != "1")
    text = f"After {task.epochs} epochs: mean over {seeds} seed{plural}, smallest to largest"
    return Table(f"{text}; costs in nats per example", head, rows)


def _spread(values: pd.Series, factor: float) -> str:
    known = values.to_numpy(float) * factor
    if np.isnan(known).all():
        return NONE
    if not np.isfinite(known).all():
        return "diverged"
    low, high = known.min(), known.max()
    text = number(float(known.mean()))
    return text if low == high else f"{text} ({number(float(low))} to {number(float(high))})"


def times(comparison: Comparison, task: TaskResult) -> Table:
    """Steps and seconds to a cost; seconds and memory of a step, beside the reference's."""
    found = numbers.curves(task)
    goals = numbers.targets(found)
    timed = all(np.isfinite(one.steps).all() for one in found.values())
    unit = "steps" if timed else "epochs"
    reference = reference_rival(comparison)
    beside = f" (beside {reference})" if reference else ""
    head = [
        "optimizer",
        *(f"{unit} to {number(goal.cost)}, {goal.name}" for goal in goals),
        *(f"seconds to {number(goal.cost)}" for goal in goals[1:2]),
        f"ms a step{beside}",
        f"MB of state{beside}",
    ]
    rows = []
    for one in comparison.entrants:
        if one.label not in found:
            continue
        curve = found[one.label]
        at = [numbers.reached(curve, goal) for goal in goals]
        counted = curve.steps if timed else curve.epochs
        cells = ["not reached" if i is None else f"{counted[i]:,.0f}" for i in at]
        second = task.step_seconds.get(one.label, math.nan)
        for i in at[1:2]:
            known = i is not None and np.isfinite(curve.steps[i])
            cells.append(number(float(curve.steps[i]) * second, 3) if known else NONE)
        cells.append(_beside(task.step_seconds, one.label, reference, 1e3))
        cells.append(_beside(task.state_bytes, one.label, reference, 1e-6))
        rows.append([one.label, *cells])
    caption = (
        "Time to a cost: until the end of the first epoch whose mean over the seeds is at or below it; "
        "seconds are steps times the seconds of a step, measured alone in this run"
    )
    return Table(caption, head, rows)


def _beside(values: Mapping[str, float], label: str, reference: str | None, factor: float) -> str:
    value = values.get(label)
    if value is None:
        return NONE
    text = number(value * factor, 3)
    base = values.get(reference) if reference else None
    return f"{text} (× {value / base:.3g})" if base else text


def reference_rival(comparison: Comparison) -> str | None:
    """Adam where it takes part, else the first rival."""
    adam = [one.label for one in comparison.entrants if one.words == ("optimizer=adam",)]
    return next(iter([*adam, *(one.label for one in comparison.rivals)]), None)


def notes(comparison: Comparison) -> list[str]:
    """What is to be said of optimizers: each sentence once, with the tasks that it is of."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in comparison.entrants:
        for task in comparison.tasks:
            for text in dict.fromkeys((*one.notes, *task.notes.get(one.label, ()))):
                found.setdefault((one.label, text), []).append(task.task)
    every = len(comparison.tasks)
    return [
        f"{label}: {text}" if len(tasks) == every else f"{label}, {', '.join(tasks)}: {text}"
        for (label, text), tasks in found.items()
    ]


def cannot(comparison: Comparison) -> list[str]:
    """Who could not train what, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for task in comparison.tasks:
        for label, why in task.cannot.items():
            found.setdefault((label, why), []).append(task.task)
    return [
        f"{label} could not train {', '.join(tasks)}: {why}"
        for (label, why), tasks in found.items()
    ]


def number(value: float, digits: int = 4) -> str:
    """A number for a table."""
    if math.isnan(value):
        return NONE
    return f"{value:.{digits}g}" if math.isfinite(value) else "diverged"
