"""Tasks by import path: the example of the map as it is printed, and what is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import adam_repro
from adam_repro import import_path
from adam_repro.cli import main
from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.runs.check import check
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import Classifier, build
from tests.helpers import TINY_COMMAND, Compose

MAP = (Path(adam_repro.__file__).parent / "README.md").read_text(encoding="utf-8")


def printed(language: str) -> str:
    section = MAP.split("## A task of your own")[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module and the configuration of the map, in a folder of a person's own."""
    (tmp_path / "my_task.py").write_text(printed("python"), encoding="utf-8")
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "twolayer.yaml").write_text(printed("yaml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_task", raising=False)
    return tmp_path


@pytest.mark.slow
def test_the_example_trains_as_it_is_printed(
    example: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    commands = re.findall(r"adam-repro (run .*?)(?:\n|`)", MAP.split("## A task of your own")[1])
    assert len(commands) == 2
    for command in commands:
        assert main([*command.split(), *TINY_COMMAND]) == 0
    out, _ = capfd.readouterr()
    assert re.findall(r"^(\w+) with adam", out, re.MULTILINE) == ["TwoLayer", "twolayer"]
    assert main(["run", "-m", *commands[1].split()[1:], "seed=0,1", *TINY_COMMAND]) == 0
    first, second = (example / "results" / "runs" / name for name in ("TwoLayer", "twolayer"))
    assert len(list(first.rglob("metrics.csv"))) == 1
    assert len(list(second.rglob("metrics.csv"))) == 2
    for path in second.rglob("trial.yaml"):
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert record["config"]["task"]["target"] == "my_task.TwoLayer"
        assert re.fullmatch("[0-9a-f]{12}", record["provenance"]["task_source"])


def test_the_example_is_in_order(example: Path) -> None:
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    if not Path(ruff).exists():
        pytest.skip("ruff is not installed")
    for words in (["check"], ["format", "--check", "--line-length=100"]):
        done = subprocess.run(
            [ruff, *words, "--isolated", "my_task.py"], capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stdout


class Plain(Classifier):
    """Lacks a model."""


def test_mistakes_are_told(trial: Compose) -> None:
    words = ("task=torch", "optimizer=adam")
    with pytest.raises(UserError, match=r"task.target=None: give the import path of a Task class"):
        trial(*words)
    for target, told in (
        ("no_such_package.Mine", "the module 'no_such_package' cannot be imported"),
        ("torch.nn.Linear", "is not a subclass of adam_repro.tasks.base.Task"),
        (f"{__name__}.Plain", f"task.target={__name__}.Plain: .*abstract.* model"),
    ):
        with pytest.raises(UserError, match=told):
            check(trial(*words, f"task.target={target}"))


class Unit(Classifier):
    """The smallest model, with an option of its own."""

    def model(self, generator: torch.Generator) -> torch.nn.Module:
        if self.config.get("wide"):
            return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 20))
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))

    def preprocess(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.float()


def test_a_task_and_an_optimizer_by_import_path_go_together(trial: Compose, run: Run) -> None:
    one = trial(
        "task=torch", f"task.target={__name__}.Unit", "+task.wide=true", "optimizer=torch",
        "optimizer.target=torch.optim.NAdam",
    )  # fmt: skip
    assert one.task["name"] == "Unit"
    assert build(one.task).config["wide"] is True
    execute([one], run)
    assert TrialFolder(one, run.results_dir).status() == "finished"


def test_a_module_whose_own_code_fails_is_not_said_to_be_misspelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_code.py").write_text("import no_such_thing\n", encoding="utf-8")
    (tmp_path / "broken_syntax.py").write_text("def\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("broken_code", "broken_syntax"):
        with pytest.raises(UserError, match="it is there, but its own code fails"):
            import_path.find("task.target", f"{module}.Mine", "a Task class", "my_module.Mine")
    with pytest.raises(UserError, match="check its spelling"):
        import_path.find("task.target", "no_such_module.Mine", "a Task class", "my_module.Mine")
