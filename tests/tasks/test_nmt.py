"""Translation: the network beside a computation by hand, searches, BLEU, and whole trials."""

from __future__ import annotations

import itertools
import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from adam_repro import data
from adam_repro.config.trial import Run
from adam_repro.data.parallel_text import BOS, EOS, PAD
from adam_repro.data.synthetic import load_pairs
from adam_repro.engine.minibatches import BatchSampler, DeviceDataset
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import Batch, Task, build, nmt
from adam_repro.tasks.beam_search import beam, greedy, limit, sentences
from adam_repro.tasks.translator import Translator
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes

GENERATED = (
    "task=nmt", "optimizer=adam", "task.data.name=synthetic_pairs", "~task.data.pair",
    "~task.data.lowercase", "~task.data.merges", "~task.data.joint", "~task.data.max_length",
    "+task.data.n_train=64", "+task.data.n_test=12", "batch_size=8", "epochs=2",
    "task.embedding=6", "task.state=5", "task.beam=2",
)  # fmt: skip


def small(trial: Compose, *words: str) -> Task:
    """The task on generated pairs, prepared."""
    task = build(trial(*GENERATED, *words, tiny=False).task)
    task.prepare(load_pairs(64, 12))
    return task


def network(words: int = 9, seed: int = 0) -> Translator:
    """A network with weights large enough that every part of it matters."""
    model = Translator(words, words, 6, 5).double()
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source, dtype=torch.float64) / 2)
    return model


def ending(model: Translator) -> Translator:
    """The same network, which likes to end a sentence."""
    with torch.no_grad():
        model.output.bias[EOS] += 4.0
    return model


def ids(*rows: list[int]) -> Tensor:
    size = max(map(len, rows))
    return torch.tensor([row + [PAD] * (size - len(row)) for row in rows])


SOURCE = ids([4, 5, 6, 7, EOS], [8, EOS], [6, 4, EOS])
TARGET = ids([5, EOS], [7, 8, 4, EOS], [4, 4, 6, EOS])


def gru_by_torch(layer: nn.Linear, inputs: Tensor, state: Tensor) -> Tensor:
    """One step by PyTorch's own cell; ``inputs`` are the gates' parts already."""
    cell = nn.GRUCell(inputs.shape[1], state.shape[1]).double()
    with torch.no_grad():
        cell.weight_ih.copy_(torch.eye(inputs.shape[1]))
        cell.bias_ih.zero_()
    cell.weight_hh, cell.bias_hh = layer.weight, layer.bias
    return cell(inputs, state)


@torch.no_grad()
def cost_by_hand(model: Translator, source: list[int], target: list[int]) -> list[float]:
    """The cost of each token of one pair without padding, equation by equation."""
    words = model.source_embedding(torch.tensor(source))
    forwards, backwards = [torch.zeros(1, 5).double()], [torch.zeros(1, 5).double()]
    for word in words:
        inputs = model.forwards_input(word[None])
        forwards.append(gru_by_torch(model.forwards_state, inputs, forwards[-1]))
    for word in words.flip(0):
        inputs = model.backwards_input(word[None])
        backwards.append(gru_by_torch(model.backwards_state, inputs, backwards[-1]))
    h = [torch.cat(both, 1)[0] for both in zip(forwards[1:], backwards[:0:-1], strict=True)]
    s = torch.tanh(model.start(backwards[-1]))
    costs = []
    for before, word in zip([BOS, *target], target, strict=False):
        energy = [
            float(model.energy.weight[0] @ torch.tanh(model.query(s)[0] + model.keys(h_j)))
            for h_j in h
        ]
        weights = [math.exp(e) / sum(map(math.exp, energy)) for e in energy]
        context = sum(a * h_j for a, h_j in zip(weights, h, strict=True))
        embedded = model.target_embedding(torch.tensor(before))
        inputs = model.word_input(embedded) + model.context_input(context)
        s = gru_by_torch(model.decoder_state, inputs[None], s)
        t = torch.tanh(model.readout(torch.cat([s[0], embedded, context])))
        costs.append(-float(model.output(t).log_softmax(0)[word]))
    return costs


