"""What the README points to is there, and what it counts is so."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")


def slug(heading: str) -> str:
    """The anchor that a heading has on the pages of repositories."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "page", ["README.md", "results/search/README.md", "results/benchmark/README.md"]
)
def test_links_lead_somewhere(page: str) -> None:
    here = ROOT / page
    links = [link for link in LINK.findall(here.read_text()) if not link.startswith("https:")]
    assert links
    for link in links:
        name, _, anchor = link.partition("#")
        target = (here.parent / name).resolve() if name else here
        assert target.exists(), link
        if anchor:
            text = target.read_text()
            assert anchor in {slug(head) for head in re.findall(r"^#+ (.*)$", text, re.M)}, link


def test_every_search_is_in_its_table() -> None:
    folder = ROOT / "results" / "search"
    text = (folder / "README.md").read_text()
    named = {name for name in re.findall(r"`(\w+\*?)\.csv`", text)} - {"sweep"}
    for path in folder.glob("*.csv"):
        assert any(re.fullmatch(name.replace("*", r"\w+"), path.stem) for name in named), path
    for name in named:
        assert list(folder.glob(f"{name}.csv")), name


def test_the_verdicts_are_counted_as_the_table_has_them() -> None:
    summary = (ROOT / "results" / "paper" / "README.md").read_text()
    claims = summary.split("## The claims of the paper", 1)[1].split("\n## ", 1)[0]
    rows = [line.split(" | ") for line in claims.splitlines() if re.match(r"\| \d", line)]
    counts = Counter(row[2] for row in rows)
    told = re.sub(r"\s+", " ", (ROOT / "README.md").read_text())
    assert (
        f"of {len(rows)} claims of the paper they support {counts['supported']}, contradict "
        f"{counts['contradicted']} and leave {counts['undecided']} undecided"
    ) in told
