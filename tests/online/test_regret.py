"""Task `regret`: the regret is what it says, below its bound, and falls like 1/sqrt(T)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from threadpoolctl import ThreadpoolController

from adam_repro import data, statistics
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import UserError
from adam_repro.online import comparator, cost_streams
from adam_repro.optim import OPTIMIZERS, apply, init_state
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.runs.metrics import COLUMNS
from adam_repro.runs.online_tasks import COLUMNS as EXTRA
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes

METHODS_WITH_A_BOUND = ("adam", "adagrad", "sgd", "amsgrad")


def table(one: Trial, run: Run) -> pd.DataFrame:
    return pd.read_csv(TrialFolder(one, run.results_dir).metrics)


def regret(trial: Compose, *words: str) -> Trial:
    return trial("task=regret", "epochs=4", *words, tiny=False)


def imdb_is_here() -> None:
    try:
        data.load("imdb")
    except UserError:
        pytest.skip("IMDB archive not found: set ADAM_REPRO_DATA to the folder that holds it")


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["mnist", "imdb", "least_squares", "sparse"])
def test_regret_is_below_the_bound_and_its_mean_falls(
    trial: Compose, run: Run, stream: str
) -> None:
    if stream == "imdb":
        imdb_is_here()
    # Where hindsight can still fit every example, the mean regret has not begun to fall.
    rounds = {"mnist": 3000, "imdb": 4000, "least_squares": 1000, "sparse": 3000}[stream]
    lr = {"adam": 0.1, "adagrad": 0.1, "sgd": 0.3, "amsgrad": 0.1}
    if stream == "sparse":
        lr = {"adam": 0.3, "adagrad": 0.3, "sgd": 3.0, "amsgrad": 0.1}
    stack = [
        regret(
            trial,
            f"task.data.name={stream}",
            f"task.rounds={rounds}",
            f"optimizer={name}",
            f"optimizer.lr={lr[name]}",
        )
        for name in METHODS_WITH_A_BOUND
    ]
    execute(stack, run)
    for one in stack:
        found = table(one, run)
        assert (found["regret"] > 0).all()
        assert (found["regret"] < found["bound"]).all()
        assert (found["comparator_slope"] < 1e-8).all()
        if one.optimizer["name"] in ("adam", "adagrad"):
            assert statistics.regret_slope(found["step"], found["average_regret"]) < -0.4


def test_the_row_is_what_a_plain_loop_finds(trial: Compose, run: Run) -> None:
    one = regret(trial, "task.data.name=least_squares", "task.rounds=60", "optimizer.lr=0.3")
    execute([one], run)
    row = table(one, run).iloc[-1]

    stream = cost_streams.build(one, 60)
    method = OPTIMIZERS["adam"]
    theta = torch.zeros(20, dtype=torch.float64)
    state = init_state(method, theta)
    h = SimpleNamespace(**{k: v for k, v in one.optimizer.items() if k != "name"})
    h.bias_correction = "v"
    total_cost, gradients, iterates = 0.0, [], []
    with torch.no_grad():
        for t in range(1, 61):
            iterates.append(theta.numpy().copy())
            cost, g = stream.cost_and_gradient(t - 1, theta.numpy())
            total_cost += cost
            gradients.append(g)
            h.beta1 = 0.9 * 0.99 ** (t - 1)
            h.lr = 0.3 / t**0.5 / (1 - 0.9**t)
            apply(method, theta, torch.from_numpy(g), state, h, t)
            theta.clamp_(-1, 1)
    stacked, path = np.array(gradients), np.array(iterates)
    assert row["train_cost"] == pytest.approx(total_cost / 60, rel=1e-6)
    assert row["regret"] == pytest.approx(total_cost - 60 * row["comparator_cost"], rel=1e-6)
    assert row["g_2"] == pytest.approx(np.linalg.norm(stacked, axis=1).max(), rel=1e-6)
    assert row["g_inf"] == pytest.approx(np.abs(stacked).max(), rel=1e-6)
    norms = np.linalg.norm(stacked, axis=0).sum()
    assert row["sum_gradient_norms"] == pytest.approx(norms, rel=1e-6)
    v_hat = (state["v"] / (1 - 0.999**60)).sqrt().sum()
    assert row["sum_root_v_hat"] == pytest.approx(float(v_hat), rel=1e-6)
    apart = np.linalg.norm(path[:, None] - path[None], axis=-1).max()
    assert row["d_2"] >= apart
    assert row["d_inf"] >= np.abs(path[:, None] - path[None]).max()


def test_every_iterate_stays_in_the_box(trial: Compose, run: Run) -> None:
    one = regret(
        trial, "task.data.name=sparse", "task.rounds=200", "task.radius=0.05", "optimizer.lr=10"
    )
    execute([one], run)
    assert table(one, run)["d_inf"].iloc[-1] == pytest.approx(0.1)


@pytest.mark.slow
def test_any_method_runs_a_bound_is_for_those_that_have_one(trial: Compose, run: Run) -> None:
    words = ["task.data.name=least_squares", "task.rounds=100"]
    stack = [regret(trial, *words, f"optimizer={name}") for name in OPTIMIZERS]
    execute(stack, run)
    bounded = {one.optimizer["name"] for one in stack if table(one, run)["bound"].notna().all()}
    assert bounded == set(METHODS_WITH_A_BOUND)


def test_amsgrad_keeps_what_the_proof_needs_and_adam_does_not(trial: Compose, run: Run) -> None:
    words = ["task.data.name=sparse", "task.rounds=500"]
    adam, amsgrad = (regret(trial, *words, f"optimizer={name}") for name in ("adam", "amsgrad"))
    execute([adam, amsgrad], run)
    assert table(adam, run)["falls"].iloc[-1] > 0.5
    assert table(amsgrad, run)["falls"].iloc[-1] == 0


@pytest.mark.slow
def test_killed_and_started_again_it_ends_with_the_same_bytes(trial: Compose, run: Run) -> None:
    words = ["task.data.name=synthetic_text", "task.rounds=300"]
    stack = [regret(trial, *words, f"optimizer={name}") for name in ("adam", "amsgrad")]
    execute(stack, elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute(stack, run, [KillAfter(3)])
    execute(stack, run)
    for one in stack:
        execute([one], elsewhere(run, "alone"))
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "alone"))


@pytest.mark.slow
def test_it_is_trained_on_the_cpu_whatever_gpu_there_is(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    one = regret(trial, "task.rounds=100")
    assert execute([one], replace(run, device="auto")) == {one.identity: "finished"}
    record = yaml.safe_load(TrialFolder(one, run.results_dir).metadata_path.read_text())
    assert record["provenance"]["device"] == "cpu"


def test_its_columns_come_after_those_of_every_trial(trial: Compose, run: Run) -> None:
    one = regret(trial, "task.data.name=least_squares", "task.rounds=50", "batch_size=3")
    execute([one], run)
    found = table(one, run)
    assert tuple(found.columns) == COLUMNS + EXTRA["regret"]
    assert list(found["examples"]) == [3 * step for step in found["step"]]
    assert found["step"].iloc[-1] == 50


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizer=sfo"], "optimizer=sfo: task=regret takes one of adam, adamax"),
        (["averaging=polyak"], "averaging=polyak: regret is measured at the iterates"),
        (
            ["schedule=inv_sqrt_pass"],
            "schedule=inv_sqrt_pass: task=regret has rounds and no passes",
        ),
        (["schedule=exponential_0.9"], "must be one of constant, inv_sqrt_iteration"),
        (["task.rounds=9"], "task.rounds=9: must be a whole number, at least 10"),
        (["task.rounds=600", "task.data.name=synthetic"], "synthetic has 512 training examples"),
        (["task.rounds=12"], "epochs=4: there are not that many milestones"),
        (["task.radius=0"], "task.radius=0: must be a finite number, at least"),
        (["task.beta1_decay=1.5"], "task.beta1_decay=1.5: must be .* at most 1"),
        (["task.growing_beta2=1"], "task.growing_beta2=1: must be true or false"),
        (["task.data.name=mnits"], "task.data.name=mnits: must be one of least_squares, sparse"),
        (["+task.data.n_train=4", "task.data.name=sparse"], "task.data.n_train: the stream sparse"),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(
    trial: Compose, run: Run, words: list[str], message: str
) -> None:
    one = regret(trial, "task.data.name=least_squares", *words)
    with pytest.raises(UserError, match=message):
        execute([one], run)
    assert not (run.results_dir / "runs").exists()


def test_a_best_point_that_is_not_found_is_reported(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparator, "NEWTON_ITERATIONS", 0)
    monkeypatch.setattr(comparator, "LBFGS_BEFORE_NEWTON", 2)
    one = trial("task=regret", "task.data.name=synthetic", "task.rounds=50", "epochs=2", tiny=False)
    with pytest.raises(
        UserError, match=r"task.radius=1: the best fixed point of the first 10 costs"
    ):
        execute([one], run)


def test_a_text_is_refused(trial: Compose, run: Run) -> None:
    with pytest.raises(UserError, match=r"task.data.name=synthetic_words: a text"):
        execute([trial("task=regret", "task.data.name=synthetic_words", tiny=False)], run)


def test_the_comparator_does_not_depend_on_the_threads_of_blas() -> None:
    """More than one may add in another order: asked for three, it still multiplies with one."""
    with ThreadpoolController().limit(limits=3, user_api="blas"), comparator.one_blas_thread():
        found = [one for one in ThreadpoolController().info() if one["user_api"] == "blas"]
    if not found:
        pytest.skip("no BLAS here whose threads can be set")
    assert all(one["num_threads"] == 1 for one in found)
