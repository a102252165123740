"""The effects of tuned trials in the figures' discussions are those of the test: without the tuning seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.claims.referee import INFINITY, ROOT, Comparison, best_trial, costs_of, in_window, said

EVERY = (0.0, INFINITY)
LAST_TEN = (191.0, INFINITY)


def discussed(figure: str) -> str:
    return said(f"results/paper/{figure}.md")


def compared(
    figure: str, first: str, second: str, window: tuple[float, float] = EVERY
) -> Comparison:
    """The ratio of two costs, as the claims have it: the mean of its logarithm over a window, by seed."""
    a, b = (costs_of(figure, "dense_grid", name) for name in (first, second))
    return Comparison(
        np.log(in_window(a, window) / in_window(b, window)).mean(axis=1).to_numpy(), 0, 0
    )


def percents(one: Comparison, digits: int = 0, sign: int = 1) -> list[str]:
    """By how much per cent the first is above (below, for ``sign`` -1): the mean and its interval."""
    mean, (low, high) = one.estimate[0], one.interval
    ends = (low, high) if sign > 0 else (high, low)
    return [f"{100 * sign * np.expm1(value):.{digits}f}" for value in (mean, *ends)]


def end(figure: str, name: str, quantity: str = "train_cost", x: int = -1) -> float:
    return float(costs_of(figure, "dense_grid", name, "", quantity).mean().iloc[x])


def errors(figure: str, *names: str) -> list[str]:
    return [f"{100 * end(figure, name, 'test_error'):.1f}" for name in names]


def last_x_above(figure: str, first: str, second: str) -> int:
    a, b = (costs_of(figure, "dense_grid", name).mean() for name in (first, second))
    return int(a.index[a >= b].max())


def test_figure_1_on_imdb() -> None:
    last = (175.0, INFINITY)
    level = percents(compared("fig1_imdb", "Adam+dropout", "Adagrad+dropout", last), 2)
    above = percents(compared("fig1_imdb", "RMSProp+dropout", "Adagrad+dropout", last), 1)[0]
    text = discussed("fig1_imdb")
    assert f"Adam and Adagrad are level ({level[0]} % [{level[1]}, +{level[2]}])" in text
    assert f"is {above} % above Adagrad" in text


@pytest.mark.slow
def test_figure_2a_over_200_passes() -> None:
    text, others = discussed("fig2a"), ("AdaGrad", "AdaDelta", "SGDNesterov", "RMSProp")
    below = [percents(compared("fig2a", "Adam", name, LAST_TEN), sign=-1)[0] for name in others]
    assert f"by {', '.join(below[:3])} and {below[3]} %" in text
    for name, shown in zip(("Adam", *others), ("at", "with", "with", "with", "with"), strict=True):
        assert f"{shown} {end('fig2a', name):.4f}" in text
    for name in ("AdaGrad", "AdaDelta"):
        mean, low, high = percents(compared("fig2a", "Adam", name))
        assert f"{name}, by {mean} % [{low}, {high}]" in text
        at_200 = compared("fig2a", "Adam", name, (200.0, INFINITY))
        assert at_200.shows == 0 or at_200.interval[0] < 0 < at_200.interval[1]
    twice = compared("fig2a", "Adam", "AdaGrad", (0.0, 9.0)).estimate[0]
    assert np.exp(twice) == pytest.approx(2, abs=0.1)
    assert f"for good only from x = {last_x_above('fig2a', 'Adam', 'AdaGrad') + 1} on" in text
    told = errors("fig2a", "Adam", *others)
    assert min(told) == "1.2"
    assert max(told) == "1.3"
    shown = [100 * end("fig2a", name, "test_error") for name in ("Adam", *others)]
    assert f"end between {min(shown):.2f} and {max(shown):.2f} %" in text


def test_figure_2a_over_ten_passes() -> None:
    text = discussed("fig2a_grid")
    two = [
        percents(compared("fig2a_grid", name, "Adam"))[0] for name in ("SGDNesterov", "AdaDelta")
    ]
    assert f"by {two[0]} % and {two[1]} %" in text
    level = percents(compared("fig2a_grid", "AdaGrad", "Adam"), 1)
    assert f"({level[0]} % [{level[1]}, +{level[2]}] above it)" in text
    below = percents(compared("fig2a_grid", "RMSProp", "Adam"), 1, -1)[0]
    assert f"RMSProp's is {below} % below" in text
    ten = (10.0, INFINITY)
    for name in ("AdaGrad", "RMSProp"):
        mean, low, high = percents(compared("fig2a_grid", "Adam", name, ten), sign=-1)
        assert f"{mean} % [{low}, {high}]" in text
    first = [last_x_above("fig2a_grid", "Adam", name) + 1 for name in ("AdaGrad", "RMSProp")]
    assert f"AdaGrad's from x = {first[0]} on and below RMSProp's from x = {first[1]}" in text


def test_figure_3_over_46_passes() -> None:
    text = discussed("fig3")
    mean, low, high = percents(compared("fig3", "Adam", "SGDNesterov"))
    assert (
        f"Adam without dropout is {mean} % above Nesterov in the geometric mean ([{low}, {high}])"
        in text
    )
    before = compared("fig3", "Adam", "SGDNesterov", (0.0, 40.0))
    shown = percents(before)
    assert f"it is {shown[0][1:]} % below, undecided ([{shown[1]}, +{shown[2]}])" in text
    pair = ("Adam+dropout", "SGDNesterov+dropout")
    whole, last = (
        np.exp(compared("fig3", *pair, window).estimate[0]) for window in (EVERY, (45.0, INFINITY))
    )
    assert f"it is at {whole:.2f} of Nesterov's cost, and at {last:.2f} at x = 45" in text
    later = (5.0, INFINITY)
    factors = [
        np.exp(compared("fig3", "AdaGrad", name, later).estimate[0])
        for name in ("Adam", "SGDNesterov")
    ]
    assert f"by factors of {factors[0]:.1f} and {factors[1]:.1f} over x = 5 to 45" in text
    assert f"The end is {end('fig3', 'AdaGrad'):.3f}" in text
    assert f"It ends at {end('fig3', 'AdaGrad+dropout'):.2f}, a fifth of" in text
    two = [end("fig3", name) for name in ("SGDNesterov+dropout", "Adam+dropout")]
    assert f"Nesterov ({two[0]:.3f}) and Adam ({two[1]:.3f})" in text
    for ending, words in (("", "the test errors are"), ("+dropout", "with dropout")):
        a, b, c = errors("fig3", *(name + ending for name in ("Adam", "SGDNesterov", "AdaGrad")))
        assert f"{words} {a}, {b} and {c} %" in text


def test_figure_3_over_three_passes() -> None:
    text, names = discussed("fig3_grid"), ("Adam", "SGDNesterov", "AdaGrad")
    a, b, c = (f"{end('fig3_grid', name):.2f}" for name in names)
    assert (
        f"Adam at {a} (the paper's 0.63), Nesterov at {b} (0.76) and AdaGrad at {c} (1.22)" in text
    )
    a, b, c = (f"{end('fig3_grid', name + '+dropout'):.2f}" for name in names)
    assert f"with dropout {a} (0.70), {b} (0.92) and {c} (1.49)" in text
    first = [
        percents(compared("fig3_grid", name + ending, f"SGDNesterov{ending}", (0.0, 1.0)), sign=-1)[
            0
        ]
        for ending in ("", "+dropout")
        for name in ("Adam", "AdaGrad")
    ]
    assert (
        f"(by {first[0]} % and {first[1]} %; with dropout by {first[2]} % and {first[3]} %)" in text
    )
    last = (3.0, INFINITY)
    a, b, c = (percents(compared("fig3_grid", f"{name}+dropout", name, last))[0] for name in names)
    assert f"by {a} % (Adam), {b} % (Nesterov) and {c} % (AdaGrad)" in text
    with_it = errors("fig3_grid", *(f"{name}+dropout" for name in names))
    without = errors("fig3_grid", *names)
    assert f"{with_it[0]} % with it and {without[0]} % without (Adam)" in text
    assert f"{with_it[2]} and {without[2]} % (AdaGrad)" in text
    assert f"{with_it[1]} and {without[1]} % (Nesterov)" in text


def test_imdb_without_dropout() -> None:
    text, figure = discussed("imdb_without_dropout"), "imdb_without_dropout"
    assert np.exp(compared(figure, "Adagrad", "SGDNesterov").estimate[0]) < 0.5
    assert "less than half of SGD's" in text
    start = np.exp(compared(figure, "Adagrad", "SGDNesterov", (0.0, 49.0)).estimate[0])
    assert start == pytest.approx(1 / 20, abs=0.005)  # "a twentieth of SGD's"
    mean, low, high = percents(compared(figure, "Adagrad", "SGDNesterov", (50.0, INFINITY)))
    assert f"it is higher, by {mean} % [{low}, {high}]" in text
    assert f"starts at a cost of {end(figure, 'SGDNesterov', x=0):.0f}" in text
    a, b = (costs_of(figure, "dense_grid", name).mean() for name in ("Adagrad", "SGDNesterov"))
    assert f"first time at x = {(a > b).idxmax()}" in text
    assert f"every pass from {a.index[a <= b].max() + 1} on" in text


def test_the_logits_of_figure_4() -> None:
    rows = pd.read_csv(ROOT / "results/search/vae_logits.csv")
    lost, kept = rows[rows["diverged"]], rows[~rows["diverged"]]
    text = discussed("fig4")
    assert f"of all {len(rows)} runs" in text
    assert (lost["smallest"] < -104).all()
    assert f"of the {len(lost)} that it lost" in text
    passed = kept[kept["smallest"] < -104]
    assert len(passed) == 6
    assert (passed["beta1"] == 0.9).all()
    assert passed["beta2"].min() == 0.999
    rest = kept["smallest"][kept["smallest"] > -104]
    assert f"The other {len(rest)} stay above {np.floor(rest.min()):.0f}" in text
    above = [int((part["largest"] > 17).sum()) for part in (lost, kept)]
    assert above == [10, 3]
    assert "in 10 of the 12 and in three of the others" in text


def test_noise() -> None:
    text = discussed("noise")

    def ratio(panel: str) -> Comparison:
        a, b = (costs_of("noise", "dense_grid", name, panel) for name in ("Adam", "SGDNesterov"))
        return Comparison(np.log(a / b).mean(axis=1).to_numpy(), 0, 0)

    for panel in ("batch_8", "batch_64"):
        one = ratio(panel)
        mean, low, high = np.exp([one.estimate[0], *one.interval])
        assert f"× {mean:.2f} [{low:.2f}, {high:.2f}]" in text
    assert f"with 512 SGD is {100 * np.expm1(ratio('batch_512').estimate[0]):.0f} % ahead" in text
    for panel in ("batch_4096", "batch_full"):
        assert -100 * np.expm1(ratio(panel).estimate[0]) == pytest.approx(7, abs=0.5)
        assert best_trial("noise", panel, "SGDNesterov")[0] == 1.0  # the last of its grid
    ends = [
        costs_of("noise", "dense_grid", name, "batch_8").iloc[:, -1].mean()
        for name in ("AdaGrad", "Adam", "SGDNesterov")
    ]
    assert f"{ends[0]:.3f} beside {ends[1]:.3f} (Adam) and {ends[2]:.3f}" in text


def test_adam_without_corrections_on_figure_2b() -> None:
    rows = pd.read_csv(ROOT / "results/search/mlp_deterministic_uncorrected.csv")
    ratio = rows["eval_train_cost"] / rows["paper_undivided"]
    early, late = ratio[rows["passes"] <= 4], ratio[rows["passes"] >= 8]
    told = f"at {early.min():.1f} to {early.max():.1f} of it in the first four passes"
    text = discussed("fig2b")
    assert f"{told} and at {late.min():.0f} to {late.max():.0f} times it from the eighth" in text
    assert rows["passes"].max() == 15
    assert set(rows["lr"]) == {2e-4, 4e-4}


def test_default_stepsizes() -> None:
    text = discussed("defaults")
    assert best_trial("defaults", "logreg", "Adam")[0] == 0.001
    found = {}
    for panel in ("logreg", "imdb"):
        for name in ("Adam", "AdaMax"):
            a, b = (
                costs_of("defaults", "dense_grid", label, panel).iloc[:, -1]
                for label in (f"{name}, default lr", name)
            )
            found[panel, name] = f"{100 * np.expm1(np.log(a / b).mean()):.1f} %"
    assert f"it ends {found['imdb', 'Adam']} above the best" in text
    told = f"{found['logreg', 'AdaMax']} above its best on MNIST and {found['imdb', 'AdaMax']}"
    assert told in text
