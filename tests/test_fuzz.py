"""Random command lines and damaged figure files: an answer or one message, no traceback, nothing left."""

from __future__ import annotations

import copy
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from adam_repro.cli import main
from adam_repro.errors import UserError
from adam_repro.figures import load
from adam_repro.figures.plan import plan_figure

SEED = 20141222
SECONDS = 12.0  # of each fuzzer; on a slow machine it tries less

#: What people and programs put in the place of a value.
VALUES = [
    "", "null", "true", "none", "-1", "0", "1", "1.5", "1e39", "1e400", "-1e-400", "nan", "inf", "-inf",
    "9" * 20, "9" * 309, "9" * 5000, "1_000", "0x10", "1e-3", "[]", "[1]", "[[1],{a:2}]", "{}", "{a:1}",
    "{a:1", "'", "\"", "'quoted'", "a=b", "a b", "ä", "结果", "🙂", "$HOME", "${seed}", "${nope}",
    "${now:%Y}", "${oc.env:NO_SUCH}", "???", "~nouser/x", "../x", "/proc/x", "\x00", "\\", "a\\'b",
    "my (copy)", "f(x)", "range(0)", "choice()", "glob(*)", "interval(0,1)", "tag(log,interval(0,1))",
    "1,2", ",", "shuffle(1,2)", "sort(2,1)", "int(1.5)", "str(1)", "cast", "adam", "mnist", "torch",
]  # fmt: skip
OPTIONS = [
    "task", "optimizer", "averaging", "schedule", "seed", "epochs", "batch_size", "clip_norm", "device",
    "engine", "tf32", "keep_checkpoint", "progress", "eval_train_every", "results_dir", "task.name",
    "task.model", "task.data", "task.data.name", "task.data.n_train", "task.l2", "task.order", "task.init",
    "task.epoch_examples", "optimizer.name", "optimizer.lr", "optimizer.beta1", "optimizer.eps",
    "optimizer.form", "averaging.name", "averaging.decay", "hydra.sweeper.max_batch_size",
    "hydra.sweep.dir", "hydra.launcher.executor", "hydra.launcher.workers", "hydra/launcher",
    "hydra/sweeper", "hydra.job.chdir", "hydra.mode", "paper", "no.such", "task/data",
]  # fmt: skip
FLAGS = [
    "-m", "--multirun", "--cfg", "--cfg=job", "-c", "--resolve", "--package=task", "--info=all", "-sc",
    "--experimental-rerun=x", "--config-name=x", "--config-dir=/nowhere", "--config-path=x", "-x", "--",
    "~task", "~seed", "+seed=1", "++seed=1", "+new=1", "=", "==", "task", "@x=1", "optimizer@task=adam",
]  # fmt: skip
TINY = [
    "task=logreg", "optimizer=adam", "task.data.name=synthetic", "task.epoch_examples=null",
    "+task.data.n_train=32", "+task.data.n_test=16", "batch_size=16", "epochs=1", "progress=false",
]  # fmt: skip
#: Words that would train for long, or end the process: a fuzzer cannot wait for them.
LONG = {
    f"{key}={digits}" for key in ("epochs", "task.data.n_train") for digits in ("9" * 20, "9" * 309)
}


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def command(rng: random.Random) -> list[str]:
    """``run`` with one to three words that are wrong, or right by chance."""
    words = list(TINY)
    for _ in range(rng.randint(1, 3)):
        word = f"{rng.choice(OPTIONS)}={rng.choice(VALUES)}"
        words.insert(rng.randint(1, len(words)), rng.choice(FLAGS) if rng.random() < 0.2 else word)
    return ["run", *words]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_any_command_line_has_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(SEED)
    end, tried = time.monotonic() + SECONDS, 0
    while time.monotonic() < end or tried < 20:
        words = command(rng)
        if LONG & set(words):
            continue
        before, tried = left(tmp_path), tried + 1
        status = main(words)
        _, err = capfd.readouterr()
        assert status in (0, 1, 2, 130), words
        assert "Traceback" not in err, words
        if status:
            assert err.strip(), words
            assert left(tmp_path) == before, words


#: What a person writes into a figure's file.
CONTENTS: list[Any] = [
    None, True, 0, -1, 2, 6.2, 1e39, float("nan"), float("inf"), 10**400, "", "red", "two", "2026", "$x$",
    "a\x00b", [], [1], ["a"], [[]], [None], [{}], {}, {"a": 1}, {1: 2}, {"optimizer.lr": []}, "${nope}",
    {"seed": [1]}, ["seed=x"], ["=", "no.such=1"], [1.0, 0.5], [0, 0],
]  # fmt: skip


def places(section: Any) -> list[tuple[Any, Any]]:
    """Every (mapping or list, key) below a section."""
    keys = section if isinstance(section, dict) else range(len(section))
    found = []
    for key in list(keys):
        found.append((section, key))
        if isinstance(section[key], (dict, list)):
            found += places(section[key])
    return found


@pytest.mark.slow
def test_any_figure_file_is_read_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = yaml.safe_load((load.folder() / "fig1_mnist.yaml").read_text(encoding="utf-8"))
    monkeypatch.setattr(load, "folder", lambda: tmp_path)
    path = tmp_path / "mine.yaml"
    rng = random.Random(SEED)
    end, tried, refused = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end or tried < 20:
        changed = copy.deepcopy(raw)
        section, key = rng.choice(places(changed))
        value = rng.choice(CONTENTS)
        if rng.random() < 0.15:
            del section[key]
        else:
            section[key] = value
        text = yaml.safe_dump(changed).encode()
        if rng.random() < 0.1:
            cut = rng.randrange(len(text))
            text = (
                text[:cut]
                + rng.choice([b"", b"\xff\xfe", b"\x00", b"\t: [", b"&a *a"])
                + text[cut:]
            )
        path.write_bytes(text)
        for cached in (load.names, load.load):
            cached.cache_clear()
        tried += 1
        try:
            plan_figure(load.load("mine"), "smoke")[0].grid_stage()
        except UserError:
            refused += 1
    for cached in (load.names, load.load):
        cached.cache_clear()
    assert 0 < refused < tried
