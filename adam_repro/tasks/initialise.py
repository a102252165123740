"""Initial weights, by name, each drawn from the generator it is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.errors import UserError

Rule = Callable[[Tensor, torch.Generator], Tensor]


def _zeros(weight: Tensor, generator: torch.Generator) -> Tensor:
    return nn.init.zeros_(weight)


def _glorot_uniform(weight: Tensor, generator: torch.Generator) -> Tensor:
    return nn.init.xavier_uniform_(weight, generator=generator)


def _he_normal(weight: Tensor, generator: torch.Generator) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


def _lecun_uniform(weight: Tensor, generator: torch.Generator) -> Tensor:
    # Uniform on +-1/sqrt(fan_in): what torch.nn's own layers start from.
    return nn.init.kaiming_uniform_(weight, a=5**0.5, generator=generator)


def _normal(std: float) -> Rule:
    return lambda weight, generator: nn.init.normal_(weight, std=std, generator=generator)


def _cuda_convnet(weight: Tensor, generator: torch.Generator) -> Tensor:
    # The first convolution is the one that sees colours (or grey): 3 channels or 1.
    first = weight.ndim == 4 and weight.shape[1] <= 3
    return nn.init.normal_(weight, std=1e-4 if first else 1e-2, generator=generator)


#: Weight initialisations that have a name of their own: Glorot & Bengio 2010, He et al. 2015, LeCun
#: et al. 1998 as torch.nn scales it, and that of the CIFAR-10 networks shipped with cuda-convnet
#: (Krizhevsky 2011): N(0, 0.0001^2) for the convolution of the image, N(0, 0.01^2) for the rest.
INITIALISATIONS: dict[str, Rule] = {
    "zeros": _zeros,
    "glorot_uniform": _glorot_uniform,
    "he_normal": _he_normal,
    "lecun_uniform": _lecun_uniform,
    "cuda_convnet": _cuda_convnet,
}

_NORMAL = "normal_"


def rule(name: str) -> Rule:
    """The rule of that name; ValueError if there is none.

    Beside :data:`INITIALISATIONS` there is ``normal_STD``, N(0, STD^2) with any standard deviation
    above zero; Kingma & Welling 2013 print N(0, 0.01) of their autoencoder: ``normal_0.01`` here.
    """
    if name in INITIALISATIONS:
        return INITIALISATIONS[name]
    std = float(name.removeprefix(_NORMAL)) if name.startswith(_NORMAL) else math.nan
    if not 0.0 < std < math.inf:
        raise ValueError(f"no initialisation is called {name!r}")
    return _normal(std)


def initialisation(config: Mapping[str, Any]) -> str:
    """``task.init`` as the name of a rule."""
    name = str(config.get("init"))
    try:
        rule(name)
    except ValueError:
        raise UserError(
            f"task.init={name}: must be one of {', '.join(INITIALISATIONS)}, or {_NORMAL}STD with a "
            f"standard deviation above zero, as {_NORMAL}0.01"
        ) from None
    return name


@torch.no_grad()
def initialise(model: nn.Module, name: str, generator: torch.Generator) -> nn.Module:
    """Draw every weight (tensors of two or more axes) by the rule ``name``; biases start at zero."""
    draw = rule(name)
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            draw(parameter, generator)
        else:
            parameter.zero_()
    return model