def test_attention_and_all_else_by_hand() -> None:
    model = network()
    found = model(SOURCE, TARGET)
    for row in range(3):
        source, target = (
            [word for word in side[row].tolist() if word != PAD] for side in (SOURCE, TARGET)
        )
        costs = found.costs[row, : len(target)].tolist()
        assert costs == pytest.approx(cost_by_hand(model, source, target), rel=1e-9)
    assert found.tokens.tolist() == (TARGET != PAD).tolist()
    assert (found.costs[TARGET == PAD] == 0).all()


def test_padding_changes_no_cost_and_no_gradient() -> None:
    model = network()
    parameters = list(model.parameters())
    wider = [nn.functional.pad(side, (0, 3)) for side in (SOURCE, TARGET)]
    plain = model(SOURCE, TARGET).costs.sum()
    wide = model(*wider).costs.sum()
    # Without `trimmed`, as on a GPU: the encoder sees the padding, and must not mind.
    (memory, start), (narrow, same) = model.encode(wider[0]), model.encode(SOURCE)
    words = SOURCE != PAD
    torch.testing.assert_close(memory.states[:, :5][words], narrow.states[words])
    torch.testing.assert_close(start, same)
    torch.testing.assert_close(model.attend(start, memory), model.attend(same, narrow))
    torch.testing.assert_close(wide, plain)
    for a, b in zip(
        torch.autograd.grad(wide, parameters), torch.autograd.grad(plain, parameters), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_steps_of_decoding_give_the_costs_of_training() -> None:
    model = network()
    memory, state = model.encode(SOURCE)
    before, total = torch.full((3,), BOS), torch.zeros(3).double()
    for word in TARGET.unbind(1):
        log_p, state = model.step(before, state, memory)
        total -= log_p.gather(1, word[:, None])[:, 0] * (word != PAD)
        before = word
    torch.testing.assert_close(total, model(SOURCE, TARGET).costs.sum(1))


def test_a_training_cost_is_per_token(trial: Compose) -> None:
    task = small(trial, "task.dropout=0")
    batch = Batch((SOURCE, TARGET), TARGET)
    output = network()(SOURCE, TARGET)
    tokens = int((TARGET != PAD).sum())
    assert float(task.costs(output, batch).detach().mean()) == pytest.approx(
        float(output.costs.sum()) / tokens
    )


@torch.no_grad()
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    model = network(seed=seed)
    assert beam(model, SOURCE, 1) == greedy(model, SOURCE)


def log_p_of(model: Translator, source: Tensor, words: list[int]) -> float:
    return -float(model(source[None], torch.tensor([[*words, EOS]])).costs.sum())


@torch.no_grad()
def test_a_wide_beam_finds_the_best_of_all_short_translations() -> None:
    """Against every sequence of up to three words, of a model that likes to end."""
    model = ending(network(words=7))
    source = SOURCE[1, :2] % 7
    every = [list(w) for n in range(4) for w in itertools.product(range(3, 7), repeat=n)]
    best = max(every, key=lambda words: log_p_of(model, source, words) / (len(words) + 1))
    found = beam(model, source[None], 400)[0]
    mine = log_p_of(model, source, found) / (len(found) + 1)
    assert mine >= log_p_of(model, source, best) / (len(best) + 1) - 1e-12


@torch.no_grad()
def test_rows_are_searched_as_if_alone() -> None:
    model = ending(network())
    for search in (greedy, lambda model, source: beam(model, source, 3)):
        together = search(model, SOURCE)
        for row, translation in zip(SOURCE, together, strict=True):
            alone = row[row != PAD][None]
            assert len(translation) < limit(alone)  # it came to an end by itself
            assert translation == search(model, alone)[0]


def test_a_sentence_ends_before_its_end() -> None:
    assert sentences(torch.tensor([[5, EOS, 7], [5, 6, 7]])) == [[5], [5, 6, 7]]


def test_bleu_of_a_known_pair() -> None:
    pytest.importorskip("sacrebleu", reason="needs the extra: pip install 'adam-repro[text]'")
    translation, reference = "the cat sat on a red mat", "the cat sat on the red mat"
    # 6 of 7 words, 4 of 6 pairs, 2 of 5 triples, 1 of 4 quadruples; equally long
    expected = 100 * (6 / 7 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25
    assert nmt.bleu([translation], [reference]) == pytest.approx(expected)
    assert nmt.bleu([reference], [reference]) == pytest.approx(100.0)


def test_minibatches_by_length_hold_every_pair_once(trial: Compose) -> None:
    one = trial(*GENERATED, tiny=False)
    task = small(trial)
    rows = DeviceDataset(load_pairs(64, 12).train, task, torch.device("cpu"))
    sampler = BatchSampler(rows, one)
    seen = torch.cat([sampler.batch(step).targets for step in range(8)])
    assert sorted(map(tuple, seen.tolist())) == sorted(map(tuple, rows.targets.tolist()))
    assert sampler.order_of(0, 8).flatten().sort().values.tolist() == list(range(64))


def test_lengths_sort_by_target_and_then_by_source(trial: Compose) -> None:
    task = small(trial)
    found = task.lengths(
        torch.tensor([[[4, 5, 2], [4, 2, 0]], [[4, 2, 0], [4, 2, 0]], [[4, 2, 0], [4, 5, 2]]])
    )
    assert found.argsort().tolist() == [1, 0, 2]


def rows_of(trial: Any, run: Run) -> Any:
    return pd.read_csv(TrialFolder(trial, run.results_dir).metrics)


@pytest.mark.slow
def test_a_trial_learns_to_translate(trial: Compose, run: Run) -> None:
    pytest.importorskip("sacrebleu", reason="needs the extra: pip install 'adam-repro[text]'")
    one = trial(
        *GENERATED, "+task.data.words=6", "task.data.n_train=512", "batch_size=16", "epochs=12",
        "task.embedding=16", "task.state=32", "task.dropout=0", "optimizer.lr=1e-2", tiny=False,
    )  # fmt: skip
    assert list(execute([one], run).values()) == ["finished"]
    rows = rows_of(one, run)
    last = rows.iloc[-1]
    assert last["bleu"] > 60.0
    assert last["bleu_beam"] > 60.0
    assert rows["validation_bleu"].notna().all()
    assert rows["bleu"].isna()[:-1].all()
    # exact: nats of all tokens over their number
    test = load_pairs(512, 12, words=6).test
    tokens = float((np.asarray(test.targets) != PAD).sum()) / 12
    assert last["test_cost"] == pytest.approx(last["sentence_cost"] / tokens, rel=1e-6)
    assert last["perplexity"] == pytest.approx(math.exp(last["test_cost"]), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("every", "epochs"), [("0", [2]), ("2", [1, 2]), ("null", [])])
def test_when_it_translates(trial: Compose, run: Run, every: str, epochs: list[int]) -> None:
    pytest.importorskip("sacrebleu", reason="needs the extra: pip install 'adam-repro[text]'")
    one = trial(*GENERATED, f"task.bleu_every={every}", "epochs=3", tiny=False)
    execute([one], run)
    rows = rows_of(one, run)
    found = rows.get("validation_bleu")
    assert ([] if found is None else rows.index[found.notna()].tolist()) == epochs


@pytest.mark.slow
def test_a_trial_that_is_killed_goes_on_to_the_same_bytes(trial: Compose, run: Run) -> None:
    pytest.importorskip("sacrebleu", reason="needs the extra: pip install 'adam-repro[text]'")
    one = trial(*GENERATED, "epochs=3", tiny=False)
    whole = elsewhere(run, "whole")
    execute([one], whole)
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(13)])  # in the second epoch of eight steps
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, whole)


def test_a_batched_stack_is_refused(trial: Compose, run: Run) -> None:
    one = trial(*GENERATED, "task.bleu_every=null", tiny=False)
    with pytest.raises(
        UserError, match=r"engine=batched: the model of task=nmt has no stacked form"
    ):
        execute([one], elsewhere(run, "batched", engine="batched"))


def test_images_are_refused(trial: Compose, run: Run) -> None:
    with pytest.raises(UserError, match="synthetic: it has no pairs of sentences"):
        build(trial("task=nmt", "task.data.name=synthetic", tiny=False).task).prepare(
            data.load("synthetic")
        )


def test_a_missing_extra_is_named_before_training(trial: Compose, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(
        UserError,
        match=r"sacrebleu is not installed; translation needs it: pip install sacremoses",
    ):
        small(trial)
    small(trial, "task.bleu_every=null")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("task.beam=0", "task.beam=0: must be a whole number, at least 1"),
        ("task.state=0", "task.state=0: must be"),
        ("task.bleu_every=-1", "task.bleu_every=-1: must be"),
        ("task.dropout=1", "task.dropout=1: must be"),
    ],
)
def test_illegal_options_are_refused(trial: Compose, word: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        small(trial, word)
