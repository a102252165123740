"""Whether a claim speaks of what there is: figures, series, panels, epochs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from adam_repro.claims.model import Claim, Evidence, Source
from adam_repro.config.validate import Choice, check
from adam_repro.errors import UserError
from adam_repro.figures import load
from adam_repro.figures.spec import Figure


def check_ids(claims: Sequence[Claim]) -> None:
    """Refuse an id that stands twice.

    Raises:
        UserError: naming it.
    """
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise UserError(
                f"claims.yaml: {claim.id}: stands twice; each claim has an id of its own"
            )
        seen.add(claim.id)


def check_figures(piece: Evidence) -> None:
    """Refuse a figure that does not exist. Only a measure of trials has one.

    Raises:
        UserError: naming the key, its value and the legal ones.
    """
    if piece.measure.source is Source.TRIALS:
        for key, name in (("figure", piece.figure), ("other", piece.other)):
            if name or key == "figure":
                check(key, name, Choice(*load.names()))


def check_names(piece: Evidence, figures: Mapping[str, Figure]) -> None:
    """Refuse series, panels and windows that the figures of a piece of evidence do not have.

    ``figures``: by name, those that are drawn; of others nothing is checked.

    Raises:
        UserError: naming the claim, the key, its value and the legal ones.
    """
    figure = figures.get(piece.figure)
    if piece.measure.source is not Source.TRIALS or figure is None:
        return
    other = figures.get(piece.other or piece.figure)
    firsts = [piece.series, *(first for first, _ in piece.pairs)]
    seconds = [*piece.versus, *(second for _, second in piece.pairs)]
    try:
        _check_all("series", firsts, [one.label for one in figure.series])
        if other is not None:
            _check_all("versus", seconds, [one.label for one in other.series])
        panels = [one.name for one in figure.panels]
        _check_all("panel", [piece.panel], panels)
        if piece.panels != "all":
            _check_all("panels", piece.panels, panels)
        _check_windows(piece, figure)
    except UserError as error:
        raise UserError(f"claims.yaml: {piece.claim}: {error}") from None


def _check_all(key: str, names: Iterable[str], legal: Sequence[str]) -> None:
    for name in names:
        if name:
            check(key, name, Choice(*legal))


def _check_windows(piece: Evidence, figure: Figure) -> None:
    scale = figure.scales["paper"]
    epochs = max(scale.epochs_of(task) for _, task, _ in figure.panel_tasks)
    for first, last in piece.windows:
        if (first or 0) > (epochs - 1 if last is None else last) or (first or 0) >= epochs:
            raise UserError(
                f"windows: [{first}, {last}]: must be [first, last] with epochs from 0 to {epochs - 1}"
            )
