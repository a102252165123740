"""What the tasks on running text share."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from adam_repro import data
from adam_repro.config import compose
from adam_repro.data.dataset import Dataset, Split
from adam_repro.errors import UserError
from adam_repro.runs.check import check_fit, dataset_of
from adam_repro.tasks import build, text


def test_tenths_of_equally_frequent_words_are_equal() -> None:
    tenths = text.frequency_tenths(np.full(50, 7))
    assert tenths.tolist() == [word // 5 for word in range(50)]


def test_a_word_belongs_to_the_tenth_of_its_middle_occurrence() -> None:
    # Of 100 occurrences the first word has 0 to 23, with its middle at 12; the second 24 to 37, at 31.
    counts = np.array([24, 14, *[2] * 31])
    tenths = text.frequency_tenths(counts)
    assert tenths[:2].tolist() == [1, 3]
    start = np.cumsum(counts) - counts
    assert tenths.tolist() == [int((a + c / 2) / 10) for a, c in zip(start, counts, strict=True)]


def test_tenths_of_a_zipf_vocabulary_hold_a_tenth_of_the_text_each() -> None:
    counts = np.sort((1e6 / np.arange(1, 20_001)).astype(int))[::-1]
    tenths = text.frequency_tenths(counts)
    assert (np.diff(tenths) >= 0).all()
    mass = np.bincount(tenths, counts, minlength=10) / counts.sum()
    largest = counts[0] / counts.sum()
    assert abs(mass - 0.1).max() <= largest
    assert abs(mass[2:] - 0.1).max() < 0.01


def test_words_that_never_occur_belong_to_the_last_tenth() -> None:
    assert text.frequency_tenths(np.array([5, 5, 0, 0]))[2:].tolist() == [9, 9]
    assert text.frequency_tenths(np.array([0, 0])).tolist() == [0, 0]


def test_perplexity_is_exp_of_the_cost() -> None:
    row = {"test_cost": math.log(277.0), "validation_cost": 1e4}
    found = text.perplexities(row)
    assert found["perplexity"] == pytest.approx(277.0)
    assert found["validation_perplexity"] == math.inf
    assert text.perplexities({})["perplexity"] is None
    assert str(text.perplexity(math.nan)) == "nan"


def test_touched_rows_counts_each_word_once() -> None:
    words = torch.tensor([[0, 3, 3], [3, 7, 0]], dtype=torch.int32)
    assert float(text.touched_rows(words, 10)) == pytest.approx(0.3)


def test_pictures_are_no_running_text() -> None:
    config = {"name": "lm", "data": {"name": "mnist"}}
    pictures = Split(np.zeros((3, 784), dtype=np.uint8), np.zeros(3, dtype=np.uint8))
    with pytest.raises(UserError, match=r"task\.data\.name=mnist: task=lm takes running text"):
        text.word_counts(config, Dataset("mnist", pictures, pictures, 10))
    words = Split(np.zeros((3, 4), dtype=np.int32), np.zeros(3, dtype=np.int32))
    counts = text.word_counts(config, Dataset("own", words, words, 2, counts=np.array([2, 1])))
    assert counts.tolist() == [2, 1]


@pytest.mark.parametrize("task", ["lm", "lm_lstm"])
@pytest.mark.parametrize("name", ["brown", "wikitext2", "imdb_text", "text", "synthetic_words"])
def test_every_text_takes_the_options_that_the_tasks_files_give(task: str, name: str) -> None:
    given = set(compose.trial([f"task={task}"]).task["data"]) - {"name"}
    assert given <= set(inspect.signature(data.DATASETS[name].load).parameters)


@pytest.mark.parametrize("task", ["lm", "lm_lstm"])
@pytest.mark.parametrize("name", ["text", "synthetic_words"])
def test_another_text_needs_no_option_of_the_usual_one_changed(
    task: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADAM_REPRO_CACHE", str(tmp_path))
    file = tmp_path / "mine.txt"
    file.write_text("the cat sat on the mat\n" * 200, encoding="utf-8")
    paths = [f"+task.data.{split}={file}" for split in ("train", "test")] if name == "text" else []
    made = compose.trial([f"task={task}", f"task.data.name={name}", *paths])
    found = dataset_of(made.task)
    check_fit(text_task := build(made.task), found)
    text_task.prepare(found)
    assert found.classes == 6 if name == "text" else found.classes > 100
