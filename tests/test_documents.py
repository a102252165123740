"""Every command and every snippet of the pages for users does what they say, as printed.

A command that trains for minutes runs through the same words on tiny data, or at ``scale=smoke``. What is
not run is in `ELSEWHERE` with its reason; a line that is in neither fails.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import yaml

from adam_repro import config_folders
from adam_repro.cli import main
from adam_repro.figures.plan import GENERATED
from adam_repro.figures.spec import Figure, Panel, Scale, Series

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "configs/README.md", "adam_repro/README.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:PYTHONPATH=\. )?adam-repro [^`]*)`")

#: What is not run here, by how the line begins, and why.
ELSEWHERE = {
    "python3 -m venv": "installs; .ci/run does it, and tests/test_installed.py the wheel",
    "pip install": "installs",
    "mkdir": "with the next two lines in tests/results: rows of one's own in a figure",
    "awk": "see mkdir",
    "tensorboard": "a server",
    "adam-repro run -m task=logreg optimizer=adam,adagrad seed=0,1 logger=": "tests/runs/test_loggers",
    "adam-repro theory": "tests/online and tests/plots: it takes a minute at its smallest scale",
    "PYTHONPATH=. adam-repro run task=mlp optimizer=torch optimizer.target=my_module.muon": (
        "tests/optim/test_foreign.py; Muon is not in every PyTorch"
    ),
    "adam-repro data fetch": "downloads; tests/data",
    "adam-repro data verify": "tests/data",
    "PYTHONPATH=. adam-repro compare my_module.SignDescent": "tests/commands/test_compare.py",
    "adam-repro run -m hydra/sweeper=optuna": "tests/sweep/test_optuna.py",
    "adam-repro plot results/sweeps": "tests/plots: the folder of a sweep has its time in its name",
    "adam-repro plot results/runs/mlp results/runs/logreg": "tests/plots",
}
#: Placeholders, as in a sentence about a command.
NO_COMMAND = re.compile(r"[…]|NAME|MyOptimizer|keep=true$|^adam-repro (plot|report|reproduce|run)$")


def lines(page: str) -> Iterator[str]:
    """The command lines of a page: of its blocks, and those within its sentences and tables."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for kind, block in BLOCK.findall(text):
        if not kind:
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip():
                    yield re.sub(r"\s+#.*$", "", line).strip()
    for command in INLINE.findall(BLOCK.sub("", text)):
        if not NO_COMMAND.search(command):
            yield " ".join(command.split())


def snippets(page: str, kind: str) -> list[str]:
    return [
        block
        for found, block in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
        if found == kind
    ]


#: (page, line), each line once.
COMMANDS = [
    (page, line) for line, page in {line: page for page in PAGES for line in lines(page)}.items()
]
RUN = [(page, line) for page, line in COMMANDS if not line.startswith(tuple(ELSEWHERE))]


def small(words: list[str]) -> list[str]:
    """The words with tiny data or a tiny scale, and nothing else changed."""
    if words[0] == "reproduce":
        others = [word for word in words if not word.startswith("scale=")]
        return [*others, "scale=smoke", "progress=false"]
    if words[0] == "compare":
        return [*words, "scale=smoke", "budget=4", "seeds=2", "progress=false"]
    if words[0] != "run" or "--help" in words:
        return words
    task = next(
        (word.removeprefix("task=") for word in words if word.startswith("task=")), "logreg"
    )
    own = any(word.startswith("+task.data.train=") for word in words)  # its data are in `place`
    tiny = () if own else GENERATED.get(task, GENERATED["logreg"])
    return [*words, *tiny, "epochs=2", "progress=false", "hydra.launcher.executor=here"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the files that the pages tell their reader to write."""
    for page in PAGES:
        for kind in ("python", "yaml"):
            for text in snippets(page, kind):
                if named := re.match(r"(?:# @package \S+\n)?# ([\w/]+\.(?:py|yaml))\n", text):
                    path = tmp_path / named[1]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("a", encoding="utf-8") as file:  # two pages may fill one module
                        file.write(text)
    for name in ("train.txt", "test.txt"):
        (tmp_path / name).write_text("the cat sat on the mat\n" * 60, encoding="utf-8")
    # Drawing its page takes longer than such small trials.
    monkeypatch.setattr("adam_repro.comparison.page.write", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    config_folders.use(None)
    for name in ("my_module", "my_task"):
        sys.modules.pop(name, None)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "line"), RUN, ids=[line for _, line in RUN])
def test_a_command_runs_as_printed(page: str, line: str, place: Path) -> None:
    words = shlex.split(line.removeprefix("PYTHONPATH=. "))
    assert words[0] == "adam-repro", f"{page}: nobody runs this line: {line}"
    words = [word for word in words[1:] if not word.startswith("hydra.launcher.")]
    if words[0] in ("report", "plot"):  # which draw what is there
        assert main(small(["reproduce", "fig1_mnist"])) == 0
        assert main(small(["run", "task=logreg", "optimizer=adam"])) == 0
    assert main(small(words)) == 0


def test_what_is_not_run_has_a_reason_and_is_there() -> None:
    for beginning, reason in ELSEWHERE.items():
        assert any(line.startswith(beginning) for _, line in COMMANDS), beginning
        for name in re.findall(r"tests/[\w/.]+\w", reason):
            assert (ROOT / name).exists() or (ROOT / f"{name}.py").exists(), name


def test_the_python_of_the_readme_runs(place: Path) -> None:
    model = torch.nn.Linear(3, 2)
    for text in snippets("README.md", "python"):
        exec(compile(text, "README.md", "exec"), {"model": model, "__name__": "readme"})


def test_every_script_that_is_named_is_there() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for name in re.findall(r"scripts/[\w.]+\.(?:py|ipynb)", text):
            assert (ROOT / name).is_file(), name


def test_every_yaml_is_yaml() -> None:
    for page in PAGES:
        for text in snippets(page, "yaml"):
            assert yaml.safe_load(text)


def test_every_key_of_a_figure_is_documented() -> None:
    """A table for each of its parts, with the fields of its dataclass and no others."""
    text = (ROOT / "configs" / "README.md").read_text(encoding="utf-8")
    for head, kind, extra in (
        ("key of the file", Figure, {"extends"}),
        ("key of a panel", Panel, set()),
        ("key of a series", Series, set()),
        ("key of a scale", Scale, set()),
    ):
        table = text.split(f"| {head} |")[1].split("\n\n")[0]
        first = [line.split("|")[1] for line in table.splitlines()[2:]]
        told = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}
        keys = {field.name for field in fields(kind)} | extra
        assert told == keys - ({"name"} if kind is Figure else set()), head


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) < 10_000
