"""Stepsize schedules."""

from __future__ import annotations

import pytest
import torch

from adam_repro.errors import UserError
from adam_repro.optim.schedules import SCHEDULES, factor


@pytest.mark.parametrize(
    ("schedule", "step", "cycle", "expected"),
    [
        ("constant", 1000, 7, 1.0),
        ("inv_sqrt_iteration", 1, 0, 1.0),
        ("inv_sqrt_iteration", 100, 3, 0.1),
        ("inv_sqrt_pass", 468, 0, 1.0),
        ("inv_sqrt_pass", 900, 1, 1.0),
        ("inv_sqrt_pass", 5000, 16, 0.25),
        ("inv_pass", 468, 0, 1.0),
        ("inv_pass", 900, 1, 1.0),
        ("inv_pass", 5000, 16, 0.0625),
        ("exponential_0.5", 468, 0, 1.0),
        ("exponential_0.5", 900, 1, 0.5),
        ("exponential_0.5", 5000, 10, 2.0**-10),
        ("cosine_4", 1, 0, 1.0),
        ("cosine_4", 1000, 1, (1 + 0.5**0.5) / 2),
        ("cosine_4", 2000, 3, (1 - 0.5**0.5) / 2),
        ("cosine_4", 3000, 4, 0.0),
        ("cosine_4", 4000, 9, 0.0),
    ],
)
def test_the_factor(schedule: str, step: int, cycle: int, expected: float) -> None:
    assert factor(schedule, step, cycle) == pytest.approx(expected, rel=1e-15, abs=1e-15)


@pytest.mark.parametrize("schedule", [*SCHEDULES, "exponential_0.93", "cosine_200"])
def test_the_factor_of_counts_on_the_device_is_the_same_number(schedule: str) -> None:
    for step, cycle in ((1, 0), (469, 1), (1407, 3), (100_003, 213)):
        t, c = (torch.tensor(float(n), dtype=torch.float64) for n in (step, cycle))
        assert float(factor(schedule, t, c)) == factor(schedule, step, cycle)


@pytest.mark.parametrize(
    "schedule",
    [
        "no_such_schedule",
        "inv_sqrt",
        "exponential_",
        "exponential_1.5",
        "exponential_x",
        "cosine_",
        "cosine_0",
        "cosine_nan",
        "cosine_inf",
        5,
        None,
        [1],
    ],
)
def test_an_unknown_schedule_is_refused(schedule: object) -> None:
    with pytest.raises(
        UserError, match=r"schedule=.*: must be one of constant, inv_sqrt_iteration"
    ):
        factor(schedule, 1, 0)  # type: ignore[arg-type]
