from __future__ import annotations

from pathlib import Path

import pytest

from adam_repro.data import array_cache, load, own_text, word_ids
from adam_repro.errors import UserError


@pytest.fixture
def paths(cache: Path, tmp_path: Path) -> dict[str, str]:
    texts = {"train": "a b\n\na\tc a", "validation": "b a\r\n", "test": "\ufeffa  d\n"}
    for split, text in texts.items():
        (tmp_path / f"{split}.txt").write_bytes(text.encode("utf-8"))
    return {split: str(tmp_path / f"{split}.txt") for split in texts}


def words(paths: dict[str, str], split: str) -> list[str]:
    arrays = own_text._arrays({s: Path(path) for s, path in paths.items()})
    return word_ids.decode(arrays, split)


def test_words_stand_between_white_space_and_each_line_ends_in_eos(paths) -> None:
    assert words(paths, "train") == ["a", "b", "<eos>", "<eos>", "a", "c", "a", "<eos>"]
    assert words(paths, "validation") == ["b", "a", "<eos>"]
    assert words(paths, "test") == ["a", "d", "<eos>"]  # without the mark of byte order


def test_the_data_set(paths) -> None:
    data = load("text", **paths, context=2)
    assert data.classes == 5
    assert data.counts is not None
    assert data.counts.tolist() == [3, 3, 1, 1, 0]  # <eos> a b c d
    assert data.train.inputs.shape == (6, 2)
    assert data.validation is not None
    assert data.validation.inputs.tolist() == [[2, 1]]


def test_the_validation_text_may_be_left_out(paths) -> None:
    del paths["validation"]
    assert load("text", **paths, context=1).validation is None


def test_its_first_words_alone(paths) -> None:
    data = load("text", **paths, context=1, tokens=4)
    assert len(data.train) == 3
    assert data.classes == 4  # a b <eos> <eos>; of the test text, its first half, a d


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(paths, monkeypatch) -> None:
    assert words(paths, "test") == ["a", "d", "<eos>"]
    with monkeypatch.context() as patch:
        patch.setattr(word_ids, "index", lambda texts: pytest.fail("read again"))
        assert words(paths, "test") == ["a", "d", "<eos>"]
    Path(paths["test"]).write_text("e f\n", encoding="utf-8")
    assert words(paths, "test") == ["e", "f", "<eos>"]
    assert len(list(array_cache.cache_dir().glob("text-*.arrays"))) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file has no word"),
        (b" \n\n", "the file has no word"),
        (b"good\nbad \xff\n", r"no UTF-8 at byte 9 \(invalid start byte\); save the file as UTF-8"),
        ("\ufeffé\n".encode() + b"\xe9t\n", "no UTF-8 at byte 6 "),
        (b"\xef\xbb\xbf\xff", "no UTF-8 at byte 3 "),
    ],
)
def test_the_error_of_a_bad_file(paths, content: bytes, says: str) -> None:
    Path(paths["train"]).write_bytes(content)
    with pytest.raises(UserError, match=says) as error:
        load("text", **paths)
    assert str(error.value).startswith(f"task.data.train={paths['train']}: ")
    assert not list(array_cache.cache_dir().glob("*.arrays"))


def test_the_error_of_a_missing_path(paths, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task\.data\.test: missing; give the path of a text file"):
        load("text", train=paths["train"])
    with pytest.raises(UserError, match=r"task\.data\.test=nowhere\.txt: no such file; give"):
        load("text", **{**paths, "test": "nowhere.txt"})
    with pytest.raises(UserError, match=r"task\.data\.validation=.*: a folder; give"):
        load("text", **{**paths, "validation": str(tmp_path)})


def test_a_text_that_is_too_short(paths) -> None:
    with pytest.raises(UserError, match=r"context=3: the validation text of text has 3 words"):
        load("text", **paths, context=3)
