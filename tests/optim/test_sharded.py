"""Sharded tensors: `fully_shard` over two processes trains what one process trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from adam_repro.optim import OPTIMIZERS

WORKERS = 2
STEPS = 3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not torch.distributed.is_available() or not torch.distributed.is_gloo_available(),
        reason="this PyTorch has no distributed package with gloo",
    ),
]


def net(dtype: torch.dtype) -> nn.Sequential:
    """Sizes that two processes cannot share evenly: one of them has nothing of the last bias."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 1)).to(dtype)


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for step in range(STEPS):
        torch.manual_seed(step)
        x = torch.randn(8, 7).to(next(model.parameters()).dtype)
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


def work(rank: int, folder: str) -> None:
    """One process: every rule on a sharded model, its parameters at the end gathered into a file."""
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict
    from torch.distributed.fsdp import fully_shard

    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORKERS
    )
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (WORKERS,))
    found: dict[str, list[Tensor]] = {}
    for name, method in OPTIMIZERS.items():
        for kind in KINDS:
            model = net(KINDS[kind][1])
            fully_shard(model, mesh=mesh)
            optimizer = method(model.parameters(), lr=KINDS[kind][0])
            train(model, optimizer)
            optimizer.load_state_dict(optimizer.state_dict())
            saved = get_optimizer_state_dict(model, optimizer)
            assert set(saved["state"]["0.weight"]) == {"step", *method.slots}
            found[f"{name} {kind}"] = [p.full_tensor().detach() for p in model.parameters()]  # type: ignore
    if rank == 0:
        torch.save(found, f"{folder}/found.pt")
    torch.distributed.destroy_process_group()


KINDS = {
    "number": (0.01, torch.float32),
    "tensor": (torch.tensor(0.01), torch.float32),
    "half": (0.01, torch.bfloat16),
}


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Tensor]]:
    folder = tmp_path_factory.mktemp("sharded")
    torch.multiprocessing.spawn(work, args=(str(folder),), nprocs=WORKERS)
    return torch.load(Path(folder) / "found.pt")


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_sharded_model_is_trained_as_a_whole_one(
    sharded: dict[str, list[Tensor]], name: str, kind: str
) -> None:
    lr, dtype = KINDS[kind]
    model = net(dtype)
    train(model, OPTIMIZERS[name](model.parameters(), lr=lr))
    tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-5
    for got, wanted, start in zip(
        sharded[f"{name} {kind}"], model.parameters(), net(dtype).parameters(), strict=True
    ):
        torch.testing.assert_close(got, wanted.detach(), rtol=tolerance, atol=tolerance / 10)
        # AdaDelta's first steps are too small for bfloat16.
        assert not torch.equal(got, start) or (name, kind) == ("adadelta", "half")
