"""The result of a comparison in a few lines of plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator

from adam_repro.comparison.model import NOT_TESTED, Comparison, Score, TaskResult

WIDTH = 18
SMOKE = (
    "scale=smoke: two epochs, on generated data but for tasks of one's own: it shows that everything runs, "
    "and says nothing about the optimizers."
)


def summary(comparison: Comparison) -> str:
    """Task by task: the cost of each candidate over each rival's, and the verdict; the best settings."""
    lines = list(_scores(comparison))
    if comparison.scale == "smoke":
        lines = [*lines, "", SMOKE]
    for task in comparison.tasks:
        lines += ["", *_settings(comparison, task)]
    return "\n".join(lines)


def _scores(comparison: Comparison) -> Iterator[str]:
    tested = [one for one in comparison.scores if one.verdict != NOT_TESTED]
    if not tested:
        yield "Nobody to compare with: against=none, or the rivals are the candidates themselves."
        return
    yield (
        f"Final training cost over the rival's, mean and 95 % interval over pairs of seeds "
        f"(scale {comparison.scale}):"
    )
    for candidate in comparison.candidates:
        yield f"\n{candidate.label}"
        yield f"{'on':<{WIDTH}}{'beside':<{WIDTH}}{'ratio':>8}  {'interval':<18}verdict"
        for score in tested:
            if score.candidate == candidate.label:
                yield _line(score)


def _line(score: Score) -> str:
    where = f"{score.task:<{WIDTH}}{score.rival:<{WIDTH}}"
    why = f" ({score.why})" if score.why else ""
    if math.isnan(score.ratio):
        return f"{where}{'–':>8}  {'':<18}{score.verdict}{why}"
    interval = f"[{score.low:.4g}, {score.high:.4g}]" if score.n > 1 else ""
    return f"{where}{score.ratio:>8.4g}  {interval:<18}{score.verdict}{why}"


def _settings(comparison: Comparison, task: TaskResult) -> Iterator[str]:
    """The best setting of each optimizer on a task, the lowest tuning cost first."""
    yield f"{task.task}: best of the tuning trials, seed 0, {task.epochs} epochs"
    found = []
    for one in comparison.entrants:
        if one.label in task.best:
            best = task.best[one.label]
            trials = task.tuning[one.label]
            cost = min(trial.cost for trial in trials)
            words = [*([f"lr={best.lr:g}"] if best.lr is not None else []), best.schedule]
            text = " ".join([*words, best.grid]).strip()
            notes = "".join(f"; {note}" for note in task.notes.get(one.label, ()))
            found.append((cost, f"  {one.label:<{WIDTH}}{cost:<12.5g}{text}{notes}"))
        else:
            reason = task.cannot.get(one.label) or "; ".join(task.notes.get(one.label, ()))
            found.append((math.inf, f"  {one.label:<{WIDTH}}{'–':<12}{reason}"))
    yield from (line for _, line in sorted(found, key=lambda item: item[0]))
