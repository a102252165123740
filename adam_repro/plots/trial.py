"""One trial: its curve as a picture, its summary as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from adam_repro.config.trial import flat, shown_name
from adam_repro.errors import UserError
from adam_repro.figures import paper_curves
from adam_repro.files import atomic_write
from adam_repro.plots import style
from adam_repro.wording import counted

SETTINGS = {"task", "optimizer", "averaging", "schedule", "seed", "batch_size"}  # in a drawing
#: Blue, vermilion and green of Okabe and Ito, which colour-blind readers can distinguish.
OURS, PAPER, AVERAGE = "#0072B2", "#D55E00", "#009E73"


def read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """trial.yaml and metrics.csv (with ``seconds`` from timing.csv) of a trial's folder."""
    record = _record(folder / "trial.yaml")
    metrics = pd.read_csv(folder / "metrics.csv")
    timing = pd.read_csv(folder / "timing.csv")
    return record, metrics.merge(timing, on="epoch", how="left")


def _record(path: Path) -> dict[str, Any]:
    """trial.yaml.

    Raises:
        UserError: it is damaged, in a way that does not keep the trial from being complete.
    """
    try:
        record: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        whole = record["config"].keys() >= SETTINGS and "status" in record
        for section in ("task", "optimizer", "averaging"):
            whole = whole and "name" in record["config"][section]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        whole = False
    if not whole:
        raise UserError(
            f"{path}: is damaged, so the trial cannot be drawn; restore the file, or delete its "
            "folder to train the trial again"
        )
    found = record.get("provenance")
    return {**record, "provenance": found if isinstance(found, dict) else {}}


@style.own_settings({"text.parse_math": False})
def draw(folder: Path) -> Path:
    """Draw ``curve.png``: training and test cost by epoch, and the paper's curve, dotted."""
    record, metrics = read(folder)
    settings = record["config"]
    if "regret" in metrics:
        from adam_repro.plots import theory_trial

        return theory_trial.draw(folder, settings, metrics)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    x = metrics["epoch"]
    axes.plot(x, metrics["train_cost"], color=OURS, label="training cost, as trained")
    if metrics["test_cost"].notna().any():
        axes.plot(x, metrics["test_cost"], color=OURS, alpha=0.45, lw=1, label="test cost")
    if "average_test_cost" in metrics:
        label = f"test cost of the {settings['averaging']['name']} average"
        axes.plot(x, metrics["average_test_cost"], color=AVERAGE, lw=1, label=label)
    line = paper_curves.find_reference(settings)
    if line:
        paper = paper_curves.curve(line)
        at, ours = paper_curves.comparable_points(line, metrics)
        if np.isfinite(ours).any() and not np.array_equal(at, x):
            average = " of the average" if "average_eval_train_cost" in metrics else ""
            label = f"training cost{average}, after the epoch"
            axes.plot(at, ours, color=OURS, ls="--", lw=1, label=label)
        axes.plot(*paper, ":", color=PAPER, lw=2, label=f"paper: {line}")
        axes.set_xlim(0, max(1, min(paper[0].max(), at.max())))
    if record["status"] == "diverged":
        axes.axvline(x.iloc[-1], color="black", ls="--", label="diverged")
    _set_yscale(axes, metrics["train_cost"])
    task, optimizer = settings["task"]["name"], shown_name(settings["optimizer"])
    lr = settings["optimizer"].get("lr")
    stepsize = "" if lr is None else f", lr {lr:g}"
    schedule = settings["schedule"]
    axes.set_title(f"{task}, {optimizer}{stepsize} ({schedule}), seed {settings['seed']}")
    axes.set_xlabel("epoch")
    axes.set_ylabel("cost (nats per example)")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    path = folder / "curve.png"
    style.set_canvas(figure, "png")
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)
    return path


