"""What is asked for: words of a command line, or a compare.yaml, read into entrants, tasks and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from adam_repro.comparison import spec
from adam_repro.comparison.entrants import OURS, Candidate, entrant
from adam_repro.comparison.model import TUNING_SEED, Entrant, Setting
from adam_repro.comparison.spec import TaskSpec
from adam_repro.comparison.trials import Composer
from adam_repro.comparison.tuning import Space
from adam_repro.config.validate import Choice, FolderName, Whole, check, known
from adam_repro.errors import UserError
from adam_repro.figures.spec import SCALES
from adam_repro.files import yaml_flaw
from adam_repro.optim import schedules
from adam_repro.statistics import MIN_SEEDS

CANDIDATE_KEYS = ("target", "label", "kwargs", "search", "lr", "lr_name", "create_graph")
QUICK = "quick"
FILE_KEYS = ("candidates", "label", "tasks", "against", "scale", "budget", "seeds", "schedules")


@dataclass(frozen=True)
class Request:
    """A comparison to be made. ``schedules``: for every task; ``None``: each task's own choices."""

    label: str
    entrants: tuple[Entrant, ...]
    tasks: tuple[TaskSpec, ...]
    scale: str
    seeds: int
    budget: int
    schedules: tuple[str, ...] | None
    command: str

    def schedules_of(self, task: TaskSpec) -> tuple[str, ...]:
        return task.schedules if self.schedules is None else self.schedules

    def settings_of(self, task: TaskSpec) -> Mapping[str, Any]:
        """The settings of a trial of a task, the same for every optimizer but its own, schedule and seed."""
        anyone = Composer.of(entrant(Candidate("adam"), candidate=False), task, self.scale)
        return anyone.trial(Setting(None, self.schedules_of(task)[0]), TUNING_SEED).settings

    def space(self, entrant: Entrant, task: TaskSpec) -> Space:
        """What is tuned of an entrant on a task.

        Raises:
            UserError: for more settings than the budget has trials.
        """
        space = Space.of(entrant, self.schedules_of(task), self.searched(entrant, task))
        settings = len(space.fixed or space.combinations)
        if settings > self.budget:
            raise UserError(
                f"budget={self.budget}: {entrant.label} has {settings} settings to search on "
                f"{task.name}; give budget={settings} or more, or search less"
            )
        return space

    @staticmethod
    def searched(entrant: Entrant, task: TaskSpec) -> Mapping[str, tuple[Any, ...]]:
        """The other options that are searched on a task: of ours, those of the file come first."""
        name = _our_name(entrant)
        return {**(spec.load().searched(name, task) if name else {}), **entrant.search}


def _our_name(entrant: Entrant) -> str:
    name = entrant.words[0].partition("=")[2]
    return name if name != "torch" else ""


def read(words: Sequence[str], options: Mapping[str, Any], command: str) -> Request:
    """The request of ``adam-repro compare WORDS``; ``options``: what was given, by name.

    Raises:
        UserError: for an unknown target, task or option, or a value that is not legal.
    """
    given = dict(options)
    targets: list[Candidate] = []
    for word in words:
        if word.endswith((".yaml", ".yml")):
            found, defaults = read_file(Path(word))
            targets += found
            given = {**defaults, **given}
        else:
            targets.append(Candidate(word))
    if not targets:
        raise UserError(
            "which optimizer? Give an import path, as torch.optim.NAdam, one of "
            f"{', '.join(OURS)}, or a compare.yaml"
        )
    own = {key: given[key] for key in CANDIDATE_KEYS if given.get(key) and key != "label"}
    candidates = _unique([entrant(_with(one, own), candidate=True) for one in targets])
    return _request(candidates, given, command)


def _with(candidate: Candidate, own: Mapping[str, Any]) -> Candidate:
    """A candidate with the options of the command line, which come before those of a file."""
    merged: dict[str, Any] = {
        key: {**(getattr(candidate, key) or {}), **value} if isinstance(value, Mapping) else value
        for key, value in own.items()
    }
    return replace(candidate, **merged)


def _request(candidates: list[Entrant], given: Mapping[str, Any], command: str) -> Request:
    file = spec.load()
    scale = check("scale", given.get("scale", file.scale), Choice(*SCALES))
    seeds = check("seeds", given.get("seeds", file.seeds), _Seeds(2))
    asked = given.get("tasks") or QUICK
    tasks = _names(asked) if isinstance(asked, str) else list(asked)
    usual = file.budget[QUICK if (tasks, scale) == ([QUICK], "short") else scale]
    budget = check("budget", given.get("budget", usual), Whole(1))
    rivals = _rivals(_names(given.get("against")), candidates)
    label = given.get("label") or "_".join(one.label for one in candidates)
    check("label", label, FolderName())
    chosen = tuple(_names(given.get("schedules"))) or None
    for schedule in chosen or ():
        schedules.find(schedule)
    request = Request(
        label,
        (*candidates, *rivals),
        file.resolve(tasks),
        scale,
        seeds,
        budget,
        chosen,
        command,
    )
    for one in request.entrants:
        for task in request.tasks:
            request.space(one, task)
    return request


class _Seeds(Whole):
    def __str__(self) -> str:
        return (
            f"{super().__str__()}, for the first one tunes and is not compared (an interval takes 3, a "
            f"verdict {MIN_SEEDS})"
        )


def _names(value: Any) -> list[str]:
    """Words separated by commas, or a list of them."""
    words = value.split(",") if isinstance(value, str) else list(value or [])
    return [str(word).strip() for word in words if str(word).strip()]


def _rivals(names: Sequence[str], candidates: Sequence[Entrant]) -> list[Entrant]:
    """Those that the candidates are compared with; a candidate is not its own rival."""
    if list(names) == ["none"]:
        return []
    found = [entrant(Candidate(name), candidate=False) for name in names or spec.load().against]
    taken = {one.words for one in candidates}
    return [one for one in _unique(found) if one.words not in taken]


def _unique(entrants: Sequence[Entrant]) -> list[Entrant]:
    """The entrants with labels that differ, also in lower case."""
    found: dict[str, Entrant] = {}
    for one in entrants:
        label, number = one.label, 2
        while label.lower() in found:
            label, number = f"{one.label} {number}", number + 1
        found[label.lower()] = replace(one, label=label)
    return list(found.values())


def read_file(path: Path) -> tuple[list[Candidate], dict[str, Any]]:
    """The candidates of a compare.yaml, and its other keys.

    Raises:
        UserError: it cannot be read, or has a key that it cannot have.
    """
    try:
        raw = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {yaml_flaw(error)}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("candidates"), list):
        raise UserError(f"{path}: must have candidates, a list, as [{{target: torch.optim.NAdam}}]")
    known(map(str, raw), FILE_KEYS, f"{path}: ")
    candidates = []
    for one in raw.pop("candidates"):
        section = {"target": one} if isinstance(one, str) else one
        if not isinstance(section, dict) or not isinstance(section.get("target"), str):
            raise UserError(f"{path}: candidates: {one}: must have a target")
        known(map(str, section), CANDIDATE_KEYS, f"{path}: candidates.")
        candidates.append(Candidate(**section))
    return candidates, {str(key): value for key, value in raw.items()}
