"""Initialisations of weights, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.errors import UserError
from adam_repro.wording import suggestion

Initialiser = Callable[[Tensor, torch.Generator], Tensor]


def _normal(std: float) -> Initialiser:
    return lambda weight, generator: nn.init.normal_(weight, std=std, generator=generator)


def _cuda_convnet(weight: Tensor, generator: torch.Generator) -> Tensor:
    # Only the first convolution has 3 (colour) or 1 (grey) input channels.
    first = weight.ndim == 4 and weight.shape[1] <= 3
    return _normal(1e-4 if first else 1e-2)(weight, generator)


#: Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998 as in the layers of torch.nn, uniform on
#: +-1/sqrt(fan_in); the CIFAR-10 networks of cuda-convnet (Krizhevsky 2011), N(0, 0.0001^2) for the
#: first convolution and N(0, 0.01^2) for the rest.
INITIALISATIONS: dict[str, Initialiser] = {
    "zeros": lambda w, generator: nn.init.zeros_(w),
    "glorot_uniform": lambda w, generator: nn.init.xavier_uniform_(w, generator=generator),
    "he_normal": lambda w, generator: nn.init.kaiming_normal_(
        w, nonlinearity="relu", generator=generator
    ),
    "lecun_uniform": lambda w, generator: nn.init.kaiming_uniform_(
        w, a=5**0.5, generator=generator
    ),
    "cuda_convnet": _cuda_convnet,
}

_NORMAL = "normal_"


def initialiser(name: str) -> Initialiser:
    """The initialisation of that name; ValueError if there is none.

    One of :data:`INITIALISATIONS`, or ``normal_STD``: N(0, STD^2) with any STD above zero. Kingma &
    Welling 2013 write N(0, 0.01) for their autoencoder; that is ``normal_0.01`` here.
    """
    if name in INITIALISATIONS:
        return INITIALISATIONS[name]
    std = float(name.removeprefix(_NORMAL)) if name.startswith(_NORMAL) else math.nan
    if not 0.0 < std < math.inf:
        raise ValueError(f"no initialisation is called {name!r}")
    return _normal(std)


def initialisation_name(config: Mapping[str, Any]) -> str:
    """``task.init``, if it names an initialisation; UserError else."""
    name = str(config.get("init"))
    try:
        initialiser(name)
    except ValueError:
        raise UserError(
            f"task.init={name}: must be one of {', '.join(INITIALISATIONS)}, or {_NORMAL}STD with a "
            f"standard deviation above zero, as {_NORMAL}0.01{suggestion(name, INITIALISATIONS)}"
        ) from None
    return name


@torch.no_grad()
def initialise(model: nn.Module, name: str, generator: torch.Generator) -> nn.Module:
    """Draw every weight (tensors of two or more axes) by initialisation ``name``; biases are zero."""
    draw = initialiser(name)
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            draw(parameter, generator)
        else:
            parameter.zero_()
    return model
