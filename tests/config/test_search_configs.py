"""The searches behind the settings: every point of every grid is a trial the program would train."""

from __future__ import annotations

from itertools import product

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from adam_repro.config.compose import from_hydra
from adam_repro.files import config_folder
from adam_repro.runs.check import check

NAMES = sorted(path.stem for path in (config_folder() / "search").glob("*.yaml"))


def test_there_are_searches_for_the_figures_of_sections_61_and_62() -> None:
    assert {name.split("_")[0] for name in NAMES} >= {"logreg", "imdb", "mlp"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_end_of_a_grid_is_a_trial(name: str) -> None:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        whole = compose("config", [f"+search={name}"], return_hydra_config=True)
        params = dict(whole.hydra.sweeper.params)
        assert params, "a search has a grid"
        assert str(whole.hydra.sweep.dir).endswith(f"search/{name}")
        parser = OverridesParser.create()
        ends = []
        for key, values in params.items():
            override = parser.parse_override(f"{key}={values}")
            choices = list(override.sweep_string_iterator())
            assert len(choices) > 1, f"{key}: one value is no search"
            assert len(set(choices)) == len(choices)
            ends.append([f"{key}={choice}" for choice in (choices[0], choices[-1])])
        identities = set()
        for point in product(*ends):
            (trial,) = from_hydra(compose("config", [f"+search={name}", *point]))[:1]
            check(trial)
            identities.add(trial.identity)
    assert len(identities) == 2 ** len(ends)
