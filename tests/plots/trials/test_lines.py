"""Lines of a frame of trials: what is one line, its mean and band, which is the best, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import adam_repro
from adam_repro.errors import UserError
from adam_repro.plots.trials.lines import Line, lines_of
from adam_repro.statistics import t_interval
from tests.trial_folders import put

INF = float("inf")


def lines(
    folder: Path,
    x: str = "epoch",
    y: str = "train_cost",
    group: list[str] | None = None,
    band: str = "range",
) -> list[Line]:
    return lines_of(adam_repro.load(folder), x, y, group, band)


def test_seeds_are_one_line_with_a_band(tmp_path: Path) -> None:
    for seed, cost in enumerate((1.0, 2.0, 6.0)):
        put(tmp_path, (cost, cost / 2), seed=seed)
    (line,) = lines(tmp_path)
    assert (line.n, line.group, line.best) == (3, "adam", True)
    np.testing.assert_allclose(line.mean, [3.0, 1.5])
    np.testing.assert_allclose([line.low, line.high], [[1.0, 0.5], [6.0, 3.0]])
    (line,) = lines(tmp_path, band="t")
    expected = t_interval(np.array([1.0, 2.0, 6.0]))
    assert line.low[0] == pytest.approx(expected.low)
    assert line.high[0] == pytest.approx(expected.high)
    (line,) = lines(tmp_path, band="none")
    assert np.isnan(line.low).all()


def test_a_single_seed_has_no_band(tmp_path: Path) -> None:
    put(tmp_path)
    for band in ("range", "t"):
        assert np.isnan(lines(tmp_path, band=band)[0].high).all()


def test_what_differs_is_what_the_legend_says(tmp_path: Path) -> None:
    for lr in (1e-3, 1e-2):
        put(tmp_path, optimizer__lr=lr)
        put(tmp_path, optimizer={"name": "sgd_nesterov", "lr": lr, "momentum": 0.9})
    put(tmp_path, optimizer__lr=1e-2, schedule="inv_pass")
    assert [line.group for line in lines(tmp_path)] == [
        "adam, lr 0.001, constant",
        "adam, lr 0.01, constant",
        "adam, lr 0.01, inv_pass",
        "sgd_nesterov, lr 0.001, constant",
        "sgd_nesterov, lr 0.01, constant",
    ]


def test_of_a_group_the_lowest_training_cost_is_the_best(tmp_path: Path) -> None:
    ends = {1e-3: 0.5, 1e-2: 0.2, 1e-1: 0.9}
    for lr, end in ends.items():
        put(tmp_path, (2.0, end), optimizer__lr=lr)
    put(tmp_path, (2.0, INF), "diverged", optimizer__lr=1.0)
    found = lines(tmp_path, group=["optimizer"])
    assert [line.setting for line in found] == ["lr 0.001", "lr 0.01", "lr 0.1", "lr 1"]
    assert [line.best for line in found] == [False, True, False, False]
    assert found[1].label == "adam (best of 4: lr 0.01)"


def test_many_settings_are_coloured_by_optimizer(tmp_path: Path) -> None:
    for i in range(11):
        put(tmp_path, optimizer__lr=0.1 * (i + 1))
    assert {line.group for line in lines(tmp_path)} == {"adam"}
    assert len(lines(tmp_path)) == 11


def test_two_classes_of_one_name_are_two_lines(tmp_path: Path) -> None:
    for module in ("torch.optim", "mine"):
        put(tmp_path, optimizer={"name": "torch", "target": f"{module}.Adam", "lr": 0.1})
    assert [line.group for line in lines(tmp_path)] == [
        "target mine.Adam",
        "target torch.optim.Adam",
    ]


def test_the_mean_ends_where_a_seed_diverges(tmp_path: Path) -> None:
    put(tmp_path, (3.0, 2.0, 1.0))
    put(tmp_path, (5.0, INF), "diverged", seed=1, epochs=3)
    (line,) = lines(tmp_path)
    assert (line.n, line.diverged, line.at_end) == (2, 1, INF)
    assert line.mean[0] == 4.0
    assert np.isnan(line.mean[1:]).all()
    assert np.isnan(line.high[1:]).all()


def test_a_seed_in_training_does_not_shorten_the_others(tmp_path: Path) -> None:
    put(tmp_path, (3.0, 2.0, 1.0))
    put(tmp_path, (5.0,), "running", seed=1, epochs=3)
    (line,) = lines(tmp_path)
    assert (line.n, line.left_out) == (1, 1)
    np.testing.assert_allclose(line.mean, [3.0, 2.0, 1.0])


@pytest.mark.parametrize(
    ("x", "expected"), [("epoch", [0, 1, 2]), ("step", [10, 20, 30]), ("seconds", [2.0, 4.0, 6.0])]
)
def test_x_is_what_is_asked_for(x: str, expected: list[float], tmp_path: Path) -> None:
    put(tmp_path, seconds=[1.0, 1.0, 1.0])
    put(tmp_path, seed=1, seconds=[3.0, 3.0, 3.0])
    (line,) = lines(tmp_path, x)
    np.testing.assert_allclose(line.x, expected)


def test_a_cost_after_the_epoch_is_drawn_after_it(tmp_path: Path) -> None:
    put(tmp_path, columns={"eval_train_cost": (1.0, 0.5, 0.2)})
    (line,) = lines(tmp_path, y="eval_train_cost")
    np.testing.assert_allclose(line.x, [1, 2, 3])


def test_a_part_of_a_frame_is_drawn_too(tmp_path: Path) -> None:
    put(tmp_path)
    put(tmp_path, seed=1)
    frame = adam_repro.load(tmp_path)
    (line,) = lines_of(frame[frame["epoch"] > 0], "epoch", "train_cost", None, "range")
    np.testing.assert_allclose(line.x, [1, 2])
    frame["kind"] = np.where(frame["seed"] == 0, "first", "other")
    found = lines_of(frame, "epoch", "train_cost", ["kind"], "range")
    assert [line.group for line in found] == ["kind first", "kind other"]


def test_seeds_are_lines_of_their_own_if_asked_for(tmp_path: Path) -> None:
    for seed in range(3):
        put(tmp_path, seed=seed)
    assert [line.group for line in lines(tmp_path, group=["seed"])] == [
        "seed 0",
        "seed 1",
        "seed 2",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"y": "trian_cost"}, r"y=trian_cost: .*did you mean train_cost"),
        ({"y": "test_error"}, "y=test_error: no trial has a value"),
        ({"y": "optimizer.lr"}, "y=optimizer.lr: it is a setting"),
        ({"x": "time"}, "x=time: must be one of epoch, step, seconds"),
        ({"group": ["lr"]}, r"group=lr: .*did you mean optimizer\.lr"),
        ({"group": ["train_cost"]}, "group=train_cost: there is no such setting"),
    ],
)
def test_a_mistake_is_one_message(words: dict[str, object], said: str, tmp_path: Path) -> None:
    put(tmp_path, columns={"test_error": (float("nan"),) * 3})
    with pytest.raises(UserError, match=said):
        lines(tmp_path, **words)  # type: ignore[arg-type]


def test_a_frame_of_something_else_is_refused(tmp_path: Path) -> None:
    put(tmp_path)
    frame = adam_repro.load(tmp_path)
    with pytest.raises(UserError, match=r"lacks identity.*adam_repro\.load"):
        adam_repro.plot(frame.drop(columns=["identity"]))
    with pytest.raises(UserError, match="no rows"):
        adam_repro.plot(frame[frame["seed"] == 99])
    with pytest.raises(UserError, match="lacks"):
        adam_repro.plot(pd.DataFrame({"epoch": [0]}))


def test_a_setting_that_is_null_is_left_out_beside_others(tmp_path: Path) -> None:
    put(tmp_path)
    put(tmp_path, task__epoch_examples=50)
    assert {line.group for line in lines(tmp_path)} == {"epoch_examples null", "epoch_examples 50"}
    put(tmp_path, optimizer__name="sgd")
    shown = {"adam", "adam, epoch_examples 50", "sgd"}
    assert {line.group for line in lines(tmp_path)} == shown
