"""Any trials in one picture: what is drawn, where, in which scale; the user's Matplotlib stays theirs."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import adam_repro
from adam_repro.errors import UserError
from adam_repro.figures import paper_curves
from adam_repro.plots import style
from adam_repro.plots.trials.draw import draw
from tests.plots.test_isolation import THEIRS
from tests.trial_folders import put


@pytest.fixture
def axes() -> Axes:
    return Figure().subplots()


def with_style(axes: Axes, linestyle: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_linestyle() == linestyle]


def labels(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_a_mean_with_its_band_and_its_n(axes: Axes, tmp_path: Path) -> None:
    for seed, cost in enumerate((1.0, 3.0)):
        put(tmp_path, (cost, cost / 4), seed=seed, task__data={"name": "other"})
    assert adam_repro.plot(adam_repro.load(tmp_path), ax=axes) is axes
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [2.0, 0.5])
    (band,) = axes.collections
    ends = band.get_paths()[0].vertices
    assert {1.0, 3.0, 0.25, 0.75} <= set(ends[:, 1])  # type: ignore[index]
    assert labels(axes) == ["adam, n = 2"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "training cost (nats per example)")


def test_the_papers_curve_is_dotted_where_the_quantity_is_its_own(
    axes: Axes, tmp_path: Path
) -> None:
    put(tmp_path, np.linspace(0.5, 0.25, 12).tolist(), columns={"test_cost": [0.5] * 12})
    frame = adam_repro.load(tmp_path)
    adam_repro.plot(frame, ax=axes)
    (paper,) = with_style(axes, ":")
    x, cost = paper_curves.curve(paper_curves.Reference("fig1_left", "Adam"))
    np.testing.assert_allclose(paper.get_xdata(), x[x <= 11])
    np.testing.assert_allclose(paper.get_ydata(), cost[x <= 11])
    assert "dotted, hollow: the paper" in labels(axes)
    for words in ({"y": "test_cost"}, {"x": "step"}, {"x": "seconds"}):
        other = Figure().subplots()
        adam_repro.plot(frame, ax=other, **words)  # type: ignore[arg-type]
        assert with_style(other, ":") == []


def test_figure_2bs_curve_is_of_the_cost_after_the_epoch(axes: Axes, tmp_path: Path) -> None:
    task = {"name": "mlp_deterministic", "data": {"name": "mnist"}}
    put(tmp_path, (1.0, 0.5), task=task, columns={"eval_train_cost": (0.9, 0.4)})
    frame = adam_repro.load(tmp_path)
    adam_repro.plot(frame, y="eval_train_cost", ax=axes)
    assert len(with_style(axes, "-.")) == 1
    assert any("undivided" in label for label in labels(axes))
    other = Figure().subplots()
    adam_repro.plot(frame, ax=other)
    assert len(other.lines) == 1


@pytest.mark.parametrize("data", ["synthetic", "fashion_mnist"])
def test_the_papers_curve_is_of_its_own_data(data: str, axes: Axes, tmp_path: Path) -> None:
    put(tmp_path, task__data={"name": data})
    adam_repro.plot(adam_repro.load(tmp_path), ax=axes)
    assert with_style(axes, ":") == []


def test_a_curve_of_the_paper_that_no_colour_owns_is_drawn_once(axes: Axes, tmp_path: Path) -> None:
    for lr in (0.1, 0.2):
        put(tmp_path, optimizer__lr=lr)
    adam_repro.plot(adam_repro.load(tmp_path), ax=axes)
    (paper,) = with_style(axes, ":")
    assert paper.get_color() == style.INK


def test_divergence_is_marked_where_it_began(axes: Axes, tmp_path: Path) -> None:
    put(tmp_path, (3.0, 2.0, float("nan")), "diverged", epochs=9, schedule="inv_pass")
    adam_repro.plot(adam_repro.load(tmp_path), ax=axes)
    (cross,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([1.0], [2.0])


def test_a_trial_that_diverges_at_once_is_in_the_legend(axes: Axes, tmp_path: Path) -> None:
    put(tmp_path, (float("inf"),), "diverged", epochs=3, optimizer__lr=9.0)
    put(tmp_path, optimizer__lr=0.1)
    adam_repro.plot(adam_repro.load(tmp_path), ax=axes)
    assert labels(axes)[:2] == ["lr 0.1", "lr 9"]


def test_what_diverges_does_not_flatten_the_others(tmp_path: Path) -> None:
    put(tmp_path, (2.0, 1.0), optimizer__lr=0.1)
    put(tmp_path, (1e9, 1e30), optimizer__lr=9.0)
    drawing, _ = draw(adam_repro.load(tmp_path), group=["optimizer"])
    assert drawing.axes[0].get_ylim()[1] < 10
    assert drawing.axes[0].get_ylim()[0] == 0.0
    assert "best of 2: lr 0.1" in drawing.legends[0].get_texts()[0].get_text()


def test_scales(tmp_path: Path) -> None:
    put(tmp_path, (1.0, 0.01), task__data={"name": "other"})
    frame = adam_repro.load(tmp_path)

    def scales(**words: str) -> tuple[str, str]:
        axes = adam_repro.plot(frame, ax=Figure().subplots(), **words)
        return axes.get_xscale(), axes.get_yscale()

    assert scales() == ("linear", "log")
    assert scales(yscale="linear", xscale="log", x="step") == ("log", "linear")
    with pytest.raises(UserError, match="yscale=cubic: must be one of auto, linear, log"):
        scales(yscale="cubic")
    with pytest.raises(UserError, match="band=std: must be one of range, t, none"):
        scales(band="std")


def test_a_cost_of_zero_does_not_flatten_the_others(axes: Axes, tmp_path: Path) -> None:
    put(tmp_path, (1.0, 1e-5, 0.0), task__data={"name": "other"})
    adam_repro.plot(adam_repro.load(tmp_path), ax=axes)
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[0] < 1e-5


def test_each_task_has_axes_of_its_own(tmp_path: Path) -> None:
    put(tmp_path)
    put(tmp_path, task__name="mlp", optimizer__name="adagrad")
    put(tmp_path, task__name="nmt", columns={"bleu": (1.0, 2.0, 3.0)})
    frame = adam_repro.load(tmp_path)
    drawing, _ = draw(frame)
    assert sorted(axes.get_title() for axes in drawing.axes) == ["logreg", "mlp", "nmt"]
    drawing, _ = draw(frame, y="bleu")
    assert [axes.get_title() for axes in drawing.axes] == ["nmt"]


def test_several_tasks_are_not_mixed_without_a_word(axes: Axes, tmp_path: Path) -> None:
    put(tmp_path, columns={"test_cost": (1.0, 2.0, 3.0)})
    put(tmp_path, task__name="mlp")
    frame = adam_repro.load(tmp_path)
    for group in (None, "optimizer", ["optimizer"]):
        with pytest.raises(
            UserError, match=r"several tasks \(logreg, mlp\).*frame\['task'\] == 'logreg'"
        ):
            adam_repro.plot(frame, ax=axes, group=group)
    assert len(axes.lines) == 0
    adam_repro.plot(frame, ax=Figure().subplots(), y="test_cost")  # of one of them alone
    adam_repro.plot(frame[frame["task"] == "mlp"], ax=Figure().subplots())
    adam_repro.plot(frame, ax=axes, group=["task", "optimizer"])
    assert {"logreg, adam", "mlp, adam"} <= set(labels(axes))


def test_an_optimizer_has_the_colour_it_has_in_the_figures(tmp_path: Path) -> None:
    for name in ("sgd", "adam", "adagrad"):
        put(tmp_path, optimizer__name=name, task__data={"name": "other"})
    drawing, _ = draw(adam_repro.load(tmp_path))
    colors = {t.get_text(): h.get_color() for t, h in zip(
        drawing.legends[0].get_texts(), drawing.legends[0].get_lines(), strict=True)}  # fmt: skip
    assert colors["adam"] == style.series_style(2).color
    assert colors["adagrad"] == style.series_style(0).color
    assert colors["sgd"] not in (colors["adam"], colors["adagrad"])


def test_what_is_not_whole_is_told(tmp_path: Path) -> None:
    put(tmp_path)
    put(tmp_path, (1.0,), "running", seed=1, epochs=3)
    put(tmp_path, (1.0, float("nan")), "diverged", seed=2, epochs=3)
    put(tmp_path, (1.0,), "failed", optimizer__lr=5.0, epochs=3)
    drawing, messages = draw(adam_repro.load(tmp_path))
    assert messages == [
        "lr 0.001: 1 of 3 diverged (x)",
        "lr 0.001: 1 of 3 left out, as they are not complete",
        "lr 5: 1 of 1 not complete, drawn as far as they go",
    ]
    assert any("1 of 3 diverged" in text.get_text() for text in drawing.texts)


def test_their_settings_neither_reach_a_drawing_nor_are_changed(tmp_path: Path) -> None:
    put(tmp_path / "trials", optimizer={"name": "a $b_{ c$", "lr": 0.1})
    frame = adam_repro.load(tmp_path)

    def drawn(name: str) -> bytes:
        style.save(draw(frame)[0], tmp_path, name, ("svg",))
        return (tmp_path / f"{name}.svg").read_bytes()

    plain = drawn("plain")
    with matplotlib.rc_context(THEIRS):
        before, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
        assert drawn("theirs") == plain
        axes = Figure().subplots()
        adam_repro.plot(frame, ax=axes)
        assert dict(matplotlib.rcParams) == before
        assert matplotlib.get_backend() == backend
    assert axes.get_facecolor() == matplotlib.colors.to_rgba("navy")  # their axes, their look
    assert axes.get_legend().get_texts()[0].get_parse_math() is False


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_without_axes_there_is_a_new_figure_of_pyplot(tmp_path: Path) -> None:
    put(tmp_path)
    with matplotlib.rc_context({"backend": "agg"}):
        from matplotlib import pyplot

        before = pyplot.get_fignums()
        axes = adam_repro.plot(adam_repro.load(tmp_path), group="optimizer")
        assert len(pyplot.get_fignums()) == len(before) + 1
        pyplot.close(axes.get_figure())  # type: ignore[arg-type]


def test_the_axes_can_follow_the_trials_whatever_the_paper_has(tmp_path: Path) -> None:
    """AdaGrad's curve of the paper begins at 1.5."""
    for name in ("adam", "adagrad"):
        for seed, cost in enumerate((0.3, 0.31)):
            costs = np.linspace(cost, 0.25, 10).tolist()
            put(tmp_path / "paper", costs, optimizer__name=name, seed=seed)
            put(
                tmp_path / "other",
                costs,
                optimizer__name=name,
                seed=seed,
                task__data={"name": "other"},
            )
    frames = [adam_repro.load(tmp_path / place) for place in ("paper", "other")]
    beside, alone = (draw(frame, paper_widens=False)[0] for frame in frames)
    assert len(with_style(beside.axes[0], ":")) == 2
    assert beside.axes[0].get_ylim() == alone.axes[0].get_ylim()
    assert draw(frames[0])[0].axes[0].get_ylim()[1] > 1.5
    said = [[text.get_text() for text in drawing.texts] for drawing in (beside, alone)]
    assert [any("curves may leave them" in text for text in texts) for texts in said] == [
        True,
        False,
    ]


def test_dotted_lines_are_named_as_the_papers(axes: Axes, tmp_path: Path) -> None:
    for name in ("adam", "adagrad"):
        put(tmp_path, optimizer__name=name)
    frame = adam_repro.load(tmp_path)
    adam_repro.plot(frame, ax=axes)
    several = "dotted, hollow: the paper’s, in the colour of its optimizer"
    assert several in labels(axes)
    drawing, _ = draw(frame)
    assert several in [text.get_text() for text in drawing.legends[0].get_texts()]
    put(tmp_path, optimizer__lr=0.5)  # two lines share one curve of the paper, which is black then
    other = Figure().subplots()
    adam_repro.plot(adam_repro.load(tmp_path), ax=other)
    assert "dotted, hollow: the paper" in labels(other)
