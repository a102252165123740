"""Who is lower: the final costs of a candidate and a rival, paired over the seeds that tuned neither.

Each pair of optimizers on a task has two tests on the log ratio of their costs: a two-sided t test against
a ratio of 1, and one of equivalence, which is two one-sided t tests against ratios of 1.01 and 1/1.01
(Schuirmann 1987). Holm's method covers all tests of all candidates, rivals and tasks. The two hypotheses of
a pair exclude each other, so that at most half of all can be true: Shaffer's divisor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log, nan

import numpy as np
import pandas as pd

from adam_repro.comparison.model import (
    HIGHER,
    LOWER,
    NOT_TESTED,
    SAME,
    TUNING_SEED,
    UNDECIDED,
    Entrant,
    Score,
    TaskResult,
)
from adam_repro.statistics import MIN_SEEDS, holm, one_sided_p, t_interval

MARGIN = 0.01  # costs within this ratio of each other are the same
LEAST = MIN_SEEDS - 1  # pairs: the tuning seed is not one
ALSO = ("train_cost", "eval_train_cost", "test_cost", "test_error")  # shown beside the metric


@dataclass(frozen=True)
class _Pair:
    """One comparison before the correction: ``different`` and ``equivalent`` are p values, or NaN."""

    score: Score
    different: float = nan
    equivalent: float = nan


def scores(tasks: Sequence[TaskResult], entrants: Sequence[Entrant]) -> tuple[Score, ...]:
    """The tests of the whole table, each followed by the other metrics of the pair, which are not tested."""
    candidates = [one.label for one in entrants if one.candidate]
    rivals = [one.label for one in entrants if not one.candidate]
    pairs: list[_Pair] = []
    shown: list[list[Score]] = []
    for task in tasks:
        finals = final_values(task)
        for candidate in candidates:
            for rival in rivals:
                pairs.append(_pair(task, finals, candidate, rival, task.metric))
                others = [name for name in ALSO if name != task.metric]
                measured = [_pair(task, finals, candidate, rival, name).score for name in others]
                shown.append(
                    [replace(one, p=nan, verdict=NOT_TESTED, why="") for one in measured if one.n]
                )
    decided = decide(pairs)
    return tuple(one for score, more in zip(decided, shown, strict=True) for one in (score, *more))


def decide(pairs: Sequence[_Pair]) -> list[Score]:
    """The verdict of every pair, after Holm's correction over the two tests of each."""
    tested = [pair for pair in pairs if not math.isnan(pair.different)]
    every = [p for pair in tested for p in (pair.different, pair.equivalent)]
    stand = iter(holm(every, most_true=max(1, len(tested))))
    found = []
    for pair in pairs:
        if math.isnan(pair.different):
            found.append(pair.score)
            continue
        different, equivalent = next(stand), next(stand)
        found.append(_verdict(pair, different, equivalent, len(tested)))
    return found


def _verdict(pair: _Pair, different: bool, equivalent: bool, pairs: int) -> Score:
    score = pair.score
    if equivalent:
        return replace(score, verdict=SAME, p=pair.equivalent)
    if different:
        return replace(score, verdict=LOWER if score.ratio < 1 else HIGHER, p=pair.different)
    p = min(pair.different, pair.equivalent)
    if p < 0.05 and pairs > 1:
        why = f"p = {p:.2g} does not stand beside the other {pairs - 1} pairs of the table (Holm)"
    else:
        why = "the interval is too wide"
    return replace(score, p=p, why=why)


def final_values(task: TaskResult) -> dict[str, pd.DataFrame]:
    """The last row of every trial of an optimizer's best setting but the tuning seed's, by seed."""
    rows = task.rows
    tested = rows[(rows["stage"] == "repeat") & (rows["seed"] != TUNING_SEED)]
    last = tested.sort_values("epoch", kind="stable").groupby(["optimizer", "seed"]).tail(1)
    return {str(label): mine.set_index("seed") for label, mine in last.groupby("optimizer")}


def _pair(
    task: TaskResult, finals: Mapping[str, pd.DataFrame], candidate: str, rival: str, metric: str
) -> _Pair:
    score = Score(task.task, candidate, rival, metric, nan, nan, nan, nan, nan, 0, nan, UNDECIDED)
    for label in (candidate, rival):
        if label in task.cannot:
            return _Pair(replace(score, why=f"{label} does not train on this task"))
    untuned = [label for label in (candidate, rival) if label not in task.best]
    if untuned:
        return _Pair(_without_test(task, finals, score, untuned))
    for label in (candidate, rival):
        if label not in finals:
            return _Pair(replace(score, why=f"{label} has no seed beside the one that tuned it"))
    a, b = finals[candidate], finals[rival]
    seeds = sorted(set(a.index) & set(b.index))
    for label, rows in ((candidate, a.loc[seeds]), (rival, b.loc[seeds])):
        lost = int((rows["status"] != "finished").sum())
        if lost:
            return _Pair(replace(score, why=f"{lost} of {len(seeds)} seeds of {label} diverged"))
    x, y = (rows.loc[seeds, metric].to_numpy(float) for rows in (a, b))
    return _compared(score, x, y)


def _without_test(
    task: TaskResult, finals: Mapping[str, pd.DataFrame], score: Score, untuned: Sequence[str]
) -> Score:
    """The score of a pair of which ``untuned``, one or both, have no setting that finished.

    Who diverged at every setting is the higher one. Who failed may not be: the machine may be the reason.
    """
    for label in untuned:
        if {trial.status for trial in task.tuning.get(label, ())} != {"diverged"}:
            return replace(score, why=f"every tuning trial of {label} diverged or failed")
    values = {
        label: math.inf if label in untuned else float(finals[label][score.metric].mean())
        for label in (score.candidate, score.rival)
        if label in untuned or label in finals
    }
    who = "both" if len(untuned) == 2 else untuned[0]
    verdict = UNDECIDED if len(untuned) == 2 else HIGHER if who == score.candidate else LOWER
    return replace(
        score,
        candidate_value=values.get(score.candidate, nan),
        rival_value=values.get(score.rival, nan),
        verdict=verdict,
        why=f"{who} diverged at every setting",
    )


def _compared(score: Score, x: np.ndarray, y: np.ndarray) -> _Pair:
    """The two tests on values by seed [n] of a candidate and a rival."""
    if not len(x) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return _Pair(replace(score, why="a cost is missing or not finite"))
    score = replace(score, n=len(x), candidate_value=float(x.mean()), rival_value=float(y.mean()))
    zero = (x == 0) & (y == 0)
    if (np.minimum(x, y)[~zero] <= 0).any():
        return _Pair(replace(score, why="costs that are not above 0 have no ratio"))
    ratios = np.zeros(len(x))
    ratios[~zero] = np.log(x[~zero] / y[~zero])
    found = t_interval(ratios)
    score = replace(score, ratio=exp(found.mean), low=_exp(found.low), high=_exp(found.high))
    if len(x) < LEAST:
        why = f"{len(x)} pair{'s' * (len(x) != 1)} of seeds to test, {LEAST} are needed"
        return _Pair(replace(score, why=why))
    margin = log(1 + MARGIN)
    equivalent = max(one_sided_p(ratios, -margin), one_sided_p(-ratios, -margin))
    return _Pair(score, found.p, equivalent)


def _exp(value: float) -> float:
    return exp(value) if value < 700 else math.inf
