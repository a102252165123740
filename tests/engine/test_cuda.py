"""What only a GPU can show: `pytest -m cuda`. Skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
import torch
import yaml
from torch.nn.functional import conv2d

from adam_repro.config.trial import Run, Trial
from adam_repro.engine import device as devices
from adam_repro.engine.epoch_loop import DeviceLoop, HostLoop
from adam_repro.kernels import max_pool, patch_conv
from adam_repro.optim import OPTIMIZERS, apply, init_state
from adam_repro.runs.execute import execute, release
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes
from tests.kernels.pooling_cases import pictures, pytorch_max_pool
from tests.optim.references import defaults

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"),
]

TASKS = [("task=logreg",), ("task=mlp",), ("task=vae", "task.pixels=stochastic")]
every_task = pytest.mark.parametrize("task", TASKS, ids=" ".join)


@pytest.fixture
def gpu(run: Run) -> Run:
    return elsewhere(run, "gpu", device="cuda", engine="auto")


@pytest.fixture
def limited() -> Iterator[int]:
    """A GPU of which PyTorch may have 600 MB."""
    limit = 600 * 2**20
    release(torch.device("cuda"))
    torch.cuda.reset_peak_memory_stats()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(limit / total)
    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)


def stack_of(trial: Compose, count: int, *words: str) -> list[Trial]:
    return [trial("optimizer=adam", f"optimizer.lr={1e-4 * (i + 1)}", *words) for i in range(count)]


def table(trial: Trial, run: Run) -> pd.DataFrame:
    return pd.read_csv(TrialFolder(trial, run.results_dir).metrics)


def assert_alike(trial: Trial, run: Run, other: Run) -> None:
    """One trial's rows from two runs: costs to 1e-3, errors to three examples of a hundred."""
    one, two = table(trial, run), table(trial, other)
    errors = [name for name in one.columns if name.endswith("_error")]
    pd.testing.assert_frame_equal(one.drop(columns=errors), two.drop(columns=errors), rtol=1e-3)
    pd.testing.assert_frame_equal(one[errors], two[errors], rtol=0, atol=0.03)


def record(trial: Trial, run: Run) -> dict[str, object]:
    text = TrialFolder(trial, run.results_dir).metadata_path.read_text()
    return dict(yaml.safe_load(text)["provenance"])


@every_task
def test_a_step_is_captured(trial: Compose, gpu: Run, task: tuple[str, ...]) -> None:
    one = trial(*task)
    execute([one], gpu)
    assert record(one, gpu)["captured"] is True
    assert record(one, gpu)["tf32"] is False


@every_task
@pytest.mark.parametrize("engine", ["looped", "batched"])
def test_captured_is_eager(
    trial: Compose, gpu: Run, monkeypatch: pytest.MonkeyPatch,
    task: tuple[str, ...], engine: str
) -> None:  # fmt: skip
    stack = stack_of(trial, 2, *task, "averaging=polyak", "schedule=inv_sqrt_iteration")
    captured = elsewhere(gpu, "captured", engine=engine)
    execute(stack, captured)
    for name, kind in (("eager", HostLoop), ("resident", DeviceLoop)):
        monkeypatch.setattr("adam_repro.engine.stack.make_loop", kind)
        other = elsewhere(gpu, name, engine=engine)
        execute(stack, other)
        for one in stack:
            assert_alike(one, captured, other)


