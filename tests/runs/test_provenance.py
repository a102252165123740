"""The commit of a result: the checkout's, or what is told of a copy without its repository."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adam_repro.runs.provenance import commit


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
