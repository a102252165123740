"""The speed table: both sides train the same thing, in turn, and a goal is a goal."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from adam_repro import data, random_streams
from adam_repro.data.dataset import Split
from adam_repro.figures import load
from adam_repro.optim import Adam
from adam_repro.plots import series
from adam_repro.results import table
from adam_repro.tasks import build
from adam_repro.tasks.translator import Translator
from tests.helpers import Compose

SCRIPTS = Path(__file__).parents[2] / "scripts"
MODULES = ("benchmark", "loops", "loops_jax", "kernels", "jobs", "translation")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(data, "DATASETS", dict(data.DATASETS))
    yield importlib.import_module("benchmark")
    for name in MODULES:
        sys.modules.pop(name, None)


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.slow
def test_the_hand_written_loop_trains_as_large_a_model(
    benchmark: ModuleType, trial: Compose
) -> None:
    models = sys.modules["loops"].MODELS
    assert set(benchmark.CPU) == set(models)
    classes = 10
    words = Split(np.zeros((1, 4), dtype=np.int32), np.zeros(1, dtype=np.int32))
    text = data.Dataset("words", words, words, classes, counts=np.ones(classes, dtype=np.int64))
    for task, model in models.items():
        ours = build(trial(f"task={task}", tiny=False).task)
        ours.prepare(text)  # the size of a language model is that of its vocabulary
        assert parameters(model(classes)) == parameters(ours.model(torch.Generator()))


def test_translation_by_hand_is_the_same_network(benchmark: ModuleType) -> None:
    """The same costs, once its layers hold the weights of ours."""
    ours, theirs = Translator(30, 40, 8, 6), sys.modules["translation"].ByHand(30, 40, 8, 6)
    with torch.no_grad():
        for mine, its in (
            (ours.source_embedding, theirs.source), (ours.target_embedding, theirs.target),
            (ours.start, theirs.start), (ours.keys, theirs.keys), (ours.query, theirs.query),
            (ours.energy, theirs.energy), (ours.output, theirs.output),
        ):  # fmt: skip
            its.load_state_dict(mine.state_dict())
        for suffix, layers in (
            ("", (ours.forwards_input, ours.forwards_state)),
            ("_reverse", (ours.backwards_input, ours.backwards_state)),
        ):
            for kind, layer in zip(("ih", "hh"), layers, strict=True):
                getattr(theirs.encoder, f"weight_{kind}_l0{suffix}").copy_(layer.weight)
                getattr(theirs.encoder, f"bias_{kind}_l0{suffix}").copy_(layer.bias)
        both = torch.cat([ours.word_input.weight, ours.context_input.weight], 1)
        theirs.cell.weight_ih.copy_(both)
        theirs.cell.bias_ih.copy_(ours.word_input.bias)
        theirs.cell.weight_hh.copy_(ours.decoder_state.weight)
        theirs.cell.bias_hh.copy_(ours.decoder_state.bias)
        # [s; word; context], and ours the same
        theirs.readout.load_state_dict(ours.readout.state_dict())
    source = torch.tensor([[5, 6, 7, 2], [8, 2, 0, 0]])
    target = torch.tensor([[9, 4, 2], [7, 2, 0]])
    torch.testing.assert_close(theirs(source, target), ours(source, target).costs.sum())
    assert parameters(ours) == parameters(theirs)


def test_the_two_sides_take_turns(benchmark: ModuleType) -> None:
    called: list[str] = []

    def way(name: str, seconds: list[float]) -> float:
        called.append(name)
        return seconds.pop(0)

    # The first times are the warm-up; the medians of the others are 2 and 6.
    mine, theirs = [100.0, 1.0, 2.0, 9.0], [100.0, 6.0, 5.0, 7.0]
    row = benchmark.Row(
        "a row", "cpu", lambda: way("ours", mine), lambda: way("theirs", theirs), 4.0
    )
    found = benchmark.measure("name", row, 3)
    assert called == ["ours", "theirs"] * 4
    assert (found.ours, found.theirs, found.ratio) == (2.0, 6.0, 3.0)
    assert not found.reached
    assert "missed" in benchmark.line(found)


def test_rows_are_chosen_by_name_or_device(benchmark: ModuleType) -> None:
    every = benchmark.rows(quick=False)
    assert benchmark.chosen(["cuda"], every) == [name for name in every if name.startswith("cuda_")]
    assert benchmark.chosen(["cpu_adam", "cpu_logreg"], every) == ["cpu_logreg", "cpu_adam"]
    with pytest.raises(SystemExit, match="--rows gpu: must be cpu, cuda or one of cpu_logreg"):
        benchmark.chosen(["gpu"], every)


def test_the_goals_are_those_of_the_design(benchmark: ModuleType) -> None:
    goals = {name: row.goal for name, row in benchmark.rows(quick=False).items()}
    assert all(goals[f"cpu_{task}"] == 1.0 for task in benchmark.CPU)
    assert (goals["cpu_logreg_16"], goals["cpu_logreg_16_idiomatic"]) == (2.0, 30.0)
    assert all(goals[f"cuda_{task}"] == 15.0 for task in ("logreg", "mlp", "vae"))
    assert (goals["cuda_cnn"], goals["cuda_adam_copy"]) == (3.0, 0.8)


@pytest.mark.parametrize("name", ["fig1_mnist", "fig2b"])
def test_the_report_that_is_timed_has_something_to_draw(
    benchmark: ModuleType, tmp_path: Path, name: str
) -> None:
    rows = sys.modules["kernels"]._generate(name, 20)
    rows.to_csv(tmp_path / f"{name}.csv", index=False)
    merged = table.read(tmp_path, name)
    assert merged.problems == []
    figure = load.load(name)
    found = series.panel_curves(figure, merged.rows, figure.readings[-1], figure.panels[0])
    assert {curve.label for curve in found.curves} == {one.label for one in figure.series}


def test_without_a_gpu_its_rows_say_so(
    benchmark: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--rows", "cuda"])
    benchmark.main()
    assert capsys.readouterr().out.count("no GPU here: not measured") == 8


@pytest.mark.parametrize("trials", [1, 3])
def test_the_jax_loop_trains_what_ours_trains(
    benchmark: ModuleType, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean cost of its last epoch, from the same minibatches, is that of our Adam."""
    pytest.importorskip("jax", reason="JAX is not installed (extra bench)")
    draws = np.random.default_rng(0)
    pixels = draws.integers(0, 256, (96, 784), dtype=np.uint8)
    labels = draws.integers(0, 10, 96)
    split = Split(pixels, labels)
    loop, job = sys.modules["loops_jax"], benchmark.Job("logreg", 96, 96, epochs=2, batch=32)
    monkeypatch.setattr(loop, "load", lambda job: data.Dataset("part", split, split, 10))
    x, y = torch.from_numpy(pixels).float() / 255, torch.from_numpy(labels)
    model = torch.nn.Linear(784, 10)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    l2 = job.trials(1)[0].task["l2"]
    optimizer = Adam(model.parameters(), lr=1e-3)
    for epoch in range(job.epochs):
        order = torch.randperm(96, generator=random_streams.generator(0, "order", epoch))
        costs = []
        for rows in order.split(job.batch):
            cost = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
            costs.append(float(cost.detach()))
            optimizer.zero_grad()
            (cost + l2 / 2 * model.weight.square().sum()).backward()
            optimizer.step()
    assert loop.run(job, trials)["cost"] == pytest.approx(np.mean(costs), rel=1e-5)
