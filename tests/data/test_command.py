from __future__ import annotations

from pathlib import Path

import pytest

from adam_repro import data
from adam_repro.commands import data as command
from adam_repro.data import array_cache, manage, sources
from adam_repro.errors import UserError


@pytest.fixture
def only_toy(toy, monkeypatch: pytest.MonkeyPatch):
    def use(*downloads: sources.Download) -> None:
        entry = data.DatasetEntry(lambda: None, toy.source(*downloads))
        monkeypatch.setattr(data, "DATASETS", {"toy": entry})

    return use


def test_list_shows_every_set_and_fetches_nothing(cache: Path) -> None:
    names = [
        "mnist",
        "fashion_mnist",
        "cifar10",
        "imdb",
        "wikitext2",
        "brown",
        "imdb_text",
        "multi30k",
        "brown_bigrams",  # of the same files as brown
    ]
    assert manage.states() == dict.fromkeys(names, "not fetched")
    assert list(cache.iterdir()) == []


def test_list_shows_generated_sets_as_such(cache: Path, capsys) -> None:
    assert command.main(["list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == set(data.DATASETS)
    for name, entry in data.DATASETS.items():
        state, description = lines[name][17:].split("  ", 1)
        own = "generated" if entry.generated else "your own files"
        assert state == ("not fetched" if entry.source else own)
        assert description.strip(), name


def test_a_generated_set_is_not_fetched(cache: Path, capsys) -> None:
    for verb in ("fetch", "verify"):
        with pytest.raises(UserError, match="synthetic: generated, there is nothing to"):
            command.main([verb, "synthetic"])
    with pytest.raises(UserError, match="text: your own files, there is nothing to"):
        command.main(["fetch", "text"])


def test_list_shows_where_a_set_is(folder: Path, only_toy, toy) -> None:
    only_toy(toy.succeeds())
    (folder / "toy.bin").write_bytes(toy.good)
    assert manage.states()["toy"] == "in your folder"
    manage.fetch("toy")
    assert manage.states()["toy"].startswith("cached, 0 MB, from ")


def test_list_shows_a_corrupt_cache(cache: Path, only_toy, toy) -> None:
    only_toy(toy.succeeds())
    manage.fetch("toy")
    array_cache.path_of("toy").write_bytes(b"")
    assert manage.states()["toy"].startswith("cache corrupt")


def test_list_shows_all_sets_though_some_are_damaged(folder: Path, cache: Path) -> None:
    (cache / "cifar10.arrays").mkdir()
    (folder / "MNIST" / "raw").mkdir(parents=True)
    (folder / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"one of four")
    states = manage.states()
    assert states["cifar10"].startswith(f"cannot read the cache file {cache / 'cifar10.arrays'}")
    assert states["mnist"] == "in your folder, damaged"
    assert states["imdb"] == "not fetched"


def test_fetch_then_verify(cache: Path, only_toy, toy, capsys) -> None:
    only_toy(toy.succeeds())
    assert command.main(["fetch"]) == command.main(["verify", "toy"]) == 0
    path = array_cache.path_of("toy")
    assert capsys.readouterr().out == f"toy: {path} (net)\ntoy: good: {path}\n"


def test_fetch_without_a_source(cache: Path, only_toy, toy) -> None:
    only_toy(toy.fails("net", "no route"))
    with pytest.raises(UserError, match="no source has it"):
        manage.fetch("toy")


def test_verify_reads_the_users_files_too(folder: Path, only_toy, toy) -> None:
    only_toy()
    (folder / "toy.bin").write_bytes(toy.good)
    assert manage.verify("toy") == [f"1 file(s) in {folder}"]
    (folder / "toy.bin").write_bytes(b"evil")
    with pytest.raises(UserError, match="md5"):
        manage.verify("toy")


def test_verify_detects_a_changed_byte_in_the_cache(cache: Path, only_toy, toy) -> None:
    only_toy(toy.succeeds())
    manage.fetch("toy")
    content = bytearray(array_cache.path_of("toy").read_bytes())
    content[-1] ^= 1
    array_cache.path_of("toy").write_bytes(content)
    with pytest.raises(UserError, match=r"sha256 .*Remove it and run `adam-repro data fetch toy`"):
        manage.verify("toy")


def test_verify_checks_variants_too(cache: Path, only_toy, toy) -> None:
    only_toy(toy.succeeds())
    manage.fetch("toy")
    variant = array_cache.write_file("toy-white", 1, sources.fetch(toy.source()).arrays)
    assert str(variant) in manage.verify("toy")


def test_verify_without_anything(cache: Path) -> None:
    with pytest.raises(UserError, match="run `adam-repro data fetch mnist`"):
        manage.verify("mnist")


@pytest.mark.parametrize("action", [manage.fetch, manage.verify])
def test_an_unknown_name_lists_the_legal_ones(action) -> None:
    message = r"'minst'; use one of mnist, .*imdb, .* \(did you mean mnist\?\)"
    with pytest.raises(UserError, match=message):
        action("minst")
