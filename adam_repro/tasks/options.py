"""The options of a task section, and which of them nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adam_repro.wording import suggestion

#: Options of every task, which others than its class read.
SHARED = ("name", "model", "target", "data", "l2", "order", "epoch_examples", "cost_examples")

_asked: dict[tuple[Any, Any], set[str]] = {}


class Options(dict[str, Any]):
    """A ``task`` section that notes the names it was asked for, also those that it has not.

    Who goes through all of it is taken to read all.
    """

    def __init__(self, section: Mapping[str, Any]) -> None:
        super().__init__(section)
        # Shared by the tasks of a class: a stack may be given data that another one has preprocessed.
        self.asked = _asked.setdefault((section.get("model"), section.get("target")), set())

    def plain(self) -> dict[str, Any]:
        """A plain copy, as for a hash: no reading of the options."""
        return dict(super().items())  # dict.copy would go through the methods below

    def unread(self) -> list[str]:
        """A note for each option that nobody has asked for, with the one that may be meant."""
        found = self.plain()
        legal = sorted((self.asked | found.keys()) - set(SHARED))
        return [
            f"task.{name}={value}: nothing reads this option of task={found.get('name')}"
            + suggestion(name, [one for one in legal if one != name], "task.")
            for name, value in found.items()
            if name not in self.asked and name not in SHARED
        ]

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        self.asked.add(name)
        return super().pop(name, *default)

    def _all(self) -> Options:
        self.asked.update(super().keys())
        return self

    def __iter__(self) -> Iterator[str]:
        return super(Options, self._all()).__iter__()

    def keys(self) -> Any:
        return super(Options, self._all()).keys()

    def values(self) -> Any:
        return super(Options, self._all()).values()

    def items(self) -> Any:
        return super(Options, self._all()).items()

    def copy(self) -> dict[str, Any]:
        return self._all().plain()
