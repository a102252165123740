"""The memory that is announced is the memory that is taken."""

from pathlib import Path

import pytest
import torch

from adam_repro.errors import UserError
from adam_repro.memory import available_bytes, cgroup_room
from adam_repro.optim.sfo import SFO, required_bytes
from adam_repro.optim.sfo import sfo as module
from adam_repro.optim.sfo.memory import BLOCK, COPIES, FULL_VECTORS, require_memory
from tests.optim.sfo.problems import quadratics


def held(sfo: SFO) -> int:
    """Bytes of every tensor the optimizer and its parts keep."""
    owners = (vars(sfo), vars(sfo.models), vars(sfo.subspace))
    tensors = [v for owner in owners for v in owner.values() if isinstance(v, torch.Tensor)]
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("M", "N"), [(400_000, 6), (20_000, 24), (30, 4), (5, 9)])
def test_the_estimate_covers_what_is_kept_and_little_more(M: int, N: int, dtype: str) -> None:
    sfo = SFO(lambda theta, i: (0.0, theta), torch.ones(M), N, dtype=dtype)
    estimate = required_bytes(M, N, dtype)
    k_max, factors = sfo.subspace.k_max, sfo.models.columns.numel()
    block = min(sfo.subspace.basis.numel(), BLOCK)
    temporary = 8 * (FULL_VECTORS * M + 5 * k_max**2 + COPIES * factors + block)
    assert held(sfo) <= estimate <= held(sfo) + temporary


@pytest.mark.slow
def test_the_peak_of_a_run_stays_below_the_estimate() -> None:
    """Allocations traced by the profiler, evaluation included (a few vectors here)."""
    M, N = 200_000, 5
    target = torch.linspace(-1, 1, M, dtype=torch.float64)

    def evaluate(theta: torch.Tensor, i: int) -> tuple[float, torch.Tensor]:
        difference = (theta - target).mul_(i + 1 + target.abs())
        return float(difference.norm()), difference

    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        sfo = SFO(evaluate, torch.ones(M, dtype=torch.float64), N)
        sfo.run(6)
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    assert held(sfo) < peak <= required_bytes(M, N) + 2 * 8 * M


def test_figures_of_the_papers_network() -> None:
    M = 1_796_010
    assert 1.1e9 < required_bytes(M, 24) < 1.25e9
    assert 0.59e9 < required_bytes(M, 24, "float32") < 0.66e9
    assert 20e9 < required_bytes(M, 469) < 22e9


def test_what_does_not_fit_is_refused_with_the_way_out() -> None:
    require_memory(1_796_010, 24, available=2_000_000_000)
    require_memory(1_796_010, 469, available=None)
    with pytest.raises(UserError) as caught:
        require_memory(1_796_010, 469, available=8_000_000_000)
    for part in ("n_subfunctions=469", "21.0 GB", "8.0 GB", "24 for MNIST", "float32"):
        assert part in str(caught.value)


def test_the_constructor_refuses_before_it_allocates(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate, _ = quadratics(20, 2)
    monkeypatch.setattr(module, "available_bytes", lambda device: 1000)
    monkeypatch.setattr(module, "Subspace", lambda *_: pytest.fail("allocated"))
    with pytest.raises(UserError, match="n_subfunctions=2"):
        SFO(evaluate, torch.zeros(20), 2)


def test_what_is_free_is_known_here_or_not_claimed() -> None:
    free = available_bytes(torch.device("cpu"))
    assert free is None or free > 0


def group(folder: Path, limit: str, current: int, inactive_file: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 5\nfile 9\ninactive_file {inactive_file}\n")


def test_the_limits_of_control_groups_hold_and_files_read_are_not_in_their_way(
    tmp_path: Path,
) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "self"
    own.write_text("1:name=systemd:/old\n0::/job/step\n")
    assert cgroup_room(root, own) > 1 << 60  # nothing there
    group(root / "job" / "step", "max", 40, 10)
    assert cgroup_room(root, own) > 1 << 60
    group(root / "job", "1000", 900, 700)
    assert cgroup_room(root, own) == 800
    group(root / "job" / "step", "500", 40, 10)
    assert cgroup_room(root, own) == 470
    group(tmp_path, "3", 2, 1)  # above the root there is no group
    assert cgroup_room(root, own) == 470
    own.write_text("0::/\n")
    group(root, "100", 60, 20)
    assert cgroup_room(root, own) == 60
    assert cgroup_room(root, tmp_path / "absent") > 1 << 60
