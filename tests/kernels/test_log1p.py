"""The workaround for log1p runs before a stack is trained. What it gains is measured: kernels/README.md."""

from __future__ import annotations

import pytest

from adam_repro.config.trial import Run
from adam_repro.kernels import log1p
from adam_repro.runs.execute import execute
from tests.helpers import Compose, KillAfter, Killed


def test_it_runs_before_the_first_step(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    warm_up = log1p.warm_up
    monkeypatch.setattr(log1p, "warm_up", lambda: (calls.append("warm"), warm_up()))
    with pytest.raises(Killed):
        execute([trial("task=logreg")], run, [KillAfter(1)])
    assert calls == ["warm"]
