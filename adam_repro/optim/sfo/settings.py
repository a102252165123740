"""The hyperparameters of SFO, their defaults and legal values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from adam_repro.config.validate import Choice, Range, Whole
from adam_repro.optim.rule import check_hyperparameters

DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Settings:
    """The author's defaults, which are not meant to be tuned.

    max_history: pairs (change of position, change of gradient) kept per subfunction.
    hessian_init: curvature assumed before the first evaluation.
    initial_active: subfunctions active at the start.
    max_condition: largest over smallest eigenvalue of one subfunction's Hessian.
    selection: which active subfunction is evaluated next: the farthest from its last position in
        the metric of the whole Hessian (`distance`), of its own (`single`), a coin flip between
        these two (`both`), or any (`random`).
    max_gradient_noise: the active set grows when the squared standard error of the mean gradient
        reaches this multiple of its square, both in the metric of the inverse Hessian.
    max_step_ratio: longest step, in mean step lengths so far.
    min_step: shortest step, in units of theta.
    dtype: of the M x K basis alone; `float32` halves its memory, all else stays float64.
    """

    max_history: int = 10
    hessian_init: float = 1e5
    initial_active: int = 2
    max_condition: float = 1e8
    selection: str = "both"
    max_gradient_noise: float = 1.0
    max_step_ratio: float = 10.0
    min_step: float = 1e-8
    dtype: str = "float64"


LEGAL: dict[str, Range | Choice] = {
    "n_subfunctions": Whole(1),
    "max_history": Whole(1),
    "hessian_init": Range(gt=0),
    "initial_active": Whole(1),
    "max_condition": Range(gt=1),
    "selection": Choice("both", "distance", "single", "random"),
    "max_gradient_noise": Range(gt=0),
    "max_step_ratio": Range(gt=0),
    "min_step": Range(gt=0),
    "dtype": Choice(*DTYPES),
}


def check(hyperparameters: Mapping[str, Any]) -> None:
    """Check names, types and ranges of any of `Settings` and `n_subfunctions`.

    Raises HyperparameterError (a UserError) naming the option, its value and what is legal.
    """
    check_hyperparameters("SFO", hyperparameters, LEGAL)
