"""Generated classes of very unequal size, whose inputs tell nothing of the class.

As in the linear model of Kunstner et al. 2024 (arXiv 2402.19449, section 3), after their code: its features
are uniform, whatever its docstring says.
"""

from __future__ import annotations

import numpy as np

from adam_repro.config import validate
from adam_repro.config.validate import Whole
from adam_repro.data.dataset import Dataset, Split


def load(groups: int = 7, seed: int = 0) -> Dataset:
    """Uniform inputs in classes whose sizes halve from group to group, while their number doubles.

    Group g = 0 to ``groups`` - 1 has 2^g classes of 2^(groups - g) examples each. So every group has as
    many examples, n = groups 2^groups together, and there are 2^groups - 1 classes, the largest first.
    Inputs are float32 [n, (groups + 1) 2^groups], uniform on [0, 1): more values than examples, so that
    each can be learned by heart. The test set is the training set: there is nothing to generalise.
    Raises UserError for an illegal option.
    """
    validate.check("task.data.groups", groups, Whole(2, 11))
    validate.check("task.data.seed", seed, Whole(0))
    group = np.repeat(np.arange(groups), 2 ** np.arange(groups))
    counts = 2 ** (groups - group).astype(np.int64)
    targets = np.repeat(np.arange(len(counts)), counts)
    shape = (len(targets), (groups + 1) * 2**groups)
    inputs = np.random.default_rng(seed).random(shape, dtype=np.float32)
    for array in (inputs, targets, counts):
        array.setflags(write=False)
    split = Split(inputs, targets)
    return Dataset("class_sizes", split, split, len(counts), counts=counts)
