"""A script on the PATH replaces npm."""

from __future__ import annotations

from pathlib import Path

import pytest

from adam_repro.data import packages
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


def test_the_error_has_npms_reason(fake_npm, tmp_path: Path) -> None:
    fake_npm('echo "npm error code ENOTFOUND" >&2; echo noise >&2; exit 1')
    with pytest.raises(SourceError, match=r"npm pack a@1 failed: npm error code ENOTFOUND$"):
        packages.npm_pack("a@1", tmp_path)


def test_without_npm_the_error_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="npm is not installed"):
        packages.npm_pack("a@1", tmp_path)
