"""Which public optimizer classes train here by import path: a table of all classes of some packages.

    python scripts/optimizers.py            # trains what is missing in results/optimizers/classes.csv
    python scripts/optimizers.py --table    # writes README.md from the CSV alone

The packages are no dependencies: install them first, `pip install pytorch_optimizer torch_optimizer
schedulefree prodigyopt heavyball timm`. Each class trains logistic regression on MNIST for two epochs in
minibatches of 128, with its own default stepsize, else 1e-3. The second epoch is there because
the checkpoint after the first is tried in it.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import inspect
import re
import signal
import sys
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pandas as pd
import torch

from adam_repro.config import compose
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import UserError
from adam_repro.files import write_text
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder


class LateError(BaseException):
    """A trial takes too long; no error of the optimizer's, which a trial would report as such."""


def _uncompiled(function: Any = None, **_: Any) -> Any:
    """In the place of ``torch.compile``: heavyball's steps take minutes to compile."""
    return _uncompiled if function is None else function


torch.compile = _uncompiled
FOLDER = Path(__file__).resolve().parents[1] / "results" / "optimizers"
CSV, PAGE = FOLDER / "classes.csv", FOLDER / "README.md"
#: Modules that are searched for classes, and the packages that they are from.
PACKAGES = {
    "pytorch_optimizer": "pytorch_optimizer",
    "torch_optimizer": "torch-optimizer",
    "schedulefree": "schedulefree",
    "prodigyopt": "prodigyopt",
    "heavyball": "heavyball",
    "timm.optim": "timm",
    "torch.optim": "torch",
}
SECONDS, LATE = 400, "took over "  # at most, for a trial; how the message begins
FIELDS = (
    "package", "version", "class", "how", "words", "status", "train_cost", "test_error",
    "evaluations", "resumes", "remark", "torch", "python",
)  # fmt: skip


def a_class(path: str) -> str:
    """The value of an argument that is a class."""
    return "{_target_: hydra.utils.get_class, path: %s}" % path  # noqa: UP031 - braces


SGD = a_class("torch.optim.SGD")


def around(module: str, name: str) -> list[list[str]]:
    """The words of a wrapper around Adam."""
    return [["factory=around", f"++optimizer.kwargs.wrapper={a_class(f'{module}.{name}')}"]]


def ways(module: str, name: str, kind: type) -> list[list[str]]:
    """The words of a command line with which a class may train, in the order in which they are tried."""
    parameters = list(inspect.signature(kind).parameters)
    lr = inspect.signature(kind).parameters.get("lr")
    own = ["optimizer.lr=null"] if lr is not None and isinstance(lr.default, (int, float)) else []
    this = f"++optimizer.kwargs.kind={a_class(f'{module}.{name}')}"
    special: dict[str, list[list[str]]] = {
        "BSAM": [[*own, "++optimizer.kwargs.num_data=50000"]],
        "Ranger21": [[*own, "++optimizer.kwargs.num_iterations=200"]],
        "WSAM": [[
            "factory=of_model", this, f"++optimizer.kwargs.base={SGD}",
        ]],
        "GSAM": [["factory=gsam"]],
        "DeMo": [["factory=distributed", this, *own]],
        "DistributedMuon": [["factory=distributed", this, "++optimizer.kwargs.flags=true", *own]],
        "SplitOpt": [[
            "factory=split", this, f"++optimizer.kwargs.base={a_class('heavyball.AdamW')}",
        ]],
    }  # fmt: skip
    if name in special:
        return special[name]
    if parameters and parameters[0] in ("optimizer", "base_optimizer"):
        return around(module, name)
    if "base_optimizer" in parameters:
        return [[f"++optimizer.kwargs.base_optimizer={SGD}"]]
    plain = [own, [*own, "optimizer.create_graph=true"]]
    return [*plain, ["factory=matrices", this, *own], ["factory=flagged", this, *own]]


