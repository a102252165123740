"""A command in people's shells: streams that are closed, full, cut off or not UTF-8."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adam_repro import standard_streams
from adam_repro.files import PACKAGE
from tests.helpers import TINY_COMMAND

RUN = [*TINY_COMMAND, "task=logreg", "optimizer=adam"]


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of a shell, in which ``adam-repro`` is this package's command."""
    command = f'adam-repro() {{ {sys.executable} -m adam_repro "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("progress", ["true", "false"])
@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2>&- <&-"])
def test_training_goes_on_without_standard_error(where: str, progress: str, tmp_path: Path) -> None:
    words = [word for word in RUN if not word.startswith("progress")]
    done = shell(f"adam-repro run {' '.join(words)} progress={progress} {where}", tmp_path)
    assert done.returncode == 0
    assert b"finished after 2 epochs" in done.stdout
    (metrics,) = tmp_path.rglob("metrics.csv")
    assert len(metrics.read_bytes().splitlines()) == 3
    assert b"epoch," in metrics.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "status", "said"),
    [
        (">&-", 0, ""),
        (">/dev/full", 1, "adam-repro: cannot write to standard output: No space left on device\n"),
        ("| true", 1, ""),
    ],
)
def test_a_trial_is_whole_though_nobody_reads_of_it(
    where: str, status: int, said: str, tmp_path: Path
) -> None:
    done = shell(f"adam-repro run {' '.join(RUN)} {where}", tmp_path)
    assert done.stderr.decode() == said
    assert done.returncode == status
    (metrics,) = tmp_path.rglob("metrics.csv")
    assert len(metrics.read_bytes().splitlines()) == 3
    assert list(tmp_path.rglob("curve.png"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_what_a_stream_cannot_show_is_degraded(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    with standard_streams.lenient():
        print("n – 3 × √2 … Größe 结果")
    shown = raw.getvalue().decode(encoding).strip()
    assert {
        "ascii": "n - 3 x sqrt2 ... Gr??e ??",
        "latin-1": "n - 3 × sqrt2 ... Größe ??",
        "cp1252": "n – 3 × sqrt2 … Größe ??",
        "utf-8": "n – 3 × √2 … Größe 结果",
    }[encoding] == shown


@pytest.mark.slow
def test_the_locale_is_not_the_encoding_of_our_files(tmp_path: Path) -> None:
    """In an ASCII locale the package's own YAML, Markdown and CSV files are read as UTF-8."""
    paper = tmp_path / "results" / "paper"
    paper.mkdir(parents=True)
    for path in (PACKAGE.parent / "results" / "paper").glob("fig1_mnist.*"):
        if path.suffix in (".csv", ".md", ".yaml"):
            (paper / path.name).write_bytes(path.read_bytes())
    ascii_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell("adam-repro report fig1_mnist", tmp_path, **ascii_locale)
    assert done.returncode == 0, done.stderr
    assert "–" in (paper / "README.md").read_text(encoding="utf-8")
    assert (paper / "index.html").exists()
