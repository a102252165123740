"""Stepsize schedules."""

from __future__ import annotations

import pytest

from adam_repro.engine.schedule import factor


@pytest.mark.parametrize(
    ("schedule", "step", "cycle", "expected"),
    [
        ("constant", 1000, 7, 1.0),
        ("inv_sqrt_iteration", 1, 0, 1.0),
        ("inv_sqrt_iteration", 100, 3, 0.1),
        ("inv_sqrt_pass", 468, 0, 1.0),
        ("inv_sqrt_pass", 900, 1, 1.0),
        ("inv_sqrt_pass", 5000, 16, 0.25),
    ],
)
def test_the_factor(schedule: str, step: int, cycle: int, expected: float) -> None:
    assert factor(schedule, step, cycle) == expected
