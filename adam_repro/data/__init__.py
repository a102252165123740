"""The registry of data sets. A new data set is one file here and one entry in `DATASETS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from adam_repro.config import validate
from adam_repro.data import (
    bigrams,
    brown,
    cifar10,
    class_sizes,
    dataset,
    imdb,
    imdb_text,
    mnist,
    multi30k,
    own_text,
    parallel_text,
    running_text,
    synthetic,
    synthetic_words,
    text_bigrams,
    wikitext2,
)
from adam_repro.data.dataset import Dataset, SparseRows, Split
from adam_repro.data.sources import DatasetSource
from adam_repro.errors import UserError
from adam_repro.wording import suggestion

__all__ = ["DATASETS", "Dataset", "DatasetEntry", "SparseRows", "Split", "load"]


@dataclass(frozen=True)
class DatasetEntry:
    """How a data set is loaded, and where its files come from (None: it is generated, or a person's own).

    Without a source, the first sentence of the loader's docstring describes it.
    """

    load: Callable[..., Dataset]
    source: DatasetSource | None = None
    generated: bool = True


#: `task.data.name` of a configuration -> the data set.
DATASETS: dict[str, DatasetEntry] = {
    "mnist": DatasetEntry(partial(mnist.load, mnist.MNIST), mnist.MNIST),
    "fashion_mnist": DatasetEntry(partial(mnist.load, mnist.FASHION_MNIST), mnist.FASHION_MNIST),
    "cifar10": DatasetEntry(cifar10.load, cifar10.CIFAR10),
    "imdb": DatasetEntry(imdb.load, imdb.IMDB),
    "wikitext2": DatasetEntry(partial(running_text.load, wikitext2.WIKITEXT2), wikitext2.WIKITEXT2),
    "brown": DatasetEntry(partial(running_text.load, brown.BROWN, min_count=4), brown.BROWN),
    "imdb_text": DatasetEntry(
        partial(running_text.load, imdb_text.IMDB_TEXT, min_count=2), imdb_text.IMDB_TEXT
    ),
    "text": DatasetEntry(own_text.load, generated=False),
    "multi30k": DatasetEntry(multi30k.load, multi30k.MULTI30K),
    "parallel": DatasetEntry(parallel_text.load, generated=False),
    "synthetic": DatasetEntry(synthetic.load),
    "synthetic_text": DatasetEntry(synthetic.load_text),
    "synthetic_words": DatasetEntry(synthetic_words.load),
    "zipf": DatasetEntry(bigrams.load_zipf),
    "class_sizes": DatasetEntry(class_sizes.load),
    "brown_bigrams": DatasetEntry(partial(text_bigrams.load, brown.BROWN), brown.BROWN),
    "synthetic_pairs": DatasetEntry(synthetic.load_pairs),
}


def load(name: str, **options: Any) -> Dataset:
    """The data set of that name, verified, cached and memory-mapped, or generated.

    Raises UserError: an unknown name or option, a bad file in the user's folder, an unwritable
    cache, no source that has the set, or arrays that are no data set.
    """
    validate.check("task.data.name", name, validate.Choice(*DATASETS))
    import inspect  # imported here because the command line waits for this module

    loader = DATASETS[name].load
    legal = inspect.signature(loader).parameters
    for option in options:
        if option not in legal:
            raise UserError(
                f"task.data.{option}: the data set {name} has no such option; "
                f"legal: {', '.join(legal) or 'none'}{suggestion(option, legal, 'task.data.')}; "
                f"~task.data.{option} takes out one that the task's file gives"
            )
    needed = [key for key, one in legal.items() if one.default is inspect.Parameter.empty]
    if missing := [f"task.data.{key}" for key in needed if key not in options]:
        raise UserError(f"{', '.join(missing)}: missing; the data set {name} needs them")
    return dataset.check(name, loader(**options))
