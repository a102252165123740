"""Every number that README.md, the findings and the notes of the claims print, recomputed from the rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from tests.claims.referee import (
    CLAIMS,
    INFINITY,
    Comparison,
    best_losses,
    costs_of,
    drawn_costs,
    factor,
    judged,
    losses,
    measure_ratios,
    paper_points,
    percent,
    rows_of,
    said,
    spec_of,
)


@pytest.mark.slow
def test_the_number_of_verdicts() -> None:
    count = Counter(
        one.verdict for one in judged().values() if one.claim.get("table", "paper") == "paper"
    )
    assert (
        f"of {count.total()} claims of the paper they support {count['supported']}, contradict "
        f"{count['contradicted']} and leave {count['undecided']} undecided"
    ) in said("README.md")


def test_what_is_said_of_figure_1() -> None:
    ends = [
        costs_of("fig1_mnist", "dense_grid", n).iloc[:, -1]
        for n in ("Adam", "AdaGrad", "SGDNesterov")
    ]
    assert max(float(a.mean() / b.mean()) for a in ends for b in ends) < 1.02
    assert min(ends, key=lambda end: end.mean()) is ends[1]
    rows = rows_of("fig1_mnist")
    grid = rows[(rows["series"] == "AdaGrad") & (rows["reading"] == "dense_grid")]
    constant = grid[(grid["seed"] == 0) & (grid["grid"] == "schedule=constant")]
    best = constant.loc[constant["train_cost"].idxmin(), "lr"]
    fitted = rows.loc[
        (rows["series"] == "AdaGrad") & (rows["reading"] == "as_printed"), "lr"
    ].unique()
    told = f"1/{best / fitted.item():.0f} of the best constant"
    piece = next(claim for claim in CLAIMS if claim["id"] == "imdb_adagrad_sgd")
    before = next(measure_ratios(piece, "as_printed")).estimate[0]
    shrinks = f"{percent(np.exp(before))} % to {percent(factor('imdb_adagrad_sgd'))} %"
    for page in ("README.md", "results/paper/findings.md"):
        assert told in said(page)
        assert (
            f"end within 2 % of each other. {'The' if page == 'README.md' else 'AdaGrad'}"
            in said(page)
        )
        assert f"shrinks from {shrinks}" in said(page)


def test_what_is_said_of_figure_2() -> None:
    adam, others = costs_of("fig2a", "dense_grid", "Adam"), {}
    for name in ("AdaGrad", "AdaDelta", "RMSProp", "SGDNesterov"):
        others[name] = costs_of("fig2a", "dense_grid", name)
    above = {
        name: np.exp(np.log(other / adam).iloc[:, -10:].mean().mean())
        for name, other in others.items()
    }
    assert min(above.values()) > 1
    assert f"over the last ten passes AdaGrad is {percent(above['AdaGrad'])} % above it" in said(
        "README.md"
    )
    findings = said("results/paper/findings.md")
    assert (
        f"is {percent(above['AdaGrad'])} % above it, and AdaDelta {percent(above['AdaDelta'])} %"
        in findings
    )
    whole = np.exp(np.log(others["AdaGrad"] / adam).mean().mean())
    assert f"Over all passes AdaGrad's cost is {percent(whole)} % below Adam's" in findings
    ten = [costs_of("fig2a_grid", "dense_grid", name) for name in ("RMSProp", "Adam")]
    below = 1 - np.exp(np.log(ten[0] / ten[1]).mean().mean())
    assert f"RMSProp is {100 * below:.1f} % below" in findings
    note = judged()["mlp_adam_best"].claim["note"]
    first = int((adam.mean() < others["AdaGrad"].mean()).idxmax())
    behind = pd.concat([other.mean() <= adam.mean() for other in others.values()], axis=1).any(
        axis=1
    )
    last_behind = behind[behind].index.max()
    assert (
        f"above AdaGrad's up to x = {first - 1}, and below all four from x = {last_behind + 1} on"
        in note
    )
    adam, sfo = (costs_of("fig2b", "dense_grid", name).iloc[:, -1] for name in ("Adam", "SFO"))
    last = Comparison(np.log(adam / sfo).to_numpy(), -INFINITY, 0.0)
    mean, (low, high) = last.estimate[0], last.interval
    told = f"(× {np.exp(mean):.2f} [{np.exp(low):.2f}, {np.exp(high):.1f}])"
    assert told in judged()["sfo_iterations"].claim["note"]


def test_what_is_said_of_figure_3() -> None:
    for dropout, sign in (("", 1), ("+dropout", -1)):
        pair = [
            costs_of("fig3", "dense_grid", name + dropout).iloc[:, -1]
            for name in ("Adam", "SGDNesterov")
        ]
        ratio = Comparison(sign * np.log(pair[0] / pair[1]).to_numpy(), 0.0, INFINITY)
        assert ratio.shows == 1
    end = drawn_costs("fig3", "dense_grid", "AdaGrad").iloc[:, -1].mean()
    paper = paper_points("fig3_right", series="AdaGrad").set_index("x")["y"]
    assert 45 < paper[paper.index.to_series().between(44.9, 45.1)].item() / end < 55  # "at 1/50 of"
    lines = [
        drawn_costs("fig3_falling", "as_printed", name + "+dropout").mean()
        for name in ("Adam", "SGDNesterov")
    ]
    below = lines[0] < lines[1]
    findings = said("results/paper/findings.md")
    above = (int((~below).idxmax()), int(below[below].index.max()) + 1)
    told = f"below Nesterov's up to x = {above[0] - 1}, and above it from x = {above[1]} on"
    assert told in findings


def test_what_is_said_of_figure_4() -> None:
    costs = {}
    for figure, mark, panels in (("fig4_first", 10, "epochs10_"), ("fig4", 100, "epochs100_")):
        best = [
            (
                best_losses(losses(figure, f"{panels}beta1={beta1}_beta2=0.9999", False))
                - best_losses(losses(figure, f"{panels}beta1={beta1}_beta2=0.9999", True))
            ).mean()
            for beta1 in ("0", "0.9")
        ]
        costs[mark] = (min(best), max(best))
    ten = f"omitting the bias correction costs {costs[10][0]:.0f} to {costs[10][1]:.0f} nats"
    findings = said("results/paper/findings.md")
    assert ten in said("README.md")
    assert ten in findings
    assert f"and {costs[100][0]:.1f} to {costs[100][1]:.0f} after 100" in findings
    cells = judged()["vae_regardless"].compared
    against = [one for one in cells if one.shows == -1]
    told = f"gains over a nat in {len(against)} of {len(cells)} settings"
    assert told in said("README.md")
    most = -min(one.estimate[0] for one in against)
    assert (
        f"{told} after ten epochs, up to {most:.0f} nats, all at stepsizes of 3e-4 or less"
        in findings
    )
    small = 0
    for panel in spec_of("fig4_first")["panels"]:
        pair = [losses("fig4_first", panel["name"], corrected) for corrected in (False, True)]
        for lr in pair[0].columns:
            values = (pair[0][lr] - pair[1][lr]).dropna().to_numpy()
            if (
                np.ptp(values) > 0
                and Comparison(values, -1.0, INFINITY, is_ratio=False).shows == -1
            ):
                small += lr <= 3e-4
    assert small == len(against)
    assert (
        "The ten that are against it have stepsizes of 3e-4 or less"
        in judged()["vae_regardless"].claim["note"]
    )
    for one in judged()["vae_equal"].compared:
        assert one.interval[0] > -1
    overall = judged()["vae_best"]
    assert overall.verdict == "undecided"
    assert f"gains {-overall.compared[1].estimate[0]:.1f} at the overall best setting" in findings
    paper = paper_points("fig4_all").assign(x=lambda points: points["x"].round(2))
    both = paper.groupby(["panel", "x", "series"])["y"].min().unstack().dropna()
    lower = (both["no_bias_correction"] - both["bias_correction"] < -1).sum()
    assert f"by over a nat in {lower} of {len(both)}" in judged()["vae_regardless"].claim["note"]


def test_what_is_said_of_the_averages() -> None:
    mean, exponential = factor("averaging_mlp", 0), factor("averaging_mlp", 1)
    assert f"by {percent(exponential)} and {percent(mean)} %" in said("README.md")
    assert f"by {percent(exponential)} % (exponential) and {percent(mean)} %" in said(
        "results/paper/findings.md"
    )
    place = ("averaging", "as_printed")
    for quantity in ("test_error", "test_cost"):
        last, *rest = (
            drawn_costs(*place, name, quantity, "mlp")
            for name in ("last iterate", "Polyak–Ruppert", "exponential")
        )
        if quantity == "test_error":
            for one in rest:
                values = np.log(one.iloc[:, -1] / last.iloc[:, -1]).to_numpy()
                assert Comparison(values, -INFINITY, 0.0).shows <= 0
        else:
            best = last.mean().min()
            lower, higher = (one.iloc[:, -1].mean() / best for one in rest)
            told = f"{100 - 100 * lower:.1f} % lower and the exponential average {percent(higher)} % higher"
            assert told in " ".join(judged()["averaging_mlp"].claim["note"].split())


def test_what_is_said_of_rare_words_and_classes() -> None:
    slopes = [judged()[name].compared[0] for name in ("bigram_gd", "bigram_adam")]
    (sizes,) = {tuple(one.sizes) for one in slopes if one.sizes is not None}
    assert (min(sizes), max(sizes)) == (256, 4096)
    first, second = (f"{one.estimate[0]:.2f}th" for one in slopes)
    told = f"steps as the {first} power of their number, Adam as the {second}"
    assert f"from 256 to 4,096 words, gradient descent needs {told}" in said("README.md")
    panels = ("largest", "middle", "rarest")
    for name in ("GD", "GD with momentum"):
        gaps = [
            (
                costs_of("rare_classes", "dense_grid", name, panel)
                - costs_of("rare_classes", "dense_grid", "Adam", panel)
            )
            .to_numpy()
            .mean()
            for panel in panels
        ]
        assert gaps == sorted(gaps)
        costs = [costs_of("rare_classes", "dense_grid", one) for one in ("Adam", name)]
        ratio = np.exp(np.log(costs[0] / costs[1]).loc[:, :10].mean().mean())
        assert ratio == pytest.approx(1.3, abs=0.05)  # "by 30 %"


@pytest.mark.parametrize(
    ("figure", "curve", "medians"),
    [
        ("fig1_mnist", "fig1_left", {"AdaGrad": 0.7, "SGDNesterov": 0.8, "Adam": 0.6}),
        (
            "fig1_imdb",
            "fig1_right",
            {
                "Adagrad+dropout": 0.6,
                "RMSProp+dropout": 1.5,
                "SGDNesterov+dropout": 2.7,
                "Adam+dropout": 1.1,
            },
        ),
        ("fig2a", "fig2_a", {"Adam": 6, "AdaGrad": 18}),
        (
            "fig3_falling",
            "fig3_right",
            {"SGDNesterov": 25, "SGDNesterov+dropout": 27, "Adam+dropout": 10},
        ),
    ],
)
def test_the_differences_from_the_papers_curves(
    figure: str, curve: str, medians: dict[str, float]
) -> None:
    for name, told in medians.items():
        paper = paper_points(curve, series=name)
        ours = drawn_costs(figure, "as_printed", name).mean()
        ours = ours[ours.index >= paper["x"].min() - 0.01]
        off = 100 * (ours / np.interp(ours.index, paper["x"], paper["y"]) - 1).abs()
        assert off.median() == pytest.approx(told, abs=0.06 if told < 5 else 0.6), name
