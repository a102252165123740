"""constraints.txt pins what pyproject.toml asks for, and every pin has hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pins() -> dict[str, list[str]]:
    """The versions of each package, by its name; there may be one for older Pythons and one for newer."""
    found: dict[str, list[str]] = {}
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[a-z])", text)[1:]:
        head, *hashes = block.replace("\\\n", "\n").split("\n    ")
        assert hashes, head
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}\s*", one) for one in hashes), head
        requirement = Requirement(head.strip())
        (version,) = (one.version for one in requirement.specifier)
        found.setdefault(canonicalize_name(requirement.name), []).append(version)
    return found


def test_every_requirement_is_pinned_to_a_release_that_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    rare = ("bench", "mlflow", "wandb")  # which no test needs, or is skipped without
    installed = [extras[name] for name in extras if name not in rare]
    groups = [project["dependencies"], *installed]
    asked = [Requirement(text) for group in groups for text in group]
    own = [one for one in asked if canonicalize_name(one.name) != project["name"]]
    pinned = pins()
    assert len(own) > 20
    for one in own:
        versions = pinned[canonicalize_name(one.name)]
        assert all(one.specifier.contains(version) for version in versions), (one, versions)