def classes(module: str) -> dict[str, type]:
    """The optimizer classes that a module offers, by name."""
    found = vars(importlib.import_module(module)).items()
    kinds = {name: kind for name, kind in found if inspect.isclass(kind)}
    base = torch.optim.Optimizer
    return {
        n: kind for n, kind in sorted(kinds.items()) if issubclass(kind, base) and kind is not base
    }


def trial(module: str, name: str, words: list[str]) -> Trial:
    """The trial of a class in one of its ways."""
    factory = next((word.split("=")[1] for word in words if word.startswith("factory=")), None)
    target = f"optimizer_factories.{factory}" if factory else f"{module}.{name}"
    rest = [word for word in words if not word.startswith("factory=")]
    return compose.trial([
        "task=logreg", "optimizer=torch", f"optimizer.target={target}", "epochs=2",
        "task.epoch_examples=null", *rest,
    ])  # fmt: skip


def train(module: str, name: str, words: list[str]) -> dict[str, Any]:
    """What became of one trial."""
    row: dict[str, Any] = {"words": " ".join(words), "how": "class"}
    if words and words[0].startswith("factory="):
        row["how"] = f"`{words[0].split('=')[1]}`"
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run = Run(device="cpu", engine="looped", results_dir=Path(folder), progress=False)
        try:
            one = trial(module, name, words)
            row["status"] = execute([one], run)[one.identity]
        except (UserError, TimeoutError) as error:
            return {
                **row,
                "status": "failed",
                "remark": str(error).partition(": ")[2] or str(error),
            }
        except Exception as error:  # a fault of ours: told, and looked into
            return {**row, "status": "error", "remark": f"{type(error).__name__}: {error}"}
        metrics = pd.read_csv(TrialFolder(one, run.results_dir).metrics)
        last = metrics.iloc[-1]
        row["train_cost"], row["test_error"] = last["train_cost"], last["test_error"]
        row["evaluations"] = last.get("evaluations", last["step"]) / last["step"]
        resumable = TrialFolder(one, run.results_dir).provenance().get("resumable", False)
        row["resumes"] = "yes" if resumable else "begins again"
    notes = [str(w.message) for w in told if "no checkpoint is kept" in str(w.message)]
    row["remark"] = notes[0].partition(": ")[2].partition(", so no")[0] if notes else ""
    return row


def measure(module: str, name: str, kind: type, minibatches: int | None) -> dict[str, Any]:
    """The row of a class: of the first of its ways that trains, else of the first."""

    def late(*_: object) -> None:
        raise LateError(f"{LATE}{SECONDS} seconds")

    signal.signal(signal.SIGALRM, late)
    rows = []
    fewer = [] if minibatches is None else [f"task.epoch_examples={128 * minibatches}"]
    for words in ways(module, name, kind):
        signal.alarm(SECONDS)
        try:
            rows.append(train(module, name, [*words, *fewer]))
        finally:
            signal.alarm(0)
        if rows[-1]["status"] == "finished" or str(rows[-1]["remark"]).startswith(LATE):
            break
    best = rows[-1] if rows[-1]["status"] == "finished" else rows[0]
    package = PACKAGES[module]
    made = {"torch": str(torch.__version__), "python": sys.version.split()[0]}
    origin = {"package": package, "version": metadata.version(package), "class": name}
    return {**origin, **best, **made}


def write(rows: list[dict[str, Any]]) -> None:
    """Write the CSV, a class a line."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    frame = (
        pd.DataFrame(rows).reindex(columns=FIELDS).sort_values(["package", "class"], key=_folded)
    )
    frame["remark"] = frame["remark"].map(_without_folders)
    text = frame.to_csv(index=False, float_format="%.6g", quoting=csv.QUOTE_MINIMAL)
    write_text(CSV, text)


def _folded(column: pd.Series) -> pd.Series:
    return column.str.lower()


HEAD = """# Public optimizers by import path

{trained} of {classes} classes train with `optimizer=torch optimizer.target=PACKAGE.CLASS`, or through a
function of a few lines. Each trained logistic regression on MNIST for two epochs in minibatches of 128, with
its own default stepsize (else 1e-3), untuned: the costs say that it trains, and nothing about which is
better.

