"""The scalar recurrences are our methods on one coordinate."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from adam_repro.online.scalar_updates import SCALAR_UPDATES, ScalarState
from adam_repro.online.step_scalars import StepScalars
from adam_repro.optim import OPTIMIZERS, apply, init_state
from tests.helpers import Compose

STEPS = 2000


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["both", "none"])
@pytest.mark.parametrize("method", SCALAR_UPDATES)
def test_a_recurrence_is_the_method(trial: Compose, method: str, correction: str) -> None:
    words = ["task=counterexample", f"optimizer={method}"]
    if method == "adam":
        words.append(f"optimizer.bias_correction={correction}")
    one = trial(*words, tiny=False)
    gradients = np.where(np.arange(STEPS) % 101 == 0, 1010.0, -10.0)
    point = ScalarState(x=0.25)
    SCALAR_UPDATES[method](point, gradients.tolist(), StepScalars(one).scalars(1, STEPS))

    rule = OPTIMIZERS[method]
    x = torch.tensor([0.25], dtype=torch.float64)
    state = init_state(rule, x)
    h = SimpleNamespace(**{k: v for k, v in one.optimizer.items() if k != "name"})
    total_cost, seen = 0.0, []
    with torch.no_grad():
        for t, g in enumerate(gradients.tolist(), 1):
            total_cost += g * float(x)
            seen.append(float(x))
            decay = t**-0.5 if one.schedule == "inv_sqrt_iteration" else 1.0
            h.lr = one.optimizer["lr"] * decay
            apply(rule, x, torch.full_like(x, g), state, h, t)
            x.clamp_(-1, 1)
    assert point.x == pytest.approx(float(x), rel=1e-9)
    assert point.total_cost == pytest.approx(total_cost, rel=1e-9)
    assert (point.low, point.high) == pytest.approx((min(seen), max(seen)), rel=1e-9)
