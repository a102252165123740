"""However a step is carried out (in blocks, in one pass, on odd layouts), it is the same step."""

from __future__ import annotations

import pytest
import torch

from adam_repro.optim import OPTIMIZERS, Adam, apply, init_state, rule
from tests.optim.references import defaults, run, stack

every_method = pytest.mark.parametrize("name", OPTIMIZERS)


@pytest.mark.slow
@every_method
@pytest.mark.parametrize("shape", [(1000,), (7, 143), (1, 1000)])
@pytest.mark.parametrize("stacked", [False, True])
def test_blocks_equal_the_whole_bit_for_bit(
    name: str, shape: tuple[int, ...], stacked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OPTIMIZERS[name], "kernel", None)
    h = stack(name, [defaults(name)] * shape[0]) if stacked and len(shape) == 2 else defaults(name)
    start, gradients = torch.randn(shape), torch.randn(5, *shape)
    whole = run(name, start, gradients, h)
    for block in (64, 504):
        monkeypatch.setattr(rule, "BLOCK", block)
        assert torch.equal(run(name, start, gradients, h), whole)


@pytest.mark.parametrize(
    "name", [name for name in OPTIMIZERS if OPTIMIZERS[name].kernel is not None]
)
def test_the_one_pass_kernel_takes_the_rules_step(name: str) -> None:
    start, gradients = torch.randn(1003, dtype=torch.float64), torch.randn(20, 1003).double()
    h = defaults(name)
    fast, rule = (run(name, start, gradients, h, rule=rule) for rule in (False, True))
    torch.testing.assert_close(fast, rule, rtol=1e-12, atol=1e-14)


@every_method
def test_layout_in_memory_does_not_matter(name: str) -> None:
    h, start, g = defaults(name), torch.randn(6, 4), torch.randn(6, 4)
    expected = run(name, start, g[None], h)
    theta = torch.empty(4, 6).t().copy_(start)
    assert not theta.is_contiguous()
    apply(OPTIMIZERS[name], theta, g, init_state(OPTIMIZERS[name], theta), h, 1)
    torch.testing.assert_close(theta, expected, rtol=1e-6, atol=1e-7)


def test_a_part_of_a_stack_is_updated_in_place() -> None:
    """Columns of [S, n] are not contiguous; what lies beside them stays as it was."""
    theta, g = torch.randn(3, 10), torch.randn(3, 4)
    state = {name: slot[:, 2:6] for name, slot in init_state(Adam, theta).items()}
    before = theta.clone()
    apply(Adam, theta[:, 2:6], g, state, stack("adam", [defaults("adam")] * 3), 1)
    assert torch.equal(theta[:, :2], before[:, :2])
    assert torch.equal(theta[:, 6:], before[:, 6:])
    torch.testing.assert_close(before[:, 2:6] - theta[:, 2:6], 1e-3 * g.sign(), rtol=1e-3, atol=0)
