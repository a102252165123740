"""Bengio's language model: its equation, its size, its columns; alone, in a stack, killed and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from adam_repro.config.trial import Run, Trial
from adam_repro.data.dataset import Dataset, Split
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.tasks import Batch, build
from adam_repro.tasks.lm import NeuralLanguageModel
from tests.helpers import Compose, CountingCallback, KillAfter, Killed

#: Words of a command line that put a small generated text in the place of the Brown corpus.
SMALL = [
    "task=lm", "optimizer=adam", "task.data.name=synthetic_words", "task.data.min_count=1",
    "task.data.tokens=700", "+task.data.words=60", "batch_size=32", "epochs=2",
    "task.features=6", "task.hidden=5",
]  # fmt: skip


def dataset(words: int = 12, context: int = 4, n: int = 40) -> Dataset:
    tokens = np.random.default_rng(0).integers(0, words, n + context).astype(np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(tokens, context)[:n]
    split = Split(windows, tokens[context:])
    counts = np.sort(np.bincount(split.targets, minlength=words))[::-1]
    return Dataset("own", split, split, words, counts=counts)


def task_on(trial: Compose, data: Dataset, *words: str) -> NeuralLanguageModel:
    task = build(trial("task=lm", *words, tiny=False).task)
    assert isinstance(task, NeuralLanguageModel)
    task.prepare(data)
    return task


@pytest.mark.parametrize("direct", [False, True])
def test_the_network_is_equation_1_of_bengio_et_al(trial: Compose, direct: bool) -> None:
    data = dataset()
    task = task_on(trial, data, f"task.direct={direct}", "task.features=7", "task.hidden=5")
    model = task.model(torch.Generator().manual_seed(3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    batch = Batch(
        task.preprocess(torch.tensor(data.train.inputs)), torch.tensor(data.train.targets)
    )
    c, big_h, d, wide, b = (p.detach().double().numpy() for p in model.parameters())
    u, w = wide[:, :5], wide[:, 5:]
    x = np.concatenate([c[data.train.inputs[:, i]] for i in range(4)], axis=1)
    y = b + np.tanh(d + x @ big_h.T) @ u.T + (x @ w.T if direct else 0.0)
    expected = np.log(np.exp(y).sum(1)) - y[np.arange(40), data.train.targets]
    costs = task.costs(model(batch.inputs), batch._replace(targets=batch.targets.long()))
    np.testing.assert_allclose(costs.detach().numpy(), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("direct", "size"), [(False, 16_383 * (60 + 51) + 50 * 241),
                         (True, 16_383 * (60 + 291) + 50 * 241)],
)  # fmt: skip
def test_it_has_the_published_number_of_parameters(trial: Compose, direct: bool, size: int) -> None:
    """|V| (1 + n m + h) + h (1 + (n - 1) m) in their section 2, whose W has (n - 1) m columns."""
    task = task_on(trial, dataset(16_383), f"task.direct={direct}")
    model = task.model(torch.Generator())
    assert sum(parameter.numel() for parameter in model.parameters()) == size


def test_every_word_of_the_context_matters(trial: Compose) -> None:
    task = task_on(trial, dataset())
    model = task.model(torch.Generator().manual_seed(0))
    context = torch.tensor([[1, 2, 3, 4]])
    start = model(context).compute()
    for place in range(4):
        other = context.clone()
        other[0, place] = 7
        assert not torch.allclose(model(other).compute(), start)


def test_groups_are_the_tenths_of_the_targets(trial: Compose) -> None:
    data = dataset(words=20, n=400)
    task = task_on(trial, data)
    batch = Batch(torch.tensor(data.train.inputs), torch.tensor(data.train.targets).long())
    groups = task.groups(batch)
    assert groups.shape == (400,)
    rare, frequent = groups[batch.targets == 19], groups[batch.targets == 0]
    assert (rare == 9).all()
    assert (frequent == 0).all()
    assert len(task.group_columns) == 10
    assert set(task.group_columns) <= set(task.columns)


def test_touched_rows_are_those_of_the_context(trial: Compose) -> None:
    task = task_on(trial, dataset())
    batch = Batch(torch.tensor([[0, 1, 1, 1], [0, 1, 2, 2]]), torch.tensor([5, 6]))
    assert float(task.batch_metrics(batch)["touched_rows"]) == pytest.approx(3 / 12)


def test_evaluation_batches_keep_the_logits_small(trial: Compose) -> None:
    for words in (12, 16_383, 33_278):
        task = task_on(trial, dataset(words))
        assert 1 <= task.evaluation_batch <= 1000
        assert task.evaluation_batch * words <= 2**23


def test_only_running_text_is_trained_on(trial: Compose) -> None:
    task = build(trial("task=lm", "task.data={name:mnist}", tiny=False).task)
    pixels = Split(np.zeros((4, 784), dtype=np.uint8), np.zeros(4, dtype=np.uint8))
    with pytest.raises(UserError, match=r"task\.data\.name=mnist: task=lm takes running text"):
        task.prepare(Dataset("mnist", pixels, pixels, 10))


@pytest.mark.parametrize("word", ["task.features=0", "task.hidden=0", "task.direct=perhaps"])
def test_bad_options_are_refused_by_name(trial: Compose, word: str) -> None:
    with pytest.raises(UserError, match=word.replace(".", r"\.").replace("=", "=")):
        build(trial("task=lm", word, tiny=False).task)


def small(trial: Compose, *words: str) -> Trial:
    return trial(*SMALL, *words, tiny=False)


def rows_of(trials: list[Trial], run: Run) -> dict[str, list[dict[str, float]]]:
    counter = CountingCallback()
    execute(trials, run, [counter])
    return {t.identity: [epoch[t.identity] for epoch in counter.epochs] for t in trials}


def test_a_trial_logs_all_its_columns_and_learns(trial: Compose, run: Run) -> None:
    one = small(trial, "epochs=6", "optimizer.lr=0.01")
    rows = rows_of([one], run)[one.identity]
    last = rows[-1]
    assert last["train_cost"] < rows[0]["train_cost"] < 1.05 * np.log(61)
    assert last["perplexity"] == pytest.approx(np.exp(last["test_cost"]))
    assert last["validation_perplexity"] == pytest.approx(np.exp(last["validation_cost"]))
    assert 0 < last["touched_rows"] <= 1
    tenths = [last[f"cost_tenth_{i}"] for i in range(1, 11)]
    known = [cost for cost in tenths if cost is not None]
    assert len(known) >= 7
    assert min(known) <= last["train_cost"] <= max(known)
    assert known[0] < known[-1]  # frequent words are learned first


@pytest.mark.slow
@pytest.mark.parametrize("direct", ["true", "false"])
def test_a_stack_gives_the_curves_of_its_trials_alone(
    trial: Compose, tmp_path: Path, direct: str
) -> None:
    words = [f"optimizer.lr={lr}" for lr in (1e-3, 1e-2, 3e-2)]
    trials = [small(trial, word, f"task.direct={direct}") for word in words]
    runs = {
        engine: rows_of(trials, Run("cpu", engine, results_dir=tmp_path / engine, progress=False))
        for engine in ("batched", "looped")
    }
    for identity, rows in runs["looped"].items():
        for row, other in zip(rows, runs["batched"][identity], strict=True):
            assert other.keys() == row.keys()
            for name, value in row.items():  # None: a tenth without a word
                assert other[name] == (value and pytest.approx(value, rel=2e-4)), name


def test_a_killed_trial_goes_on_to_the_same_bytes(trial: Compose, tmp_path: Path) -> None:
    one = small(trial, "epochs=3")
    contents = []
    for name, kill in (("whole", 0), ("killed", 30)):
        run = Run(device="cpu", engine="looped", results_dir=tmp_path / name, progress=False)
        if kill:
            with pytest.raises(Killed):
                execute([one], run, [KillAfter(kill)])
        execute([one], run, [])
        contents.append((one.folder(run.results_dir) / "metrics.csv").read_bytes())
    assert contents[0] == contents[1]
