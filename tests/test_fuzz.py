"""Random command lines and damaged figure files: an answer or one message, no traceback, nothing left."""

from __future__ import annotations

import copy
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from adam_repro import config_folders
from adam_repro.cli import main
from adam_repro.data import manage
from adam_repro.errors import UserError
from adam_repro.figures import load
from adam_repro.figures.plan import plan_figure
from tests.helpers import forget_figures
from tests.merged_csvs import curves

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


#: Options of the other commands, theirs and some of `run`'s.
OTHER_OPTIONS = [
    "scale", "reading", "seeds", "keep", "train", "results_dir", "progress", "device", "engine", "tf32",
    "executor", "workers", "cpus_per_task", "timeout_min", "setup", "slurm", "slurm.partition", "task",
    "optimizer.lr", "no.such", "", "Scale", "hydra.launcher.workers",
]  # fmt: skip
OTHER_WORDS = [
    "fig1_mnist", "fig4", "all", "fig9", "FIG4", "fig1_mnist.yaml", "../fig4", "list", "fetch", "verify",
    "mnist", "imdb", "cifar10", "synthetic", "-m", "--scale", "-x", "--", "=", "==", "scale", "a b", "ä",
    "🙂", "\x00", "", "1", "null", "~", "*", "[fig4]", "fig4,fig2a", "--help=x", "@x",
]  # fmt: skip


def other_command(rng: random.Random, folder: str) -> list[str]:
    """A subcommand with words that are wrong, or right by chance; nothing can be trained or fetched."""
    name = rng.choice(["reproduce", "theory", "data", "report"])
    words = {"data": [rng.choice(["list", "verify", "fetch"])], "reproduce": ["fig1_mnist"]}
    found = [name, *words.get(name, [])]
    for _ in range(rng.randint(0, 3)):
        option = f"{rng.choice(OTHER_OPTIONS)}={rng.choice(VALUES)}"
        found.append(rng.choice(OTHER_WORDS) if rng.random() < 0.4 else option)
    # The last one counts: there is no room for results, and no data set is needed.
    last = {"data": [], "report": [f"results_dir={folder}"]}
    return [*found, *last.get(name, ["scale=smoke", f"results_dir={folder}"])]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_other_command_has_an_answer_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_network(name: str) -> None:
        raise UserError(f"{name}: not fetched")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manage, "fetch", no_network)
    for name in ("ADAM_REPRO_DATA", "ADAM_REPRO_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "file").write_bytes(b"")
    before = left(tmp_path)
    rng = random.Random(SEED)
    end, tried, seen = time.monotonic() + SECONDS, 0, set()
    while time.monotonic() < end or tried < 40:
        words, tried = other_command(rng, str(tmp_path / "file" / "x")), tried + 1
        try:
            status = main(words)
        except (KeyboardInterrupt, Exception) as error:
            pytest.fail(f"{words}: {error!r}")
        out, err = capfd.readouterr()
        assert status in (0, 1, 2, 130), words
        assert "Traceback" not in err, words
        assert err.strip() or (not status and out.strip()), words
        assert left(tmp_path) == before, words
        seen.add((words[0], status))
    assert {name for name, _ in seen} == {"reproduce", "theory", "data", "report"}


#: What may be left of a file beside a figure's CSV.
DAMAGE = [
    b"", b"\xff\xfe\x00", b"figure\n", b"[1, 2", b"a: &x [*x]", b"series,epoch\n1,2\n", b"\x00" * 99,
    b"series;epoch;train_cost\r\nmine;0;1\r\n", b"figure,series,epoch,train_cost\nfig1_mnist,$x_{$,0,1e999\n",
    b"figure,series,epoch,train_cost\nfig1_mnist,mine,0,-1\n", b"seed,epoch,eps\nx,y,z\n",
    "é".encode("latin-1"),
]  # fmt: skip
BESIDE = [
    "fig1_mnist.csv", "fig1_mnist.provenance.yaml", "fig1_mnist.md", "extra/mine.csv", "findings.md",
    "theory_regret.csv", "theory_demonstrations.csv", "theory_counterexample.csv", "claim_cnn_eps.csv",
    "claim_sfo_memory.csv", "claim_invariance.csv", "claim_memory.csv", "fig4.csv", "sfo_dropout.csv",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_report_of_any_files_is_made_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(SEED)
    end, tried, made = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end or tried < 6:
        tried += 1
        folder = tmp_path / str(tried) / "paper"
        (folder / "extra").mkdir(parents=True)
        curves("fig1_mnist", seeds=1).to_csv(folder / "fig1_mnist.csv", index=False)
        damaged = rng.sample(BESIDE, 3)
        for name in damaged:
            (folder / name).write_bytes(rng.choice(DAMAGE))
        status = main(["report", f"results_dir={folder.parent}"])
        _, err = capfd.readouterr()
        assert status in (0, 1, 2), damaged
        assert "Traceback" not in err, damaged
        made += (folder / "index.html").is_file()
    assert made


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
def test_any_figure_file_is_read_or_refused(tmp_path: Path) -> None:
    raw = yaml.safe_load(config_folders.find("figure", "fig1_mnist").read_text(encoding="utf-8"))
    path = tmp_path / "figure" / "mine.yaml"
    path.parent.mkdir()
    config_folders.use(tmp_path)
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
        forget_figures()
        tried += 1
        try:
            plan_figure(load.load("mine"), "smoke")[0].grid_stage()
        except UserError:
            refused += 1
    config_folders.use(None)
    forget_figures()
    assert 0 < refused < tried