def _set_yscale(axes: Any, cost: pd.Series) -> None:
    finite = cost[np.isfinite(cost) & (cost > 0)]
    if len(finite) and finite.max() > 20 * finite.min():
        axes.set_yscale("log")
        style.set_log_ticks(axes.yaxis, *axes.get_ylim())


def summary(folder: Path) -> str:
    """The settings and results of a trial, in a dozen lines."""
    record, metrics = read(folder)
    settings = record["config"]
    last = metrics.iloc[-1]
    own = {k: v for k, v in settings["optimizer"].items() if k != "name" and v != {}}
    hyper = ", ".join(f"{key.removeprefix('kwargs.')} {value}" for key, value in flat(own).items())
    # SFO has subfunctions instead of minibatches; they are among the hyperparameters.
    is_sfo = "n_subfunctions" in settings["optimizer"]
    batch_size = "" if is_sfo else f", batch size {settings['batch_size']}"
    lines = [
        f"{settings['task']['name']} with {shown_name(settings['optimizer'])} ({hyper})",
        f"  schedule {settings['schedule']}, seed {settings['seed']}{batch_size}: "
        f"{record['status']} after {counted(len(metrics), 'epoch')}, "
        f"{metrics['seconds'].sum():.1f} s of training on {_hardware(record['provenance'])}",
        *_results(last),
    ]
    if "average_test_cost" in metrics:
        lines.append(_costs("of the average", last, "average_test_cost", "average_test_error"))
    lines += _agreement(settings, metrics)
    lines.append(f"  files: {folder}")
    return "\n".join(lines)


def _hardware(provenance: dict[str, Any]) -> str:
    """The processors of every start of the trial, in order."""
    starts = [*provenance.get("earlier", []), provenance]
    return ", then ".join(
        dict.fromkeys(str(start.get("hardware", "unknown hardware")) for start in starts)
    )


def _results(last: pd.Series) -> list[str]:
    """The costs of the last row; for the tasks of section 4 the regret and its bound."""
    if "regret" not in last:
        return [
            _costs("training cost (nats)", last, "train_cost", "train_error"),
            _costs("test cost (nats)", last, "test_cost", "test_error"),
        ]
    T, bound = int(last["step"]), last["bound"]
    bound_text = "no theorem bounds it here" if pd.isna(bound) else f"bound {bound:.5g}"
    lines = [
        f"  regret after T = {T}: {last['regret']:.5g}; {bound_text}; R(T)/T {last['average_regret']:.5g}"
    ]
    if "x" in last:
        lines.append(f"  x {last['x']:.5g}, in [-1, 1]")
    return lines


def _costs(label: str, row: pd.Series, cost: str, error: str) -> str:
    text = f"  {label:<22}{row[cost]:.5g}"
    return text if pd.isna(row.get(error)) else f"{text}   error {100 * row[error]:.2f} %"


def _agreement(settings: dict[str, Any], metrics: pd.DataFrame) -> list[str]:
    """The training cost beside the paper's curve, if the paper has one."""
    line = paper_curves.find_reference(settings)
    if line is None:
        return []
    x, ours = paper_curves.comparable_points(line, metrics)
    paper = paper_curves.interpolate(line, x)
    ratio = ours / paper - 1
    shown = [i for i in _printed_rows(x) if np.isfinite(ratio[i])]
    if not shown:
        return []
    rows = [f"  beside the paper's {line}:", "      epoch      here     paper   difference"]
    rows += [
        f"    {x[i]:7.0f}{ours[i]:10.4g}{paper[i]:10.4g}{100 * ratio[i]:+11.1f} %" for i in shown
    ]
    median = float(np.nanmedian(np.abs(ratio)))
    rows.append(f"    median difference over the curve {100 * median:.1f} %")
    return rows


def _printed_rows(x: np.ndarray) -> list[int]:
    """The indices of up to nine epochs and of the last. Most are early, where curves differ most."""
    epochs = (0, 1, 2, 5, 10, 20, 30, 45, 100, 200)
    last = len(x) - 1
    return [*[i for i in range(last) if x[i] in epochs], last]
