"""The LSTM language model: equal to a loop by hand, its state carried along, alone as in a stack."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from adam_repro.config.trial import Run, Trial
from adam_repro.data.dataset import Dataset, Split
from adam_repro.engine.stack import Stack
from adam_repro.engine.trial_groups import BatchedTrials, SingleTrial
from adam_repro.errors import UserError
from adam_repro.random_streams import generator
from adam_repro.runs.check import check
from adam_repro.runs.execute import execute, load
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import Task, build
from adam_repro.tasks.text import TENTH_COLUMNS, frequency_tenths
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes

TRACKS, STEPS, EMBEDDING, HIDDEN = 4, 5, 6, 8
#: 800 generated words in four tracks: 39 minibatches of five words each.
TEXT = [
    "task=lm_lstm", "task.data.name=synthetic_words", "+task.data.tokens=800", "+task.data.words=30",
    f"task.data.steps={STEPS}", f"batch_size={TRACKS}", f"task.embedding={EMBEDDING}",
    f"task.hidden={HIDDEN}", "epochs=2",
]  # fmt: skip
CPU = torch.device("cpu")


@pytest.fixture
def text(trial: Compose) -> Compose:
    """``text("optimizer=adam")``: a trial of a small LSTM on generated text."""
    return lambda *words: trial(*TEXT, *words, tiny=False)


def stack_of(*trials: Trial, engine: str = "looped") -> Stack:
    task = check(trials[0])
    assert task is not None
    return Stack(trials, task, load(task, CPU), engine)


def network(trial: Trial) -> nn.ModuleDict:
    """The same layers and first parameters, for a loop by hand."""
    task = check(trial)
    assert task is not None
    load(task, CPU)
    ours = task.model(generator(trial.seed, "init"))
    parts = nn.ModuleDict(
        {
            "embedding": nn.Embedding(task.words, EMBEDDING),
            "first": nn.LSTM(EMBEDDING, HIDDEN),
            "second": nn.LSTM(HIDDEN, HIDDEN),
            "output": nn.Linear(HIDDEN, task.words),
        }
    )
    for theirs, given in zip(parts.parameters(), ours.parameters(), strict=True):
        theirs.data.copy_(given)
    return parts


def by_hand(
    trial: Trial, optimizer: Callable[[nn.ModuleDict], torch.optim.Optimizer], carry: bool = True
) -> tuple[Tensor, nn.ModuleDict]:
    """Train one epoch in plain PyTorch: the costs of all words [minibatches, tracks, steps], the network."""
    net = network(trial)
    step = optimizer(net)
    task = build(trial.task)
    data = load(task, CPU).dataset.train
    words, targets = (torch.from_numpy(np.array(a)).long() for a in (data.inputs, data.targets))
    draws = generator(trial.seed, "noise", 0)
    rate = trial.task["dropout"]
    states: list[tuple[Tensor, Tensor] | None] = [None, None]
    widths, costs = (EMBEDDING, HIDDEN, HIDDEN), []
    for x, y in zip(words.split(TRACKS), targets.split(TRACKS), strict=True):
        masks = [torch.ones(()), torch.ones(()), torch.ones(())]
        if rate > 0:
            draw = [torch.rand(STEPS, TRACKS, width, generator=draws) for width in widths]
            masks = [(uniform >= rate) / (1 - rate) for uniform in draw]
        h = net["embedding"](x.t()) * masks[0]
        for i, name in enumerate(("first", "second")):
            h, after = net[name](h, states[i])
            h = h * masks[i + 1]
            states[i] = (after[0].detach(), after[1].detach()) if carry else None
        logits = net["output"](h).flatten(0, 1)
        each = cross_entropy(logits, y.t().flatten(), reduction="none").view(STEPS, TRACKS).t()
        step.zero_grad()
        each.mean().backward()
        if trial.clip_norm is not None:
            clip_grad_norm_(net.parameters(), trial.clip_norm)
        step.step()
        costs.append(each.detach())
    return torch.stack(costs), net


def sgd(net: nn.ModuleDict) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=5.0)


def adam(net: nn.ModuleDict) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), lr=0.01)


def costs_of_steps(stack: Stack) -> Tensor:
    """Train one epoch in the engine: the costs of all words of the first trial."""
    (metrics,) = stack.loop.epoch(0, lambda: None)
    return metrics.costs[0]


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize(
    ("words", "optimizer"),
    [
        (["optimizer=sgd", "optimizer.lr=5", "clip_norm=0.25"], sgd),
        (["optimizer=adam", "optimizer.lr=0.01"], adam),
    ],
)
def test_a_trial_is_a_loop_by_hand_step_by_step(
    text: Compose,
    words: list[str],
    optimizer: Callable[[nn.ModuleDict], torch.optim.Optimizer],
    dropout: float,
) -> None:
    one = text(*words, f"task.dropout={dropout}")
    expected, net = by_hand(one, optimizer)
    stack = stack_of(one)
    found = costs_of_steps(stack)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert found[-1].mean() < found[0].mean() - 0.1  # it learns
    theta = torch.cat([p.detach().flatten() for p in net.parameters()])
    torch.testing.assert_close(stack.groups[0].theta[0], theta, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
def test_the_state_is_carried_from_minibatch_to_minibatch(text: Compose, engine: str) -> None:
    one = text("optimizer=adam", "optimizer.lr=0.01", "task.dropout=0", "task.init=uniform")
    found = costs_of_steps(stack_of(one, engine=engine))
    torch.testing.assert_close(found, by_hand(one, adam)[0], rtol=1e-4, atol=1e-5)
    forgetful, _ = by_hand(one, adam, carry=False)
    torch.testing.assert_close(found[0], forgetful[0])
    assert (found - forgetful).abs().max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
def test_the_cost_of_the_words_of_each_tenth_of_the_text(text: Compose, engine: str) -> None:
    one = text("optimizer=adam", "optimizer.lr=0.01", "epochs=1")
    stack = stack_of(one, engine=engine)
    (row,) = stack.train_epoch(lambda: None).values()
    costs, _ = by_hand(one, adam)
    dataset = stack.data.dataset
    assert dataset.counts is not None
    targets = np.array(dataset.train.targets).reshape(costs.shape)
    tenths = frequency_tenths(dataset.counts)[targets]
    for i, name in enumerate(TENTH_COLUMNS):
        members = costs.numpy()[tenths == i]
        assert row[name] == (pytest.approx(members.mean(), rel=1e-4) if members.size else None)
    assert row["train_cost"] == pytest.approx(costs.mean().item(), rel=1e-5)
    assert row["cost_tenth_1"] < row["cost_tenth_10"]  # frequent words are learned first


def test_held_out_texts_are_read_as_a_whole(text: Compose, run: Run) -> None:
    """The cost of minibatches of five words is that of whole tracks, and a perplexity is its exp."""
    one = text("optimizer=adam", "optimizer.lr=0.01", "epochs=1")
    stack = stack_of(one)
    (row,) = stack.train_epoch(lambda: None).values()
    net = network(one)
    values = stack.layout.views(stack.groups[0].theta[0])
    for parameter, value in zip(net.parameters(), values, strict=True):
        parameter.data.copy_(value)
    dataset = stack.data.dataset
    assert dataset.validation is not None
    for prefix, split in (("validation_", dataset.validation), ("test_", dataset.test)):
        whole = [np.array(a).reshape(-1, TRACKS, STEPS) for a in (split.inputs, split.targets)]
        x, y = (torch.from_numpy(a.swapaxes(1, 2).reshape(-1, TRACKS)).long() for a in whole)
        h = net["second"](net["first"](net["embedding"](x))[0])[0]
        cost = cross_entropy(net["output"](h).flatten(0, 1), y.flatten()).item()
        assert row[f"{prefix}cost"] == pytest.approx(cost, rel=1e-5)
        perplexity = row[f"{prefix}perplexity".removeprefix("test_")]
        assert perplexity == pytest.approx(np.exp(cost), rel=1e-4)


@pytest.mark.slow
def test_every_epoch_begins_with_a_state_of_zeros(text: Compose, run: Run) -> None:
    """So a checkpoint needs no state: resumed in the second epoch, the bytes are the same."""
    one = text("optimizer=adam", "epochs=3")
    execute([one], elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(50)])
    assert TrialFolder(one, run.results_dir).status() == "running"
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.slow
def test_a_trial_has_the_same_bytes_alone_and_in_a_stack(text: Compose, run: Run) -> None:
    stack = [
        text("optimizer=adam", "optimizer.lr=0.01"),
        text("optimizer=sgd", "optimizer.lr=5", "clip_norm=0.25"),
        text("optimizer=adagrad", "optimizer.lr=0.1"),
    ]
    execute(stack, run)
    for one in stack:
        execute([one], elsewhere(run, "alone"))
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "alone"))


@pytest.mark.slow
def test_batched_and_looped_execution_agree(text: Compose, run: Run) -> None:
    stack = [
        text("optimizer=adam", "optimizer.lr=0.003"),
        text("optimizer=adam", "optimizer.lr=0.01", "clip_norm=1.0"),
        text("optimizer=sgd", "optimizer.lr=1", "clip_norm=0.25"),
    ]
    batched = elsewhere(run, "batched", engine="batched")
    execute(stack, run)
    execute(stack, batched)
    for one in stack:
        tables = [pd.read_csv(TrialFolder(one, r.results_dir).metrics) for r in (run, batched)]
        pd.testing.assert_frame_equal(*tables, rtol=1e-4)


def test_pytorchs_lstm_is_used_where_a_trial_is_alone(text: Compose) -> None:
    (group,) = stack_of(text("optimizer=adam"), engine="auto").groups
    assert isinstance(group, SingleTrial)
    assert all("forward" not in vars(lstm) for lstm in group.model.lstm)
    (group,) = stack_of(text("optimizer=adam"), engine="batched").groups
    assert isinstance(group, BatchedTrials)


def published(trial: Compose, *words: str) -> Task:
    """The task with the vocabulary of WikiText-2."""
    task = build(trial("task=lm_lstm", *words, tiny=False).task)
    rows = np.zeros((20, 35), np.int32)
    split = Split(rows, rows)
    task.prepare(Dataset("a text", split, split, 33_278, counts=np.ones(33_278, np.int64)))
    return task


def test_it_has_the_size_and_first_weights_of_pytorchs_example(trial: Compose) -> None:
    model = published(trial).model(generator(0, "init"))
    ends = {name: (p.min().item(), p.max().item()) for name, p in model.named_parameters()}
    assert sum(p.numel() for p in model.parameters()) == 13_987_678
    for name, (low, high) in ends.items():
        if name == "output.bias":
            assert (low, high) == (0.0, 0.0)
            continue
        bound = 200**-0.5 if name.startswith("lstm.") else 0.1
        assert (low, high) == pytest.approx((-bound, bound), rel=0.01)


def test_all_of_zaremba_et_als_first_weights_are_of_one_width(trial: Compose) -> None:
    model = published(trial, "task.init=uniform").model(generator(0, "init"))
    for parameter in model.parameters():
        assert (parameter.min().item(), parameter.max().item()) == pytest.approx(
            (-0.1, 0.1), rel=0.01
        )


def test_the_share_of_embedding_rows_that_a_minibatch_touches(text: Compose) -> None:
    stack = stack_of(text("optimizer=adam", "epochs=1"))
    (row,) = stack.train_epoch(lambda: None).values()
    inputs = np.array(stack.data.dataset.train.inputs).reshape(-1, TRACKS * STEPS)
    shares = [len(np.unique(batch)) / stack.data.dataset.classes for batch in inputs]
    assert row["touched_rows"] == pytest.approx(np.mean(shares), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["batch_size=20", "task.data.tracks=10"], r"batch_size=20: must be task\.data\.tracks=10"),
        (["task.order=every_pass"], r"task\.order=every_pass: must be one of file"),
        (["task.data.layout=windows"], r"task\.data\.layout=windows: must be one of tracks"),
        (["task.data.steps=0"], r"task\.data\.steps=0: must be a whole number, at least 1"),
        (["task.dropout=1"], r"task\.dropout=1: must be .* below 1"),
        (["task.init=ones"], r"task\.init=ones: must be one of torch, uniform"),
        (["task.layers=0"], r"task\.layers=0: must be a whole number"),
        (["task.data.name=mnist"], r"task\.data\.\w+: the data set mnist has no such option"),
    ],
)
def test_mistakes_are_named(trial: Compose, run: Run, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        execute([trial("task=lm_lstm", *words, tiny=False)], run)
