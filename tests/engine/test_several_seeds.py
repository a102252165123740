"""A stack of several seeds: each trial trains with the weights, order, masks and latents of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adam_repro.config.trial import Run, Trial
from adam_repro.engine import batching_policy
from adam_repro.engine.epoch_loop import DeviceLoop
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep import grouping
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes

SEEDS = (0, 1, 2)
TASKS = (
    ("task=logreg", "task.order=every_pass"),
    ("task=logreg", "task.order=once", "averaging=polyak"),
    ("task=mlp", "task.data.n_train=192", "task.dropout_input=0.2"),
    ("task=vae", "task.data.n_train=128", "batch_size=64"),
)  # fmt: skip


def stack_of(trial: Compose, *words: str) -> list[Trial]:
    return [
        trial(*words, "epochs=2", f"optimizer.lr={lr}", f"seed={seed}")
        for lr in (1e-3, 1e-2)
        for seed in SEEDS
    ]


def curve(trial: Trial, run: Run) -> pd.DataFrame:
    return pd.read_csv(TrialFolder(trial, run.results_dir).metrics)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
@pytest.mark.parametrize("words", TASKS, ids=" ".join)
def test_a_trial_is_the_same_in_the_company_of_other_seeds(
    trial: Compose, run: Run, words: tuple[str, ...], engine: str
) -> None:
    """Bit for bit: as in the company of its own seed; looped, as alone."""
    run = elsewhere(run, "together", engine=engine)
    stack = stack_of(trial, *words)
    assert set(execute(stack, run).values()) == {"finished"}
    apart = elsewhere(run, "apart")
    for seed in SEEDS:
        execute([one for one in stack if one.seed == seed], apart)
    for one in stack:
        assert metrics_bytes(one, run) == metrics_bytes(one, apart)
    one, alone = stack[-1], elsewhere(run, "alone")
    execute([one], alone)
    if engine == "looped":
        assert metrics_bytes(one, run) == metrics_bytes(one, alone)
    pd.testing.assert_frame_equal(curve(one, run), curve(one, alone), rtol=1e-5)
    costs = {curve(one, run)["train_cost"].iloc[-1] for one in stack}
    assert len(costs) == len(stack)  # no two trials had the same draws


@pytest.mark.slow
def test_the_step_of_a_gpu_has_the_draws_of_every_seed(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = stack_of(trial, "task=mlp", "task.data.n_train=128", "task.dropout_input=0.2")
    execute(stack, run)
    monkeypatch.setattr("adam_repro.engine.stack.make_loop", DeviceLoop)
    resident = elsewhere(run, "resident")
    execute(stack, resident)
    for one in stack:
        pd.testing.assert_frame_equal(curve(one, run), curve(one, resident), rtol=1e-5)


@pytest.mark.slow
def test_a_killed_stack_goes_on(trial: Compose, run: Run) -> None:
    stack = stack_of(trial, "task=logreg", "averaging=polyak")
    execute(stack, elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute(stack, run, [KillAfter(3)])
    execute(stack, run)
    for one in stack:
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.slow
def test_a_seed_that_diverges_leaves_the_others_as_they_are(trial: Compose, run: Run) -> None:
    words = ("task=mlp", "task.data.n_train=128", "optimizer=sgd", "epochs=3")
    calm = [trial(*words, "optimizer.lr=1e-3", f"seed={seed}") for seed in SEEDS]
    wild = [trial(*words, "optimizer.lr=1e6", f"seed={seed}") for seed in SEEDS[:2]]
    outcome = execute([*calm, *wild], run)
    assert [outcome[one.identity] for one in wild] == ["diverged"] * 2
    execute(calm, elsewhere(run, "alone"))
    for one in calm:
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "alone"))


def test_a_gpu_gets_all_seeds_at_once(trial: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [
        trial("task=logreg", f"optimizer={name}", f"seed={seed}")
        for seed in SEEDS
        for name in ("sgd", "adam")
    ]
    assert [len(stack) for stack in grouping.group(trials, "cpu")] == [2, 2, 2]
    monkeypatch.setattr(grouping, "several_seeds", lambda device: device == "cuda")
    (stack,) = grouping.group(trials, "cuda")
    order = [(one.seed, one.optimizer["name"]) for one in stack]
    assert order == [(seed, name) for seed in SEEDS for name in ("adam", "sgd")]


@pytest.mark.slow
def test_memory_counts_the_trials_of_all_seeds(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of six trials four fit: two halves, the same curves."""
    stack = stack_of(trial, "task=logreg")
    execute(stack, elsewhere(run, "whole"))
    sizes: list[int] = []

    def most(parameters: int, examples: int, device: object) -> int:
        sizes.append(examples)
        return 4

    monkeypatch.setattr("adam_repro.engine.stack.max_stack_size", most)
    assert set(execute(stack, run).values()) == {"finished"}
    assert len(sizes) == 3
    for one in stack:
        assert np.array_equal(curve(one, run), curve(one, elsewhere(run, "whole")), equal_nan=True)


def test_a_cpu_has_a_stack_for_each_seed() -> None:
    assert not batching_policy.several_seeds("cpu")
