"""The step that a GPU replays: the same curve as the ordinary one, and what happens around it.

A CPU cannot record a step, but it can do the very step that would be recorded, and stand in for the
recorder.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from adam_repro.config.trial import Run, Trial
from adam_repro.engine.cuda_graph import WARM_UP, GraphLoop, Step, capturable, make_loop
from adam_repro.engine.epoch_loop import DeviceLoop, EpochLoop, HostLoop, LoopParts
from adam_repro.optim import OPTIMIZERS
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose, CountingCallback, KillAfter, Killed, elsewhere, metrics_bytes


class Replaying:
    """Stands in for a CUDA graph: a replay does the step. Like a graph, it does not own the step."""

    def __init__(self, error: type[Exception] | None = None) -> None:
        self.error = error
        self.warmed = self.recorded = self.replayed = 0

    def warm_up(self, step: Step) -> None:
        self.warmed += 1
        step()

    def record(self, step: Step, draws: Sequence[torch.Generator]) -> Step:
        self.recorded += 1
        if self.error is not None:
            raise self.error("operation not permitted when stream is capturing\nand so on")
        reference = weakref.WeakMethod(step)  # type: ignore[type-var]

        def replay() -> None:
            self.replayed += 1
            again = reference()
            assert again is not None
            again()

        return replay


def use(monkeypatch: pytest.MonkeyPatch, make: Callable[[LoopParts], EpochLoop]) -> None:
    monkeypatch.setattr("adam_repro.engine.stack.make_loop", make)


def table(trial: Trial, run: Run) -> pd.DataFrame:
    return pd.read_csv(TrialFolder(trial, run.results_dir).metrics)


def assert_same_curves(
    stack: list[Trial], run: Run, monkeypatch: pytest.MonkeyPatch, rtol: float = 1e-5
) -> None:
    """The trials' rows with the step that counts on the host, and with the other."""
    execute(stack, elsewhere(run, "eager"))
    use(monkeypatch, DeviceLoop)
    execute(stack, elsewhere(run, "resident"))
    for one in stack:
        eager, resident = (table(one, elsewhere(run, name)) for name in ("eager", "resident"))
        pd.testing.assert_frame_equal(eager, resident, rtol=rtol)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
@pytest.mark.parametrize(
    "words",
    [
        ("task.order=once", "task.epoch_examples=400", "schedule=inv_sqrt_pass"),
        ("task.order=every_pass", "task.epoch_examples=800", "schedule=inv_sqrt_iteration"),
        ("task.order=file", "averaging=polyak"),
        ("averaging=exponential", "averaging.decay=0.9"),
    ],
    ids=" ".join,
)
def test_the_same_curve_in_every_order_and_schedule(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], engine: str
) -> None:  # fmt: skip
    stack = [
        trial("task=logreg", "optimizer=adam", f"optimizer.lr={lr}", "epochs=4", *words)
        for lr in (1e-3, 1e-2)
    ]
    assert_same_curves(stack, elsewhere(run, engine, engine=engine), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
@pytest.mark.parametrize(
    "words",
    [
        ("task=mlp", "task.dropout_input=0.2"),
        ("task=vae", "task.pixels=stochastic", "batch_size=64"),
    ],
    ids=" ".join,
)
def test_the_same_draws(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], engine: str
) -> None:  # fmt: skip
    few = ("task.data.n_train=192", "epochs=2", "optimizer=adam")
    stack = [trial(*words, *few, f"optimizer.lr={lr}") for lr in (1e-4, 1e-3)]
    assert_same_curves(stack, elsewhere(run, engine, engine=engine), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
@pytest.mark.parametrize(
    "words",
    [
        ("task=bigram", "task.data.words=16", "task.epoch_examples=3"),
        ("task=rare_classes", "task.data.groups=3", "batch_size=24"),
    ],
    ids=" ".join,
)
def test_double_precision_and_groups_of_examples(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], engine: str
) -> None:  # fmt: skip
    own = ("optimizer=signsgd", "epochs=3")
    stack = [trial(*words, *own, f"optimizer.lr={lr}", tiny=False) for lr in (1e-3, 1e-2)]
    assert_same_curves(stack, elsewhere(run, engine, engine=engine), monkeypatch)