@every_task
def test_a_stack_is_its_trials_alone(trial: Compose, gpu: Run, task: tuple[str, ...]) -> None:
    stack = stack_of(trial, 4, *task)
    execute(stack, elsewhere(gpu, "together", engine="batched"))
    for one in stack:
        execute([one], elsewhere(gpu, "alone", engine="looped"))
        assert_alike(one, elsewhere(gpu, "together"), elsewhere(gpu, "alone"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_without_draws_a_gpu_trains_as_a_cpu_does(
    trial: Compose, run: Run, gpu: Run, name: str
) -> None:
    words = ("task=logreg", f"optimizer={name}", "task.epoch_examples=400")
    stack = [trial(*words, f"optimizer.lr={lr}") for lr in (1e-3, 1e-2)]
    execute(stack, run)
    execute(stack, gpu)
    for one in stack:
        assert_alike(one, run, gpu)


FEW = ("task.data.n_train=128", "task.data.n_test=32", "batch_size=16", "epochs=2")


@pytest.mark.parametrize("task", [*TASKS, ("task=cnn_mnist", *FEW)], ids=" ".join)
def test_two_runs_are_one(trial: Compose, gpu: Run, task: tuple[str, ...]) -> None:
    stack = stack_of(trial, 3, *task)
    execute(stack, elsewhere(gpu, "first"))
    execute(stack, elsewhere(gpu, "second"))
    for one in stack:
        assert metrics_bytes(one, elsewhere(gpu, "first")) == metrics_bytes(
            one, elsewhere(gpu, "second")
        )


@every_task
@pytest.mark.parametrize("killed_at", [2, 5, 11])
def test_killed_and_started_again_it_ends_with_the_same_rows(
    trial: Compose, gpu: Run, task: tuple[str, ...], killed_at: int
) -> None:
    stack = stack_of(trial, 2, *task, "averaging=exponential")
    execute(stack, elsewhere(gpu, "whole"))
    with pytest.raises(Killed):
        execute(stack, gpu, [KillAfter(killed_at)])
    execute(stack, gpu)
    for one in stack:
        assert metrics_bytes(one, gpu) == metrics_bytes(one, elsewhere(gpu, "whole"))


def test_a_stack_that_does_not_fit_is_halved(trial: Compose, gpu: Run, limited: int) -> None:
    stack = stack_of(trial, 32, "task=mlp", "epochs=1")
    execute(stack, elsewhere(gpu, "tight"))
    assert torch.cuda.max_memory_reserved() <= limited
    torch.cuda.set_per_process_memory_fraction(1.0)
    execute(stack[:2], elsewhere(gpu, "free"))
    assert all(record(one, elsewhere(gpu, "tight"))["captured"] for one in stack)
    for one in stack[:2]:
        assert_alike(one, elsewhere(gpu, "tight"), elsewhere(gpu, "free"))


def test_a_stack_gives_its_memory_back(trial: Compose, gpu: Run) -> None:
    execute(stack_of(trial, 1, "task=mlp", "epochs=1"), gpu)
    release(torch.device("cuda"))
    before = torch.cuda.memory_reserved()
    execute(stack_of(trial, 16, "task=mlp", "epochs=1"), elsewhere(gpu, "more"))
    release(torch.device("cuda"))
    assert torch.cuda.memory_reserved() <= before + 64 * 2**20


@pytest.mark.parametrize(
    "words",
    [
        ("task=logreg", "optimizer=torch", "optimizer.target=torch.optim.NAdam"),
        ("task=imdb", "task.data.name=synthetic_text", "~task.data.values",
         "+task.data.columns=10000"),
        ("task=logreg", "optimizer=sfo", "optimizer.n_subfunctions=8"),
    ],
    ids=["by import path", "sparse rows", "sfo"],
)  # fmt: skip
def test_what_is_not_captured_trains_as_well(
    trial: Compose, gpu: Run, words: tuple[str, ...]
) -> None:
    one = trial(*words)
    assert execute([one], gpu) == {one.identity: "finished"}
    assert record(one, gpu)["captured"] is False
    assert table(one, gpu)["train_cost"].is_monotonic_decreasing


def test_convolutions_are_captured(trial: Compose, gpu: Run) -> None:
    stack = stack_of(trial, 2, "task=cnn_mnist", *FEW)
    execute(stack, gpu)
    execute(stack, elsewhere(gpu, "cpu", device="cpu"))
    for one in stack:
        assert record(one, gpu)["captured"] is True
        gpus, cpus = (table(one, r)["train_cost"] for r in (gpu, elsewhere(gpu, "cpu")))
        pd.testing.assert_series_equal(gpus, cpus, rtol=1e-2)


def test_tf32_is_recorded(trial: Compose, gpu: Run) -> None:
    one = trial("task=mlp", "epochs=1")
    execute([one], elsewhere(gpu, "coarse", tf32=True))
    assert record(one, elsewhere(gpu, "coarse"))["tf32"] is True


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_on_a_gpu_is_the_step_on_a_cpu(name: str) -> None:
    h = defaults(name)
    start, g = torch.randn(1000), torch.randn(1000)
    found = []
    for device in ("cpu", "cuda"):
        theta = start.to(device, copy=True)
        state = init_state(OPTIMIZERS[name], theta)
        for t in range(1, 4):
            apply(OPTIMIZERS[name], theta, g.to(device), state, h, t)
        found.append(theta.cpu())
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-6)


def test_pooling_is_pytorchs_and_twice_the_same() -> None:
    x = pictures((128, 64, 32, 32), torch.channels_last).detach().cuda().requires_grad_()
    assert max_pool.available(x.device)
    mine, wanted = max_pool.max_pool(x), pytorch_max_pool(x)
    torch.testing.assert_close(mine, wanted, rtol=0, atol=0)
    slope = torch.randn_like(wanted)
    found, again = (torch.autograd.grad(max_pool.max_pool(x), x, slope)[0] for _ in range(2))
    torch.testing.assert_close(found, again, rtol=0, atol=0)
    (expected,) = torch.autograd.grad(wanted, x, slope)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_convolution_by_patches_is_pytorchs_and_twice_the_same() -> None:
    x = torch.randn(128, 3, 32, 32, device="cuda")
    weight = torch.randn(64, 3, 5, 5, device="cuda", requires_grad=True)
    assert patch_conv.available(x.device)
    with devices.precision(tf32=False):  # which PyTorch allows convolutions by itself
        mine, wanted = patch_conv.convolve(x, weight), conv2d(x, weight, padding=2)
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-4)
        slope = torch.randn_like(wanted)
        found, again = (
            torch.autograd.grad(patch_conv.convolve(x, weight), weight, slope)[0] for _ in range(2)
        )
        (expected,) = torch.autograd.grad(wanted, weight, slope)
    torch.testing.assert_close(found, again, rtol=0, atol=0)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-2)
