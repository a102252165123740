"""Update rules: one class a file, each a pure rule over a stack and a `torch.optim.Optimizer`."""

from adam_repro.config.validate import Choice, Range
from adam_repro.optim.adadelta import AdaDelta
from adam_repro.optim.adagrad import AdaGrad
from adam_repro.optim.adam import Adam, AdamW
from adam_repro.optim.adam_lazy import LazyAdam
from adam_repro.optim.adamax import AdaMax
from adam_repro.optim.amsgrad import AMSGrad
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.lion import Lion
from adam_repro.optim.partitioned import Partitioned
from adam_repro.optim.rmsprop import RMSProp
from adam_repro.optim.rule import HyperparameterError, UpdateRule, apply, init_state
from adam_repro.optim.sgd import SGD, SGDMomentum, SGDNesterov
from adam_repro.optim.signsgd import SignSGD

OPTIMIZERS: dict[str, type[RuleOptimizer]] = {
    "adam": Adam,
    "adamax": AdaMax,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "sgd": SGD,
    "sgd_momentum": SGDMomentum,
    "sgd_nesterov": SGDNesterov,
    "adadelta": AdaDelta,
    "amsgrad": AMSGrad,
    "lion": Lion,
    "signsgd": SignSGD,
    "adamw": AdamW,
    "adam_lazy": LazyAdam,
}

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "AdaMax",
    "Adam",
    "AdamW",
    "Choice",
    "HyperparameterError",
    "LazyAdam",
    "Lion",
    "Partitioned",
    "RMSProp",
    "Range",
    "RuleOptimizer",
    "SGDMomentum",
    "SGDNesterov",
    "SignSGD",
    "UpdateRule",
    "apply",
    "init_state",
]
