"""The commit of a result: the checkout's, or what is told of a copy without its repository."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adam_repro.runs.provenance import commit, continued


@pytest.fixture
def asked_anew() -> Iterator[None]:
    commit.cache_clear()
    yield
    commit.cache_clear()


@pytest.mark.usefixtures("asked_anew")
def test_without_a_repository_the_commit_is_the_one_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.delenv("ADAM_REPRO_COMMIT", raising=False)
    assert commit() is None
    commit.cache_clear()
    monkeypatch.setenv("ADAM_REPRO_COMMIT", "c0ffee")
    assert commit() == "c0ffee"


def test_a_trial_that_went_on_tells_every_start() -> None:
    first = {"hardware": "NVIDIA H200", "tf32": True, "torch": "2.7.0", "captured": True}
    second = continued(first, {"hardware": "a CPU", "tf32": False, "torch": "2.8.0"}, 3)
    assert second["hardware"] == "a CPU"
    assert second["from_epoch"] == 3
    assert second["earlier"] == [{"hardware": "NVIDIA H200", "tf32": True, "torch": "2.7.0"}]
    third = continued(second, {"hardware": "another"}, 5)
    assert [one["hardware"] for one in third["earlier"]] == ["NVIDIA H200", "a CPU"]
    again = continued(third, {"hardware": "the last"}, 5)  # no epoch of the third is left
    assert [one["hardware"] for one in again["earlier"]] == ["NVIDIA H200", "a CPU"]
    assert continued({}, {"hardware": "a CPU"}, 0) == {"hardware": "a CPU"}
