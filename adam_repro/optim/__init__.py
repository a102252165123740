"""Update rules: one class a file, each a pure rule over a stack and a `torch.optim.Optimizer`."""

from adam_repro.optim.adadelta import AdaDelta
from adam_repro.optim.adagrad import AdaGrad
from adam_repro.optim.adam import Adam
from adam_repro.optim.adamax import AdaMax
from adam_repro.optim.adamw import AdamW
from adam_repro.optim.amsgrad import AMSGrad
from adam_repro.optim.blocks import apply, init_state
from adam_repro.optim.method import Choice, HyperparameterError, Method, Range
from adam_repro.optim.rmsprop import RMSProp
from adam_repro.optim.sgd import SGD, SGDMomentum, SGDNesterov

METHODS: dict[str, type[Method]] = {
    "adam": Adam,
    "adamax": AdaMax,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "sgd": SGD,
    "sgd_momentum": SGDMomentum,
    "sgd_nesterov": SGDNesterov,
    "adadelta": AdaDelta,
    "amsgrad": AMSGrad,
    "adamw": AdamW,
}

__all__ = [
    "METHODS",
    "SGD",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "AdaMax",
    "Adam",
    "AdamW",
    "Choice",
    "HyperparameterError",
    "Method",
    "RMSProp",
    "Range",
    "SGDMomentum",
    "SGDNesterov",
    "apply",
    "init_state",
]
