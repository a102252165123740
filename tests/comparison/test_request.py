"""What is asked for: entrants, tasks, files; and the trials that follow from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adam_repro.comparison import spec
from adam_repro.comparison.model import Entrant, Setting
from adam_repro.comparison.request import Request, read
from adam_repro.comparison.trials import Composer
from adam_repro.config.trial import Trial
from adam_repro.errors import UserError
from adam_repro.figures.plan import GENERATED
from adam_repro.files import config_folder
from adam_repro.optim import OPTIMIZERS
from adam_repro.runs.check import check

HERE = "tests.comparison.candidates"


def asked(*words: str, **options: Any) -> Request:
    return read(words, options, "adam-repro compare")


def candidate(*words: str, **options: Any) -> Entrant:
    return asked(*words, **options).entrants[0]


def trial(entrant: Entrant, task: str, setting: Setting, scale: str = "short") -> Trial:
    return Composer.of(entrant, spec.load().tasks[task], scale).trial(setting, 3)


def test_an_import_path_brings_its_default_stepsize_and_name() -> None:
    found = candidate("torch.optim.NAdam")
    assert (found.label, found.lr_default, found.candidate) == ("NAdam", 2e-3, True)
    assert found.lr_option == "optimizer.lr"
    assert found.lr is found.lr_range is None


def test_the_usual_rivals_are_those_of_the_file_and_nobody_is_his_own() -> None:
    assert [one.label for one in asked("torch.optim.NAdam").entrants[1:]] == list(
        spec.load().against
    )
    labels = [one.label for one in asked("adam").entrants]
    assert labels.count("adam") == 1
    assert [one.label for one in asked("adam", against="none").entrants] == ["adam"]


def test_rivals_may_be_import_paths_and_names_are_told_apart() -> None:
    found = asked("torch.optim.Adam", f"{HERE}.SkippingAdam", against="adam,torch.optim.SGD")
    assert [one.label for one in found.entrants] == ["Adam", "SkippingAdam", "adam", "SGD"]
    found = asked("torch.optim.SGD", "torch.optim.SGD", against="none")
    assert [one.label for one in found.entrants] == ["SGD", "SGD 2"]


@pytest.mark.parametrize(
    ("lr", "values", "ends"),
    [
        ("1e-5..1", None, (1e-5, 1.0)),
        ("1e-3,1e-2", (1e-3, 1e-2), None),
        ("1", (1.0,), None),
        (1, (1.0,), None),
        ([0.1, 0.2], (0.1, 0.2), None),
    ],
)
def test_stepsizes_are_a_range_values_or_one(lr: Any, values: Any, ends: Any) -> None:
    found = candidate("adam", lr=lr)
    assert (found.lr, found.lr_range) == (values, ends)
    assert found.tuning_free is (values == (1.0,))


def test_search_and_kwargs_reach_the_trial() -> None:
    found = candidate("adam", search={"beta2": "0.99,0.999"}, kwargs={"eps": 1e-6})
    assert found.search == {"optimizer.beta2": (0.99, 0.999)}
    setting = Setting(0.01, "inv_pass", (("optimizer.beta2", 0.99),))
    made = trial(found, "logreg", setting)
    assert made.optimizer["beta2"] == 0.99
    assert made.optimizer["eps"] == 1e-6
    assert (made.optimizer["lr"], made.schedule, made.seed, made.epochs) == (
        0.01,
        "inv_pass",
        3,
        46,
    )

    found = candidate(
        "torch.optim.Adam",
        search={"betas": [[0.9, 0.99], [0.8, 0.9]], "amsgrad": "true,false"},
        kwargs={"eps": 1e-6, "weight_decay": 0.1},
    )
    assert found.search == {
        "optimizer.kwargs.betas": ((0.9, 0.99), (0.8, 0.9)),
        "optimizer.kwargs.amsgrad": (True, False),
    }
    made = trial(
        found, "logreg", Setting(0.01, "constant", (("optimizer.kwargs.betas", (0.8, 0.9)),))
    )
    assert made.optimizer["kwargs"] == {"eps": 1e-6, "weight_decay": 0.1, "betas": [0.8, 0.9]}
    check(made)


def test_the_same_schedules_are_open_to_everyone() -> None:
    found = asked("torch.optim.NAdam", "adam", tasks="logreg,mlp")
    for task, schedules in zip(
        found.tasks, (("constant", "inv_sqrt_pass"), ("constant",)), strict=True
    ):
        for one in found.entrants:
            tuned = {schedule for schedule, _ in found.space(one, task).combinations}
            assert tuned == set(schedules)
    given = asked("adam", schedules="inv_pass", tasks="logreg,mlp")
    assert {s for task in given.tasks for s in given.schedules_of(task)} == {"inv_pass"}


@pytest.mark.parametrize("task", list(spec.load().tasks))
def test_nothing_that_the_papers_settings_say_of_one_optimizer_enters(task: str) -> None:
    """configs/paper fits stepsizes, schedules and rates of decay to the paper's curves."""
    for name in spec.load().against:
        file = config_folder() / "optimizer" / f"{name}.yaml"
        defaults = yaml.safe_load(file.read_text(encoding="utf-8"))
        made = trial(candidate(name), task, Setting(0.5, "constant"))
        assert dict(made.optimizer) == {**defaults, "lr": 0.5}
        other = trial(candidate("torch.optim.SGD"), task, Setting(0.5, "constant"))
        settings, others = made.settings, other.settings
        assert {k: v for k, v in settings.items() if k != "optimizer"} == {
            k: v for k, v in others.items() if k != "optimizer"
        }


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["paper", "short", "smoke"])
def test_every_task_can_be_composed_at_every_scale(scale: str) -> None:
    for name, task in spec.load().tasks.items():
        made = trial(candidate("adam"), name, Setting(0.1, task.schedules[0]), scale)
        check(made)
        assert made.epochs == task.epochs_at(scale)
        assert task.group in GENERATED


