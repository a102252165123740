"""Reproduction of *Adam: A Method for Stochastic Optimization* (Kingma & Ba, arXiv 1412.6980v9).

From Python, ``load`` gives trials as a pandas frame and ``plot`` draws them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adam_repro.plots.trials.draw import plot
    from adam_repro.results.frame import load

__version__ = "1.0.0"
__all__ = ["load", "plot"]

#: Imported at first use: pandas and Matplotlib take half a second, and the command line needs neither.
_LAZY = {"load": "adam_repro.results.frame", "plot": "adam_repro.plots.trials.draw"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
