"""The precision of products on a GPU is a setting of the run, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.engine.device import precision
from adam_repro.runs.execute import execute
from tests.helpers import Compose, CountingCallback, elsewhere


def flags() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("tf32", [False, True])
def test_it_holds_while_a_stack_trains(trial: Compose, run: Run, tf32: bool) -> None:
    seen: list[tuple[bool, bool]] = []

    class Look(CountingCallback):
        def on_step(self) -> None:
            seen.append(flags())

    before = flags()
    execute([trial("task=logreg", "epochs=1")], elsewhere(run, str(tf32), tf32=tf32), [Look()])
    assert set(seen) == {(tf32, tf32)}
    assert flags() == before


def test_it_is_put_back_after_an_error() -> None:
    before = flags()
    with pytest.raises(ZeroDivisionError), precision(True):
        raise ZeroDivisionError
    assert flags() == before


def test_a_run_reads_it(trial: Compose) -> None:
    from adam_repro.config.trial import read
    from adam_repro.errors import UserError

    settings: dict[str, Any] = {**trial("task=logreg").settings, **vars(Run()), "tf32": True}
    del settings["sweep"]  # which is no option
    assert read(settings)[1].tf32 is True
    with pytest.raises(UserError, match="tf32=1: must be true or false"):
        read({**settings, "tf32": 1})