def test_quick_has_a_budget_of_its_own() -> None:
    budget = spec.load().budget
    assert asked("adam").budget == asked("adam", tasks="quick").budget == budget["quick"]
    assert asked("adam", tasks="quick", scale="smoke").budget == budget["smoke"]
    assert asked("adam", tasks="quick,imdb").budget == budget["short"]
    assert asked("adam", tasks="quick", budget=5).budget == 5


def test_quick_and_all_stand_for_several_tasks() -> None:
    quick = [task.name for task in asked("adam").tasks]
    assert quick == list(spec.load().quick)
    every = {task.name for task in asked("adam", tasks="all").tasks}
    assert every >= {"logreg", "imdb", "mlp", "cnn", "vae"}
    assert [t.name for t in asked("adam", tasks="mlp,quick,mlp").tasks][:2] == [
        "mlp",
        "logreg_first",
    ]


def test_our_optimizers_search_what_the_figures_search() -> None:
    found = asked("rmsprop", tasks="logreg,mlp")
    assert [dict(found.searched(found.entrants[0], task)) for task in found.tasks] == [
        {"optimizer.rho": (0.9, 0.99)},
        {"optimizer.rho": (0.9, 0.97)},
    ]
    assert not OPTIMIZERS.keys() & {"torch"}


def test_a_file_lists_candidates_and_the_command_line_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "compare.yaml"
    path.write_text(
        "label: both\ntasks: [imdb, mlp]\nbudget: 9\nagainst: adam\ncandidates:\n"
        "  - torch.optim.NAdam\n"
        "  - {target: torch.optim.SGD, label: mine, kwargs: {momentum: 0.8}, lr: 1e-3..1,\n"
        "     search: {nesterov: [true, false]}}\n"
    )
    found = asked(str(path))
    assert (found.label, found.budget, found.scale) == ("both", 9, "short")
    assert [task.name for task in found.tasks] == ["imdb", "mlp"]
    first, second, rival = found.entrants
    assert (first.label, second.label, rival.label) == ("NAdam", "mine", "adam")
    assert second.lr_range == (1e-3, 1.0)
    assert second.words[-1] == "optimizer.kwargs.momentum=0.8"
    assert second.search == {"optimizer.kwargs.nesterov": (True, False)}
    found = asked(str(path), budget=12, tasks="logreg")
    assert (found.budget, [task.name for task in found.tasks]) == (12, ["logreg"])


