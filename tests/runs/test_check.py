"""Which data a task is trained on: what it says it takes, and all where it says nothing."""

from __future__ import annotations

import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.tasks import MODELS
from adam_repro.tasks.logreg import LogisticRegression
from tests.helpers import Compose


class Wide(LogisticRegression):
    """A task of one's own that says nothing, on data that no other task takes."""

    def model(self, generator: torch.Generator) -> torch.nn.Module:
        return torch.nn.Linear(3072, 10)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["logreg", "mlp", "vae", "cnn_mnist"])
def test_images_may_come_in_any_shape(trial: Compose, run: Run, task: str) -> None:
    few = ("task.data.n_train=64", "task.data.n_test=16", "batch_size=32", "epochs=1")
    one = trial(f"task={task}", "+task.data.shape=[28,28]", *few)
    assert execute([one], run) == {one.identity: "finished"}


def test_a_task_that_says_nothing_is_given_what_is_asked_for(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = ("task=logreg", "+task.data.shape=[3,32,32]", "epochs=1")
    with pytest.raises(
        UserError, match=r"data.name=synthetic: its examples are dense rows of 3072"
    ):
        execute([trial(*wide)], run)
    monkeypatch.setitem(MODELS, "wide", Wide)
    one = trial(*wide, "task.model=wide")
    assert execute([one], run) == {one.identity: "finished"}
