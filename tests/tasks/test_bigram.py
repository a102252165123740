"""The linear bigram model: gradient descent in closed form, and problems reduced without a change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from adam_repro import data
from adam_repro.config.trial import Run
from adam_repro.data.bigrams import coordinates, zipf
from adam_repro.errors import UserError
from adam_repro.runs.check import check
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import Batch, build
from tests.helpers import Compose, elsewhere

WORDS = 24


def train(trial: Compose, run: Run, *words: str) -> pd.DataFrame:
    """metrics.csv of a trial of 40 steps."""
    one = trial("task=bigram", f"task.data.words={WORDS}", "epochs=40", *words, tiny=False)
    assert set(execute([one], run).values()) == {"finished"}
    return pd.read_csv(TrialFolder(one, run.results_dir).metrics)


@pytest.mark.slow
@pytest.mark.parametrize("reduction", ["none", "linear"])
@pytest.mark.parametrize("lr", [1.0, 5.0])
def test_gradient_descent_is_its_closed_form(
    trial: Compose, run: Run, reduction: str, lr: float
) -> None:
    """sum_i pi_i (1 - lr pi_i)^(2t), relative to the first loss."""
    words = ["optimizer=sgd", f"optimizer.lr={lr}", f"task.data.reduction={reduction}"]
    rows = train(trial, run, *words)
    pi = 1 / np.arange(1, WORDS + 1)
    pi /= pi.sum()
    expected = [(pi * (1 - lr * pi) ** (2 * t)).sum() for t in range(41)]
    np.testing.assert_allclose(rows["train_cost"], expected[:-1], rtol=1e-6)
    np.testing.assert_allclose(rows["test_cost"], expected[1:], rtol=1e-6)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("engine", ["looped", "batched"])
def test_a_gpu_has_the_closed_form_too(trial: Compose, run: Run, engine: str) -> None:
    gpu = elsewhere(run, "gpu", device="cuda", engine=engine)
    rows = train(trial, gpu, "optimizer=sgd", "optimizer.lr=5.0")
    pi = zipf(WORDS)
    expected = [(pi * (1 - 5 * pi) ** (2 * t)).sum() for t in range(40)]
    np.testing.assert_allclose(rows["train_cost"], expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "reduction", "lr"),
    [
        ("sgd_momentum", "linear", "0.5"),
        ("sgd_nesterov", "linear", "0.5"),
        ("signsgd", "scale_free", "0.01"),
        ("lion", "scale_free", "0.01"),
        ("adam optimizer.eps=0", "scale_free", "0.01"),
        ("rmsprop optimizer.eps=0", "scale_free", "0.003"),
    ],
)
def test_the_reduced_problem_has_the_curve_of_the_whole(
    trial: Compose, run: Run, optimizer: str, reduction: str, lr: str
) -> None:
    words = [*f"optimizer={optimizer}".split(), f"optimizer.lr={lr}"]
    whole = train(trial, run, *words)
    reduced = train(trial, run, *words, f"task.data.reduction={reduction}")
    np.testing.assert_allclose(whole["test_cost"], reduced["test_cost"], rtol=1e-5)
    assert whole["test_cost"].iloc[-1] < 0.5


@pytest.mark.parametrize("optimizer", ["sgd", "signsgd", "adam"])
def test_all_coordinates_have_the_curve_of_the_matrix(
    trial: Compose, run: Run, optimizer: str
) -> None:
    """W [words, words] itself, by autograd from its definition, for words after another in any order."""
    rows = train(trial, run, f"optimizer={optimizer}", "optimizer.lr=0.02")
    frequency = torch.from_numpy(zipf(WORDS))
    draws = torch.Generator().manual_seed(0)
    after = torch.stack([frequency[torch.randperm(WORDS, generator=draws)] for _ in range(WORDS)])
    w = torch.zeros(WORDS, WORDS, dtype=torch.float64, requires_grad=True)
    peers = {
        "sgd": lambda: torch.optim.SGD([w], lr=0.02),
        "signsgd": lambda: torch.optim.SGD([w], lr=0.02),
        "adam": lambda: torch.optim.Adam([w], lr=0.02),
    }
    peer, costs = peers[optimizer](), []
    for _ in range(40):
        loss = (frequency[:, None] * (w - after) ** 2).sum() / 2
        costs.append(float(loss.detach()))
        peer.zero_grad()
        loss.backward()
        if optimizer == "signsgd":
            w.grad.sign_()
        peer.step()
    np.testing.assert_allclose(rows["train_cost"], np.array(costs) / costs[0], rtol=1e-5)


def test_the_gradient_is_the_losss_and_not_the_relative_errors(trial: Compose) -> None:
    task = build(trial("task=bigram", tiny=False).task)
    table = coordinates(np.array([0.5, 0.5, 0.25]), np.array([0.1, 0.1, 0.4]), "none")
    batch = Batch(torch.from_numpy(table[None]), torch.zeros(1, dtype=torch.int64))
    task.count = 2
    model = task.model(torch.Generator())
    cost = task.costs(model(batch.inputs), batch)
    assert cost.tolist() == [1.0]
    (gradient,) = torch.autograd.grad(cost, list(model.parameters()))
    curvature, solution, _ = torch.from_numpy(table)
    torch.testing.assert_close(gradient, -curvature * solution)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizer=adam", "task.data.reduction=linear"], "linear: with optimizer=adam"),
        (["optimizer=sgd", "task.data.reduction=scale_free"], "scale_free: with optimizer=sgd"),
        (["optimizer=adam", "task.data.reduction=scale_free"], r"optimizer\.eps=0"),
        (
            ["optimizer=lion", "optimizer.weight_decay=0.1", "task.data.reduction=scale_free"],
            "without weight decay",
        ),
        (["optimizer=sfo"], "every elementwise optimizer, and sfo is none"),
    ],
)
def test_a_reduction_that_changes_the_result_is_refused(
    trial: Compose, words: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=rf"task\.data\.reduction=.*{message}"):
        check(trial("task=bigram", *words, tiny=False))


def test_other_data_are_refused(trial: Compose) -> None:
    task = build(trial("task=bigram", tiny=False).task)
    for name in ("synthetic", "synthetic_text"):
        with pytest.raises(UserError, match="holds no bigrams"):
            task.prepare(data.load(name))