def test_an_optimizer_may_have_no_stepsize_another_name_for_it_or_a_function() -> None:
    none = candidate(f"{HERE}.NoStepsize", search={"momentum": "0,0.9"})
    assert none.lr_option == ""
    made = trial(none, "logreg", Setting(None, "constant", (("optimizer.kwargs.momentum", 0.9),)))
    assert made.optimizer["lr"] is None
    check(made)
    assert candidate(f"{HERE}.NoStepsize").tuning_free

    other = candidate(f"{HERE}.OtherName", lr_name="eta")
    assert other.lr_default == 0.02
    made = trial(other, "logreg", Setting(0.3, "constant"))
    assert (made.optimizer["lr"], made.optimizer["lr_name"]) == (0.3, "eta")
    check(made)

    made_by = candidate(f"{HERE}.factory", create_graph=True)
    assert (made_by.label, made_by.lr_default) == ("factory", 0.5)
    made = trial(made_by, "logreg", Setting(0.3, "constant"))
    assert made.optimizer["create_graph"] is True
    check(made)


def test_an_optimizer_without_lr_is_told_with_what_tunes_it() -> None:
    beginning = "it has no argument lr, so no stepsize is tuned; "
    (note,) = candidate(f"{HERE}.CalledAlpha").notes
    assert note == f"{beginning}lr_name=alpha tunes its alpha"
    (note,) = candidate(f"{HERE}.NoStepsize").notes
    assert note == f"{beginning}if another argument is the stepsize, give lr_name= its name"
    (note,) = asked("adam", against=f"{HERE}.CalledAlpha").entrants[1].notes
    assert note.endswith("tunes its alpha, if it is a candidate")
    for tuned in (
        candidate(f"{HERE}.CalledAlpha", lr_name="alpha"),
        candidate("torch.optim.RMSprop"),
        candidate("sfo"),
    ):
        assert tuned.notes == ()
    with pytest.raises(
        UserError, match=r"CalledAlpha has no lr; name its stepsize by lr_name=alpha"
    ):
        candidate(f"{HERE}.CalledAlpha", lr="1e-3..1")


def test_a_task_of_ones_own_comes_by_import_path_with_its_options_in_a_file(tmp_path: Path) -> None:
    (task,) = asked("adam", tasks=f"{HERE}.TwoLayer").tasks
    assert (task.name, task.epochs_at("short")) == ("TwoLayer", 20)
    path = tmp_path / "compare.yaml"
    path.write_text(
        "candidates: [adam]\ntasks:\n  - logreg\n"
        f"  - {{target: {HERE}.TwoLayer, name: mine, epochs: 3, schedules: [constant, inv_pass],\n"
        "     overrides: [task.data.name=synthetic, batch_size=16]}\n"
    )
    found = asked(str(path))
    assert [task.name for task in found.tasks] == ["logreg", "mine"]
    own = found.tasks[1]
    assert own.schedules == ("constant", "inv_pass")
    made = Composer.of(found.entrants[0], own, "short").trial(Setting(0.1, "inv_pass"), 0)
    assert (made.task["target"], made.task["name"]) == (f"{HERE}.TwoLayer", "mine")
    assert (made.epochs, made.batch_size, made.task["data"]["name"]) == (3, 16, "synthetic")
    with pytest.raises(UserError, match=r"candidates has no .TwoLayers"):
        asked("adam", tasks=f"{HERE}.TwoLayers")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("candidates: [adam]\ntasks: [{name: x}]", "tasks=: give the import path"),
        (f"candidates: [adam]\ntasks: [{{target: {HERE}.TwoLayer, epochs: 0}}]", "tasks.epochs=0"),
        (
            f"candidates: [adam]\ntasks: [{{target: {HERE}.TwoLayer, lr: 1}}]",
            "tasks.lr: there is no",
        ),
        ("candidates: [adam]\ncreate_graph: true", "create_graph: there is no such option"),
        ("candidates: [{target: adam, create_graph: true}]", "adam is ours, and first-order"),
        ("label: x", "must have candidates, a list"),
        ("candidates: [1]", "candidates: 1: must have a target"),
        ("candidates: [{label: x}]", "must have a target"),
        ("candidates: [{target: adam, rate: 1}]", "candidates.rate: there is no such option"),
        ("candidates: [adam]\nlr: 1", "lr: there is no such option"),
        ("candidates: [", "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "compare.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        asked(str(path))


def test_where_an_optimizer_evaluates_elsewhere_it_is_said() -> None:
    assert candidate(f"{HERE}.Averaging").notes
    assert not candidate("torch.optim.NAdam").notes
