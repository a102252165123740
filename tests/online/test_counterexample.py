"""Task `counterexample`: Adam goes to the worst point, AMSGrad to the best; the bound breaks."""

from __future__ import annotations

import pandas as pd
import pytest

from adam_repro import statistics
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.runs.metrics import COLUMNS
from adam_repro.runs.online_tasks import COLUMNS as EXTRA
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes

THEOREM_1 = ["task.sequence=theorem1", "optimizer.beta1=0", f"optimizer.beta2={1 / 17}"]


def counterexample(trial: Compose, *words: str) -> Trial:
    return trial("task=counterexample", "epochs=12", *words, tiny=False)


@pytest.fixture
def play(trial: Compose, run: Run) -> Compose:
    def table(*words: str) -> pd.DataFrame:
        one = counterexample(trial, *words)
        execute([one], run)
        return pd.read_csv(TrialFolder(one, run.results_dir).metrics)

    return table  # type: ignore[return-value]


SEQUENCES = [(["task.sequence=online"], 300_000, 0.9950, -0.99984), (THEOREM_1, 30_000, 1.0, -1.0)]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "rounds", "adam", "amsgrad"), SEQUENCES)
def test_adam_ends_at_the_worst_point_and_amsgrad_at_the_best(
    play: Compose, words: list[str], rounds: int, adam: float, amsgrad: float
) -> None:
    settings = [*words, f"task.rounds={rounds}"]
    worst = play(*settings, "optimizer=adam")
    best = play(*settings, "optimizer=amsgrad")
    assert worst["x"].iloc[-1] == pytest.approx(adam, abs=2e-3)
    assert abs(worst["x"].iloc[-1] - 1) < 1e-2
    assert best["x"].iloc[-1] == pytest.approx(amsgrad, abs=3e-3)
    # Published: the mean regret of Adam stays, that of AMSGrad goes to 0.
    assert best["average_regret"].iloc[-1] < 0.3 * worst["average_regret"].iloc[-1]
    assert statistics.regret_slope(best["step"], best["average_regret"]) < -0.4


@pytest.mark.slow
def test_on_average_too_adam_goes_to_the_worst_point(play: Compose) -> None:
    settings = ["task.sequence=stochastic", "task.rounds=1000000"]
    worst = play(*settings, "optimizer=adam")["x"]
    best = play(*settings, "optimizer=amsgrad")["x"]
    assert abs(worst.iloc[-1] - 1) < 1e-2
    assert best.iloc[-1] < 0 < best.iloc[3]


def test_adamnc_converges(play: Compose) -> None:
    words = ["task.growing_beta2=true", "task.rounds=30000"]
    found = play(*words, "optimizer=adam", "task.sequence=theorem1", "optimizer.beta1=0")
    assert found["x"].iloc[-1] == pytest.approx(-1, abs=1e-2)
    assert found["average_regret"].iloc[-1] < 0.01


def test_regret_rises_above_the_bound_of_theorem_4_1(play: Compose) -> None:
    words = [*THEOREM_1, "task.rounds=3000", "optimizer.bias_correction=both"]
    found = play(*words, "optimizer=adam")
    above = found[found["regret"] > found["bound"]]["step"]
    assert above.min() < 300
    assert above.max() == 3000
    # 2C - 4 in three steps, for C = 4, but for the steps that are taken back at once.
    assert found["average_regret"].iloc[-1] == pytest.approx(4 / 3, rel=0.02)
    safe = play(*words[:-1], "optimizer=amsgrad")
    assert (safe["regret"] < safe["bound"]).all()


@pytest.mark.slow
def test_a_million_steps_are_played(play: Compose) -> None:
    assert play("task.rounds=1000000")["step"].iloc[-1] == 1_000_000


def test_killed_and_started_again_it_ends_with_the_same_bytes(trial: Compose, run: Run) -> None:
    words = ["task.sequence=stochastic", "task.rounds=3000"]
    stack = [counterexample(trial, *words, f"optimizer={name}") for name in ("adam", "amsgrad")]
    execute(stack, elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute(stack, run, [KillAfter(7)])
    execute(stack, run)
    for one in stack:
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


def test_the_row_is_the_whole_story(play: Compose) -> None:
    found = play("task.rounds=1010", "optimizer=sgd", "epochs=2")
    assert tuple(found.columns) == COLUMNS + EXTRA["counterexample"]
    last = found.iloc[-1]
    assert list(found["step"]) == [10, 1010]
    assert last["g_inf"] == 1010
    assert last["sum_gradient_norms"] == pytest.approx((10 * 1010**2 + 1000 * 10**2) ** 0.5)
    # The comparator is -1: it pays minus the sum of the slopes, 10 (1010 - 1000).
    assert last["regret"] == pytest.approx(1010 * last["train_cost"] + 100, rel=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizer=rmsprop"], "takes one of adam, amsgrad, adagrad, sgd"),
        (["task.sequence=theorem2"], "task.sequence=theorem2: must be one of theorem1, online"),
        (["schedule=inv_pass"], "schedule=inv_pass: task=counterexample has rounds and no passes"),
        (["task.c=1"], "task.c=1: must be a finite number, at least 2"),
        (["task.rounds=many"], "task.rounds=many: must be a whole number"),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(
    trial: Compose, run: Run, words: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        execute([counterexample(trial, *words)], run)
