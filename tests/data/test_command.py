from __future__ import annotations

from pathlib import Path

import pytest

from adam_repro.commands import data
from adam_repro.data import array_cache, sources
from adam_repro.errors import UserError


@pytest.fixture
def only_toy(toy, monkeypatch: pytest.MonkeyPatch):
    def use(*downloads: sources.Download) -> None:
        monkeypatch.setattr(data, "RECIPES", {"toy": toy.recipe(*downloads)})

    return use


def test_list_shows_every_set_and_fetches_nothing(cache: Path) -> None:
    rows = data.list_datasets()
    assert [row.name for row in rows] == ["mnist", "fashion_mnist", "cifar10", "imdb"]
    assert {row.state for row in rows} == {"not fetched"}
    assert list(cache.iterdir()) == []


def test_list_tells_where_a_set_is(folder: Path, only_toy, toy) -> None:
    only_toy(toy.brings())
    (folder / "toy.bin").write_bytes(toy.good)
    assert data.list_datasets()[0].state == "in your folder"
    data.fetch("toy")
    assert data.list_datasets()[0].state.startswith("cached, 0 MB, from ")


def test_list_tells_of_a_corrupt_cache(cache: Path, only_toy, toy) -> None:
    only_toy(toy.brings())
    data.fetch("toy")
    array_cache.path_of("toy").write_bytes(b"")
    assert data.list_datasets()[0].state.startswith("cache corrupt")


def test_list_survives_what_is_wrong_with_one_set(folder: Path, cache: Path) -> None:
    (cache / "cifar10.arrays").mkdir()
    (folder / "MNIST" / "raw").mkdir(parents=True)
    (folder / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"one of four")
    states = {row.name: row.state for row in data.list_datasets()}
    assert states["cifar10"].startswith(f"cannot read the cache file {cache / 'cifar10.arrays'}")
    assert states["mnist"] == "in your folder, damaged"
    assert states["imdb"] == "not fetched"


def test_fetch_then_verify(cache: Path, only_toy, toy) -> None:
    only_toy(toy.brings())
    assert data.fetch("toy") == f"toy: {array_cache.path_of('toy')} (net)"
    assert data.verify("toy") == f"toy: good: {array_cache.path_of('toy')}"


def test_fetch_without_a_source(cache: Path, only_toy, toy) -> None:
    only_toy(toy.fails("net", "no route"))
    with pytest.raises(UserError, match="no source has it"):
        data.fetch("toy")


def test_verify_reads_the_users_files_too(folder: Path, only_toy, toy) -> None:
    only_toy()
    (folder / "toy.bin").write_bytes(toy.good)
    assert data.verify("toy") == f"toy: good: 1 file(s) in {folder}"
    (folder / "toy.bin").write_bytes(b"evil")
    with pytest.raises(UserError, match="md5"):
        data.verify("toy")


def test_verify_finds_a_changed_byte_in_the_cache(cache: Path, only_toy, toy) -> None:
    only_toy(toy.brings())
    data.fetch("toy")
    content = bytearray(array_cache.path_of("toy").read_bytes())
    content[-1] ^= 1
    array_cache.path_of("toy").write_bytes(content)
    with pytest.raises(UserError, match=r"sha256 .*Remove it and run `adam-repro data fetch toy`"):
        data.verify("toy")


def test_verify_checks_variants_too(cache: Path, only_toy, toy) -> None:
    only_toy(toy.brings())
    data.fetch("toy")
    variant = array_cache.write("toy-white", 1, sources.obtain(toy.recipe()).arrays)
    assert str(variant) in data.verify("toy")


def test_verify_without_anything(cache: Path) -> None:
    with pytest.raises(UserError, match="run `adam-repro data fetch mnist`"):
        data.verify("mnist")


@pytest.mark.parametrize("act", [data.fetch, data.verify])
def test_an_unknown_name_lists_the_legal_ones(act) -> None:
    with pytest.raises(UserError, match="'minst' is unknown; legal: cifar10, fashion_mnist"):
        act("minst")
