"""Data sets as arrays: `load(name)` finds, verifies, caches and memory-maps them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from adam_repro.data import cifar10, imdb, mnist, synthetic
from adam_repro.data.dataset import Dataset, SparseRows, Split
from adam_repro.errors import UserError

__all__ = ["Dataset", "SparseRows", "Split", "load"]

LOADERS: dict[str, Callable[..., Dataset]] = {
    "mnist": partial(mnist.load, mnist.MNIST),
    "fashion_mnist": partial(mnist.load, mnist.FASHION_MNIST),
    "cifar10": cifar10.load,
    "imdb": imdb.load,
    "synthetic": synthetic.load,
    "synthetic_text": synthetic.load_text,
}


def load(name: str, **options: Any) -> Dataset:
    """The data set of that name, from the user's folder, the cache, or a download.

    Raises UserError: an unknown name or option, a bad file in the user's folder, an unwritable
    cache, or no source that has the set.
    """
    if name not in LOADERS:
        raise UserError(f"data set {name!r} is unknown; legal: {', '.join(sorted(LOADERS))}")
    import inspect  # here, because the command line waits for this module

    loader = LOADERS[name]
    parameters = [p for p in inspect.signature(loader).parameters if p != "recipe"]
    legal = ", ".join(parameters) or "none"
    for option in options:
        if option not in parameters:
            raise UserError(f"data set {name}: option {option!r} is unknown; legal: {legal}")
    return loader(**options)