PyTorch {torch}, Python {python}, CPU, `torch.compile` switched off. `python scripts/optimizers.py` makes the
table; [classes.csv](classes.csv) has the words of each command line.

Where it says so, an epoch had fewer minibatches, to save time.

- **how**: `class`, or the function of [optimizer_factories.py](../../scripts/optimizer_factories.py) that
  makes it.
- **gradients**: minibatch gradients a step; more than one where a step calls its closure again.
- **resumes**: whether the next twenty steps from its checkpoint were, to the bit, those without. If not, an
  interrupted trial begins again, with the same result in the end.

| package | version | classes | train | resume |
|---|---|---|---|---|
"""


def page(frame: pd.DataFrame) -> str:
    """The table as Markdown."""
    trained = frame["status"].isin(["finished", "diverged"])
    made = {name: frame[name].iloc[0] for name in ("torch", "python")}
    text = HEAD.format(trained=trained.sum(), classes=len(frame), **made)
    for package, own in frame.groupby("package", sort=True):
        cells = (f"`{package}`", own["version"].iloc[0], len(own), trained[own.index].sum())
        resumed = (own["resumes"] == "yes").sum()
        text += f"| {' | '.join(map(str, (*cells, resumed)))} |\n"
    for package, own in frame.groupby("package", sort=True):
        text += (
            f"\n## {package}\n\n| class | how | train cost | test error | gradients | resumes |\n"
        )
        text += "|---|---|---|---|---|---|\n"
        text += "".join(_line(row) for _, row in own[trained[own.index]].iterrows())
        rest = own[~trained[own.index]]
        text += "\nNot trained:\n\n" if len(rest) else ""
        text += "".join(f"- `{row['class']}`: {_remark(row)}\n" for _, row in rest.iterrows())
    return text


def _line(row: pd.Series) -> str:
    how = row["how"] + (", `create_graph`" if "create_graph" in str(row["words"]) else "")
    fewer = re.search(r"task\.epoch_examples=(\d+)", str(row["words"]))
    how += f", {int(fewer[1]) // 128} minibatches an epoch" if fewer else ""
    cost = "diverged" if row["status"] == "diverged" else f"{row['train_cost']:.3f}"
    error = f"{100 * row['test_error']:.1f} %" if pd.notna(row["test_error"]) else ""
    resumes = "" if pd.isna(row["resumes"]) or row["status"] == "diverged" else row["resumes"]
    resumes += f": {_remark(row)}" if resumes and resumes != "yes" and _remark(row) else ""
    cells = (f"`{row['class']}`", how, cost, error, f"{row['evaluations']:g}", resumes)
    return f"| {' | '.join(cells)} |\n"


def _remark(row: pd.Series) -> str:
    text = "" if pd.isna(row["remark"]) else str(row["remark"])
    return " ".join(text.split()).replace("|", "/")[:240]


def _without_folders(remark: Any) -> Any:
    """A remark that names no folder of a machine."""
    return (
        re.sub(r"/\S*/(?=[\w.-]+/[\w.-]+\.py)", "…/", remark) if isinstance(remark, str) else remark
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", action="store_true", help="write the page from the CSV alone")
    parser.add_argument("--again", nargs="*", default=[], help="classes that are trained again")
    parser.add_argument("--minibatches", type=int, help="of an epoch, for slow classes (else all)")
    parser.add_argument("only", nargs="*", help="modules, or all")
    given = parser.parse_args()
    old = pd.read_csv(CSV, dtype={"version": str}).to_dict("records") if CSV.exists() else []
    rows = {(row["package"], row["class"]): row for row in old}
    for module in [] if given.table else given.only or PACKAGES:
        for name, kind in classes(module).items():
            key = (PACKAGES[module], name)
            if key in rows and name not in given.again:
                continue
            rows[key] = measure(module, name, kind, given.minibatches)
            print(*key, rows[key]["status"], rows[key].get("remark", ""), flush=True)
            write(list(rows.values()))
    frame = pd.read_csv(CSV, dtype={"version": str})
    write_text(PAGE, page(frame))


if __name__ == "__main__":
    main()
