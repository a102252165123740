"""The tables of claims beside a second working-out of them, digit by digit."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.claims.referee import (
    CLAIMS,
    MEASURES,
    RESULTS,
    Comparison,
    MissingError,
    best_trial,
    correct,
    is_shown,
    judge,
    judged,
    pairs_of,
    pieces_of,
    printed,
    row_of,
    rows_of,
    spec_of,
    uncorrected,
)

IDS = [claim["id"] for claim in CLAIMS if is_shown(claim)]
INTERVAL = re.compile(r"(?:× )?[-+.\de]+ \[[-+.\de]+, [-+.\de]+\]")


def test_every_claim_is_one_row() -> None:
    assert len(printed()) == len(IDS) == len(set(IDS))


@pytest.mark.parametrize("name", IDS)
def test_the_verdict_is_the_one_printed(name: str) -> None:
    one = judged()[name]
    assert one.verdict == row_of(one.claim)[0]


@pytest.mark.parametrize("name", IDS)
def test_effects_and_intervals_are_those_printed(name: str) -> None:
    one, effect = judged()[name], row_of(judged()[name].claim)[1]
    if not one.compared:
        assert one.text == effect or (one.text != "–" and effect.startswith(one.text))
    elif len(one.compared) <= 8:
        assert INTERVAL.findall(effect) == [str(each) for each in one.compared]
    else:
        count = Counter(each.shows for each in one.compared)
        words = (
            f"{len(one.compared)} comparisons: {count[1]} for, {count[-1]} against, {count[0]} open"
        )
        assert effect.startswith(words)
        assert INTERVAL.findall(effect) == [str(min(one.compared, key=lambda each: each.slack))]


@pytest.mark.parametrize("name", IDS)
def test_n_and_p_are_those_printed(name: str) -> None:
    one, test = judged()[name], row_of(judged()[name].claim)[3]
    told = re.search(
        r"(?:t over|one trial against) (\d+) (seed|size|difference)s?(?:: a prediction interval)?"
        r"(?:, p = (\d[-.\de]*\d|\d))?",
        test,
    )
    if np.isnan(one.p):
        assert told is None
        return
    assert told is not None
    assert int(told[1]) == min(len(each.values) for each in one.compared)
    assert told[2] == one.compared[0].sample
    assert (told[3] is None) == (one.p == 1)
    if told[3]:
        assert float(told[3]) == pytest.approx(one.p, rel=0.05)
        assert told[3] == f"{one.p:.2g}"


def is_tuned(piece: dict[str, Any]) -> bool:
    """Whether tuned series are compared."""
    compares = piece["measure"] in ("lower", "similar", "wall_time", "gap_wider", "lower_than_in")
    return compares and piece.get("reading", "tuned") == "tuned"


def trials_of(figure: str, panel: str, series: str) -> int:
    """How many settings of a series the first seed tried."""
    rows = rows_of(figure)
    mine = rows[
        (rows["reading"] == "dense_grid") & (rows["series"] == series) & (rows["seed"] == 0)
    ]
    if panel in set(mine["panel"]):
        mine = mine[mine["panel"] == panel]
    return len(mine[["lr", "grid"]].drop_duplicates())


@pytest.mark.parametrize("name", IDS)
def test_the_tuning_is_told_for_every_figure(name: str) -> None:
    one, test = judged()[name], row_of(judged()[name].claim)[3]
    told = re.search(r"tuned with (.*?) trials\b([^.]*)\.", test)
    figures: dict[str, dict[str, int]] = {}
    for piece in pieces_of(one.claim):
        if one.compared and is_tuned(piece):
            for i in (0, 1):
                figure = piece.get("other", piece["figure"]) if i else piece["figure"]
                place = (figure, piece.get("panel", ""))
                labels = [pair[i] for pair in pairs_of(piece)]
                counts = {label: trials_of(*place, label) for label in labels}
                figures.setdefault(figure, {}).update(counts)
    if not figures:
        assert told is None
        return
    assert told is not None
    texts = {figure: _counts_in_words(counts) for figure, counts in figures.items()}
    if len(set(texts.values())) == 1:
        expected = f"tuned with {next(iter(texts.values()))} trials."
    else:
        parts = [f"{text} trials in {figure}" for figure, text in texts.items()]
        expected = f"tuned with {'; '.join(parts)}."
    assert expected in test


def _counts_in_words(counts: dict[str, int]) -> str:
    if len(set(counts.values())) == 1:
        return str(next(iter(counts.values())))
    return ", ".join(f"{count} ({label})" for label, count in counts.items())


@pytest.mark.parametrize("name", IDS)
def test_fitted_settings_are_those_printed(name: str) -> None:
    one, fitted = judged()[name], row_of(judged()[name].claim)[2]
    compared: list[Comparison] = []
    for piece in pieces_of(one.claim):
        if one.compared and is_tuned(piece):
            try:
                compared += MEASURES[piece["measure"]](piece, "as_printed")
            except MissingError:
                continue
    if not compared:
        assert fitted == "–"
        return
    word = {1: "so", -1: "the contrary", 0: "neither"}[
        min(-1 if each.shows == -1 else each.shows for each in compared)
    ]
    factors = ", ".join(f"× {np.exp(each.estimate[0]):.3g}" for each in compared)
    assert fitted == (f"{word}: {factors}" if len(compared) <= 4 else word)


def test_the_selected_trials_are_the_best_of_their_grids() -> None:
    for path in sorted(RESULTS.glob("*.csv")):
        if path.stem.startswith(("claim_", "theory_")) or spec_of(path.stem).get("kind"):
            continue
        rows = rows_of(path.stem)
        tuned = rows[rows["reading"] == "dense_grid"]
        for (panel, series), mine in tuned.groupby(["panel", "series"]):
            chosen = mine[mine["selected"]][["lr", "grid"]].drop_duplicates()
            assert len(chosen) == 1, (path.stem, panel, series)
            lr, grid = best_trial(path.stem, str(panel), str(series))
            assert chosen["grid"].item() == grid
            assert chosen["lr"].item() == lr or (np.isnan(lr) and chosen["lr"].isna().all())


# What would change a verdict, as the head and the notes of claims.yaml say it


def verdict_with(name: str, **keys: Any) -> str:
    """The verdict of a claim if its evidence had these keys, the other claims being as they are."""
    old = judged()[name].claim
    pieces = [{**piece, **keys} for piece in pieces_of(old)]
    return correct(uncorrected() | {name: judge({**old, "evidence": pieces})})[name].verdict


@pytest.mark.slow
@pytest.mark.parametrize("length", ["5", "20", "a quarter"])
def test_the_length_of_the_end_changes_no_verdict(length: str) -> None:
    found = {}
    for claim in CLAIMS:
        pieces = []
        for piece in pieces_of(claim):
            piece = dict(piece)
            if "windows" in piece and "panel" not in piece and not piece["figure"].startswith("lm"):
                n = rows_of(piece["figure"])["epoch"].max() + 1
                k = n // 4 if length == "a quarter" else int(length)
                windows = [[n - k, None] if w == [n - 10, None] else w for w in piece["windows"]]
                piece["windows"] = windows
            pieces.append(piece)
        if pieces != pieces_of(claim):
            found[claim["id"]] = judge({**claim, "evidence": pieces})
    assert len(found) > 5
    changed = correct(uncorrected() | found)
    assert {name: one.verdict for name, one in changed.items()} == {
        name: one.verdict for name, one in judged().items()
    }


@pytest.mark.parametrize(
    ("name", "margins", "verdict"),
    [
        ("mnist_similar", [0.017, 0.1], "supported"),
        ("imdb_adam_adagrad", [0.003, 0.1], "supported"),
        ("imdb_adam_adagrad_without", [0.0, 0.15], "contradicted"),
        ("sfo_memory", [0.09], "undecided"),
        ("best_stepsize", [0.0, 0.8], "contradicted"),
        ("vae_regardless", [0.0, 20.0], "contradicted"),
        ("vae_equal", [0.4, 2.0], "supported"),
    ],
)
def test_other_margins_do_what_is_said_of_them(
    name: str, margins: list[float], verdict: str
) -> None:
    assert {verdict_with(name, margin=margin) for margin in margins} == {verdict}