@pytest.mark.slow
def test_convolutions_of_images_kept_as_bytes(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adam_repro.engine.minibatches.PREPARED_BYTES", 0)
    one = trial(
        "task=cnn_mnist", "task.data.n_train=16", "task.data.n_test=8", "batch_size=8", "epochs=2"
    )
    assert_same_curves([one], run, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_method_may_count_its_steps_on_the_device(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch, name: str, engine: str
) -> None:
    words = ("task=logreg", f"optimizer={name}", "schedule=inv_sqrt_iteration")
    stack = [trial(*words, f"optimizer.lr={lr}") for lr in (1e-3, 1e-2)]
    assert_same_curves(stack, elsewhere(run, engine, engine=engine), monkeypatch)


def test_the_tensors_of_a_step_stay_in_their_places(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[tuple[int, ...]] = []

    class Placed(DeviceLoop):
        def step(self) -> None:
            super().step()
            one = self.seeds[0]
            group, average, metrics = one.trials.groups[0], one.trials.averages[0], one.metrics[0]
            own = (self.t, self.at, one.order, group.theta, average.mean, metrics.costs)
            slots = [slot for rule in group.optimizers() for slot in rule.slots.values()]  # type: ignore[attr-defined]
            places.append(tuple(tensor.data_ptr() for tensor in (*own, metrics.errors, *slots)))

    use(monkeypatch, Placed)
    stack = [trial("task=logreg", f"optimizer.lr={lr}", "averaging=polyak") for lr in (1, 2)]
    execute(stack, elsewhere(run, "placed", engine="batched"), [CountingCallback()])
    assert len(places) == 24
    assert len(set(places)) == 1


@pytest.mark.slow
def test_a_step_is_recorded_once_and_replayed_for_good(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trial("task=mlp", "task.data.n_train=320", "epochs=2")
    recorder = Replaying()
    use(monkeypatch, DeviceLoop)
    execute([one], elsewhere(run, "resident"))
    use(monkeypatch, lambda parts: GraphLoop(parts, recorder))
    execute([one], run)
    assert (recorder.warmed, recorder.recorded) == (WARM_UP, 1)
    assert recorder.replayed == 10 - WARM_UP
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "resident"))
    record = yaml.safe_load(TrialFolder(one, run.results_dir).metadata_path.read_text())
    assert record["provenance"]["captured"] is True


@pytest.mark.slow
def test_what_cannot_be_recorded_is_trained_all_the_same(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trial("task=mlp", "task.data.n_train=320", "epochs=2")
    use(monkeypatch, DeviceLoop)
    execute([one], elsewhere(run, "resident"))
    recorder = Replaying(RuntimeError)
    use(monkeypatch, lambda parts: GraphLoop(parts, recorder))
    with pytest.warns(RuntimeWarning, match="not be recorded .* when stream is capturing$"):
        execute([one], run)
    assert recorder.recorded == 1
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "resident"))
    record = yaml.safe_load(TrialFolder(one, run.results_dir).metadata_path.read_text())
    assert record["provenance"]["captured"] is False


@pytest.mark.slow
def test_a_killed_trial_goes_on_with_the_same_draws(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, lambda parts: GraphLoop(parts, Replaying()))
    one = trial("task=mlp", "task.data.n_train=320", "averaging=exponential")
    execute([one], elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(8)])
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.slow
def test_a_stack_too_long_to_record_is_gone_before_its_halves_begin(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = [trial("task=logreg", f"optimizer.lr={lr}") for lr in (1e-3, 2e-3, 3e-3, 4e-3)]
    batched = elsewhere(run, "batched", engine="batched")
    made: list[weakref.ref[Any]] = []
    alive_before: list[int] = []

    def make(parts: LoopParts) -> GraphLoop:
        alive_before.append(sum(reference() is not None for reference in made))
        small = len(parts.groups[0].trials) <= 2
        captured = GraphLoop(parts, Replaying(None if small else torch.OutOfMemoryError))
        made.append(weakref.ref(captured))
        return captured

    use(monkeypatch, make)
    gc.disable()  # what goes only with the collector would hold a GPU's memory until it comes
    try:
        assert set(execute(stack, batched).values()) == {"finished"}
    finally:
        gc.enable()
    assert alive_before == [0, 0, 0]


@pytest.mark.slow
def test_a_diverged_lane_leaves_the_recording(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorders: list[Replaying] = []

    def make(parts: LoopParts) -> GraphLoop:
        recorders.append(Replaying())
        return GraphLoop(parts, recorders[-1])

    use(monkeypatch, make)
    calm = trial("task=mlp", "optimizer=sgd", "optimizer.lr=1e-3")
    wild = trial("task=mlp", "optimizer=sgd", "optimizer.lr=1e6")
    assert execute([calm, wild], run)[wild.identity] == "diverged"
    assert [recorder.recorded for recorder in recorders] == [1, 1]
    execute([calm], elsewhere(run, "alone"))
    assert metrics_bytes(calm, run) == metrics_bytes(calm, elsewhere(run, "alone"))


def test_a_cpu_counts_on_the_host(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[type] = []
    ordinary = make_loop

    def note(parts: LoopParts) -> EpochLoop:
        made = ordinary(parts)
        kinds.append(type(made))
        return made

    use(monkeypatch, note)
    execute([trial("task=logreg", "epochs=1")], run, [CountingCallback()])
    assert kinds == [HostLoop]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("task=logreg", "optimizer=adam"), True),
        (("task=logreg", "optimizer=torch", "optimizer.target=torch.optim.NAdam"), False),
        (
            ("task=imdb", "task.data.name=synthetic_text", "~task.data.values",
             "+task.data.columns=10000"),
            False,
        ),
    ],
    ids=["ours", "by import path", "sparse rows"],
)  # fmt: skip
def test_what_is_recorded(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...],
    expected: bool,
) -> None:  # fmt: skip
    answers: list[bool] = []

    def note(parts: LoopParts) -> EpochLoop:
        answers.append(capturable(parts))
        return HostLoop(parts)

    use(monkeypatch, note)
    execute([trial(*words, "epochs=1")], run, [CountingCallback()])
    assert answers == [expected]
