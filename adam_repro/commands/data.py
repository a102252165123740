"""``adam-repro data list | fetch | verify``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from adam_repro.data import manage
from adam_repro.errors import UserError
from adam_repro.wording import suggestion

VERBS = ("list", "fetch", "verify")


def main(arguments: Sequence[str]) -> int:
    """List, fetch or verify; the status is 0, or 2 when a data set is missing or damaged.

    Raises:
        UserError: for an unknown verb or data set.
    """
    verb, *names = arguments
    if verb not in VERBS:
        near = suggestion(verb, VERBS)
        raise UserError(f"there is no {verb!r}; use list, fetch or verify{near}")
    states = manage.states()
    for name in names:
        manage.source_of(name)  # reject every unknown name before anything is fetched
    if verb == "list":
        if names:
            raise UserError(f"list takes no names, got {' '.join(names)}")
        rows = {name: (state, manage.source_of(name).description) for name, state in states.items()}
        rows |= manage.without_source()
        width = max(34, *(len(state) + 2 for state, _ in rows.values()))
        for name, (state, description) in rows.items():
            print(f"{name:<17}{state:<{width}}{description}")
        return 0
    if verb == "fetch":
        return _for_each(_fetch, names or list(states))
    here = [name for name, state in states.items() if state != manage.NOT_FETCHED]
    if not names and not here:
        print("nothing is here yet; `adam-repro data fetch` gets the data sets")
    return _for_each(_verify, names or here)


def _for_each(action: Callable[[str], str], names: Sequence[str]) -> int:
    """Print the result of each action; go on after a failure, and return status 2 for it."""
    status = 0
    for name in names:
        try:
            print(action(name))
        except UserError as error:
            print(error, file=sys.stderr)
            status = 2
    return status


def _fetch(name: str) -> str:
    cached = manage.fetch(name)
    return f"{name}: {cached.path} ({cached.header['origin']})"


def _verify(name: str) -> str:
    return f"{name}: good: {', '.join(manage.verify(name))}"
