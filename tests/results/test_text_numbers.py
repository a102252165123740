"""The numbers that results/text/README.md gives are those of its trials."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "results" / "text"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
]


def measured(name: str) -> float:
    rows = pd.read_csv(FOLDER / name / "metrics.csv")
    if name == "brown":  # stopped early, by the validation text
        return float(rows.loc[rows["validation_perplexity"].idxmin(), "perplexity"])
    if name == "wikitext2":
        return float(rows.loc[0, "validation_perplexity"])
    return float(rows["bleu_beam"].iloc[-1])


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_number_is_that_of_its_trial(row: list[str]) -> None:
    name = row[0].strip("`")
    published, ours = float(row[1].split()[-1]), measured(name)
    assert row[2] == f"{ours:.1f}"
    assert row[3] == f"{100 * (ours / published - 1):+.1f} %"


def test_every_folder_has_its_row_and_its_settings() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == {row[0].strip("`") for row in ROWS}
    for name in folders:
        record = yaml.safe_load((FOLDER / name / "trial.yaml").read_text(encoding="utf-8"))
        assert {"hardware", "torch", "commit", "date"} <= record["provenance"].keys()
